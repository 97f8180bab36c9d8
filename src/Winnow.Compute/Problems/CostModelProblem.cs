using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Compute;

/// <summary>What of a function is predicted.</summary>
public enum CostTarget
{
    /// <summary>Buffers alive at once: values that lines define.</summary>
    Pressure,

    /// <summary>Seconds that a machine of given peak and bandwidth needs at least.</summary>
    Roofline,

    /// <summary>Seconds measured here.</summary>
    Measured,
}

/// <summary>How functions are parted into those to learn from and those to predict.</summary>
public enum FunctionSplit
{
    /// <summary>By family: no family is in both.</summary>
    Family,

    /// <summary>At random, where near copies of a test function are learned from: for comparison only.</summary>
    Random,
}

/// <summary>The options of the task.</summary>
public sealed record CostModelOptions : ProblemOptions
{
    /// <summary>What is predicted.</summary>
    [Description("what is predicted: pressure (buffers alive at once, exact), roofline (seconds by peak and bandwidth, exact), measured (seconds on this processor, one thread)")]
    public CostTarget Target { get; init; } = CostTarget.Pressure;

    /// <summary>How functions are parted.</summary>
    [Description("family: no family is in both parts; random: near copies of test functions are learned from, which flatters")]
    public FunctionSplit Split { get; init; } = FunctionSplit.Family;

    /// <summary>Functions to learn from.</summary>
    [Range(10, 1_000_000), Description("functions to learn from")]
    public int Train { get; init; } = 3000;

    /// <summary>Functions to predict.</summary>
    [Range(10, 1_000_000), Description("functions to predict")]
    public int Test { get; init; } = 600;

    /// <summary>Families to predict.</summary>
    [Range(1, 11), Description("families to predict, drawn anew for each seed")]
    public int TestFamilies { get; init; } = 3;

    /// <summary>Pairs of candidates.</summary>
    [Range(0, 100_000), Description("pairs of candidates for the fusion study; 0 leaves it out")]
    public int Pairs { get; init; } = 200;

    /// <summary>Peak.</summary>
    [Range(1e-3, 1e9), Description("of the roofline: peak in Gflop/s")]
    public double PeakGflops { get; init; } = 100;

    /// <summary>Bandwidth.</summary>
    [Range(1e-3, 1e9), Description("of the roofline: bandwidth in GB/s")]
    public double Gigabytes { get; init; } = 20;
}

/// <summary>Functions with their costs: to learn from, and to predict; and pairs of which the cheaper is asked for.</summary>
/// <param name="Train">Texts to learn from.</param>
/// <param name="TrainCosts">Their costs.</param>
/// <param name="Test">Texts to predict.</param>
/// <param name="TestCosts">Their costs.</param>
/// <param name="Pairs">Candidates that compute the same, and the costs of both; costs within 5 % of one another are left out.</param>
/// <param name="TestFamilies">Families of the functions to predict.</param>
/// <param name="Spread">Mean over the measured functions of half the distance of the quartiles over the median; 0 for exact costs.</param>
internal sealed record CostModelProblem(IReadOnlyList<string> Train, IReadOnlyList<double> TrainCosts, IReadOnlyList<string> Test, IReadOnlyList<double> TestCosts,
    IReadOnlyList<(string Kept, string Fused, double KeptCost, double FusedCost)> Pairs, IReadOnlyList<string> TestFamilies, double Spread)
{
    /// <summary>Pairs whose costs differ by less than this share have no cheaper one.</summary>
    private const double Tie = 0.05;

    public static CostModelProblem Make(CostModelOptions o, Func<string, SeededRandom> random, TimeProvider clock, CancellationToken cancellation)
    {
        string[] families = [.. FunctionFamilies.Names];
        random("families").Shuffle(families);
        string[] unseen = families[..o.TestFamilies], seen = o.Split == FunctionSplit.Family ? families[o.TestFamilies..] : families;
        var (draw, numbers) = (random("functions"), random("arguments"));
        double spread = 0;
        int measured = 0;
        var train = Labelled(Sample(seen, o.Train));
        var test = Labelled(Sample(o.Split == FunctionSplit.Family ? unseen : families, o.Test));
        var pairs = new List<(string, string, double, double)>();
        for (int tries = 0; pairs.Count < o.Pairs && tries < 20 * o.Pairs; tries++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (FunctionMutations.Candidates(FunctionFamilies.Sample(unseen[draw.Next(unseen.Length)], draw), draw) is not var (kept, fused))
                continue;
            double a = Cost(kept), b = Cost(fused);
            if (Math.Abs(a - b) > Tie * Math.Max(a, b))
                pairs.Add((kept.ToString(), fused.ToString(), a, b));
        }
        return new(train.Texts, train.Costs, test.Texts, test.Costs, pairs, unseen, spread / Math.Max(1, measured));

        List<TensorFunction> Sample(string[] from, int count) => [.. Enumerable.Range(0, count).Select(i => FunctionFamilies.Sample(from[i % from.Length], draw))];

        (string[] Texts, double[] Costs) Labelled(List<TensorFunction> functions) => ([.. functions.Select(f => f.ToString())], [.. functions.Select(Cost)]);

        double Cost(TensorFunction f)
        {
            cancellation.ThrowIfCancellationRequested();
            if (o.Target == CostTarget.Pressure)
                return FunctionCosts.Pressure(f, arguments: false).Values;
            if (o.Target == CostTarget.Roofline)
                return FunctionCosts.Roofline(f, o.PeakGflops * 1e9, o.Gigabytes * 1e9);
            var (seconds, apart) = FunctionInterpreter.Measure(f, numbers, clock);
            (spread, measured) = (spread + apart, measured + 1);
            return seconds;
        }
    }
}

/// <summary>The task in which a cost is predicted, not computed: a method learns from functions of some families and is asked for others.</summary>
internal sealed class CostModelKind : IProblemKind
{
    public const string Offer = "functions with costs";

    public TaskCard Task { get; } = new("cost-model", "Predicting what a function costs", "Functions of tensors in a small intermediate representation, of the shapes that models have; learned from some families, asked for the cost of others, and for the cheaper of two ways to compute one thing.",
        OptionsSchema.Of<CostModelOptions>(), [Offer])
    {
        Data = null,
        Metrics =
        [
            new("relative_rmse", "error", "fraction", Better.Lower, "root mean square error over the test functions / (largest - smallest of their costs)"),
            new("spearman", "rank correlation", "fraction", Better.Higher, "Spearman's correlation of predicted and true costs, ties at their mean rank; 0 for a constant prediction"),
            new("within_10", "within 10 %", "fraction", Better.Higher, "share of test functions predicted within 10 % of the cost"),
            new("exact", "exact", "fraction", Better.Higher, "share of test functions whose cost is predicted exactly after rounding: for counts"),
            new("fusion_accuracy", "fusion", "fraction", Better.Higher, "share of pairs of candidates, one keeping a shared result, one computing it again in each use, of which the cheaper is predicted cheaper"),
            new("fusion_majority", "fusion, majority", "fraction", Better.Higher, "what always choosing the kind that is cheaper more often gives: a property of the pairs"),
            new("train_seconds", "training", "seconds", Better.Lower, "wall time of learning"),
            new("predict_seconds", "prediction", "seconds", Better.Lower, "wall time of a prediction, on average over the test functions, reading the text included"),
            new("unknown_tokens", "unknown", "fraction", Better.Lower, "share of tokens that training had not seen, of all read"),
            new("label_spread", "label spread", "fraction", Better.Lower, "of measured costs: half the distance of the quartiles over the median, on average: a bound of what can be predicted"),
        ],
    };

    public string Interface => nameof(ICostModel);

    public string Use => $"{nameof(ICostPredictor)} Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs) => method.Train(functions, costs, context);";

    public DataSummary Inspect(string? source, ProblemOptions options, DataReading reading, CancellationToken cancellation)
    {
        if (source is not null)
            throw InputException.At("--data", $"'{source}'", "no data: the functions of 'cost-model' are generated", "Leave --data away; in a program of your own ICostModel.Train takes your functions and costs.");
        var o = (CostModelOptions)options;
        string content = JsonSerializer.Serialize(o, WinnowJson.Options);
        return new(new("generated", DataRef.HashOf(content), reading), "Generated from the seed",
            FormattableString.Invariant($"{o.Train:N0} functions to learn from and {o.Test:N0} to predict ({(o.Split == FunctionSplit.Family ? $"{o.TestFamilies} of {FunctionFamilies.Names.Count} families" : "split at random")}); cost: {o.Target.ToString().ToLowerInvariant()}"), null);
    }

    public CostEstimate? Predict(IComputeMethod method, ProblemOptions options, SeededRandom random) => null;

    public TrialResult Run(IComputeMethod method, Trial trial, ProblemOptions options, TrialContext context, TimeProvider clock)
    {
        if (method is not ICostModel model)
            throw new ArgumentException($"'{trial.Method}' predicts no costs.", nameof(method));
        var o = (CostModelOptions)options;
        context.Progress(0, "functions and their costs");
        var problem = CostModelProblem.Make(o, context.Random, clock, context.Cancellation);
        context.Log(o.Split == FunctionSplit.Family ? $"families to predict: {string.Join(", ", problem.TestFamilies)}" : "warning: families to predict are also learned from (task.split=random): near copies flatter every method");
        context.Progress(0.2, "learning");
        var work = new ComputeContext(trial.Threads, new Scratch(), context.Cancellation);
        long start = clock.GetTimestamp();
        using var predictor = model.Train(problem.Train, problem.TrainCosts, work);
        double trained = clock.GetElapsedTime(start).TotalSeconds;
        context.Progress(0.9, "predicting");
        start = clock.GetTimestamp();
        double[] predicted = predictor.Predict(problem.Test, context.Cancellation);
        double seconds = clock.GetElapsedTime(start).TotalSeconds / problem.Test.Count;
        var metrics = CostMetrics.Of(predicted, problem.TestCosts);
        metrics["train_seconds"] = trained;
        metrics["predict_seconds"] = seconds;
        foreach (var (name, value) in work.Work.Counters)
            metrics[name] = value;
        if (o.Target == CostTarget.Measured)
            metrics["label_spread"] = problem.Spread;
        if (problem.Pairs.Count > 0)
        {
            double[] kept = predictor.Predict([.. problem.Pairs.Select(p => p.Kept)], context.Cancellation), fused = predictor.Predict([.. problem.Pairs.Select(p => p.Fused)], context.Cancellation);
            metrics["fusion_accuracy"] = problem.Pairs.Select((p, i) => kept[i] == fused[i] ? 0.5 : kept[i] < fused[i] == p.KeptCost < p.FusedCost ? 1 : 0).Average();
            double better = problem.Pairs.Average(p => p.FusedCost < p.KeptCost ? 1.0 : 0);
            metrics["fusion_majority"] = Math.Max(better, 1 - better);
        }
        return new(metrics);
    }
}

/// <summary>How far predicted costs are from true ones.</summary>
internal static class CostMetrics
{
    public static Dictionary<string, double> Of(IReadOnlyList<double> predicted, IReadOnlyList<double> costs)
    {
        double range = costs.Max() - costs.Min(), square = predicted.Zip(costs, (p, c) => (p - c) * (p - c)).Average();
        return new()
        {
            ["relative_rmse"] = square == 0 ? 0 : Math.Sqrt(square) / (range > 0 ? range : double.NaN),
            ["spearman"] = Spearman(predicted, costs),
            ["within_10"] = predicted.Zip(costs, (p, c) => Math.Abs(p - c) <= 0.1 * c ? 1.0 : 0).Average(),
            ["exact"] = predicted.Zip(costs, (p, c) => Math.Round(p) == c ? 1.0 : 0).Average(),
        };
    }

    /// <summary>The correlation of ranks; 0 where one side is constant.</summary>
    public static double Spearman(IReadOnlyList<double> a, IReadOnlyList<double> b)
    {
        double[] x = Ranks(a), y = Ranks(b);
        double mean = (a.Count + 1) / 2.0, xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Length; i++)
            (xy, xx, yy) = (xy + (x[i] - mean) * (y[i] - mean), xx + (x[i] - mean) * (x[i] - mean), yy + (y[i] - mean) * (y[i] - mean));
        return xx == 0 || yy == 0 ? 0 : xy / Math.Sqrt(xx * yy);
    }

    private static double[] Ranks(IReadOnlyList<double> values)
    {
        int[] order = [.. Enumerable.Range(0, values.Count).OrderBy(i => values[i])];
        var ranks = new double[values.Count];
        for (int first = 0, end; first < order.Length; first = end)
        {
            for (end = first + 1; end < order.Length && values[order[end]] == values[order[first]]; end++)
                continue;
            for (int i = first; i < end; i++)
                ranks[order[i]] = (first + 1 + end) / 2.0;
        }
        return ranks;
    }
}
