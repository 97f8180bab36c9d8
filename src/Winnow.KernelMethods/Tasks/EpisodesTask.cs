using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Curves of which a few points are known.</summary>
internal sealed class CurveEpisodesTask : IKernelTask
{
    public TaskCard Card { get; } = new("episodes", "Curves from a few points", "Many small tasks, each a curve: after some are learned from, a few points of a new one are shown and others asked for. Without a file curves are sines and lines; in a file the label of a row is its task, and its last number what is asked for.", OptionsSchema.Of<CurveEpisodesOptions>(), ["episodes"])
    {
        Metrics = Episoding.OfNumbers,
    };

    public IReadOnlyList<FigureCard> Figures => Episoding.Figures;

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (CurveEpisodesOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "Sines and lines", FormattableString.Invariant($"tasks of {o.Shots} points and {o.Queries} to answer, {o.Lines:P0} lines"), reading);
        var data = DataSources.Open(source, reading, cancellation);
        EpisodeProblem.Require(data, o);
        return data.Summary(Path.Exists(source) ? Path.GetFullPath(source) : source, reading);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var o = (CurveEpisodesOptions)trial.Options;
        return Episoding.Run(trial, o, trial.Trial.Data.Source == "made" ? EpisodeProblem.Of(o, trial.Context.Random) : EpisodeProblem.Of(Classification.Opened(trial), o, trial.Context.Random));
    }

    public string Program(Trial trial, string version) => Episoding.Program(trial, version, numbers: true);
}

/// <summary>Lines whose weights are drawn from a known Gaussian.</summary>
internal sealed class LinearEpisodesTask : IKernelTask
{
    public TaskCard Card { get; } = new("linear-episodes", "Lines with a known prior", "Many small linear regressions whose weights are drawn from a Gaussian: the best answer is known, and so how near a method comes to it.", OptionsSchema.Of<LinearEpisodesOptions>(), ["episodes", "prior"])
    {
        Data = null,
        Metrics = Episoding.OfNumbers,
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation) => options is LinearEpisodesOptions o && source is null
        ? KernelTrial.Made(Card, o, "Linear regressions", $"tasks of {o.Features} weights, {o.Shots} rows and {o.Queries} to answer", reading)
        : throw InputException.At("--data", $"'{source}'", "none: this task makes its rows", "Leave it out, or choose --task episodes.");

    public TrialResult Run(KernelTrial trial) => Episoding.Run(trial, (LinearEpisodesOptions)trial.Options, EpisodeProblem.Of((LinearEpisodesOptions)trial.Options, trial.Context.Random));

    public string Program(Trial trial, string version) => Episoding.Program(trial, version, numbers: true);
}

/// <summary>Classes never seen, of which a few rows are shown.</summary>
internal sealed class ImageEpisodesTask : IKernelTask
{
    public TaskCard Card { get; } = new("image-episodes", "New classes from a few images", "Many small tasks of a few classes each; after some are learned from, a few rows of classes never seen are shown and others asked for.", OptionsSchema.Of<ImageEpisodesOptions>(), ["episodes", "shown-classes"])
    {
        Metrics = Episoding.OfClasses,
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var data = DataSources.Open(source, reading, cancellation);
        EpisodeProblem.Require(data, (ImageEpisodesOptions)options);
        return data.Summary(source is null ? "digits" : Path.Exists(source) ? Path.GetFullPath(source) : source, reading);
    }

    public TrialResult Run(KernelTrial trial) => Episoding.Run(trial, (ImageEpisodesOptions)trial.Options, EpisodeProblem.Of(Classification.Opened(trial), (ImageEpisodesOptions)trial.Options, trial.Context.Random));

    public string Program(Trial trial, string version) => Episoding.Program(trial, version, numbers: false);
}

/// <summary>What is the same whatever tasks are of.</summary>
internal static class Episoding
{
    private const int Together = 50, Bins = 10;

    private static readonly MetricCard Learning = new("episode_ms", "time of a task", "ms", Better.Lower, "milliseconds to learn from a task, the mean of all learned from; 0 where none is"),
        Adapting = new("adapt_ms", "time to adapt", "ms", Better.Lower, "milliseconds to adapt to a new task and answer it, 50 at once");

    public static IReadOnlyList<MetricCard> OfNumbers { get; } =
    [
        new("mse", "squared error", "score", Better.Lower, "mean over new tasks and their query rows of (answer − number)²"),
        new("nll", "surprise", "nats", Better.Lower, "mean of −log of the mean over samples of N(number; output, σ²)"),
        new("calibration", "calibration error", "fraction", Better.Lower, "mean over shares of 0.1 to 0.9 of |share of numbers at or below the answers' quantile of it − it|"),
        Learning,
        Adapting,
    ];

    public static IReadOnlyList<MetricCard> OfClasses { get; } =
    [
        new("accuracy", "right answers", "fraction", Better.Higher, "share of the query rows of new tasks whose likeliest class is theirs"),
        new("nll", "surprise", "nats", Better.Lower, "mean of −log of the true class's probability, the mean over samples"),
        new("ece", "calibration error", "fraction", Better.Lower, "mean over 10 bins of the largest probability, by their share of rows, of |right answers − that probability|"),
        Learning,
        Adapting,
    ];

    public static IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("by-shots", FigureKind.Lines, "Error by rows shown", "error-by-shots", "rows of a task, or a class, that are adapted to", "squared error, or share of wrong answers", "What a method knows before it sees a row, and how fast a row helps."),
        new("reliability", FigureKind.Bars, "Right answers by confidence", "reliability", "largest probability", "share of right answers", "A method that knows what it does not know has bars as high as their probabilities."),
    ];

    /// <summary>Learns, adapts and counts.</summary>
    public static TrialResult Run(KernelTrial trial, EpisodeOptions options, EpisodeProblem problem)
    {
        var context = trial.Context;
        context.Progress(0.05, "learning from tasks");
        var (method, stream) = ((IMetaLearner)trial.Method(), problem.Stream);
        using var adapter = trial.Timed(() => method.Learn(stream, context.Cancellation), out double learned);
        foreach (var (name, value) in adapter.Report)
            context.Metric($"report/{name}", value, 1);
        if (adapter.Report.GetValueOrDefault("capped") > 0.5)
            context.Log("More than half of the precisions are at their cap: the steps on a task may diverge. Take a smaller inner_rate, or a larger cap.");
        context.Progress(0.8, "adapting to new tasks");
        var counts = problem.Support.Select(_ => new Count(stream)).ToArray();
        double adapted = 0;
        for (int first = 0; first < options.Test; first += Together)
        {
            using var scope = NewDisposeScope();
            var tasks = problem.New(Math.Min(Together, options.Test - first));
            foreach (var (count, (_, rows)) in counts.Zip(problem.Support))
            {
                var some = rows.Length == tasks.SupportX.shape[1] ? tasks : tasks.With(rows);
                count.Add(trial.Timed(() => adapter.Answer(some, context.Cancellation), out double took), tasks.QueryY);
                adapted += count == counts[^1] ? took : 0;
            }
        }
        foreach (var (count, (shots, _)) in counts.Zip(problem.Support))
            context.Metric("error-by-shots", count.Error, shots);
        counts[^1].Reliability((bin, share) => context.Metric($"reliability/{bin}", share, 1));
        var metrics = counts[^1].Metrics();
        metrics["episode_ms"] = stream.Drawn == 0 ? 0 : learned / stream.Drawn;
        metrics["adapt_ms"] = adapted / options.Test;
        return new(metrics);
    }

    /// <summary>Learns from tasks of a file and answers a row of another.</summary>
    public static string Program(Trial trial, string version, bool numbers) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.csv: {{(numbers ? "the label of a row is its task, its last number what is asked for; the last task is new" : "learns from all classes but the last three, which are told apart by a few rows")}}
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            const int Shots = {{(numbers ? 5 : 1)}}, Queries = 5;
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            var random = new SeededRandom(1, "tasks");
            {{(numbers ? "const int Ways = 1;" : "const int Ways = 3;")}}
            int[][] groups = Enumerable.Range(0, data.LabelNames.Count).Select(g => Enumerable.Range(0, data.Count).Where(i => data.Labels[i] == g).ToArray()).ToArray();
            var scale = Standardiser.Fit(data, groups[..^Ways].SelectMany(g => g).ToArray());
            var network = new EpisodeNetwork({{(numbers ? "data.Width - 1" : "data.Width")}}, [40, 40], Ways);
            var stream = new EpisodeStream(network, tasks => Draw(tasks, groups[..^Ways]), noise: {{(numbers ? "0.1" : "0")}});
            var method = (IMetaLearner){{KeptProgram.Method(trial)}};
            using var adapter = method.Learn(stream);
            var asked = Draw(1, groups[^Ways..]);
            using var answers = adapter.Answer(asked);
            {{(numbers
            ? "Console.WriteLine($\"mean squared error {(answers.mean([0]) - asked.QueryY).square().mean().item<double>():G3}, numbers scaled to deviation 1\");"
            : "Console.WriteLine($\"{answers.softmax(3).mean([0]).argmax(2).eq(asked.QueryY.argmax(2)).sum().item<long>()} of {Ways * Queries} right\");")}}

            Episodes Draw(int tasks, int[][] from)
            {
                var parts = new List<double>[] { [], [], [], [] };
                for (int t = 0; t < tasks; t++)
                {
                    int[][] some = from.OrderBy(_ => random.NextDouble()).Take(Ways).Select(g => g.OrderBy(_ => random.NextDouble()).Take(Shots + Queries).ToArray()).ToArray();
                    for (int way = 0; way < Ways; way++)
                        for (int i = 0; i < Shots + Queries; i++)
                        {
                            var row = new float[data.Width];
                            data.CopyRows([some[way][i]], row);
                            scale.Apply(row);
                            parts[i < Shots ? 0 : 2].AddRange({{(numbers ? "row[..^1]" : "row")}}.Select(v => (double)v));
                            parts[i < Shots ? 1 : 3].AddRange({{(numbers ? "[row[^1]]" : "Enumerable.Range(0, Ways).Select(w => w == way ? 1.0 : 0)")}});
                        }
                }
                Tensor Of(int part, int rows) => tensor(parts[part].ToArray(), new long[] { tasks, Ways * rows, parts[part].Count / (tasks * Ways * rows) });
                return new(Of(0, Shots), Of(1, Shots), Of(2, Queries), Of(3, Queries));
            }

            """;

    /// <summary>What answers are counted by.</summary>
    private sealed class Count(EpisodeStream stream)
    {
        private readonly double[] _confidence = new double[Bins], _right = new double[Bins], _rows = new double[Bins], _below = new double[Bins - 1];
        private double _squares, _surprise, _all;

        /// <summary>Squared error, or share of wrong answers.</summary>
        public double Error => stream.Classes ? 1 - _right.Sum() / _all : _squares / _all;

        /// <summary>Counts answers [samples, tasks, n, outputs] to what is asked [tasks, n, outputs].</summary>
        public void Add(Tensor answers, Tensor asked)
        {
            using var scope = NewDisposeScope();
            if (!answers.isfinite().all().item<bool>())
                throw new InvalidOperationException("A method gave answers that are no numbers.");
            _all += asked.shape[0] * asked.shape[1];
            double samples = Math.Log(answers.shape[0]);
            if (stream.Classes)
            {
                var logs = nn.functional.log_softmax(answers, 3).logsumexp(0) - samples;
                _surprise -= (logs * asked).sum().item<double>();
                var (most, answer) = logs.exp().max(2);
                double[] confidence = most.flatten().data<double>().ToArray();
                bool[] right = answer.eq(asked.argmax(2)).flatten().data<bool>().ToArray();
                for (int i = 0; i < confidence.Length; i++)
                {
                    int bin = Math.Min((int)(confidence[i] * Bins), Bins - 1);
                    _confidence[bin] += confidence[i];
                    _right[bin] += right[i] ? 1 : 0;
                    _rows[bin]++;
                }
                return;
            }
            double variance = stream.Noise * stream.Noise;
            _squares += (answers.mean([0]) - asked).square().sum().item<double>();
            _surprise -= (((answers - asked).square() / (-2 * variance)).logsumexp(0) - samples - Math.Log(2 * Math.PI * variance) / 2).sum().item<double>();
            // where a number stands among the answers: the share of their mixture that is below it
            var place = ((1 + ((asked - answers) / (stream.Noise * Math.Sqrt(2))).erf()) / 2).mean([0]);
            for (int b = 1; b < Bins; b++)
                _below[b - 1] += (place <= (double)b / Bins).sum().item<long>();
        }

        /// <summary>The share of right answers of each bin that has a row.</summary>
        public void Reliability(Action<string, double> tell)
        {
            for (int b = 0; b < Bins; b++)
                if (_rows[b] > 0)
                    tell(FormattableString.Invariant($"{(b + 0.5) / Bins:F2}"), _right[b] / _rows[b]);
        }

        public Dictionary<string, double> Metrics() => stream.Classes
            ? new() { ["accuracy"] = 1 - Error, ["nll"] = _surprise / _all, ["ece"] = _confidence.Zip(_right, (c, r) => Math.Abs(c - r)).Sum() / _all }
            : new() { ["mse"] = Error, ["nll"] = _surprise / _all, ["calibration"] = _below.Select((b, i) => Math.Abs(b / _all - (i + 1.0) / Bins)).Average() };
    }
}
