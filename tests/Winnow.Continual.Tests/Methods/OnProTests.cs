using CsCheck;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class OnProTests
{
    [Theory, InlineData(1, 0.5), InlineData(2, 0.5), InlineData(5, 0.2)]
    public void The_equilibrium_of_equal_views_with_orthogonal_prototypes_is_known(int classes, double temperature)
    {
        using var scope = NewDisposeScope();
        var z = cat([3 * eye(classes, 7, ScalarType.Float64), eye(classes, 7, ScalarType.Float64)]);
        var y = arange(classes, dtype: ScalarType.Int64).repeat(2);
        var (loss, first, second) = OnlinePrototypes.Equilibrium(z, z, y, classes + 3, temperature);
        Assert.Equal(Math.Log(1 + (2 * classes - 2) * Math.Exp(-1 / temperature)), loss.item<double>(), 1e-12);
        ByHand.Same(first, second);
        ByHand.Close(cat([2 * eye(classes, 7), zeros(3, 7)]), first);
    }

    [Fact]
    public void The_equilibrium_does_not_care_what_the_classes_are_called_and_leaves_out_absent_ones()
    {
        using var scope = NewDisposeScope();
        var (z1, z2, y) = Projections(12, 3);
        double loss = OnlinePrototypes.Equilibrium(z1, z2, y, 3, 0.5).Loss.item<double>();
        var renamed = tensor(new long[] { 6, 0, 3 }).index_select(0, y);
        Assert.Equal(loss, OnlinePrototypes.Equilibrium(z1, z2, renamed, 8, 0.5).Loss.item<double>(), 1e-12);
    }

    [Fact]
    public void The_equilibrium_and_the_instance_losses_are_those_of_loops()
    {
        using var scope = NewDisposeScope();
        const int B = 9;
        const double Tau = 0.3, Epsilon = 1e-8;
        var (z1, z2, y) = Projections(B, 3);
        long[] labels = [.. y.data<long>(), .. y.data<long>()];
        long[] present = [.. labels.Distinct().Order()];
        Tensor[] p = [.. new[] { z1, z2 }.SelectMany(z => present.Select(c => Normal(z.index_select(0, y.eq(c).nonzero().flatten()).mean([0]))))];
        int k = present.Length;
        double equilibrium = Enumerable.Range(0, 2 * k).Average(i => -Math.Log(Math.Exp(Dot(i, (i + k) % (2 * k))) / Enumerable.Range(0, 2 * k).Where(j => j != i).Sum(j => Math.Exp(Dot(i, j)))));
        Assert.Equal(equilibrium, OnlinePrototypes.Equilibrium(z1, z2, y, 5, Tau).Loss.item<double>(), 1e-10);

        var all = cat([z1, z2]);
        var s = all.mm(all.t());
        double ofNew = 0, ofReplayed = 0;
        for (int i = 0; i < 2 * B; i++)
        {
            double most = Enumerable.Range(0, 2 * B).Max(j => s[i, j].item<double>()), same = labels.Count(l => l == labels[i]) + Epsilon;
            double[] e = [.. Enumerable.Range(0, 2 * B).Select(j => Math.Exp((s[i, j].item<double>() - most) / Tau))];
            double sum = e.Sum(), others = sum - e[i];
            for (int j = 0; j < 2 * B; j++)
            {
                double l = -Math.Log((j == i ? 0 : e[j]) / (others + Epsilon) + Epsilon);
                ofNew += (labels[j] == labels[i] ? 2 * l / same : 0) + (j == (i + B) % (2 * B) ? l : 0);
                ofReplayed += labels[j] == labels[i] ? -Math.Log(e[j] / (sum + Epsilon) + Epsilon) / same : 0;
            }
        }
        Assert.Equal(ofNew / (2 * B), InstanceContrast.OfNew(s, y, Tau).item<double>(), 1e-9);
        Assert.Equal(ofReplayed / (2 * B), InstanceContrast.OfReplayed(s, y, Tau).item<double>(), 1e-9);

        static Tensor Normal(Tensor v) => v / v.norm();
        double Dot(int i, int j) => (p[i] * p[j]).sum().item<double>() / Tau;
    }

    [Fact]
    public void Views_labels_and_similarities_that_do_not_fit_are_refused()
    {
        using var scope = NewDisposeScope();
        var (z1, z2, y) = Projections(6, 3);
        Assert.Contains("expected 0 to 1", Refusal(() => OnlinePrototypes.Equilibrium(z1, z2, y * 0 + 2, 2, 0.5)), StringComparison.Ordinal);
        Assert.Contains("expected equal shapes", Refusal(() => OnlinePrototypes.Equilibrium(z1, z2.narrow(0, 0, 5), y, 3, 0.5)), StringComparison.Ordinal);
        Assert.Contains("expected [12, 12]", Refusal(() => InstanceContrast.OfNew(z1.mm(z1.t()), y, 0.5)), StringComparison.Ordinal);
        Assert.Contains("an empty memory", Refusal(() => PrototypicalFeedback.MixPairs(new(zeros(0, 4), zeros(0, ScalarType.Int64)), [0, 1], [3], 1, 0.4, Draws())), StringComparison.Ordinal);
        Assert.Contains("expected fewer", Refusal(() => new OnPro(ByHand.Setup(hidden: 6), new() { Projection = 6 }).Dispose()), StringComparison.Ordinal);

        static string Refusal(Action act) => Assert.ThrowsAny<ArgumentException>(act).Message;
    }

    [Fact]
    public void Classes_with_one_prototype_take_all_draws_and_equally_distant_ones_equally_many()
    {
        using var scope = NewDisposeScope();
        var p = eye(4, 4, ScalarType.Float64);
        Assert.All(PrototypicalFeedback.Pairs(p).Probabilities, q => Assert.Equal(1.0 / 6, q, 1e-12));
        p = cat([p, zeros(1, 4, ScalarType.Float64), p.narrow(0, 2, 1)]);
        var (classes, probabilities) = PrototypicalFeedback.Pairs(p);
        Assert.Equal([0L, 1, 2, 3, 5], classes);
        Assert.Equal(1, probabilities[8], 1e-12); // (0,1) (0,2) (0,3) (0,5) (1,2) (1,3) (1,5) (2,3) (2,5) (3,5)
        Assert.Empty(PrototypicalFeedback.Pairs(zeros(3, 2)).Probabilities);
    }

    [Fact]
    public void The_pairs_counts_always_sum_to_the_rows_and_stay_within_one_of_their_shares() =>
        Gen.Select(Gen.Double[0.001, 1].Array[1, 15], Gen.Int[0, 64], Gen.ULong).Sample((weights, rows, seed) =>
        {
            double[] p = [.. weights.Select(w => w / weights.Sum())];
            int[] counts = PrototypicalFeedback.Counts(p, rows, new SeededRandom(seed, "counts"));
            return counts.Sum() == rows && counts.Zip(p).All(c => c.First >= 0 && Math.Abs(c.First - c.Second * rows) <= 1.5 + 1e-9);
        }, iter: 500);

    [Fact]
    public void A_mixture_without_mixing_is_its_rows_and_costs_their_cross_entropy()
    {
        using var scope = NewDisposeScope();
        var rows = TestData.Rows(10);
        var plain = PrototypicalFeedback.MixUp(rows, 0, 0.6, Draws());
        ByHand.Same(rows.X, plain.X);
        ByHand.Same(rows.Y, plain.First);
        ByHand.Close(rows.Y, plain.Labels);
        var logits = TestData.Rows(10, width: 4, seed: 3).X;
        ByHand.Close(nn.functional.cross_entropy(logits, rows.Y), plain.CrossEntropy(logits));
        var mixed = PrototypicalFeedback.MixUp(rows, 1, 0.6, Draws());
        Assert.InRange(mixed.Lambda.max().item<float>(), 0.01f, 0.6f);
        var log = nn.functional.log_softmax(logits, 1);
        double expected = Enumerable.Range(0, 10).Average(i =>
            -(1 - mixed.Lambda[i].item<float>()) * log[i, mixed.First[i].item<long>()].item<float>() - mixed.Lambda[i].item<float>() * log[i, mixed.Second[i].item<long>()].item<float>());
        Assert.Equal(expected, mixed.CrossEntropy(logits).item<float>(), 1e-5);
    }

    [Fact]
    public void Mixtures_of_pairs_are_of_the_two_classes_with_one_share_a_pair_and_a_lost_class_is_replaced()
    {
        using var scope = NewDisposeScope();
        // A row's value is its class: a mixture of classes a and b has the value (1 − λ)a + λb.
        var y = tensor(new long[] { 0, 0, 1, 2, 2, 2 });
        var memory = new Batch(y.to_type(ScalarType.Float32).unsqueeze(1), y);
        var mixed = PrototypicalFeedback.MixPairs(memory, [0, 1, 2], [3, 0, 4], 1, 0.4, Draws());
        Assert.Equal([0L, 0, 0, 1, 1, 1, 1], mixed.First.data<long>().ToArray());
        Assert.Equal([1L, 1, 1, 2, 2, 2, 2], mixed.Second.data<long>().ToArray());
        ByHand.Close(mixed.Labels, mixed.X.squeeze(1));
        Assert.Equal(2, mixed.Lambda.data<float>().ToArray().Distinct().Count());
        Assert.All(PrototypicalFeedback.MixPairs(memory, [0, 3], [50], 1, 0.4, Draws()).Second.data<long>().ToArray(), c => Assert.InRange(c, 0, 2));
        Assert.All(PrototypicalFeedback.MixPairs(memory, [0, 2], [5], 0, 0.4, Draws()).Lambda.data<float>().ToArray(), l => Assert.Equal(0, l));
    }

    [Fact]
    public void The_pairs_shares_are_of_a_beta_distribution()
    {
        using var scope = NewDisposeScope();
        var memory = new Batch(zeros(2, 1), tensor(new long[] { 0, 1 }));
        var random = Draws();
        const int N = 4000;
        double[] lambda = [.. Enumerable.Range(0, N).Select(_ => { using var each = NewDisposeScope(); return (double)PrototypicalFeedback.MixPairs(memory, [0, 1], [1], 1, 0.4, random).Lambda.item<float>(); })];
        // Beta(a, a): mean 1/2, variance v = 1 / (4 (2a + 1)). Both estimates leave 5 standard errors with probability below 1e-6.
        double v = 1 / (4 * 1.8), mean = lambda.Average(), variance = lambda.Average(l => (l - 0.5) * (l - 0.5));
        Assert.InRange(mean, 0.5 - 5 * Math.Sqrt(v / N), 0.5 + 5 * Math.Sqrt(v / N));
        Assert.InRange(variance, v - 5 * 0.125 / Math.Sqrt(N), v + 5 * 0.125 / Math.Sqrt(N)); // the squares lie in [0, 1/4]: deviation at most 1/8
    }

    [Fact]
    public void Copies_are_the_quarter_turns_and_the_turned_halves()
    {
        using var scope = NewDisposeScope();
        var x = arange(16, ScalarType.Float32).reshape(1, 16);
        var quarter = Of(CopyKind.QuarterTurns).CopiesOf(x);
        Assert.Equal([0f, 15, 3, 12], quarter.narrow(1, 0, 1).flatten().data<float>().ToArray()); // top left: as it is, 180°, then 90° to the left and to the right
        var all = Of(CopyKind.HalvesAndQuarterTurns).CopiesOf(x);
        Assert.Equal([16L, 16], all.shape);
        ByHand.Same(tensor(new float[] { 13, 12, 2, 3, 9, 8, 6, 7, 5, 4, 10, 11, 1, 0, 14, 15 }), all[1]); // the left half turned by 180°
        Assert.Equal(16, Enumerable.Range(0, 16).Select(i => string.Join(' ', all[i].data<float>())).Distinct().Count());
        Assert.All(Enumerable.Range(0, 16), i => ByHand.Same(x[0], all[i].sort().Values));
        ByHand.Same(x, Of(CopyKind.Plain).CopiesOf(x));
        Assert.Equal((1, 1, 4), (new Views([16], CopyKind.QuarterTurns, 1, 0, 0).Copies, new Views([1, 2, 8], CopyKind.QuarterTurns, 1, 0, 0).Copies, new Views([1, 3, 3], CopyKind.HalvesAndQuarterTurns, 1, 0, 0).Copies));

        static Views Of(CopyKind copies) => new([1, 4, 4], copies, 1, 0, 0);
    }

    [Fact]
    public void A_view_that_keeps_all_is_the_image_a_mirrored_one_its_mirror_image_and_a_crop_lies_within_it()
    {
        using var scope = NewDisposeScope();
        var x = TestData.Rows(40).X;
        ByHand.Close(x, new Views([1, 4, 4], CopyKind.Plain, 1, 0, 0).Random(x, Draws()), absolute: 1e-5);
        ByHand.Close(x.reshape(-1, 1, 4, 4).flip(3).reshape(x.shape), new Views([1, 4, 4], CopyKind.Plain, 1, 1, 0).Random(x, Draws()), absolute: 1e-5);
        var crops = new Views([1, 4, 4], CopyKind.Plain, 0.3, 0, 0).Random(x, Draws());
        Assert.True((crops.amax([1]) <= x.amax([1]) + 1e-5).all().item<bool>());
        Assert.True((crops.amin([1]) >= x.amin([1]) - 1e-5).all().item<bool>());
        Assert.False(crops.allclose(x));
    }

    [Fact]
    public void Grey_views_of_colour_images_have_one_value_a_pixel()
    {
        using var scope = NewDisposeScope();
        var x = TestData.Rows(400, width: 48).X;
        var views = new Views([3, 4, 4], CopyKind.Plain, 1, 0, 0).Random(x, Draws()).reshape(400, 3, 16);
        long grey = (views.amax([1]) - views.amin([1])).amax([1]).lt(1e-4).sum().item<long>();
        Assert.InRange(grey, 100 - 45, 100 + 45); // binomial(400, 1/4): 5.2 standard deviations, false alarm below 1e-6
    }

    [Fact]
    public void Rows_that_are_no_images_get_noise_of_the_deviation_asked_for()
    {
        using var scope = NewDisposeScope();
        var x = TestData.Rows(500).X;
        var noise = new Views([16], CopyKind.QuarterTurns, 0.3, 0.5, 0.3).Random(x, Draws()) - x;
        // 8,000 draws: the standard error of the deviation is 0.3 / sqrt(16,000); five of them, false alarm below 1e-6
        Assert.Equal(0.3, noise.std().item<float>(), 5 * 0.3 / Math.Sqrt(16_000));
    }

    [Fact] // α = 1, no mix-up, no contrast, views that change nothing: the first task is fine-tuning, later ones learn from the memory alone
    public void Without_its_parts_it_is_replay()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 8);
        var options = new OnProOptions { InstanceWeight = 0, EquilibriumWeight = 0, BaseShare = 1, MixProbability = 0, Noise = 0, LearningRate = 0.01, BufferSize = 12, ReplayBatch = 6 };
        using var learner = new OnPro(setup, options);
        using var network = setup.Network();
        using var reservoir = new Reservoir(12, setup.Width, setup.Random("reservoir"));
        using var adam = new Adam(network.ParameterValues.Length, 0.01, beta2: 0.99, weightDecay: 1e-4);
        for (int step = 0; step < 8; step++)
        {
            var batch = TestData.Rows(5, seed: (ulong)step);
            if (step % 4 == 0)
                learner.BeginTask(new(step / 4, [0, 1, 2, 3]), batch);
            var report = learner.Observe(batch);
            var drawn = reservoir.Draw(6); // in the first task too, where only the prototypes use them
            var rows = step < 4 ? batch : drawn;
            network.ZeroGradient();
            Assert.Equal(network.AddCrossEntropyGradient(rows.X, rows.Y), report.Loss, 1e-5);
            adam.Step(network.ParameterValues, network.GradientValues);
            reservoir.Offer(batch.X, batch.Y);
            ByHand.Close(network.Parameters, learner.Network.Parameters, absolute: 1e-4);
        }
    }

    [Fact]
    public void The_gradient_of_the_whole_loss_reaches_encoder_head_and_projection()
    {
        using var scope = NewDisposeScope();
        using var learner = new OnPro(ByHand.Setup(hidden: 8), new() { WeightDecay = 0 });
        Tensor[] before = [.. learner.State.Where(s => s.Kind == StateKind.Model || s.Name == "onpro.projection.weights").Select(s => s.Value.detach().clone())];
        learner.BeginTask(new(0, [0, 1, 2, 3]), TestData.Rows(10));
        learner.Observe(TestData.Rows(10));
        var after = learner.State.Where(s => s.Kind == StateKind.Model || s.Name == "onpro.projection.weights").Select(s => s.Value).ToArray();
        Assert.All(before.Zip(after), pair => Assert.True((pair.First - pair.Second).abs().max().item<float>() > 1e-4));
    }

    [Fact]
    public void Costs_are_those_of_all_passes()
    {
        using var stream = new SmallStream("online");
        using var learner = new OnPro(stream.Setup, new() { ReplayBatch = 20, RowsPerClass = 7, Copies = CopyKind.QuarterTurns });
        using var scope = NewDisposeScope();
        var rows = TestData.Rows(5, classes: 2);
        learner.BeginTask(new(0, [0, 1]), rows);
        Assert.Equal(new StepReport(0, 40 + 5, 40 + 5, 0), learner.Observe(rows) with { Loss = 0 });      // 2 · 4 · 5 and 5 for the cross-entropy
        Assert.Equal(new StepReport(0, 40 + 5 + 10, 40 + 5 + 10, 10), learner.Observe(rows) with { Loss = 0 }); // and 2 · 5 from memory
        learner.BeginTask(new(1, [2, 3]), rows);
        learner.Observe(rows);
        Assert.Equal(new StepReport(0, 40 + 3 * 14 + 8 * 14, 40 + 3 * 14 + 8 * 14, 3 * 14 + 8 * 14), learner.Observe(rows) with { Loss = 0 }); // 7 for each of 2 classes
    }

    private static SeededRandom Draws() => new(4, "draws");

    private static (Tensor First, Tensor Second, Tensor Y) Projections(int rows, int classes)
    {
        var one = TestData.Rows(rows, 6, classes, seed: 1);
        return (Normal(one.X), Normal(one.X + TestData.Rows(rows, 6, classes, seed: 2).X), one.Y);

        static Tensor Normal(Tensor z) => nn.functional.normalize(z.to_type(ScalarType.Float64), dim: 1);
    }
}
