using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>classify</c>.</summary>
public sealed record ClassifyOptions
{
    /// <summary>Rows learned from.</summary>
    [Range(2, 100_000), Description("rows to learn from, of every class its share; all that are not for testing where there are fewer")]
    public int Rows { get; init; } = 500;

    /// <summary>Rows asked for.</summary>
    [Range(1, 1_000_000), Description("rows to test on; at most half of all")]
    public int Test { get; init; } = 1000;
}

/// <summary>Options of the task <c>few-shot</c>.</summary>
public sealed record FewShotOptions
{
    /// <summary>Rows a class.</summary>
    [Range(1, 1000), Description("rows of each class to learn from")]
    public int Shots { get; init; } = 4;

    /// <summary>Rows asked for.</summary>
    [Range(1, 1_000_000), Description("rows to test on; at most a third of all")]
    public int Test { get; init; } = 1000;

    /// <summary>Rows to choose by.</summary>
    [Range(0, 100_000), Description("rows by which methods may choose what their options leave open; 0: none")]
    public int Validation { get; init; } = 300;

    /// <summary>How wrong names are.</summary>
    [Range(0.0, 1e3), Description("class names are directions of class means of other rows, and noise of this size beside their length of 1")]
    public double NameNoise { get; init; } = 0.6;
}

/// <summary>Options of the task <c>ad-hoc</c>.</summary>
public sealed record AdHocOptions
{
    /// <summary>Features.</summary>
    [Range(1, 8), Description("features, each an angle")]
    public int Qubits { get; init; } = 2;

    /// <summary>Rows a class.</summary>
    [Range(1, 10_000), Description("rows of each of two classes to learn from")]
    public int Rows { get; init; } = 20;

    /// <summary>Rows asked for.</summary>
    [Range(1, 100_000), Description("rows of each class to test on")]
    public int Test { get; init; } = 100;

    /// <summary>The gap.</summary>
    [Range(0.0, 0.9), Description("least size of the expectation whose sign is the class")]
    public double Gap { get; init; } = 0.3;
}

/// <summary>Options of the task <c>graph</c>.</summary>
public sealed record GraphOptions
{
    /// <summary>Groups.</summary>
    [Range(0, 10_000), Description("groups to find; 0: as many as there are; of a file that does not say the groups of its nodes it must be told")]
    public int Groups { get; init; }

    /// <summary>Groups of a made graph.</summary>
    [Range(2, 1000), Description("of a made graph: groups")]
    public int Made { get; init; } = 2;

    /// <summary>Nodes of each.</summary>
    [Range(2, 10_000), Description("of a made graph: nodes of each group")]
    public int Nodes { get; init; } = 25;

    /// <summary>Edges inside.</summary>
    [Range(0.0, 1.0), Description("of a made graph: how likely two nodes of a group have an edge")]
    public double Inside { get; init; } = 0.3;

    /// <summary>Edges across.</summary>
    [Range(0.0, 1.0), Description("of a made graph: how likely two nodes of different groups have one")]
    public double Across { get; init; } = 0.1;
}
