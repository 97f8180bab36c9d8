using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Rows with labels: some are learned from, others asked for.</summary>
internal sealed class ClassifyTask : IKernelTask
{
    public TaskCard Card { get; } = new("classify", "Classes from few rows", "Rows of a table or images with labels: some are learned from, others asked for. Scaled by the mean and deviation of those learned from.", OptionsSchema.Of<ClassifyOptions>(), ["rows", "examples"]);

    public IReadOnlyList<FigureCard> Figures => ClassificationFigures.Cards;

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation) => Classification.Inspect(source, reading, cancellation);

    public TrialResult Run(KernelTrial trial) => Classification.Run(trial, Problem.Of(Classification.Opened(trial), (ClassifyOptions)trial.Options, trial.Context.Random));

    public string Program(Trial trial, string version) => Classification.Program(trial, version);
}

/// <summary>Names of classes and a few rows.</summary>
internal sealed class FewShotTask : IKernelTask
{
    public TaskCard Card { get; } = new("few-shot", "Names and a few rows", "A vector for each class is known beforehand, as the embedding of its name would be, and a few rows; others are asked for.", OptionsSchema.Of<FewShotOptions>(), ["rows", "examples", "names"]);

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation) => Classification.Inspect(source, reading, cancellation);

    public TrialResult Run(KernelTrial trial) => Classification.Run(trial, Problem.Of(Classification.Opened(trial), (FewShotOptions)trial.Options, trial.Context.Random));

    public string Program(Trial trial, string version) => Classification.Program(trial, version);
}

/// <summary>Angles whose class a circuit decides.</summary>
internal sealed class AdHocTask : IKernelTask
{
    public TaskCard Card { get; } = new("ad-hoc", "Classes that a circuit makes", "Angles whose class is the sign of what a random measurement of a circuit's state expects: what a quantum kernel separates by construction.", OptionsSchema.Of<AdHocOptions>(), ["rows", "examples", "table", "angles"]) { Data = null };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation) => options is AdHocOptions o && source is null
        ? KernelTrial.Made(Card, o, "Made by a circuit", $"{o.Qubits} angles, {o.Rows} rows of each of two classes, {o.Test} to test on", reading)
        : throw InputException.At("--data", $"'{source}'", "none: this task makes its rows", "Leave it out, or choose --task classify.");

    public TrialResult Run(KernelTrial trial) => Classification.Run(trial, Problem.Of((AdHocOptions)trial.Options, trial.Context.Random));

    public string Program(Trial trial, string version) => Classification.Program(trial, version);
}

/// <summary>What is the same whatever a classifier learns from.</summary>
internal static class Classification
{
    /// <summary>Reads a user's rows.</summary>
    public static DataSummary Inspect(string? source, DataReading reading, CancellationToken cancellation)
    {
        var data = DataSources.Open(source, reading, cancellation);
        if (data.Count < 4 || data.LabelNames.Count < 2)
            throw InputException.At(source ?? "digits", $"{data.Count} rows of {data.LabelNames.Count} classes", "at least 4 rows of 2 classes", "Give more.");
        return data.Summary(source is null ? "digits" : Path.Exists(source) ? Path.GetFullPath(source) : source, reading);
    }

    /// <summary>The rows a trial was planned with.</summary>
    public static LabelledData Opened(KernelTrial trial)
    {
        var planned = trial.Trial.Data;
        var data = DataSources.Open(planned.Source, planned.Reading, trial.Context.Cancellation);
        planned.Require(data.Hash);
        return data;
    }

    /// <summary>Learns, asks and counts; then does with what was learned what is asked for.</summary>
    public static TrialResult Run(KernelTrial trial, Problem problem, Action<IFitted>? then = null)
    {
        var context = trial.Context;
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
        ClassificationFigures.Record(trial, problem, fitted, answers);
        then?.Invoke(fitted);
        return new(new Dictionary<string, double>
        {
            ["accuracy"] = problem.Labels.Zip(answers).Average(p => p.First == p.Second ? 1.0 : 0),
            ["macro_f1"] = Metrics.MacroF1(answers, problem.Labels, problem.Names.Count),
            ["kappa"] = Metrics.Kappa(Metrics.Table(answers, problem.Labels, problem.Names.Count)),
            ["fit_ms"] = fit,
            ["predict_us"] = 1000 * asked / problem.Labels.Length,
            ["jitter"] = fitted.Report.GetValueOrDefault("jitter"),
        });
    }

    /// <summary>Learns from nine rows in ten of a file and asks for the others.</summary>
    public static string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.csv: learns from all but the last row in ten, and asks for these
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            int[] rows = Enumerable.Range(0, data.Count).Where(i => i % 10 != 9).ToArray(), asked = Enumerable.Range(0, data.Count).Where(i => i % 10 == 9).ToArray();
            var scale = Standardiser.Fit(data, rows);
            var method = (IClassifier){{KeptProgram.Method(trial)}};
            using var fitted = method.Fit(new TrainingRows(Take(rows), rows.Select(i => data.Labels[i]).ToArray(), data.LabelNames.Count));
            using var answers = fitted.Scores(Take(asked)).argmax(1);
            Console.WriteLine($"{asked.Where((row, i) => answers[i].item<long>() == data.Labels[row]).Count()} of {asked.Length} right");

            Tensor Take(int[] some)
            {
                var values = new float[some.Length * data.Width];
                data.CopyRows(some, values);
                scale.Apply(values);
                return tensor(values.Select(v => (double)v).ToArray(), new long[] { some.Length, data.Width });
            }

            """;
}
