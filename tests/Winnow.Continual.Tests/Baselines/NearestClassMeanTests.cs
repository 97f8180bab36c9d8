using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class NearestClassMeanTests
{
    [Theory, InlineData("class-incremental"), InlineData("blurry"), InlineData("permuted")]
    public void Equals_means_and_distances_written_out(string task)
    {
        using var stream = new SmallStream(task);
        using var learner = new NearestClassMean(stream.Setup);
        stream.Train(learner);

        using var scope = NewDisposeScope();
        var sums = new double[4, TestData.Width];
        var counts = new int[4];
        foreach (var train in stream.Tasks.Select(t => t.Train()))
            for (int i = 0; i < train.Count; i++)
            {
                int label = (int)train.Y[i].item<long>();
                counts[label]++;
                float[] row = train.X[i].data<float>().ToArray();
                for (int j = 0; j < row.Length; j++)
                    sums[label, j] += row[j];
            }
        var x = TestData.Rows(20).X;
        var logits = learner.Predict(x);
        for (int i = 0; i < 20; i++)
            for (int c = 0; c < 4; c++)
            {
                double squares = 0;
                for (int j = 0; j < TestData.Width; j++)
                    squares += Math.Pow(x[i, j].item<float>() - sums[c, j] / counts[c], 2);
                Assert.Equal(-squares / 2, logits[i, c].item<float>(), 1e-4);
            }
    }

    [Fact]
    public void The_order_of_rows_does_not_matter()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        var (rows, probe) = (TestData.Rows(60), TestData.Rows(20, seed: 9).X);
        var shuffled = rows.Rows(tensor([.. Enumerable.Range(0, 60).Select(i => (long)(i * 37 % 60))]));
        Assert.True(Predictions(stream, rows, 7, probe).allclose(Predictions(stream, shuffled, 11, probe), rtol: 1e-6, atol: 1e-5));
    }

    [Fact]
    public void Rows_seen_again_in_a_later_pass_count_once()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        using var learner = new NearestClassMean(stream.Setup);
        learner.Observe(TestData.Rows(20));
        byte[] before = Protocol.Hash(learner);
        learner.Observe(TestData.Rows(20, seed: 2) with { FirstPass = false });
        Assert.Equal(before, Protocol.Hash(learner));
    }

    [Fact]
    public void A_class_never_seen_is_never_the_answer()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        using var learner = new NearestClassMean(stream.Setup);
        learner.Observe(TestData.Rows(20, classes: 2));
        var share = nn.functional.softmax(learner.Predict(zeros(5, TestData.Width)), 1);
        Assert.Equal(0, share.narrow(1, 2, 2).sum().item<float>());
        Assert.Equal(5, share.sum().item<float>(), 1e-5);
    }

    [Fact]
    public void With_an_encoder_the_means_are_of_its_features_and_the_encoder_stays_as_it_is()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("pretrained");
        using var learner = new NearestClassMean(stream.Setup);
        var rows = TestData.Rows(30, classes: 1);
        var cost = learner.Observe(rows);
        using var encoder = stream.Setup.Network();
        var state = learner.State.ToDictionary(s => s.Name, s => s.Value);
        Assert.All(encoder.LiveState, s => Assert.Equal(s.Value.bytes, state[s.Key].bytes));
        encoder.Training = false;
        Assert.True(state["ncm.means"][0].to_type(ScalarType.Float32).allclose(encoder.Features(rows.X).detach().mean([0]), atol: 1e-5));
        Assert.Equal((30, 0), (cost.Forward, cost.Gradients));
    }

    private static Tensor Predictions(SmallStream stream, Batch rows, int size, Tensor probe)
    {
        using var learner = new NearestClassMean(stream.Setup);
        foreach (long[] part in ContinualStream.MiniBatches(rows.Count, size, null))
            learner.Observe(rows.Rows(tensor(part)));
        return learner.Predict(probe);
    }
}
