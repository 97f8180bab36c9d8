using System.Globalization;
using Winnow.Core;

namespace Winnow.Reports.Plots;

/// <summary>What the trials of a row recorded, brought together over seeds. Values that are not finite are left out.</summary>
internal static class SeriesData
{
    /// <summary>A series over steps: mean and interval over the seeds that recorded the step, or the band of its own that is recorded beside it as <c>series/low</c> and <c>series/high</c>.</summary>
    public static IReadOnlyList<(long Step, Interval Value)> Line(StudyRow row, string series)
    {
        var (low, high) = (OverSteps(row, $"{series}/low").ToDictionary(p => p.Step, p => p.Value.Mean), OverSteps(row, $"{series}/high").ToDictionary(p => p.Step, p => p.Value.Mean));
        return [.. OverSteps(row, series).Select(p => low.TryGetValue(p.Step, out double from) && high.TryGetValue(p.Step, out double to) ? (p.Step, new Interval(p.Value.Mean, from, to)) : p)];
    }

    /// <summary>What a line goes through: every value that was recorded as <c>series/rows</c>, of the first seed that has any.</summary>
    public static IReadOnlyList<(long Step, double Value)> Dots(StudyRow row, string series) =>
        [.. Points(row).Where(p => p.Point.Name == $"{series}/rows").GroupBy(p => p.Seed).OrderBy(g => g.Key).Take(1).SelectMany(g => g).Select(p => (p.Point.Step, p.Point.Value))];

    /// <summary>What the first seed that has any recorded of a family, in the order in which it came, by member.</summary>
    public static IReadOnlyList<(string Member, long Step, double Value)> First(StudyRow row, string prefix) =>
        [.. Family(row, prefix).GroupBy(p => p.Seed).OrderBy(g => g.Key).Take(1).SelectMany(g => g).Select(p => (p.Member, p.Step, p.Value))];

    /// <summary>The band that is recorded beside a series, all its ends.</summary>
    public static IEnumerable<double> Band(StudyRow row, string series) =>
        Points(row).Where(p => p.Point.Name == $"{series}/low" || p.Point.Name == $"{series}/high").Select(p => p.Point.Value);

    private static IEnumerable<(long Step, Interval Value)> OverSteps(StudyRow row, string series) =>
    [
        .. Points(row).Where(p => p.Point.Name == series).GroupBy(p => p.Point.Step).OrderBy(g => g.Key)
            .Select(g => (g.Key, Statistics.TInterval(OverSeeds(g)))),
    ];

    /// <summary>The members of a family <c>prefix/name</c> in natural order: numbers by size, other names as they first came.</summary>
    public static IReadOnlyList<string> Members(IEnumerable<StudyRow> rows, string prefix)
    {
        var names = rows.SelectMany(r => Family(r, prefix)).Select(p => p.Member).Distinct().ToList();
        return names.All(n => Number(n) is not null) ? [.. names.OrderBy(n => Number(n))] : names;
    }

    /// <summary>The steps at which any member of a family was recorded.</summary>
    public static IReadOnlyList<long> Steps(IEnumerable<StudyRow> rows, string prefix) => [.. rows.SelectMany(r => Family(r, prefix)).Select(p => p.Step).Distinct().Order()];

    /// <summary>A family as a matrix: rows are steps, columns members, the mean over seeds; NaN where nothing was recorded.</summary>
    public static double[,] Matrix(StudyRow row, string prefix, IReadOnlyList<long> steps, IReadOnlyList<string> members)
    {
        var cells = Family(row, prefix).GroupBy(p => (p.Step, p.Member)).ToDictionary(g => g.Key, g => g.Average(p => p.Value));
        var matrix = new double[steps.Count, members.Count];
        for (int i = 0; i < steps.Count; i++)
            for (int j = 0; j < members.Count; j++)
                matrix[i, j] = cells.TryGetValue((steps[i], members[j]), out double v) ? v : double.NaN;
        return matrix;
    }

    /// <summary>A family as bars: for each member the mean over steps, with the interval over seeds.</summary>
    public static IReadOnlyList<(string Member, Interval Value)> Bars(StudyRow row, string prefix, IReadOnlyList<string> members) =>
    [
        .. members.Select(m => (Member: m, Seeds: Family(row, prefix).Where(p => p.Member == m).GroupBy(p => p.Seed).OrderBy(g => g.Key).Select(g => g.Average(p => p.Value)).ToList()))
            .Where(b => b.Seeds.Count > 0).Select(b => (b.Member, Statistics.TInterval(b.Seeds))),
    ];

    private static IEnumerable<(ulong Seed, MetricEvent Point)> Points(StudyRow row) =>
        row.Done.SelectMany(t => t.Outcome.Series.Where(p => double.IsFinite(p.Value)).Select(p => (t.Trial.Seed, p)));

    private static IEnumerable<(ulong Seed, string Member, long Step, double Value)> Family(StudyRow row, string prefix) =>
        Points(row).Where(p => p.Point.Name.Length > prefix.Length && p.Point.Name[prefix.Length] == '/' && p.Point.Name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(p => (p.Seed, p.Point.Name[(prefix.Length + 1)..], p.Point.Step, p.Point.Value));

    private static double[] OverSeeds(IEnumerable<(ulong Seed, MetricEvent Point)> points) =>
        [.. points.GroupBy(p => p.Seed).OrderBy(g => g.Key).Select(g => g.Average(p => p.Point.Value))];

    private static double? Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double v) ? v : null;
}
