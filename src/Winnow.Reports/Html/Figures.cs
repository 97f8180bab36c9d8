using Winnow.Core;
using Winnow.Reports.Plots;

namespace Winnow.Reports.Html;

/// <summary>The figures of a task: those of the arena, and the metric against what it costs.</summary>
internal static class Figures
{
    public static Markup Of(Comparison comparison, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var finished = rows.Where(r => r.Row.Done.Count > 0).ToList();
        if (finished.Count == 0)
            return Markup.Empty;
        var figures = comparison.Arena.Figures.Select(card => (card, Drawn: Draw(comparison, card, finished, styles))).Where(f => f.Drawn is not null)
            .Select(f => One(f.card.Id, f.card.Title, f.card.Caption, f.Drawn!.Value)).ToList();
        if (Tradeoff(comparison.PrimaryOf(rows[0].Row.Task), finished, styles) is { } tradeoff)
            figures.Insert(Math.Min(1, figures.Count), tradeoff);
        figures.AddRange(OptionPlot.Draw(comparison.PrimaryOf(rows[0].Row.Task), finished, styles).Select(o => One($"option-{o.Option}", $"What {o.Option} does",
            $"{Capitalised(comparison.PrimaryOf(rows[0].Row.Task).Title)} against {o.Description}, everything else equal; the band is the 95% interval over seeds, dashed lines are bounds.", o.Drawn)));
        return Markup.Join(figures);
    }

    private static Markup? Draw(Comparison comparison, FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles) => card.Kind switch
    {
        FigureKind.Lines => LinesPlot.Draw(card, rows, styles, $"{card.Title}: {string.Join(", ", rows.Select(r => (r.Row.Label, Points: SeriesData.Line(r.Row, card.Series))).Where(l => l.Points.Count > 0).Select(l => $"{l.Label} ends at {Format.Of(l.Points[^1].Value.Mean, "fraction")}"))}"),
        FigureKind.Heatmap => HeatmapPlot.Draw(card, rows, styles),
        FigureKind.Bars => BarsPlot.Draw(card, rows, styles),
        FigureKind.Plane => PlanePlot.Draw(card, comparison.Arena.MetricsOf(rows[0].Row.Task), rows, styles),
        FigureKind.Map => MapPlot.Draw(card, rows, styles),
        FigureKind.Dendrogram => DendrogramPlot.Draw(card, rows, styles),
        FigureKind.Tree => TreePlot.Draw(card, rows, styles),
        FigureKind.Outline => OutlinePlot.Draw(card, rows, styles),
        _ => throw new ArgumentOutOfRangeException(nameof(card), card.Kind, "A figure is drawn in one of the ways that are named."),
    };

    private static Markup? Tradeoff(MetricCard metric, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var memory = ParetoPlot.Draw(metric, "peak memory", "bytes", r => r.PeakMemoryBytes, rows, styles);
        var time = ParetoPlot.Draw(metric, "cpu time", "seconds", r => r.CpuSeconds, rows, styles);
        if (memory is null && time is null)
            return null;
        string side = metric.Better == Better.Higher ? "up and to the left" : "down and to the left";
        return One("pareto", "What it costs", $"{Capitalised(metric.Title)} against peak memory and cpu time of a trial: better is {side}. The line joins the rows that none beats in both; open circles are bounds; whiskers are 95% intervals.",
            Markup.Of($"""<div class="panels pair">{memory ?? Markup.Empty}{time ?? Markup.Empty}</div>"""));
    }

    private static string Capitalised(string title) => title.Length == 0 ? title : $"{char.ToUpperInvariant(title[0])}{title[1..]}";

    private static Markup One(string id, string title, string caption, Markup drawn) => Markup.Of($"""
        <figure class="figure figure-{id}">
        <figcaption><h3>{title}</h3><p>{caption}</p></figcaption>
        {drawn}
        </figure>
        """);
}
