namespace Winnow.Continual.Tests;

public sealed class SmallStreamTests
{
    [Theory, InlineData("class-incremental"), InlineData("task-incremental"), InlineData("permuted"), InlineData("rotated"), InlineData("online"), InlineData("blurry"), InlineData("pretrained"), InlineData("few-shot")]
    public void Every_task_runs_on_small_data(string task)
    {
        using var stream = new SmallStream(task);
        using var learner = new Learner(stream.Setup);
        Assert.InRange(stream.Run(learner)["accuracy"], 0, 1);
    }
}
