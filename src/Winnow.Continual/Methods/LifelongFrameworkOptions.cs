using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>How the stiffness of groups of weights is set: each policy is one ability of a lifelong learner.</summary>
public enum ConsolidationPolicy
{
    /// <summary>What was learned is held; no link leads from new units to old ones.</summary>
    NonForgetting,

    /// <summary>New units and classes begin as copies of those of the most similar old class and are held to them softly.</summary>
    ForwardTransfer,

    /// <summary>After each task only the two most confused classes are unlocked and told apart on stored rows.</summary>
    ConfusionReduction,

    /// <summary>After each task the links from new to old units and the old classes bend while stored rows are learned.</summary>
    BackwardTransfer,

    /// <summary>After each task all weights bend a little while stored rows of all tasks are learned.</summary>
    Sleep,

    /// <summary>The stiffness of a task decays with its age, and without free units the oldest task's are taken.</summary>
    GracefulForgetting,

    /// <summary>The stiffness of each weight is its Fisher information times the strength, as in EWC.</summary>
    Importance,
}

/// <summary>Options of <see cref="LifelongFramework"/>.</summary>
public sealed record LifelongFrameworkOptions
{
    /// <summary>Which ability is asked for.</summary>
    [Description("how the stiffness of groups of weights is set, during a task and after it")]
    public ConsolidationPolicy Policy { get; init; } = ConsolidationPolicy.Sleep;

    /// <summary>Stiffness b of what has been learned; null for infinite.</summary>
    [Range(0.0, 1e12), Description("stiffness b of the weights of earlier tasks while a task is learned, in b (θ − θ*)²; null for infinite: frozen. Times the Fisher information with the policy importance")]
    public double? Stiffness { get; init; }

    /// <summary>The small stiffness of weights that may bend.</summary>
    [Range(0.0, 1e12), Description("small stiffness of weights that may bend: copies in forward transfer, unlocked weights while stored rows are learned")]
    public double Elasticity { get; init; } = 0.1;

    /// <summary>By which factor the stiffness of a task falls with every further task.</summary>
    [Range(0.0, 1.0), Description("factor on a task's stiffness with every task that follows it, in graceful forgetting")]
    public double Decay { get; init; } = 0.5;

    /// <summary>Whether each task recruits units of its own.</summary>
    [Description("true: each task recruits free hidden units; false: all units belong to the first task")]
    public bool Grow { get; init; } = true;

    /// <summary>Units that a task recruits in each hidden layer; null for an even share.</summary>
    [Range(1, 4096), Description("units a task recruits in each hidden layer; by default an even share of them")]
    public int? UnitsPerTask { get; init; }

    /// <summary>Rows stored by the policies that learn them again.</summary>
    [Range(1, 1_000_000), Description("rows stored, evenly over the classes, by the policies that learn them again")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Passes over the stored rows after a task.</summary>
    [Range(0, 10_000), Description("passes over the stored rows after each task but the first")]
    public int Epochs { get; init; } = 20;

    /// <summary>Rows of a task that its Fisher information is estimated on.</summary>
    [Range(1, 1_000_000), Description("rows of each task on which its Fisher information is computed, with the policy importance")]
    public int FisherRows { get; init; } = 200;
}
