using Winnow.Core;

namespace Winnow.Reports;

/// <summary>What a comparison says, in a few sentences: which method wins, by how much, and whether chance could have done it.</summary>
public static class Verdict
{
    /// <summary>The verdict on one task.</summary>
    public static string Of(Comparison comparison, string task) => string.Join(' ', Sentences(comparison, task));

    /// <summary>The verdict sentence by sentence; the first says who wins.</summary>
    internal static IReadOnlyList<string> Sentences(Comparison comparison, string task)
    {
        var metric = comparison.PrimaryOf(task);
        var rows = comparison.RowsOf(task);
        var competitors = rows.Where(r => !Comparison.IsBound(r.Row) && Has(r, metric)).ToList();
        if (competitors.Count == 0)
            return ["No trial of a competing method finished: there is nothing to compare."];
        var best = competitors[0];
        int seeds = best.Row.Done.Count;
        string over = seeds == 1 ? "one seed, so without an interval" : $"{seeds} seeds";
        var sentences = new List<string> { $"{best.Row.Label} has the {(metric.Better == Better.Higher ? "highest" : "lowest")} {metric.Title}: {WithInterval(best.Metrics[metric.Name], metric.Unit)} over {over}." };
        string? baseline = competitors.Select(r => r.TestedAgainst).FirstOrDefault(b => b is not null);
        if (competitors.Count > 1)
            sentences.Add(best.TestedAgainst is null ? Unbeaten(best, competitors, baseline) : AgainstBaseline(best, competitors, metric));
        if (Bounds(rows, metric) is { } bounds)
            sentences.Add(bounds);
        int failed = rows.Sum(r => r.Row.Failed.Count);
        if (failed > 0)
            sentences.Add($"{Count(failed, "trial")} failed and {(failed == 1 ? "is" : "are")} not in these numbers.");
        return sentences;
    }

    /// <summary>The best row is itself the best baseline, or there is no baseline to test against.</summary>
    private static string Unbeaten(ComparisonRow best, List<ComparisonRow> competitors, string? baseline)
    {
        if (baseline is null)
            return best.Row.Method.Kind == MethodKind.Baseline ? "Nothing could be tested against it." : "No baseline finished, so nothing was tested.";
        var tested = competitors.Where(r => !double.IsNaN(r.PHolm)).ToList();
        if (tested.Count == 0)
            return "It is the best baseline, and no method does better; with one seed nothing can be tested.";
        int worse = tested.Count(r => r.Significant && !r.BetterThanBaseline), open = tested.Count - worse;
        return $"It is the best baseline, and no method does better: {worse} of {tested.Count} are significantly worse"
            + (open == 0 ? "." : $", {Few(tested.Where(r => !r.Significant))} cannot be told apart from it (paired t-tests, Holm-corrected, 5%).");
    }

    private static string AgainstBaseline(ComparisonRow best, List<ComparisonRow> competitors, MetricCard metric)
    {
        string difference = Format.Signed(best.Difference, metric.Unit);
        string interval = double.IsNaN(best.DifferenceInterval.HalfWidth) ? "" : $" (95% interval {Format.Signed(best.DifferenceInterval.Low, metric.Unit)} to {Format.Signed(best.DifferenceInterval.High, metric.Unit)})";
        string against = $"Against the best baseline, {best.TestedAgainst}, it differs by {difference}{interval}, seed by seed";
        if (double.IsNaN(best.PHolm))
            return $"{against}; with fewer than two common seeds this cannot be tested.";
        int tests = competitors.Count(r => !double.IsNaN(r.PHolm));
        string p = $"p {Format.Equation(best.PHolm)} after Holm's correction over {Count(tests, "test")}";
        return best.Significant ? $"{against}: significant, {p}." : $"{against}: not significant, {p}. On these seeds the two cannot be told apart.";
    }

    private static string? Bounds(IReadOnlyList<ComparisonRow> rows, MetricCard metric)
    {
        var bounds = rows.Where(r => Comparison.IsBound(r.Row) && Has(r, metric)).ToList();
        return bounds.Count == 0 ? null : $"For orientation: {string.Join(", ", bounds.Select(b => $"{b.Row.Label} ({(b.Row.Method.Tags.Contains(Comparison.UpperBound) ? "upper" : "lower")} bound) {Format.Of(b.Metrics[metric.Name].Mean, metric.Unit)}"))}.";
    }

    private static bool Has(ComparisonRow row, MetricCard metric) => row.Metrics.TryGetValue(metric.Name, out var m) && !double.IsNaN(m.Mean);

    private static string WithInterval(Interval value, string unit) =>
        double.IsNaN(value.HalfWidth) ? Format.Of(value.Mean, unit) : $"{Format.Of(value.Mean, unit)} (95% interval {Format.Of(value.Low, unit)} to {Format.Of(value.High, unit)})";

    private static string Few(IEnumerable<ComparisonRow> rows)
    {
        string[] names = [.. rows.Select(r => r.Row.Label)];
        return names.Length <= 3 ? string.Join(" and ", names) : $"{string.Join(", ", names[..2])} and {names.Length - 2} more";
    }

    private static string Count(int n, string noun) => $"{n} {noun}{(n == 1 ? "" : "s")}";
}
