using Winnow.Core;

namespace Winnow.Reports;

/// <summary>One row of the table: a method with its options on a task, over all its seeds.</summary>
public sealed record ComparisonRow
{
    /// <summary>The trials.</summary>
    public required StudyRow Row { get; init; }

    /// <summary>Mean and interval over seeds, by metric.</summary>
    public required IReadOnlyDictionary<string, Interval> Metrics { get; init; }

    /// <summary>Values by metric, in the order of the seeds.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<double>> Values { get; init; }

    /// <summary>Mean of each kind of the account.</summary>
    public required IReadOnlyDictionary<string, double> Account { get; init; }

    /// <summary>Largest peak resident set over the seeds.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>Mean processor time.</summary>
    public required double CpuSeconds { get; init; }

    /// <summary>Mean wall time.</summary>
    public required double WallSeconds { get; init; }

    /// <summary>Whether no other row of the task is at least as good in the primary metric, memory and processor time, and better in one. Bounds take no part.</summary>
    public bool Pareto { get; init; }

    /// <summary>The baseline this row is tested against, or null for that baseline itself and for bounds.</summary>
    public string? TestedAgainst { get; init; }

    /// <summary>Mean paired difference to that baseline, in the primary metric; NaN when not tested.</summary>
    public double Difference { get; init; } = double.NaN;

    /// <summary>The mean of <see cref="Difference"/> with its 95% interval over the paired seeds.</summary>
    public Interval DifferenceInterval { get; init; } = new(double.NaN, double.NaN, double.NaN);

    /// <summary>Whether <see cref="Difference"/> is in the row's favour, in the direction of the metric.</summary>
    public bool BetterThanBaseline { get; init; }

    /// <summary>Paired t-test against that baseline; NaN when not tested.</summary>
    public double P { get; init; } = double.NaN;

    /// <summary>The p-value after Holm's correction over the rows of the task.</summary>
    public double PHolm { get; init; } = double.NaN;

    /// <summary>True when the difference is significant at 5% after correction.</summary>
    public bool Significant => PHolm < 0.05;
}

/// <summary>A finished study, compared: everything the table, the report, the JSON and the CSV show.</summary>
public sealed class Comparison
{
    /// <summary>Tag of a method that is no competitor but a bound to read the others by.</summary>
    public const string UpperBound = "upper-bound", LowerBound = "lower-bound";

    private Comparison(StudyInfo info, IArena arena, IReadOnlyList<ComparisonRow> rows, IReadOnlyList<FinishedTrial> failures)
    {
        Info = info;
        Arena = arena;
        Rows = rows;
        Failures = failures;
    }

    /// <summary>What was run, on what, where.</summary>
    public StudyInfo Info { get; }

    /// <summary>The arena.</summary>
    public IArena Arena { get; }

    /// <summary>The metric that ranks the rows of a task: the first that any of them has.</summary>
    public MetricCard PrimaryOf(string task) => MetricsOf(task)[0];

    /// <summary>The metrics of a task that some row has; all of them where none has any.</summary>
    internal IReadOnlyList<MetricCard> MetricsOf(string task) => There(Arena.MetricsOf(task), RowsOf(task));

    private static IReadOnlyList<MetricCard> There(IReadOnlyList<MetricCard> metrics, IReadOnlyList<ComparisonRow> rows) =>
        metrics.Where(m => rows.Any(r => r.Metrics.ContainsKey(m.Name))).ToList() is { Count: > 0 } some ? some : metrics;

    /// <summary>The rows, task by task, best first; rows without a finished trial come last.</summary>
    public IReadOnlyList<ComparisonRow> Rows { get; }

    /// <summary>Every failed trial.</summary>
    public IReadOnlyList<FinishedTrial> Failures { get; }

    /// <summary>The tasks, in the order of the study.</summary>
    public IEnumerable<string> Tasks => Rows.Select(r => r.Row.Task).Distinct();

    /// <summary>The best row of the first task that is not a bound, or null when nothing finished.</summary>
    public StudyRow? Winner => Rows.FirstOrDefault(r => !IsBound(r.Row) && r.Row.Done.Count > 0)?.Row;

    /// <summary>The rows of a task, best first.</summary>
    public IReadOnlyList<ComparisonRow> RowsOf(string task) => [.. Rows.Where(r => r.Row.Task == task)];

    /// <summary>Whether a method is a bound rather than a competitor.</summary>
    public static bool IsBound(StudyRow row) => row.Method.Tags.Contains(UpperBound) || row.Method.Tags.Contains(LowerBound);

    /// <summary>Compares the rows of a study.</summary>
    public static Comparison Of(StudyInfo info, IArena arena, IReadOnlyList<StudyRow> rows)
    {
        var compared = rows.GroupBy(r => r.Task).SelectMany(task => OfTask(arena.MetricsOf(task.Key), [.. task.Select(Summarise)])).ToList();
        return new(info, arena, compared, [.. rows.SelectMany(r => r.Failed)]);
    }

    private static ComparisonRow Summarise(StudyRow row)
    {
        var names = row.Done.SelectMany(t => t.Outcome.Metrics.Keys).Distinct().ToList();
        var values = names.ToDictionary(n => n, n => (IReadOnlyList<double>)[.. row.Done.Select(t => t.Outcome.Metrics.GetValueOrDefault(n, double.NaN))]);
        return new()
        {
            Row = row,
            Values = values,
            Metrics = values.ToDictionary(v => v.Key, v => Statistics.TInterval(v.Value)),
            Account = row.Done.SelectMany(t => t.Outcome.Account).GroupBy(a => a.Key).ToDictionary(g => g.Key, g => g.Average(a => a.Value)),
            PeakMemoryBytes = row.Done.Select(t => t.Outcome.Usage.PeakMemoryBytes).DefaultIfEmpty().Max(),
            CpuSeconds = row.Done.Select(t => t.Outcome.Usage.CpuSeconds).DefaultIfEmpty(double.NaN).Average(),
            WallSeconds = row.Done.Select(t => t.Outcome.Usage.WallSeconds).DefaultIfEmpty(double.NaN).Average(),
        };
    }

    private static IEnumerable<ComparisonRow> OfTask(IReadOnlyList<MetricCard> metrics, IReadOnlyList<ComparisonRow> rows)
    {
        metrics = There(metrics, rows);
        var primary = metrics[0];
        double sign = primary.Better == Better.Higher ? -1 : 1;
        double Cost(ComparisonRow r) => r.Metrics.TryGetValue(primary.Name, out var m) ? sign * m.Mean : double.NaN;

        // a bound is no choice that a user has: it neither stands on the front nor keeps others off it
        var pareto = Statistics.Pareto([.. rows.Select(r => (IReadOnlyList<double>)[IsBound(r.Row) ? double.NaN : Cost(r), .. Prices(metrics, r)])]);
        var best = rows.Where(r => r.Row.Method.Kind == MethodKind.Baseline && !IsBound(r.Row) && !double.IsNaN(Cost(r))).MinBy(Cost);
        var tested = rows.Select(r => Test(r, best, primary)).ToList();
        var holm = Statistics.Holm([.. tested.Select(t => t.P)]);
        return tested.Select((r, i) => r with { Pareto = pareto[i], PHolm = holm[i] }).OrderBy(r => double.IsNaN(Cost(r))).ThenBy(Cost);
    }

    /// <summary>What a row pays, smaller being better: the task's own price, or memory and processor time.</summary>
    private static double[] Prices(IReadOnlyList<MetricCard> metrics, ComparisonRow row) => metrics.FirstOrDefault(m => m.Price) is not { } price ? [row.PeakMemoryBytes, row.CpuSeconds]
        : [row.Metrics.TryGetValue(price.Name, out var m) ? (price.Better == Better.Higher ? -1 : 1) * m.Mean : double.NaN];

    /// <summary>What rows are marked for, in words.</summary>
    public static string Prices(IReadOnlyList<MetricCard> metrics) => metrics.FirstOrDefault(m => m.Price) is { } price ? $"{metrics[0].Title} and {price.Title}" : $"{metrics[0].Title}, peak memory and cpu time";

    /// <summary>Pairs the seeds that both have finished. Bounds are read, not tested: they would only enlarge the family of tests.</summary>
    private static ComparisonRow Test(ComparisonRow row, ComparisonRow? baseline, MetricCard metric)
    {
        if (baseline is null || ReferenceEquals(row, baseline) || row.Row.Done.Count == 0 || IsBound(row.Row))
            return row;
        var theirs = baseline.Row.Done.ToDictionary(t => t.Trial.Seed, t => t.Outcome.Metrics.GetValueOrDefault(metric.Name, double.NaN));
        var pairs = row.Row.Done.Where(t => theirs.ContainsKey(t.Trial.Seed))
            .Select(t => (Mine: t.Outcome.Metrics.GetValueOrDefault(metric.Name, double.NaN), Theirs: theirs[t.Trial.Seed])).ToList();
        if (pairs.Count == 0)
            return row;
        var difference = Statistics.TInterval([.. pairs.Select(p => p.Mine - p.Theirs)]);
        return row with
        {
            TestedAgainst = baseline.Row.Label,
            Difference = difference.Mean,
            DifferenceInterval = difference,
            BetterThanBaseline = metric.Better == Better.Higher ? difference.Mean > 0 : difference.Mean < 0,
            P = Statistics.PairedTTest([.. pairs.Select(p => p.Mine)], [.. pairs.Select(p => p.Theirs)]),
        };
    }
}
