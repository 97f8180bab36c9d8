using ScottPlot;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>One line a method over steps, with its interval as a band, and its name at the end of the line.</summary>
internal static class LinesPlot
{
    private const int LabelHeight = 15;
    private static readonly MarkerShape[] Shapes = [MarkerShape.FilledCircle, MarkerShape.FilledSquare, MarkerShape.FilledTriangleUp, MarkerShape.FilledDiamond, MarkerShape.FilledTriangleDown];

    /// <summary>The figure for wide and for narrow screens; null when no row recorded the series.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles, string title)
    {
        var lines = rows.Select(r => (Row: r, Points: SeriesData.Line(r.Row, card.Series))).Where(l => l.Points.Count > 0).ToList();
        if (lines.Count == 0)
            return null;
        int label = (int)lines.Max(l => TextFit.Width(l.Row.Row.Label)) + 30;
        return Markup.Of($"""<div class="wide-only">{Sized(card, lines, styles, title, 960, 420, Math.Min(label, 190))}</div><div class="narrow-only">{Sized(card, lines, styles, title, 350, 380, Math.Min(label, 112))}</div>""");
    }

    private static Markup Sized(FigureCard card, List<(ComparisonRow Row, IReadOnlyList<(long Step, Interval Value)> Points)> lines, MethodStyles styles, string title, int width, int height, int right)
    {
        height = Math.Max(height, 70 + LabelHeight * lines.Count);
        var y = PlotScale.Linear(lines.SelectMany(l => l.Points).Select(p => p.Value.Mean), Unit(lines.SelectMany(l => l.Points).Select(p => p.Value)));
        var steps = lines.SelectMany(l => l.Points).Select(p => (double)p.Step).Distinct().Order().ToList();
        var x = steps.Count <= 12
            ? new PlotScale(steps[0], Math.Max(steps[^1], steps[0] + 1e-9), false, [.. steps.Select(s => (s, Format.Of(s, "steps")))])
            : PlotScale.Linear(steps, "steps", room: 0, count: width > 500 ? 8 : 4);
        if (x.High - x.Low < 1e-6)
            x = x with { Low = x.Low - 1, High = x.High + 1 };
        using var plot = new SvgPlot(width, height, new(width > 500 ? 58 : 44, right, 14, 48), x, y);

        foreach (var (row, points) in lines.AsEnumerable().Reverse())
        {
            var style = styles[row];
            var ink = plot.Ink(style);
            var banded = points.Where(p => !double.IsNaN(p.Value.HalfWidth)).ToList();
            if (banded.Count > 1)
            {
                var band = plot.Plot.Add.FillY([.. banded.Select(p => (double)p.Step)], [.. banded.Select(p => Math.Max(y.Low, p.Value.Low))], [.. banded.Select(p => Math.Min(y.High, p.Value.High))]);
                band.FillColor = ink.WithAlpha(style.Highlighted ? .14 : .08);
                band.LineWidth = band.MarkerSize = 0;
            }
        }
        foreach (var (row, points) in lines.AsEnumerable().Reverse().OrderBy(l => styles[l.Row].Highlighted))
        {
            var style = styles[row];
            plot.Line([.. points.Select(p => ((double)p.Step, p.Value.Mean))], plot.Ink(style), style.Highlighted ? 2 : 1.25f, style.Bound ? LinePattern.Dashed : null);
            if (style.Highlighted && points.Count <= 20)
                plot.Plot.Add.Markers(points.Select(p => (double)p.Step).ToArray(), points.Select(p => p.Value.Mean).ToArray(), Shapes[style.Index % Shapes.Length], 6, plot.Ink(style));
        }

        plot.Axes(card.X, width > 500 ? card.Y : "");
        Label(plot, lines, styles, width, height, right);
        return plot.ToMarkup(title, "plot");
    }

    /// <summary>Names at the ends of the lines, pushed apart so that none covers another.</summary>
    private static void Label(SvgPlot plot, List<(ComparisonRow Row, IReadOnlyList<(long Step, Interval Value)> Points)> lines, MethodStyles styles, int width, int height, int right)
    {
        var ends = lines.Select(l => (l.Row, End: plot.Pixel(l.Points[^1].Step, l.Points[^1].Value.Mean))).OrderBy(e => e.End.Y).ToList();
        double[] at = Spread([.. ends.Select(e => e.End.Y)], LabelHeight, 8, height - 44);
        double left = width - right + 16;
        for (int i = 0; i < ends.Count; i++)
        {
            var style = styles[ends[i].Row];
            plot.Leader(ends[i].End.X + 4, ends[i].End.Y, left - 3, at[i], style);
            plot.Text(left, at[i], TextFit.Shorten(ends[i].Row.Row.Label, right - 18), "start", style.Highlighted ? "name" : "name rest", style);
        }
    }

    /// <summary>The least squares positions, in order, that keep a distance: neighbours that are too close merge into a block around their mean.</summary>
    internal static double[] Spread(IReadOnlyList<double> wanted, double distance, double low, double high)
    {
        var blocks = new List<(double Sum, int Count)>();
        for (int i = 0; i < wanted.Count; i++)
        {
            // with positions z_i = y_i - i * distance the constraint is that z does not fall: isotonic regression by pooling
            blocks.Add((wanted[i] - i * distance, 1));
            while (blocks.Count > 1 && blocks[^2].Sum / blocks[^2].Count > blocks[^1].Sum / blocks[^1].Count)
            {
                blocks[^2] = (blocks[^2].Sum + blocks[^1].Sum, blocks[^2].Count + blocks[^1].Count);
                blocks.RemoveAt(blocks.Count - 1);
            }
        }
        double top = Math.Max(low, high - (wanted.Count - 1) * distance);
        return [.. blocks.SelectMany(b => Enumerable.Repeat(b.Sum / b.Count, b.Count)).Select((z, i) => Math.Clamp(z, low, top) + i * distance)];
    }

    private static string Unit(IEnumerable<Interval> values) => values.All(v => v.Mean is >= 0 and <= 1) ? "fraction" : "";
}
