using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>Options of <see cref="Tame"/>.</summary>
public sealed record TameOptions
{
    /// <summary>Experts at most.</summary>
    [Range(1, 100), Description("experts at most; their memory is taken at the start")]
    public int MaxExperts { get; init; } = 8;

    /// <summary>Losses w of the window.</summary>
    [Range(2, 100_000), Description("losses of an expert from which its threshold is computed")]
    public int Window { get; init; } = 100;

    /// <summary>Smoothing α.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("weight of the newest loss in the smoothed one; with 1 many spurious experts appear")]
    public double Smoothing { get; init; } = 0.2;

    /// <summary>Deviations k.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true), Description("deviations above the mean at which the threshold lies; with more, fewer false alarms in long segments, and more changes missed after short ones")]
    public double Deviations { get; init; } = 3;

    /// <summary>Steps before an expert may be left.</summary>
    [Range(0, 1_000_000), Description("mini-batches an expert learns from before it may be left; 0 in the paper, where a network that starts above the loss of guessing is left at once")]
    public int MinimumAge { get; init; } = 20;

    /// <summary>Whether all experts are watched.</summary>
    [Description("ask every expert for its loss at every step, as in the paper, or the resting ones only when the active one's loss is too large")]
    public bool WatchAll { get; init; }

    /// <summary>Step size of the experts.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of the experts; by default the stream's")]
    public double? LearningRate { get; init; }

    /// <summary>Momentum of the experts.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of the experts (0.9 in the paper, with mini-batches of 128)")]
    public double Momentum { get; init; }

    /// <summary>Weight decay of the experts.</summary>
    [Range(0.0, 1.0), Description("weight decay of the experts")]
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>Whether a sigmoid stands before the loss.</summary>
    [Description("a sigmoid before the cross-entropy, as in the paper's networks: the first loss is then near that of guessing")]
    public bool Sigmoid { get; init; }

    /// <summary>Rows kept for the selector.</summary>
    [Range(1, 1_000_000), Description("rows kept for the selector, spread over experts and classes (5000 in the paper)")]
    public int SelectorBuffer { get; init; } = 500;

    /// <summary>How often the selector is trained.</summary>
    [Range(1, 10_000), Description("how many times the selector is trained, evenly spaced over the stream, the last after its end; once in the paper. Until then the active expert answers")]
    public int SelectorRuns { get; init; } = 8;

    /// <summary>Passes of the selector's training.</summary>
    [Range(1, 10_000), Description("passes over the rows kept, each time the selector is trained")]
    public int SelectorEpochs { get; init; } = 20;

    /// <summary>Step size of the selector.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of the selector, with momentum 0.9")]
    public double SelectorRate { get; init; } = 0.02;

    /// <summary>Hidden units of the selector.</summary>
    [Range(1, 100_000), Description("units of the selector's hidden layer")]
    public int SelectorHidden { get; init; } = 100;

    /// <summary>Share of the selector's weights that is pruned.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("share of the selector's weights pruned after the stream, after which it is trained again (0.5 in the paper)")]
    public double SelectorPruning { get; init; }

    /// <summary>Share of an expert's weights that is pruned.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("share of an expert's weights pruned each time it is left and at the end (0.98 in the paper, of networks of 60 thousand weights)")]
    public double Pruning { get; init; }

    /// <summary>Rows kept for pruning.</summary>
    [Range(2, 1_000_000), Description("rows of the present segment kept to train a pruned expert again (6000 in the paper)")]
    public int PruningBuffer { get; init; } = 500;

    /// <summary>Passes after pruning.</summary>
    [Range(1, 10_000), Description("passes over these rows after an expert was pruned (200 in the paper)")]
    public int PruningEpochs { get; init; } = 30;
}
