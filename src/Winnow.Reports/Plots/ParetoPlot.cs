using ScottPlot;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>The primary metric against a cost, with the rows that no other beats in both joined by a line.</summary>
internal static class ParetoPlot
{
    /// <summary>The figure for wide and for narrow screens; null when no row has both numbers.</summary>
    public static Markup? Draw(MetricCard metric, string cost, string unit, Func<ComparisonRow, double> costOf, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var points = rows.Where(r => r.Metrics.TryGetValue(metric.Name, out var m) && double.IsFinite(m.Mean) && double.IsFinite(costOf(r)) && costOf(r) > 0)
            .Select(r => (Row: r, Value: r.Metrics[metric.Name], Cost: costOf(r))).ToList();
        if (points.Count == 0)
            return null;
        return Markup.Of($"""<div><div class="wide-only">{Sized(metric, cost, unit, points, styles, 540, 400)}</div><div class="narrow-only">{Sized(metric, cost, unit, points, styles, 350, 320)}</div></div>""");
    }

    private static Markup Sized(MetricCard metric, string cost, string unit, List<(ComparisonRow Row, Interval Value, double Cost)> points, MethodStyles styles, int width, int height)
    {
        var space = new Margins(width > 500 ? 56 : 44, 16, 16, 48);
        int longest = width > 500 ? 130 : 100;
        var x = PlotScale.Amounts(points.Select(p => p.Cost), unit, count: width > 500 ? 5 : 3);
        var y = PlotScale.Linear(points.SelectMany(p => (double[])[p.Value.Mean, p.Value.Low, p.Value.High]), metric.Unit);
        using var plot = new SvgPlot(width, height, space, x, y);
        double sign = metric.Better == Better.Higher ? -1 : 1;
        // bounds are read, not competed with: they neither join the front nor push a row off it
        var best = Statistics.Pareto([.. points.Select(p => (IReadOnlyList<double>)(styles[p.Row].Bound ? [double.NaN, double.NaN] : [sign * p.Value.Mean, p.Cost]))]);

        var front = points.Where((_, i) => best[i]).OrderBy(p => p.Cost).ToList();
        List<(double X, double Y)> stairs = [.. front.SelectMany((p, i) => i == 0 ? (IEnumerable<(double, double)>)[(x.At(p.Cost), p.Value.Mean)] : [(x.At(p.Cost), front[i - 1].Value.Mean), (x.At(p.Cost), p.Value.Mean)])];
        plot.Line(stairs, SvgPlot.Ink("front"), 1.5f);
        foreach (var p in points)
            if (!double.IsNaN(p.Value.HalfWidth))
                plot.Line([(x.At(p.Cost), Math.Max(y.Low, p.Value.Low)), (x.At(p.Cost), Math.Min(y.High, p.Value.High))], plot.Ink(styles[p.Row]).WithAlpha(.55), 1.25f);
        for (int i = 0; i < points.Count; i++)
            plot.Plot.Add.Marker(x.At(points[i].Cost), points[i].Value.Mean, styles[points[i].Row].Bound ? MarkerShape.OpenCircle : best[i] ? MarkerShape.FilledDiamond : MarkerShape.FilledCircle, best[i] ? 10 : 8, plot.Ink(styles[points[i].Row]));

        plot.Axes(cost, width > 500 ? metric.Title : "");
        var order = Enumerable.Range(0, points.Count).OrderBy(i => !best[i]).ThenBy(i => !styles[points[i].Row].Highlighted).ToList();
        var labels = LabelPlacement.Place([.. order.Select(i => (plot.Pixel(x.At(points[i].Cost), points[i].Value.Mean), TextFit.Shorten(points[i].Row.Row.Label, longest)))],
            [.. points.Select(p => Area.Around(plot.Pixel(x.At(p.Cost), p.Value.Mean), 6)), .. stairs.Zip(stairs.Skip(1), (a, b) => Area.Between(plot.Pixel(a.X, a.Y), plot.Pixel(b.X, b.Y)))], new(space.Left + 2, space.Top - 10, width - 4, height - space.Bottom));
        for (int k = 0; k < order.Count; k++)
            if (labels[k] is { } at)
            {
                var (row, value, amount) = points[order[k]];
                plot.Tie(plot.Pixel(x.At(amount), value.Mean), at, TextFit.Shorten(row.Row.Label, longest), styles[row]);
            }
        return plot.ToMarkup($"{metric.Title} against {cost}; not beaten in both: {string.Join(", ", front.Select(p => p.Row.Row.Label))}", "plot");
    }
}

/// <summary>A rectangle in pixels.</summary>
internal readonly record struct Area(double Left, double Top, double Right, double Bottom)
{
    public static Area Around((double X, double Y) point, double reach) => new(point.X - reach, point.Y - reach, point.X + reach, point.Y + reach);

    public static Area Between((double X, double Y) a, (double X, double Y) b) => new(Math.Min(a.X, b.X) - 1, Math.Min(a.Y, b.Y) - 1, Math.Max(a.X, b.X) + 1, Math.Max(a.Y, b.Y) + 1);

    public bool Meets(Area other) => Left < other.Right && other.Left < Right && Top < other.Bottom && other.Top < Bottom;

    public bool Holds(Area inner) => inner.Left >= Left && inner.Right <= Right && inner.Top >= Top && inner.Bottom <= Bottom;
}

/// <summary>Finds room for the names of points; a name that finds none is left out, because a covered name reads as two wrong ones.</summary>
internal static class LabelPlacement
{
    private const double Height = 14;

    /// <summary>For each label, in order of importance, the left middle of its text, or null.</summary>
    public static IReadOnlyList<(double X, double Y)?> Place(IReadOnlyList<((double X, double Y) At, string Text)> labels, IReadOnlyList<Area> marks, Area bounds)
    {
        var taken = marks.ToList();
        var placed = new List<(double, double)?>();
        foreach (var (at, text) in labels)
        {
            double width = TextFit.Width(text);
            (double X, double Y)? found = null;
            foreach (double away in (double[])[0, 10, 20, 32])
            {
                (double, double)[] candidates = [(at.X + 9 + away, at.Y), (at.X + 7 + away / 2, at.Y - 11 - away), (at.X + 7 + away / 2, at.Y + 11 + away), (at.X - 9 - away - width, at.Y),
                    (at.X - 7 - width, at.Y - 11 - away), (at.X - 7 - width, at.Y + 11 + away), (at.X - width / 2, at.Y - 14 - away), (at.X - width / 2, at.Y + 14 + away)];
                foreach (var (x, y) in candidates)
                {
                    var area = new Area(x - 1, y - Height / 2, x + width + 1, y + Height / 2);
                    if (!bounds.Holds(area) || taken.Any(area.Meets))
                        continue;
                    found = (x, y);
                    taken.Add(area);
                    break;
                }
                if (found is not null)
                    break;
            }
            placed.Add(found);
        }
        return placed;
    }
}
