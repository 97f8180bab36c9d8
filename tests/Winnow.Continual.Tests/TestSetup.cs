using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

/// <summary>Tiny generated data: images of 1x4x4 bytes, one blurred template a class, so that every task and model can run on them.</summary>
internal static class TestData
{
    public const int Width = 16;

    /// <summary>Images whose classes overlap a little; the same seed gives the same images.</summary>
    public static LabelledData Images(int classes = 4, int rowsPerClass = 24, ulong seed = 1, double noise = 40)
    {
        var random = new SeededRandom(seed, "images");
        byte[][] templates = [.. Enumerable.Range(0, classes).Select(_ => Enumerable.Range(0, Width).Select(_ => (byte)random.Next(40, 216)).ToArray())];
        int[] labels = [.. Enumerable.Range(0, classes * rowsPerClass).Select(i => i % classes)];
        byte[] pixels = [.. labels.SelectMany(y => templates[y].Select(v => (byte)Math.Clamp(v + noise * random.NextNormal(), 0, 255)).ToArray())];
        return LabelledData.FromImages("blobs", pixels, [1, 4, 4], labels, [.. Enumerable.Range(0, classes).Select(c => $"c{c}")]);
    }

    /// <summary>A table of two domains, the second half as large as the first and without its last class.</summary>
    public static LabelledData Drifting(int classes = 4, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "drifting");
        int[] domains = [.. Enumerable.Range(0, 18 * classes).Select(i => i % 3 / 2)];
        int[] labels = [.. domains.Select((d, i) => i / 3 % (classes - d))];
        float[] values = [.. labels.SelectMany((y, i) => Enumerable.Range(0, Width).Select(j => (float)(random.NextNormal() + (j % classes == y ? 3 : 0) + 2 * domains[i])))];
        return LabelledData.FromTable("shops", values, Width, labels, [.. Enumerable.Range(0, classes).Select(c => $"c{c}")], Domains.Named(["north", "south"], domains));
    }

    /// <summary>Normal rows [n, width] with uniform labels; the current dispose scope owns them.</summary>
    public static Batch Rows(int count, int width = Width, int classes = 4, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "rows");
        float[] values = [.. Enumerable.Range(0, count * width).Select(_ => (float)random.NextNormal())];
        long[] labels = [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(classes))];
        return new(tensor(values).reshape(count, width), tensor(labels));
    }
}

/// <summary>
/// A task of the arena on <see cref="TestData.Images"/> (or other data), prepared exactly as a trial prepares it; small and fast by default:
/// 4 classes in two tasks (three with a pre-trained encoder), two epochs in batches of 8, 12 hidden units.
/// </summary>
internal sealed class SmallStream : IDisposable
{
    private readonly List<TrialEvent> _events = [];

    public SmallStream(string task = "class-incremental", Func<StreamOptions, StreamOptions>? options = null, LabelledData? data = null, ulong seed = 1, CancellationToken? cancellation = null)
    {
        Task = new ContinualArena().Task(task);
        Context = new(seed, "unused", _events.Add, cancellation ?? TestContext.Current.CancellationToken);
        Options = Task.Options.Bind([], "task") as StreamOptions ?? new();
        Options = Options with { Epochs = Math.Min(2, Options.Epochs), BatchSize = 8, Hidden = 12 };
        Options = Options is PretrainedOptions pretrained ? pretrained with { BaseEpochs = 3 } : Options with { Steps = 2 };
        Options = Options is ReturningOptions returning ? returning with { Returns = 1 } : Options;
        Options = options?.Invoke(Options) ?? Options;
        Data = data ?? (task == "drift" ? TestData.Drifting() : TestData.Images());
        Prepared = PreparedStream.Make(Data, task, task == "video" ? SmallVideos : Options, Context);
    }

    /// <summary>Two videos of six frames of 8x8 pixels.</summary>
    public static VideoOptions SmallVideos { get; } = new() { Sessions = 2, Frames = 6, Size = 8, Epochs = 2, BatchSize = 3 };

    /// <summary>A task of the arena that a method can run on, the richest first.</summary>
    public static string TaskFor(string method)
    {
        var arena = new ContinualArena();
        return arena.Tasks.Select(t => t.Id).OrderBy(t => t != "pretrained").First(t => arena.Method(method).Refusal(arena.Task(t)) is null);
    }

    public TaskCard Task { get; }

    public StreamOptions Options { get; }

    public LabelledData Data { get; }

    public TrialContext Context { get; }

    public PreparedStream Prepared { get; }

    /// <summary>What every method is built from.</summary>
    public LearnerSetup Setup => Prepared.Setup;

    public IReadOnlyList<StreamTask> Tasks => Prepared.Stream.Tasks;

    /// <summary>What the protocol recorded.</summary>
    public IReadOnlyList<TrialEvent> Events => _events;

    /// <summary>Values of an answer: logits of all classes, or a frame.</summary>
    public int Answers => Setup.Frame?.Aggregate(1, (a, b) => a * b) ?? Setup.Classes;

    /// <summary>Rows that any learner of the stream can be asked about or taught; the current dispose scope owns them.</summary>
    public Batch Rows(int count)
    {
        if (Setup.Frame is null)
            return TestData.Rows(count);
        var (x, y, _) = Tasks[0].Train();
        using (x)
        using (y)
            return new(x.narrow(0, 0, Math.Min(count, x.shape[0])).clone(), y.narrow(0, 0, Math.Min(count, x.shape[0])).clone());
    }

    /// <summary>Runs the whole protocol; the learner stays the caller's.</summary>
    public IReadOnlyDictionary<string, double> Run(IContinualLearner learner) => Protocol.Run(learner, Prepared, Context).Metrics;

    /// <summary>Trains on one task as the protocol does, without tests.</summary>
    public StepReport Train(IContinualLearner learner, int task, SeededRandom order)
    {
        using var scope = NewDisposeScope();
        var info = Tasks[task].Info;
        var train = Tasks[task].Train();
        var cost = StepReport.None;
        if (Prepared.Rules.Boundaries)
            learner.BeginTask(info, train);
        for (int epoch = 0; epoch < Setup.Training.Epochs; epoch++)
            foreach (long[] batch in ContinualStream.MiniBatches(train.Count, Setup.Training.BatchSize, order))
                cost += learner.Observe((train with { FirstPass = epoch == 0 }).Rows(tensor(batch)));
        if (Prepared.Rules.Boundaries)
            cost += learner.EndTask(info, train);
        train.X.Dispose();
        train.Y.Dispose();
        return cost;
    }

    /// <summary>Trains on all tasks in order.</summary>
    public StepReport Train(IContinualLearner learner)
    {
        var order = Context.Random("batches");
        return Tasks.Aggregate(StepReport.None, (cost, task) => cost + Train(learner, task.Info.Id, order));
    }

    public void Dispose() => Prepared.Dispose();
}
