namespace Winnow.Continual.Tests;

public sealed class SmallStreamTests
{
    [Theory, InlineData("class-incremental"), InlineData("task-incremental"), InlineData("permuted"), InlineData("rotated"), InlineData("drift"), InlineData("online"), InlineData("blurry"), InlineData("pretrained"), InlineData("few-shot")]
    public void Every_task_runs_on_small_data(string task)
    {
        using var stream = new SmallStream(task);
        using var learner = new Learner(stream.Setup);
        Assert.InRange(stream.Run(learner)["accuracy"], 0, 1);
    }

    [Fact]
    public void The_task_of_videos_runs_on_small_data_and_reports_its_own_metrics()
    {
        using var stream = new SmallStream("video");
        using var learner = new Pfnr(stream.Setup, new NervOptions());
        var metrics = stream.Run(learner);
        Assert.Equal(stream.Task.Metrics!.Select(m => m.Name).Order(), metrics.Keys.Order());
        Assert.InRange(metrics["psnr"], 0, Scoring.MostPsnr);
    }
}
