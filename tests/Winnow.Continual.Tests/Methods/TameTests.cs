using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class TameTests : IDisposable
{
    private static readonly TameOptions Bare = new() { MaxExperts = 1, WeightDecay = 0 };

    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>Losses of experts on segments: low with noise where expert and segment agree, high elsewhere; a declining start for each.</summary>
    private static Func<int, double> Losses(int[] segments, int length, int t, SeededRandom random) =>
        e => (e == segments[t / length] ? 0.2 + 1.2 * Math.Exp(-(t % length) / 5.0 - (Array.IndexOf(segments, segments[t / length]) < t / length ? 9 : 0)) : 2.5) + 0.02 * random.NextNormal();

    [Theory, InlineData(false), InlineData(true)]
    public void Losses_far_apart_give_back_the_tasks_exactly_with_one_expert_each(bool watchAll)
    {
        int[] segments = [0, 1, 0, 2, 1, 2, 0];
        const int Length = 120;
        var random = new SeededRandom(1, "losses");
        using var chooser = new ExpertSwitch(6, () => new(10, window: 40), watchAll);
        for (int t = 0; t < segments.Length * Length; t++)
        {
            var losses = Losses(segments, Length, t, random);
            int chosen = chooser.Choose(losses);
            if (t % Length >= 5)
                Assert.Equal(segments[t / Length], chosen);
        }
        Assert.Equal(3, chooser.Count);
    }

    [Fact]
    public void A_constant_loss_never_raises_the_alarm()
    {
        using var detector = new LossJumpDetector(10, window: 20);
        for (int t = 0; t < 500; t++)
            Assert.False(detector.Feed(0.7));
        Assert.Equal(0.7 + 3 * 0.005, detector.Threshold, 12);
    }

    [Theory, InlineData(1.0, 0), InlineData(0.2, 1)] // E rises by a fifth of the jump, 0.014 < 3 · 0.005, then by 0.36 of it; θ, whose window takes the first in, by 0.01 + 0.30 of it
    public void A_jump_is_seen_as_soon_as_its_smoothed_part_passes_the_threshold(double smoothing, int delay)
    {
        using var detector = new LossJumpDetector(10, window: 100, smoothing);
        for (int t = 0; t < 200; t++)
            Assert.False(detector.Feed(0.5));
        double[] window = [.. Enumerable.Repeat(0.5, 100)];
        double e = 0.5;
        for (int t = 0; t <= delay; t++)
        {
            e = smoothing * 0.57 + (1 - smoothing) * e;
            double mean = window.Average(), threshold = mean + 3 * Math.Max(0.005, Math.Sqrt(window.Average(v => (v - mean) * (v - mean))));
            Assert.Equal(e > threshold, detector.Feed(0.57));
            if (e > threshold)
            {
                Assert.Equal(delay, t);
                break;
            }
            Assert.NotEqual(delay, t);
            window = [.. window[1..], 0.57];
        }
        Assert.Equal(1, detector.Accepted); // started anew, with the loss of the new regime
        for (int t = 0; t < 100; t++)
            Assert.False(detector.Feed(0.57));
    }

    [Fact] // false alarms on noise about a constant: E has the deviation σ √(α/(2 − α)) = σ/3, so the threshold lies 9 of its deviations up; with α = 1 three
    public void Smoothing_keeps_noise_from_raising_alarms()
    {
        Assert.Equal(0, Alarms(0.2));
        Assert.InRange(Alarms(1), 1, 60); // P(N > 3) = 0.00135 a step in 5000: 7 expected, 0 with probability below 0.002
        static int Alarms(double smoothing)
        {
            var random = new SeededRandom(1, "noise");
            using var detector = new LossJumpDetector(2, window: 100, smoothing, minimumAge: 100);
            int alarms = 0;
            for (int t = 0; t < 5000; t++)
                alarms += detector.Feed(0.5 + 0.1 * random.NextNormal()) ? 1 : 0;
            return alarms;
        }
    }

    [Fact]
    public void A_detector_loaded_from_its_state_goes_on_the_same()
    {
        var random = new SeededRandom(1, "noise");
        using var whole = new LossJumpDetector(10, window: 10);
        using var resumed = new LossJumpDetector(10, window: 10);
        for (int t = 0; t < 25; t++)
            whole.Feed(1 + 0.1 * random.NextNormal());
        resumed.State("d").Value.copy_(whole.State("d").Value);
        for (int t = 0; t < 50; t++)
        {
            double loss = 1 + 0.02 * t + 0.1 * random.NextNormal();
            Assert.Equal(whole.Feed(loss), resumed.Feed(loss));
            Assert.Equal(whole.Threshold, resumed.Threshold);
        }
    }

    [Fact]
    public void When_no_expert_is_left_the_one_that_exceeds_its_threshold_least_goes_on()
    {
        using var chooser = new ExpertSwitch(2, () => new(10, window: 20));
        for (int t = 0; t < 60; t++)
            Assert.Equal(0, chooser.Choose(e => e == 0 ? 0.2 : 2));
        for (int t = 0; t < 60; t++)
            chooser.Choose(e => e == 0 ? 2 : 0.6);
        Assert.Equal((2, 1), (chooser.Count, chooser.Active));
        Assert.Equal(1, Enumerable.Range(0, 5).Select(_ => chooser.Choose(e => e == 0 ? 4 : 3)).Last()); // 3.8 over against 2.4 over
    }

    [Fact]
    public void One_expert_is_plain_fine_tuning_to_the_bit()
    {
        using var stream = new SmallStream("returning");
        using var naive = new Learner(stream.Setup);
        using var tame = new Tame(stream.Setup, Bare);
        stream.Train(naive);
        stream.Train(tame);
        var state = tame.State.ToDictionary(s => s.Name, s => s.Value);
        Assert.All(naive.Network.LiveState, s => ByHand.Same(s.Value, state[$"expert0.{s.Key}"]));
        ByHand.Same(naive.Predict(stream.Tasks[0].Test().X), tame.Predict(stream.Tasks[0].Test().X));
    }

    [Fact]
    public void Every_row_is_answered_by_the_expert_that_is_chosen_for_it()
    {
        using var stream = Digits(1);
        using var tame = new Tame(stream.Setup, new());
        stream.Train(tame);
        Assert.True(tame.Experts > 1);
        var x = cat([.. stream.Prepared.Stream.Tests.Select(t => t.Rows().X.narrow(0, 0, 10))]);
        var (experts, logits) = (tame.ExpertOf(x), tame.Predict(x));
        Assert.True(experts.unique().output.shape[0] > 1);
        for (int i = 0; i < x.shape[0]; i++)
            ByHand.Close(tame.PredictWith((int)experts[i].item<long>(), x.narrow(0, i, 1)), logits.narrow(0, i, 1), 1e-4, 1e-5);
    }

    [Fact] // the paper's claim on the digits: every change found within five mini-batches, one expert a permutation, returns find theirs
    public void On_permuted_digits_every_change_is_found_and_every_return_recognised()
    {
        using var stream = Digits(2);
        using var tame = new Tame(stream.Setup, new());
        stream.Run(tame);
        var starts = Protocol.Starts(stream.Prepared.Stream, stream.Setup.Training);
        Assert.Equal(3, tame.Experts);
        var report = BoundaryReport.Of(tame.Boundaries, starts).ToDictionary();
        Assert.Equal((0, 0), (report["detection/missed"], report["detection/false"]));
        Assert.InRange(report["detection/delay"], 0, 5);
        double[] level = [.. tame.Series.Where(s => s.Name == "expert").Select(s => s.Value)];
        Assert.Equal(level[(int)(0.1 * level.Length)], level[(int)(0.5 * level.Length)]); // 0 1 0 2 1
        Assert.Equal(level[(int)(0.3 * level.Length)], level[(int)(0.9 * level.Length)]);
    }

    private static SmallStream Digits(ulong seed) => new("returning", o => ((ReturningOptions)o) with { Steps = 3, Returns = 2, Epochs = 3, BatchSize = 16, Hidden = 50 }, EmbeddedDigits.Open(), seed);

    [Fact]
    public void A_detection_belongs_to_the_boundary_its_task_begins_with_once()
    {
        var report = BoundaryReport.Of([3, 12, 15, 41], [0, 10, 20, 30, 40]).ToDictionary();
        Assert.Equal((1.5, 2, 2), (report["detection/delay"], report["detection/missed"], report["detection/false"]));
        Assert.DoesNotContain("detection/delay", BoundaryReport.Of([], [0, 10]).ToDictionary().Keys);
    }

    [Theory, InlineData(0.0), InlineData(0.5), InlineData(0.98)]
    public void Pruning_zeroes_the_smallest_weights_of_each_layer_and_training_keeps_them_zero(double amount)
    {
        using var network = Network.Mlp(16, [25], 4, batchNorm: true, new SeededRandom(1, "weights"));
        using var before = network.Clone();
        float[] mask = MagnitudePruning.Prune(network, amount);
        using var optimizer = new Sgd(network, 0.1, 0.9, 1e-4);
        optimizer.SetFactors(mask);
        var rows = TestData.Rows(20);
        for (int step = 0; step < 3; step++)
        {
            Assert.All(network.Modules.Where(m => m.Kind != ModuleKind.BatchNorm), m =>
            {
                var weight = m.Parameters[0];
                float[] pruned = network.ParameterValues.Slice(weight.Offset, weight.Length).ToArray(), whole = before.ParameterValues.Slice(weight.Offset, weight.Length).ToArray();
                Assert.Equal((int)Math.Round(amount * weight.Length), pruned.Count(w => w == 0));
                double largest = whole.Zip(pruned).Where(p => p.Second == 0).Select(p => (double)Math.Abs(p.First)).DefaultIfEmpty(0).Max();
                Assert.True(whole.Zip(pruned).Where(p => p.Second != 0).All(p => Math.Abs(p.First) >= largest));
            });
            network.ZeroGradient();
            network.AddCrossEntropyGradient(rows.X, rows.Y);
            optimizer.Step();
        }
        if (amount == 0)
            Assert.All(mask, f => Assert.Equal(1, f));
    }

    [Fact]
    public void Experts_and_selector_are_pruned_to_their_shares_at_the_end()
    {
        using var stream = new SmallStream("returning");
        using var tame = new Tame(stream.Setup, new() { Pruning = 0.9, SelectorPruning = 0.5, MaxExperts = 2, SelectorEpochs = 2, PruningEpochs = 2 });
        stream.Train(tame);
        var state = tame.State.ToDictionary(s => s.Name, s => s.Value);
        Check(state["expert0.linear1.weight"], 0.9);
        Check(state["selector.linear1.weight"], 0.5);

        static void Check(Tensor weight, double share) => Assert.Equal((long)Math.Round(share * weight.numel()), weight.eq(0).sum().item<long>());
    }

    [Fact] // 300 rows of one key into 30 places, 400 times: each place of the stream is kept 40 times on average. χ² with 299 degrees of freedom (scaled by the sampling fraction); false alarm below 1e-4
    public void The_rows_kept_of_a_key_are_uniform_over_time_even_as_keys_arrive()
    {
        const int Rows = 300, Runs = 400;
        int[] kept = new int[Rows];
        for (int run = 0; run < Runs; run++)
        {
            using var reservoir = new PriorityReservoir(60, 1, 2, new SeededRandom((ulong)run, "rows"));
            var x = arange(Rows, ScalarType.Float32).reshape(Rows, 1);
            reservoir.Offer(x, new long[Rows]);                             // key 0 has all 60 places,
            reservoir.Offer(x, [.. Enumerable.Repeat(1L, Rows)]);           // then half of them
            var content = reservoir.Content;
            Assert.Equal((60, 30), (reservoir.Count, content.Y.eq(0).sum().item<long>()));
            foreach (float row in content.X.index_select(0, content.Y.eq(0).nonzero().flatten()).data<float>())
                kept[(int)row]++;
        }
        double expected = Runs * 30.0 / Rows;
        Assert.InRange(kept.Sum(n => (n - expected) * (n - expected) / expected) / (1 - 30.0 / Rows), 299 - 4 * 24.5, 299 + 4 * 24.5);
    }

    [Fact]
    public void Bad_input_is_refused_with_what_is_wrong()
    {
        Assert.ThrowsAny<ArgumentException>(() => new LossJumpDetector(1));
        Assert.ThrowsAny<ArgumentException>(() => new LossJumpDetector(2, window: 1));
        Assert.Contains("(0, 1]", Assert.ThrowsAny<ArgumentException>(() => new LossJumpDetector(2, smoothing: 0)).Message, StringComparison.Ordinal);
        Assert.Contains("(0, 1]", Assert.ThrowsAny<ArgumentException>(() => new LossJumpDetector(2, smoothing: double.NaN)).Message, StringComparison.Ordinal);
        using var detector = new LossJumpDetector(2);
        Assert.Contains("diverged", Assert.Throws<ArgumentException>(() => detector.Feed(double.NaN)).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<ArgumentException>(() => new ExpertSwitch(0, () => new(2)));
        using var network = ByHand.Setup().Network();
        Assert.ThrowsAny<ArgumentException>(() => MagnitudePruning.Prune(network, 1.5));
    }

    [Fact] // a diverged expert must stop the trial, not look like a new task
    public void A_loss_that_is_not_finite_stops_and_does_not_switch()
    {
        using var stream = new SmallStream("returning");
        using var tame = new Tame(stream.Setup, new());
        using (no_grad())
            tame.State.First(s => s.Name == "expert0.head.bias").Value.fill_(float.NaN);
        Assert.Contains("diverged", Assert.Throws<ArgumentException>(() => stream.Train(tame)).Message, StringComparison.Ordinal);
        Assert.Equal(1, tame.Experts);
    }
}
