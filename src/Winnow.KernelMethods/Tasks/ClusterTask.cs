using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>cluster</c>.</summary>
public sealed record ClusterOptions
{
    /// <summary>Groups.</summary>
    [Range(0, 10_000), Description("groups to find; 0: as many as there are")]
    public int Groups { get; init; }

    /// <summary>Rows of a user's data.</summary>
    [Range(2, 100_000), Description("of a user's data: as many rows are drawn, or all where there are fewer")]
    public int Rows { get; init; } = 300;

    /// <summary>Scaling.</summary>
    [Description("of a user's data: each feature is scaled to mean 0 and variance 1")]
    public bool Standardise { get; init; } = true;

    /// <summary>Groups of a made problem.</summary>
    [Range(2, 50), Description("of a made problem: groups, at most one more than features")]
    public int Made { get; init; } = 3;

    /// <summary>Rows of each.</summary>
    [Range(2, 10_000), Description("of a made problem: rows of each group")]
    public int Each { get; init; } = 30;

    /// <summary>Features.</summary>
    [Range(1, 1000), Description("of a made problem: features")]
    public int Features { get; init; } = 4;

    /// <summary>The distance of means.</summary>
    [Range(0.0, 1e6), Description("of a made problem: distance of any two means")]
    public double Separation { get; init; } = 4.4;

    /// <summary>The shape of groups.</summary>
    [AllowedValues("own", "same", "round"), Description("of a made problem: own: each group is long and flat in directions of its own; same: all in the same; round: none is, the variance is 1")]
    public string Shape { get; init; } = "own";
}

/// <summary>Rows are put into groups.</summary>
internal sealed class ClusterTask : IKernelTask
{
    public TaskCard Card { get; } = new("cluster", "Groups of rows", "Rows are put into groups; how many is told. The labels of a user's table are the true groups and are not seen. Without a file Gaussian groups are drawn, each long and flat in directions of its own.", OptionsSchema.Of<ClusterOptions>(), ["points"])
    {
        Metrics =
        [
            new("misclustered", "misclustered", "fraction", Better.Lower, "share of the rows whose group is not theirs, groups matched with the true ones as well as can be (Hungarian assignment)"),
            new("ari", "adjusted Rand", "score", Better.Higher, "adjusted Rand index of the groups and the true ones: 1 for the same, 0 on average for independent ones"),
            new("exact", "exact", "fraction", Better.Higher, "1 where every row is in its group, else 0"),
            new("fit_ms", "time to group", "ms", Better.Lower, "milliseconds from rows to groups"),
        ],
    };

    public IReadOnlyList<FigureCard> Figures => [UnionFigure.Card];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (ClusterOptions)options;
        return source is not null ? Classification.Inspect(source, reading, cancellation)
            : o.Made > o.Features + 1 ? throw InputException.At("task.made", $"{o.Made} groups in {o.Features} dimensions", $"at most {o.Features + 1}: their means are at one distance of each other", "Take fewer groups or more features.")
            : KernelTrial.Made(Card, o, "Made groups", $"{o.Made} Gaussian groups of {o.Each} rows, {o.Features} features", reading);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var o = (ClusterOptions)trial.Options;
        var data = trial.Trial.Data.Source == "made" ? null : Classification.Opened(trial);
        var (x, truth) = data is null ? Made(o, trial.Context.Random("groups")) : Drawn(data, o, trial.Context.Random("rows"));
        var names = data?.LabelNames;
        int groups = o.Groups > 0 ? o.Groups : truth.Distinct().Count();
        if (groups > truth.Length)
            throw InputException.At("task.groups", $"{groups}", $"at most {truth.Length}, the rows", "Take fewer.");
        trial.Context.Progress(0.1, "grouping");
        var method = (IClusterer)trial.Method();
        var found = trial.Timed(() => method.Group(x, groups, trial.Context.Cancellation), out double fit);
        foreach (var (name, value) in found.Report)
            trial.Context.Metric($"report/{name}", value, 1);
        UnionFigure.Record(trial, found.Unions, truth, g => names?[g] ?? $"group {g + 1}", groups);
        double wrong = Assignment.Misclustered(found.Labels, truth);
        return new(new Dictionary<string, double> { ["misclustered"] = wrong, ["ari"] = KernelClusters.AdjustedRand(found.Labels, truth), ["exact"] = wrong == 0 ? 1 : 0, ["fit_ms"] = fit });
    }

    /// <summary>Gaussian groups whose means are the corners of a regular simplex.</summary>
    internal static (Tensor X, int[] Truth) Made(ClusterOptions o, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        var corners = Aligned.Of(Simplex(o.Made, o.Features, o.Separation), o.Made, o.Features).mm(Rotation(o.Features, random));
        var deviation = Aligned.Of(o.Shape == "round" ? [.. Enumerable.Repeat(1.0, o.Features)] : Deviations(o.Features), 1, o.Features);
        var all = o.Shape == "same" ? Rotation(o.Features, random) : null;
        var x = cat([.. Enumerable.Range(0, o.Made).Select(g => (Normal(o.Each, o.Features, random) * deviation).mm(all ?? Rotation(o.Features, random)) + corners.narrow(0, g, 1))]);
        return (x.MoveToOuterDisposeScope(), [.. Enumerable.Range(0, o.Made * o.Each).Select(i => i / o.Each)]);
    }

    /// <summary>Roots of variances that fall from 6 over 1 and 0.3 to 0.1, in logarithms straight between.</summary>
    private static double[] Deviations(int features)
    {
        double[] variances = [6, 1, 0.3, 0.1];
        return [.. Enumerable.Range(0, features).Select(i =>
        {
            double at = features == 1 ? 0 : 3.0 * i / (features - 1);
            int low = Math.Min((int)at, 2);
            return Math.Exp(0.5 * (Math.Log(variances[low]) * (1 - at + low) + Math.Log(variances[low + 1]) * (at - low)));
        })];
    }

    /// <summary>Corners [k, d] that are as far apart as told, around 0.</summary>
    private static double[] Simplex(int k, int d, double side)
    {
        double[] corners = new double[k * d];
        double radius = side * Math.Sqrt((k - 1) / (2.0 * k));
        for (int j = 0; j < k - 1; j++)
        {
            double Along(int a, int b) => Enumerable.Range(0, j).Sum(i => corners[a * d + i] * corners[b * d + i]);
            double own = corners[j * d + j] = Math.Sqrt(Math.Max(0, radius * radius - Along(j, j)));
            for (int l = j + 1; l < k; l++)
                corners[l * d + j] = own == 0 ? 0 : (-radius * radius / (k - 1) - Along(j, l)) / own;
        }
        return corners;
    }

    private static Tensor Normal(int n, int d, SeededRandom random) => Aligned.Of([.. Enumerable.Range(0, n * d).Select(_ => random.NextNormal())], n, d);

    /// <summary>A rotation, or one with a reflection, all as likely: the Q of normal numbers, its signs made those of a positive R.</summary>
    private static Tensor Rotation(int d, SeededRandom random)
    {
        var (q, r) = linalg.qr(Normal(d, d, random));
        return q * r.diagonal().sign();
    }

    /// <summary>Rows of a user's data, the same for every method of a seed.</summary>
    private static (Tensor X, int[] Truth) Drawn(LabelledData data, ClusterOptions o, SeededRandom random)
    {
        int[] order = [.. Enumerable.Range(0, data.Count)];
        random.Shuffle(order);
        int[] rows = order[..Math.Min(o.Rows, data.Count)];
        Array.Sort(rows);
        float[] values = new float[(long)rows.Length * data.Width];
        data.CopyRows(rows, values);
        if (o.Standardise)
            Standardiser.Fit(data, rows).Apply(values);
        int[] labels = data.Labels.ToArray();
        return (Aligned.Of(Array.ConvertAll(values, v => (double)v), rows.Length, data.Width), [.. rows.Select(i => labels[i])]);
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.csv GROUPS: puts the rows of a table into groups; its last column is not looked at
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            int[] rows = Enumerable.Range(0, data.Count).ToArray();
            var values = new float[rows.Length * data.Width];
            data.CopyRows(rows, values);
            Standardiser.Fit(data, rows).Apply(values);
            using var x = tensor(values.Select(v => (double)v).ToArray(), new long[] { rows.Length, data.Width });
            var method = (IClusterer){{KeptProgram.Method(trial)}};
            var groups = method.Group(x, args.Length > 1 ? int.Parse(args[1]) : data.LabelNames.Count);
            for (int i = 0; i < rows.Length; i++)
                Console.WriteLine($"{i}\t{groups.Labels[i]}");

            """;
}
