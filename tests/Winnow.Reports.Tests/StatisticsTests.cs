using CsCheck;

namespace Winnow.Reports.Tests;

public sealed class StatisticsTests
{
    private static readonly Gen<double[]> Values = Gen.Double[-5, 5].Array[2, 12];

    [Fact]
    public void Interval_of_one_to_five_is_the_textbook_one()
    {
        // m = 3, s = sqrt(2.5), t(0.975, 4) = 2.7764451052
        var interval = Statistics.TInterval([1, 2, 3, 4, 5]);
        double half = 2.7764451052 * Math.Sqrt(2.5) / Math.Sqrt(5);
        Assert.Equal(3, interval.Mean, 12);
        Assert.Equal(half, interval.HalfWidth, 8);
        Assert.Equal(3 - half, interval.Low, 8);
    }

    [Fact]
    public void Students_sleep_data_give_his_p_value()
    {
        // Student 1908, extra hours of sleep of ten patients under two drugs: t = -4.0621, df = 9, p = 0.002833
        double[] first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        Assert.Equal(0.002833, Statistics.PairedTTest(first, second), 6);
    }

    [Fact]
    public void One_value_has_a_mean_and_no_interval()
    {
        var interval = Statistics.TInterval([0.5]);
        Assert.Equal(0.5, interval.Mean);
        Assert.True(double.IsNaN(interval.Low) && double.IsNaN(interval.High));
        Assert.True(double.IsNaN(Statistics.PairedTTest([1], [2])));
        Assert.Throws<ArgumentException>(() => Statistics.TInterval([]));
        Assert.Throws<ArgumentException>(() => Statistics.PairedTTest([1, 2], [1]));
    }

    [Fact]
    public void Differences_without_variance_are_as_sure_as_their_signs()
    {
        Assert.Equal(1, Statistics.PairedTTest([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]));
        Assert.Equal(0.25, Statistics.PairedTTest([0.1, 0.2, 0.3], [0.2, 0.3, 0.4]), 12);
        Assert.Equal(Math.Pow(2, -9), Statistics.PairedTTest([.. Enumerable.Repeat(0.9, 10)], [.. Enumerable.Repeat(0.8, 10)]), 12);
    }

    [Fact]
    public void Interval_is_centred_scales_and_shifts_with_the_values() => Gen.Select(Values, Gen.Double[0.1, 10], Gen.Double[-3, 3]).Sample((values, scale, shift) =>
    {
        var plain = Statistics.TInterval(values);
        var moved = Statistics.TInterval([.. values.Select(v => scale * v + shift)]);
        const double Rounding = 1e-10; // values up to 53, half widths up to 900
        Assert.Equal((plain.Low + plain.High) / 2, plain.Mean, Rounding);
        Assert.Equal(scale * plain.Mean + shift, moved.Mean, Rounding);
        Assert.Equal(scale * plain.HalfWidth, moved.HalfWidth, Rounding);
    });

    [Fact]
    public void Paired_test_is_symmetric_and_agrees_with_the_interval_of_the_difference() => Values.Select(Gen.Double[-1, 1]).Sample((a, shift) =>
    {
        double[] b = [.. a.Select((v, i) => v * 0.5 + shift * i)];
        double p = Statistics.PairedTTest(a, b);
        Assert.Equal(p, Statistics.PairedTTest(b, a), 1e-12);
        Assert.InRange(p, 0, 1);
        var difference = Statistics.TInterval([.. a.Zip(b, (x, y) => x - y)]);
        if (difference.HalfWidth > 1e-9 && Math.Abs(p - 0.05) > 1e-9)
            Assert.Equal(p < 0.05, difference.Low > 0 || difference.High < 0);
    });

    /// <summary>4,000 samples of 5 normal values: the mean is covered 3,800 times; outside 3,735 to 3,865 (4.7 standard deviations) with probability 2.5e-6.</summary>
    [Fact]
    public void Ninety_five_percent_of_the_intervals_cover_the_mean()
    {
        var random = new Random(11);
        int covered = 0;
        for (int i = 0; i < 4000; i++)
        {
            var interval = Statistics.TInterval([.. Enumerable.Range(0, 5).Select(_ => 2 + 0.3 * Normal(random))]);
            covered += interval.Low <= 2 && 2 <= interval.High ? 1 : 0;
        }
        Assert.InRange(covered, 3735, 3865);
    }

    /// <summary>Ten true null hypotheses, 2,000 families: at most 5% reject any. More than 155 (5.6 standard deviations above 100) with probability 1e-7.</summary>
    [Fact]
    public void Holm_keeps_the_chance_of_any_false_alarm_at_five_percent()
    {
        var random = new Random(12);
        int alarms = 0;
        for (int i = 0; i < 2000; i++)
        {
            double[] p = [.. Enumerable.Range(0, 10).Select(_ => Statistics.PairedTTest([.. Enumerable.Range(0, 5).Select(_ => Normal(random))], [.. Enumerable.Range(0, 5).Select(_ => Normal(random))]))];
            alarms += Statistics.Holm(p).Any(q => q < 0.05) ? 1 : 0;
        }
        Assert.InRange(alarms, 50, 155);
    }

    [Fact]
    public void Holm_adjusts_as_in_the_textbook()
    {
        double[] adjusted = [.. Statistics.Holm([0.01, 0.04, 0.03, 0.005])];
        double[] expected = [0.03, 0.06, 0.06, 0.02];
        Assert.All(adjusted.Zip(expected), p => Assert.Equal(p.Second, p.First, 12));
        Assert.Equal([0.7, double.NaN, 0.02], Statistics.Holm([0.7, double.NaN, 0.01]));
    }

    /// <summary>Holm by its definition: reject in order while p(k) ≤ α / (m − k + 1); the adjusted value is the least α that rejects.</summary>
    [Fact]
    public void Holm_agrees_with_its_step_down_definition() => Gen.Double[0, 1].Array[1, 8].Sample(p =>
    {
        var adjusted = Statistics.Holm(p);
        foreach (double alpha in (double[])[0.01, 0.05, 0.2, 0.5, 0.9])
        {
            int[] order = [.. Enumerable.Range(0, p.Length).OrderBy(i => p[i])];
            var rejected = order.TakeWhile((i, k) => p[i] <= alpha / (p.Length - k)).ToHashSet();
            for (int i = 0; i < p.Length; i++)
                if (Math.Abs(adjusted[i] - alpha) > 1e-12)
                    Assert.Equal(rejected.Contains(i), adjusted[i] <= alpha);
        }
    });

    [Fact]
    public void Pareto_keeps_exactly_the_points_that_no_other_dominates_and_keeps_ties() => Gen.Int[0, 4].Array[3].Array[1, 12].Sample(points =>
    {
        var front = Statistics.Pareto([.. points.Select(p => (IReadOnlyList<double>)[.. p.Select(v => (double)v)])]);
        Assert.Contains(true, front);
        for (int i = 0; i < points.Length; i++)
        {
            bool dominated = false;
            for (int j = 0; j < points.Length; j++)
            {
                int below = 0, above = 0;
                for (int c = 0; c < 3; c++)
                {
                    below += points[j][c] < points[i][c] ? 1 : 0;
                    above += points[j][c] > points[i][c] ? 1 : 0;
                }
                dominated |= above == 0 && below > 0;
            }
            Assert.Equal(!dominated, front[i]);
        }
    });

    [Fact]
    public void A_point_without_a_number_is_never_in_the_pareto_set() =>
        Assert.Equal([false, true], Statistics.Pareto([[0, double.NaN], [5, 5]]));

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
