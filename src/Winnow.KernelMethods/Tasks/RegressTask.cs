using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>regress</c>.</summary>
public sealed record RegressOptions
{
    /// <summary>Rows learned from.</summary>
    [Range(2, 100_000), Description("rows to learn from; all that are not for testing where there are fewer")]
    public int Rows { get; init; } = 200;

    /// <summary>Rows asked for.</summary>
    [Range(1, 1_000_000), Description("rows to test on; of a file at most half of all")]
    public int Test { get; init; } = 500;

    /// <summary>What is made without a file.</summary>
    [AllowedValues("friedman", "wave"), Description("of made rows: friedman, five features that matter and five that do not; wave, a curve of one feature with a gap in its middle")]
    public string Made { get; init; } = "friedman";

    /// <summary>Noise.</summary>
    [Range(0.0, 100.0), Description("of made rows: the noise's deviation, as a share of the curve's")]
    public double Noise { get; init; } = 0.2;
}

/// <summary>Numbers from few rows.</summary>
internal sealed class RegressTask : IKernelTask
{
    private const int Curve = 120;

    public static IReadOnlyList<MetricCard> Metrics { get; } =
    [
        new("rmse", "error", "deviations", Better.Lower, "root of the mean squared error of the expected numbers, in deviations of the numbers learned from: 1 for saying their mean"),
        new("log_likelihood", "log likelihood", "nats", Better.Higher, "mean of −½ log 2πv − (y − m)² / 2v, numbers in deviations, over the rows asked for; of a method without a variance v is the mean squared error of the rows learned from"),
        new("coverage", "in the band", "fraction", Better.Higher, "share of the numbers within 1.96 deviations of what was expected: 0.95 where the band is right"),
        new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from rows to what answers, choosing of options included"),
        new("predict_us", "time of an answer", "µs", Better.Lower, "microseconds a row, all asked for at once"),
        new("jitter", "jitter", "fraction", Better.Lower, "what had to be added to the diagonal of a covariance to solve with it; 0 as a rule"),
    ];

    public IReadOnlyList<FigureCard> Figures { get; } = [new("posterior", FigureKind.Lines, "What is expected, and how surely", "posterior", "feature, from the least to the greatest in 120 steps", "number, in deviations",
        "Of the first seed, where rows have one feature: the number expected along it, and 1.96 deviations of a new measurement on both sides. The band should widen where no rows were.") { Band = ("posterior-low", "posterior-high") }];

    public TaskCard Card { get; } = new("regress", "Numbers from few rows", "Rows of a table with a number each: some are learned from, the numbers of others are asked for. Features and numbers are scaled by the mean and deviation of those learned from.", OptionsSchema.Of<RegressOptions>(), ["values", "table"]) { Metrics = Metrics };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (RegressOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "Made rows", $"{o.Made}, {o.Rows:N0} rows to learn from and {o.Test:N0} to test on", reading);
        var data = MeasuredData.Open(source, reading, cancellation);
        if (data.Rows.Count < 4)
            throw InputException.At(source, $"{data.Rows.Count} rows", "at least 4", "Give more.");
        return data.Summary(Path.GetFullPath(source), reading);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (o, context) = ((RegressOptions)trial.Options, trial.Context);
        var (train, asked, truth) = trial.Trial.Data.Source == "made" ? Made(o, context.Random) : Taken(trial, o);
        context.Progress(0.1, "learning");
        var method = (IRegressor)trial.Method();
        using var fitted = trial.Timed(() => method.Fit(train, context.Cancellation), out double fit);
        context.Progress(0.8, "asking");
        var expected = trial.Timed(() => fitted.Predict(asked), out double took);
        if (!expected.Mean.isfinite().all().item<bool>() || expected.Variance is { } given && !(given > 0).all().item<bool>())
            throw new InvalidOperationException($"'{trial.Trial.Method}' expected what is no number, or a variance that is none.");
        var error = (expected.Mean - truth).square();
        var variance = expected.Variance ?? (fitted.Predict(train.X).Mean - train.Y).square().mean().clamp_min(1e-12).expand(truth.shape[0]);
        foreach (var (name, value) in fitted.Report)
            context.Metric($"report/{name}", value, 1);
        if (train.X.shape[1] == 1 && trial.Trial.Seed == 1)
            Draw(context, train.X, fitted, variance);
        return new(new Dictionary<string, double>
        {
            ["rmse"] = error.mean().sqrt().item<double>(),
            ["log_likelihood"] = -0.5 * ((2 * Math.PI * variance).log() + error / variance).mean().item<double>(),
            ["coverage"] = (error <= 1.96 * 1.96 * variance).to(ScalarType.Float64).mean().item<double>(),
            ["fit_ms"] = fit,
            ["predict_us"] = 1000 * took / truth.shape[0],
            ["jitter"] = fitted.Report.GetValueOrDefault("jitter"),
        });
    }

    private static void Draw(TrialContext context, Tensor x, IFittedValues fitted, Tensor without)
    {
        using var scope = NewDisposeScope();
        var along = linspace(x.min().item<double>(), x.max().item<double>(), Curve, dtype: ScalarType.Float64).unsqueeze(1);
        var (mean, variance) = fitted.Predict(along);
        double[] at = mean.data<double>().ToArray(), deviation = (variance ?? without[0].expand(Curve)).sqrt().contiguous().data<double>().ToArray();
        for (int i = 0; i < Curve; i++)
        {
            context.Metric("posterior", at[i], i + 1);
            context.Metric("posterior-low", at[i] - 1.96 * deviation[i], i + 1);
            context.Metric("posterior-high", at[i] + 1.96 * deviation[i], i + 1);
        }
    }

    /// <summary>Friedman's first problem (Annals of Statistics 19, 1991), or a curve of one feature of which the middle third has no rows.</summary>
    private static (TrainingValues Train, Tensor X, Tensor Y) Made(RegressOptions o, Func<string, SeededRandom> random)
    {
        const int features = 10;
        var (source, noise) = (random("made"), random("noise"));
        bool friedman = o.Made == "friedman";
        int d = friedman ? features : 1;
        double[] Drawn(int rows, bool gap) => [.. Enumerable.Range(0, rows * d).Select(_ => friedman ? source.NextDouble() : source.NextDouble() is var u && gap ? (u < 0.5 ? u * 2 / 3 : 1 - (1 - u) * 2 / 3) : u)];
        double Value(double[] x, int row) => friedman
            ? 10 * Math.Sin(Math.PI * x[row * d] * x[row * d + 1]) + 20 * Math.Pow(x[row * d + 2] - 0.5, 2) + 10 * x[row * d + 3] + 5 * x[row * d + 4]
            : Math.Sin(12 * x[row]) + 2 * x[row];
        double[] own = Drawn(o.Rows, true), other = Drawn(o.Test, false), y = [.. Enumerable.Range(0, o.Rows).Select(i => Value(own, i))], truth = [.. Enumerable.Range(0, o.Test).Select(i => Value(other, i))];
        double size = o.Noise * Math.Sqrt(y.Select(v => Math.Pow(v - y.Average(), 2)).Average());
        foreach (double[] values in (double[][])[y, truth])
            for (int i = 0; i < values.Length; i++)
                values[i] += size * noise.NextNormal();
        return Scaled(Aligned.Of(own, o.Rows, d), Aligned.Of(y, o.Rows), Aligned.Of(other, o.Test, d), Aligned.Of(truth, o.Test));
    }

    private static (TrainingValues Train, Tensor X, Tensor Y) Taken(KernelTrial trial, RegressOptions o)
    {
        var data = MeasuredData.Open(trial.Trial.Data.Source, trial.Trial.Data.Reading, trial.Context.Cancellation);
        trial.Trial.Data.Require(data.Rows.Hash);
        int[] order = [.. Enumerable.Range(0, data.Rows.Count)];
        trial.Context.Random("split").Shuffle(order);
        int test = Math.Min(o.Test, data.Rows.Count / 2);
        (Tensor X, Tensor Y) Of(int[] rows)
        {
            float[] values = new float[(long)rows.Length * data.Rows.Width];
            data.Rows.CopyRows(rows, values);
            double[] numbers = new double[rows.Length];
            for (int i = 0; i < rows.Length; i++)
                numbers[i] = data.Values[rows[i]];
            return (Aligned.Of(Array.ConvertAll(values, v => (double)v), rows.Length, data.Rows.Width), Aligned.Of(numbers, rows.Length));
        }
        var (own, other) = (Of(order[test..Math.Min(data.Rows.Count, test + o.Rows)]), Of(order[..test]));
        return Scaled(own.X, own.Y, other.X, other.Y);
    }

    private static (TrainingValues Train, Tensor X, Tensor Y) Scaled(Tensor x, Tensor y, Tensor asked, Tensor truth)
    {
        Tensor Deviation(Tensor a) => a.square().mean([0], keepdim: true).sqrt() is var s ? where(s > 0, s, ones_like(s)) : s;
        var (mean, middle) = (x.mean([0], keepdim: true), y.mean([0], keepdim: true));
        var (scale, size) = (Deviation(x - mean), Deviation(y - middle));
        return (new((x - mean) / scale, (y - middle) / size), (asked - mean) / scale, (truth - middle) / size);
    }

    public string Program(Trial trial, string version) =>
        $$""""
            // dotnet run -c Release Use.cs FILE.csv COLUMN: learns the column of numbers from all but the last row in ten, and asks for these
            #:package Winnow.KernelMethods@{{version}}
            #:package {{NativeTorch.Package.Id}}@{{NativeTorch.Package.Version}}
            #:property PublishAot=false
            using System.Text.Json.Nodes;
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = MeasuredData.Open(args[0], new DataReading(args.Length > 1 ? args[1] : null), CancellationToken.None);
            int[] rows = Enumerable.Range(0, data.Rows.Count).Where(i => i % 10 != 9).ToArray(), asked = Enumerable.Range(0, data.Rows.Count).Where(i => i % 10 == 9).ToArray();
            var scale = Standardiser.Fit(data.Rows, rows);
            var method = (IRegressor)new KernelMethodsArena().Build("{{trial.Method}}", (JsonObject)JsonNode.Parse("""{{trial.Options.ToJsonString()}}""")!);
            using var fitted = method.Fit(new TrainingValues(Take(rows), tensor(rows.Select(i => data.Values[i]).ToArray())));
            var expected = fitted.Predict(Take(asked));
            double error = Math.Sqrt(asked.Select((row, i) => Math.Pow(expected.Mean[i].item<double>() - data.Values[row], 2)).Average());
            Console.WriteLine($"{asked.Length} rows, {error:G3} off on average (root of the mean square)");

            Tensor Take(int[] some)
            {
                var values = new float[some.Length * data.Rows.Width];
                data.Rows.CopyRows(some, values);
                scale.Apply(values);
                return tensor(values.Select(v => (double)v).ToArray(), new long[] { some.Length, data.Rows.Width });
            }

            """";
}
