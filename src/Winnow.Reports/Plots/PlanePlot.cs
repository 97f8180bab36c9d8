using ScottPlot;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>One metric against another, a point a method: better is up and to the right, whichever way the metrics count.</summary>
internal static class PlanePlot
{
    /// <summary>The figure for wide and for narrow screens; null when no row has both metrics.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<MetricCard> metrics, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var up = metrics.FirstOrDefault(m => m.Name == card.Series);
        var across = metrics.FirstOrDefault(m => m.Name == card.Across);
        if (up is null || across is null)
            return null;
        var points = rows.Where(r => Has(r, up) && Has(r, across)).Select(r => (Row: r, X: Turned(r.Metrics[across.Name], across), Y: Turned(r.Metrics[up.Name], up))).ToList();
        return points.Count == 0 ? null : Markup.Of($"""<div class="wide-only">{Sized(960, 460)}</div><div class="narrow-only">{Sized(350, 340)}</div>""");

        Markup Sized(int width, int height)
        {
            var space = new Margins(width > 500 ? 58 : 44, 16, 16, 48);
            PlotScale x = Axis(points.Select(p => p.X), across, width > 500 ? 8 : 4), y = Axis(points.Select(p => p.Y), up, 6);
            using var plot = new SvgPlot(width, height, space, x, y);
            foreach (var p in points)
            {
                var ink = plot.Ink(styles[p.Row]).WithAlpha(.55);
                if (!double.IsNaN(p.X.HalfWidth))
                    plot.Line([(Math.Max(x.Low, p.X.Low), p.Y.Mean), (Math.Min(x.High, p.X.High), p.Y.Mean)], ink, 1.25f);
                if (!double.IsNaN(p.Y.HalfWidth))
                    plot.Line([(p.X.Mean, Math.Max(y.Low, p.Y.Low)), (p.X.Mean, Math.Min(y.High, p.Y.High))], ink, 1.25f);
            }
            foreach (var p in points)
                plot.Plot.Add.Marker(p.X.Mean, p.Y.Mean, styles[p.Row].Bound ? MarkerShape.OpenCircle : MarkerShape.FilledCircle, 8, plot.Ink(styles[p.Row]));
            plot.Axes(card.X, width > 500 ? card.Y : "");
            int longest = width > 500 ? 130 : 100;
            var order = points.OrderBy(p => !styles[p.Row].Highlighted).ToList();
            var labels = LabelPlacement.Place([.. order.Select(p => (plot.Pixel(p.X.Mean, p.Y.Mean), TextFit.Shorten(p.Row.Row.Label, longest)))],
                [.. points.Select(p => Area.Around(plot.Pixel(p.X.Mean, p.Y.Mean), 6))], new(space.Left + 2, space.Top - 10, width - 4, height - space.Bottom));
            foreach (var (p, label) in order.Zip(labels))
                if (label is { } at)
                    plot.Tie(plot.Pixel(p.X.Mean, p.Y.Mean), at, TextFit.Shorten(p.Row.Row.Label, longest), styles[p.Row]);
            return plot.ToMarkup($"{card.Title}: {string.Join("; ", points.Select(p => $"{p.Row.Row.Label} {across.Title} {Format.Of(p.Row.Metrics[across.Name].Mean, across.Unit)}, {up.Title} {Format.Of(p.Row.Metrics[up.Name].Mean, up.Unit)}"))}", "plot");
        }
    }

    private static bool Has(ComparisonRow row, MetricCard metric) => row.Metrics.TryGetValue(metric.Name, out var value) && double.IsFinite(value.Mean);

    /// <summary>A metric of which less is better, with its sign turned.</summary>
    private static Interval Turned(Interval value, MetricCard metric) => metric.Better == Better.Higher ? value : new(-value.Mean, -value.High, -value.Low);

    private static PlotScale Axis(IEnumerable<Interval> values, MetricCard metric, int count)
    {
        double sign = metric.Better == Better.Higher ? 1 : -1;
        var scale = PlotScale.Linear(values.Select(v => sign * v.Mean), metric.Unit, count: count);
        return sign > 0 ? scale : new(-scale.High, -scale.Low, false, [.. scale.Ticks.Select(t => (-t.At, t.Label))]);
    }
}
