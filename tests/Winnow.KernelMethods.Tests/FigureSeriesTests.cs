using System.Text.Json.Nodes;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

/// <summary>What trials record for the report's maps, dendrograms, trees and outlines.</summary>
public sealed class FigureSeriesTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-figures").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private List<MetricEvent> Series(string task, string method, JsonObject given, string? source = null, ulong seed = 1)
    {
        var (card, of) = (Arena.Task(task), Arena.Method(method));
        object options = card.Options.Bind(given, "task");
        var data = Arena.Inspect(source, card, options, new(), Cancellation);
        var events = new List<MetricEvent>();
        Arena.Run(new(Arena.Id, task, card.Options.Canonical(options), of.Id, of.Options.Canonical(of.Options.Bind([], of.Id)), seed, data.Reference, "code", 1),
            new(seed, Path.Combine(_folder, "artefacts"), e =>
            {
                if (e is MetricEvent m)
                    events.Add(m);
            }, Cancellation));
        return events;
    }

    private static Dictionary<string, List<MetricEvent>> Family(List<MetricEvent> series, string prefix) =>
        series.Where(e => e.Name.StartsWith($"{prefix}/", StringComparison.Ordinal)).GroupBy(e => e.Name[(prefix.Length + 1)..]).ToDictionary(g => g.Key, g => g.ToList());

    private static string?[] Cells(List<MetricEvent> series, string prefix, int count)
    {
        var cells = new string?[count];
        foreach (var (name, runs) in Family(series, prefix))
            foreach (var run in runs)
                cells.AsSpan((int)run.Step, (int)run.Value).Fill(name);
        return cells;
    }

    [Fact]
    public void The_map_of_a_scene_is_recorded_with_its_names_beside_what_is_there()
    {
        JsonObject options = new() { ["size"] = 24, ["classes"] = 3, ["rows"] = 200, ["block"] = 4 };
        var series = Series("raster", "nearest-neighbours", options);
        Assert.Equal((24, 24), ((int)series.Single(e => e.Name == "cover-size/width").Value, (int)series.Single(e => e.Name == "cover-size/height").Value));
        string?[] map = Cells(series, "cover", 576), truth = Cells(series, "cover-truth", 576);
        var scene = RasterProblem.Made(new() { Size = 24, Classes = 3 }, new SeededRandom(1, "scene"));
        Assert.Equal(scene.Labels.Select(l => scene.Classes[l]), truth);
        Assert.InRange(map.Zip(truth).Average(p => p.First == p.Second ? 1.0 : 0), 0.5, 1);
        Assert.Equal(["cover 1", "cover 2", "cover 3"], Family(series, "cover").Keys);
        Assert.Empty(Family(Series("raster", "nearest-neighbours", options, seed: 2), "cover"));
    }

    [Fact]
    public void A_scene_that_is_too_large_to_draw_is_thinned()
    {
        var events = new List<MetricEvent>();
        int[] kept = ClassMaps.Begin(new(1, _folder, e => events.Add((MetricEvent)e), Cancellation), "cover", 600, 301);
        Assert.Equal((200, 101), ((int)events[0].Value, (int)events[1].Value));
        Assert.Equal(200 * 101, kept.Length);
        Assert.Equal((0, 3, 3 * 600, 300 * 600 + 597), (kept[0], kept[1], kept[200], kept[^1]));
    }

    [Fact]
    public void Answers_around_the_rows_are_a_map_with_the_rows_as_dots()
    {
        var series = Series("classify", "nearest-mean", new() { ["rows"] = 60, ["test"] = 40 });
        Assert.All(Cells(series, "regions", 64 * 64), Assert.NotNull);
        Assert.Equal([.. Enumerable.Range(0, 10).Select(c => $"{c}")], Family(series, "regions").Keys);
        var dots = Family(series, "regions-rows").Values.SelectMany(d => d).ToList();
        Assert.InRange(dots.Count, 45, 60); // some lie outside
        Assert.All(dots, d => Assert.True(d is { Value: >= 0 and <= 1, Step: >= 0 and <= 1000 }));
    }

    [Fact] // what all unions add is the whole sum of squares: the heights are √(2 what one adds)
    public void Unions_of_Wards_rule_add_up_and_give_the_groups_back()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(30, 3, 7);
        var clusters = new WardClusters().Group(x, 4, Cancellation);
        Assert.Equal(29, clusters.Unions.Count);
        double squares = (x - x.mean([0], keepdim: true)).square().sum().item<double>();
        Assert.Equal(squares, clusters.Unions.Sum(u => u.Height * u.Height / 2), 1e-9 * squares);
        Assert.All(clusters.Unions.Zip(clusters.Unions.Skip(1)), p => Assert.True(p.First.Height <= p.Second.Height + 1e-9)); // of a positive kernel
        double nearest = (from i in Enumerable.Range(0, 30) from j in Enumerable.Range(0, i) select (x[i] - x[j]).square().sum().sqrt().item<double>()).Min();
        Assert.Equal(nearest, clusters.Unions[0].Height, 1e-9);
        var parts = Enumerable.Range(0, 30).Select(i => (int[])[i]).ToList();
        foreach (var union in clusters.Unions)
            parts.Add([.. parts[union.Left], .. parts[union.Right]]);
        Assert.Equal(Enumerable.Range(0, 30), parts[^1].Order());
        Assert.Equal(58, clusters.Unions.SelectMany(u => (int[])[u.Left, u.Right]).Distinct().Count()); // each is united once
        var used = clusters.Unions.Take(26).SelectMany(u => (int[])[u.Left, u.Right]).ToHashSet();
        int[][] groups = [.. Enumerable.Range(0, 30 + 26).Where(p => !used.Contains(p)).Select(p => parts[p])];
        Assert.Equal(4, groups.Length);
        Assert.All(groups, g => Assert.Single(g.Select(i => clusters.Labels[i]).Distinct()));
    }

    [Fact]
    public void Unions_are_recorded_of_rows_and_of_nodes_with_the_true_groups()
    {
        var rows = Series("cluster", "ward", new() { ["each"] = 10 });
        Assert.All((string[])["left", "right", "height"], m => Assert.Equal(Enumerable.Range(0, 29).Select(i => (long)i), Family(rows, "unions")[m].Select(e => e.Step)));
        Assert.Equal(["group 1", "group 2", "group 3"], Family(rows, "unions-leaf").Keys);
        Assert.All(Family(rows, "unions-leaf").Values, g => Assert.Equal(10, g.Count));
        Assert.Equal(3, rows.Single(e => e.Name == "unions-cut/groups").Value);
        Assert.Empty(Family(Series("cluster", "k-means", new() { ["each"] = 10 }), "unions"));
        var graph = Series("graph", "log-proximity", new() { ["nodes"] = 8 });
        Assert.Equal(15, Family(graph, "unions")["left"].Count);
        Assert.Equal(16, Family(graph, "unions-name").Count);
    }

    [Fact]
    public void A_tree_is_recorded_in_the_names_and_units_of_the_file()
    {
        var random = new SeededRandom(1, "file");
        string path = Path.Combine(_folder, "rows.csv");
        File.WriteAllLines(path, ["weight in g,height in cm,kind", .. Enumerable.Range(0, 80).Select(i => FormattableString.Invariant($"{random.Next(100)},{(i % 2 == 0 ? 100 : 300) + random.Next(50)},{(i % 2 == 0 ? "cat" : "dog")}"))]);
        foreach (string method in (string[])["decision-tree", "random-forest", "forest-rc"])
        {
            var series = Series("classify", method, new() { ["rows"] = 40, ["test"] = 40 }, path);
            Assert.Equal(-1, series.First(e => e.Name == "tree/parent").Value);
            Assert.Equal(["cat", "dog"], Family(series, "tree-class").Keys.Order());
            var asks = Family(series, "tree-asks");
            if (method == "decision-tree")
            {
                Assert.Equal("height in cm", Assert.Single(asks).Key);
                Assert.InRange(Assert.Single(asks.Values.Single()).Value, 150, 300);
                Assert.Equal([1.0, 1.0], series.Where(e => e.Name.StartsWith("tree-class/", StringComparison.Ordinal) && e.Step > 0).Select(e => e.Value));
            }
            else
            {
                Assert.All(asks.Keys, name => Assert.Equal(method == "forest-rc", name.StartsWith("turned ", StringComparison.Ordinal)));
            }
        }
    }

    [Fact]
    public void Answers_are_counted_at_the_labels_of_the_hierarchy_and_none_is_lost()
    {
        var series = Series("unseen-classes", "loki", new() { ["classes"] = 20, ["test"] = 200, ["rows"] = 5 });
        var parents = Family(series, "hierarchy")["parent"];
        Assert.Equal(20, parents.Count);
        Assert.Equal(-1, parents[0].Value);
        Assert.All(parents.Skip(1).Select((p, i) => (p, i)), p => Assert.Contains(parents.Take(p.i + 1), q => q.Step == (long)p.p.Value)); // parents first
        var bars = Family(series, "hierarchy-bar");
        double Sum(string kind) => bars[kind].Sum(e => e.Value);
        Assert.Equal(200, Sum("answered rightly") + Sum("answered wrongly"));
        Assert.Equal(Sum("answered wrongly"), Sum("missed"));
        var marks = Family(series, "hierarchy")["mark"];
        Assert.Equal(4, marks.Count(m => m.Value == 2)); // a fifth has rows
        // what loki answers lies in the locus
        Assert.All(bars["answered rightly"].Zip(bars["answered wrongly"], marks).Where(b => b.First.Value + b.Second.Value > 0), b => Assert.True(b.Third.Value > 0));
    }
}
