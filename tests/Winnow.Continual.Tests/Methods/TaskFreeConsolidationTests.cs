using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class TaskFreeConsolidationTests
{
    private static readonly ContinualThesisOptions Options = new() { Technique = ThesisTechnique.TaskFree, RecentBuffer = 6, HardBuffer = 4, RoundSteps = 3, RoundLearningRate = 0.01 };

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public void The_detector_equals_its_slow_twin(int seed)
    {
        var random = new SeededRandom((ulong)seed, "losses");
        using var detector = new PlateauDetector("window", 5, 1.0, 0.3);
        var (seen, mean, deviation, peak, found) = (new List<double>(), 0.0, 0.0, true, 0);
        for (int i = 0; i < 500; i++)
        {
            double loss = Math.Max(0, 0.7 + (i / 40 % 2 == 0 ? 0 : 1.5) + 0.3 * random.NextNormal());
            seen.Add(loss);
            double[] window = [.. seen.TakeLast(5)];
            double m = window.Average(), v = window.Average(l => (l - m) * (l - m));
            if (!peak && m > mean + deviation)
                peak = true;
            bool plateau = peak && m < 1.0 && v < 0.3;
            if (plateau)
                (mean, deviation, peak) = (m, Math.Sqrt(v), false);
            found += plateau ? 1 : 0;
            Assert.Equal(plateau, detector.Observe(loss));
            Assert.Equal(m, detector.Mean, 1e-12);
            Assert.Equal(v, detector.Variance, 1e-12);
        }
        Assert.InRange(found, 3, 100);
    }

    [Fact]
    public void The_first_plateau_needs_no_peak_and_the_next_one_does()
    {
        using var detector = new PlateauDetector("window", 2, 1, 1);
        double[] losses = [0.5, 0.5, 0.5, 0.4, 5, 0.5, 0.5];
        Assert.Equal([true, false, false, false, false, false, true], losses.Select(detector.Observe));
        Assert.Contains("training diverged", Assert.Throws<ArgumentException>(() => detector.Observe(double.NaN)).Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(TaskFreeLoss.CrossEntropy), InlineData(TaskFreeLoss.SquaredError)]
    public void Without_hard_buffer_and_anchor_a_round_is_steps_on_the_summed_loss(TaskFreeLoss kind)
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 5);
        using var learner = new TaskFreeConsolidation(setup, Options with { HardBuffer = 0, Anchor = 0, Loss = kind });
        using var twin = setup.Network();
        var rows = TestData.Rows(15);
        learner.Observe(rows);
        for (int round = 0; round < 2; round++)
            for (int step = 0; step < 3; step++)
            {
                var x = rows.X.narrow(0, round * 6, 6);
                var logits = ByHand.Logits(twin, x);
                var target = ByHand.OneHot(rows.Y.narrow(0, round * 6, 6));
                var byLogits = kind == TaskFreeLoss.CrossEntropy ? logits.softmax(1) - target : 2 * (logits - target);
                twin.Parameters.add_(ByHand.Gradient(twin, x, byLogits), -0.01);
            }
        ByHand.Close(twin.Parameters, learner.Network.Parameters); // three rows wait for the next round
    }

    [Fact]
    public void The_hard_buffer_holds_the_rows_with_the_largest_losses_before_the_last_step()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 5);
        using var learner = new TaskFreeConsolidation(setup, Options with { RoundSteps = 1 });
        using var twin = setup.Network();
        var rows = TestData.Rows(12);
        var (heldX, heldY) = (rows.X.narrow(0, 0, 0), rows.Y.narrow(0, 0, 0));
        for (int round = 0; round < 2; round++)
        {
            var (x, y) = (cat([rows.X.narrow(0, round * 6, 6), heldX]), cat([rows.Y.narrow(0, round * 6, 6), heldY]));
            learner.Network.Parameters.copy_(twin.Parameters);
            var losses = nn.functional.cross_entropy(ByHand.Logits(twin, x), y, reduction: nn.Reduction.None);
            var top = losses.argsort(0, descending: true).narrow(0, 0, 4);
            learner.Observe(new(rows.X.narrow(0, round * 6, 6), rows.Y.narrow(0, round * 6, 6)));
            (heldX, heldY) = (x.index_select(0, top), y.index_select(0, top));
            ByHand.Close(heldX, ByHand.StateOf(learner, "task-free.hard.x"));
            ByHand.Same(heldY, ByHand.StateOf(learner, "task-free.hard.y"));
            ByHand.Close(losses.index_select(0, top), ByHand.StateOf(learner, "task-free.hard.scores"));
            twin.Parameters.copy_(learner.Network.Parameters);
        }
    }

    [Fact]
    public void Importance_is_the_running_mean_over_consolidations_of_the_derivative_of_the_answers_norm()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(); // linear: |∂‖f‖ / ∂W_ki| = |f_k x_i| / ‖f‖
        using var learner = new TaskFreeConsolidation(setup, Options with { PlateauMean = 1e9, PlateauVariance = 1e9, Window = 1, Anchor = 0.1 });
        Tensor? importance = null;
        long c = 0;
        for (int round = 0; round < 12; round++)
        {
            var rows = TestData.Rows(6, seed: (ulong)round);
            var held = ByHand.StateOf(learner, "task-free.hard.x").clone();
            learner.Observe(round % 3 == 1 ? rows with { X = 3 * rows.X } : rows);
            if (learner.Consolidations > c)
            {
                c++;
                var x = round == 0 ? rows.X : held; // no hard row is kept before the first round ends
                var f = ByHand.Logits(learner.Network, x);
                var share = f.abs() / f.square().sum(1, keepdim: true).sqrt();
                var g = cat([share.T.mm(x.abs()).flatten(), share.sum(dim: 0)]);
                importance = importance is null ? g : g / c + (1 - 1.0 / c) * importance;
                ByHand.Same(learner.Network.Parameters, ByHand.StateOf(learner, "task-free.anchor"));
            }
            ByHand.Close(importance!, ByHand.StateOf(learner, "task-free.importance"), 1e-4, 1e-5);
        }
        Assert.InRange(c, 3, 11);
    }

    [Fact]
    public void It_is_told_no_boundaries_and_counts_what_it_does()
    {
        using var scope = NewDisposeScope();
        using var learner = new TaskFreeConsolidation(ByHand.Setup(), Options with { PlateauMean = 0 });
        byte[] before = Protocol.Hash(learner);
        learner.BeginTask(new(0, [0]), TestData.Rows(4));
        Assert.Equal(StepReport.None, learner.EndTask(new(0, [0]), TestData.Rows(4)));
        Assert.Equal(before, Protocol.Hash(learner));
        Assert.Equal((18L, 18L, 0L), Cost(learner.Observe(TestData.Rows(6)))); // 3 steps on 6 rows
        Assert.Equal((0L, 0L, 0L), Cost(learner.Observe(TestData.Rows(5))));
        Assert.Equal((30L, 30L, 12L), Cost(learner.Observe(TestData.Rows(1)))); // 3 steps on 6 recent and 4 hard rows
        Assert.Equal(("consolidations", 0.0, 2L), learner.Series.Single());

        static (long, long, long) Cost(StepReport report) => (report.Forward, report.Gradients, report.Replayed);
    }

    [Fact] // the authors' synthetic experiment; with their code, 3 seeds: 0.995, 1.00, 0.825 with consolidation, 0.80 on average without, task 2 at least 0.99
    public void On_the_authors_toy_consolidation_saves_the_first_task()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("WINNOW_SLOW") == "1", "20,000 rows five times over for each of six runs: set WINNOW_SLOW=1");
        ulong[] seeds = [1, 2, 3];
        (double First, double Second)[] with = [.. seeds.Select(s => Toy(s, anchor: 0.5))], without = [.. seeds.Select(s => Toy(s, anchor: 0))];
        string all = $"with {string.Join(' ', with)}; without {string.Join(' ', without)}";
        Assert.True(with.Average(r => r.First) >= without.Average(r => r.First) + 0.10, all);
        // What the second task ends at is not asserted: the authors' runs have at least 0.99, seed 1 here has 0.90, and why is not known.
        TestContext.Current.SendDiagnosticMessage(all);
    }

    private static (double First, double Second) Toy(ulong seed, double anchor)
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup() with
        {
            Width = 4,
            Classes = 2,
            Network = () =>
            {
                var network = Network.Mlp(4, [100, 100], 2, batchNorm: false, new SeededRandom(0, "overwritten"));
                var random = new SeededRandom(seed, "weights");
                foreach (ref float w in network.ParameterValues)
                    w = (float)(0.1 * random.NextNormal());
                network.ParameterValues[network.Modules[^1].Parameters[1].Offset..].Clear();
                return network;
            },
        };
        using var learner = new TaskFreeConsolidation(setup, new()
        {
            RecentBuffer = 20,
            HardBuffer = 5,
            RoundSteps = 5,
            RoundLearningRate = 0.005,
            Anchor = anchor,
            AnchorStep = AnchorStep.Explicit,
            Loss = TaskFreeLoss.SquaredError,
            PlateauLoss = PlateauLoss.Total,
        });
        var bias = learner.Network.Modules[^1].Parameters[1];
        learner.Optimizer.SetFactor(bias.Offset, bias.Length, 0);
        for (int task = 0; task < 2; task++)
            learner.Observe(Points(task, 10_000, noise: true, new SeededRandom(seed, $"train {task}")));
        return (Accuracy(0), Accuracy(1));

        double Accuracy(int task)
        {
            var test = Points(task, 1000, noise: false, new SeededRandom(seed, $"test {task}"));
            return learner.Predict(test.X).argmax(1).eq(test.Y).to_type(ScalarType.Float64).mean().item<double>();
        }
    }

    /// <summary>Points (x, y, noise, noise) in a quadrant, inside or outside a shell about radius 1.</summary>
    private static Batch Points(int task, int count, bool noise, SeededRandom random)
    {
        var (values, labels, left) = (new List<float>(), new List<long>(), new[] { count / 2, count / 2 });
        while (labels.Count < count)
        {
            double x = 0.5 + 0.5 * random.NextDouble(), y = 0.5 + 0.5 * random.NextDouble();
            double a = noise ? 2 * random.NextDouble() - 1 : 0, b = noise ? 2 * random.NextDouble() - 1 : 0;
            double radius = Math.Sqrt(x * x + y * y + a * a + b * b);
            int label = radius < 0.95 ? 0 : 1;
            if (radius is >= 0.95 and <= 1.05 || left[label]-- <= 0)
                continue;
            values.AddRange([(float)(task == 0 ? x : -x), (float)y, (float)a, (float)b]);
            labels.Add(label);
        }
        int[] order = [.. Enumerable.Range(0, count)]; // the rarer class fills up last
        random.Shuffle(order);
        return new Batch(tensor(values.ToArray()).reshape(count, 4), tensor(labels.ToArray())).Rows(tensor([.. order.Select(i => (long)i)]));
    }
}
