using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public class SlcaTests
{
    private static SmallStream Stream() => new("pretrained", o => o with { Steps = 3, Hidden = 6 }, TestData.Images(classes: 6));

    private static float[] Encoder(Network network) => network.ParameterValues[..network.Modules[^1].Offset].ToArray();

    private static float[] Head(Network network) => network.ParameterValues[network.Modules[^1].Offset..].ToArray();

    [Theory]
    [InlineData(0.0, true)]
    [InlineData(0.01, false)]
    public void Encoder_keeps_its_bytes_exactly_when_its_scale_is_zero(double scale, bool frozen)
    {
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new() { EncoderScale = scale });
        var (before, statistics) = (Encoder(slca.Network), slca.Network.BufferValues.ToArray());
        stream.Train(slca);
        Assert.Equal(frozen, before.AsSpan().SequenceEqual(Encoder(slca.Network)));
        Assert.Equal(statistics, slca.Network.BufferValues.ToArray());
    }

    [Fact]
    public void Older_blocks_and_unseen_classes_keep_their_bytes_in_stage_one()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new());
        var order = stream.Context.Random("batches");
        stream.Train(slca, 0, order);
        float[] before = Head(slca.Network);
        var train = stream.Tasks[1].Train();
        slca.BeginTask(stream.Tasks[1].Info, train);
        slca.Observe(train);
        float[] after = Head(slca.Network);
        int width = slca.Network.Architecture.Features;
        for (int c = 0; c < 6; c++)
            Assert.Equal(!stream.Tasks[1].Info.Classes.Contains(c), before.AsSpan(c * width, width).SequenceEqual(after.AsSpan(c * width, width)) && before[6 * width + c] == after[6 * width + c]);
    }

    [Fact]
    public void The_raw_head_is_restored_exactly_before_the_next_task()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new());
        var order = stream.Context.Random("batches");
        stream.Train(slca, 0, order);
        stream.Train(slca, 1, order);
        float[] aligned = Head(slca.Network);
        float[] raw = slca.State.Single(s => s.Name == "slca.raw-head").Value.Values<float>().ToArray();
        Assert.NotEqual(raw, aligned);
        slca.BeginTask(stream.Tasks[2].Info, stream.Tasks[2].Train());
        float[] recalled = Head(slca.Network);
        int width = slca.Network.Architecture.Features;
        foreach (int c in stream.Tasks[0].Info.Classes.Concat(stream.Tasks[1].Info.Classes))
        {
            Assert.Equal(raw.AsSpan(c * width, width), recalled.AsSpan(c * width, width));
            Assert.Equal(raw[6 * width + c], recalled[6 * width + c]);
        }
    }

    [Fact]
    public void Without_alignment_the_prediction_is_that_of_the_raw_head()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new() { AlignmentEpochs = 0 });
        stream.Train(slca);
        var head = slca.State.Single(s => s.Name == "slca.raw-head").Value;
        var test = stream.Tasks[0].Test();
        int width = slca.Network.Architecture.Features;
        using var none = no_grad();
        var expected = slca.Network.Features(test.X).mm(head.narrow(0, 0, 6 * width).view(6, width).t()) + head.narrow(0, 6 * width, 6);
        Assert.True(slca.Predict(test.X).allclose(expected, rtol: 1e-5, atol: 1e-6));
    }

    [Fact]
    public void Statistics_are_those_of_the_features_of_each_class_and_old_ones_stay()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new());
        var order = stream.Context.Random("batches");
        stream.Train(slca, 0, order);
        int old = stream.Tasks[0].Info.Classes[0];
        var rows = stream.Tasks[0].Train();
        slca.Network.Training = false;
        var f = slca.Network.Features(rows.X.index_select(0, rows.Y.eq(old).nonzero().flatten())).detach().to_type(ScalarType.Float64);
        Assert.True(slca.Gaussians.Mean(old).allclose(f.mean([0]), rtol: 0, atol: 1e-9));
        Assert.True(slca.Gaussians.Covariance(old).allclose(f.t().cov() + 1e-4 * eye(f.shape[1], dtype: ScalarType.Float64), rtol: 0, atol: 1e-9));
        var (mean, covariance) = (slca.Gaussians.Mean(old), slca.Gaussians.Covariance(old));
        stream.Train(slca, 1, order);
        Assert.True(mean.allclose(slca.Gaussians.Mean(old), rtol: 0, atol: 0) && covariance.allclose(slca.Gaussians.Covariance(old), rtol: 0, atol: 0));
    }

    [Theory]
    [InlineData(CovarianceKind.Full)]
    [InlineData(CovarianceKind.Diagonal)]
    [InlineData(CovarianceKind.Shared)]
    public void Two_rows_in_many_dimensions_give_a_positive_definite_covariance(CovarianceKind kind)
    {
        using var scope = NewDisposeScope();
        using var gaussians = new ClassGaussians(kind, 1, 10);
        gaussians.Fit(0, TestData.Rows(2, width: 10).X);
        Assert.True(linalg.eigvalsh(gaussians.Covariance(0)).min().item<double>() > 0.9e-4);
        Assert.True(gaussians.Sample(0, 1, ones(3, 10, ScalarType.Float64)).isfinite().all().item<bool>());
    }

    [Fact]
    public void Smaller_covariances_are_the_diagonal_and_the_pooled_one()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (TestData.Rows(30, width: 4, seed: 1).X, TestData.Rows(20, width: 4, seed: 2).X * 3 + 1);
        var ridge = 1e-4 * eye(4, dtype: ScalarType.Float64);
        Tensor Cov(Tensor f) => f.to_type(ScalarType.Float64).t().cov();
        using var diagonal = new ClassGaussians(CovarianceKind.Diagonal, 2, 4);
        diagonal.Fit(1, b);
        Assert.True(diagonal.Covariance(1).allclose(diag((Cov(b) + ridge).diagonal())));
        using var shared = new ClassGaussians(CovarianceKind.Shared, 2, 4);
        shared.Fit(0, a);
        shared.Fit(1, b);
        Assert.True(shared.Covariance(0).allclose((29 * Cov(a) + 19 * Cov(b)) / 48 + ridge));
    }

    [Theory]
    [InlineData(CovarianceKind.Full)]
    [InlineData(CovarianceKind.Diagonal)]
    public void Drawn_rows_have_the_scaled_mean_and_the_covariance(CovarianceKind kind)
    {
        using var scope = NewDisposeScope();
        using var gaussians = new ClassGaussians(kind, 1, 3);
        gaussians.Fit(0, TestData.Rows(50, width: 3).X * 2 + 5);
        var random = new SeededRandom(1, "noise");
        const int Rows = 40_000;
        var noise = tensor(Enumerable.Range(0, 3 * Rows).Select(_ => random.NextNormal()).ToArray()).reshape(Rows, 3);
        var drawn = gaussians.Sample(0, 0.9, noise);
        // Standard errors are below 2.5 / 200 = 0.0125 for means and 0.04 for covariances: six of them, false alarms below 1e-7.
        Assert.True(drawn.mean([0]).allclose(0.9 * gaussians.Mean(0), rtol: 0, atol: 0.075));
        Assert.True(drawn.t().cov().allclose(gaussians.Covariance(0), rtol: 0, atol: 0.24));
    }

    [Fact]
    public void Aligned_boundary_of_two_classes_of_equal_covariance_is_that_of_linear_discriminant_analysis()
    {
        using var scope = NewDisposeScope();
        using var gaussians = new ClassGaussians(CovarianceKind.Full, 2, 2);
        var covariance = tensor(new[] { 1.0, 0.6, 0.6, 0.8 }).reshape(2, 2);
        var (first, second) = (tensor(new[] { 0.8, -0.2 }), tensor(new[] { -0.4, 0.5 }));
        gaussians.Set(0, first, covariance);
        gaussians.Set(1, second, covariance);
        var random = new SeededRandom(4, "draws");
        var plan = new AlignmentPlan { LearningRate = 0.1, WeightDecay = 0, Epochs = 60, SamplesPerClass = 1024, BatchSize = 256, LogitNorm = null };
        var (weight, _) = ClassifierAlignment.Align(zeros(2, 2), zeros(2), [2], gaussians, [0, 1], plan, _ =>
        {
            long[] order = [.. Enumerable.Range(0, 2048).Select(i => (long)i)];
            random.Shuffle(order);
            return (tensor(Enumerable.Range(0, 4096).Select(_ => random.NextNormal()).ToArray()).reshape(2, 1024, 2), tensor(order));
        }, TestContext.Current.CancellationToken);
        var direction = (weight[0] - weight[1]).to_type(ScalarType.Float64);
        var expected = linalg.solve(covariance, first - second);
        // 120,000 draws leave an angle of about 0.01; a cosine of 0.99 is an angle of 0.14: false alarms below 1e-9.
        Assert.True((direction.dot(expected) / (direction.norm() * expected.norm())).item<double>() > 0.99);
    }

    [Fact]
    public void Scaling_one_block_of_logits_changes_the_loss_less_with_logit_normalisation()
    {
        using var scope = NewDisposeScope();
        var logits = TestData.Rows(64, width: 4, seed: 3).X;
        var labels = TestData.Rows(64, width: 4, seed: 4).Y;
        var scaled = cat([logits.narrow(1, 0, 2) * 10, logits.narrow(1, 2, 2)], 1);
        double Change(double? tau) => Math.Abs((ClassifierAlignment.Loss(scaled, labels, [2, 2], tau) - ClassifierAlignment.Loss(logits, labels, [2, 2], tau)).ToDouble());
        Assert.True(Change(1) < 0.5 * Change(null));
    }

    [Fact]
    public void Means_shrink_with_the_age_of_the_task_or_as_the_released_code_has_it()
    {
        double[] paper = ClassifierAlignment.MeanScales([1, 2, 2], TaskIndexRule.Paper);
        double[] released = ClassifierAlignment.MeanScales([1, 2, 2], TaskIndexRule.Released);
        Assert.Equal([0.9333, 0.9667, 0.9667, 1, 1], paper.Select(a => Math.Round(a, 4)));
        Assert.Equal([0.9333, 0.9333, 0.9667, 0.9667, 1], released.Select(a => Math.Round(a, 4)));
    }

    [Fact]
    public void The_step_size_falls_to_a_tenth_at_the_milestone()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        float[][] moves = [.. ((double[])[1, 0]).Select(decayAt =>
        {
            using var slca = new Slca(stream.Setup, new() { DecayAt = decayAt, WeightDecay = 0, EncoderScale = 0 });
            var train = stream.Tasks[0].Train();
            slca.BeginTask(stream.Tasks[0].Info, train);
            float[] before = Head(slca.Network);
            slca.Observe(train);
            return Head(slca.Network).Zip(before, (now, then) => now - then).ToArray();
        })];
        Assert.All(moves[0].Zip(moves[1]), m => Assert.Equal(m.First * 0.1, m.Second, 1e-6));
        Assert.Contains(moves[0], m => Math.Abs(m) > 1e-4);
    }

    [Theory]
    [InlineData(CovarianceKind.Full)]
    [InlineData(CovarianceKind.Diagonal)]
    [InlineData(CovarianceKind.Shared)]
    public void Account_counts_encoder_rows_and_drawn_rows(CovarianceKind kind)
    {
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new() { Covariance = kind, AlignmentEpochs = 2, SamplesPerClass = 3 });
        var cost = stream.Train(slca);
        long rows = stream.Setup.Training.Rows, drawn = 2 * 3 * stream.Tasks.Skip(1).Sum(t => stream.Tasks.Take(t.Info.Id + 1).Sum(s => s.Info.Classes.Count));
        Assert.Equal(rows * stream.Setup.Training.Epochs + drawn, cost.Gradients);
        Assert.Equal(rows * stream.Setup.Training.Epochs + rows + drawn, cost.Forward);
        Assert.Equal(0, cost.Replayed);
    }

    [Fact]
    public void What_cannot_be_learned_is_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var slca = new Slca(stream.Setup, new());
        var (first, second) = (stream.Tasks[0], stream.Tasks[1]);
        slca.BeginTask(first.Info, first.Train());
        Refused("a label outside the classes", () => slca.Observe(second.Train()));
        stream.Train(slca, 1, stream.Context.Random("batches"));
        Refused("comes back", () => slca.BeginTask(second.Info, second.Train()));
        using var gaussians = new ClassGaussians(CovarianceKind.Full, 1, 4);
        Refused("has 1 training rows", () => gaussians.Fit(0, ones(1, 4)));
        Refused("NaN or infinite", () => gaussians.Fit(0, full(3, 4, float.NaN)));
        Refused("must not change between tasks", () => gaussians.Fit(0, ones(3, 5)));
        Refused("no classes to align", () => ClassifierAlignment.Align(zeros(0, 4), zeros(0), [], gaussians, [], new(), _ => default, TestContext.Current.CancellationToken));
        Refused("do not fit", () => ClassifierAlignment.Align(zeros(2, 4), zeros(2), [1], gaussians, [0], new(), _ => default, TestContext.Current.CancellationToken));
        Refused("EncoderScale", () => new Slca(stream.Setup, new() { EncoderScale = -1 }).Dispose());
        Assert.Throws<InputException>(() => OptionsSchema.Of<SlcaOptions>().Bind(new JsonObject { ["encoder-scale"] = -1 }, "slca"));

        static void Refused(string reason, Action act) => Assert.Contains(reason, Assert.ThrowsAny<ArgumentException>(act).Message, StringComparison.Ordinal);
    }
}
