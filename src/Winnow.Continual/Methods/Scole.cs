using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.Continual;

/// <summary>Which classes compete while training.</summary>
public enum ScoleMask
{
    /// <summary>All.</summary>
    None,

    /// <summary>Those of the mini-batch.</summary>
    Group,
}

/// <summary>Which stored classes come back with a task.</summary>
public enum ScoleReplay
{
    /// <summary>None: nothing is stored.</summary>
    None,

    /// <summary>Those that come neither too rarely nor often.</summary>
    Frequency,

    /// <summary>Random ones.</summary>
    Random,
}

/// <summary>Options of <see cref="Scole"/>.</summary>
public sealed record ScoleOptions
{
    /// <summary>Which classes compete while training.</summary>
    [Description("classes that compete while training: all, or those of the mini-batch")]
    public ScoleMask Mask { get; init; } = ScoleMask.Group;

    /// <summary>How the weights are moved.</summary>
    [Description("optimiser; its state goes on from task to task")]
    public OptimizerKind Optimizer { get; init; } = OptimizerKind.Sgd;

    /// <summary>Step size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size; by default the stream's, with adam 0.001 under a mask and 0.0001 without")]
    public double? LearningRate { get; init; }

    /// <summary>Momentum.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of optimizer=momentum")]
    public double Momentum { get; init; } = 0.9;

    /// <summary>Largest norm of the gradient.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("largest norm of the gradient; longer ones are scaled down; null for no limit")]
    public double? Clip { get; init; } = 10;

    /// <summary>Whether the optimiser starts anew with every task.</summary>
    [Description("forget momentum and moments at every announced task")]
    public bool Reset { get; init; }

    /// <summary>Whether the head's rows keep norm 1.</summary>
    [Description("hold the head's rows at norm 1 and its biases at 0")]
    public bool UnitHead { get; init; }

    /// <summary>Which stored classes come back.</summary>
    [Description("stored classes that come back with a task: none, those trained in a share of the tasks in (low, high], or random ones")]
    public ScoleReplay Replay { get; init; } = ScoleReplay.None;

    /// <summary>Rows stored of a class.</summary>
    [Range(1, 100_000), Description("replay: rows stored of each class (200 in the paper, which is more than a class of the digits has)")]
    public int RowsPerClass { get; init; } = 20;

    /// <summary>Lower frequency.</summary>
    [Range(0.0, 1.0), Description("replay=frequency: classes trained in at most this share of the tasks are not replayed")]
    public double Low { get; init; } = 0.01;

    /// <summary>Upper frequency.</summary>
    [Range(0.0, 1.0), Description("replay=frequency: nor are classes trained in more than this share")]
    public double High { get; init; } = 0.1;

    /// <summary>Share of random replay.</summary>
    [Range(0.0, 1.0), Description("replay=random: for each class of a task, the probability with which a random class seen before comes with it")]
    public double Budget { get; init; } = 0.5;
}

/// <summary>
/// What makes plain training accumulate knowledge over hundreds of short tasks that come back: only the classes of a mini-batch compete, no
/// momentum, and classes of middling frequency are replayed.
/// <para>Paper: Lesort, Ostapenko, Misra, Arefin, Rodríguez, Charlin and Rish, Challenging Common Assumptions about Catastrophic Forgetting, CoLLAs 2023
/// (arXiv 2207.04543). Implemented: group masking (<see cref="GroupMask"/>), optimisers whose state goes on (<see cref="KeptOptimizer"/>),
/// clipping, frequency and random replay (<see cref="FrequencyReplay"/>); its scenario is the task 'recurring'. The weight-normalised head is
/// held at norm 1 after every step instead of being divided by its norm within it. Left out: counting by validation accuracy, since a learner
/// gets no validation rows.</para>
/// <para>Cost: that of fine-tuning and of the rows replayed.</para>
/// </summary>
public static class Scole
{
    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Under naive training the accuracy over all classes rises over hundreds of tasks (here: to at least 0.6 after 300, when the last task alone would give 0.2).", Task = "recurring", Metric = "accuracy",
            Baseline = "naive", BaselineFactor = 0, Margin = 0.6, MethodOptions = new() { ["mask"] = "none" } },
        new() { Text = "Group masking makes it rise faster (here: by at least 0.08 on average over the first 100 tasks).", Task = "recurring", Metric = "average_incremental_accuracy", Baseline = "naive", Margin = 0.08, TaskOptions = new() { ["steps"] = 100 } },
        new() { Text = "The lead of group masking is still at least 0.08 after 100 tasks.", Task = "recurring", Metric = "accuracy", Baseline = "naive", Margin = 0.08, TaskOptions = new() { ["steps"] = 100 } },
        new() { Text = "Momentum carries stale directions (here: 0.9 at the same step size ends lower by at least 0.10).", Task = "recurring", Metric = "accuracy", Baseline = "scole", Margin = 0.1,
            BaselineOptions = new() { ["optimizer"] = "momentum" } },
    ];

    /// <summary>A network trained in this way.</summary>
    /// <exception cref="InputException">Options that exclude each other.</exception>
    public static Learner Learner(LearnerSetup setup, ScoleOptions options)
    {
        if (options.Low > options.High)
            throw InputException.At("scole.low", FormattableString.Invariant($"{options.Low}, above high {options.High}"), "low ≤ high", "Exchange them, or use replay=none.");
        IPart? replay = options.Replay == ScoleReplay.None ? null : new FrequencyReplay(setup, options);
        double rate = options.LearningRate ?? (options.Optimizer != OptimizerKind.Adam ? setup.Training.LearningRate : options.Mask == ScoleMask.Group ? 1e-3 : 1e-4);
        IPart? first = options.Mask == ScoleMask.Group ? new GroupMask(replay) : replay;
        IPart[] parts = [.. first is null ? [] : (IPart[])[first], new KeptOptimizer(options.Optimizer, rate, options.Momentum, options.Clip, options.Reset), .. options.UnitHead ? (IPart[])[new UnitHead()] : []];
        return new(setup, parts);
    }
}

/// <summary>Holds the rows of the head at norm 1 and its biases at 0: after every step they are projected back.</summary>
public sealed class UnitHead : IPart
{
    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        var head = step.Network.Modules[^1];
        int width = step.Network.Architecture.Features;
        var weights = step.Network.ParameterValues.Slice(head.Offset, head.Parameters[0].Length);
        for (int row = 0; row < weights.Length; row += width)
            if (TensorPrimitives.Norm<float>(weights.Slice(row, width)) is > 0 and var norm)
                TensorPrimitives.Divide(weights.Slice(row, width), norm, weights.Slice(row, width));
        step.Network.ParameterValues.Slice(head.Parameters[1].Offset, head.Parameters[1].Length).Clear();
    }

    /// <inheritdoc/>
    public void Dispose() { }
}
