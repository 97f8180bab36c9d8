using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public class FpfTests
{
    private static Reservoir Filled(Batch rows, int capacity = 40, int extraWidth = 0)
    {
        var reservoir = new Reservoir(capacity, (int)rows.X.shape[1], new SeededRandom(3, "reservoir"), extraWidth);
        reservoir.Offer(rows.X, rows.Y, extraWidth > 0 ? zeros(rows.Count, extraWidth) : null);
        return reservoir;
    }

    private static NetworkModule[] Modules(Network network, params string[] names) => [.. network.Modules.Where(m => names.Contains(m.Name))];

    private static Network Mlp(bool batchNorm = true) => Network.Mlp(TestData.Width, [12, 12], 4, batchNorm, new SeededRandom(1, "weights"));

    [Theory]
    [InlineData("norm1", "norm2", "head")]
    [InlineData("head")]
    [InlineData("linear2")]
    [InlineData("norm2")]
    public void Only_the_chosen_modules_and_their_statistics_change(params string[] chosen)
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        using var buffer = Filled(TestData.Rows(40));
        var before = network.State();
        Fpf.FineTune(network, Modules(network, chosen), buffer, new() { Steps = 5 }, TestContext.Current.CancellationToken);
        foreach (var (old, now) in before.Zip(network.State()))
            Assert.True(chosen.Contains(old.Name.Split('.')[0]) != old.Values.AsSpan().SequenceEqual(now.Values), old.Name);
    }

    [Fact]
    public void Statistics_of_a_chosen_normalisation_become_those_of_the_buffer()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        using var buffer = Filled(TestData.Rows(40));
        Fpf.FineTune(network, Modules(network, "norm1"), buffer, new() { Steps = 300, BatchSize = 40, LearningRate = 1e-6 }, TestContext.Current.CancellationToken);
        var weight = network.LiveState.ToDictionary(s => s.Key, s => s.Value);
        using var none = no_grad();
        var h = nn.functional.linear(buffer.Content.Rows.X, weight["linear1.weight"], weight["linear1.bias"]);
        Assert.True(weight["norm1.running_mean"].allclose(h.mean([0]), rtol: 1e-4, atol: 1e-5));
        Assert.True(weight["norm1.running_var"].allclose(h.var(0), rtol: 1e-4, atol: 1e-5));
    }

    [Fact]
    public void No_steps_change_nothing_and_no_repairs_are_plain_fine_tuning_to_the_bit()
    {
        using var stream = new SmallStream();
        using var plain = new Learner(stream.Setup);
        using var none = Fpf.Learner(stream.Setup, new() { Runs = 0, BufferSize = 20 });
        using var empty = Fpf.Learner(stream.Setup, new() { Runs = 3, Steps = 0, BufferSize = 20 });
        var cost = stream.Train(plain);
        foreach (var learner in (Learner[])[none, empty])
        {
            Assert.Equal(cost.Gradients, stream.Train(learner).Gradients);
            Assert.Equal(plain.Network.State().SelectMany(s => s.Values), learner.Network.State().SelectMany(s => s.Values));
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    [InlineData(7, 3)]
    [InlineData(7, 7)]
    [InlineData(100, 9)]
    public void Repairs_come_after_the_even_points_of_the_stream_the_last_after_its_final_step(int steps, int runs)
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        var setup = Setup(steps);
        using var fpf = new Fpf(setup, new() { Runs = runs, Steps = 1, BatchSize = 2, BufferSize = 8, Measure = false });
        var rows = TestData.Rows(8);
        var repaired = new List<long>();
        for (int i = 0; i < steps; i++)
        {
            var step = new Step { Network = network, New = rows, Index = i };
            fpf.AfterStep(step);
            if (step.Report.Gradients > 0)
                repaired.Add(i + 1);
        }
        Assert.Equal(Enumerable.Range(1, runs).Select(n => (long)Math.Ceiling((double)n * steps / runs)), repaired);
        Assert.Equal(steps, repaired[^1]);
    }

    [Fact]
    public void Repaired_at_the_end_equals_fine_tuning_the_finished_network()
    {
        using var stream = new SmallStream();
        var options = new FpfOptions { BufferSize = 20, Steps = 10, BatchSize = 8 };
        using var repaired = Fpf.Learner(stream.Setup, options);
        stream.Train(repaired);

        using var naive = new Learner(stream.Setup, new Collector(stream.Setup, 20, out var reservoir));
        stream.Train(naive);
        Fpf.FineTune(naive.Network, [.. naive.Network.Modules.Where(m => m.Kind == ModuleKind.BatchNorm || m.Name == "head")], reservoir, options, TestContext.Current.CancellationToken);
        Assert.Equal(naive.Network.State().SelectMany(s => s.Values), repaired.Network.State().SelectMany(s => s.Values));
    }

    [Theory]
    [InlineData(FpfBase.Naive, 0)]
    [InlineData(FpfBase.Naive, 0.3)]
    [InlineData(FpfBase.Er, 0)]
    [InlineData(FpfBase.DerPp, 0.3)]
    public void Sample_gradients_are_those_of_the_stream_and_of_every_repair(FpfBase on, double distillation)
    {
        using var stream = new SmallStream();
        const int Runs = 3, Steps = 7, Rows = 6;
        using var repaired = Fpf.Learner(stream.Setup, new() { On = on, Runs = Runs, Steps = Steps, BatchSize = Rows, BufferSize = 20, Distillation = distillation });
        using var alone = on switch
        {
            FpfBase.Er => new Learner(stream.Setup, new ExperienceReplay(stream.Setup, new() { BufferSize = 20 })),
            FpfBase.DerPp => new Learner(stream.Setup, new DerPlusPlus(stream.Setup, new() { BufferSize = 20 })),
            _ => new Learner(stream.Setup),
        };
        var (with, without) = (stream.Train(repaired), stream.Train(alone));
        long repairs = Runs * Steps * Rows * (distillation > 0 ? 2 : 1);
        Assert.Equal(without.Gradients + repairs, with.Gradients);
        Assert.Equal(without.Replayed + repairs, with.Replayed);
    }

    [Fact]
    public void Fine_tuning_the_head_reaches_the_loss_of_a_convex_solver()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(3, [4], 3, batchNorm: false, new SeededRandom(2, "weights"));
        var rows = TestData.Rows(60, width: 3, classes: 3, seed: 5);
        using var buffer = Filled(rows, capacity: 60);
        Fpf.FineTune(network, Modules(network, "head"), buffer, new() { Steps = 8000, BatchSize = 60, LearningRate = 1 }, TestContext.Current.CancellationToken);
        using var none = no_grad();
        double reached = nn.functional.cross_entropy(network.Forward(rows.X), rows.Y).ToDouble();
        double optimum = LogisticRegressionLoss(network.Features(rows.X).to_type(ScalarType.Float64), rows.Y, 3);
        Assert.InRange(reached, optimum - 1e-6, optimum + 1e-3);
        Assert.InRange(optimum, 0.5, 1.1); // the classes overlap: the optimum is finite
    }

    /// <summary>The least mean cross-entropy of a linear classifier with bias, by Newton's method.</summary>
    private static double LogisticRegressionLoss(Tensor features, Tensor labels, int classes)
    {
        long n = features.shape[0];
        var x = cat([features, ones(n, 1, ScalarType.Float64)], 1);
        var y = nn.functional.one_hot(labels, classes).to_type(ScalarType.Float64);
        var w = zeros(classes * x.shape[1], ScalarType.Float64);
        for (int i = 0; i < 100; i++)
        {
            var p = x.mm(w.view(classes, -1).t()).softmax(1);
            var gradient = (p - y).t().mm(x).flatten() / n;
            var curvature = diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1);
            var hessian = einsum("nab,ni,nj->aibj", curvature, x, x).reshape(w.shape[0], w.shape[0]) / n;
            w -= linalg.solve(hessian + 1e-9 * eye(w.shape[0], dtype: ScalarType.Float64), gradient);
        }
        return nn.functional.cross_entropy(x.mm(w.view(classes, -1).t()), labels).ToDouble();
    }

    [Fact]
    public void Distillation_stores_what_the_network_predicted_and_pulls_towards_it()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        var rows = TestData.Rows(40);
        network.Training = false;
        using var none = no_grad();
        var then = network.Forward(rows.X);
        using var buffer = new Reservoir(40, TestData.Width, new SeededRandom(3, "reservoir"), 4);
        buffer.Offer(rows.X, rows.Y, then);
        double Distance(double distillation)
        {
            using var copy = network.Clone();
            using (enable_grad())
                Fpf.FineTune(copy, Modules(copy, "head"), buffer, new() { Steps = 200, BatchSize = 40, Distillation = distillation }, TestContext.Current.CancellationToken);
            copy.Training = false;
            return nn.functional.mse_loss(copy.Forward(rows.X), then).ToDouble();
        }
        Assert.True(Distance(10) < 0.1 * Distance(0));

        using var fpf = new Fpf(Setup(steps: 10), new() { Distillation = 0.3, BufferSize = 40 });
        var before = network.BufferValues.ToArray();
        fpf.AfterStep(new Step { Network = network, New = rows, Index = 0 });
        Assert.Equal(before, network.BufferValues.ToArray());
        Assert.True(fpf.State.Single(s => s.Name == "fpf.extra").Value.allclose(then));
    }

    [Fact]
    public void A_row_enters_the_reservoir_once_and_replay_shares_its_own()
    {
        using var stream = new SmallStream();
        using var naive = Fpf.Learner(stream.Setup, new() { BufferSize = 20 });
        using var replay = Fpf.Learner(stream.Setup, new() { BufferSize = 20, On = FpfBase.Er });
        stream.Train(naive);
        stream.Train(replay);
        long rows = stream.Tasks.Sum(t => t.Train().Count);
        Assert.Equal(rows, naive.State.Single(s => s.Name == "fpf.counter").Value.Values<long>()[0]);
        Assert.Equal(rows, replay.State.Single(s => s.Name == "er.counter").Value.Values<long>()[0]);
        Assert.DoesNotContain(replay.State, s => s.Name.StartsWith("fpf.x", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("norm+head", "norm1,norm2,head")]
    [InlineData("first+head", "linear1,head")]
    [InlineData("linear2", "linear2")]
    [InlineData("all", "linear1,norm1,linear2,norm2,head")]
    public void Modules_are_chosen_by_group_or_name(string modules, string expected) =>
        Assert.Equal(expected.Split(','), Repaired(new() { Modules = modules }));

    [Fact]
    public void The_default_adds_the_first_layer_where_no_new_classes_arrive()
    {
        Assert.Equal(["norm1", "norm2", "head"], Repaired(new()));
        Assert.Equal(["linear1", "norm1", "norm2", "head"], Repaired(new(), newClasses: false));
    }

    [Fact]
    public void Automatic_choice_takes_the_most_sensitive_modules_within_the_budget_or_above_the_threshold()
    {
        using var stream = new SmallStream();
        using var learner = Fpf.Learner(stream.Setup, new() { Modules = "auto", Budget = 0.3 });
        stream.Train(learner);
        var scores = Values("sensitivity");
        var sizes = learner.Network.Modules.ToDictionary(m => m.Name, m => m.Length);
        double left = 0.3 * sizes.Values.Sum();
        var expected = new List<string>();
        foreach (var (name, _) in scores.OrderByDescending(s => s.Value))
            if (sizes[name] <= left)
            {
                expected.Add(name);
                left -= sizes[name];
            }
        Assert.Equal(expected.Order(), Chosen().Order());

        double threshold = scores.Values.Order().ElementAt(2);
        using var above = Fpf.Learner(stream.Setup, new() { Modules = "auto", Threshold = threshold });
        stream.Train(above);
        Assert.Equal(3, above.Series.Count(s => s.Name.StartsWith("repairs/", StringComparison.Ordinal) && s.Value == 1));

        Dictionary<string, double> Values(string family) => learner.Series.Where(s => s.Name.StartsWith(family + "/", StringComparison.Ordinal)).ToDictionary(s => s.Name.Split('/')[1], s => s.Value);
        IEnumerable<string> Chosen() => Values("repairs").Where(r => r.Value == 1).Select(r => r.Key);
    }

    [Fact]
    public void What_cannot_be_repaired_is_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        using var empty = new Reservoir(4, TestData.Width, new SeededRandom(1, "r"));
        using var full = Filled(TestData.Rows(8));
        using var one = Filled(TestData.Rows(1));
        var oneClass = TestData.Rows(8);
        using var same = Filled(oneClass with { Y = zeros_like(oneClass.Y) });
        Refused("No module", () => Fpf.FineTune(network, [], full, new(), TestContext.Current.CancellationToken));
        Refused("empty", () => Fpf.FineTune(network, Modules(network, "head"), empty, new(), TestContext.Current.CancellationToken));
        Refused("no variance", () => Fpf.FineTune(network, Modules(network, "norm1"), one, new(), TestContext.Current.CancellationToken));
        Refused("class 0 only", () => Fpf.FineTune(network, Modules(network, "head"), same, new(), TestContext.Current.CancellationToken));
        Bad("at most the stream's 5 steps", new() { Runs = 6 });
        Bad("did you mean 'linear1'", new() { Modules = "liner1" });
        Bad("stores no logits", new() { On = FpfBase.Er, Distillation = 0.5 });
        using var noNorm = new SmallStream(options: o => o with { BatchNorm = false });
        Assert.Contains("no module", Assert.Throws<InputException>(() => Fpf.Learner(noNorm.Setup, new() { Modules = "norm" })).Message, StringComparison.Ordinal);
        using var stream = new SmallStream();
        using var unreachable = Fpf.Learner(stream.Setup, new() { Modules = "auto", Threshold = 999 });
        Assert.Contains("threshold 999", Assert.Throws<InputException>(() => stream.Train(unreachable)).Message, StringComparison.Ordinal);

        static void Refused(string reason, Action act) => Assert.Contains(reason, Assert.Throws<ArgumentException>(act).Message, StringComparison.Ordinal);
        static void Bad(string reason, FpfOptions options) => Assert.Contains(reason, Assert.Throws<InputException>(() => Fpf.Learner(Setup(steps: 5), options)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("threshold", 0)]
    [InlineData("threshold", -1)]
    [InlineData("budget", 1.5)]
    [InlineData("runs", -1)]
    [InlineData("buffer-size", 1)]
    public void Options_out_of_range_are_refused(string option, double value) =>
        Assert.Throws<InputException>(() => OptionsSchema.Of<FpfOptions>().Bind(new JsonObject { [option] = value }, "fpf"));

    [Fact]
    public void Cancellation_ends_a_repair()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        using var buffer = Filled(TestData.Rows(8));
        Assert.Throws<OperationCanceledException>(() => Fpf.FineTune(network, Modules(network, "head"), buffer, new(), new CancellationToken(canceled: true)));
    }

    private static string[] Repaired(FpfOptions options, bool newClasses = true)
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        using var fpf = new Fpf(Setup(steps: 1) with { NewClasses = newClasses }, options with { Steps = 1 });
        fpf.AfterStep(new Step { Network = network, New = TestData.Rows(8), Index = 0 });
        return [.. fpf.Series.Where(s => s.Value > 0).Select(s => s.Name.Split('/')[1])];
    }

    private static LearnerSetup Setup(int steps) => new()
    {
        Network = () => Mlp(),
        Width = TestData.Width,
        Classes = 4,
        Training = new(0.05, 0, 8, 1, 1, steps, 8 * steps),
        Random = purpose => new SeededRandom(1, purpose),
    };

    /// <summary>Fills a reservoir and does nothing else.</summary>
    private sealed class Collector : IPart
    {
        private readonly Reservoir _reservoir;

        public Collector(LearnerSetup setup, int capacity, out Reservoir reservoir) => reservoir = _reservoir = new(capacity, setup.Width, setup.Random("reservoir"));

        public void AfterStep(Step step)
        {
            if (step.New.FirstPass)
                _reservoir.Offer(step.New.X, step.New.Y);
        }

        public void Dispose() => _reservoir.Dispose();
    }
}
