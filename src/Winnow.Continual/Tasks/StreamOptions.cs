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
    public int? Steps { get; init; }

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
public sealed record PretrainedOptions : StreamOptions
{
    /// <summary>Classes of the first task.</summary>
    [Range(2, 10_000), Description("classes of the first task, on which the encoder is trained before the stream starts; by default four tenths of all")]
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

/// <summary>Options of a domain-incremental stream: five tasks, no batch normalisation (its statistics would mix the domains).</summary>
public record DomainOptions : StreamOptions
{
    /// <summary>Five tasks without batch normalisation.</summary>
    public DomainOptions() => (Steps, BatchNorm) = (5, false);
}
