using ScottPlot;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>A named line of a figure.</summary>
/// <param name="Label">What stands at its end.</param>
/// <param name="Style">How it is drawn.</param>
/// <param name="Points">Its points, ascending in x.</param>
internal readonly record struct NamedLine(string Label, MethodStyle Style, IReadOnlyList<(double X, Interval Value)> Points);

/// <summary>Lines with their intervals as bands, and their names at their ends.</summary>
internal static class LinesPlot
{
    private const int LabelHeight = 15;
    private const int MostBands = 12;
    private static readonly MarkerShape[] Shapes = [MarkerShape.FilledCircle, MarkerShape.FilledSquare, MarkerShape.FilledTriangleUp, MarkerShape.FilledDiamond, MarkerShape.FilledTriangleDown];

    /// <summary>One line a method over steps, for wide and for narrow screens, and the rows it was learned from as dots where they were recorded; null when no row recorded the series.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles, string title)
    {
        var lines = rows.Select(r => new NamedLine(r.Row.Label, styles[r], [.. SeriesData.Line(r.Row, card.Series).Select(p => ((double)p.Step, p.Value))])).Where(l => l.Points.Count > 0).ToList();
        return lines.Count == 0 ? null : Draw(lines, card.X, card.Y, title, Unit(lines), Steps, [.. rows.Select(r => SeriesData.Dots(r.Row, card.Series)).FirstOrDefault(d => d.Count > 0, []).Select(p => ((double)p.Step, p.Value))],
            [.. rows.SelectMany(r => SeriesData.Band(r.Row, card.Series))]);
    }

    /// <summary>Any lines, for wide and for narrow screens.</summary>
    /// <param name="lines">At least one, each with at least one point.</param>
    /// <param name="xTitle">Label of the x axis.</param>
    /// <param name="yTitle">Label of the y axis.</param>
    /// <param name="title">What a screen reader says.</param>
    /// <param name="unit">Unit of the y axis.</param>
    /// <param name="scale">The x axis for the places of all points, distinct and ascending, and a width.</param>
    /// <param name="dots">Points behind the lines, in any order; their places count for the y axis.</param>
    /// <param name="band">Ends of bands that are data themselves; the y axis reaches them, but at most its own length beyond lines and points on each side, so that these can still be read.</param>
    public static Markup Draw(IReadOnlyList<NamedLine> lines, string xTitle, string yTitle, string title, string unit, Func<IReadOnlyList<double>, int, PlotScale> scale, IReadOnlyList<(double X, double Y)>? dots = null, IReadOnlyList<double>? band = null)
    {
        int label = (int)lines.Max(l => TextFit.Width(l.Label)) + 30;
        return Markup.Of($"""<div class="wide-only">{Sized(960, 420, Math.Min(label, 190))}</div><div class="narrow-only">{Sized(350, 380, Math.Min(label, 112))}</div>""");

        Markup Sized(int width, int height, int right)
        {
            height = Math.Max(height, 70 + LabelHeight * lines.Count);
            double[] shown = [.. lines.SelectMany(l => l.Points).Select(p => p.Value.Mean), .. (dots ?? []).Select(d => d.Y)];
            double low = shown.Min(), high = shown.Max();
            var y = PlotScale.Linear([.. shown, .. (band ?? []).Select(v => Math.Clamp(v, 2 * low - high, 2 * high - low))], unit);
            var x = scale([.. lines.SelectMany(l => l.Points).Select(p => p.X).Distinct().Order()], width);
            if (x.High - x.Low < 1e-6)
                x = x with { Low = x.Low - 1, High = x.High + 1 };
            using var plot = new SvgPlot(width, height, new(width > 500 ? 58 : 44, right, 14, 48), x, y);
            foreach (var line in lines.Reverse().Where(_ => lines.Count <= MostBands)) // more of them hide the lines
                Band(plot, line);
            if (dots is { Count: > 0 })
                plot.Plot.Add.Markers(dots.Select(d => plot.X.At(d.X)).ToArray(), dots.Select(d => d.Y).ToArray(), MarkerShape.FilledCircle, 4, plot.Ink(lines[0].Style).WithAlpha(.35));
            foreach (var line in lines.Reverse().OrderBy(l => l.Style.Highlighted))
                Line(plot, line);
            plot.Axes(xTitle, width > 500 ? yTitle : "");
            Label(plot, lines, width, height, right);
            return plot.ToMarkup(title, "plot");
        }
    }

    private static void Band(SvgPlot plot, NamedLine line)
    {
        var banded = line.Points.Where(p => !double.IsNaN(p.Value.HalfWidth)).ToList();
        if (banded.Count < 2)
            return;
        var band = plot.Plot.Add.FillY([.. banded.Select(p => plot.X.At(p.X))], [.. banded.Select(p => Math.Max(plot.Y.Low, p.Value.Low))], [.. banded.Select(p => Math.Min(plot.Y.High, p.Value.High))]);
        band.FillColor = plot.Ink(line.Style).WithAlpha(line.Style.Highlighted ? .14 : .08);
        band.LineWidth = band.MarkerSize = 0;
    }

    private static void Line(SvgPlot plot, NamedLine line)
    {
        var style = line.Style;
        (double X, double Y)[] points = [.. line.Points.Select(p => (plot.X.At(p.X), p.Value.Mean))];
        plot.Line(points, plot.Ink(style), style.Highlighted ? 2 : 1.25f, style.Bound ? LinePattern.Dashed : null);
        if (style.Highlighted && points.Length <= 20)
            plot.Plot.Add.Markers(points.Select(p => p.X).ToArray(), points.Select(p => p.Y).ToArray(), Shapes[style.Index % Shapes.Length], 6, plot.Ink(style));
    }

    /// <summary>An axis of steps: all of them when they are few.</summary>
    private static PlotScale Steps(IReadOnlyList<double> steps, int width) => steps.Count <= 12
        ? new PlotScale(steps[0], Math.Max(steps[^1], steps[0] + 1e-9), false, [.. steps.Select(s => (s, Format.Of(s, "steps")))])
        : PlotScale.Linear(steps, "steps", room: 0, count: width > 500 ? 8 : 4);

    /// <summary>Names at the ends of the lines, pushed apart so that none covers another.</summary>
    private static void Label(SvgPlot plot, IReadOnlyList<NamedLine> lines, int width, int height, int right)
    {
        var ends = lines.Select(l => (Line: l, End: plot.Pixel(plot.X.At(l.Points[^1].X), l.Points[^1].Value.Mean))).OrderBy(e => e.End.Y).ToList();
        double[] at = Spread([.. ends.Select(e => e.End.Y)], LabelHeight, 8, height - 44);
        double left = width - right + 16;
        for (int i = 0; i < ends.Count; i++)
        {
            var style = ends[i].Line.Style;
            plot.Leader(ends[i].End.X + 4, ends[i].End.Y, left - 3, at[i], style);
            plot.Text(left, at[i], TextFit.Shorten(ends[i].Line.Label, right - 18), "start", style.Highlighted ? "name" : "name rest", style);
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

    private static string Unit(IEnumerable<NamedLine> lines) => lines.SelectMany(l => l.Points).All(p => p.Value.Mean is >= 0 and <= 1) ? "fraction" : "";
}
