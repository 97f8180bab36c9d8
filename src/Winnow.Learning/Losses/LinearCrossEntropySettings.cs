using TorchSharp;
using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>What a linear cross-entropy computes. The defaults are those of torch.nn.functional.cross_entropy, exact.</summary>
public sealed record LinearCrossEntropySettings
{
    /// <summary>Mean over valid rows, sum, or none: one loss per row, 0 where the target is ignored.</summary>
    public torch.nn.Reduction Reduction { get; init; } = torch.nn.Reduction.Mean;

    /// <summary>Targets of this value are left out.</summary>
    public long IgnoreIndex { get; init; } = -100;

    /// <summary>How many places later in a sequence the target of a row stands: 1 for predicting the next token from unshifted targets.</summary>
    public int Shift { get; init; }

    /// <summary>Whether the mean over no valid row is 0 instead of an error.</summary>
    public bool ZeroWithoutTargets { get; init; }

    /// <summary>
    /// Whether a mean or a sum computes its gradients together with the loss, so that no logit is computed twice. Off saves the scratch of a chunk's
    /// logits. A loss per row, a log-sum-exp that is returned, a sorted vocabulary and bfloat16 compute logits again in the backward pass in any case.
    /// </summary>
    public bool GradientsWithLoss { get; init; } = true;

    /// <summary>The order in which gradients visit the vocabulary, a permutation, e.g. by frequency, so that more tiles are filtered; null for its own.</summary>
    public int[]? VocabularyOrder { get; init; }

    /// <summary>Threads, soft cap, filter and tiles. See the presets of <see cref="LinearCrossEntropyOptions"/>.</summary>
    public LinearCrossEntropyOptions Kernel { get; init; } = LinearCrossEntropyOptions.Exact;

    /// <summary>Where temporaries come from; null for memory without a limit.</summary>
    public Scratch? Scratch { get; init; }
}
