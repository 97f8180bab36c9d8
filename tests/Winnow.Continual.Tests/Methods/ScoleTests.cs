using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class ScoleTests : IDisposable
{
    private static readonly ScoleOptions Plain = new() { Mask = ScoleMask.None, Clip = null };

    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static SmallStream Stream(int steps = 6, int classesPerTask = 2) => new("recurring", o => ((RecurringOptions)o) with { Steps = steps, ClassesPerTask = classesPerTask });

    private static float[] Trained(SmallStream stream, ScoleOptions options)
    {
        using var learner = Scole.Learner(stream.Setup, options);
        stream.Train(learner);
        return learner.Network.ParameterValues.ToArray();
    }

    [Fact]
    public void Without_mask_clipping_and_replay_it_is_fine_tuning_to_the_bit()
    {
        using var stream = Stream();
        using var naive = new Learner(stream.Setup);
        stream.Train(naive);
        Assert.Equal(naive.Network.ParameterValues.ToArray(), Trained(stream, Plain));
    }

    [Fact]
    public void A_mask_changes_nothing_in_a_mini_batch_that_holds_all_classes()
    {
        using var masked = new Learner(ByHand.Setup(), new GroupMask());
        using var plain = new Learner(ByHand.Setup());
        var rows = TestData.Rows(16);
        Assert.Equal(ByHand.Classes, rows.Y.data<long>().ToArray().Distinct().Count());
        masked.Observe(rows);
        plain.Observe(rows);
        ByHand.Close(plain.Network.Parameters, masked.Network.Parameters);
    }

    [Fact]
    public void The_head_of_a_class_that_is_not_in_the_mini_batch_keeps_its_bytes()
    {
        var setup = ByHand.Setup(hidden: 5);
        using var learner = new Learner(setup, new GroupMask());
        var head = learner.Network.Modules[^1];
        float[] before = learner.Network.ParameterValues.ToArray();
        learner.Observe(new(TestData.Rows(6).X, tensor(new long[] { 1, 3, 1, 1, 3, 3 })));
        var after = learner.Network.ParameterValues;
        for (int c = 0; c < ByHand.Classes; c++)
        {
            int weights = head.Offset + 5 * c, bias = head.Parameters[1].Offset + c;
            Assert.Equal(c is 0 or 2, before.AsSpan(weights, 5).SequenceEqual(after.Slice(weights, 5)) && before[bias] == after[bias]);
        }
    }

    [Fact] // (softmax over the labels' classes − one-hot) / B; finite differences of the loss agree
    public void The_masked_gradient_is_that_of_its_finite_differences()
    {
        var labels = tensor(new long[] { 1, 3, 1 });
        var z = TestData.Rows(3, ByHand.Classes).X.to_type(ScalarType.Float64).requires_grad_(true);
        GroupMask.Loss(z, labels).backward();
        const double h = 1e-6;
        for (int i = 0; i < 3; i++)
            for (int c = 0; c < ByHand.Classes; c++)
            {
                double At(double shift)
                {
                    using var _ = no_grad();
                    var moved = z.detach().clone();
                    moved[i, c] = moved[i, c] + shift;
                    return GroupMask.Loss(moved, labels).item<double>();
                }
                Assert.Equal((At(h) - At(-h)) / (2 * h), z.grad![i, c].item<double>(), 1e-8);
            }
    }

    [Fact]
    public void A_gradient_longer_than_the_limit_is_scaled_to_it_and_a_shorter_one_left_alone()
    {
        using var network = ByHand.Setup().Network();
        using var optimizer = new KeptOptimizer(OptimizerKind.Sgd, 1, 0, clip: 0.5, reset: false);
        optimizer.Attach(network);
        foreach (float norm in (float[])[0.3f, 20])
        {
            float[] before = network.ParameterValues.ToArray();
            network.GradientValues.Fill(norm / MathF.Sqrt(network.GradientValues.Length));
            optimizer.Update();
            double moved = Math.Sqrt(before.Zip(network.ParameterValues.ToArray(), (a, b) => (double)(a - b) * (a - b)).Sum());
            Assert.Equal(Math.Min(norm, 0.5), moved, 1e-4);
        }
    }

    [Fact]
    public void The_moments_go_on_over_tasks_unless_they_are_reset()
    {
        using var stream = Stream();
        foreach (var kind in (OptimizerKind[])[OptimizerKind.Momentum, OptimizerKind.Adam])
        {
            float[] kept = Trained(stream, Plain with { Optimizer = kind }), reset = Trained(stream, Plain with { Optimizer = kind, Reset = true });
            Assert.False(kept.SequenceEqual(reset));
        }
        Assert.Equal(Trained(stream, Plain), Trained(stream, Plain with { Reset = true }));
    }

    [Fact]
    public void Frequency_replay_takes_the_rarest_between_the_bounds_that_the_task_has_not()
    {
        long[] trained = [2, 5, 9, 3, 60, 5];
        Assert.Equal([3, 1], FrequencyReplay.Choose(trained, 100, [0, 5], 0.02, 0.1)); // 2 is left over, 4 too frequent
        Assert.Equal([1, 2], FrequencyReplay.Choose(trained, 100, [0, 5], 0.03, 0.1)); // 0.03 is not above 0.03
        Assert.Empty(FrequencyReplay.Choose(trained, 100, [0, 5], 0.1, 0.1));          // high ≤ low
        Assert.Equal([3, 1, 5], FrequencyReplay.Choose(trained, 100, [0, 2, 4], 0, 1)); // as many as the task has, never the class seen twice
    }

    [Fact]
    public void Replayed_classes_pass_once_a_pass_and_their_stored_rows_are_rows_of_the_class()
    {
        using var stream = new SmallStream("recurring", o => ((RecurringOptions)o) with { Steps = 12 }, TestData.Images(classes: 6));
        using var replay = new FrequencyReplay(stream.Setup, new() { Replay = ScoleReplay.Frequency, RowsPerClass = 7, Low = 0, High = 1 });
        using var learner = new Learner(stream.Setup, replay);
        var order = new SeededRandom(1, "order");
        long[] trained = new long[6];
        foreach (var task in stream.Tasks)
        {
            long expected = 7 * FrequencyReplay.Choose(trained, task.Info.Id, [.. task.Info.Classes], 0, 1).Count;
            FrequencyReplay.Count(trained, task.Info.Classes.Concat(FrequencyReplay.Choose(trained, task.Info.Id, [.. task.Info.Classes], 0, 1)));
            Assert.Equal(expected, stream.Train(learner, task.Info.Id, order).Replayed);
        }
        Assert.Equal(trained, ByHand.StateOf(replay, "scole.trained").data<long>().ToArray());
        var stored = ByHand.StateOf(replay, "scole.x").reshape(6, 7, TestData.Width);
        foreach (var task in stream.Tasks)
            foreach (int c in task.Info.Classes)
            {
                var train = stream.Prepared.Stream.Tasks.Where(t => t.Info.Classes.Contains(c)).Select(t => t.Train()).ToList();
                var rows = cat([.. train.Select(t => t.X.index_select(0, t.Y.eq(c).nonzero().flatten()))]);
                Assert.True(stored[c].unsqueeze(1).eq(rows.unsqueeze(0)).all(2).any(1).all().item<bool>());
            }
    }

    [Fact]
    public void Random_replay_of_budget_0_is_none_and_of_budget_1_comes_with_every_task_but_the_first()
    {
        using var stream = Stream();
        var options = new ScoleOptions { Replay = ScoleReplay.Random, RowsPerClass = 5, Mask = ScoleMask.None, Clip = null };
        Assert.Equal(Trained(stream, Plain), Trained(stream, options with { Budget = 0 }));
        using var learner = Scole.Learner(stream.Setup, options with { Budget = 1 });
        var order = new SeededRandom(1, "order");
        Assert.All(stream.Tasks, t => Assert.Equal(t.Info.Id > 0, stream.Train(learner, t.Info.Id, order).Replayed > 0));
    }

    [Fact] // an SGD step of size 1/‖x‖² on the squared error of one row is a projection (Kaczmarz): the squared distance to a joint solution falls by error²/‖x‖²
    public void Recurring_regression_tasks_bring_the_weights_nearer_to_a_joint_solution_as_projections_do()
    {
        float[][] rows = [[1, 0.2f], [0.2f, 1]];
        const double Norm = 1 + 0.04 + 1; // with the bias's 1
        float[] best = [0.7f, -1.3f, 0.4f];
        using var network = Network.Mlp(2, [], 1, false, new SeededRandom(1, "weights"));
        using var optimizer = new KeptOptimizer(OptimizerKind.Sgd, 1 / Norm, 0, null, false);
        optimizer.Attach(network);
        double Distance() => network.ParameterValues.ToArray().Zip(best, (w, b) => Math.Pow(w - b, 2)).Sum();
        double start = Distance();
        for (int t = 0; t < 60; t++)
        {
            float[] x = rows[t % 2], w = network.ParameterValues.ToArray();
            double error = x[0] * (w[0] - best[0]) + x[1] * (w[1] - best[1]) + w[2] - best[2], before = Distance();
            network.ZeroGradient();
            network.AddGradient(tensor(x).reshape(1, 2), z => (z - (x[0] * best[0] + x[1] * best[1] + best[2])).square().sum() / 2);
            optimizer.Update();
            Assert.Equal(before - error * error / Norm, Distance(), 1e-5);
        }
        Assert.True(Distance() < start);
    }

    [Fact] // a class that never comes: its output row is never trained under the mask
    public void A_class_that_never_comes_stays_as_it_was_under_the_mask()
    {
        using var stream = new SmallStream("recurring", o => ((RecurringOptions)o) with { Steps = 8, Halves = StreamHalves.All, PairsFraction = 0.15 });
        int[] never = [.. Enumerable.Range(0, 4).Except(stream.Tasks.SelectMany(t => t.Info.Classes))];
        Assert.NotEmpty(never);
        using var fresh = stream.Setup.Network();
        float[] trained = Trained(stream, new());
        var head = fresh.Modules[^1];
        int width = fresh.Architecture.Features;
        Assert.All(never, c => Assert.True(trained.AsSpan(head.Offset + c * width, width).SequenceEqual(fresh.ParameterValues.Slice(head.Offset + c * width, width))));
    }

    [Fact]
    public void A_unit_head_has_rows_of_norm_1_and_no_biases()
    {
        using var stream = Stream();
        using var learner = Scole.Learner(stream.Setup, new() { UnitHead = true });
        stream.Train(learner);
        var state = learner.Network.LiveState.ToDictionary();
        Assert.True(state["head.weight"].norm(1).sub(1).abs().max().item<float>() < 1e-5);
        Assert.Equal(0, state["head.bias"].abs().max().item<float>());
    }

    [Fact] // under a mask its loss would be zero and nothing would be learned
    public void Tasks_of_one_class_alone_are_learned_among_all_classes()
    {
        using var stream = Stream(classesPerTask: 1);
        Assert.Equal(Trained(stream, Plain), Trained(stream, Plain with { Mask = ScoleMask.Group }));
    }

    [Fact]
    public void Bad_input_is_refused_with_what_to_do()
    {
        using var one = Stream();
        Assert.Contains("scole.low", Assert.Throws<InputException>(() => Scole.Learner(one.Setup, new() { Low = 0.5, High = 0.1 })).Message, StringComparison.Ordinal);
        using var unannounced = Scole.Learner(one.Setup, new() { Replay = ScoleReplay.Random });
        Assert.Contains("replay=none", Assert.Throws<InvalidOperationException>(() => unannounced.Observe(TestData.Rows(4))).Message, StringComparison.Ordinal);
        Assert.Contains("each replace the optimiser", Assert.Throws<ArgumentException>(() => new Learner(one.Setup, Optimizer(), Optimizer())).Message, StringComparison.Ordinal);

        static KeptOptimizer Optimizer() => new(OptimizerKind.Sgd, 0.1, 0, null, false);
    }
}
