using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of what trains a network on scenes.</summary>
public record SceneTrainingOptions
{
    /// <summary>Features of a pixel.</summary>
    [Range(2, 1024), Description("C: features of a pixel")]
    public int Channels { get; init; } = 32;

    /// <summary>Steps.</summary>
    [Range(0, 1_000_000), Description("steps")]
    public int Steps { get; init; } = 1000;

    /// <summary>Scenes of a step.</summary>
    [Range(1, 1000), Description("scenes of a step")]
    public int Batch { get; init; } = 8;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("step size of Adam, which falls to 0")]
    public double Rate { get; init; } = 1e-2;

    /// <summary>Scale.</summary>
    [Range(0.0, 1000.0, MinimumIsExclusive = true), Description("τ: a class fits a pixel by τ times the cosine of its kernel and the pixel's features")]
    public double Scale { get; init; } = 10;
}

/// <summary>Options of <see cref="PrototypicalKernel"/>.</summary>
public sealed record PrototypicalKernelOptions : SceneTrainingOptions
{
    /// <summary>Stages.</summary>
    [Range(0, 20), Description("T: times that base kernels are brought towards the mean of what they cover; 0: a classifier alone")]
    public int Stages { get; init; } = 3;

    /// <summary>Weight of the dice loss.</summary>
    [Range(0.0, 100.0), Description("weight of the dice loss beside the cross-entropy")]
    public double Dice { get; init; } = 1;

    /// <summary>Whether foreground is perceived.</summary>
    [Description("a branch that knows no classes says where any object is, and decides where new classes are favoured")]
    public bool Foreground { get; init; } = true;

    /// <summary>The bias.</summary>
    [Range(0.0, 1000.0), Description("b: what new classes gain and the background loses where there is foreground; 0: chosen on validation scenes, each base class playing the new one")]
    public double Bias { get; init; }

    /// <summary>The threshold.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("least probability of foreground; 0: chosen likewise")]
    public double Threshold { get; init; }

    /// <summary>What counts as a weak base class.</summary>
    [Range(0.0, 1.0), Description("base classes below this probability are weak: only there new classes gain; 0: chosen likewise")]
    public double Weak { get; init; }
}

/// <summary>
/// Gives every class one vector (kernel) that is compared with each pixel's features; learned ones are brought towards means of features, so that a class shown in a few images, whose vector is such a mean, competes on equal terms; and perceives foreground of any class, so that new objects are not taken for background.
/// <para>Paper: Huang, Wang, Xi and Gao, Prototypical kernel learning and open-set foreground perception for generalized few-shot semantic segmentation, ICCV 2023 (arXiv 2308.04952); no code was released. Left out: attention between kernels, and mending base kernels by the images that show a new class.</para>
/// <para>Scores z_c = τ cos(k_c, F). A stage: P = softmax z without gradient, g_c = Σ P_c F / Σ P_c over the batch, gate = σ(W₃ (g ⊙ k)), k ← gate W₁ g + (1 − gate) W₂ k for classes that are there; cross-entropy and dice after each. After training, stages over training scenes make the kernels that are kept.
/// A new kernel is the mean of features over all pixels shown. Foreground: a small network of a pixel's features, of what it attends to among object kernels and of its largest cosine with one; at each step one class is left out of these, so that it fires on objects that are not known.
/// Where it fires and no base class is sure, new classes gain b and the background loses b. Cost: T stages of O(pixels · classes · C) beside the network.</para>
/// </summary>
/// <param name="setup">Draws first weights and the order.</param>
/// <param name="options">How.</param>
public sealed class PrototypicalKernel(KernelSetup setup, PrototypicalKernelOptions options) : ISegmenter
{
    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        New("One scene a class: foreground makes new classes at least 3 points of IoU better than kernels alone.", "novel_miou", 1, "prototypical-kernel", true, false, 0.03),
        New("Five scenes a class: so it does.", "novel_miou", 5, "prototypical-kernel", true, false, 0.03),
        New("One scene a class: kernels alone are at least 3 points of IoU better at new classes than imprinted ones.", "novel_miou", 1, "imprinted-segmenter", false, null, 0.03),
        New("Base classes lose at most 2 points of IoU beside a network that knows only them.", "base_miou", 1, "base-segmenter", true, null, -0.02),
    ];

    private static Claim New(string text, string metric, int shots, string baseline, bool foreground, bool? beside, double margin) => new()
    {
        Text = text,
        Task = "segment",
        Metric = metric,
        Baseline = baseline,
        Margin = margin,
        TaskOptions = new() { ["shots"] = shots },
        MethodOptions = foreground ? [] : new() { ["foreground"] = false },
        BaselineOptions = beside is { } b ? new() { ["foreground"] = b } : [],
    };

    /// <inheritdoc/>
    public ISegmentation Fit(Scenes train, Scenes validation, int classes, CancellationToken cancellation = default) =>
        KernelSegmentation.Fit(setup, options, train, validation, classes, cancellation);

    /// <summary>The mean of features [S, C, h, w] over all pixels of masks [S, H, W]: [C].</summary>
    /// <exception cref="InputException">No pixel, or a mean of zeros.</exception>
    internal static Tensor Prototype(Tensor features, Tensor mask, string name)
    {
        if (features.shape[0] == 0 || features.shape[0] != mask.shape[0])
            throw InputException.At($"class '{name}'", $"{features.shape[0]} images with {mask.shape[0]} masks", "at least one image, each with a mask", "Show the class.");
        using var scope = NewDisposeScope();
        var m = Scenes.Resized(mask, features.shape[2], features.shape[3]).to(features.dtype).unsqueeze(1);
        if (!m.any().item<bool>())
            throw InputException.At($"class '{name}'", "no pixel in any image that shows it", "at least one", "Give masks in which it is marked, and not smaller than two pixels.");
        var mean = (features * m).sum([0, 2, 3]) / m.sum();
        return mean.any().item<bool>() ? mean.MoveToOuterDisposeScope() : throw InputException.At($"class '{name}'", "features of zeros", "features with a direction", "Show other images.");
    }

    /// <summary>τ cos(k, F) of kernels [K, C] and features [n, C, h, w]: [n, K, h, w]; 0 where features are zeros.</summary>
    internal static Tensor Logits(Tensor kernels, Tensor features, double scale)
    {
        var k = kernels / kernels.norm(1, keepdim: true).clamp_min(1e-12);
        var f = features / features.norm(1, keepdim: true).clamp_min(1e-12);
        return nn.functional.conv2d(f, k.unsqueeze(2).unsqueeze(3)) * scale;
    }

    /// <summary>Σ P_c F / Σ P_c over all pixels, of shares [n, K, h, w] and features [n, C, h, w]: [K, C].</summary>
    internal static Tensor Groups(Tensor shares, Tensor features)
    {
        var (sums, weights) = Sums(shares, features);
        return sums / weights.clamp_min(1e-12);
    }

    /// <summary>Σ P_c F [K, C] and Σ P_c [K, 1].</summary>
    internal static (Tensor Sums, Tensor Weights) Sums(Tensor shares, Tensor features)
    {
        var p = shares.transpose(0, 1).flatten(1);
        return (p.mm(features.transpose(0, 1).flatten(1).t()), p.sum(1, keepdim: true));
    }

    /// <summary>gate W₁ g + (1 − gate) W₂ k with gate = σ(W₃ (g ⊙ k)) for rows that are there; the others stay.</summary>
    internal static Tensor Updated(Tensor kernels, Tensor groups, Tensor w1, Tensor w2, Tensor w3, Tensor there)
    {
        var gate = (groups * kernels).mm(w3.t()).sigmoid();
        return where(there.unsqueeze(1), gate * groups.mm(w1.t()) + (1 - gate) * kernels.mm(w2.t()), kernels);
    }

    /// <summary>Scores [n, 1 + base + new, h, w] with new classes raised and the background lowered by b where foreground [n, h, w] is likelier than a threshold and no base class is as likely as <paramref name="weak"/>.</summary>
    internal static Tensor Biased(Tensor logits, int classes, Tensor foreground, double bias, double threshold, double weak)
    {
        long novel = logits.shape[1] - 1 - classes;
        if (novel == 0 || bias == 0)
            return logits;
        var strongest = logits.narrow(1, 0, classes + 1).softmax(1).narrow(1, 1, classes).amax([1]);
        var gain = ((foreground > threshold) & (strongest < weak)).to(logits.dtype).unsqueeze(1) * bias;
        return cat([logits.narrow(1, 0, 1) - gain, logits.narrow(1, 1, classes), logits.narrow(1, classes + 1, novel) + gain], 1);
    }
}
