using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>graphs</c>.</summary>
public sealed record GraphsOptions
{
    /// <summary>Folds.</summary>
    [Range(2, 100), Description("folds, drawn by the seed: each is asked for after learning from the others")]
    public int Folds { get; init; } = 10;

    /// <summary>Made graphs.</summary>
    [Range(4, 10_000), Description("of made graphs: how many of each of two classes")]
    public int Graphs { get; init; } = 50;

    /// <summary>Nodes.</summary>
    [Range(6, 200), Description("of made graphs: most nodes of one; the least are half as many")]
    public int Nodes { get; init; } = 16;

    /// <summary>Labels of nodes.</summary>
    [Range(1, 100), Description("of made graphs: labels of nodes, drawn without regard to the class")]
    public int Labels { get; init; } = 1;

    /// <summary>Noise.</summary>
    [Range(0.0, 1.0), Description("of made graphs: share of the edges that are put elsewhere at random")]
    public double Noise { get; init; } = 0.15;
}

/// <summary>Classes of whole graphs.</summary>
internal sealed class GraphsTask : IKernelTask
{
    private const int MostGraphs = 10_000;

    public TaskCard Card { get; } = new("graphs", "Classes of whole graphs", "Graphs with classes, whose nodes may have labels: each tenth of them is asked for after learning from the others. Without data rings with a chord and trees with two edges more are made, which have as many nodes and edges.", OptionsSchema.Of<GraphsOptions>(), ["graphs", "items"])
    {
        Data = "FOLDER",
        Metrics = [.. Metrics.Cards.Where(m => m.Name is "accuracy" or "macro_f1" or "fit_ms"), ItemAnswers.Repaired],
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (GraphsOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "Made graphs", $"{o.Graphs} rings with a chord and as many trees with two edges more", reading);
        string path = Path.GetFullPath(source);
        var data = Read(path, o);
        return new(new(path, DataRef.HashOfFiles(TuFolder.Files(path)), reading), Path.GetFileName(path), $"{data.Graphs.Count:N0} graphs of {data.Classes.Count} classes, {data.Graphs.Average(g => g.Labels.Count):F1} nodes and {data.Graphs.Average(g => g.Edges.Count):F1} edges on average, {data.NodeLabels} node labels", null);
    }

    private static TuData Read(string path, GraphsOptions o)
    {
        var data = TuFolder.Read(path);
        if (data.Classes.Count < 2 || data.Graphs.Count < Math.Max(4, o.Folds))
            throw InputException.At(path, $"{data.Graphs.Count} graphs of {data.Classes.Count} classes", $"at least {Math.Max(4, o.Folds)} of 2 classes", "Give more, or take fewer folds (task.folds).");
        return data.Graphs.Count <= MostGraphs ? data : throw InputException.At(path, $"{data.Graphs.Count:N0} graphs", $"at most {MostGraphs:N0}", "Take a part of them.");
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (planned, o, context) = (trial.Trial.Data, (GraphsOptions)trial.Options, trial.Context);
        TuData data;
        if (planned.Source == "made")
        {
            data = Made(o, context.Random("graphs"));
        }
        else
        {
            planned.Require(DataRef.HashOfFiles(TuFolder.Files(planned.Source)));
            data = Read(planned.Source, o);
        }
        int[] order = [.. Enumerable.Range(0, data.Graphs.Count)], answers = new int[order.Length];
        context.Random("folds").Shuffle(order);
        order = [.. order.OrderBy(i => data.Labels[i])]; // every fold has its share of every class
        var method = (IGraphClassifier)trial.Method();
        var reports = new List<IReadOnlyDictionary<string, double>>();
        double all = 0;
        for (int fold = 0; fold < o.Folds; fold++)
        {
            context.Progress((double)fold / o.Folds, $"fold {fold + 1} of {o.Folds}");
            using var scope = TorchSharp.torch.NewDisposeScope();
            int[] known = [.. order.Where((_, i) => i % o.Folds != fold)];
            var graphs = new LabelledGraphs(data.Graphs, known, [.. known.Select(i => data.Labels[i])], data.Classes.Count);
            var found = trial.Timed(() => method.Classify(graphs, context.Cancellation), out double fit);
            int[] said = ItemAnswers.Of(trial, found);
            foreach (int i in order.Where((_, i) => i % o.Folds == fold))
                answers[i] = said[i];
            all += fit;
            reports.Add(found.Report);
        }
        var means = reports[0].Keys.ToDictionary(k => k, k => reports.Average(r => r.GetValueOrDefault(k)));
        return ItemAnswers.Result(trial, answers, [.. data.Labels], data.Classes, means, all / o.Folds);
    }

    /// <summary>Rings with a chord, and trees with two edges more; some edges of both are put elsewhere.</summary>
    internal static TuData Made(GraphsOptions o, SeededRandom random)
    {
        TuGraph One(bool ring)
        {
            int n = o.Nodes / 2 + random.Next(o.Nodes - o.Nodes / 2 + 1);
            var edges = new HashSet<(int, int)>();
            for (int i = 1; i < n; i++)
                edges.Add((ring ? i - 1 : random.Next(i), i));
            if (ring)
                edges.Add((0, n - 1));
            int wanted = n + 1;
            edges.RemoveWhere(_ => random.NextDouble() < o.Noise);
            while (edges.Count < wanted)
            {
                int a = random.Next(n), b = random.Next(n);
                if (a != b)
                    edges.Add((Math.Min(a, b), Math.Max(a, b)));
            }
            return new([.. Enumerable.Range(0, n).Select(_ => random.Next(o.Labels))], [.. edges.Order()]);
        }
        return new([.. Enumerable.Range(0, 2 * o.Graphs).Select(i => One(i < o.Graphs))], [.. Enumerable.Range(0, 2 * o.Graphs).Select(i => i < o.Graphs ? 0 : 1)], ["ring", "tree"], o.Labels);
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FOLDER CLASS: learns from the graphs of other classes and says that of those of CLASS, which stands for not known
            {{KeptProgram.Packages(version)}}
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = TuFolder.Read(args[0]);
            int[] known = Enumerable.Range(0, data.Graphs.Count).Where(i => data.Classes[data.Labels[i]] != args[1]).ToArray();
            var graphs = new LabelledGraphs(data.Graphs, known, known.Select(i => data.Labels[i]).ToArray(), data.Classes.Count);
            var method = (IGraphClassifier){{KeptProgram.Method(trial)}};
            using var answers = method.Classify(graphs).Scores.argmax(1);
            foreach (int i in Enumerable.Range(0, data.Graphs.Count).Except(known))
                Console.WriteLine($"graph {i + 1}\t{data.Classes[(int)answers[i].item<long>()]}");

            """;
}
