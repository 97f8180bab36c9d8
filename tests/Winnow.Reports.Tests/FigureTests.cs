using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Winnow.Core;
using Winnow.Reports.Plots;

namespace Winnow.Reports.Tests;

/// <summary>Maps, dendrograms, trees and outlines, from the series that trials record.</summary>
public sealed class FigureTests
{
    private static readonly FigureCard Map = new("map", FigureKind.Map, "Map", "map", "column", "row", "Look.");
    private static readonly FigureCard Dendrogram = new("unions", FigureKind.Dendrogram, "Unions", "unions", "", "height", "Look.");
    private static readonly FigureCard Tree = new("tree", FigureKind.Tree, "Tree", "tree", "", "", "Look.");
    private static readonly FigureCard Outline = new("outline", FigureKind.Outline, "Outline", "outline", "", "", "Look.");
    private static readonly FigureCard Lines = new("curve", FigureKind.Lines, "Curve", "curve", "x", "y", "Look.");

    private static XElement Page(FigureCard card, params IEnumerable<MetricEvent> series)
    {
        var arena = new FigureArena(card);
        var outcome = SyntheticStudy.Outcome(0.9) with { Series = [.. series] };
        return HtmlReportTests.Page(Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, [new(SyntheticStudy.Trial(arena, "class-incremental", "er", 1), outcome)])));
    }

    private static XElement? Figure(FigureCard card, params IEnumerable<MetricEvent> series) => Page(card, series).Descendants("figure").SingleOrDefault(f => ((string)f.Attribute("class")!).EndsWith($"figure-{card.Id}", StringComparison.Ordinal));

    private static StudyRow Row(IEnumerable<MetricEvent> series)
    {
        var arena = new FigureArena(Map);
        return StudyRow.Of(arena, [new FinishedTrial(SyntheticStudy.Trial(arena, "class-incremental", "er", 1), SyntheticStudy.Outcome(0.9) with { Series = [.. series] })]).Single();
    }

    private static IEnumerable<MetricEvent> Runs(string series, IReadOnlyList<int> cells, Func<int, string> name)
    {
        for (int i = 0, next; i < cells.Count; i = next)
        {
            for (next = i + 1; next < cells.Count && cells[next] == cells[i]; next++)
            {
            }
            if (cells[i] >= 0)
                yield return new($"{series}/{name(cells[i])}", next - i, i);
        }
    }

    private static MetricEvent[] Size(double width, double height) => [new("map-size/width", width, 0), new("map-size/height", height, 0)];

    private static IEnumerable<MetricEvent> Unions(ulong seed, int leaves, Func<int, string> group)
    {
        var random = new SeededRandom(seed, "unions");
        var open = Enumerable.Range(0, leaves).ToList();
        int Take()
        {
            int at = random.Next(open.Count), part = open[at];
            open.RemoveAt(at);
            return part;
        }
        for (int i = 0; i < leaves - 1; i++)
        {
            yield return new("unions/left", Take(), i);
            yield return new("unions/right", Take(), i);
            yield return new("unions/height", i + random.NextDouble(), i);
            open.Add(leaves + i);
        }
        for (int i = 0; i < leaves; i++)
            yield return new($"unions-leaf/{group(i)}", 1, i);
        yield return new("unions-cut/groups", 3, 0);
    }

    /// <summary>The cells that a path of strokes covers.</summary>
    private static HashSet<(int X, int Y)> Cells(string path)
    {
        var cells = new HashSet<(int, int)>();
        var (x, y) = (0, 0);
        foreach (Match m in Regex.Matches(path, @"M(\d+) (\d+)\.5|m(-?\d+) (-?\d+)|h(\d+)"))
        {
            int Of(int group) => int.Parse(m.Groups[group].Value, CultureInfo.InvariantCulture);
            if (m.Groups[1].Success)
                (x, y) = (Of(1), Of(2));
            else if (m.Groups[3].Success)
                (x, y) = (x + Of(3), y + Of(4));
            else
                for (int end = x + Of(5); x < end; x++)
                    Assert.True(cells.Add((x, y)));
        }
        return cells;
    }

    [Fact]
    public void Strokes_cover_the_cells_of_a_class_and_no_others()
    {
        var random = new SeededRandom(1, "map");
        for (int round = 0; round < 50; round++)
        {
            int width = 1 + random.Next(9), height = 1 + random.Next(9), classes = 1 + random.Next(3);
            int[] cells = [.. Enumerable.Range(0, width * height).Select(_ => random.Next(classes + 1) - 1)];
            var row = Row([.. Size(width, height), new("map/first", 0, 0), .. Runs("map", cells, c => $"class {c}"), new("map/first", 1, cells.Length - 1)]);
            var map = ClassMap.Of(row, "map", "map-size")!;
            cells[^1] = classes; // the last run came last
            Assert.Equal((width, height), (map.Width, map.Height));
            for (int c = -1; c <= classes; c++)
            {
                string? name = c < 0 ? null : c == classes ? "first" : $"class {c}";
                var expected = Enumerable.Range(0, cells.Length).Where(i => cells[i] == c).Select(i => (i % width, i / width)).ToHashSet();
                Assert.Equal(expected, Cells(map.Strokes(i => (map.Cells[i] < 0 ? null : map.Classes[map.Cells[i]]) == name)));
            }
        }
    }

    [Fact]
    public void A_map_is_drawn_beside_what_is_there_in_the_same_colours_with_its_names_and_its_errors()
    {
        int[] truth = [0, 0, 1, 1, 2, -1], found = [0, 1, 1, 1, 2, 2];
        string Name(int c) => $"cover {c}";
        var figure = Figure(Map, [.. Size(3, 2), .. Runs("map-truth", truth, Name), .. Runs("map", found, Name)])!;
        Assert.Equal(["cover 0", "cover 1", "cover 2"], figure.Descendants("span").Single(s => (string?)s.Attribute("class") == "classes").Elements("span").Select(s => s.Value));
        var panels = figure.Descendants("svg").ToList();
        Assert.Equal(2, panels.Count);
        Assert.Contains("20.0% wrong", figure.Value); // of five labelled pixels one
        var inks = panels[1].Elements("path").Where(p => (string?)p.Attribute("class") is "area" or "cells").ToDictionary(p => (string)p.Attribute("style")!, p => (string)p.Attribute("d")!);
        Assert.Equal("M0 0h3v2h-3z", inks["--own:var(--c1)"]); // most cells lie under the others
        Assert.Equal("M0 0.5h1", inks["--own:var(--c0)"]);
        Assert.Equal([(1, 1), (2, 1)], Cells(inks["--own:var(--c2)"]).Order());
        var right = panels[1].Elements("path").Single(p => (string?)p.Attribute("class") == "cells right");
        Assert.Equal([(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)], Cells((string)right.Attribute("d")!).Order()); // what has no label is not wrong
    }

    [Fact]
    public void Rows_learned_from_are_dots_and_ends_of_their_own_count_upwards()
    {
        var figure = Figure(Map, [.. Size(2, 2), new("map-size/from", -2.5, 0), new("map-size/to", 2.5, 0), .. Runs("map", [0, 1, 1, 0], c => $"{c}"), new("map-rows/1", 0.25, 500), new("map-rows/0", 0.75, 0)])!;
        Assert.Equal(4, figure.Descendants("path").Count(p => ((string?)p.Attribute("class"))!.StartsWith("dots", StringComparison.Ordinal))); // each on a rim
        Assert.Contains("up: row", figure.Value);
        var up = figure.Descendants("text").Where(t => (string?)t.Attribute("text-anchor") == "end").ToDictionary(t => t.Value, t => double.Parse((string)t.Attribute("y")!, CultureInfo.InvariantCulture));
        Assert.True(up["2"] < up["0"] && up["0"] < up["-2"]);
    }

    [Fact] // noise has the most runs there can be
    public void A_map_of_noise_stays_small_and_a_huge_one_is_thinned()
    {
        var random = new SeededRandom(1, "noise");
        int[] noise = [.. Enumerable.Range(0, 256 * 256).Select(_ => random.Next(6))];
        var figure = Figure(Map, [.. Size(256, 256), .. Runs("map", noise, c => $"cover {c}")])!;
        Assert.InRange(figure.Descendants("svg").Single().ToString(SaveOptions.DisableFormatting).Length, 200_000, 330_000);
        var huge = ClassMap.Of(Row([.. Size(2000, 900), .. Runs("map", [.. Enumerable.Range(0, 2000 * 900).Select(i => i / 2000 / 450)], c => $"cover {c}")]), "map", "map-size")!;
        Assert.Equal((250, 113), (huge.Width, huge.Height));
        Assert.Equal([57 * 250.0, 56 * 250.0], huge.Counts().Select(c => c.Weight));
    }

    [Fact]
    public void Of_many_classes_those_most_seen_have_a_colour_and_the_others_share_one()
    {
        var colours = new ClassColours(Enumerable.Range(0, 26).Select(i => ($"letter {i}", (double)i)));
        Assert.Equal(9, Enumerable.Range(17, 9).Select(i => colours[$"letter {i}"]).Distinct().Count());
        Assert.All(Enumerable.Range(0, 17), i => Assert.Equal("rest", colours[$"letter {i}"]));
        Assert.Contains("17 others", colours.Legend().Text);
        Assert.Equal("c0", new ClassColours([("10", 1), ("9", 1)])["9"]); // numbers by size
    }

    [Theory, InlineData(0), InlineData(1), InlineData(2)] // Machado, Oliveira and Fernandes 2009: protanopia, deuteranopia, tritanopia; CIE 1976 differences
    public void Colours_of_classes_are_told_apart_by_every_colour_vision(int kind)
    {
        double[][] sight = [[0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998], [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881], [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900]];
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream("report.css")!;
        using var reader = new StreamReader(stream);
        var all = Regex.Matches(reader.ReadToEnd(), @"--(c\d): #([0-9a-f]{6});").Select(m => (Name: m.Groups[1].Value, Colour: m.Groups[2].Value)).ToList();
        var light = all.Take(ClassColours.Own).ToDictionary(c => c.Name, c => c.Colour);
        Assert.Equal(ClassColours.Own, light.Count);
        var dark = new Dictionary<string, string>(light);
        foreach (var (name, colour) in all.Skip(ClassColours.Own))
            dark[name] = colour;
        foreach (var palette in (Dictionary<string, string>[])[light, dark])
        {
            double[][] seen = [.. palette.Values.Select(c => Lab([.. Enumerable.Range(0, 3).Select(r => Enumerable.Range(0, 3).Sum(k => sight[kind][3 * r + k] * Linear(Convert.ToInt32(c.Substring(2 * k, 2), 16))))]))];
            for (int i = 0; i < seen.Length; i++)
                for (int j = 0; j < i; j++)
                    Assert.True(Math.Sqrt(seen[i].Zip(seen[j], (a, b) => (a - b) * (a - b)).Sum()) > 15, $"c{i} and c{j}");
        }

        static double Linear(int v) => v / 255.0 <= 0.04045 ? v / 255.0 / 12.92 : Math.Pow((v / 255.0 + 0.055) / 1.055, 2.4);
        static double[] Lab(double[] rgb)
        {
            double[] c = [.. rgb.Select(v => Math.Clamp(v, 0, 1))];
            double x = F((0.4124 * c[0] + 0.3576 * c[1] + 0.1805 * c[2]) / 0.95047), y = F(0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]), z = F((0.0193 * c[0] + 0.1192 * c[1] + 0.9505 * c[2]) / 1.08883);
            return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
        }
        static double F(double t) => t > 0.008856 ? Math.Cbrt(t) : 7.787 * t + 16.0 / 116;
    }

    [Fact] // then no two of their lines cross
    public void Leaves_of_a_union_lie_beside_each_other_whatever_the_unions()
    {
        for (ulong seed = 1; seed <= 30; seed++)
        {
            int leaves = 2 + (int)(seed * 7 % 40);
            var tree = Plots.Unions.Of(Row(Unions(seed, leaves, i => $"group {i % 3}")), "unions")!;
            int[] order = tree.Order();
            Assert.Equal(Enumerable.Range(0, leaves), order.Order());
            var below = Enumerable.Range(0, leaves).Select(i => (int[])[i]).ToList();
            for (int i = 0; i < tree.Count; i++)
            {
                below.Add([.. below[tree.Left[i]], .. below[tree.Right[i]]]);
                int[] places = [.. below[^1].Select(l => Array.IndexOf(order, l)).Order()];
                Assert.Equal(places.Length - 1, places[^1] - places[0]);
                Assert.Equal(places.Length, tree.Size(leaves + i));
                string[] groups = [.. below[^1].Select(l => tree.Groups[l]!).Distinct()];
                Assert.Equal(groups.Length == 1 ? groups[0] : null, tree.Pure(leaves + i));
            }
            Assert.All(Enumerable.Range(0, tree.Count), i => Assert.True(tree.Tops()[i] >= tree.Heights[i]));
        }
    }

    [Theory, InlineData(40, 39, 40), InlineData(200, 199, 200), InlineData(201, 60, 61)]
    public void Every_union_is_drawn_once_and_of_more_than_two_hundred_leaves_the_last_sixty(int leaves, int unions, int ends)
    {
        var figure = Figure(Dendrogram, Unions(5, leaves, i => $"group {i % 3}"))!;
        var wide = figure.Descendants("svg").First();
        Assert.Equal(2 * unions, wide.Elements("path").Where(p => (string?)p.Attribute("class") == "branch").Sum(p => ((string)p.Attribute("d")!).Count(c => c == 'V')));
        Assert.Equal(ends, wide.Elements("path").Where(p => (string?)p.Attribute("class") == "area").Sum(p => ((string)p.Attribute("d")!).Count(c => c == 'z')));
        Assert.Equal(leaves > 200, figure.Value.Contains("the last 60 of 200 unions", StringComparison.Ordinal));
        if (leaves > 200)
            Assert.Equal(leaves, wide.Elements("text").Where(t => t.Attribute("transform") is not null && (string?)t.Attribute("class") == "tick").Sum(t => int.Parse(t.Value, CultureInfo.InvariantCulture)));
        Assert.Contains("3 groups", figure.Value);
    }

    private static IEnumerable<MetricEvent> Decisions(string feature, string first, string second) =>
    [
        new($"tree-class/{first}", 0.5, 0), new($"tree-class/{second}", 0.5, 0), new("tree/parent", -1, 0), new("tree/share", 1, 0), new($"tree-asks/{feature}", 2.45, 0),
        new("tree/parent", 0, 1), new("tree/share", 0.31, 1), new($"tree-class/{first}", 1, 1),
        new("tree/parent", 0, 2), new("tree/share", 0.69, 2), new($"tree-class/{second}", 0.9, 2), new($"tree-class/{first}", 0.1, 2), new("tree/below", 4, 2),
    ];

    [Fact]
    public void A_tree_says_what_it_asks_whom_it_answers_and_what_is_left_out()
    {
        var svg = Figure(Tree, Decisions("petal length in a very long unit", "setosa", "virginica"))!.Descendants("svg").Single();
        string[] texts = [.. svg.Elements("text").Select(t => t.Value)];
        Assert.Equal(["petal length in a ver…", "≤ 2.45 · 100% of rows", "setosa 100%", "31% of rows", "virginica 90%", "69% of rows, 4 more"], texts);
        Assert.Equal(3, svg.Elements("path").Count(p => (string?)p.Attribute("class") == "box"));
        Assert.Equal(2, svg.Elements("path").Count(p => (string?)p.Attribute("class") == "branch"));
        Assert.Contains("petal length ≤ 2.45", Figure(Tree, Decisions("petal length", "setosa", "virginica"))!.Descendants("text").Select(t => t.Value));
        // yes is above no
        double[] y = [.. svg.Elements("text").Where(t => (string?)t.Attribute("class") == "asks").Select(t => double.Parse((string)t.Attribute("y")!, CultureInfo.InvariantCulture))];
        Assert.True(y[1] < y[0] && y[0] < y[2]);
    }

    [Fact]
    public void An_outline_of_many_nodes_shows_as_many_as_can_be_read_and_loses_no_count()
    {
        var random = new SeededRandom(1, "tree");
        var series = Enumerable.Range(0, 500).SelectMany(i => (MetricEvent[])[new("outline/parent", i == 0 ? -1 : random.Next(i), i), new($"outline-name/label {i}", 1, i), new("outline/mark", i % 3, i), new("outline-bar/right", i % 4, i), new("outline-bar/wrong", 1, i)]);
        var svg = Figure(Outline, series)!.Descendants("svg").Single();
        string[] names = [.. svg.Elements("text").Where(t => ((string)t.Attribute("class")!).StartsWith("name", StringComparison.Ordinal)).Select(t => t.Value)];
        Assert.InRange(names.Length, 10, OutlinePlot.MostNodes);
        Assert.Equal(names.Length, svg.Elements("path").Count(p => ((string)p.Attribute("class")!).StartsWith("mark", StringComparison.Ordinal)));
        Assert.Equal(500 - names.Length, names.Select(n => Regex.Match(n, @" \+(\d+)$")).Where(m => m.Success).Sum(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)));
        double[][] counts = [.. svg.Elements("text").Where(t => (string?)t.Attribute("class") == "tick").Select(t => t.Value.Split(" · ").Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray())];
        Assert.Equal((750, 500), (counts.Sum(c => c[0]), counts.Sum(c => c[1])));
    }

    [Fact]
    public void Hostile_names_of_classes_features_and_labels_stay_text()
    {
        const string name = HtmlReportTests.Hostile;
        (FigureCard Card, IEnumerable<MetricEvent> Series)[] figures =
        [
            (Map, [.. Size(2, 1), .. Runs("map", [0, 1], c => c == 0 ? name : "a/b"), .. Runs("map-truth", [0, 1], c => c == 0 ? name : "a/b")]),
            (Dendrogram, [.. Unions(1, 5, _ => name), new($"unions-name/{name}", 1, 0)]),
            (Tree, Decisions(name, name, name + "2")),
            (Outline, [new("outline/parent", -1, 0), new($"outline-name/{name}", 1, 0), new($"outline-bar/{name}", 3, 0)]),
        ];
        foreach (var (card, series) in figures)
        {
            var page = Page(card, series);
            Assert.Empty(page.Descendants("img"));
            Assert.Single(page.Descendants("script"));
            Assert.DoesNotContain(page.Descendants().Attributes(), a => a.Name.LocalName.StartsWith("on", StringComparison.OrdinalIgnoreCase));
            Assert.Contains("<script>alert", page.Descendants("figure").First(f => ((string)f.Attribute("class")!).EndsWith(card.Id, StringComparison.Ordinal)).Value);
        }
    }

    [Fact]
    public void What_was_not_recorded_or_is_no_map_or_tree_is_no_figure()
    {
        Assert.All((FigureCard[])[Map, Dendrogram, Tree, Outline], card => Assert.Null(Figure(card)));
        Assert.Null(Figure(Map, new MetricEvent("map/a", 4, 0))); // no size
        Assert.Null(Figure(Map, [.. Size(3, 1), new("map/a", 4, 0)])); // more than there is room for
        Assert.Null(Figure(Map, [.. Size(1e9, 1e9), new("map/a", 4, 0)]));
        Assert.Null(Figure(Map, [.. Size(1.5, 2), new("map/a", 1, 0)]));
        Assert.Null(Figure(Map, [.. Size(2, 2), new("map/a", 2, -2)]));
        Assert.Null(Figure(Dendrogram, new("unions/left", 0, 0), new("unions/right", 0, 0), new MetricEvent("unions/height", 1, 0))); // with itself
        Assert.Null(Figure(Dendrogram, new("unions/left", 0, 0), new("unions/right", 2, 0), new MetricEvent("unions/height", 1, 0))); // with what is not there yet
        Assert.Null(Figure(Dendrogram, new("unions/left", 0, 0), new MetricEvent("unions/right", 1, 0)));
        Assert.Null(Figure(Tree, new("tree/parent", -1, 0), new("tree/parent", 2, 1), new MetricEvent("tree/parent", 1, 2))); // a ring
        Assert.Null(Figure(Outline, new("outline/parent", -1, 0), new MetricEvent("outline/parent", -1, 1))); // two roots
    }

    [Theory, InlineData(1.5, 1.5), InlineData(50, 3)] // the lines are from -1 to 1, so that at most -3 to 3 is shown
    public void The_axis_of_a_curve_reaches_the_ends_of_its_band_within_reason(double half, double reached)
    {
        var svg = Figure(Lines, Enumerable.Range(0, 11).SelectMany(i => (MetricEvent[])[new("curve", i / 5.0 - 1, i), new("curve/low", -half, i), new("curve/high", half, i)]))!.Descendants("svg").First();
        var ticks = svg.Elements("text").Where(t => (string?)t.Attribute("class") == "tick" && (string?)t.Attribute("text-anchor") == "end")
            .Select(t => (Value: double.Parse(t.Value, CultureInfo.InvariantCulture), Y: double.Parse((string)t.Attribute("y")!, CultureInfo.InvariantCulture))).OrderBy(t => t.Value).ToList();
        double pixels = (ticks[0].Y - ticks[^1].Y) / (ticks[^1].Value - ticks[0].Value), shown = (420 - 14 - 48) / pixels; // the figure's height less its margins
        Assert.Equal(2 * reached * 1.1, shown, 0.05); // a twentieth is left free on both ends
    }

    /// <summary>The synthetic arena with one figure.</summary>
    private sealed class FigureArena(FigureCard card) : IArena
    {
        private readonly SyntheticArena _arena = new();

        public string Id => _arena.Id;

        public string Question => _arena.Question;

        public IReadOnlyList<TaskCard> Tasks => _arena.Tasks;

        public IReadOnlyList<MethodCard> Methods => _arena.Methods;

        public IReadOnlyList<MetricCard> Metrics => _arena.Metrics;

        public IReadOnlyList<FigureCard> Figures { get; } = [card];

        public IEnumerable<MethodCard> DefaultMethods(TaskCard task) => _arena.DefaultMethods(task);

        public DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();

        public TrialResult Run(Trial trial, TrialContext context) => throw new NotSupportedException();

        public string Program(Trial trial, string version) => throw new NotSupportedException();

        public IEnumerable<Prediction> Predict(string kept, string source, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
