using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Compute;

/// <summary>What the backward pass of CCE leaves out.</summary>
public enum CcePreset
{
    /// <summary>Nothing: the default on a processor.</summary>
    Exact,

    /// <summary>The paper's default: tiles whose gradient is below the filter, for both operands; the vocabulary sorted.</summary>
    Cce,

    /// <summary>The paper's setting for pre-training: such tiles for the embeddings only.</summary>
    KahanFullC,
}

/// <summary>Options of <see cref="Cce"/>.</summary>
public sealed record CceOptions
{
    /// <summary>What is left out.</summary>
    [Description("what the backward pass leaves out: exact nothing; cce tiles with a gradient too small to count; kahan-full-c those of the embeddings only")]
    public CcePreset Preset { get; init; } = CcePreset.Exact;

    /// <summary>What a tile's gradient must reach.</summary>
    [Range(0.0, 1.0), Description("a tile whose largest |softmax - onehot| is below this is left out; by default the preset's: for float32 2^-28; bfloat16's is 2.44e-4")]
    public double? FilterEpsilon { get; init; }

    /// <summary>Whether logits are computed a second time for the gradients.</summary>
    [Description("true: logits are computed again for the gradients and never kept, as in the paper, which a filter needs to save work; false: those of one chunk of rows are kept")]
    public bool Recompute { get; init; } = true;

    /// <summary>Vocabulary entries of a tile.</summary>
    [Range(8, 65_536), Description("vocabulary entries of a tile")]
    public int VocabularyBlock { get; init; } = 256;

    /// <summary>Rows of a chunk.</summary>
    [Range(0, 1 << 20), Description("rows of a chunk; 0 chooses")]
    public int RowChunk { get; init; }
}

/// <summary>
/// Cut Cross-Entropy: loss and gradients of a large vocabulary without its logits.
/// <para>Wijmans, Huval, Hertzberg, Koltun and Krähenbühl, Cut Your Losses in Large-Vocabulary Language Models, ICLR 2025, arXiv 2411.09009. The kernel
/// is <see cref="LinearCrossEntropyKernel"/>, with what is implemented and left out; <c>Winnow.Learning.LinearCrossEntropy</c> is the module for a model.</para>
/// <para>E [N, D], C [V, D], targets [N]. Cost: 8·N·V·D operations with recomputation, 6·N·V·D without; scratch O(tile) or 4·V·chunk bytes.</para>
/// </summary>
public sealed unsafe class Cce(CceOptions options) : IComputeMethod<LossHeadProblem, LossAndGradients>
{
    /// <summary>What the paper claims.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Gemma 2, 8,192 tokens, a vocabulary of 256K: the loss takes 1 MB instead of 24 GB (here: at most 1/50 of the full logits' scratch memory at a vocabulary of 64K).", Task = "loss-head", Metric = "scratch_bytes", Baseline = "dense-logits", BaselineFactor = 0.02, Margin = 0,
            TaskOptions = new() { ["rows"] = 1024, ["width"] = 64, ["vocabulary"] = 65_536, ["repeats"] = 3, ["warm-ups"] = 1 } },
        new() { Text = "It is as fast as or faster than compiled cross-entropy, filtering included (here: no slower than full logits with a head that is fairly sure of its targets; the filter for float32 skips next to nothing there).", Task = "loss-head", Metric = "seconds", Baseline = "dense-logits", Margin = 0,
            MethodOptions = new() { ["preset"] = "cce" }, TaskOptions = new() { ["rows"] = 1024, ["width"] = 128, ["vocabulary"] = 32_768, ["peak"] = 10, ["repeats"] = 3, ["warm-ups"] = 1 } },
        new() { Text = "Without the filter it is at most 1.6 times as slow as full logits.", Task = "loss-head", Metric = "seconds", Baseline = "dense-logits", BaselineFactor = 1.6, Margin = 0,
            TaskOptions = new() { ["rows"] = 1024, ["width"] = 128, ["vocabulary"] = 32_768, ["repeats"] = 3, ["warm-ups"] = 1 } },
    ];

    /// <inheritdoc/>
    public LossAndGradients Run(LossHeadProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var (rows, width, vocabulary, e, c, targets) = problem;
        float[] first = new float[e.Length], second = new float[c.Length];
        // which rows count, and the order of the vocabulary, are arrays of the kernel's own
        using var held = context.Scratch.Hold(3L * sizeof(int) * rows + (options.Preset == CcePreset.Exact ? 0 : 2L * sizeof(int) * vocabulary));
        using var perRow = context.Scratch.Take<float>(3L * rows);
        Span<float> logSumExp = perRow.Span[..rows], targetLogit = perRow.Span[rows..(2 * rows)], gradient = perRow.Span[(2 * rows)..];
        gradient.Fill(1f / rows);
        TileCounts counts;
        fixed (float* ep = e, cp = c, dep = first, dcp = second)
        {
            TileMatrix E = new(ep, rows, width), C = new(cp, vocabulary, width), dE = new(dep, rows, width), dC = new(dcp, vocabulary, width);
            var kernel = new LinearCrossEntropyKernel(E, C, null, TargetRows.Select(targets, rows, vocabulary), Settings(context.Threads), context.Scratch);
            if (options.Recompute)
            {
                using var average = context.Scratch.Take<float>(options.Preset == CcePreset.Exact ? 0 : vocabulary);
                kernel.Forward(logSumExp, targetLogit, average.Span, context.Cancellation);
                counts = kernel.Backward(logSumExp, gradient, default, dE, dC, default, options.Preset == CcePreset.Exact ? null : LinearCrossEntropyKernel.OrderBy(average.Span), context.Cancellation);
            }
            else
                counts = kernel.ForwardBackward(gradient, logSumExp, targetLogit, dE, dC, default, null, context.Cancellation);
        }
        double loss = 0;
        for (int i = 0; i < rows; i++)
            loss += (double)logSumExp[i] - targetLogit[i];
        double products = options.Recompute ? 4 - 2 * counts.SkipRate : 3;
        (context.Work.Flops, context.Work.Bytes) = (products * problem.ProductFlops, 4.0 * (3L * rows * width + 4L * vocabulary * width));
        context.Work.Count("skip_rate", counts.SkipRate);
        return new(loss / rows, first, second);
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(LossHeadProblem problem) => options.Preset == CcePreset.Exact ? new((options.Recompute ? 4 : 3) * problem.ProductFlops, null) : null;

    private LinearCrossEntropyOptions Settings(int threads)
    {
        var preset = options.Preset switch
        {
            CcePreset.Cce => LinearCrossEntropyOptions.Cce(TileType.Float32),
            CcePreset.KahanFullC => LinearCrossEntropyOptions.KahanFullC(TileType.Float32),
            _ => LinearCrossEntropyOptions.Exact,
        };
        double epsilon = options.Preset == CcePreset.Exact ? 0 : options.FilterEpsilon ?? preset.FilterEpsilon;
        return preset with { FilterEpsilon = epsilon, Threads = threads, VocabularyBlock = options.VocabularyBlock, RowChunk = options.RowChunk };
    }
}
