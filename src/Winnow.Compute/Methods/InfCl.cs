using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Compute;

/// <summary>Options of <see cref="InfCl"/>.</summary>
public sealed record InfClOptions
{
    /// <summary>Workers of the ring.</summary>
    [Range(1, 1024), Description("workers that keys go round, each with its share of the pairs; must divide the pairs")]
    public int Workers { get; init; } = 1;

    /// <summary>Keys of a tile.</summary>
    [Range(8, 65_536), Description("keys of a tile")]
    public int KeyBlock { get; init; } = 256;

    /// <summary>Queries of a chunk.</summary>
    [Range(8, 65_536), Description("queries of a chunk")]
    public int QueryChunk { get; init; } = 240;
}

/// <summary>
/// Inf-CL: the contrastive loss of a batch of any size in tiles, on one worker or around a ring of workers.
/// <para>Cheng, Zhang, Li, Leng, Hu, Wu, Zhao, Li and Bing, Breaking the Memory Barrier: Near Infinite Batch Size Scaling for Contrastive Loss, arXiv
/// 2410.17243 (2024). The kernels are <see cref="ContrastiveKernel"/> and <see cref="ContrastiveRing"/>.</para>
/// <para>Q, K [n, d]. Cost: 8·n²·d operations for loss and gradients of both directions; scratch O(n) and a tile.</para>
/// </summary>
public sealed unsafe class InfCl(InfClOptions options) : IComputeMethod<ContrastiveProblem, LossAndGradients>
{
    /// <summary>What the paper claims.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Two orders of magnitude less memory for the loss than earlier memory-efficient ones (here: at most 1/50 of the full similarities').", Task = "contrastive", Metric = "scratch_bytes", Baseline = "dense-similarities", BaselineFactor = 0.02, Margin = 0,
            TaskOptions = new() { ["pairs"] = 8192, ["repeats"] = 1, ["warm-ups"] = 0 } },
        new() { Text = "At a comparable speed (here: at most twice the time of the full similarities at 4,096 pairs).", Task = "contrastive", Metric = "seconds", Baseline = "dense-similarities", BaselineFactor = 2, Margin = 0,
            TaskOptions = new() { ["pairs"] = 4096, ["repeats"] = 3, ["warm-ups"] = 1 } },
    ];

    /// <inheritdoc/>
    public LossAndGradients Run(ContrastiveProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var (rows, width, queries, keys, scale) = problem;
        float[] first = new float[queries.Length], second = new float[keys.Length];
        var settings = new ContrastiveOptions { Threads = context.Threads, KeyBlock = options.KeyBlock, QueryChunk = options.QueryChunk };
        // labels and the log-sum-exps of both directions are arrays of the kernel's own
        using var held = context.Scratch.Hold(3L * sizeof(float) * rows);
        double loss;
        fixed (float* q = queries, k = keys, dq = first, dk = second)
        {
            TileMatrix Q = new(q, rows, width), K = new(k, rows, width), dQ = new(dq, rows, width), dK = new(dk, rows, width);
            if (options.Workers == 1)
            {
                var kernel = new ContrastiveKernel(Q, K, scale, null, settings, context.Scratch);
                loss = kernel.Forward(context.Cancellation);
                kernel.Backward(1, dQ, dK, context.Cancellation);
            }
            else
            {
                var ranks = ContrastiveRing.InProcess(options.Workers, Q, K, scale, dQ, dK, settings, context.Scratch, context.Cancellation);
                loss = ranks.Average(r => r.Loss);
                // each worker's gradients are those of the mean over its own rows
                foreach (float[] gradient in new[] { first, second })
                    System.Numerics.Tensors.TensorPrimitives.Divide(gradient, options.Workers, gradient);
            }
        }
        (context.Work.Flops, context.Work.Bytes) = (4 * problem.ProductFlops, 4.0 * (2 + 4) * rows * width);
        return new(loss, first, second);
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(ContrastiveProblem problem) => new(4 * problem.ProductFlops, null);
}
