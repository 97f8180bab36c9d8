using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Compute;

/// <summary>Options of a task of the arena.</summary>
public abstract record ProblemOptions;

/// <summary>Options of every kind of problem that is computed: how it is measured.</summary>
public record ComputeOptions : ProblemOptions
{
    /// <summary>Measured runs.</summary>
    [Range(1, 1000), Description("measured runs; the time is their median")]
    public int Repeats { get; init; } = 7;

    /// <summary>Runs before them.</summary>
    [Range(0, 100), Description("runs before the measured ones, which are not counted")]
    public int WarmUps { get; init; } = 2;

    /// <summary>Largest relative error.</summary>
    [Range(0.0, 1.0), Description("largest relative error against the reference; a method beyond it fails and is given no time")]
    public virtual double Tolerance { get; init; } = 1e-4;

    /// <summary>Limit of the scratch memory.</summary>
    [Range(0.001, 1e6), Description("most scratch memory a method may hold, in MB; a method that asks for more fails with the limit named")]
    public double? ScratchMegabytes { get; init; }
}
