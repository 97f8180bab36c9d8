using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class LifelongFrameworkTests
{
    private static SmallStream Stream(string task = "class-incremental", bool norm = false) => new(task, o => o with { BatchNorm = norm, LearningRate = 0.05 });

    [Fact]
    public void With_no_stiffness_and_no_growth_it_is_fine_tuning_to_the_bit()
    {
        using var stream = Stream(norm: true);
        ByHand.EqualsFineTuning(stream, new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.GracefulForgetting, Stiffness = 0, Grow = false }));
    }

    [Fact]
    public void With_infinite_stiffness_everywhere_no_byte_moves_not_even_by_momentum()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup(hidden: 6).Network();
        using var consolidation = new Consolidation(network.ParameterValues.Length);
        using var optimizer = new Sgd(network, 0.1, momentum: 0.9);
        optimizer.Step();
        consolidation.Assign(network, [(0, network.ParameterValues.Length, double.PositiveInfinity)], 0.1);
        var before = network.Parameters.clone();
        for (ulong step = 0; step < 5; step++)
        {
            var rows = TestData.Rows(8, seed: step);
            network.ZeroGradient();
            network.AddCrossEntropyGradient(rows.X, rows.Y);
            optimizer.Step();
            consolidation.Apply(network);
        }
        ByHand.Same(before, network.Parameters);
    }

    [Fact]
    public void Proximal_and_gradient_steps_agree_to_second_order_and_the_proximal_one_never_diverges()
    {
        // From θ with a zero gradient: θ − 2ηb(θ − θ*) against (θ + 2ηbθ*) / (1 + 2ηb); they differ by (2ηb)² (θ − θ*) / (1 + 2ηb).
        const double Rate = 0.1, From = 3, Anchor = 1;
        foreach (double b in new[] { 1e-4, 1e-3, 1e-2, 1e-1 })
        {
            double[] w = [From];
            Consolidation.Draw<double>(w, [Anchor], [Consolidation.Share(b, Rate)]);
            double step = 2 * Rate * b, gradient = From - step * (From - Anchor);
            Assert.Equal(step * step / (1 + step) * (From - Anchor), w[0] - gradient, 1e-14);
        }
        foreach (double b in new[] { 1e3, 1e12, double.MaxValue, double.PositiveInfinity })
        {
            double[] w = [From];
            for (int i = 0; i < 50; i++)
                Consolidation.Draw<double>(w, [Anchor], [Consolidation.Share(b, Rate)]);
            Assert.Equal(Anchor, w[0], 1e-12);
        }
    }

    [Fact]
    public void A_stiffness_of_half_lambda_times_the_Fisher_information_is_EWC()
    {
        const double Lambda = 30;
        using var stream = Stream();
        using var ewc = new Learner(stream.Setup, new OnlineEwc(stream.Setup, new() { Lambda = Lambda }));
        using var policy = new Learner(stream.Setup, new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.Importance, Stiffness = Lambda / 2, Grow = false }));
        stream.Train(ewc);
        stream.Train(policy);
        using var scope = NewDisposeScope();
        ByHand.Close(ewc.Network.Parameters, policy.Network.Parameters, 1e-3, 1e-4);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Growing_and_learning_the_second_task_leaves_the_answers_of_the_first_byte_identical(bool norm)
    {
        using var scope = NewDisposeScope();
        using var stream = Stream(norm: norm);
        using var learner = new Learner(stream.Setup, new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.NonForgetting }));
        var order = new SeededRandom(1, "order");
        stream.Train(learner, 0, order);
        var x = stream.Tasks[0].Test().X;
        var first = tensor(stream.Tasks[0].Info.Classes.Select(c => (long)c).ToArray());
        var before = learner.Predict(x).index_select(1, first);
        var weights = learner.Network.Parameters.clone();
        stream.Train(learner, 1, order);
        ByHand.Same(before, learner.Predict(x).index_select(1, first));
        Assert.False(weights.equal(learner.Network.Parameters).all().item<bool>());
    }

    [Fact]
    public void Nothing_is_forgotten_with_infinite_stiffness_when_the_task_is_told()
    {
        using var stream = Stream("task-incremental");
        using var learner = new Learner(stream.Setup, new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.NonForgetting }));
        Assert.Equal(0, stream.Run(learner)["backward_transfer"]);
    }

    [Fact]
    public void A_new_class_begins_with_the_logit_of_the_old_class_it_is_taken_for()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var part = new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.ForwardTransfer });
        using var learner = new Learner(stream.Setup, part);
        stream.Train(learner, 0, new(1, "order"));
        var (old, info, rows) = (stream.Tasks[0].Info.Classes, stream.Tasks[1].Info, stream.Tasks[1].Train());
        int[] models = ForwardTransfer.Similar(learner.Network, rows, info.Classes, [.. old]);
        learner.BeginTask(info, rows);
        var logits = learner.Predict(rows.X);
        foreach (var (c, model) in info.Classes.Zip(models))
            ByHand.Close(logits.select(1, model), logits.select(1, c), 1e-4, 1e-5);
    }

    [Fact]
    public void With_five_rows_a_class_a_task_like_an_old_one_is_learned_better_than_from_scratch()
    {
        // Digits 0 to 4, then the same digits turned by 20 degrees as five new classes, five rows each: fixed seeds, a tripwire.
        using var scope = NewDisposeScope();
        var (transferred, scratch) = (0.0, 0.0);
        var data = EmbeddedDigits.Open();
        for (ulong seed = 1; seed <= 3; seed++)
        {
            using var stream = ContinualStream.ByClass(data, [10], 0.25, new(seed, "stream"));
            var (train, test) = (Turned(stream.Tasks[0].Train(), 0), stream.Tasks[0].Test());
            var few = Turned(First(train, 5), 5);
            var exam = Turned(test, 5);
            transferred += Accuracy(true) / 3;
            scratch += Accuracy(false) / 3;

            double Accuracy(bool after)
            {
                var setup = new LearnerSetup
                {
                    Network = () => Network.Mlp(64, [40, 40], 10, batchNorm: false, new(seed, "weights")),
                    Width = 64,
                    Classes = 10,
                    Training = new(0.05, 0, 16, 5, 2, 1000, 1000),
                    Random = purpose => new(seed, purpose),
                };
                using var learner = new Learner(setup, new LifelongFramework(setup, new() { Policy = ConsolidationPolicy.ForwardTransfer, Elasticity = 0.01 }));
                if (after)
                    Learn(learner, new(0, [0, 1, 2, 3, 4]), train, 5, seed);
                Learn(learner, new(1, [5, 6, 7, 8, 9]), few, 10, seed);
                var said = learner.Predict(exam.X).narrow(1, 5, 5).argmax(1) + 5;
                return said.eq(exam.Y).to_type(ScalarType.Float64).mean().item<double>();
            }
        }
        Assert.True(transferred >= scratch + 0.1, $"{transferred} after a similar task, {scratch} from scratch");

        static void Learn(Learner learner, TaskInfo task, Batch rows, int epochs, ulong seed)
        {
            learner.BeginTask(task, rows);
            var order = new SeededRandom(seed, "order");
            for (int e = 0; e < epochs; e++)
                foreach (var batch in rows.MiniBatches(8, order))
                    learner.Observe(batch);
            learner.EndTask(task, rows);
        }

        // The digits 0 to 4; with a shift of the label also turned.
        static Batch Turned(Batch rows, int shift)
        {
            var kept = rows.Rows(rows.Y.lt(5).nonzero().flatten());
            if (shift == 0)
                return kept;
            float cos = MathF.Cos(MathF.PI / 9), sin = MathF.Sin(MathF.PI / 9);
            var theta = tensor(new[] { cos, -sin, 0, sin, cos, 0 }).reshape(1, 2, 3).expand(kept.Count, 2, 3);
            var grid = nn.functional.affine_grid(theta, [kept.Count, 1, 8, 8], align_corners: false);
            return new(nn.functional.grid_sample(kept.X.reshape(-1, 1, 8, 8), grid, align_corners: false).reshape(-1, 64), kept.Y + shift);
        }

        static Batch First(Batch rows, int each) => rows.Rows(cat([.. Enumerable.Range(0, 5).Select(c => rows.Y.eq(c).nonzero().flatten().narrow(0, 0, each))]));
    }

    [Fact]
    public void Stored_rows_tell_the_most_confused_pair_apart_and_only_its_classes_move()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var part = new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.ConfusionReduction, Elasticity = 0 });
        using var learner = new Learner(stream.Setup, part);
        var order = new SeededRandom(1, "order");
        stream.Train(learner, 0, order);
        using var without = new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.NonForgetting });
        using var twin = new Learner(stream.Setup, without);
        var sameOrder = new SeededRandom(1, "order");
        stream.Train(twin, 0, sameOrder);
        stream.Train(twin, 1, sameOrder);
        stream.Train(learner, 1, order);
        int[] moved = [.. Enumerable.Range(0, 4).Where(c =>
        {
            var (offset, length) = part.Tags.RowOf(c);
            return !learner.Network.ParameterValues.Slice(offset, length).SequenceEqual(twin.Network.ParameterValues.Slice(offset, length));
        })];
        Assert.Equal(2, moved.Length);
        int head = learner.Network.Modules[^1].Offset;
        Assert.True(learner.Network.ParameterValues[..head].SequenceEqual(twin.Network.ParameterValues[..head]));
        var rows = stream.Tasks[0].Test() is var a && stream.Tasks[1].Test() is var b ? new Batch(cat([a.X, b.X]), cat([a.Y, b.Y])) : null!;
        Assert.True(Wrong(learner) < Wrong(twin) * 0.8, $"{Wrong(learner)} and {Wrong(twin)} errors within the pair");

        double Wrong(Learner l)
        {
            var counts = Confusion.Matrix(l.Network, rows, 4);
            return counts[moved[0], moved[1]].item<double>() + counts[moved[1], moved[0]].item<double>();
        }
    }

    [Fact]
    public void The_stiffer_the_less_is_forgotten()
    {
        // Spearman over 7 values of b of the mean over 5 fixed seeds: a tripwire.
        double[] stiffness = [0, 0.01, 0.1, 0.3, 1, 10, 1e6];
        double[] forgotten = [.. stiffness.Select(b => Enumerable.Range(1, 5).Average(seed =>
        {
            using var stream = new SmallStream("task-incremental", o => o with { BatchNorm = false, Epochs = 6 }, seed: (ulong)seed, data: TestData.Images(noise: 70));
            using var learner = new Learner(stream.Setup, new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.GracefulForgetting, Stiffness = b, Grow = false }));
            var order = new SeededRandom((ulong)seed, "order");
            stream.Train(learner, 0, order);
            using var scope = NewDisposeScope();
            var (x, old) = (stream.Tasks[0].Test().X, tensor(stream.Tasks[0].Info.Classes.Select(c => (long)c).ToArray()));
            var before = learner.Predict(x).index_select(1, old);
            stream.Train(learner, 1, order);
            return (learner.Predict(x).index_select(1, old) - before).square().mean().item<float>(); // how far the old answers moved
        }))];
        double[] rank = [.. forgotten.Select(f => (double)forgotten.Count(g => g < f))];
        double d2 = rank.Select((r, i) => Math.Pow(r - (6 - i), 2)).Sum();
        Assert.True(1 - 6 * d2 / (7 * 48) >= 0.9, string.Join(", ", forgotten)); // against falling ranks: Spearman at most −0.9 against b
    }

    [Fact]
    public void Without_free_units_graceful_forgetting_takes_those_of_the_oldest_task()
    {
        using var stream = Stream();
        using var part = new LifelongFramework(stream.Setup, new() { Policy = ConsolidationPolicy.GracefulForgetting, UnitsPerTask = 8 });
        using var learner = new Learner(stream.Setup, part);
        stream.Train(learner);
        Assert.Equal((4, 8), (part.Tags.Hidden(0).Count(0L), part.Tags.Hidden(0).Count(1L)));
    }

    [Fact]
    public void Bad_groups_and_growth_without_units_are_refused()
    {
        using var network = ByHand.Setup().Network();
        int all = network.ParameterValues.Length;
        using var consolidation = new Consolidation(all);
        Assert.Contains("a stiffness of -1", Assert.Throws<ArgumentOutOfRangeException>(() => consolidation.Assign(network, [(0, all, -1)], 0.1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => consolidation.Assign(network, [(0, all, double.NaN)], 0.1));
        Assert.Contains("parameter 3 is in two groups", Assert.Throws<ArgumentException>(() => consolidation.Assign(network, [(0, 4, 1), (3, all - 3, 1)], 0.1)).Message, StringComparison.Ordinal);
        Assert.Contains("parameter 4 is in no group", Assert.Throws<ArgumentException>(() => consolidation.Assign(network, [(0, 4, 1)], 0.1)).Message, StringComparison.Ordinal);
        using var stream = new SmallStream(options: o => o with { Hidden = 1, Steps = 4 });
        Assert.Contains("has 1 units; 4 tasks would recruit 4", Assert.Throws<ArgumentException>(() => new LifelongFramework(stream.Setup, new())).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new LifelongFramework(stream.Setup, new() { UnitsPerTask = 2 }));
    }

    [Fact]
    public void A_class_that_comes_back_is_refused()
    {
        using var stream = Stream();
        using var learner = new Learner(stream.Setup, new LifelongFramework(stream.Setup, new()));
        using var scope = NewDisposeScope();
        learner.BeginTask(new(0, [0, 1]), TestData.Rows(8));
        Assert.Contains("class 1 comes back", Assert.Throws<ArgumentException>(() => learner.BeginTask(new(1, [1, 2]), TestData.Rows(8))).Message, StringComparison.Ordinal);
    }
}
