using System.Globalization;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>One group of bars a method, lying down so that long names can be read, with intervals over seeds.</summary>
internal static class BarsPlot
{
    private const int Width = 400, RowHeight = 24;

    /// <summary>The figure; null when no row recorded the family.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var members = SeriesData.Members(rows.Select(r => r.Row), card.Series);
        var groups = rows.Select(r => (Row: r, Bars: SeriesData.Bars(r.Row, card.Series, members))).Where(g => g.Bars.Count > 0).ToList();
        if (groups.Count == 0)
            return null;
        // one axis for all methods: a bar is the same length wherever it means the same
        var scale = PlotScale.Linear(groups.SelectMany(g => g.Bars).SelectMany(b => (double[])[0, b.Value.Mean, b.Value.Low, b.Value.High]), "", room: 0.02, count: 4);
        return Markup.Of($"""<div class="panels">{groups.Select(g => Markup.Of($"""<div class="panel"><h4>{Swatch.Of(styles[g.Row])}{g.Row.Row.Label}</h4>{One(card, g.Bars, styles[g.Row], scale, $"{card.Title}: {g.Row.Row.Label}; {string.Join(", ", g.Bars.Select(b => string.Create(CultureInfo.InvariantCulture, $"{b.Member} {b.Value.Mean:G3}")))}")}</div>"""))}</div>""");
    }

    private static Markup One(FigureCard card, IReadOnlyList<(string Member, Interval Value)> bars, MethodStyle style, PlotScale x, string title)
    {
        int left = (int)Math.Clamp(bars.Max(b => TextFit.Width(b.Member)) + 14, 40, 150), height = RowHeight * bars.Count + 52;
        using var plot = new SvgPlot(Width, height, new(left, 54, 6, 46), x, new PlotScale(0, bars.Count, false, []), grid: false);
        foreach (var (at, label) in x.Ticks)
        {
            plot.Line([(at, 0), (at, bars.Count)], SvgPlot.Ink(at == 0 ? "ink" : "grid"), 1);
            plot.Text(plot.Pixel(at, 0).X, height - 34, label, "middle", "tick");
        }
        plot.Text(left + (Width - left - 54) / 2.0, height - 10, card.Y, "middle", "axis");
        for (int i = 0; i < bars.Count; i++)
        {
            double middle = bars.Count - i - 0.5;
            var (member, value) = bars[i];
            plot.Box(Math.Min(0, value.Mean), Math.Max(0, value.Mean), middle - 0.3, middle + 0.3, plot.Ink(style).WithAlpha(.85));
            if (!double.IsNaN(value.HalfWidth))
                plot.Line([(value.Low, middle), (value.High, middle)], SvgPlot.Ink("ink"), 1.25f);
            double py = plot.Pixel(0, middle).Y;
            plot.Text(left - 7, py, TextFit.Shorten(member, left - 12), "end", "name");
            plot.Text(Width - 50, py, value.Mean.ToString("G3", CultureInfo.InvariantCulture), "start", "tick");
        }
        return plot.ToMarkup(title, "plot");
    }
}
