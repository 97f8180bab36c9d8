using System.Globalization;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>A tree of names a method as an indented list, a row a node, with a bar of what was counted there. Of more nodes than can be read those below a depth are counted with the one above them.</summary>
internal static class OutlinePlot
{
    /// <summary>Nodes that are drawn at most, as long as those of depth 1 are no more.</summary>
    public const int MostNodes = 80;

    private const int Width = 400, RowHeight = 16, BarFrom = 190, BarTo = 330;
    private static readonly string[] Inks = ["c0", "c5", "rest", "c2", "c3"];

    /// <summary>The figure; null when no row recorded a tree.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var trees = rows.Select(r => (Row: r, Tree: Branches.Of(r.Row, card.Series), Bars: SeriesData.First(r.Row, $"{card.Series}-bar"))).Where(t => t.Tree is not null)
            .Select(t => (t.Row, Shown: Shown(t.Tree!, t.Bars))).ToList();
        if (trees.Count == 0)
            return null;
        string[] kinds = [.. trees.SelectMany(t => t.Shown.Counts.Keys).Select(k => k.Kind).Distinct().Take(Inks.Length)];
        double most = Math.Max(1, trees.Max(t => t.Shown.Tree.Nodes.Max(n => kinds.Sum(k => t.Shown.Counts.GetValueOrDefault((n, k))))));
        return Markup.Of($"""
            <p class="key"><span class="classes">{kinds.Index().Select(k => Markup.Of($"""<span><i class="swatch" style="background:var(--{Inks[k.Index]})" aria-hidden="true"></i>{k.Item}</span> """))}</span></p>
            <div class="panels">{trees.Select(t => Markup.Of($"""<div class="panel"><h4>{Swatch.Of(styles[t.Row])}{t.Row.Row.Label}</h4>{One(card, t.Row.Row, t.Shown, kinds, most)}</div>"""))}</div>
            """);
    }

    private sealed record Outline(Branches Tree, Dictionary<(int Node, string Kind), double> Counts, IReadOnlyDictionary<int, int[]> Hidden);

    private static Outline Shown(Branches tree, IReadOnlyList<(string Kind, long Node, double Count)> bars)
    {
        var counts = bars.GroupBy(b => ((int)b.Node, b.Kind)).ToDictionary(g => g.Key, g => Math.Max(0, g.Sum(b => b.Count)));
        int depth = tree.Depth.Values.Max();
        while (depth > 1 && tree.Depth.Values.Count(d => d <= depth) > MostNodes)
            depth--;
        var above = tree.Above(depth, out var hidden);
        foreach (var (node, below) in hidden)
            foreach (string kind in bars.Select(b => b.Kind).Distinct())
                counts[(node, kind)] = counts.GetValueOrDefault((node, kind)) + below.Sum(b => counts.GetValueOrDefault((b, kind)));
        return new(above, counts, hidden);
    }

    private static Markup One(FigureCard card, StudyRow row, Outline shown, string[] kinds, double most)
    {
        var tree = shown.Tree;
        var marks = SeriesData.First(row, card.Series).Where(p => p.Member == "mark").DistinctBy(p => p.Step).ToDictionary(p => (int)p.Step, p => p.Value);
        var names = SeriesData.First(row, $"{card.Series}-name").DistinctBy(p => p.Step).ToDictionary(p => (int)p.Step, p => p.Member);
        double indent = Math.Min(14, 110.0 / Math.Max(1, tree.Depth.Values.Max()));
        int height = RowHeight * tree.Nodes.Count + 8;
        using var plot = new SvgPlot(Width, height, new(0, 0, 0, 0), new(0, 1, false, []), new(0, 1, false, []), grid: false);
        var place = tree.Nodes.Index().ToDictionary(n => n.Item, n => n.Index);
        double X(int node) => 7 + indent * tree.Depth[node];
        double Y(int node) => 4 + RowHeight * (place[node] + 0.5);
        foreach (int node in tree.Nodes)
            foreach (int child in tree.Children(node))
                plot.Path($"M{SvgPlot.Px(X(node))} {SvgPlot.Px(Y(node))}V{SvgPlot.Px(Y(child))}H{SvgPlot.Px(X(child))}", "branch", "line");
        foreach (int node in tree.Nodes)
        {
            double x = X(node), y = Y(node), at = BarFrom;
            plot.Path($"M{SvgPlot.Px(x - 4)} {SvgPlot.Px(y)}a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", marks.GetValueOrDefault(node) switch { >= 2 => "mark", >= 1 => "mark ring", _ => "mark ring faint" });
            string more = shown.Hidden.TryGetValue(node, out int[]? below) ? string.Create(CultureInfo.InvariantCulture, $" +{below.Length}") : "";
            plot.Text(x + 9, y, TextFit.Shorten(names.GetValueOrDefault(node, ""), BarFrom - 8 - x - 9 - TextFit.Width(more)) + more, "start", "name plain");
            double[] parts = [.. kinds.Select(k => shown.Counts.GetValueOrDefault((node, k)))];
            for (int k = 0; k < parts.Length; k++)
            {
                double wide = parts[k] / most * (BarTo - BarFrom);
                if (wide > 0)
                    plot.Path($"M{SvgPlot.Px(at)} {SvgPlot.Px(y - 5)}h{SvgPlot.Px(wide)}v10h-{SvgPlot.Px(wide)}z", "area", Inks[k]);
                at += wide;
            }
            if (parts.Sum() > 0)
                plot.Text(at + 5, y, string.Join(" · ", parts.Select(p => p.ToString("0.##", CultureInfo.InvariantCulture))), "start", "tick");
        }
        string words = string.Join(", ", kinds.Select(k => string.Create(CultureInfo.InvariantCulture, $"{tree.Nodes.Sum(n => shown.Counts.GetValueOrDefault((n, k))):0.##} {k}")));
        return plot.ToMarkup($"{card.Title}: {row.Label}; {words}", "plot");
    }
}
