using System.Globalization;
using System.Text;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>Unions of two parts each, a tree whose leaves are at the bottom: leaves and branches of one group have its colour, and lines do not cross.</summary>
internal static class DendrogramPlot
{
    /// <summary>Leaves that are drawn one by one; of more only the last unions are.</summary>
    public const int MostLeaves = 200;

    /// <summary>Unions that are drawn where there are more leaves.</summary>
    public const int Last = 60;

    private const int MostNames = 80;

    /// <summary>The figure; null when no row recorded unions.</summary>
    public static Markup? Draw(FigureCard card, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var trees = rows.Select(r => (Row: r, Tree: Unions.Of(r.Row, card.Series))).Where(t => t.Tree is not null).ToList();
        if (trees.Count == 0)
            return null;
        var colours = new ClassColours(trees.SelectMany(t => t.Tree!.Groups).Where(g => g is not null).Select(g => (g!, 1.0)));
        return Markup.Of($"""
            <p class="key">{colours.Legend()}</p>
            <div class="panels trees">{trees.Select(t => Markup.Of($"""<div class="panel"><h4>{Swatch.Of(styles[t.Row])}{t.Row.Row.Label} <span class="muted">{Count(t.Tree!)}</span></h4>{Both(card, t.Tree!, colours, $"{card.Title}: {t.Row.Row.Label}; {Words(t.Tree!)}")}</div>"""))}</div>
            """);
    }

    private static string Count(Unions tree) => tree.Leaves > MostLeaves ? string.Create(CultureInfo.InvariantCulture, $"the last {Last} of {tree.Count:N0} unions") : "";

    private static string Words(Unions tree) => string.Create(CultureInfo.InvariantCulture, $"{tree.Leaves} leaves, the last unions at heights {string.Join(", ", tree.Heights.TakeLast(5).Select(h => h.ToString("G3", CultureInfo.InvariantCulture)))}");

    private static Markup Both(FigureCard card, Unions tree, ClassColours colours, string title) =>
        Markup.Of($"""<div class="wide-only">{One(card, tree, colours, 960, 360, title)}</div><div class="narrow-only">{One(card, tree, colours, 350, 300, title)}</div>""");

    private static Markup One(FigureCard card, Unions tree, ClassColours colours, int width, int height, string title)
    {
        int from = tree.Leaves > MostLeaves ? tree.Count - Last : 0;
        int[] ends = tree.Order(from);
        bool wide = width > 500;
        string[] names = [.. ends.Select(e => from > 0 ? tree.Size(e).ToString(CultureInfo.InvariantCulture) : e < tree.Leaves ? tree.Names[e] ?? "" : "")];
        int room = !wide || ends.Length > MostNames || names.All(n => n.Length == 0) ? 0 : (int)Math.Min(110, names.Max(TextFit.Width) + 6);
        double[] tops = tree.Tops();
        var y = PlotScale.Linear([0, .. tops.Skip(from)], "", room: 0.03);
        var x = new PlotScale(-0.5, ends.Length - 0.5, false, []);
        using var plot = new SvgPlot(width, height + room, new(wide ? 58 : 44, wide ? 74 : 10, 14, 40 + room), x, y);
        double floor = plot.Pixel(0, y.Low).Y;
        var at = new Dictionary<int, (double X, double Y)>();
        foreach (var (place, end) in ends.Index())
            at[end] = plot.Pixel(place, 0);
        var branches = new SortedDictionary<string, StringBuilder>(StringComparer.Ordinal);
        for (int i = from; i < tree.Count; i++)
        {
            var ((lx, ly), (rx, ry)) = (at[tree.Left[i]], at[tree.Right[i]]);
            double top = plot.Pixel(0, tops[i]).Y;
            at[tree.Leaves + i] = ((lx + rx) / 2, top);
            string ink = tree.Pure(tree.Leaves + i) is { } group ? colours[group] : "muted";
            if (!branches.TryGetValue(ink, out var path))
                branches[ink] = path = new();
            path.Append($"M{SvgPlot.Px(lx)} {SvgPlot.Px(ly)}V{SvgPlot.Px(top)}H{SvgPlot.Px(rx)}V{SvgPlot.Px(ry)}");
        }
        foreach (var (ink, path) in branches)
            plot.Path(path.ToString(), "branch", ink);
        double step = plot.Pixel(1, 0).X - plot.Pixel(0, 0).X, half = Math.Max(0.4, Math.Min(7, step / 2 - (step > 4 ? 0.5 : 0)));
        foreach (var of in ends.Where(e => tree.Main(e) is not null).GroupBy(e => colours[tree.Main(e)!]).OrderBy(g => g.Key, StringComparer.Ordinal))
            plot.Path(string.Concat(of.Select(e => $"M{SvgPlot.Px(at[e].X - half)} {SvgPlot.Px(floor + 2)}h{SvgPlot.Px(2 * half)}v9h-{SvgPlot.Px(2 * half)}z")), "area", of.Key);
        for (int i = 0; room > 0 && i < ends.Length; i++)
            plot.Text(at[ends[i]].X, floor + 16, TextFit.Shorten(names[i], room), "end", "tick", turned: true);
        if (tree.Cut is > 1 and var groups && groups <= tree.Count)
        {
            double cut = (tops[tree.Count - groups] + (groups == tree.Count ? 0 : tops[tree.Count - groups - 1])) / 2, py = plot.Pixel(0, cut).Y;
            plot.Path($"M{SvgPlot.Px(plot.Pixel(x.Low, 0).X)} {SvgPlot.Px(py)}H{SvgPlot.Px(plot.Pixel(x.High, 0).X)}", "cut");
            if (wide)
                plot.Text(plot.Pixel(x.High, 0).X + 6, py, $"{groups} groups", "start", "tick");
        }
        plot.Axes(from > 0 && room > 0 ? "how many each part has" : card.X, wide ? card.Y : "");
        return plot.ToMarkup(title, "plot");
    }
}

/// <summary>Parts that were united two by two: leaves have the numbers from 0, what union i made has leaves + i.</summary>
internal sealed class Unions
{
    private readonly int[] _size;
    private readonly string?[] _pure, _main;

    private Unions(int[] left, int[] right, double[] heights, string?[] groups, string?[] names, int cut)
    {
        (Left, Right, Heights, Groups, Names, Cut) = (left, right, heights, groups, names, cut);
        _size = [.. Enumerable.Repeat(1, Leaves), .. new int[Count]];
        _pure = [.. groups, .. new string?[Count]];
        _main = [.. groups, .. new string?[Count]];
        var counts = new Dictionary<string, int>?[Leaves + Count];
        for (int i = 0; i < Count; i++)
        {
            _size[Leaves + i] = _size[left[i]] + _size[right[i]];
            _pure[Leaves + i] = _pure[left[i]] == _pure[right[i]] ? _pure[left[i]] : null;
            var (more, fewer) = (Counts(left[i]), Counts(right[i]));
            if (more.Count < fewer.Count)
                (more, fewer) = (fewer, more);
            foreach (var (group, count) in fewer)
                more[group] = more.GetValueOrDefault(group) + count;
            counts[Leaves + i] = more;
            _main[Leaves + i] = more.Count == 0 ? null : more.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).First().Key;
        }

        Dictionary<string, int> Counts(int part) => counts[part] ?? (groups[part] is { } own ? new() { [own] = 1 } : []);
    }

    /// <summary>One of the parts of each union.</summary>
    public int[] Left { get; }

    /// <summary>The other.</summary>
    public int[] Right { get; }

    /// <summary>How far apart they were, as recorded.</summary>
    public double[] Heights { get; }

    /// <summary>The group that each leaf is in; null where it is not known.</summary>
    public string?[] Groups { get; }

    /// <summary>What each leaf is called; null for nothing.</summary>
    public string?[] Names { get; }

    /// <summary>Groups that were asked for; 0 where it is not known.</summary>
    public int Cut { get; }

    /// <summary>Unions.</summary>
    public int Count => Left.Length;

    /// <summary>Leaves.</summary>
    public int Leaves => Left.Length + 1;

    /// <summary>Leaves of a part.</summary>
    public int Size(int part) => _size[part];

    /// <summary>The group that all leaves of a part are in; null where there are several.</summary>
    public string? Pure(int part) => _pure[part];

    /// <summary>The group that most leaves of a part are in.</summary>
    public string? Main(int part) => _main[part];

    /// <summary>What a row's first seed recorded; null where there is none, or unions that are no tree.</summary>
    public static Unions? Of(StudyRow row, string series)
    {
        var points = SeriesData.First(row, series).ToLookup(p => p.Member);
        double[] Column(string name) => [.. points[name].OrderBy(p => p.Step).Where((p, i) => p.Step == i).Select(p => p.Value)];
        int[] left = Array.ConvertAll(Column("left"), v => (int)v), right = Array.ConvertAll(Column("right"), v => (int)v);
        double[] heights = Column("height");
        int leaves = left.Length + 1;
        if (left.Length == 0 || right.Length != left.Length || heights.Length != left.Length)
            return null;
        bool[] used = new bool[2 * leaves - 1];
        for (int i = 0; i < left.Length; i++)
            foreach (int part in (int[])[left[i], right[i]])
            {
                if (part < 0 || part >= leaves + i || used[part])
                    return null;
                used[part] = true;
            }
        string?[] Of(string family)
        {
            var texts = new string?[leaves];
            foreach (var (member, step, _) in SeriesData.First(row, family))
                if (step >= 0 && step < leaves)
                    texts[step] = member;
            return texts;
        }
        return new(left, right, heights, Of($"{series}-leaf"), Of($"{series}-name"), (int)SeriesData.First(row, $"{series}-cut").FirstOrDefault(c => c.Member == "groups").Value);
    }

    /// <summary>Heights to draw: none below those of its parts, which unions of what is no distance may be.</summary>
    public double[] Tops()
    {
        double[] tops = new double[Count];
        double Of(int part) => part < Leaves ? 0 : tops[part - Leaves];
        for (int i = 0; i < Count; i++)
            tops[i] = Math.Max(Heights[i], Math.Max(Of(Left[i]), Of(Right[i])));
        return tops;
    }

    /// <summary>Parts from left to right such that those of any union lie beside each other, so that lines do not cross.</summary>
    /// <param name="from">Parts that unions before this one made are not taken apart.</param>
    public int[] Order(int from = 0)
    {
        var order = new List<int>();
        var open = new Stack<int>([Leaves + Count - 1]);
        while (open.TryPop(out int part))
            if (part < Leaves + from)
            {
                order.Add(part);
            }
            else
            {
                open.Push(Right[part - Leaves]);
                open.Push(Left[part - Leaves]);
            }
        return [.. order];
    }
}
