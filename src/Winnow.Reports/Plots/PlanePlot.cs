using ScottPlot;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>One metric against another, a point a method: better is up and to the right, whichever way the metrics count. Under a roof, where there is one.</summary>
internal static class PlanePlot
{
    /// <summary>The figure for wide and for narrow screens; null when no row has both metrics.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<MetricCard> metrics, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var up = metrics.FirstOrDefault(m => m.Name == card.Series);
        var across = metrics.FirstOrDefault(m => m.Name == card.Across);
        if (up is null || across is null)
            return null;
        var points = rows.Where(r => Has(r, up) && Has(r, across)).Select(r => (Row: r, X: r.Metrics[across.Name], Y: r.Metrics[up.Name])).ToList();
        if (points.Count == 0)
            return null;
        double bytes = Roof("bytes_per_second") / 1e9, flops = Roof("flops_per_second") / 1e9;
        return Markup.Of($"""<div class="wide-only">{Sized(960, 460)}</div><div class="narrow-only">{Sized(350, 340)}</div>""");

        double Roof(string member) => card.Roof is null ? double.NaN : rows.SelectMany(r => SeriesData.Line(r.Row, $"{card.Roof}/{member}")).Select(p => p.Value.Mean).DefaultIfEmpty(double.NaN).Average();

        Markup Sized(int width, int height)
        {
            var space = new Margins(width > 500 ? 72 : 44, 16, 16, 48);
            var (x, y) = (new Turned(points.Select(p => p.X), across, width > 500 ? 8 : 4), new Turned(points.Select(p => p.Y).Concat(double.IsNaN(flops) ? [] : [new Interval(flops, flops, flops)]), up, 6));
            using var plot = new SvgPlot(width, height, space, x.Scale, y.Scale);
            if (!double.IsNaN(flops + bytes))
            {
                // min(peak, bandwidth · intensity): its bend is at the intensity peak / bandwidth
                double[] places = [.. x.Ends.Append(flops / bytes).Where(v => v >= x.Ends[0] && v <= x.Ends[1]).Order()];
                plot.Line([.. places.Select(v => (x.At(v), Math.Max(y.Scale.Low, y.At(Math.Min(flops, v * bytes)))))], SvgPlot.Ink("front"), 1.5f);
            }
            foreach (var p in points)
            {
                var ink = plot.Ink(styles[p.Row]).WithAlpha(.55);
                if (!double.IsNaN(p.X.HalfWidth))
                    plot.Line([(x.Clamped(p.X.Low), y.At(p.Y.Mean)), (x.Clamped(p.X.High), y.At(p.Y.Mean))], ink, 1.25f);
                if (!double.IsNaN(p.Y.HalfWidth))
                    plot.Line([(x.At(p.X.Mean), y.Clamped(p.Y.Low)), (x.At(p.X.Mean), y.Clamped(p.Y.High))], ink, 1.25f);
            }
            foreach (var family in points.Where(p => styles.Family(p.Row) is not null).GroupBy(p => styles.Family(p.Row)))
                plot.Line([.. family.OrderBy(p => x.At(p.X.Mean)).Select(p => (x.At(p.X.Mean), y.At(p.Y.Mean)))], plot.Ink(styles[family.First().Row]).WithAlpha(.7), 1.5f);
            foreach (var p in points)
                plot.Plot.Add.Marker(x.At(p.X.Mean), y.At(p.Y.Mean), styles[p.Row].Bound ? MarkerShape.OpenCircle : MarkerShape.FilledCircle, 8, plot.Ink(styles[p.Row]));
            plot.Axes(card.X, width > 500 ? card.Y : "");
            int longest = width > 500 ? 230 : 100;
            // a family is named once, at its leanest
            var order = points.GroupBy(p => styles.Family(p.Row) ?? p.Row.Row.Label).Select(g => g.MaxBy(p => x.At(p.X.Mean))).OrderBy(p => !styles[p.Row].Highlighted).ToList();
            string Named(ComparisonRow row) => TextFit.Shorten(styles.Family(row) ?? row.Row.Label, longest);
            var labels = LabelPlacement.Place([.. order.Select(p => (plot.Pixel(x.At(p.X.Mean), y.At(p.Y.Mean)), Named(p.Row)))],
                [.. points.Select(p => Area.Around(plot.Pixel(x.At(p.X.Mean), y.At(p.Y.Mean)), 6))], new(space.Left + 2, space.Top - 10, width - 4, height - space.Bottom));
            foreach (var (p, label) in order.Zip(labels))
                if (label is { } at)
                    plot.Tie(plot.Pixel(x.At(p.X.Mean), y.At(p.Y.Mean)), at, Named(p.Row), styles[p.Row]);
            return plot.ToMarkup($"{card.Title}: {string.Join("; ", points.Select(p => $"{p.Row.Row.Label} {across.Title} {Format.Of(p.Row.Metrics[across.Name].Mean, across.Unit)}, {up.Title} {Format.Of(p.Row.Metrics[up.Name].Mean, up.Unit)}"))}", "plot");
        }
    }

    private static bool Has(ComparisonRow row, MetricCard metric) => row.Metrics.TryGetValue(metric.Name, out var value) && double.IsFinite(value.Mean);

    /// <summary>An axis along which better is further: that of a metric of which less is better is turned. Logarithmic where amounts differ much.</summary>
    private sealed class Turned
    {
        private const double Wide = 5; // a price of which one policy takes five times as much as another is read in factors
        private readonly PlotScale _straight;
        private readonly double _sign;

        public Turned(IEnumerable<Interval> values, MetricCard metric, int count)
        {
            double[] means = [.. values.Select(v => v.Mean)];
            _sign = metric.Better == Better.Higher ? 1 : -1;
            _straight = metric.Price ? PlotScale.Amounts(means, metric.Unit, count, Wide) : metric.Unit != "fraction" && means.All(v => v >= 0) && means.Any(v => v > 0) ? PlotScale.Amounts(means, metric.Unit, count) : PlotScale.Linear(means, metric.Unit, count: count);
            Scale = _sign > 0 ? _straight : _straight with { Low = -_straight.High, High = -_straight.Low, Ticks = [.. _straight.Ticks.Select(t => (-t.At, t.Label))] };
        }

        public PlotScale Scale { get; }

        /// <summary>The values at the two ends, the smaller first.</summary>
        public double[] Ends => _straight.Logarithmic ? [Math.Pow(10, _straight.Low), Math.Pow(10, _straight.High)] : [_straight.Low, _straight.High];

        /// <summary>The place of a value; nothing lies at the end of a logarithmic axis.</summary>
        public double At(double value) => _sign * (_straight.Logarithmic && value <= 0 ? _straight.Low : _straight.At(value));

        /// <summary>The place of the end of a whisker: no further than the axis reaches.</summary>
        public double Clamped(double value) => Math.Clamp(At(value), Scale.Low, Scale.High);
    }
}
