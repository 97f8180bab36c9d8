using System.Globalization;
using System.Text;

namespace Winnow.Reports;

/// <summary>The table on the terminal.</summary>
public static class ComparisonText
{
    /// <summary>One table a task, best row first, with what the marks mean.</summary>
    public static string ToText(this Comparison comparison) => string.Concat(comparison.Tasks.Select(task => Table(comparison, task)));

    private static string Table(Comparison comparison, string task)
    {
        var rows = comparison.RowsOf(task);
        string? baseline = rows.Select(r => r.TestedAgainst).FirstOrDefault(b => b is not null);
        // a terminal has room for the metrics that decide and for what is kept in memory
        var metrics = comparison.MetricsOf(task).Where((m, i) => i < 3 || m.Unit == "bytes").ToList();
        List<string[]> cells = [["", task, .. metrics.Select(m => m.Title), "peak", "cpu", .. baseline is null ? (string[])[] : [$"p vs {baseline}"]]];
        foreach (var r in rows)
            cells.Add([r.Pareto ? "*" : "", Plain(r.Row.Label) + (r.Row.Failed.Count > 0 ? $" ({r.Row.Failed.Count} failed)" : ""),
                .. metrics.Select(m => r.Metrics.TryGetValue(m.Name, out var v) ? Format.Of(v, m.Unit) : "–"),
                r.Row.Done.Count > 0 ? Format.Bytes(r.PeakMemoryBytes) : "–", Format.Seconds(r.CpuSeconds),
                .. baseline is null ? (string[])[] : [Format.P(r.PHolm) + (r.Significant ? r.BetterThanBaseline ? " +" : " -" : "")]]);

        var text = new StringBuilder();
        int[] widths = [.. Enumerable.Range(0, cells[0].Length).Select(c => cells.Max(row => row[c].Length))];
        foreach (string[] row in cells)
            text.Append(string.Join("  ", row.Select((cell, c) => c <= 1 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]))).TrimEnd()).Append('\n');
        int seeds = rows.Max(r => r.Row.Done.Count);
        text.Append(seeds > 1 ? string.Create(CultureInfo.InvariantCulture, $"mean ± half the 95% t-interval over {seeds} seeds") : "one seed: no interval, no test");
        text.Append(CultureInfo.InvariantCulture, $"; * no other row but a bound is as good in {Comparison.Prices(comparison.MetricsOf(task))}");
        if (baseline is not null)
            text.Append("; p paired, Holm-corrected, + better - worse");
        return text.Append('\n').ToString();
    }

    /// <summary>Options may hold any text: what would move the cursor does not reach the terminal.</summary>
    private static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '\xfffd' : c));
}
