using System.ComponentModel;
using System.Globalization;
using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Reports.Tests;

public sealed record BufferOptions
{
    [Description("rows kept")]
    public int BufferSize { get; init; } = 100;

    [Description("weight of the replayed rows")]
    public double Weight { get; init; } = 0.5;
}

public sealed record StepOptions
{
    [Description("tasks in the stream")]
    public int Tasks { get; init; } = 5;
}

/// <summary>An arena like the one of continual learning, whose trials are made up.</summary>
public sealed class SyntheticArena : Arena<TrialContext, Func<TrialResult>>
{
    public SyntheticArena()
    {
        Method(MethodKind.Baseline, "naive", "Sequential fine-tuning", [Comparison.LowerBound]);
        Method(MethodKind.Baseline, "joint", "Joint training", [Comparison.UpperBound]);
        foreach (var (id, title) in ((string, string)[])[("er", "Experience replay"), ("derpp", "Dark experience replay++"), ("agem", "Averaged gradient episodic memory"), ("ewc", "Online elastic weight consolidation"),
            ("si", "Synaptic intelligence"), ("lwf", "Learning without forgetting"), ("gdumb", "Greedy sampler, dumb learner"), ("ncm", "Nearest class mean"), ("slda", "Streaming linear discriminant analysis")])
            Method(MethodKind.Baseline, id, title, ["replay"]);
        Method(MethodKind.Seed, "fpf", "Forgetting-prioritised finetuning", []);
        Method(MethodKind.Seed, "slca", "Slow learner with classifier alignment", []);
    }

    public override string Id => "continual";

    public override string Question => "How much of what was learned first is still known after learning the rest?";

    public override IReadOnlyList<TaskCard> Tasks { get; } =
    [
        new("class-incremental", "Class-incremental", "New classes arrive task by task; at the end every test row is classified among all classes.", OptionsSchema.Of<StepOptions>(), []),
        new("permuted", "Permuted inputs", "Every task shuffles the inputs anew.", OptionsSchema.Of<StepOptions>(), []),
    ];

    public override IReadOnlyList<MetricCard> Metrics { get; } =
    [
        new("accuracy", "accuracy", "fraction", Better.Higher, "ACC = (1/T) Σ_j R[T, j]"),
        new("incremental", "incremental", "fraction", Better.Higher, "AIA = (1/T) Σ_i (1/i) Σ_{j≤i} R[i, j]"),
        new("forgetting", "forgetting", "fraction", Better.Lower, "F = (1/(T−1)) Σ_{j<T} (max_i R[i, j] − R[T, j])"),
        new("plasticity", "learned", "fraction", Better.Higher, "LA = (1/T) Σ_j R[j, j]"),
        new("model_bytes", "model", "bytes", Better.Lower, "bytes of weights at the end"),
        new("memory_bytes", "memory", "bytes", Better.Lower, "bytes of everything else at the end"),
        new("sample_gradients", "gradients", "rows", Better.Lower, "rows passed backward"),
    ];

    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("accuracy", FigureKind.Lines, "Accuracy as tasks arrive", "accuracy", "tasks seen", "accuracy over the tasks seen", "A method that forgets falls; the band is the 95% interval over seeds."),
        new("matrix", FigureKind.Heatmap, "What is known of each task, and when", "R", "tested on task", "after training on task", "Read a column downwards: how a task's accuracy fades."),
        new("plane", FigureKind.Plane, "Stability and plasticity", "plasticity", "forgetting: stable to the right", "accuracy just after learning", "Better is up and to the right.") { Across = "forgetting" },
        new("sensitivity", FigureKind.Bars, "Which modules change at task boundaries", "sensitivity", "module", "change at boundaries / mean change", "The modules with tall bars are those that forget."),
    ];

    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();

    public override string Program(Trial trial, string version) => throw new NotSupportedException();

    public override TrialResult Run(Trial trial, TrialContext context) => throw new NotSupportedException();

    private void Method(MethodKind kind, string id, string title, string[] tags) =>
        Add<BufferOptions>(kind, id, title, $"Author and Author, {title}, Conference", 2020, $"What {title} does for you in one sentence.", (_, _) => throw new NotSupportedException(),
            kind == MethodKind.Seed ? [new Claim { Text = "Raises accuracy by 2 points over replay at a tenth of the cost.", Task = "class-incremental", Metric = "accuracy", Baseline = "er", Margin = 0.01 }] : null, tags: tags);
}

/// <summary>Made-up results that look like real ones.</summary>
public static class SyntheticStudy
{
    private static readonly (string Id, double End, double Noise, double Memory, double Cpu)[] Levels =
    [
        ("naive", 0.196, 0.004, 108e6, 2.9), ("joint", 0.978, 0.004, 118e6, 9.8), ("er", 0.918, 0.008, 113e6, 5.1), ("derpp", 0.931, 0.007, 116e6, 7.4), ("agem", 0.42, 0.05, 111e6, 6.2), ("ewc", 0.21, 0.015, 112e6, 4.4),
        ("si", 0.205, 0.01, 111e6, 4.0), ("lwf", 0.38, 0.03, 110e6, 4.9), ("gdumb", 0.861, 0.015, 107e6, 1.9), ("ncm", 0.885, 0.0, 104e6, 1.2), ("slda", 0.936, 0.0, 105e6, 1.4), ("fpf", 0.951, 0.006, 114e6, 5.6), ("slca", 0.926, 0.008, 117e6, 6.1),
    ];

    public static StudyInfo Info { get; } = new("continual-class-incremental", "/home/someone/winnow-runs/continual-class-incremental-1f2e3d",
        new(new("digits", new string('a', 64), new()), "Optical digits", "1,797 rows of 8×8 pixels, 10 classes of 174 to 183 rows", "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0"),
        new("A Processor @ 2.50GHz", 2, 8_000_000_000, "Debian GNU/Linux 12", ".NET 10.0.1", "AVX2"), "0123456789abcdef0123456789abcdef01234567",
        new Dictionary<string, string> { ["winnow"] = "0.1.0", ["libtorch"] = "2.10.0", [".NET"] = "10.0.1" }, "winnow compare continual --seeds 5",
        new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));

    public static Comparison Comparison(int seeds = 5, int steps = 5, int extra = 0, bool withFailure = true, params string[] tasks) =>
        Reports.Comparison.Of(Info, new SyntheticArena(), StudyRow.Of(new SyntheticArena(), Trials(seeds, steps, extra, withFailure, tasks.Length == 0 ? ["class-incremental"] : tasks)));

    /// <summary>Trials of 13 methods and of that many further buffer sizes of replay.</summary>
    public static IEnumerable<FinishedTrial> Trials(int seeds, int steps, int extra, bool withFailure, params string[] tasks)
    {
        var arena = new SyntheticArena();
        foreach (string task in tasks)
            foreach (var level in Levels.Concat(Enumerable.Range(1, extra).Select(i => ("er", 0.5 + 0.02 * i, 0.01, (113 + i) * 1e6, 5.0 + i))))
                for (ulong seed = 1; seed <= (ulong)seeds; seed++)
                {
                    int buffer = level.Item4 == 113e6 || level.Item1 != "er" ? 100 : (int)(level.Item4 / 1e6);
                    var random = new SeededRandom(seed, $"{task}/{level.Item1}/{buffer}");
                    var trial = Trial(arena, task, level.Item1, seed, new() { ["buffer-size"] = buffer });
                    yield return new(trial, withFailure && level.Item1 == "lwf" && seed == 3 ? Failed() : Finished(level, steps, random));
                }
    }

    public static Trial Trial(IArena arena, string task, string method, ulong seed, JsonObject? options = null)
    {
        var (card, taskCard) = (arena.Method(method), arena.Task(task));
        return new(arena.Id, task, taskCard.Options.Canonical(taskCard.Options.Bind([], "task")), method, card.Options.Canonical(card.Options.Bind(options ?? [], method)), seed, Info.Data.Reference, "code", 1);
    }

    public static TrialOutcome Outcome(double value, long memory = 100_000_000, double cpu = 1) =>
        new(null, new Dictionary<string, double> { ["accuracy"] = value }, new Dictionary<string, double>(), [], [], new(memory, cpu, cpu));

    private static TrialOutcome Failed() => new("over its time limit: 60.2 s used, 60.0 s allowed", new Dictionary<string, double>(), new Dictionary<string, double>(), [], [], new(120_000_000, 60, 60.2));

    private static TrialOutcome Finished((string Id, double End, double Noise, double Memory, double Cpu) level, int steps, SeededRandom random)
    {
        double Noise(double scale) => scale * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2;
        var series = new List<MetricEvent>();
        double end = level.End + Noise(level.Noise), sum = 0;
        for (int i = 1; i <= steps; i++)
        {
            double seen = 0.995 - (0.995 - end) * Math.Pow((i - 1.0) / Math.Max(1, steps - 1), 0.8) + (i < steps ? Noise(level.Noise + 0.002) : 0);
            sum += seen = Math.Clamp(seen, 0, 1);
            series.Add(new("accuracy", seen, i));
            for (int j = 1; j <= steps; j++)
                series.Add(new(string.Create(CultureInfo.InvariantCulture, $"R/{j}"), j > i ? 0 : Math.Clamp(j == i ? 0.99 + Noise(0.005) : seen - 0.02 * (i - j) + Noise(level.Noise), 0, 1), i));
        }
        if (level.Id == "fpf")
            foreach (var (module, value) in ((string, double)[])[("linear1.weight", 0.7), ("linear1.bias", 0.9), ("norm1", 1.4), ("linear2.weight", 1.1), ("head.weight", 3.1), ("head.bias", 2.2)])
                for (int i = 1; i < steps; i++)
                    series.Add(new($"sensitivity/{module}", value + Noise(0.15), i));
        var metrics = new Dictionary<string, double>
        {
            ["accuracy"] = end,
            ["incremental"] = sum / steps,
            ["forgetting"] = Math.Max(0, 0.985 - end),
            ["plasticity"] = 0.985,
            ["model_bytes"] = 39_208,
            ["memory_bytes"] = level.Id is "naive" or "joint" ? 0 : 25_600 + level.Memory / 1e4,
            ["sample_gradients"] = level.Cpu * 4000,
        };
        return new(null, metrics, new Dictionary<string, double> { ["replayed_rows"] = 4000 }, series, [], new((long)(level.Memory + Noise(1e6)), level.Cpu + Math.Abs(Noise(0.2)), level.Cpu * 1.1));
    }
}
