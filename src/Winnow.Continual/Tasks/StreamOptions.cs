using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>The network that is trained.</summary>
public enum ModelKind
{
    /// <summary>Fully connected, two hidden layers.</summary>
    Mlp,

    /// <summary>A small convolutional network; images only.</summary>
    Cnn,
}

/// <summary>Options of a stream. Defaults are those of split digits.</summary>
public record StreamOptions
{
    /// <summary>Number of tasks.</summary>
    [Range(1, 100), Description("tasks in the stream; by default the largest of 5, 4, 3, 2 that divides the classes evenly")]
    public virtual int? Steps { get; init; }

    /// <summary>Network.</summary>
    [Description("network that is trained; cnn needs images")]
    public ModelKind Model { get; init; } = ModelKind.Mlp;

    /// <summary>Width of the hidden layers of the MLP.</summary>
    [Range(1, 4096), Description("units of each of the two hidden layers of the mlp")]
    public int Hidden { get; init; } = 100;

    /// <summary>Batch normalisation.</summary>
    [Description("batch normalisation after every hidden layer")]
    public bool BatchNorm { get; init; } = true;

    /// <summary>Passes over each task.</summary>
    [Range(1, 1000), Description("passes over each task's training rows")]
    public int Epochs { get; init; } = 5;

    /// <summary>Rows of a mini-batch.</summary>
    [Range(2, 4096), Description("rows of a mini-batch")]
    public int BatchSize { get; init; } = 16;

    /// <summary>SGD step size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of SGD")]
    public double LearningRate { get; init; } = 0.1;

    /// <summary>SGD momentum.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of SGD")]
    public double Momentum { get; init; }

    /// <summary>Share of each class held out for testing.</summary>
    [Range(0.05, 0.9), Description("share of each class held out for testing, where the data brings no split of its own")]
    public double TestFraction { get; init; } = 0.25;
}

/// <summary>Options of the online stream: one pass in small batches.</summary>
public record OnlineOptions : StreamOptions
{
    /// <summary>One pass in batches of ten.</summary>
    public OnlineOptions() => (Epochs, BatchSize) = (1, 10);

    /// <summary>How much longer one task is than the others.</summary>
    [Range(1.0, 1000.0), Description("how many times as many training rows of a class one task, drawn at random, has as the others, which keep fewer of theirs")]
    public double Imbalance { get; init; } = 1;
}

/// <summary>Options of the stream with blurry boundaries.</summary>
public sealed record BlurryOptions : OnlineOptions
{
    /// <summary>How far classes overlap in time.</summary>
    [Range(0.0, 1.0), Description("how far tasks reach into each other: standard deviation of a row's arrival time, in task lengths")]
    public double Blur { get; init; } = 0.3;
}

/// <summary>Options of the rotated stream.</summary>
public sealed record RotatedOptions : DomainOptions
{
    /// <summary>Angle of the last task.</summary>
    [Range(0.0, 360.0), Description("angle of the last task in degrees; the tasks before it are spread evenly from 0")]
    public double MaxAngle { get; init; } = 144;
}

/// <summary>Options of the stream with a pre-trained encoder.</summary>
public record PretrainedOptions : StreamOptions
{
    /// <summary>Classes of the first task.</summary>
    [Range(2, 10_000), Description("classes of the first task, on which the encoder is trained before the stream starts; by default four tenths of all, six tenths in few-shot")]
    public int? BaseClasses { get; init; }

    /// <summary>Whether the encoder's classes are part of the stream.</summary>
    [Description("true: the base classes are the stream's first task and are tested; false: they only serve to train the encoder and never appear again")]
    public bool BaseInStream { get; init; } = true;

    /// <summary>Features the encoder gives.</summary>
    [Range(1, 4096), Description("units of the mlp's second hidden layer: the features that the encoder gives; by default as many as the first has")]
    public int? Features { get; init; }

    /// <summary>Passes of the encoder's training.</summary>
    [Range(1, 1000), Description("passes over the base classes when the encoder is trained")]
    public int BaseEpochs { get; init; } = 30;

    /// <summary>SGD step size of the encoder's training.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of SGD, with momentum 0.9, when the encoder is trained")]
    public double BaseLearningRate { get; init; } = 0.01;
}

/// <summary>Options of the few-shot stream: many rows of the base classes, then sessions of N classes with K rows each.</summary>
public sealed record FewShotOptions : PretrainedOptions
{
    /// <summary>Classes N of a session.</summary>
    [Range(1, 1000), Description("classes that each session after the first brings (N-way)")]
    public int Ways { get; init; } = 1;

    /// <summary>Training rows K of each of them.</summary>
    [Range(1, 100_000), Description("training rows of each class of a session after the first (K-shot)")]
    public int Shots { get; init; } = 5;
}

/// <summary>Options of a domain-incremental stream: five tasks, no batch normalisation (its statistics would mix the domains).</summary>
public record DomainOptions : StreamOptions
{
    /// <summary>Five tasks without batch normalisation.</summary>
    public DomainOptions() => (Steps, BatchNorm) = (5, false);
}

/// <summary>Options of the stream of the data's own domains.</summary>
public sealed record DriftOptions : DomainOptions
{
    /// <summary>As many tasks as there are domains.</summary>
    public DriftOptions() => Steps = null;

    /// <summary>Number of tasks.</summary>
    [Range(1, 100), Description("tasks in the stream: so many of the named domains, by default all; an order, such as a time, is cut into so many parts, by default 5")]
    public override int? Steps { get; init; }
}

/// <summary>Which classes may come in which half of a recurring stream.</summary>
public enum StreamHalves
{
    /// <summary>All classes in both.</summary>
    All,

    /// <summary>All classes in the first, half of them in the second.</summary>
    Forgetting,

    /// <summary>One half of the classes in the first, the other in the second.</summary>
    Incremental,
}

/// <summary>Options of the recurring stream: hundreds of short tasks of a few classes that come back, one pass each, no batch normalisation.</summary>
public sealed record RecurringOptions : StreamOptions
{
    /// <summary>300 tasks, one pass in batches of 20, step size 0.05, no batch normalisation.</summary>
    public RecurringOptions() => (Steps, Epochs, BatchSize, LearningRate, BatchNorm) = (300, 1, 20, 0.05, false);

    /// <summary>Number of tasks.</summary>
    [Range(1, 10_000), Description("tasks in the stream")]
    public override int? Steps { get; init; }

    /// <summary>Classes C of a task.</summary>
    [Range(1, 10_000), Description("classes of a task, drawn anew for each")]
    public int ClassesPerTask { get; init; } = 2;

    /// <summary>Exponent e of the class probabilities.</summary>
    [Range(0.0, 100.0), Description("exponent e of the probabilities (1 - 0.05 i)^e of the classes (0.01 with 100 classes): 0 is uniform")]
    public double EntropyDecrease { get; init; }

    /// <summary>Share of the combinations of classes that may come.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of all combinations of classes from which the tasks are drawn")]
    public double PairsFraction { get; init; } = 1;

    /// <summary>A fixed order instead of random draws.</summary>
    [Description("the classes come in a fixed order, over and over, instead of at random")]
    public bool Cyclic { get; init; }

    /// <summary>How often a class of the fixed order is replaced.</summary>
    [Range(0.0, 1.0), Description("cyclic: probability with which a class of a task is replaced by a random other one")]
    public double Replacement { get; init; }

    /// <summary>What the probability of a class just seen is divided by.</summary>
    [Range(1.0, 1000.0), Description("what a class's probability is divided by each time it has come")]
    public double ProbReduction { get; init; } = 1;

    /// <summary>Whether the halves of the stream differ.</summary>
    [Description("all: every class may come at any time; forgetting: only half of the classes in the second half of the stream; incremental: a half of the classes in each half")]
    public StreamHalves Halves { get; init; } = StreamHalves.All;

    /// <summary>Share of the rows that a task shows.</summary>
    [Range(0.01, 1.0), Description("share of its classes' training rows that a task shows, drawn anew for each; the paper holds a tenth out for validation")]
    public double RowsShare { get; init; } = 0.9;

    /// <summary>Disturbance of the inputs.</summary>
    [Range(0.0, 100.0), Description("deviation of a pattern that each task adds to all its training inputs, in standard deviations of an input; 0 for none")]
    public double Severity { get; init; }

    /// <summary>Tasks between two tests.</summary>
    [Range(1, 10_000), Description("tests are run after every so many tasks, and after the last")]
    public int EvaluateEvery { get; init; } = 5;
}

/// <summary>Options of the returning stream: permuted inputs, some permutations come back, nobody announces it.</summary>
public sealed record ReturningOptions : DomainOptions
{
    /// <summary>Four permutations.</summary>
    public ReturningOptions() => Steps = 4;

    /// <summary>Number of permutations.</summary>
    [Range(1, 100), Description("different permutations in the stream; the first is none")]
    public override int? Steps { get; init; }

    /// <summary>Segments in which an earlier permutation comes back.</summary>
    [Range(0, 1000), Description("segments in which an earlier permutation comes back, beside those in which a new one comes")]
    public int Returns { get; init; } = 3;
}
