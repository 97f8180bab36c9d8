using System.Globalization;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>One matrix a method, all on one colour scale: the deeper the colour, the larger the value.</summary>
internal static class HeatmapPlot
{
    private const int Side = 210, Left = 24, Top = 6, Bottom = 22, Right = 4;

    /// <summary>The figure; null when no row recorded the family.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var present = rows.Where(r => SeriesData.Members([r.Row], card.Series).Count > 0).ToList();
        if (present.Count == 0)
            return null;
        var members = SeriesData.Members(present.Select(r => r.Row), card.Series);
        var steps = SeriesData.Steps(present.Select(r => r.Row), card.Series);
        var matrices = present.Select(r => (Row: r, Matrix: SeriesData.Matrix(r.Row, card.Series, steps, members))).ToList();
        var values = matrices.SelectMany(m => m.Matrix.Cast<double>()).Where(double.IsFinite).ToList();
        (double low, double high) = values.All(v => v is >= 0 and <= 1) ? (0, 1) : (values.Min(), values.Max());
        var panels = matrices.Select(m => Markup.Of($"""
            <div class="panel"><h4>{Swatch.Of(styles[m.Row])}{m.Row.Row.Label}</h4>{One(m.Matrix, steps, members, low, high, $"{card.Title}: {m.Row.Row.Label}; rows: {card.Y}, columns: {card.X}; {Words(m.Matrix)}")}</div>
            """));
        return Markup.Of($"""
            <p class="key"><span>rows: {card.Y}</span> <span>columns: {card.X}</span> <span class="scale">{Text(low, high - low)}<i class="ramp"></i>{Text(high, high - low)}</span></p>
            <div class="panels small">{panels}</div>
            """);
    }

    private static Markup One(double[,] matrix, IReadOnlyList<long> steps, IReadOnlyList<string> members, double low, double high, string title)
    {
        int rows = matrix.GetLength(0), columns = matrix.GetLength(1);
        var x = new PlotScale(0, columns, false, []);
        var y = new PlotScale(0, rows, false, []);
        int cell = (Side - Left - Right) / Math.Max(columns, 1);
        int height = Math.Clamp(cell * rows, 40, 400) + Top + Bottom;
        using var plot = new SvgPlot(Side, height, new(Left, Right, Top, Bottom), x, y, grid: false);
        double gap = columns <= 20 ? 0.03 : 0;
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
            {
                double v = matrix[i, j], share = high > low ? (v - low) / (high - low) : 1;
                var ink = double.IsNaN(v) ? SvgPlot.Ink("missing") : SvgPlot.Ink("accent").WithAlpha(0.04 + 0.96 * Math.Clamp(share, 0, 1));
                plot.Box(j + gap, j + 1 - gap, rows - i - 1 + gap, rows - i - gap, ink);
                if (columns <= 8 && !double.IsNaN(v))
                {
                    var (px, py) = plot.Pixel(j + 0.5, rows - i - 0.5);
                    plot.Text(px, py, Text(v, high - low), "middle", share > 0.55 ? "cell deep" : "cell");
                }
            }
        foreach (int j in Shown(columns))
            plot.Text(plot.Pixel(j + 0.5, 0).X, height - Bottom + 11, TextFit.Shorten(members[j], Math.Max(cell * 1.2, 24)), "middle", "tick");
        foreach (int i in Shown(rows))
            plot.Text(Left - 5, plot.Pixel(0, rows - i - 0.5).Y, steps[i].ToString(CultureInfo.InvariantCulture), "end", "tick");
        return plot.ToMarkup(title, "plot");
    }

    /// <summary>Which of many ticks are labelled: at most ten.</summary>
    private static IEnumerable<int> Shown(int count)
    {
        int every = Math.Max(1, (count + 9) / 10);
        return Enumerable.Range(0, count).Where(i => i % every == 0);
    }

    /// <summary>A cell's number, as short as it can be told from its neighbours: <c>.98</c>.</summary>
    private static string Text(double value, double range) => range switch
    {
        > 100 => value.ToString("F0", CultureInfo.InvariantCulture),
        > 10 => value.ToString("F1", CultureInfo.InvariantCulture),
        _ => value.ToString("F2", CultureInfo.InvariantCulture) is ['0', '.', _, _] short2 ? short2[1..] : value.ToString("F2", CultureInfo.InvariantCulture),
    };

    /// <summary>What a screen reader says of a matrix: its last row.</summary>
    private static string Words(double[,] matrix)
    {
        int last = matrix.GetLength(0) - 1;
        return "last row: " + string.Join(", ", Enumerable.Range(0, matrix.GetLength(1)).Select(j => double.IsNaN(matrix[last, j]) ? "none" : matrix[last, j].ToString("F2", CultureInfo.InvariantCulture)));
    }
}

/// <summary>The colour of a method beside its name.</summary>
internal static class Swatch
{
    public static Markup Of(MethodStyle style) => Markup.Of($"""<i class="swatch" style="background:var(--{style.Ink})" aria-hidden="true"></i>""");
}
