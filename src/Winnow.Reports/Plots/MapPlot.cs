using System.Globalization;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>One map a method in a colour a class, beside the true one where it is known, with the rows learned from as dots where they were recorded.</summary>
internal static class MapPlot
{
    private const int Side = 300, LargeSide = 560, Large = 128, Left = 30, Top = 6, Bottom = 22, Right = 8, MostHeight = 600;

    /// <summary>The figure; null when no row recorded a map.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        string size = $"{card.Series}-size";
        var maps = rows.Select(r => (Row: r, Map: ClassMap.Of(r.Row, card.Series, size), Truth: ClassMap.Of(r.Row, $"{card.Series}-truth", size), Dots: SeriesData.First(r.Row, $"{card.Series}-rows"))).Where(m => m.Map is not null).ToList();
        if (maps.Count == 0)
            return null;
        var truth = maps.Select(m => m.Truth).FirstOrDefault(t => t is not null);
        var colours = new ClassColours([.. truth?.Counts() ?? [], .. maps.SelectMany(m => m.Map!.Counts())]);
        var ends = SeriesData.First(maps[0].Row.Row, size).Where(p => p.Member is "from" or "to").ToDictionary(p => p.Member, p => p.Value);
        bool own = Own(ends, out _, out _);
        var panels = maps.Select(m =>
        {
            var known = m.Truth is { } t && t.Width == m.Map!.Width && t.Cells.Length == m.Map.Cells.Length ? t : null;
            int[] wrong = known is null ? [] : [.. Enumerable.Range(0, known.Cells.Length).Where(i => known.Cells[i] >= 0 && Name(known, i) != Name(m.Map!, i))];
            string share = known is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * wrong.Length / Math.Max(1, known.Cells.Count(c => c >= 0)):F1}% wrong");
            return Markup.Of($"""<div class="panel"><h4>{Swatch.Of(styles[m.Row])}{m.Row.Row.Label} <span class="muted">{share}</span></h4>{One(m.Map!, known, m.Dots, colours, ends, $"{card.Title}: {m.Row.Row.Label}; {Words(m.Map!)}")}</div>""");
        });
        var there = truth is null ? Markup.Empty : Markup.Of($"""<div class="panel"><h4>What is there</h4>{One(truth, null, [], colours, ends, $"{card.Title}: what is there; {Words(truth)}")}</div>""");
        var only = truth is null ? Markup.Empty : Markup.Of($"""<label><input type="checkbox" class="only-wrong" /> only what is wrong</label>""");
        return Markup.Of($"""
            <p class="key">{colours.Legend()}</p>
            <p class="key"><span>across: {card.X}</span> <span>{(own ? "up" : "down")}: {card.Y}</span> {only}</p>
            <div class="panels maps{(maps.Any(m => m.Map!.Width > Large) ? " large" : "")}">{there}{panels}</div>
            """);
    }

    private static bool Own(Dictionary<string, double> ends, out double from, out double to) => ends.TryGetValue("from", out from) & ends.TryGetValue("to", out to) && to > from;

    private static string? Name(ClassMap map, int cell) => map.Cells[cell] < 0 ? null : map.Classes[map.Cells[cell]];

    private static Markup One(ClassMap map, ClassMap? truth, IReadOnlyList<(string Class, long Step, double Value)> dots, ClassColours colours, Dictionary<string, double> ends, string title)
    {
        int side = map.Width > Large ? LargeSide : Side; // cells smaller than a pixel of the screen would be lost
        double cell = Math.Min((double)(side - Left - Right) / map.Width, (double)MostHeight / map.Height);
        int width = (int)Math.Ceiling(cell * map.Width) + Left + Right, height = (int)Math.Ceiling(cell * map.Height) + Top + Bottom;
        // cells are counted from the top; what has ends of its own is counted upwards
        bool own = Own(ends, out double from, out double to);
        var x = PlotScale.Linear(own ? [from, to] : [0, map.Width], "", room: 0, count: 4);
        var y = PlotScale.Linear(own ? [from, to] : [0, map.Height], "", room: 0, count: 4);
        if (!own)
            y = y with { Low = y.High, High = y.Low };
        using var plot = new SvgPlot(Math.Max(width, side), height, new(Left, Math.Max(width, side) - width + Right, Top, Bottom), x, y, grid: false);
        string transform = $"translate({Left} {Top})scale({Math.Round(cell, 4).ToString(CultureInfo.InvariantCulture)})";
        string[] inks = [.. map.Cells.Select(c => c < 0 ? "missing" : colours[map.Classes[c]])];
        // the colour of most cells lies under the others
        string[] order = [.. inks.CountBy(i => i).OrderByDescending(i => i.Value).ThenBy(i => i.Key, StringComparer.Ordinal).Select(i => i.Key)];
        plot.Path($"M0 0h{map.Width}v{map.Height}h-{map.Width}z", "area", order[0], transform);
        foreach (string ink in order.Skip(1))
            plot.Path(map.Strokes(i => inks[i] == ink), "cells", ink, transform);
        if (truth is not null)
            plot.Path(map.Strokes(i => truth.Cells[i] < 0 || Name(truth, i) == Name(map, i)), "cells right", "paper", transform);
        if (dots.Count > 0)
        {
            plot.Path($"M0 0h{map.Width}v{map.Height}h-{map.Width}z", "area veil", "paper", transform);
            foreach (var of in dots.GroupBy(d => colours[d.Class]))
            {
                string at = string.Concat(of.Select(d => $"M{SvgPlot.Px(Left + cell * map.Width * d.Step / 1000.0)} {SvgPlot.Px(Top + cell * map.Height * (1 - d.Value))}h0"));
                plot.Path(at, "dots rim");
                plot.Path(at, "dots", of.Key);
            }
        }
        plot.Axes("", "");
        return plot.ToMarkup(title, "plot");
    }

    /// <summary>What a screen reader says of a map: how much of it each class is.</summary>
    private static string Words(ClassMap map) => string.Join(", ", map.Counts().Where(c => c.Weight > 0).OrderByDescending(c => c.Weight).Take(ClassColours.Own).Select(c => $"{TextFit.Shorten(c.Class, 240)} {Format.Of(c.Weight / map.Cells.Length, "fraction")}"));
}
