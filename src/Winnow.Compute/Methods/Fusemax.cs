using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Compute;

/// <summary>Options of <see cref="Fusemax"/>.</summary>
public sealed record FusemaxOptions
{
    /// <summary>Keys of a block.</summary>
    [Range(8, 65_536), Description("keys of a block, M0 in the paper")]
    public int KeyBlock { get; init; } = 256;

    /// <summary>Queries of a chunk.</summary>
    [Range(8, 65_536), Description("queries of a chunk")]
    public int QueryChunk { get; init; } = 240;
}

/// <summary>
/// FuseMax: attention by the one-pass cascade, in which a running maximum corrects what was summed before.
/// <para>Nayak, Wu, Odemuyiwa, Pellauer, Emer and Fletcher, FuseMax: Leveraging Extended Einsums to Optimize Attention Accelerator Design, MICRO 2024, arXiv
/// 2406.10491. Three parts stand here: the cascade as a kernel for this processor (<see cref="BlockedAttention"/>), the analysis of
/// cascades (<see cref="Numerics.Einsums.CascadePasses"/>), and the model of the accelerator (<see cref="SpatialArray"/>). Energy is left out.</para>
/// <para>Q [heads, P, E], K [heads, M, E], V [heads, M, F]. Cost: 2·heads·P·M·(E + F) operations; scratch O(tile), whatever M is.</para>
/// </summary>
public sealed unsafe class Fusemax(FusemaxOptions options) : IComputeMethod<AttentionProblem, float[]>
{
    /// <summary>What the paper claims, as far as a processor can tell.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "One pass over the keys instead of three makes attention faster (here: on a processor, at 4,096 keys, no slower than three passes a chunk of queries at a time).", Task = "attention", Metric = "seconds", Baseline = "row-attention", Margin = 0,
            TaskOptions = new() { ["length"] = 4096, ["heads"] = 2, ["repeats"] = 3, ["warm-ups"] = 1 } },
        new() { Text = "Buffers do not grow with the length (here: at 16,384 keys at most a fifth of the scratch memory of three passes).", Task = "attention", Metric = "scratch_bytes", Baseline = "row-attention", BaselineFactor = 0.2, Margin = 0,
            TaskOptions = new() { ["length"] = 16_384, ["heads"] = 1, ["repeats"] = 1, ["warm-ups"] = 0 } },
    ];

    /// <inheritdoc/>
    public float[] Run(AttentionProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var (heads, queries, keys, width, valueWidth, q, k, v) = problem;
        float[] output = new float[(long)heads * queries * valueWidth];
        fixed (float* qp = q, kp = k, vp = v, op = output)
            BlockedAttention.Compute(heads, new(qp, heads * queries, width), new(kp, heads * keys, width), new(vp, heads * keys, valueWidth), null, new(op, heads * queries, valueWidth),
                new() { Threads = context.Threads, KeyBlock = options.KeyBlock, QueryChunk = options.QueryChunk }, context.Scratch, context.Cancellation);
        int chunks = (queries + options.QueryChunk - 1) / options.QueryChunk;
        (context.Work.Flops, context.Work.Bytes) = (problem.Flops, 4.0 * (2.0 * q.LongLength + chunks * ((double)k.LongLength + v.LongLength)));
        context.Work.Count("passes", 1);
        return output;
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(AttentionProblem problem) => new(problem.Flops, null);
}
