using System.Globalization;
using System.Text;

namespace Winnow.Reports;

/// <summary>The table on the terminal.</summary>
public static class ComparisonText
{
    /// <summary>One table a task, best row first, with what the marks mean.</summary>
    public static string ToText(this Comparison comparison)
    {
        var text = new StringBuilder();
        foreach (string task in comparison.Tasks)
        {
            var rows = comparison.RowsOf(task);
            string? baseline = rows.Select(r => r.TestedAgainst).FirstOrDefault(b => b is not null);
            var metrics = comparison.Arena.Metrics.Take(3).ToList();
            List<string[]> cells = [["", task, .. metrics.Select(m => m.Title), "model", "memory", "peak", "cpu", baseline is null ? "p" : $"p vs {baseline}"]];
            foreach (var r in rows)
                cells.Add([r.Pareto ? "*" : "", r.Row.Label + (r.Row.Failed.Count > 0 ? $" ({r.Row.Failed.Count} failed)" : ""),
                    .. metrics.Select(m => r.Metrics.TryGetValue(m.Name, out var v) ? Format.Of(v, m.Unit) : "–"),
                    Cost(r, "model_bytes"), Cost(r, "memory_bytes"), Format.Bytes(r.PeakMemoryBytes), Format.Seconds(r.CpuSeconds),
                    Format.P(r.PHolm) + (r.Significant ? r.BetterThanBaseline ? " +" : " -" : "")]);
            int[] widths = [.. Enumerable.Range(0, cells[0].Length).Select(c => cells.Max(row => row[c].Length))];
            foreach (string[] row in cells)
                text.AppendLine(string.Join("  ", row.Select((cell, c) => c <= 1 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c]))).TrimEnd());
            int seeds = rows.Max(r => r.Row.Done.Count);
            text.AppendLine(CultureInfo.InvariantCulture, $"mean ± 95% t-interval over {seeds} seed{(seeds == 1 ? "" : "s")}; * no other row is as good in {comparison.Primary.Title}, peak memory and cpu time; p paired, Holm-corrected, + better - worse");
        }
        return text.ToString();
    }

    private static string Cost(ComparisonRow row, string metric) => row.Metrics.TryGetValue(metric, out var v) ? Format.Bytes(v.Mean) : "–";
}
