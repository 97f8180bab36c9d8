using CsCheck;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class ReservoirTests
{
    [Fact]
    public void Every_row_offered_is_kept_with_equal_probability()
    {
        // Each count is binomial (trials, 10 / 60). |z| stays below 5.7 but with probability 1.2e-8, so one of 60 does not with less than 1e-6.
        const int Trials = 6000, Rows = 60, Capacity = 10;
        var kept = new int[Rows];
        for (int t = 0; t < Trials; t++)
        {
            using var scope = NewDisposeScope();
            using var reservoir = new Reservoir(Capacity, 1, new SeededRandom((ulong)t, "uniform"));
            for (int i = 0; i < Rows; i += 7)
                Offer(reservoir, i, Math.Min(7, Rows - i));
            foreach (long row in Labels(reservoir.Content.Rows))
                kept[row]++;
        }
        AllWithin(kept, Trials, (double)Capacity / Rows, 5.7);
    }

    [Fact]
    public void Every_kept_row_is_drawn_with_equal_probability()
    {
        // 12 counts, each binomial (20000, 5 / 12): as above, one is off with probability below 1e-6.
        const int Trials = 20_000, Capacity = 12, Count = 5;
        var drawn = new int[Capacity];
        using var reservoir = Filled(Capacity, Capacity);
        for (int t = 0; t < Trials; t++)
        {
            using var scope = NewDisposeScope();
            foreach (long row in Labels(reservoir.Draw(Count)))
                drawn[row]++;
        }
        AllWithin(drawn, Trials, (double)Count / Capacity, 5.7);
    }

    [Fact]
    public void It_keeps_at_most_its_capacity_of_distinct_rows_and_all_while_they_fit() =>
        Gen.Select(Gen.Int[1, 20], Gen.Int[1, 9].Array[0, 8], Gen.ULong).Sample((capacity, batches, seed) =>
        {
            using var scope = NewDisposeScope();
            using var reservoir = new Reservoir(capacity, 2, new SeededRandom(seed, "bound"));
            int offered = 0;
            foreach (int rows in batches)
            {
                Offer(reservoir, offered, rows);
                offered += rows;
            }
            long[] labels = Labels(reservoir.Content.Rows);
            return reservoir.Count == Math.Min(capacity, offered) && reservoir.Offered == offered && labels.Length == reservoir.Count
                && labels.Distinct().Count() == labels.Length && labels.All(l => l >= 0 && l < offered)
                && (offered > capacity || labels.SequenceEqual(Enumerable.Range(0, offered).Select(i => (long)i)));
        }, iter: 500);

    [Fact]
    public void Draws_are_without_replacement_and_all_there_is_when_more_is_asked_for() =>
        Gen.Select(Gen.Int[1, 20], Gen.Int[0, 30], Gen.Int[0, 25].Array[1, 6]).Sample((capacity, rows, counts) =>
        {
            using var scope = NewDisposeScope();
            using var reservoir = Filled(capacity, rows);
            var kept = Labels(reservoir.Content.Rows).ToHashSet();
            return counts.All(count =>
            {
                long[] drawn = Labels(reservoir.Draw(count));
                return drawn.Length == Math.Min(count, kept.Count) && drawn.Distinct().Count() == drawn.Length && drawn.All(kept.Contains);
            });
        }, iter: 500);

    [Fact]
    public void Rows_labels_and_what_is_stored_beside_them_stay_together()
    {
        using var scope = NewDisposeScope();
        using var reservoir = new Reservoir(5, 2, new SeededRandom(1, "beside"), extraWidth: 3);
        for (int i = 0; i < 40; i += 8)
            Offer(reservoir, i, 8, extra: 3);
        Together(reservoir.Content.Rows, reservoir.Content.Extra!);
        var (rows, extra) = reservoir.DrawWithExtra(4);
        Together(rows, extra!);
        Assert.True(reservoir.Content.Rows.Y.max().item<long>() >= 8); // something was replaced

        static void Together(Batch rows, Tensor extra)
        {
            var y = rows.Y.to_type(ScalarType.Float32).unsqueeze(1);
            ByHand.Same(y.expand_as(rows.X), rows.X);
            ByHand.Same((-y).expand_as(extra), extra);
        }
    }

    [Fact]
    public void Batches_and_single_rows_give_the_same_reservoir()
    {
        using var scope = NewDisposeScope();
        using var batches = new Reservoir(6, 2, new SeededRandom(3, "order"));
        using var singles = new Reservoir(6, 2, new SeededRandom(3, "order"));
        for (int i = 0; i < 50; i += 10)
            Offer(batches, i, 10);
        for (int i = 0; i < 50; i++)
            Offer(singles, i, 1);
        Equal(batches, singles);
    }

    [Fact]
    public void Restored_from_its_state_it_goes_on_to_the_bit()
    {
        using var scope = NewDisposeScope();
        using var original = Filled(6, 30);
        using var restored = new Reservoir(6, 2, new SeededRandom(99, "another"));
        foreach (var (from, to) in original.State("r").Zip(restored.State("r")))
            to.Value.copy_(from.Value);
        Equal(original, restored);
        for (int i = 30; i < 60; i += 5)
        {
            Offer(original, i, 5);
            Offer(restored, i, 5);
            Assert.Equal(Labels(original.Draw(3)), Labels(restored.Draw(3)));
        }
        Equal(original, restored);
    }

    [Fact]
    public void Rows_that_do_not_fit_are_refused_and_change_nothing()
    {
        using var scope = NewDisposeScope();
        using var reservoir = new Reservoir(4, 2, new SeededRandom(1, "fit"), extraWidth: 3);
        Assert.Throws<ArgumentException>(() => reservoir.Offer(zeros(2, 3), zeros(2, ScalarType.Int64), zeros(2, 3)));
        Assert.Throws<ArgumentException>(() => reservoir.Offer(zeros(3, 2), zeros(2, ScalarType.Int64), zeros(2, 3)));
        Assert.Throws<ArgumentException>(() => reservoir.Offer(zeros(2, 2), zeros(2), zeros(2, 3)));
        Assert.Throws<ArgumentException>(() => reservoir.Offer(zeros(2, 2), zeros(2, ScalarType.Int64), zeros(2, 4)));
        Assert.Throws<ArgumentException>(() => reservoir.Offer(zeros(2, 2), zeros(2, ScalarType.Int64)));
        Assert.Equal(0, reservoir.Offered);
    }

    private static Reservoir Filled(int capacity, int rows)
    {
        var reservoir = new Reservoir(capacity, 2, new SeededRandom(5, "filled"));
        if (rows > 0)
            Offer(reservoir, 0, rows);
        return reservoir;
    }

    /// <summary>Row i has all values and its label equal to i, and −i beside it.</summary>
    private static void Offer(Reservoir reservoir, int first, int count, int extra = 0)
    {
        using var scope = NewDisposeScope();
        var y = arange(first, first + count, ScalarType.Int64);
        var values = y.to_type(ScalarType.Float32).unsqueeze(1);
        reservoir.Offer(values.expand(count, reservoir.Content.Rows.X.shape[1]), y, extra == 0 ? null : (-values).expand(count, extra));
    }

    private static long[] Labels(Batch rows) => rows.Y.data<long>().ToArray();

    private static void Equal(Reservoir a, Reservoir b) =>
        Assert.All(a.State("r").Zip(b.State("r")), pair => ByHand.Same(pair.First.Value, pair.Second.Value));

    private static void AllWithin(int[] counts, int trials, double probability, double deviations)
    {
        double mean = trials * probability, deviation = Math.Sqrt(mean * (1 - probability));
        Assert.All(counts, count => Assert.InRange(count, mean - deviations * deviation, mean + deviations * deviation));
    }
}
