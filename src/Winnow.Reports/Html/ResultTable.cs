using System.Globalization;
using Winnow.Core;
using Winnow.Reports.Plots;

namespace Winnow.Reports.Html;

/// <summary>The table of a task: sortable where script runs, complete without it.</summary>
internal static class ResultTable
{
    public static Markup Of(Comparison comparison, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var metrics = comparison.Arena.MetricsOf(rows[0].Row.Task).Where(m => rows.Any(r => r.Metrics.ContainsKey(m.Name))).ToList();
        string? baseline = rows.Select(r => r.TestedAgainst).FirstOrDefault(b => b is not null);
        var primary = comparison.PrimaryOf(rows[0].Row.Task);
        var strip = Strip.Of(primary, rows);
        string prices = Comparison.Prices(comparison.MetricsOf(rows[0].Row.Task));
        return Markup.Of($"""
            <div class="scroll" role="region" aria-label="Results" tabindex="0"><table class="results sortable">
            <thead><tr>
            <th scope="col" data-sort="text">method</th>
            {metrics.Take(1).Select(Heading)}
            {(baseline is null ? Markup.Empty : Markup.Of($"""<th scope="col" data-sort="{(primary.Better == Better.Higher ? "down" : "up")}" title="paired difference in {primary.Title}, seed by seed">Δ {baseline}</th><th scope="col" data-sort="up" title="paired t-test, Holm-corrected">p</th>"""))}
            {metrics.Skip(1).Select(Heading)}
            <th scope="col" data-sort="up" title="largest resident set of a trial's process">peak</th><th scope="col" data-sort="up" title="processor time of a trial">cpu</th><th scope="col" data-sort="up" title="time from start to end of a trial">wall</th>
            </tr></thead>
            <tbody>{rows.Select(r => Row(r, metrics, primary, strip, baseline is not null, styles[r], prices))}</tbody>
            </table></div>
            <p class="note">{Legend(prices, rows, baseline)}</p>
            <details class="glossary"><summary>How each number is computed</summary><dl>{metrics.Select(m => Markup.Of($"<dt>{m.Title}</dt><dd>{m.Formula} <span class=\"muted\">({m.Unit}, {(m.Better == Better.Higher ? "higher" : "lower")} is better)</span></dd>"))}</dl></details>
            """);
    }

    private static Markup Row(ComparisonRow row, List<MetricCard> metrics, MetricCard primary, Strip? strip, bool tested, MethodStyle style, string prices)
    {
        var marks = new List<Markup>();
        if (row.Pareto && !style.Bound)
            marks.Add(Markup.Of($"""<span class="pareto" role="img" aria-label="Pareto-optimal" title="no other row but a bound is at least as good in {prices}">◆</span>"""));
        if (Comparison.IsBound(row.Row))
            marks.Add(Markup.Of($"""<span class="tag">bound</span>"""));
        if (row.Row.Failed.Count > 0)
            marks.Add(Markup.Of($"""<a class="tag failed" href="#failures">{row.Row.Failed.Count} failed</a>"""));
        bool finished = row.Row.Done.Count > 0;
        Markup Value(MetricCard m) => row.Metrics.TryGetValue(m.Name, out var v) ? Cell(v.Mean, Format.Of(v, m.Unit), m.Name == primary.Name ? strip?.Draw(v, style) : null, m.Name == primary.Name) : Cell(double.NaN, "–");
        return Markup.Of($"""
            <tr data-m="{style.Index}" class="{(style.Bound ? "bound" : row.Row.Method.Kind == MethodKind.Seed ? "seed" : "baseline")}">
            <th scope="row" data-value="{row.Row.Label}"><a href="#method-{row.Row.Method.Id}">{Swatch.Of(style)}{row.Row.Label}</a> {Markup.Join(marks, " ")}</th>
            {metrics.Take(1).Select(Value)}
            {(tested ? Markup.Of($"{Cell(row.Difference, double.IsNaN(row.Difference) ? "–" : Format.Signed(row.Difference, primary.Unit))}{Cell(row.PHolm, double.IsNaN(row.PHolm) ? "–" : Format.P(row.PHolm), row.Significant ? Sign(row) : null)}") : Markup.Empty)}
            {metrics.Skip(1).Select(Value)}
            {(finished ? Cell(row.PeakMemoryBytes, Format.Bytes(row.PeakMemoryBytes)) : Cell(double.NaN, "–"))}{Cell(row.CpuSeconds, Format.Seconds(row.CpuSeconds))}{Cell(row.WallSeconds, Format.Seconds(row.WallSeconds))}
            </tr>
            """);
    }

    private static Markup Heading(MetricCard metric) =>
        Markup.Of($"""<th scope="col" data-sort="{(metric.Better == Better.Higher ? "down" : "up")}" title="{metric.Formula}">{metric.Title}</th>""");

    private static Markup Sign(ComparisonRow row) => row.BetterThanBaseline
        ? Markup.Of($""" <span class="better" role="img" aria-label="significantly better">▲</span>""")
        : Markup.Of($""" <span class="worse" role="img" aria-label="significantly worse">▼</span>""");

    private static Markup Cell(double value, string text, Markup? more = null, bool primary = false) =>
        Markup.Of($"""<td{(primary ? new Markup(" class=\"primary\"") : Markup.Empty)} data-value="{(double.IsFinite(value) ? value.ToString("R", CultureInfo.InvariantCulture) : "")}">{Number(text)}{more ?? Markup.Empty}</td>""");

    /// <summary>The half-width of an interval reads as a remark to its mean; a negative number has a minus sign, not a hyphen.</summary>
    private static Markup Number(string text)
    {
        string number = text is ['-', .. var rest] ? $"−{rest}" : text;
        return number.Split(" ± ") is [var mean, var half] ? Markup.Of($"{mean}<span class=\"half\"> ± {half}</span>") : Markup.Of($"{number}");
    }

    private static string Legend(string prices, IReadOnlyList<ComparisonRow> rows, string? baseline)
    {
        int seeds = rows.Max(r => r.Row.Done.Count);
        string legend = seeds > 1 ? $"Mean ± half the 95% t-interval over {seeds} seeds; peak memory is the largest over seeds, times are means." : "One seed: no intervals, no tests.";
        if (baseline is not null)
            legend += $" Δ and p: paired with {baseline}, the best baseline, on the same seeds, p after Holm's correction; ▲ significantly better, ▼ significantly worse at 5%. Bounds are not tested.";
        if (rows.Any(r => r.DifferenceInterval.HalfWidth < 1e-12))
            legend += " Where a difference is the same on every seed the t-test does not exist and p is that of the exact sign-flip test.";
        if (rows.Any(r => r.Row.Method.Kind == MethodKind.Seed))
            legend += " Bold: the methods under study; the others are baselines.";
        return legend + $" ◆ no other row but a bound is at least as good in {prices}.";
    }

    /// <summary>The interval of the primary metric as a mark on a common scale, beneath the number.</summary>
    private sealed record Strip(double Low, double High)
    {
        public static Strip? Of(MetricCard metric, IReadOnlyList<ComparisonRow> rows)
        {
            double[] ends = [.. rows.Where(r => r.Metrics.ContainsKey(metric.Name)).Select(r => r.Metrics[metric.Name]).SelectMany(v => (double[])[v.Mean, v.Low, v.High]).Where(double.IsFinite)];
            return ends.Length == 0 || ends.Max() == ends.Min() ? null : new(ends.Min(), ends.Max());
        }

        public Markup Draw(Interval value, MethodStyle style)
        {
            if (!double.IsFinite(value.Mean))
                return Markup.Empty;
            string band = double.IsNaN(value.HalfWidth) ? "" : FormattableString.Invariant($"<i style=\"left:{At(value.Low):F1}%;width:{At(value.High) - At(value.Low):F1}%\"></i>");
            return new(FormattableString.Invariant($"<span class=\"strip\" style=\"color:var(--{style.Ink})\" aria-hidden=\"true\">{band}<b style=\"left:{At(value.Mean):F1}%\"></b></span>"));
        }

        private double At(double value) => 100 * (value - Low) / (High - Low);
    }
}
