using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class GraphKernelTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-whole").FullName;

    public static TheoryData<string> Methods => [.. Arena.DefaultMethods(Arena.Task("graphs")).Select(m => m.Id)];

    public static TheoryData<string> Kernels => ["weisfeiler-lehman", "shortest-path", "vertex-histogram", "random-walk"];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Tensor Gram(string kernel, IReadOnlyList<TuGraph> graphs) => kernel switch
    {
        "weisfeiler-lehman" => GraphKernels.WeisfeilerLehman(graphs, 3)[3],
        "shortest-path" => GraphKernels.ShortestPaths(graphs),
        "vertex-histogram" => GraphKernels.VertexHistogram(graphs),
        _ => GraphKernels.RandomWalks(graphs, 0.5, TestContext.Current.CancellationToken),
    };

    private static TuGraph[] Drawn(int count = 6) => [.. GraphsTask.Made(new() { Graphs = count / 2, Nodes = 9, Labels = 2 }, new SeededRandom(4, "graphs")).Graphs];

    private static TuGraph Turned(TuGraph graph, ulong seed)
    {
        int[] order = [.. Enumerable.Range(0, graph.Labels.Count)], labels = new int[graph.Labels.Count];
        new SeededRandom(seed, "turn").Shuffle(order);
        for (int i = 0; i < order.Length; i++)
            labels[order[i]] = graph.Labels[i];
        return new(labels, [.. graph.Edges.Select(e => (Math.Min(order[e.From], order[e.To]), Math.Max(order[e.From], order[e.To]))).Reverse()]);
    }

    [Theory, MemberData(nameof(Kernels))]
    public void What_nodes_are_called_does_not_matter_and_no_eigenvalue_is_below_zero(string kernel)
    {
        using var scope = NewDisposeScope();
        var graphs = Drawn();
        TuGraph[] turned = [.. graphs, .. graphs.Select((g, i) => Turned(g, (ulong)i))];
        var gram = Gram(kernel, turned);
        Rows.Close(gram.narrow(0, 0, 6), gram.narrow(0, 6, 6), 1e-9);
        Rows.Close(gram, gram.t(), 0);
        Assert.True(linalg.eigvalsh(gram)[0].item<double>() > -1e-9 * gram.max().item<double>());
        var unit = GraphKernels.Normalised(gram);
        Rows.Close(ones(12, dtype: ScalarType.Float64), unit.diagonal(), 0);
        Assert.InRange(unit.max().item<double>(), 1, 1 + 1e-12);
    }

    [Fact] // naive twins: pairs of nodes of two graphs compared one by one
    public void Kernels_count_what_naive_twins_count()
    {
        using var scope = NewDisposeScope();
        var graphs = Drawn();
        double[][] d = [.. graphs.Select(g =>
        {
            int n = g.Labels.Count;
            double[] ways = [.. Enumerable.Range(0, n * n).Select(i => i / n == i % n ? 0 : g.Edges.Contains((Math.Min(i / n, i % n), Math.Max(i / n, i % n))) ? 1 : double.PositiveInfinity)];
            for (int k = 0; k < n; k++)
                for (int i = 0; i < n; i++)
                    for (int j = 0; j < n; j++)
                        ways[i * n + j] = Math.Min(ways[i * n + j], ways[i * n + k] + ways[k * n + j]);
            return ways;
        })];
        double Paths(int a, int b)
        {
            int n = graphs[a].Labels.Count, m = graphs[b].Labels.Count;
            double sum = 0;
            for (int i = 0; i < n; i++)
                for (int j = i + 1; j < n; j++)
                    for (int p = 0; p < m; p++)
                        for (int q = p + 1; q < m; q++)
                            if (double.IsFinite(d[a][i * n + j]) && d[a][i * n + j] == d[b][p * m + q] && ((int[])[graphs[a].Labels[i], graphs[a].Labels[j]]).Order().SequenceEqual(((int[])[graphs[b].Labels[p], graphs[b].Labels[q]]).Order()))
                                sum++;
            return sum;
        }
        // the same surroundings to a depth: the multiset of the neighbours' surroundings, written out
        string Around(TuGraph g, int node, int depth) => depth == 0 ? $"{g.Labels[node]}" : $"({Around(g, node, depth - 1)}{string.Concat(g.Edges.Where(e => e.From == node || e.To == node).Select(e => Around(g, e.From == node ? e.To : e.From, depth - 1)).Order(StringComparer.Ordinal))})";
        double Trees(int a, int b) => Enumerable.Range(0, 4).Sum(depth => (from i in Enumerable.Range(0, graphs[a].Labels.Count) from p in Enumerable.Range(0, graphs[b].Labels.Count) select Around(graphs[a], i, depth) == Around(graphs[b], p, depth) ? 1.0 : 0).Sum());
        int degree = graphs.Max(g => Enumerable.Range(0, g.Labels.Count).Max(i => g.Edges.Count(e => e.From == i || e.To == i)));
        double Walks(int a, int b)
        {
            int n = graphs[a].Labels.Count, m = graphs[b].Labels.Count;
            (int P, int Q)[] pairs = [.. from p in Enumerable.Range(0, n) from q in Enumerable.Range(0, m) where graphs[a].Labels[p] == graphs[b].Labels[q] select (p, q)];
            bool Edge(TuGraph g, int i, int j) => g.Edges.Contains((Math.Min(i, j), Math.Max(i, j)));
            double[] system = [.. from x in pairs from y in pairs select (x == y ? 1.0 : 0) - (Edge(graphs[a], x.P, y.P) && Edge(graphs[b], x.Q, y.Q) ? 0.5 / (degree * degree) : 0)];
            return linalg.solve(tensor(system, [pairs.Length, pairs.Length]), ones(pairs.Length, 1, dtype: ScalarType.Float64)).sum().item<double>();
        }
        foreach (var (kernel, naive) in ((string, Func<int, int, double>)[])[("shortest-path", Paths), ("weisfeiler-lehman", Trees), ("random-walk", Walks)])
        {
            var gram = Gram(kernel, graphs);
            for (int a = 0; a < 6; a++)
                for (int b = 0; b < 6; b++)
                    Assert.Equal(naive(a, b), gram[a, b].item<double>(), 1e-8);
        }
    }

    [Fact]
    public void Without_rounds_surroundings_are_labels_alone()
    {
        using var scope = NewDisposeScope();
        TuGraph[] graphs = [new([0, 0, 1], [(0, 1)]), new([1, 1], []), new([2], [])];
        double[] counts = [5, 2, 0, 2, 4, 0, 0, 0, 1]; // by hand
        Assert.Equal(counts, Rows.Values(GraphKernels.VertexHistogram(graphs)));
        Assert.Equal(counts, Rows.Values(GraphKernels.WeisfeilerLehman(graphs, 4)[0]));
        // six nodes of degree two in one ring or in two: no number of rounds tells them apart, ways do
        TuGraph[] rings = [new(new int[6], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]), new(new int[6], [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)])];
        Assert.All(Rows.Values(GraphKernels.Normalised(GraphKernels.WeisfeilerLehman(rings, 5)[5])), v => Assert.Equal(1, v, 1e-12));
        Assert.True(GraphKernels.Normalised(GraphKernels.ShortestPaths(rings))[0, 1].item<double>() < 0.8);
    }

    [Fact] // pairs of nodes that no walk joins beyond none: a graph without edges has one walk a node
    public void Graphs_without_edges_or_of_one_node_have_similarities()
    {
        using var scope = NewDisposeScope();
        TuGraph[] graphs = [new([0], []), new([0, 0], []), new([0, 1, 1], [(0, 1), (1, 2)])];
        Assert.Equal(1, GraphKernels.RandomWalks(graphs, 0.9, TestContext.Current.CancellationToken)[0, 0].item<double>());
        Assert.Equal(2, GraphKernels.RandomWalks(graphs, 0.9, TestContext.Current.CancellationToken)[0, 1].item<double>());
        Assert.Equal([1.0, 0, 0], Rows.Values(GraphKernels.Normalised(GraphKernels.ShortestPaths(graphs))[0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => GraphKernels.RandomWalks(graphs, 1, TestContext.Current.CancellationToken));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Two_runs_are_equal_scores_are_finite_and_a_cancelled_one_stops(string method)
    {
        using var scope = NewDisposeScope();
        var data = GraphsTask.Made(new() { Graphs = 12 }, new SeededRandom(1, "graphs"));
        int[] known = [.. Enumerable.Range(0, 24).Where(i => i % 4 != 0)];
        foreach (int[] labels in (int[][])[[.. known.Select(i => data.Labels[i])], new int[18]])
        {
            double[] Scores() => Rows.Values(((IGraphClassifier)Arena.Build(method, seed: 3)).Classify(new(data.Graphs, known, labels, 2), TestContext.Current.CancellationToken).Scores);
            double[] scores = Scores();
            Assert.Equal(48, scores.Length);
            Assert.All(scores, s => Assert.True(double.IsFinite(s)));
            Assert.Equal(scores, Scores());
        }
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => ((IGraphClassifier)Arena.Build(method)).Classify(new(data.Graphs, known, new int[18], 2), stop.Token));
    }

    [Fact] // by chance 0.7 of 80 are right with a probability of 2e-4
    public void Rings_and_trees_are_told_apart_by_every_solver_and_kernel_but_not_by_sizes()
    {
        double Right(string method, JsonObject? options = null) => Run(null, method, options, new() { ["graphs"] = 40, ["noise"] = 0.0, ["folds"] = 4 })["accuracy"];
        foreach (string solver in (string[])["ridge", "svm", "gp", "neighbours"])
            Assert.InRange(Right("graph-kernel", new() { ["solver"] = solver, ["rounds"] = 2 }), 0.7, 1);
        Assert.InRange(Right("graph-kernel", new() { ["kernel"] = "shortest-path" }), 0.7, 1);
        Assert.InRange(Right("graph-counts"), 0, 0.7);
        Assert.InRange(Right("graph-kernel", new() { ["kernel"] = "vertex-histogram" }), 0, 0.7);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_reports_every_metric(string method)
    {
        var metrics = Run(null, method, null, new() { ["graphs"] = 8, ["folds"] = 3 });
        Assert.All(Arena.MetricsOf("graphs"), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
    }

    [Fact]
    public void A_users_folder_is_run_and_what_is_too_little_refused()
    {
        void Write(int count)
        {
            File.WriteAllText(Path.Combine(_folder, "MINE_A.txt"), string.Concat(Enumerable.Range(0, count).Where(g => g % 2 == 0).Select(g => $"{3 * g + 1}, {3 * g + 2}\n{3 * g + 2}, {3 * g + 3}\n")));
            File.WriteAllText(Path.Combine(_folder, "MINE_graph_indicator.txt"), string.Concat(Enumerable.Range(0, 3 * count).Select(n => $"{n / 3 + 1}\n")));
            File.WriteAllText(Path.Combine(_folder, "MINE_graph_labels.txt"), string.Concat(Enumerable.Range(0, count).Select(g => $"{g % 2}\n")));
        }
        Write(20);
        Assert.Contains("20 graphs of 2 classes, 3.0 nodes and 1.0 edges on average, 1 node labels", Arena.Inspect(_folder, Arena.Task("graphs"), new GraphsOptions(), new(), TestContext.Current.CancellationToken).Text);
        Assert.Equal(1, Run(_folder, "graph-kernel")["accuracy"]);
        Write(8);
        Assert.Contains("at least 10", Assert.Throws<InputException>(() => Run(_folder, "graph-kernel")).Message);
        string Of(Func<object> make) => Assert.Throws<InputException>(make).Message;
        Assert.Contains("graph 0", Of(() => new LabelledGraphs([new([], [])], [0], [0], 1)));
        Assert.Contains("graph 0", Of(() => new LabelledGraphs([new([0], [(0, 1)])], [0], [0], 1)));
        Assert.Contains("each once", Of(() => new LabelledGraphs([new([0], [])], [0, 0], [0, 0], 1)));
        Assert.Contains("0 to 0", Of(() => new LabelledGraphs([new([0], [])], [0], [1], 1)));
    }

    private IReadOnlyDictionary<string, double> Run(string? source, string method, JsonObject? options = null, JsonObject? given = null)
    {
        var card = Arena.Task("graphs");
        object bound = card.Options.Bind(given ?? [], "task");
        var data = Arena.Inspect(source, card, bound, new(), TestContext.Current.CancellationToken);
        var of = Arena.Method(method);
        return Arena.Run(new(Arena.Id, "graphs", card.Options.Canonical(bound), method, of.Options.Canonical(of.Options.Bind(options ?? [], method)), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
    }
}
