using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>What trains the weights of <see cref="ClDst"/>.</summary>
public enum SparseOptimizer
{
    /// <summary>Adam, as in the paper.</summary>
    Adam,

    /// <summary>SGD with the stream's momentum.</summary>
    Sgd,
}

/// <summary>Options of <see cref="ClDst"/>.</summary>
public sealed record ClDstOptions
{
    /// <summary>Share of the weights that a task uses.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of all weights that each task uses")]
    public double Density { get; init; } = 0.2;

    /// <summary>How they are spread over the layers.</summary>
    [Description("density of the layers: the same for all, or small layers denser (Erdős–Rényi kernel)")]
    public SparseInit Init { get; init; } = SparseInit.Uniform;

    /// <summary>Which weights are dropped.</summary>
    [Description("weights dropped: smallest magnitude, SET (as meant, or as released), or smallest effect on the loss")]
    public DropRule Drop { get; init; } = DropRule.Magnitude;

    /// <summary>Which weights are grown.</summary>
    [Description("weights grown: at random, at random among those not had before, by Adam's momentum, or by gradient")]
    public GrowRule Grow { get; init; } = GrowRule.Gradient;

    /// <summary>Share of the active weights replaced at first.</summary>
    [Range(0.0, 1.0), Description("share of a layer's active weights that is dropped at a task's start, falling along a cosine; 0 for masks that never change")]
    public double DropRate { get; init; } = 0.5;

    /// <summary>Share replaced at the end.</summary>
    [Range(0.0, 1.0), Description("share dropped at a task's end, at most that at its start")]
    public double FinalDropRate { get; init; } = 0.005;

    /// <summary>How often weights are replaced.</summary>
    [Range(1, 1_000_000), Description("steps between two rounds of drop and grow (400 in the paper, with tasks of thousands of steps)")]
    public int UpdateEvery { get; init; } = 10;

    /// <summary>Whether earlier tasks' weights are kept.</summary>
    [Description("weights that an earlier task uses are read, not changed")]
    public bool Isolate { get; init; } = true;

    /// <summary>Whether the best epoch is kept.</summary>
    [Description("keep weights and mask of the task's epoch with the best accuracy while training, not those of the last")]
    public bool KeepBest { get; init; } = true;

    /// <summary>What trains the weights.</summary>
    [Description("optimiser, started anew for each task")]
    public SparseOptimizer Optimizer { get; init; } = SparseOptimizer.Adam;

    /// <summary>Step size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size, divided by ten after half and after three quarters of a task (0.001 in the paper, with 100 epochs)")]
    public double LearningRate { get; init; } = 0.01;
}
