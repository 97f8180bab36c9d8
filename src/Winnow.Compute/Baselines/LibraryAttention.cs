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
        using var held = context.Scratch.Hold((long)Predict(problem)!.Value.ScratchBytes);
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
        return new(problem.Flops, 2.0 * 4 * problem.Heads * problem.Queries * problem.Keys);
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
