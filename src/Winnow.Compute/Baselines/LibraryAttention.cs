using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>The matrix of all logits, its softmax, and the product with the values, one library call each. Holds two matrices [P, M] a head.</summary>
public sealed class DenseAttention : IComputeMethod<AttentionProblem, float[]>
{
    /// <inheritdoc/>
    public float[] Run(AttentionProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.SetThreads(context.Threads);
        using var held = context.Scratch.Hold(8L * problem.Heads * problem.Queries * problem.Keys);
        (context.Work.Flops, context.Work.Bytes) = (problem.Flops, 5.0 * 4 * problem.Heads * problem.Queries * problem.Keys);
        context.Work.Count("passes", 3);
        using var none = no_grad();
        using var scope = NewDisposeScope();
        var (q, k, v) = Tensors.Of(problem);
        return Tensors.Values((q.matmul(k.transpose(1, 2)) * problem.Scale).softmax(2).matmul(v));
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(AttentionProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return new(problem.Flops, 8.0 * problem.Heads * problem.Queries * problem.Keys);
    }
}

/// <summary>The library's own fused attention, <c>scaled_dot_product_attention</c>; its scratch memory is not known and counted as none.</summary>
public sealed class LibraryAttention : IComputeMethod<AttentionProblem, float[]>
{
    /// <inheritdoc/>
    public float[] Run(AttentionProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.SetThreads(context.Threads);
        (context.Work.Flops, context.Work.Bytes) = (problem.Flops, 4.0 * (problem.Q.LongLength + problem.K.LongLength + problem.V.LongLength + (long)problem.Heads * problem.Queries * problem.ValueWidth));
        using var none = no_grad();
        using var scope = NewDisposeScope();
        var (q, k, v) = Tensors.Of(problem);
        return Tensors.Values(nn.functional.scaled_dot_product_attention(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0)));
    }
}

/// <summary>Options of <see cref="RowAttention"/>.</summary>
public sealed record RowAttentionOptions
{
    /// <summary>Queries of a chunk.</summary>
    [System.ComponentModel.DataAnnotations.Range(1, 65_536), System.ComponentModel.Description("queries whose logits are held at a time")]
    public int QueryChunk { get; init; } = 240;
}

/// <summary>
/// Attention a chunk of queries at a time in three passes over the keys: logits and their maximum, exponentials and their sum, division and
/// values. Holds a matrix [chunk, M], in place.
/// </summary>
public sealed class RowAttention(RowAttentionOptions options) : IComputeMethod<AttentionProblem, float[]>
{
    /// <inheritdoc/>
    public float[] Run(AttentionProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.SetThreads(context.Threads);
        int chunk = Math.Min(options.QueryChunk, problem.Queries);
        using var held = context.Scratch.Hold(4L * chunk * problem.Keys);
        (context.Work.Flops, context.Work.Bytes) = (problem.Flops, 6.0 * 4 * problem.Heads * problem.Queries * problem.Keys);
        context.Work.Count("passes", 3);
        using var none = no_grad();
        using var scope = NewDisposeScope();
        float[] output = new float[(long)problem.Heads * problem.Queries * problem.ValueWidth];
        var (q, k, v) = Tensors.Of(problem);
        var o = Tensors.View(output, problem.Heads, problem.Queries, problem.ValueWidth);
        for (int h = 0; h < problem.Heads; h++)
            for (int start = 0; start < problem.Queries; start += chunk)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                using var each = NewDisposeScope();
                int count = Math.Min(chunk, problem.Queries - start);
                var weights = q[h].narrow(0, start, count).matmul(k[h].t()).mul_(problem.Scale);
                weights.sub_(weights.amax([1], keepdim: true)).exp_();
                weights.div_(weights.sum(1, keepdim: true));
                o[h].narrow(0, start, count).copy_(weights.matmul(v[h]));
            }
        return output;
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(AttentionProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return new(problem.Flops, 4.0 * Math.Min(options.QueryChunk, problem.Queries) * problem.Keys);
    }
}
