using System.Globalization;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>A tree of decisions a method, from left to right, a box a node: what it asks, the classes of its rows as a bar, how many rows come by.</summary>
internal static class TreePlot
{
    private const int MostNodes = 127, Column = 197, BoxWidth = 172, BoxHeight = 44, RowHeight = 54, Inner = 8;

    /// <summary>The figure; null when no row recorded a tree.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var trees = rows.Select(r => (Row: r, Tree: Branches.Of(r.Row, card.Series), Classes: SeriesData.First(r.Row, $"{card.Series}-class"))).Where(t => t.Tree is { Nodes.Count: <= MostNodes }).ToList();
        if (trees.Count == 0)
            return null;
        int deepest = trees.Max(t => t.Tree!.Depth.Values.Max()); // all on one scale
        var colours = new ClassColours(trees.SelectMany(t => t.Classes).Select(c => (c.Member, c.Value)));
        return Markup.Of($"""
            <p class="key">{colours.Legend()}</p>
            <div class="panels trees">{trees.Select(t => Markup.Of($"""<div class="panel"><h4>{Swatch.Of(styles[t.Row])}{t.Row.Row.Label}</h4><div class="scroll" role="region" aria-label="{card.Title}: {t.Row.Row.Label}" tabindex="0">{One(card, t.Row.Row, t.Tree!, t.Classes, colours, deepest)}</div></div>"""))}</div>
            """);
    }

    private static Markup One(FigureCard card, StudyRow row, Branches tree, IReadOnlyList<(string Class, long Node, double Share)> classes, ClassColours colours, int depth)
    {
        var own = SeriesData.First(row, card.Series).Where(p => p.Member is "share" or "below").DistinctBy(p => (p.Member, p.Step)).ToDictionary(p => (p.Member, (int)p.Step), p => p.Value);
        var asks = SeriesData.First(row, $"{card.Series}-asks").DistinctBy(p => p.Step).ToDictionary(p => (int)p.Step, p => (Feature: p.Member, At: p.Value));
        var shares = classes.Where(c => c.Share > 0).ToLookup(c => (int)c.Node, c => (c.Class, c.Share));
        var place = Places(tree);
        int leaves = (int)place.Values.Max() + 1, width = depth * Column + BoxWidth + 4, height = leaves * RowHeight;
        using var plot = new SvgPlot(width, height, new(2, 2, 0, 0), new(0, 1, false, []), new(0, 1, false, []), grid: false);
        (double X, double Y) Corner(int node) => (2 + tree.Depth[node] * Column, place[node] * RowHeight + (RowHeight - BoxHeight) / 2.0);
        foreach (int node in tree.Nodes)
            foreach (int child in tree.Children(node))
            {
                var ((fx, fy), (tx, ty)) = (Corner(node), Corner(child));
                double middle = (fx + BoxWidth + tx) / 2;
                plot.Path($"M{SvgPlot.Px(fx + BoxWidth)} {SvgPlot.Px(fy + BoxHeight / 2.0)}H{SvgPlot.Px(middle)}V{SvgPlot.Px(ty + BoxHeight / 2.0)}H{SvgPlot.Px(tx)}", "branch", "front");
            }
        foreach (int node in tree.Nodes)
        {
            var (x, y) = Corner(node);
            var (likeliest, share) = shares[node].OrderByDescending(s => s.Share).FirstOrDefault(("", 0));
            plot.Path($"M{SvgPlot.Px(x)} {SvgPlot.Px(y)}h{BoxWidth}v{BoxHeight}h-{BoxWidth}z", "box");
            double at = x;
            foreach (var (name, part) in shares[node])
            {
                plot.Path($"M{SvgPlot.Px(at)} {SvgPlot.Px(y + BoxHeight - 7)}h{SvgPlot.Px(part * BoxWidth)}v7h-{SvgPlot.Px(part * BoxWidth)}z", "area", colours[name]);
                at += part * BoxWidth;
            }
            string come = own.TryGetValue(("share", node), out double of) ? $"{Percent(of)} of rows" : "";
            if (asks.TryGetValue(node, out var asked))
            {
                // a long name has the line for itself
                string than = string.Create(CultureInfo.InvariantCulture, $"≤ {asked.At:G4}"), whole = $"{asked.Feature} {than}";
                bool fits = TextFit.Width(whole) <= BoxWidth - 2 * Inner;
                plot.Text(x + Inner, y + 11, fits ? whole : TextFit.Shorten(asked.Feature, BoxWidth - 2 * Inner), "start", "asks");
                plot.Text(x + Inner, y + 26, fits ? come : $"{than} · {come}", "start", "tick");
            }
            else
            {
                plot.Text(x + Inner, y + 11, TextFit.Shorten(likeliest, BoxWidth - 2 * Inner - 40) + (share > 0 ? $" {Percent(share)}" : ""), "start", "asks");
                plot.Text(x + Inner, y + 26, own.GetValueOrDefault(("below", node)) is > 0 and var below ? string.Create(CultureInfo.InvariantCulture, $"{come}, {below:F0} more") : come, "start", "tick");
            }
        }
        return plot.ToMarkup($"{card.Title}: {row.Label}; {Words(tree, asks)}", "plot tree");
    }

    /// <summary>The row of each node: leaves one below the other, others in the middle of their children.</summary>
    internal static Dictionary<int, double> Places(Branches tree)
    {
        var place = new Dictionary<int, double>();
        int next = 0;
        foreach (int node in tree.Nodes)
            if (!tree.Children(node).Any())
                place[node] = next++;
        foreach (int node in tree.Nodes.Reverse()) // children come after their parent
            if (tree.Children(node).Any())
                place[node] = (place[tree.Children(node).First()] + place[tree.Children(node).Last()]) / 2;
        return place;
    }

    private static string Percent(double share) => share is > 0 and < 0.01 ? "<1%" : string.Create(CultureInfo.InvariantCulture, $"{100 * share:F0}%");

    private static string Words(Branches tree, Dictionary<int, (string Feature, double At)> asks) => asks.TryGetValue(tree.Nodes[0], out var first)
        ? string.Create(CultureInfo.InvariantCulture, $"asks first for {TextFit.Shorten(first.Feature, 240)} ≤ {first.At:G4}; {tree.Nodes.Count} nodes shown")
        : "asks nothing";
}
