using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>The nodes of a graph are put into groups.</summary>
internal sealed class GraphTask : IKernelTask
{
    public TaskCard Card { get; } = new("graph", "Groups of a graph", "The nodes of a graph without direction are put into groups; how many is told. Where a file does not say the groups, methods are compared by modularity. Without a file two groups of nodes are drawn, denser within than between.", OptionsSchema.Of<GraphOptions>(), ["graph"]) { Data = "FILE.gml", Metrics = Metrics.OfGraphs };

    public IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("reject", FigureKind.Lines, "Which distances tell groups apart", "reject", "percent of the pairs of a group", "share of the other pairs no further apart", "The distances that a method groups by: where a line is lower, fewer pairs of two groups are taken for pairs of one. Along the diagonal distances say nothing of groups."),
    ];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (GraphOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "A made graph", $"{o.Made} groups of {o.Nodes} nodes", reading);
        string path = Path.GetFullPath(source);
        var file = GraphProblem.Read(path, o);
        return new(new(path, DataRef.HashOfFiles(path), reading), Path.GetFileName(path), $"GML: {file.Names.Count:N0} nodes, {file.Edges.Count:N0} edges, {(file.Values is null ? "no groups known: compared by modularity" : $"{file.Values.Distinct().Count()} groups")}", null);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (data, o) = (trial.Trial.Data, (GraphOptions)trial.Options);
        if (data.Source != "made")
            data.Require(DataRef.HashOfFiles(data.Source));
        var problem = data.Source == "made" ? GraphProblem.Of(o, trial.Context.Random("graph")) : GraphProblem.Of(data.Source, o);
        using var graph = problem.Graph;
        int groups = problem.Groups(o);
        if (groups > graph.Nodes)
            throw InputException.At("task.groups", $"{groups}", $"at most {graph.Nodes}, the nodes", "Take fewer.");
        trial.Context.Progress(0.1, "grouping");
        var method = (IGraphClusterer)trial.Method();
        var found = trial.Timed(() => method.Group(graph, groups, trial.Context.Cancellation), out double fit);
        UnionFigure.Record(trial, found.Unions, problem.Truth ?? found.Labels, g => problem.Named?[g] ?? $"group {g + 1}", groups, graph.Names);
        var metrics = new Dictionary<string, double> { ["modularity"] = graph.Modularity(found.Labels), ["fit_ms"] = fit };
        if (problem.Truth is not { } truth)
            return new(metrics);
        if (found.Distances is not null)
            foreach (var (i, share) in Proximity.RejectCurve(found.Distances, truth).Index())
                trial.Context.Metric("reject", share, i + 1);
        (metrics["ari"], metrics["best_ari"]) = (KernelClusters.AdjustedRand(found.Labels, truth), found.Tried.Max(t => KernelClusters.AdjustedRand(t, truth)));
        return new(metrics);
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.gml GROUPS
            {{KeptProgram.Packages(version)}}
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var file = GmlFile.Read(args[0]);
            var weights = zeros(file.Names.Count, file.Names.Count, dtype: ScalarType.Float64);
            foreach (var (from, to, weight) in file.Edges)
                weights[from, to] = weights[to, from] = weight;
            using var graph = new Graph(weights, file.Names);
            var method = (IGraphClusterer){{KeptProgram.Method(trial)}};
            var groups = method.Group(graph, int.Parse(args[1]));
            for (int i = 0; i < graph.Nodes; i++)
                Console.WriteLine($"{graph.Names[i]}\t{groups.Labels[i]}");

            """;
}
