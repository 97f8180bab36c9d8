using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.KernelMethods;

/// <summary>Options of every task of episodes.</summary>
public abstract record EpisodeOptions
{
    /// <summary>Query rows.</summary>
    [Range(1, 10_000), Description("rows of a task to answer; of classes each")]
    public int Queries { get; init; } = 10;

    /// <summary>Tasks asked for.</summary>
    [Range(1, 100_000), Description("new tasks to test on")]
    public int Test { get; init; } = 200;
}

/// <summary>Options of the task <c>episodes</c>.</summary>
public sealed record CurveEpisodesOptions : EpisodeOptions
{
    /// <summary>Support rows.</summary>
    [Range(1, 10_000), Description("rows of a task to adapt to")]
    public int Shots { get; init; } = 5;

    /// <summary>Hidden units.</summary>
    [Range(0, 10_000), Description("units of each of two hidden layers that every method adapts; 0: a linear model")]
    public int Hidden { get; init; } = 40;

    /// <summary>Noise.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("deviation of numbers around the curve; of a user's data: that which methods expect of numbers of deviation 1")]
    public double Noise { get; init; } = 0.3;

    /// <summary>Share of lines.</summary>
    [Range(0.0, 1.0), Description("of made tasks: the share that are lines, of slope -1 to 1 and offset -3 to 3; others are sines, of amplitude 0.1 to 5 and phase 0 to π")]
    public double Lines { get; init; } = 0.5;
}

/// <summary>Options of the task <c>linear-episodes</c>.</summary>
public sealed record LinearEpisodesOptions : EpisodeOptions
{
    /// <summary>Features.</summary>
    [Range(1, 1000), Description("features, each with a weight")]
    public int Features { get; init; } = 4;

    /// <summary>Support rows.</summary>
    [Range(1, 10_000), Description("rows of a task to adapt to, at least as many as features; their columns are orthogonal")]
    public int Shots { get; init; } = 8;

    /// <summary>Noise.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("deviation of numbers around the line")]
    public double Noise { get; init; } = 0.5;
}

/// <summary>Options of the task <c>image-episodes</c>.</summary>
public sealed record ImageEpisodesOptions : EpisodeOptions
{
    /// <summary>Classes of a task.</summary>
    [Range(2, 1000), Description("classes of a task")]
    public int Ways { get; init; } = 3;

    /// <summary>Support rows.</summary>
    [Range(1, 10_000), Description("rows of each class to adapt to")]
    public int Shots { get; init; } = 1;

    /// <summary>Classes never learned from.</summary>
    [Range(0, 10_000), Description("classes that only new tasks are of; 0: three in ten, and at least those of a task")]
    public int NewClasses { get; init; }

    /// <summary>Hidden units.</summary>
    [Range(0, 10_000), Description("units of each of two hidden layers that every method adapts; 0: a linear model")]
    public int Hidden { get; init; } = 64;
}
