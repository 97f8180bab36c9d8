using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class JointTrainingTests
{
    [Fact]
    public void One_task_equals_plain_training_to_the_bit()
    {
        using var stream = new SmallStream(options: o => o with { Steps = 1 });
        using var joint = new JointTraining(stream.Setup);
        using var plain = new Learner(stream.Setup);

        var cost = stream.Train(joint);
        Assert.Equal(cost, stream.Train(plain));

        using var scope = NewDisposeScope();
        var x = TestData.Rows(10).X;
        Assert.Equal(plain.Predict(x).bytes, joint.Predict(x).bytes);
    }

    [Theory, InlineData("class-incremental"), InlineData("permuted"), InlineData("blurry")]
    public void Every_row_of_the_stream_is_kept_once(string task)
    {
        using var stream = new SmallStream(task);
        using var joint = new JointTraining(stream.Setup);
        stream.Train(joint);
        using var scope = NewDisposeScope();
        var state = joint.State.ToDictionary(s => s.Name, s => s.Value);
        var expected = stream.Tasks.SelectMany(t => Rows(t.Train())).Order(StringComparer.Ordinal);
        Assert.Equal(expected, Rows(new(state["joint.x"], state["joint.y"])).Order(StringComparer.Ordinal));
    }

    [Fact] // tasks of 2, 2 and 3 classes: the past is no whole multiple of the present
    public void A_pass_over_a_task_is_a_pass_over_all_rows_seen()
    {
        using var stream = new SmallStream(options: o => o with { Steps = 3 }, data: TestData.Images(classes: 7));
        using var joint = new JointTraining(stream.Setup);
        var order = stream.Context.Random("batches");
        int seen = 0;
        foreach (var task in stream.Tasks)
        {
            using var scope = NewDisposeScope();
            var train = task.Train();
            seen += train.Count;
            long expected = (long)seen * stream.Options.Epochs;
            var cost = stream.Train(joint, task.Info.Id, order);
            Assert.InRange(cost.Gradients, expected - 1, expected);
            Assert.Equal(cost.Gradients - train.Count * stream.Options.Epochs, cost.Replayed);
        }
    }

    [Fact] // chance is 1/4; sequential training ends near 1/2
    public void It_does_not_forget()
    {
        using var stream = new SmallStream(options: o => o with { Epochs = 15 });
        using var joint = new JointTraining(stream.Setup);
        Assert.True(stream.Run(joint)["accuracy"] > 0.9);
    }

    [Fact]
    public void More_rows_than_planned_are_refused()
    {
        using var stream = new SmallStream();
        using var joint = new JointTraining(stream.Setup);
        stream.Train(joint);
        using var scope = NewDisposeScope();
        Assert.Throws<InvalidOperationException>(() => joint.Observe(TestData.Rows(1)));
    }

    private static IEnumerable<string> Rows(Batch batch) =>
        Enumerable.Range(0, batch.Count).Select(i => $"{batch.Y[i].item<long>()}: {string.Join(' ', batch.X[i].data<float>().ToArray())}");
}
