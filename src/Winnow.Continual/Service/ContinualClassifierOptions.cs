using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>What a <see cref="ContinualClassifier"/> is, declared before its first row. Nothing of it changes later.</summary>
public sealed record ContinualClassifierOptions
{
    /// <summary>Values of a row: <c>[width]</c>, or <c>[channels, height, width]</c> for images.</summary>
    [Description("values of a row: its width, or channels, height and width of an image")]
    public required IReadOnlyList<int> Shape { get; init; }

    /// <summary>A method of the catalogue with its options, as on the command line: <c>er:buffer-size=500</c>.</summary>
    [Description("method of the catalogue with its options, as on the command line, e.g. er:buffer-size=500")]
    public string Method { get; init; } = "er:buffer-size=500";

    /// <summary>The most classes there will ever be; the network's head has that many outputs from the start.</summary>
    [Range(2, 100_000), Description("most classes there will ever be")]
    public int MaxClasses { get; init; } = 64;

    /// <summary>The most tasks that <see cref="ContinualClassifier.LearnTask(ReadOnlySpan{float}, IReadOnlyList{string})"/> will be given; some methods keep something for each.</summary>
    [Range(1, 10_000), Description("most tasks with announced boundaries; some methods keep something for each")]
    public int MaxTasks { get; init; } = 20;

    /// <summary>Network.</summary>
    [Description("network that is trained; cnn needs images")]
    public ModelKind Model { get; init; } = ModelKind.Mlp;

    /// <summary>Units of each of the two hidden layers of the MLP.</summary>
    [Range(1, 4096), Description("units of each of the two hidden layers of the mlp")]
    public int Hidden { get; init; } = 100;

    /// <summary>Batch normalisation; off by default, because updates may be of a single row.</summary>
    [Description("batch normalisation after every hidden layer; not for updates of single rows")]
    public bool BatchNorm { get; init; }

    /// <summary>SGD step size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of SGD")]
    public double LearningRate { get; init; } = 0.05;

    /// <summary>SGD momentum.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of SGD")]
    public double Momentum { get; init; }

    /// <summary>Rows of a mini-batch at most: a larger update is cut into several.</summary>
    [Range(1, 4096), Description("rows of a mini-batch at most: a larger update is cut into several")]
    public int BatchSize { get; init; } = 16;

    /// <summary>Passes over the rows of a task with announced boundaries.</summary>
    [Range(1, 1000), Description("passes over the rows of a task with announced boundaries")]
    public int Epochs { get; init; } = 5;

    /// <summary>Mini-batches that methods with a schedule plan for; more may come.</summary>
    [Range(1, long.MaxValue), Description("mini-batches that methods with a schedule plan for; more may come")]
    public long PlannedUpdates { get; init; } = 100_000;

    /// <summary>
    /// The most bytes that all a learner remembers may take: weights, stored rows, statistics. The size is fixed by the other options, is
    /// checked before the first row and never grows; a second copy of the same size serves predictions.
    /// </summary>
    [Range(1, long.MaxValue), Description("most bytes that all it remembers may take, checked before the first row")]
    public long MemoryLimit { get; init; } = 256L << 20;

    /// <summary>Whether the loss on arriving rows is watched for jumps; costs a forward pass over each row.</summary>
    [Description("watch the loss on arriving rows for jumps; costs a forward pass over each row")]
    public bool DetectBoundaries { get; init; } = true;

    /// <summary>Weights and every random choice derive from it.</summary>
    [Description("weights and every random choice derive from it")]
    public ulong Seed { get; init; } = 1;
}

/// <summary>What one call of <c>Learn</c> did.</summary>
/// <param name="Rows">Rows learned.</param>
/// <param name="Loss">Mean training loss of the last mini-batch; NaN where the method has none.</param>
/// <param name="Accuracy">Share of the rows that were predicted rightly just before they were learned; NaN when boundaries are not watched.</param>
public readonly record struct LearnReport(int Rows, double Loss, double Accuracy);

/// <summary>Why a boundary is thought to lie before some rows.</summary>
public enum BoundaryKind
{
    /// <summary>A class was seen for the first time.</summary>
    NewClass,

    /// <summary>The loss on arriving rows jumped: what is asked has drifted, or another task has begun.</summary>
    LossJump,
}

/// <summary>A boundary of the stream, as an event.</summary>
/// <param name="Kind">Why.</param>
/// <param name="Update">Mini-batches learned before the one that showed it.</param>
/// <param name="Loss">Smoothed loss before learning, NaN for a new class.</param>
/// <param name="Threshold">The loss above which a jump is called, NaN for a new class.</param>
/// <param name="Label">The new class, or null.</param>
public sealed record BoundaryEvent(BoundaryKind Kind, long Update, double Loss, double Threshold, string? Label);
