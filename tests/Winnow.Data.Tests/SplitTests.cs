using CsCheck;
using Winnow.Core;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public class SplitTests
{
    private static LabelledData With(int[] labels, int classes, int? train = null) =>
        new(LabelledData.FromTable("t", new float[labels.Length], 1, labels, [.. Enumerable.Range(0, classes).Select(c => $"c{c}")]).Rows, labels, [.. Enumerable.Range(0, classes).Select(c => $"c{c}")]) { TrainCount = train };

    [Fact]
    public void Every_class_keeps_its_share_on_both_sides() => Assert.All(Gen.Select(Gen.Int[0, 3].Array[8, 60], Gen.Double[0.05, 0.95], Gen.ULong).Fixed(300), drawn =>
    {
        var (labelled, fraction, seed) = drawn;
        int[] labels = [.. labelled, 0, 0, 1, 1, 2, 2, 3, 3];
        var data = With(labels, 4);
        var split = Split.Stratified(data, fraction, new SeededRandom(seed, "split"));
        Assert.Equal(Enumerable.Range(0, labels.Length), split.Train.Concat(split.Test).Order());
        Assert.Equal(split.Train.Order(), split.Train);
        for (int c = 0; c < 4; c++)
        {
            int n = data.CountPerClass[c], test = split.Test.Count(r => labels[r] == c);
            Assert.InRange(test, 1, n - 1);
            Assert.InRange(Math.Abs(test - fraction * n), 0, 1);
        }
    });

    [Fact]
    public void Among_some_rows_every_class_keeps_its_share_as_far_as_its_rows_allow() => Assert.All(Gen.Select(Gen.Int[0, 3].Array[2, 40], Gen.Double[0.05, 0.95], Gen.ULong).Fixed(300), drawn =>
    {
        var (labels, fraction, seed) = drawn;
        var data = With([.. labels, .. labels], 4);
        int[] rows = [.. Enumerable.Range(0, labels.Length).Select(i => 2 * i)];
        var split = Split.Among(data, rows, fraction, new SeededRandom(seed, "split"));
        Assert.Equal(rows, split.Train.Concat(split.Test).Order());
        Assert.Equal(split.Train.Order(), split.Train);
        Assert.Equal(split.Test.Order(), split.Test);
        Assert.Equal(Math.Clamp(Math.Round(fraction * rows.Length, MidpointRounding.AwayFromZero), 1, rows.Length - 1), split.Test.Length);
        for (int c = 0; c < 4; c++) // of equal steps through n rows, a run of m takes m · test / n, rounded up or down
            Assert.InRange(split.Test.Count(r => data.Labels[r] == c) - (double)rows.Count(r => data.Labels[r] == c) * split.Test.Length / rows.Length, -1 + 1e-9, 1 - 1e-9);
    });

    [Fact]
    public void Among_some_rows_each_is_as_likely_to_be_for_testing()
    {
        var data = With([0, 1, 1, 2, 2, 2, 2], 3);
        var count = new int[7];
        for (ulong seed = 0; seed < 4000; seed++)
            foreach (int row in Split.Among(data, [0, 1, 2, 3, 4, 5, 6], 0.3, new SeededRandom(seed, "split")).Test)
                count[row]++;
        // binomial with p = 2/7, deviation 28.6: five deviations are passed by chance once in 250,000 runs of the seven
        Assert.All(count, n => Assert.InRange(n, 4000 * 2 / 7.0 - 5 * 28.6, 4000 * 2 / 7.0 + 5 * 28.6));
    }

    [Fact]
    public void Same_seed_gives_the_same_split_and_another_seed_another()
    {
        var data = EmbeddedDigits.Open();
        var first = Split.Of(data, 0.2, new SeededRandom(1, "split"));
        Assert.Equal(first.Test, Split.Of(data, 0.2, new SeededRandom(1, "split")).Test);
        Assert.NotEqual(first.Test, Split.Of(data, 0.2, new SeededRandom(2, "split")).Test);
        Assert.Equal(359, first.Test.Length);
    }

    [Fact]
    public void Publishers_split_is_kept()
    {
        var split = Split.Of(With([0, 1, 0, 1, 1], 2, train: 3), 0.5, new SeededRandom(1, "split"));
        Assert.Equal([0, 1, 2], split.Train);
        Assert.Equal([3, 4], split.Test);
    }

    [Fact]
    public void Class_with_a_single_row_is_refused() =>
        Refused(() => Split.Stratified(With([0, 0, 1], 2), 0.5, new SeededRandom(1, "split")), "t: found a single row of class 'c1' (row 2); expected at least 2 rows of every class");

    [Fact]
    public void Declared_class_without_rows_is_left_out() => Assert.Equal(2, Split.Stratified(With([0, 0, 2, 2], 3), 0.5, new SeededRandom(1, "split")).Test.Length);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void Fraction_outside_0_and_1_is_refused(double fraction) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Split.Stratified(With([0, 0, 1, 1], 2), fraction, new SeededRandom(1, "split")));
}
