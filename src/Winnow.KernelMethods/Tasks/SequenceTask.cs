using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>sequences</c>.</summary>
public sealed record SequenceOptions
{
    /// <summary>The share asked for.</summary>
    [Range(0.05, 0.9), Description("share of the sequences to test on, drawn whatever their class")]
    public double Test { get; init; } = 0.3;

    /// <summary>Families.</summary>
    [Range(2, 100), Description("of made sequences: families, the classes")]
    public int Families { get; init; } = 6;

    /// <summary>Sequences of each.</summary>
    [Range(4, 1000), Description("of made sequences: sequences of each family")]
    public int Members { get; init; } = 30;

    /// <summary>Sites.</summary>
    [Range(4, 10_000), Description("of made sequences: sites")]
    public int Sites { get; init; } = 60;

    /// <summary>How far families are apart.</summary>
    [Range(0.0, 100.0), Description("of made sequences: substitutions a site from the root of the tree to the first of a family; families that part late share some")]
    public double Between { get; init; } = 0.5;

    /// <summary>How far members are apart.</summary>
    [Range(0.0, 100.0), Description("of made sequences: substitutions a site from the first of a family to each of its members")]
    public double Within { get; init; } = 1.5;

    /// <summary>When branches part.</summary>
    [Range(0.0, 1e6), Description("of made sequences: how early branches part, after the time that is left times a uniform number to this power; 1: at any time, large: at once, as the points of a star")]
    public double Early { get; init; } = 30;

    /// <summary>Gaps.</summary>
    [Range(0.0, 0.5), Description("of made sequences: share of sites that are lost on the way from the root, with all that comes after")]
    public double Gaps { get; init; }
}

/// <summary>Classes of aligned sequences.</summary>
internal sealed class SequenceTask : IKernelTask
{
    public TaskCard Card { get; } = new("sequences", "Classes of aligned sequences", "Aligned sequences of proteins or nucleotides with classes: some are learned from, others asked for. Without a file a random tree of families is evolved.", OptionsSchema.Of<SequenceOptions>(), ["sequences"])
    {
        Data = "FILE.fasta",
        Metrics = HardScores.Cards,
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (SequenceOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "A made tree", $"{o.Families} families of {o.Members} sequences, {o.Sites} sites", reading);
        string path = Path.GetFullPath(source);
        var file = SequenceProblem.Read(path, reading);
        return new(new(path, DataRef.HashOf(string.Join('\n', file.Residues.Zip(file.Labels!, (r, l) => $"{l}\t{r}"))), reading), Path.GetFileName(path), $"{file.Names.Count:N0} sequences of {file.Residues[0].Length:N0} sites, {file.Labels!.Distinct().Count()} classes, {file.Residues.Sum(r => r.Count(c => c == '-')) / (double)file.Residues.Count / file.Residues[0].Length:P1} gaps", null);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (data, o, context) = (trial.Trial.Data, (SequenceOptions)trial.Options, trial.Context);
        var problem = data.Source == "made" ? SequenceProblem.Of(o, context.Random) : SequenceProblem.Of(data, o, context.Random);
        context.Progress(0.1, "learning");
        var method = (IClassifier)trial.Method();
        using var fitted = trial.Timed(() => method.Fit(problem.Train, context.Cancellation), out double fit);
        context.Progress(0.8, "asking");
        var scores = trial.Timed(() => fitted.Scores(problem.X), out double asked);
        if (!scores.isfinite().all().item<bool>())
            throw new InvalidOperationException($"'{trial.Trial.Method}' gave scores that are no numbers.");
        int[] answers = [.. scores.argmax(1).data<long>().ToArray().Select(a => (int)a)];
        foreach (var (name, value) in fitted.Report)
            context.Metric($"report/{name}", value, 1);
        ClassificationFigures.Record(trial, problem, fitted, answers, plane: false);
        var found = HardScores.Of(answers, problem.Labels, problem.Names.Count);
        return new(new Dictionary<string, double>(found)
        {
            ["dimensions"] = fitted.Report.GetValueOrDefault("dimensions", problem.Train.Labels.Count),
            ["fit_ms"] = fit,
            ["predict_us"] = 1000 * asked / problem.Labels.Length,
        });
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.fasta: learns from the sequences with a class (>name|class) and says that of the others
            {{KeptProgram.Packages(version)}}
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var known = FastaFile.Read(args[0]);
            known.RequireAligned();
            var names = known.Labels!.Distinct().ToList();
            int[] rows = Enumerable.Range(0, known.Names.Count).Where(i => i % 10 != 9).ToArray(), asked = Enumerable.Range(0, known.Names.Count).Where(i => i % 10 == 9).ToArray();
            var method = (IClassifier){{KeptProgram.Method(trial)}};
            var others = Codes(asked);
            using var fitted = method.Fit(new TrainingRows(Codes(rows), rows.Select(i => names.IndexOf(known.Labels![i])).ToArray(), names.Count) { Unlabelled = others });
            using var answers = fitted.Scores(others).argmax(1);
            for (int i = 0; i < asked.Length; i++)
                Console.WriteLine($"{known.Names[asked[i]]}\t{names[(int)answers[i].item<long>()]}");

            Tensor Codes(int[] some) => Sequences.Codes(some.Select(i => known.Residues[i]).ToArray());

            """;
}

/// <summary>Scores of answers alone, by the conventions of papers on sequences (scikit-learn's averages).</summary>
internal static class HardScores
{
    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("accuracy", "right answers", "fraction", Better.Higher, "share of the sequences asked for whose class is answered"),
        new("macro_f1", "mean F1", "fraction", Better.Higher, "mean over classes of 2 right / (answered + there)"),
        new("weighted_f1", "weighted F1", "fraction", Better.Higher, "the same weighted by how many of a class are there"),
        new("weighted_precision", "weighted precision", "fraction", Better.Higher, "right / answered of each class, 0 where it is never answered, weighted by how many are there"),
        new("auc", "area under the curve", "fraction", Better.Higher, "mean over classes of (share of its sequences that get it + share of others that do not) / 2: what the area under the curve is for answers without scores"),
        new("dimensions", "dimensions", "numbers", Better.Lower, "numbers that stand for a sequence: components, or similarities with the sequences learned from"),
        new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from sequences to what answers, choosing of options included"),
        new("predict_us", "time of an answer", "µs", Better.Lower, "microseconds a sequence, all asked for at once"),
    ];

    public static Dictionary<string, double> Of(IReadOnlyList<int> answers, IReadOnlyList<int> labels, int classes)
    {
        long[,] table = Metrics.Table(answers, labels, classes);
        int all = labels.Count;
        double[] right = [.. Enumerable.Range(0, classes).Select(c => (double)table[c, c])];
        double[] there = [.. Enumerable.Range(0, classes).Select(c => Enumerable.Range(0, classes).Sum(j => (double)table[c, j]))], answered = [.. Enumerable.Range(0, classes).Select(c => Enumerable.Range(0, classes).Sum(i => (double)table[i, c]))];
        int[] known = [.. Enumerable.Range(0, classes).Where(c => there[c] > 0 && there[c] < all)];
        return new()
        {
            ["accuracy"] = right.Sum() / all,
            ["macro_f1"] = Metrics.MacroF1(answers, labels, classes),
            ["weighted_f1"] = Enumerable.Range(0, classes).Where(c => there[c] > 0).Sum(c => there[c] / all * 2 * right[c] / (answered[c] + there[c])),
            ["weighted_precision"] = Enumerable.Range(0, classes).Where(c => answered[c] > 0).Sum(c => there[c] / all * right[c] / answered[c]),
            ["auc"] = known.Length == 0 ? 0.5 : known.Average(c => (right[c] / there[c] + 1 - (answered[c] - right[c]) / (all - there[c])) / 2),
        };
    }
}
