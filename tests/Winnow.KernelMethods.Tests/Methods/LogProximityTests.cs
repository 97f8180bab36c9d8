using System.Text.Json.Nodes;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class LogProximityTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-graphs").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Graph Of(int n, params (int, int)[] edges)
    {
        using var scope = NewDisposeScope();
        double[] a = new double[n * n];
        foreach (var (i, j) in edges)
            a[i * n + j] = a[j * n + i] = 1;
        return new(tensor(a, [n, n]));
    }

    private static Graph Path(int n) => Of(n, [.. Enumerable.Range(0, n - 1).Select(i => (i, i + 1))]);

    private static Graph Drawn(ulong seed = 1, int groups = 2, int nodes = 10) => GraphProblem.Of(new GraphOptions { Made = groups, Nodes = nodes, Inside = 0.6, Across = 0.15 }, new SeededRandom(seed, "graph")).Graph;

    [Fact] // the stated values for a path of four, its three steps scaled to 3
    public void Logarithmic_distances_of_a_path_are_the_stated_ones_and_add_up()
    {
        using var scope = NewDisposeScope();
        using var path = Path(4);
        void Of(double[] expected, Tensor k)
        {
            var d = Proximity.Distance(k);
            double scale = 3 / (d[0, 1] + d[1, 2] + d[2, 3]).item<double>();
            Assert.All(expected.Zip(new[] { d[0, 1], d[1, 2], d[0, 2], d[0, 3] }), p => Assert.Equal(p.First, scale * p.Second.item<double>(), 1e-3));
        }
        Of([1.025, 0.950, 1.975, 3.000], Proximity.Log(Proximity.Of(path, "walk", 1 / (1 + Proximity.Radius(path))))!);
        Of([0.959, 1.081, 2.040, 3.000], Proximity.Log(Proximity.Of(path, "forest", 2))!);
        Of([1.026, 0.947, 1.500, 1.895], Proximity.Of(path, "forest", 1));
        Of([1, 1, 2, 3], Proximity.CommuteTime(path));
    }

    [Fact]
    public void Measures_are_their_series_and_rows_sum_to_what_they_must()
    {
        using var scope = NewDisposeScope();
        using var graph = Drawn();
        var a = graph.Adjacency;
        var (identity, power, walks, exponential) = (eye(20, dtype: ScalarType.Float64), eye(20, dtype: ScalarType.Float64), zeros(20, 20, dtype: ScalarType.Float64), zeros(20, 20, dtype: ScalarType.Float64));
        double t = 0.5 / Proximity.Radius(graph);
        for (int k = 0; k < 80; k++)
        {
            walks += power;
            exponential += power / Enumerable.Range(1, k).Aggregate(1.0, (x, y) => x * y);
            power = power.mm(a) * t;
        }
        Rows.Close(walks, Proximity.Of(graph, "walk", t), 1e-9);
        Rows.Close(exponential, Proximity.Of(graph, "communicability", t), 1e-9);
        foreach (string measure in (string[])["forest", "heat"])
            Rows.Close(ones(20, dtype: ScalarType.Float64), Proximity.Of(graph, measure, 0.7).sum(1), 1e-10);
        Rows.Close(ones(20, dtype: ScalarType.Float64), Proximity.Of(graph, "heat-pagerank", 0.7).sum(1), 1e-10);
        Rows.Close(ones(20, dtype: ScalarType.Float64) / 0.3, Proximity.Of(graph, "pagerank", 0.7).sum(1), 1e-9);
        var degree = a.sum(1);
        Rows.Close(identity, (degree.diag() - a * 0.7).mm(Proximity.Of(graph, "modified-pagerank", 0.7)), 1e-9);
        Rows.Close(zeros(20, dtype: ScalarType.Float64), Proximity.CommuteTime(graph).sum(1), 1e-9);
        foreach (string measure in (string[])["walk", "forest", "communicability", "heat", "normalised-heat"])
            Rows.Close(identity, Proximity.Of(graph, measure, 1e-9), 1e-6);
        Rows.Close(Proximity.Distance(Proximity.Of(graph, "forest", 1)) / 2, Proximity.Distance(Proximity.FromDistance(Proximity.Distance(Proximity.Of(graph, "forest", 1)))), 1e-10);
    }

    [Fact]
    public void Walks_drawn_to_short_ways_cost_the_shortest_way_at_last()
    {
        using var scope = NewDisposeScope();
        using var ring = Of(6, (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0));
        double[] ways = [.. from i in Enumerable.Range(0, 6) from j in Enumerable.Range(0, 6) select (double)Math.Min((i - j + 6) % 6, (j - i + 6) % 6)];
        Rows.Close(tensor(ways, [6, 6]), Proximity.Randomised(ring, 30).Cost, 1e-6);
    }

    [Fact] // naive twins: every union tried anew from the rows themselves
    public void Ward_unites_what_adds_least_and_means_reach_what_no_single_move_betters()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(14, 2);
        double[] k = Rows.Values(x.mm(x.t())), points = Rows.Values(x);
        double Spread(IEnumerable<int> of)
        {
            int[] own = [.. of];
            return Enumerable.Range(0, 2).Sum(c => own.Sum(i => Math.Pow(points[i * 2 + c] - own.Average(j => points[j * 2 + c]), 2)));
        }
        var groups = Enumerable.Range(0, 14).Select(i => new List<int> { i }).ToList();
        while (groups.Count > 3)
        {
            var (a, b) = (from p in Enumerable.Range(0, groups.Count) from q in Enumerable.Range(p + 1, groups.Count - p - 1) select (p, q)).MinBy(p => Spread(groups[p.p].Concat(groups[p.q])) - Spread(groups[p.p]) - Spread(groups[p.q]));
            groups[a].AddRange(groups[b]);
            groups.RemoveAt(b);
        }
        int[] naive = [.. Enumerable.Range(0, 14).Select(i => groups.FindIndex(g => g.Contains(i)))];
        Assert.Equal(1, KernelClusters.AdjustedRand(naive, KernelClusters.Ward(k, 14, 3)));
        int[] means = KernelClusters.Means(k, 14, 3, new SeededRandom(1, "starts"));
        double Of(int[] labels) => labels.Select((l, i) => (l, i)).GroupBy(p => p.l).Sum(g => Spread(g.Select(p => p.i)));
        Assert.Equal(3, means.Distinct().Count());
        Assert.True(Of(means) <= Of(naive) + 1e-9);
        // Lloyd's rule: each is nearest to its own mean
        for (int i = 0; i < 14; i++)
        {
            double[] away = [.. Enumerable.Range(0, 3).Select(g => Enumerable.Range(0, 2).Sum(c => Math.Pow(points[i * 2 + c] - Enumerable.Range(0, 14).Where(j => means[j] == g).Average(j => points[j * 2 + c]), 2)))];
            Assert.True(away[means[i]] <= away.Min() + 1e-9);
        }
    }

    [Fact] // by hand: one pair together in both of two each, of ten
    public void The_adjusted_index_is_one_for_the_same_groups_and_that_of_its_definition()
    {
        Assert.Equal(1, KernelClusters.AdjustedRand([0, 0, 1, 2], [5, 5, 3, 1]));
        Assert.Equal((1 - 0.4) / (2 - 0.4), KernelClusters.AdjustedRand([0, 0, 1, 1, 2], [0, 0, 1, 2, 2]), 12);
    }

    [Theory, InlineData("log-proximity"), InlineData("spectral")]
    public void Clear_groups_are_found_whatever_nodes_are_called(string method)
    {
        using var scope = NewDisposeScope();
        using var graph = Drawn(3, 3, 12);
        int[] truth = [.. Enumerable.Range(0, 36).Select(i => i / 12)];
        var clusterer = (IGraphClusterer)Arena.Build(method, seed: 2);
        Assert.True(KernelClusters.AdjustedRand(truth, clusterer.Group(graph, 3, TestContext.Current.CancellationToken).Labels) > 0.8);
        var order = tensor(Enumerable.Range(0, 36).Select(i => (long)(i * 5 % 36)).ToArray());
        using var turned = new Graph(graph.Adjacency.index_select(0, order).index_select(1, order));
        int[] again = clusterer.Group(turned, 3, TestContext.Current.CancellationToken).Labels;
        Assert.True(KernelClusters.AdjustedRand([.. Enumerable.Range(0, 36).Select(i => truth[i * 5 % 36])], again) > 0.8);
        foreach (int groups in (int[])[1, 36])
            Assert.Equal(groups, clusterer.Group(graph, groups, TestContext.Current.CancellationToken).Labels.Distinct().Count());
    }

    [Fact]
    public void Graphs_that_are_none_and_strengths_beyond_the_series_are_refused()
    {
        using var scope = NewDisposeScope();
        string Refused(params double[] a) => Assert.Throws<InputException>(() => new Graph(tensor(a, [3, 3]), ["x", "y", "z"])).Message;
        Assert.Contains("from x to y", Refused(0, 1, 0, 2, 0, 1, 0, 1, 0));
        Assert.Contains("itself", Refused(1, 1, 0, 1, 0, 1, 0, 1, 0));
        Assert.Contains("from x to y", Refused(0, -1, 0, -1, 0, 1, 0, 1, 0));
        Assert.Contains("2 parts", Refused(0, 1, 0, 1, 0, 0, 0, 0, 0));
        Assert.Contains("z is not in the first", Refused(0, 1, 0, 1, 0, 0, 0, 0, 0));
        using var path = Path(3);
        Assert.Throws<ArgumentOutOfRangeException>(() => Proximity.Of(path, "walk", 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Proximity.Of(path, "forest", 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Proximity.Of(path, "other", 0.1));
    }

    [Fact]
    public void Shortest_ways_are_those_of_a_naive_twin_and_commuting_along_a_tree_takes_as_long_as_the_way()
    {
        using var scope = NewDisposeScope();
        using var graph = Drawn();
        double[] a = Rows.Values(graph.Adjacency), found = Rows.Values(Proximity.ShortestPath(graph));
        for (int start = 0; start < 20; start++)
        {
            int[] steps = [.. Enumerable.Repeat(-1, 20)];
            steps[start] = 0;
            for (int far = 0; far < 20; far++)
                foreach (int i in Enumerable.Range(0, 20).Where(i => steps[i] == far).ToArray())
                    for (int j = 0; j < 20; j++)
                        if (a[i * 20 + j] > 0 && steps[j] < 0)
                            steps[j] = far + 1;
            Assert.Equal(steps.Select(s => (double)s), found[(start * 20)..(start * 20 + 20)]);
        }
        using var path = Path(5);
        Rows.Close(Proximity.ShortestPath(path) * 8, Proximity.DistanceOf(path, "commute", 0.5), 1e-9); // twice the sum of weights
        Rows.Close(Proximity.ShortestPath(graph), Proximity.DistanceOf(graph, "free-energy", 0.01), 0.1);
        // twice the weight is half the way
        using var heavy = new Graph(graph.Adjacency * 2);
        Rows.Close(Proximity.ShortestPath(graph) / 2, Proximity.ShortestPath(heavy), 1e-12);
        Assert.Throws<ArgumentOutOfRangeException>(() => Proximity.DistanceOf(graph, "walk", 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Proximity.DistanceOf(graph, "commute", 1));
    }

    [Theory, InlineData("shortest-path"), InlineData("commute"), InlineData("corrected-commute"), InlineData("randomised-shortest-path"), InlineData("free-energy"), InlineData("sigmoid-commute"), InlineData("sigmoid-corrected-commute")]
    public void Clear_groups_are_found_by_distances_and_sigmoids_too(string measure)
    {
        using var scope = NewDisposeScope();
        using var graph = GraphProblem.Of(new GraphOptions { Made = 2, Nodes = 12, Inside = 0.8, Across = 0.05 }, new SeededRandom(2, "graph")).Graph;
        var found = ((IGraphClusterer)Arena.Build("log-proximity", new() { ["measure"] = measure }, seed: 2)).Group(graph, 2, TestContext.Current.CancellationToken);
        Assert.True(KernelClusters.AdjustedRand([.. Enumerable.Range(0, 24).Select(i => i / 12)], found.Labels) > 0.8);
        Assert.Equal(measure is "shortest-path" or "commute" or "corrected-commute" ? 1 : 10, found.Tried.Count);
        Assert.Equal([24L, 24L], found.Distances!.shape);
    }

    [Fact] // by hand: two pairs within, at 1 and 3; four across, at 2, 2, 4 and 5
    public void A_reject_curve_counts_other_pairs_that_are_as_near_as_those_of_a_group()
    {
        using var scope = NewDisposeScope();
        double[] d = [0, 1, 2, 4, 1, 0, 2, 5, 2, 2, 0, 3, 4, 5, 3, 0];
        double[] curve = Proximity.RejectCurve(tensor(d, [4, 4]), [0, 0, 1, 1]);
        Assert.Equal([.. Enumerable.Repeat(0.0, 50), .. Enumerable.Repeat(0.5, 50)], curve);
        Assert.Empty(Proximity.RejectCurve(tensor(d, [4, 4]), [0, 0, 0, 0]));
        Assert.Empty(Proximity.RejectCurve(tensor(d, [4, 4]), [0, 1, 2, 3]));
    }

    [Fact]
    public void A_users_graph_is_grouped_and_one_without_groups_only_where_their_number_is_told()
    {
        string file = System.IO.Path.Combine(_folder, "two.gml"), bare = System.IO.Path.Combine(_folder, "bare.gml");
        string Node(int i, string value) => $"node [ id {i} label \"n{i}\" {value} ]\n";
        string edges = "edge [ source 0 target 1 ] edge [ source 1 target 2 ] edge [ source 0 target 2 ] edge [ source 3 target 4 ] edge [ source 4 target 5 ] edge [ source 3 target 5 ] edge [ source 2 target 3 ]";
        File.WriteAllText(file, $"graph [\n{string.Concat(Enumerable.Range(0, 6).Select(i => Node(i, $"value \"{(i < 3 ? "a" : "b")}\"")))}{edges}\n]\n");
        File.WriteAllText(bare, $"graph [\n{string.Concat(Enumerable.Range(0, 6).Select(i => Node(i, "")))}{edges}\n]\n");
        var card = Arena.Task("graph");
        IReadOnlyDictionary<string, double> Run(string? source, JsonObject? given = null)
        {
            object options = card.Options.Bind(given ?? [], "task");
            var data = Arena.Inspect(source, card, options, new(), TestContext.Current.CancellationToken);
            return Arena.Run(new(Arena.Id, "graph", card.Options.Canonical(options), "log-proximity", Arena.Method("log-proximity").Options.Canonical(new LogProximityOptions()), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
        }
        Assert.Equal((1, 1), (Run(file)["ari"], Run(file)["best_ari"]));
        Assert.InRange(Run(null)["best_ari"], 0.3, 1);
        Assert.Contains("nodes without value", Assert.Throws<InputException>(() => Arena.Inspect(bare, card, new GraphOptions(), new(), TestContext.Current.CancellationToken)).Message); // before any trial
        var told = Run(bare, new() { ["groups"] = 2 });
        Assert.Equal(["fit_ms", "modularity"], told.Keys.Order());
        Assert.Equal(Run(file)["modularity"], told["modularity"]);
        Assert.Contains("at most 6", Assert.Throws<InputException>(() => Run(file, new() { ["groups"] = 7 })).Message);
        var planned = Arena.Inspect(file, card, new GraphOptions(), new(), TestContext.Current.CancellationToken).Reference;
        File.AppendAllText(file, "# changed\n");
        Assert.Contains("The file changed", Assert.Throws<InputException>(() => planned.Require(DataRef.HashOfFiles(file))).Message);
    }
}
