using MathNet.Numerics.Distributions;

namespace Winnow.Reports;

/// <summary>A mean with its 95% interval; the interval is absent for fewer than two values.</summary>
/// <param name="Mean">Mean of the values.</param>
/// <param name="Low">Lower end; NaN when absent.</param>
/// <param name="High">Upper end; NaN when absent.</param>
public readonly record struct Interval(double Mean, double Low, double High)
{
    /// <summary>Half the width of the interval; NaN when absent.</summary>
    public double HalfWidth => (High - Low) / 2;
}

/// <summary>The statistics of the tables, the ledger and the report.</summary>
public static class Statistics
{
    /// <summary>Mean and 95% Student-t interval: m ± t(0.975, n − 1) s / √n.</summary>
    /// <exception cref="ArgumentException">No values.</exception>
    public static Interval TInterval(IReadOnlyList<double> values)
    {
        if (values.Count == 0)
            throw new ArgumentException("An interval needs at least one value.", nameof(values));
        double mean = values.Average();
        if (values.Count == 1)
            return new(mean, double.NaN, double.NaN);
        double error = StandardDeviation(values) / Math.Sqrt(values.Count);
        double t = StudentT.InvCDF(0, 1, values.Count - 1, 0.975);
        return new(mean, mean - t * error, mean + t * error);
    }

    /// <summary>Sample standard deviation (divisor n − 1); NaN for fewer than two values.</summary>
    public static double StandardDeviation(IReadOnlyList<double> values)
    {
        if (values.Count < 2)
            return double.NaN;
        double mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1));
    }

    /// <summary>
    /// Two-sided p-value of the paired t-test on the differences a − b; NaN for fewer than two pairs. Where the differences do not vary
    /// (beyond rounding) the t statistic does not exist: the p-value is then that of the exact sign-flip test, 1 for equal samples and
    /// 2 / 2ⁿ for a constant difference, so that two seeds which happen to agree are no proof.
    /// </summary>
    /// <exception cref="ArgumentException">The samples differ in length.</exception>
    public static double PairedTTest(IReadOnlyList<double> a, IReadOnlyList<double> b)
    {
        if (a.Count != b.Count)
            throw new ArgumentException($"A paired test needs pairs: {a.Count} and {b.Count} values were given.", nameof(b));
        double[] differences = [.. a.Zip(b, (x, y) => x - y)];
        if (differences.Length < 2)
            return double.NaN;
        double mean = differences.Average(), error = StandardDeviation(differences) / Math.Sqrt(differences.Length);
        double rounding = 1e-12 * a.Concat(b).Max(Math.Abs);
        if (error <= rounding)
            return Math.Abs(mean) <= rounding ? 1 : Math.Pow(2, 1 - differences.Length);
        return 2 * StudentT.CDF(0, 1, differences.Length - 1, -Math.Abs(mean / error));
    }

    /// <summary>Holm's step-down correction: the adjusted p-values, in the order given. NaN stays NaN and does not count as a test.</summary>
    public static IReadOnlyList<double> Holm(IReadOnlyList<double> p)
    {
        var adjusted = p.ToArray();
        int[] order = [.. Enumerable.Range(0, p.Count).Where(i => !double.IsNaN(p[i])).OrderBy(i => p[i])];
        double largest = 0;
        for (int k = 0; k < order.Length; k++)
        {
            largest = Math.Max(largest, Math.Min(1, (order.Length - k) * p[order[k]]));
            adjusted[order[k]] = largest;
        }
        return adjusted;
    }

    /// <summary>
    /// Which points no other point dominates: at least as good in every coordinate and better in one. Coordinates are costs: smaller is better.
    /// Equal points are all kept; a point with a NaN is never in the set.
    /// </summary>
    public static IReadOnlyList<bool> Pareto(IReadOnlyList<IReadOnlyList<double>> costs)
    {
        return [.. costs.Select(mine => !mine.Any(double.IsNaN) && !costs.Any(other => Dominates(other, mine)))];

        static bool Dominates(IReadOnlyList<double> a, IReadOnlyList<double> b) => a.Zip(b).All(p => p.First <= p.Second) && a.Zip(b).Any(p => p.First < p.Second);
    }
}
