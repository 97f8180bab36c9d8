using Winnow.Core;
using Winnow.Learning;

namespace Winnow.KernelMethods;

/// <summary>The nodes of a graph are put into groups.</summary>
internal sealed class GraphTask : IKernelTask
{
    public TaskCard Card { get; } = new("graph", "Groups of a graph", "The nodes of a graph without direction are put into groups; how many is told. Without a file two groups of nodes are drawn, denser within than between.", OptionsSchema.Of<GraphOptions>(), ["graph"]) { Data = "FILE.gml", Metrics = Metrics.OfGraphs };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (GraphOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "A made graph", $"{o.Made} groups of {o.Nodes} nodes", reading);
        string path = Path.GetFullPath(source);
        var file = GraphProblem.Read(path);
        return new(new(path, DataRef.HashOf(File.ReadAllText(path)), reading), Path.GetFileName(path), $"GML: {file.Names.Count:N0} nodes, {file.Edges.Count:N0} edges, {file.Values!.Distinct().Count()} groups", null);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (data, o) = (trial.Trial.Data, (GraphOptions)trial.Options);
        if (data.Source != "made")
            data.Require(DataRef.HashOf(File.ReadAllText(data.Source)));
        var problem = data.Source == "made" ? GraphProblem.Of(o, trial.Context.Random("graph")) : GraphProblem.Of(data.Source);
        using var graph = problem.Graph;
        int groups = problem.Groups(o);
        if (groups > graph.Nodes)
            throw InputException.At("task.groups", $"{groups}", $"at most {graph.Nodes}, the nodes", "Take fewer.");
        trial.Context.Progress(0.1, "grouping");
        var method = (IGraphClusterer)trial.Method();
        var found = trial.Timed(() => method.Group(graph, groups, trial.Context.Cancellation), out double fit);
        UnionFigure.Record(trial, found.Unions, problem.Truth, g => problem.Named?[g] ?? $"group {g + 1}", groups, graph.Names);
        return new(new Dictionary<string, double>
        {
            ["ari"] = KernelClusters.AdjustedRand(found.Labels, problem.Truth),
            ["best_ari"] = found.Tried.Max(t => KernelClusters.AdjustedRand(t, problem.Truth)),
            ["modularity"] = graph.Modularity(found.Labels),
            ["fit_ms"] = fit,
        });
    }

    public string Program(Trial trial, string version) =>
        $$""""
            // dotnet run -c Release Use.cs FILE.gml GROUPS
            #:package Winnow.KernelMethods@{{version}}
            #:package {{NativeTorch.Package.Id}}@{{NativeTorch.Package.Version}}
            #:property PublishAot=false
            using System.Text.Json.Nodes;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var file = GmlFile.Read(args[0]);
            var weights = zeros(file.Names.Count, file.Names.Count, dtype: ScalarType.Float64);
            foreach (var (from, to, weight) in file.Edges)
                weights[from, to] = weights[to, from] = weight;
            using var graph = new Graph(weights, file.Names);
            var method = (IGraphClusterer)new KernelMethodsArena().Build("{{trial.Method}}", (JsonObject)JsonNode.Parse("""{{trial.Options.ToJsonString()}}""")!);
            var groups = method.Group(graph, int.Parse(args[1]));
            for (int i = 0; i < graph.Nodes; i++)
                Console.WriteLine($"{graph.Names[i]}\t{groups.Labels[i]}");

            """";
}
