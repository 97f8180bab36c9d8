using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>unseen-classes</c>.</summary>
public sealed record UnseenClassesOptions
{
    /// <summary>Classes with rows.</summary>
    [Range(0, 10_000), Description("classes that have rows to learn from, drawn; 0: a fifth of them, at least 2")]
    public int Seen { get; init; }

    /// <summary>Rows of each.</summary>
    [Range(1, 100_000), Description("rows of each of them to learn from, at most")]
    public int Rows { get; init; } = 20;

    /// <summary>Rows asked for.</summary>
    [Range(1, 1_000_000), Description("rows of all classes to test on; of a file at most half of all")]
    public int Test { get; init; } = 1000;

    /// <summary>The hierarchy.</summary>
    [Description("with data: file of edges 'parent,child' that has every class of the data, whose steps are the distance; empty: the distance of the means of classes in rows that are not tested")]
    public string Hierarchy { get; init; } = "";

    /// <summary>Made classes.</summary>
    [Range(3, 2000), Description("without data: classes, the nodes of a random tree")]
    public int Classes { get; init; } = 64;

    /// <summary>Features.</summary>
    [Range(1, 10_000), Description("without data: features; along each edge the mean of a class takes a normal step of variance 1 in each")]
    public int Features { get; init; } = 8;

    /// <summary>Spread.</summary>
    [Range(0.0, 1e3), Description("without data: deviation of rows from the mean of their class")]
    public double Spread { get; init; } = 1;
}

/// <summary>Only some classes have rows to learn from; all are asked for.</summary>
internal sealed class UnseenClassesTask : IKernelTask
{
    public TaskCard Card { get; } = new("unseen-classes", "Classes without rows", "How far classes are from each other is known, by a hierarchy or vectors; only some have rows to learn from, and rows of all are asked for. Without a file classes are the nodes of a random tree, whose means walk along its edges.", OptionsSchema.Of<UnseenClassesOptions>(), ["rows", "examples", "distances"]) { Metrics = OfClasses };

    public IReadOnlyList<FigureCard> Figures { get; } = [new("away", FigureKind.Lines, "Squared distance by how far a class is from those with rows", "away", "steps from the nearest class with rows", "mean squared distance of the answer", "At 0 are the classes that were learned from; what a method loses there is what it pays for the others."), HierarchyFigure.Card];

    private static IReadOnlyList<MetricCard> OfClasses =>
    [
        new("squared_distance", "squared distance", "score", Better.Lower, "mean squared distance of the class answered from the true one: steps in the hierarchy, or distances of class means of which those of two classes have the mean square 1"),
        new("accuracy", "right answers", "fraction", Better.Higher, "share of the rows asked for whose answered class is theirs"),
        new("unseen_accuracy", "of unseen classes", "fraction", Better.Higher, "the same among rows of classes without rows to learn from"),
        new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from rows to what answers, choosing of options included"),
        new("predict_us", "time of an answer", "µs", Better.Lower, "microseconds a row, all asked for at once"),
    ];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (UnseenClassesOptions)options;
        if (source is null)
        {
            if (o.Hierarchy.Length > 0)
                throw InputException.At("task.hierarchy", $"'{o.Hierarchy}' without data", "none: the tree is made", "Give rows with --data FILE.csv.");
            return KernelTrial.Made(Card, o, "A made tree of classes", $"{o.Classes} classes of {o.Features} features", reading);
        }
        var found = Classification.Inspect(source, reading, cancellation);
        if (o.Hierarchy.Length == 0)
            return found;
        var data = DataSources.Open(source, reading, cancellation);
        var edges = EdgesFile.Read(o.Hierarchy);
        Require(data, edges, o.Hierarchy);
        return found with { Reference = found.Reference with { Hash = HashOf(data, edges) }, Text = $"{found.Text}; {edges.Names.Count:N0} labels in {Path.GetFileName(o.Hierarchy)}" };
    }

    private static string HashOf(LabelledData data, GmlGraph edges) => DataRef.HashOf($"{data.Hash}\n{string.Join('\n', edges.Edges.Select(e => $"{edges.Names[e.From]}\t{edges.Names[e.To]}"))}");

    private static void Require(LabelledData data, GmlGraph edges, string path)
    {
        if (data.LabelNames.Except(edges.Names).FirstOrDefault() is { } missing)
            throw InputException.At(path, $"no edge of '{missing}'", "every class of the data", "Add its parent, or mend the spelling.");
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (context, o) = (trial.Context, (UnseenClassesOptions)trial.Options);
        using var problem = trial.Trial.Data.Source == "made" ? Made(o, context.Random) : OfData(trial, o);
        context.Progress(0.1, "learning");
        var method = (IClassifier)trial.Method();
        using var fitted = trial.Timed(() => method.Fit(problem.Train, context.Cancellation), out double fit);
        context.Progress(0.8, "asking");
        var scores = trial.Timed(() => fitted.Scores(problem.X), out double asked);
        if (!scores.isfinite().all().item<bool>())
            throw new InvalidOperationException($"'{trial.Trial.Method}' gave scores that are no numbers.");
        int[] answers = [.. scores.argmax(1).data<long>().ToArray().Select(a => (int)a)], seen = [.. problem.Train.Labels.Distinct()];
        foreach (var (name, value) in fitted.Report)
            context.Metric($"report/{name}", value, 1);
        (int Answer, int Label)[] pairs = [.. answers.Zip(problem.Labels)];
        if (problem.Metric.Hops)
            foreach (var of in pairs.GroupBy(p => (int)Math.Round(Math.Sqrt(seen.Min(s => problem.Metric[s, p.Label])))).OrderBy(g => g.Key))
                context.Metric("away", of.Average(p => problem.Metric[p.Answer, p.Label]), of.Key);
        HierarchyFigure.Record(trial, problem, seen, pairs);
        double Right(IEnumerable<(int Answer, int Label)> some) => some.Select(p => p.Answer == p.Label ? 1.0 : 0).DefaultIfEmpty(0).Average();
        return new(new Dictionary<string, double>
        {
            ["squared_distance"] = pairs.Average(p => problem.Metric[p.Answer, p.Label]),
            ["accuracy"] = Right(pairs),
            ["unseen_accuracy"] = Right(pairs.Where(p => !seen.Contains(p.Label))),
            ["fit_ms"] = fit,
            ["predict_us"] = 1000 * asked / problem.Labels.Length,
        });
    }

    /// <summary>Classes at the nodes of a random tree: the mean of each is that of the node before it and a normal step.</summary>
    internal static UnseenProblem Made(UnseenClassesOptions o, Func<string, SeededRandom> random)
    {
        var (tree, draw) = (RandomTree.Edges(o.Classes, random("tree")), random("rows"));
        double[] means = new double[o.Classes * o.Features];
        foreach (var (from, to) in RandomTree.FromRoot(o.Classes, tree))
            for (int c = 0; c < o.Features; c++)
                means[to * o.Features + c] = means[from * o.Features + c] + draw.NextNormal();
        int[] seen = Seen(o, o.Classes, random("seen")), train = [.. seen.SelectMany(c => Enumerable.Repeat(c, o.Rows))], test = [.. Enumerable.Range(0, o.Test).Select(_ => draw.Next(o.Classes))];
        Tensor Rows(int[] labels) => Aligned.Of([.. labels.SelectMany(l => Enumerable.Range(0, o.Features).Select(c => means[l * o.Features + c] + o.Spread * draw.NextNormal()))], labels.Length, o.Features);
        var metric = LabelMetric.OfEdges(o.Classes, tree);
        return new(new(Rows(train), train, o.Classes) { Distances = metric.Squared }, Rows(test), test, metric) { Hierarchy = new(metric.Names, [.. RandomTree.FromRoot(o.Classes, tree)], [.. Enumerable.Range(0, o.Classes)]) };
    }

    private static UnseenProblem OfData(KernelTrial trial, UnseenClassesOptions o)
    {
        var planned = trial.Trial.Data;
        Func<string, SeededRandom> random = trial.Context.Random;
        var data = DataSources.Open(planned.Source, planned.Reading, trial.Context.Cancellation);
        var edges = o.Hierarchy.Length > 0 ? EdgesFile.Read(o.Hierarchy) : null;
        planned.Require(edges is null ? data.Hash : HashOf(data, edges));
        int classes = data.LabelNames.Count;
        int[] order = [.. Enumerable.Range(0, data.Count)], labels = data.Labels.ToArray();
        random("split").Shuffle(order);
        int[] test = order[..Math.Min(o.Test, data.Count / 2)], left = order[test.Length..];
        var byClass = left.ToLookup(i => labels[i]);
        int[] seen = Seen(o, classes, random("seen")), train = [.. seen.SelectMany(c => byClass[c].Take(o.Rows))];
        if (seen.FirstOrDefault(c => !byClass[c].Any(), -1) is var empty and >= 0)
            throw InputException.At("data", $"no row of class '{data.LabelNames[empty]}' beside those for testing", "at least one of every class", "Take fewer rows to test on (task.test), or leave the class out.");
        var scale = Standardiser.Fit(data, train);
        Tensor Rows(int[] some)
        {
            float[] values = new float[(long)some.Length * data.Width];
            data.CopyRows(some, values);
            scale.Apply(values);
            return Aligned.Of(Array.ConvertAll(values, v => (double)v), some.Length, data.Width);
        }
        LabelMetric metric;
        Hierarchy? hierarchy = null;
        if (edges is not null)
        {
            Require(data, edges, o.Hierarchy);
            using var all = LabelMetric.OfEdges(edges.Names.Count, edges.Edges.Select(e => (e.From, e.To)), edges.Names);
            hierarchy = new(edges.Names, [.. edges.Edges.Select(e => (e.From, e.To))], [.. data.LabelNames.Select(n => edges.Names.Index().First(e => e.Item == n).Index)]);
            metric = all.Among(hierarchy.Classes);
        }
        else
        {
            if (Enumerable.Range(0, classes).FirstOrDefault(c => !byClass[c].Any(), -1) is var gone and >= 0)
                throw InputException.At("data", $"no row of class '{data.LabelNames[gone]}' beside those for testing", "at least one, of which the distance is known", "Take fewer rows to test on (task.test), or give a hierarchy (task.hierarchy).");
            using var scope = NewDisposeScope();
            var means = stack([.. Enumerable.Range(0, classes).Select(c => Rows([.. byClass[c]]).mean([0]))]);
            var d = Products.Symmetric(Products.SquaredDistances(means, means).clamp_min(0));
            d.diagonal().zero_();
            metric = LabelMetric.Of(d / Math.Max(double.Epsilon, d.sum().item<double>() / Math.Max(1, classes * (classes - 1))), data.LabelNames);
        }
        return new(new(Rows(train), [.. train.Select(i => labels[i])], classes) { Distances = metric.Squared }, Rows(test), [.. test.Select(i => labels[i])], metric) { Hierarchy = hierarchy };
    }

    private static int[] Seen(UnseenClassesOptions o, int classes, SeededRandom random)
    {
        int count = o.Seen == 0 ? Math.Max(2, (int)Math.Round(classes / 5.0)) : o.Seen;
        if (count > classes)
            throw InputException.At("task.seen", $"{count}", $"at most {classes}, the classes", "Take fewer.");
        int[] order = [.. Enumerable.Range(0, classes)];
        random.Shuffle(order);
        return [.. order[..count].Order()];
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs LEARN.csv EDGES.csv ROWS.csv: the label of each row, among all that the hierarchy has
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args[0], new DataReading(), CancellationToken.None);
            var asked = DataSources.OpenRows(args[2], new DataReading(), data.Layout, CancellationToken.None);
            var edges = EdgesFile.Read(args[1]);
            using var metric = LabelMetric.OfEdges(edges.Names.Count, edges.Edges.Select(e => (e.From, e.To)), edges.Names);
            int[] rows = Enumerable.Range(0, data.Count).ToArray();
            var scale = Standardiser.Fit(data, rows);
            var labels = rows.Select(i => edges.Names.ToList().IndexOf(data.LabelNames[data.Labels[i]])).ToArray();
            var method = (IClassifier){{KeptProgram.Method(trial)}};
            using var fitted = method.Fit(new TrainingRows(Take(data.Rows), labels, edges.Names.Count) { Distances = metric.Squared });
            using var answers = fitted.Scores(Take(asked)).argmax(1);
            for (int i = 0; i < asked.Count; i++)
                Console.WriteLine(edges.Names[(int)answers[i].item<long>()]);

            Tensor Take(RowData some)
            {
                var values = new float[some.Count * some.Width];
                some.CopyRows(Enumerable.Range(0, some.Count).ToArray(), values);
                scale.Apply(values);
                return tensor(values.Select(v => (double)v).ToArray(), new long[] { some.Count, some.Width });
            }

            """;
}

/// <summary>What is learned from, what is asked, and how far classes are.</summary>
/// <param name="Train">Rows of some classes, with distances of all.</param>
/// <param name="X">Rows asked for [m, d].</param>
/// <param name="Labels">Their labels.</param>
/// <param name="Metric">The distances.</param>
internal sealed record UnseenProblem(TrainingRows Train, Tensor X, int[] Labels, LabelMetric Metric) : IDisposable
{
    /// <summary>The tree that classes stand in; null for distances alone.</summary>
    public Hierarchy? Hierarchy { get; init; }

    public void Dispose() => Metric.Dispose();
}
