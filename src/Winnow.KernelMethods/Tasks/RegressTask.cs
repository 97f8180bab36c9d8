using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>regress</c>.</summary>
public sealed record RegressOptions
{
    /// <summary>Rows learned from.</summary>
    [Range(2, 100_000), Description("rows to learn from; all that are not for testing where there are fewer")]
    public int Rows { get; init; } = 200;

    /// <summary>Rows asked for.</summary>
    [Range(1, 1_000_000), Description("rows to test on; at most half of all")]
    public int Test { get; init; } = 1000;

    /// <summary>The made function.</summary>
    [AllowedValues("friedman", "wave"), Description("without --data: friedman, of ten inputs of which five matter; wave, of one")]
    public string Made { get; init; } = "friedman";

    /// <summary>Its noise.</summary>
    [Range(0.0, 1e3), Description("without --data: deviation of the noise, as a share of the function's")]
    public double Noise { get; init; } = 0.2;
}

/// <summary>Rows with a number each: some are learned from, others asked for.</summary>
internal sealed class RegressTask : IKernelTask
{
    public TaskCard Card { get; } = new("regress", "Numbers from few rows", "Rows of a table with a number each: some are learned from, others asked for. Rows and numbers are scaled by the mean and deviation of those learned from. Without a file, values of a function with noise.",
        OptionsSchema.Of<RegressOptions>(), ["targets", "examples"])
    { Metrics = Metrics.OfRegression };

    public IReadOnlyList<FigureCard> Figures => [Regression.Curve];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (RegressOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "A made function", $"{o.Made}: {o.Rows} rows, {o.Test} to test on", reading);
        return Regression.Inspect(source, reading, 4, cancellation);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var o = (RegressOptions)trial.Options;
        return Regression.Run(trial, trial.Trial.Data.Source == "made" ? RegressionProblem.Made(o, trial.Context.Random) : RegressionProblem.Of(Regression.Opened(trial), o, trial.Context.Random));
    }

    public string Program(Trial trial, string version) => Regression.Program(trial, version);
}

/// <summary>What is the same whatever a regressor learns from.</summary>
internal static class Regression
{
    private const int Grid = 200;

    /// <summary>The curve of one input, from its least to its largest value.</summary>
    public static FigureCard Curve { get; } = new("curve", FigureKind.Lines, "What is expected along one input", "curve", "the input, from its least value (0) to its largest (200)", "the number, in deviations",
        "Of rows with one input: the expected number with the band in which 95% of observations should lie, and the rows learned from as dots, of the first seed. A band that is narrow where there are no dots knows too much.");

    /// <summary>Reads a user's rows.</summary>
    public static DataSummary Inspect(string source, DataReading reading, int least, CancellationToken cancellation)
    {
        var data = DataSources.OpenTargets(source, reading, cancellation);
        return data.Count >= least ? data.Summary(Path.Exists(source) ? Path.GetFullPath(source) : source, reading) : throw InputException.At(source, $"{data.Count} rows", $"at least {least}", "Give more.");
    }

    /// <summary>The rows a trial was planned with.</summary>
    public static TargetData Opened(KernelTrial trial)
    {
        var planned = trial.Trial.Data;
        var data = DataSources.OpenTargets(planned.Source, planned.Reading, trial.Context.Cancellation);
        planned.Require(data.Hash);
        return data;
    }

    /// <summary>Learns, asks and measures.</summary>
    public static TrialResult Run(KernelTrial trial, RegressionProblem problem)
    {
        var context = trial.Context;
        context.Progress(0.1, "learning");
        var method = (IRegressor)trial.Method();
        using var fitted = trial.Timed(() => method.Fit(problem.Train, context.Cancellation), out double fit);
        context.Progress(0.8, "asking");
        var found = trial.Timed(() => fitted.Predict(problem.X), out double asked);
        double[] mean = found.Mean.data<double>().ToArray();
        double[]? variance = found.Variance?.data<double>().ToArray();
        if (!mean.All(double.IsFinite) || variance?.All(v => v > 0 && double.IsFinite(v)) == false)
            throw new InvalidOperationException($"'{trial.Trial.Method}' expects what is no number.");
        foreach (var (name, value) in fitted.Report)
            context.Metric($"report/{name}", value, 1);
        if (trial.Trial.Seed == 1 && problem.X.shape[1] == 1)
            Draw(context, problem, fitted);
        var metrics = new Dictionary<string, double>
        {
            ["rmse"] = Math.Sqrt(mean.Zip(problem.Y, (m, y) => (m - y) * (m - y)).Average()),
            ["fit_ms"] = fit,
            ["predict_us"] = 1000 * asked / mean.Length,
            ["jitter"] = fitted.Report.GetValueOrDefault("jitter"),
        };
        if (variance is not null)
        {
            metrics["log_likelihood"] = Enumerable.Range(0, mean.Length).Average(i => -0.5 * Math.Log(2 * Math.PI * variance[i]) - (problem.Y[i] - mean[i]) * (problem.Y[i] - mean[i]) / (2 * variance[i]));
            metrics["coverage"] = Enumerable.Range(0, mean.Length).Average(i => Math.Abs(problem.Y[i] - mean[i]) <= Prediction.Band * Math.Sqrt(variance[i]) ? 1.0 : 0);
        }
        return new(metrics);
    }

    private static void Draw(TrialContext context, RegressionProblem problem, IFittedRegressor fitted)
    {
        using var scope = NewDisposeScope();
        double low = Math.Min(problem.Train.X.min().item<double>(), problem.X.min().item<double>()), high = Math.Max(problem.Train.X.max().item<double>(), problem.X.max().item<double>());
        var (mean, variance) = fitted.Predict(linspace(low, high, Grid + 1, dtype: ScalarType.Float64).unsqueeze(1));
        for (int i = 0; i <= Grid; i++)
        {
            double m = mean[i].item<double>();
            context.Metric("curve", m, i);
            if (variance is null)
                continue;
            double half = Prediction.Band * Math.Sqrt(variance[i].item<double>());
            context.Metric("curve/low", m - half, i);
            context.Metric("curve/high", m + half, i);
        }
        double[] x = problem.Train.X.flatten().data<double>().ToArray(), y = problem.Train.Y.data<double>().ToArray();
        for (int i = 0; i < Math.Min(x.Length, 10 * Grid); i++)
            context.Metric("curve/rows", y[i], (long)Math.Round(Grid * (x[i] - low) / (high > low ? high - low : 1)));
    }

    /// <summary>Learns from nine rows in ten of a file and asks for the others.</summary>
    public static string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.csv [COLUMN]: learns the numbers of a column from all but the last row in ten, and asks for these
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.OpenTargets(args[0], new DataReading(args.Length > 1 ? args[1] : null), CancellationToken.None);
            int[] rows = Enumerable.Range(0, data.Count).Where(i => i % 10 != 9).ToArray(), asked = Enumerable.Range(0, data.Count).Where(i => i % 10 == 9).ToArray();
            var scale = Standardiser.Fit(data.Rows, rows);
            double[] numbers = data.Targets.ToArray();
            double centre = rows.Average(i => numbers[i]), deviation = Math.Sqrt(rows.Average(i => (numbers[i] - centre) * (numbers[i] - centre)));
            var method = (IRegressor){{KeptProgram.Method(trial)}};
            using var fitted = method.Fit(new RegressionRows(Take(rows), tensor(rows.Select(i => (numbers[i] - centre) / deviation).ToArray())));
            var (mean, variance) = fitted.Predict(Take(asked));
            for (int i = 0; i < asked.Length; i++)
                Console.WriteLine($"row {asked[i]}: {centre + deviation * mean[i].item<double>():G6}{(variance is null ? "" : $" ± {1.96 * deviation * Math.Sqrt(variance[i].item<double>()):G3}")}; there is {numbers[asked[i]]:G6}");

            Tensor Take(int[] some)
            {
                var values = new float[some.Length * data.Rows.Width];
                data.Rows.CopyRows(some, values);
                scale.Apply(values);
                return tensor(values.Select(v => (double)v).ToArray(), new long[] { some.Length, data.Rows.Width });
            }

            """;
}
