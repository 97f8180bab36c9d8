using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>next-class</c>.</summary>
public sealed record NextClassOptions
{
    /// <summary>Share of classes.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of classes that the locus is to have")]
    public double Share { get; init; } = 0.8;

    /// <summary>Trees.</summary>
    [Range(1, 10_000), Description("trees, or for a user's graph first classes, over which picks are averaged")]
    public int Trees { get; init; } = 20;

    /// <summary>Classes.</summary>
    [Range(2, 1000), Description("without data: classes of a tree")]
    public int Classes { get; init; } = 50;
}

/// <summary>Classes are picked of which rows are to be labelled.</summary>
internal sealed class NextClassTask : IKernelTask
{
    private const int Early = 10;

    public TaskCard Card { get; } = new("next-class", "Which class to label next", "Beginning with one class, others are picked of which rows shall be labelled, until a rule that answers classes between them reaches most. Without a file the hierarchies are random trees.", OptionsSchema.Of<NextClassOptions>(), ["distances", "picks"]) { Data = "EDGES.csv", Metrics = OfPicks };

    public IReadOnlyList<FigureCard> Figures { get; } = [new("locus", FigureKind.Lines, "Classes within reach", "locus", "picks", "share of classes in the locus", "The sooner a line is up, the fewer classes need rows.")];

    private static IReadOnlyList<MetricCard> OfPicks =>
    [
        new("picks", "picks", "classes", Better.Lower, "mean number of picks until the locus has its share of all classes"),
        new("early_locus", "reached early", "fraction", Better.Higher, $"mean share of classes that the locus has after {Early} picks"),
        new("fit_ms", "time of a pick", "ms", Better.Lower, "milliseconds a pick"),
    ];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (NextClassOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "Random trees", $"{o.Trees} trees of {o.Classes} classes", reading);
        string path = Path.GetFullPath(source);
        var edges = EdgesFile.Read(path);
        return new(new(path, HashOf(edges), reading), Path.GetFileName(path), $"{edges.Names.Count:N0} classes, {edges.Edges.Count:N0} edges", null);
    }

    private static string HashOf(GmlGraph edges) => DataRef.HashOf(string.Join('\n', edges.Edges.Select(e => $"{edges.Names[e.From]}\t{edges.Names[e.To]}")));

    public TrialResult Run(KernelTrial trial)
    {
        var (context, o) = (trial.Context, (NextClassOptions)trial.Options);
        GmlGraph? file = null;
        if (trial.Trial.Data.Source != "made")
        {
            file = EdgesFile.Read(trial.Trial.Data.Source);
            trial.Trial.Data.Require(HashOf(file));
        }
        var picker = (IClassPicker)trial.Method();
        var (trees, starts, draws) = (context.Random("trees"), context.Random("first"), context.Random("picks"));
        var curves = new List<List<double>>();
        var (picks, milliseconds, count) = (new List<double>(), 0.0, 0);
        for (int t = 0; t < o.Trees; t++)
        {
            context.Progress((double)t / o.Trees, "picking");
            using var metric = file is null ? LabelMetric.OfEdges(o.Classes, RandomTree.Edges(o.Classes, trees)) : LabelMetric.OfEdges(file.Names.Count, file.Edges.Select(e => (e.From, e.To)), file.Names);
            var observed = new List<int> { starts.Next(metric.Labels) };
            var shares = new List<double>();
            while (true)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                shares.Add((double)metric.Locus(observed).Length / metric.Labels);
                if (trial.Timed(() => picker.Next(metric, observed, draws), out double took) is not { } next)
                    break;
                (milliseconds, count) = (milliseconds + took, count + 1);
                observed.Add(next);
            }
            curves.Add(shares);
            picks.Add(shares.FindIndex(s => s >= o.Share - 1e-12));
        }
        int longest = curves.Max(c => c.Count);
        double Mean(int after) => curves.Average(c => c[Math.Min(after, c.Count - 1)]);
        for (int i = 0; i < longest; i++)
            context.Metric("locus", Mean(i), i);
        return new(new Dictionary<string, double> { ["picks"] = picks.Average(), ["early_locus"] = Mean(Early), ["fit_ms"] = milliseconds / Math.Max(1, count) });
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs EDGES.csv OBSERVED...: names of classes that have rows; prints those to label next, in order
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;

            Winnow.Learning.NativeTorch.Require();
            var edges = EdgesFile.Read(args[0]);
            using var metric = LabelMetric.OfEdges(edges.Names.Count, edges.Edges.Select(e => (e.From, e.To)), edges.Names);
            var method = (IClassPicker){{KeptProgram.Method(trial)}};
            var observed = args.Skip(1).Select(name => edges.Names.ToList().IndexOf(name)).ToList();
            var random = new SeededRandom(1, "picks");
            while (method.Next(metric, observed, random) is { } next)
            {
                observed.Add(next);
                Console.WriteLine($"{edges.Names[next]}\t{metric.Locus(observed).Length} of {metric.Labels} reached");
            }

            """;
}
