using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>nodes</c>.</summary>
public sealed record NodesOptions
{
    /// <summary>Which nodes are known.</summary>
    [AllowedValues("given", "drawn"), Description("given: the nodes that the data say to learn from and to ask for, if they do; drawn: by the seed")]
    public string Split { get; init; } = "given";

    /// <summary>Known nodes.</summary>
    [Range(1, 100_000), Description("of a drawn split: known nodes of each class; half of a class that has fewer than twice as many")]
    public int Shots { get; init; } = 20;

    /// <summary>Nodes asked for.</summary>
    [Range(1, 1_000_000), Description("of a drawn split: nodes to ask for; all others with a class where there are fewer")]
    public int Test { get; init; } = 1000;

    /// <summary>Classes of a made graph.</summary>
    [Range(2, 100), Description("of a made graph: classes")]
    public int Classes { get; init; } = 4;

    /// <summary>Nodes of each.</summary>
    [Range(4, 10_000), Description("of a made graph: nodes of each class")]
    public int Nodes { get; init; } = 60;

    /// <summary>Edges inside.</summary>
    [Range(0.0, 1.0), Description("of a made graph: how likely two nodes of a class have an edge")]
    public double Inside { get; init; } = 0.04;

    /// <summary>Edges across.</summary>
    [Range(0.0, 1.0), Description("of a made graph: how likely two nodes of different classes have one")]
    public double Across { get; init; } = 0.005;

    /// <summary>Words.</summary>
    [Range(0.0, 1.0), Description("of a made graph: share of a node's twelve words that are of its class's forty, not of all")]
    public double Words { get; init; } = 0.2;
}

/// <summary>Classes of a graph's nodes.</summary>
internal sealed class NodesTask : IKernelTask
{
    public TaskCard Card { get; } = new("nodes", "Classes of a graph's nodes", "A graph without direction of any number of parts, and the classes of a few nodes: those of others are asked for. Without data a graph of denser classes is drawn, whose nodes have words.", OptionsSchema.Of<NodesOptions>(), ["nodes", "items"])
    {
        Data = "FOLDER or FILE.gml",
        Metrics = [.. Metrics.Cards.Where(m => m.Name is "accuracy" or "macro_f1" or "fit_ms"), ItemAnswers.Repaired],
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (NodesOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "A made graph", $"{o.Classes} classes of {o.Nodes} nodes", reading);
        string path = Path.GetFullPath(source);
        var data = NodeProblem.Read(path);
        var graph = new NodeGraph(data.Names.Count, data.Edges);
        int alone = graph.Degrees.Count(d => d == 0), unknown = data.Labels.Count(l => l < 0);
        return new(new(path, NodeProblem.HashOf(path), reading), Path.GetFileName(path), $"{graph.Nodes:N0} nodes in {graph.Parts:N0} parts, {alone:N0} of them single nodes; {graph.Edges:N0} edges, {data.Classes.Count} classes{(unknown > 0 ? $", {unknown:N0} nodes without one, which are not asked for" : "")}{(data.Split is var (train, test) ? $"; {train.Count:N0} given to learn from, {test.Count:N0} to ask for" : "")}", null);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (data, o, context) = (trial.Trial.Data, (NodesOptions)trial.Options, trial.Context);
        if (data.Source != "made")
            data.Require(NodeProblem.HashOf(data.Source));
        var problem = NodeProblem.Of(data.Source == "made" ? NodeProblem.Made(o, context.Random("graph")) : NodeProblem.Read(data.Source), o, context.Random("split"));
        context.Progress(0.1, "learning");
        var method = (INodeClassifier)trial.Method();
        var found = trial.Timed(() => method.Classify(problem.Nodes, context.Cancellation), out double fit);
        int[] answers = ItemAnswers.Of(trial, found);
        return ItemAnswers.Result(trial, [.. problem.Asked.Select(i => answers[i])], problem.Labels, problem.Names, found.Report, fit);
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FOLDER: learns from the nodes with a class and says that of the others (-1 in nodes.tsv)
            {{KeptProgram.Packages(version)}}
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = NodeFolder.Read(args[0]);
            int[] known = Enumerable.Range(0, data.Names.Count).Where(i => data.Labels[i] >= 0).ToArray();
            var nodes = new LabelledNodes(new NodeGraph(data.Names.Count, data.Edges, data.Words), known, known.Select(i => data.Labels[i]).ToArray(), data.Classes.Count);
            var method = (INodeClassifier){{KeptProgram.Method(trial)}};
            using var answers = method.Classify(nodes).Scores.argmax(1);
            for (int i = 0; i < data.Names.Count; i++)
                if (data.Labels[i] < 0)
                    Console.WriteLine($"{data.Names[i]}\t{data.Classes[(int)answers[i].item<long>()]}");

            """;
}

/// <summary>A graph some of whose nodes are asked for.</summary>
/// <param name="Nodes">The graph, and what is known.</param>
/// <param name="Asked">Nodes asked for.</param>
/// <param name="Labels">Their classes.</param>
/// <param name="Names">The classes' names.</param>
internal sealed record NodeProblem(LabelledNodes Nodes, int[] Asked, int[] Labels, IReadOnlyList<string> Names)
{
    private const int MostNodes = 20_000, Own = 40, Each = 12;

    /// <summary>Reads a user's graph; loads no tensor library.</summary>
    public static NodeData Read(string path) => NodeFolder.Read(path) is { Names.Count: <= MostNodes } data ? data : throw InputException.At(path, "too many nodes", $"at most {MostNodes:N0}", "Take a part of the graph.");

    /// <summary>Of a file, or of the files of a folder.</summary>
    public static string HashOf(string path) => Directory.Exists(path) ? DataRef.HashOfFiles(((string[])["nodes.tsv", "edges.tsv", "split.json"]).Select(f => Path.Combine(path, f))) : DataRef.HashOfFiles(path);

    /// <summary>Nodes of classes that have more edges within, and words of their own.</summary>
    public static NodeData Made(NodesOptions o, SeededRandom random)
    {
        int n = o.Classes * o.Nodes;
        if (n > MostNodes)
            throw InputException.At("task", $"{n:N0} nodes", $"at most {MostNodes:N0}", "Take fewer (task.classes, task.nodes).");
        var edges = new List<(int, int, double)>();
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                if (random.NextDouble() < (i / o.Nodes == j / o.Nodes ? o.Inside : o.Across))
                    edges.Add((i, j, 1));
        int[][] words = [.. Enumerable.Range(0, n).Select(i => Enumerable.Range(0, Each).Select(_ => random.NextDouble() < o.Words ? i / o.Nodes * Own + random.Next(Own) : random.Next(o.Classes * Own)).Distinct().Order().ToArray())];
        return new([.. Enumerable.Range(0, n).Select(i => $"{i}")], [.. Enumerable.Range(0, n).Select(i => i / o.Nodes)], [.. Enumerable.Range(1, o.Classes).Select(c => $"class {c}")], edges, words, null);
    }

    /// <summary>The given nodes, or some of each class and others.</summary>
    public static NodeProblem Of(NodeData data, NodesOptions o, SeededRandom random)
    {
        int[] order = [.. Enumerable.Range(0, data.Names.Count)];
        random.Shuffle(order);
        var byClass = order.Where(i => data.Labels[i] >= 0).ToLookup(i => data.Labels[i]);
        int[] known, asked;
        if (o.Split == "given" && data.Split is var (train, test))
        {
            (known, asked) = ([.. train.Where(i => data.Labels[i] >= 0)], [.. test.Where(i => data.Labels[i] >= 0)]);
        }
        else
        {
            known = [.. byClass.OrderBy(g => g.Key).SelectMany(g => g.Take(Math.Min(o.Shots, Math.Max(1, g.Count() / 2))))];
            asked = [.. order.Where(i => data.Labels[i] >= 0).Except(known).Take(o.Test)];
        }
        if (known.Length == 0 || asked.Length == 0)
            throw InputException.At("nodes", $"{known.Length} to learn from and {asked.Length} to ask for", "at least one of both", "Take fewer known nodes (task.shots), or mend split.json.");
        return new(new(new(data.Names.Count, data.Edges, data.Words), known, [.. known.Select(i => data.Labels[i])], data.Classes.Count), asked, [.. asked.Select(i => data.Labels[i])], data.Classes);
    }
}

/// <summary>What is the same of nodes and of whole graphs: all items are answered, some are asked for.</summary>
internal static class ItemAnswers
{
    /// <summary>Whether similarities were no kernel.</summary>
    public static MetricCard Repaired { get; } = new("repaired", "repaired", "fraction", Better.Lower, "how often similarities were no kernel, so that negative eigenvalues were set to 0");

    /// <summary>The likeliest class of each item.</summary>
    public static int[] Of(KernelTrial trial, Answers found) => found.Scores.isfinite().all().item<bool>() ? [.. found.Scores.argmax(1).data<long>().ToArray().Select(a => (int)a)]
        : throw new InvalidOperationException($"'{trial.Trial.Method}' gave scores that are no numbers.");

    /// <summary>Counts the answers and records them.</summary>
    public static TrialResult Result(KernelTrial trial, int[] answers, int[] labels, IReadOnlyList<string> names, IReadOnlyDictionary<string, double> report, double fit)
    {
        foreach (var (name, value) in report)
            trial.Context.Metric($"report/{name}", value, 1);
        ClassificationFigures.Record(trial.Context, names, labels, answers);
        return new(new Dictionary<string, double>
        {
            ["accuracy"] = labels.Zip(answers).Average(p => p.First == p.Second ? 1.0 : 0),
            ["macro_f1"] = Metrics.MacroF1(answers, labels, names.Count),
            ["fit_ms"] = fit,
            ["repaired"] = report.GetValueOrDefault("repaired"),
        });
    }
}
