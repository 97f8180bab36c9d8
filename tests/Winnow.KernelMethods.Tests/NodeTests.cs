using System.Text.Json.Nodes;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class NodeTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-nodes").FullName;

    public static TheoryData<string> Methods => [.. Arena.DefaultMethods(Arena.Task("nodes")).Select(m => m.Id)];

    public static TheoryData<string> Measures => [.. Proximity.Measures];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static (Graph Dense, (int, int, double)[] Edges) Drawn(ulong seed = 3)
    {
        var graph = GraphProblem.Of(new GraphOptions { Made = 2, Nodes = 8, Inside = 0.5, Across = 0.1 }, new SeededRandom(seed, "graph")).Graph;
        double[] a = Rows.Values(graph.Adjacency);
        return (graph, [.. from i in Enumerable.Range(0, 16) from j in Enumerable.Range(i + 1, 15 - i) where a[i * 16 + j] > 0 select (i, j, a[i * 16 + j])]);
    }

    [Theory, MemberData(nameof(Measures))]
    public void Nearness_of_a_connected_graph_is_that_of_the_dense_twin_and_that_of_several_parts_is_each_parts_own(string measure)
    {
        using var scope = NewDisposeScope();
        var (dense, edges) = Drawn();
        using var _ = dense;
        var one = new NodeGraph(16, edges);
        double[] strengths = [.. ((double[])[0.2, 0.6]).Select(g => Proximity.Strength(dense, measure, g))];
        Assert.Equal(strengths[1], NodeProximity.Strength(one, measure, 0.6), 1e-9);
        var found = NodeProximity.Of(one, measure, strengths, [3, 12, 0], TestContext.Current.CancellationToken);
        // a copy of the graph and a node alone beside it
        var two = new NodeGraph(33, [.. edges, .. edges.Select(e => (e.Item1 + 17, e.Item2 + 17, e.Item3))]);
        Assert.Equal((3, 2 * edges.Length), (two.Parts, two.Edges));
        var apart = NodeProximity.Of(two, measure, strengths, [3, 29, 16], TestContext.Current.CancellationToken);
        for (int s = 0; s < 2; s++)
        {
            var whole = Proximity.Of(dense, measure, strengths[s]);
            whole = (whole + whole.t()) / 2;
            double size = whole.abs().max().item<double>();
            Rows.Close(whole.index_select(0, tensor(new long[] { 3, 12, 0 })), found[s].Rows, 1e-11 * size);
            Rows.Close(whole.diagonal(), found[s].Diagonal, 1e-11 * size);
            Rows.Close(found[s].Rows[0], apart[s].Rows[0].narrow(0, 0, 16), 1e-11 * size);
            Rows.Close(found[s].Rows[1], apart[s].Rows[1].narrow(0, 17, 16), 1e-11 * size);
            Assert.All(Rows.Values(apart[s].Rows[0]).Skip(16), v => Assert.Equal(0, v));
            Assert.Equal(apart[s].Diagonal[16].item<double>(), apart[s].Rows[2].sum().item<double>(), 1e-12);
        }
    }

    [Fact] // a path: (I − tA)⁻¹ of its ends is tⁿ⁻¹ / det, far below what an eigendecomposition can tell from 0
    public void Nodes_far_apart_keep_all_digits()
    {
        using var scope = NewDisposeScope();
        const int n = 40;
        const double t = 0.1;
        var path = new NodeGraph(n, [.. Enumerable.Range(0, n - 1).Select(i => (i, i + 1, 1.0))]);
        double[] minors = [1, 1, .. new double[n - 1]];
        for (int i = 2; i <= n; i++)
            minors[i] = minors[i - 1] - t * t * minors[i - 2];
        double expected = Math.Pow(t, n - 1) / minors[n];
        double found = NodeProximity.Of(path, "walk", [t], [0], TestContext.Current.CancellationToken)[0].Rows[0, n - 1].item<double>();
        Assert.InRange(found / expected, 1 - 1e-10, 1 + 1e-10);
        // and of a forest: tⁿ⁻¹ / det(I + tL)
        (double last, double own) = (1 + t, 1);
        for (int i = 2; i <= n; i++)
            (own, last) = (last, (1 + (i == n ? 1 : 2) * t) * last - t * t * own);
        double forest = NodeProximity.Of(path, "forest", [t], [0], TestContext.Current.CancellationToken)[0].Rows[0, n - 1].item<double>();
        Assert.InRange(forest / (Math.Pow(t, n - 1) / last), 1 - 1e-10, 1 + 1e-10);
    }

    private static NodeProblem Made(ulong seed = 1) => NodeProblem.Of(NodeProblem.Made(new() { Classes = 3, Nodes = 40, Inside = 0.15, Across = 0.01, Words = 0.6 }, new SeededRandom(seed, "graph")), new() { Shots = 8 }, new SeededRandom(seed, "split"));

    private static double Right(string method, NodeProblem problem, JsonObject? options = null)
    {
        using var scope = NewDisposeScope();
        long[] found = ((INodeClassifier)Arena.Build(method, options, 4)).Classify(problem.Nodes, TestContext.Current.CancellationToken).Scores.argmax(1).data<long>().ToArray();
        return problem.Asked.Zip(problem.Labels).Average(p => found[p.First] == p.Second ? 1.0 : 0);
    }

    [Fact]
    public void Clear_classes_are_found_by_every_solver_form_and_measure()
    {
        var problem = Made();
        foreach (string solver in (string[])["ridge", "svm", "gp", "neighbours"])
            foreach (string form in (string[])["cosine", "log"])
                Assert.InRange(Right("node-kernel", problem, new() { ["solver"] = solver, ["form"] = form }), 0.8, 1);
        foreach (string measure in Proximity.Measures)
            Assert.InRange(Right("node-kernel", problem, new() { ["measure"] = measure, ["words"] = "sum" }), 0.8, 1);
        Assert.InRange(Right("node-kernel", problem, new() { ["words"] = "product" }), 0.8, 1);
        Assert.InRange(Right("node-words", problem), 0.6, 1);
        Assert.InRange(Right("label-propagation", problem), 0.6, 1);
        Assert.InRange(Right("majority", problem), 0.2, 0.5);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Two_runs_are_equal_scores_are_finite_and_a_cancelled_one_stops(string method)
    {
        using var scope = NewDisposeScope();
        var problem = Made();
        double[] Scores() => Rows.Values(((INodeClassifier)Arena.Build(method, seed: 3)).Classify(problem.Nodes, TestContext.Current.CancellationToken).Scores);
        double[] scores = Scores();
        Assert.Equal(120 * 3, scores.Length);
        Assert.All(scores, s => Assert.True(double.IsFinite(s)));
        Assert.Equal(scores, Scores());
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => ((INodeClassifier)Arena.Build(method)).Classify(problem.Nodes, stop.Token));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Graphs_without_edges_single_nodes_a_class_alone_and_nodes_without_words_are_answered(string method)
    {
        using var scope = NewDisposeScope();
        int[][] words = [[0, 1], [0, 1, 2], [3], [], [3, 4], []];
        foreach (var nodes in (LabelledNodes[])[
            new(new(6, [], words), [0, 2], [0, 1], 2),
            new(new(6, [(0, 1, 1), (2, 4, 2)], words), [0, 2], [0, 1], 3),
            new(new(6, [(0, 1, 1), (2, 4, 2)], words), [5], [1], 2),
            new(new(6, [(0, 1, 1), (1, 2, 1), (2, 3, 1)], words), [0, 3, 5], [0, 1, 1], 2)])
            foreach (string form in method == "node-kernel" ? (string[])["plain", "cosine", "log"] : [""])
                Assert.All(Rows.Values(((INodeClassifier)Arena.Build(method, form == "" ? null : new() { ["form"] = form, ["words"] = "sum" })).Classify(nodes, TestContext.Current.CancellationToken).Scores), s => Assert.True(double.IsFinite(s)));
    }

    [Fact] // (I − αS)⁻¹ Y, and a node that nothing reaches
    public void Labels_spread_to_the_solution_of_their_system()
    {
        using var scope = NewDisposeScope();
        var (dense, edges) = Drawn();
        using var _ = dense;
        var nodes = new LabelledNodes(new(17, edges), [0, 15, 9], [0, 1, 1], 2);
        double[] y = new double[34];
        (y[0], y[31], y[19]) = (1, 1, 1);
        var root = dense.Adjacency.sum(1).rsqrt();
        var system = eye(16, dtype: ScalarType.Float64) - dense.Adjacency * root.unsqueeze(1) * root * 0.99;
        var found = new LabelPropagation(new()).Classify(nodes, TestContext.Current.CancellationToken).Scores;
        Rows.Close(linalg.solve(system, tensor(y, [17, 2]).narrow(0, 0, 16)) * 0.01, found.narrow(0, 0, 16), 1e-8);
        Assert.Equal([1.0 / 3, 2.0 / 3], Rows.Values(found[16]));
    }

    [Fact]
    public void Words_are_compared_by_their_cosine_and_rare_ones_count_more()
    {
        using var scope = NewDisposeScope();
        int[][] words = [[0, 7], [0, 7, 9], [9], []];
        var nodes = new LabelledNodes(new(4, [], words), [0, 3], [0, 1], 2);
        var (rows, diagonal) = NodeWords.Similarities(nodes, rare: false);
        Rows.Close(tensor(new[] { 1, 2 / Math.Sqrt(6), 0, 0, 0, 0, 0, 1.0 }, [2, 4]), rows, 1e-12);
        Rows.Close(ones(4, dtype: ScalarType.Float64), diagonal, 0);
        Assert.Contains("without words", Assert.Throws<InputException>(() => ((INodeClassifier)Arena.Build("node-words")).Classify(new(new(4, []), [0], [0], 1), TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public void Graphs_and_labels_that_are_none_are_refused()
    {
        string Of(Func<object> make) => Assert.Throws<InputException>(make).Message;
        Assert.Contains("from 1 to 1", Of(() => new NodeGraph(2, [(1, 1, 1)])));
        Assert.Contains("from 0 to 2", Of(() => new NodeGraph(2, [(0, 2, 1)])));
        Assert.Contains("weight -1", Of(() => new NodeGraph(2, [(0, 1, -1)])));
        Assert.Contains("weight NaN", Of(() => new NodeGraph(2, [(0, 1, double.NaN)])));
        var graph = new NodeGraph(2, [(0, 1, 1), (1, 0, 2)]);
        Assert.Equal((1, 3.0), (graph.Edges, graph.Degrees[0]));
        Assert.Contains("each once", Of(() => new LabelledNodes(graph, [0, 0], [0, 1], 2)));
        Assert.Contains("at least one", Of(() => new LabelledNodes(graph, [], [], 2)));
        Assert.Contains("0 to 1", Of(() => new LabelledNodes(graph, [0], [2], 2)));
    }

    private IReadOnlyDictionary<string, double> Run(string? source, string method, JsonObject? given = null)
    {
        var card = Arena.Task("nodes");
        object options = card.Options.Bind(given ?? [], "task");
        var data = Arena.Inspect(source, card, options, new(), TestContext.Current.CancellationToken);
        var of = Arena.Method(method);
        return Arena.Run(new(Arena.Id, "nodes", card.Options.Canonical(options), method, of.Options.Canonical(of.Options.Bind([], method)), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
    }

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_reports_every_metric(string method)
    {
        var metrics = Run(null, method, new() { ["nodes"] = 20, ["shots"] = 5 });
        Assert.All(Arena.MetricsOf("nodes"), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
    }

    [Fact]
    public void A_users_folder_is_split_as_it_says_and_unknown_nodes_are_neither_learned_from_nor_asked_for()
    {
        File.WriteAllText(Path.Combine(_folder, "nodes.tsv"), "node\tlabel\twords\na\tx\t1 2\nb\tx\t1\nc\ty\t5\nd\ty\t5 6\ne\t-1\t\nf\tx\t2\n");
        File.WriteAllText(Path.Combine(_folder, "edges.tsv"), "source\ttarget\na\tb\nb\tf\nc\td\n");
        File.WriteAllText(Path.Combine(_folder, "split.json"), "{\"train\": [\"a\", \"c\"], \"test\": [\"b\", \"d\", \"e\", \"f\"]}");
        var summary = Arena.Inspect(_folder, Arena.Task("nodes"), new NodesOptions(), new(), TestContext.Current.CancellationToken);
        Assert.Contains("6 nodes in 3 parts, 1 of them single nodes; 3 edges, 2 classes, 1 nodes without one, which are not asked for; 2 given to learn from, 4 to ask for", summary.Text);
        var problem = NodeProblem.Of(NodeProblem.Read(_folder), new(), new SeededRandom(1, "split"));
        Assert.Equal([1, 3, 5], problem.Asked);
        Assert.Equal([0, 2], problem.Nodes.Known);
        Assert.Equal(1, Run(_folder, "node-kernel")["accuracy"]);
        var drawn = NodeProblem.Of(NodeProblem.Read(_folder), new() { Split = "drawn", Shots = 1 }, new SeededRandom(1, "split"));
        Assert.Equal((2, 3), (drawn.Nodes.Known.Count, drawn.Asked.Length));
        Assert.DoesNotContain(4, drawn.Asked.Concat(drawn.Nodes.Known));
        File.AppendAllText(Path.Combine(_folder, "edges.tsv"), "a\tc\n");
        Assert.Contains("The file changed", Assert.Throws<InputException>(() => summary.Reference.Require(NodeProblem.HashOf(_folder))).Message);
    }
}
