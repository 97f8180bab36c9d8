using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>
/// What a user calls otherwise: the whole matrix of similarities, the library's cross-entropy by rows and by columns, and its automatic
/// differentiation. Holds five matrices [n, n]: the similarities, the log-probabilities and the gradient of either direction.
/// </summary>
public sealed class DenseSimilarities : IComputeMethod<ContrastiveProblem, LossAndGradients>
{
    private const int Matrices = 5;

    /// <inheritdoc/>
    public LossAndGradients Run(ContrastiveProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.SetThreads(context.Threads);
        using var held = context.Scratch.Hold(Matrices * problem.LogitBytes);
        (context.Work.Flops, context.Work.Bytes) = (3 * problem.ProductFlops, 2.0 * Matrices * problem.LogitBytes);
        using var scope = NewDisposeScope();
        var q = Tensors.View(problem.Queries, problem.Rows, problem.Width).requires_grad_();
        var k = Tensors.View(problem.Keys, problem.Rows, problem.Width).requires_grad_();
        Tensor similarities = (problem.Scale * q).matmul(k.t()), diagonal = arange(problem.Rows);
        var loss = (nn.functional.cross_entropy(similarities, diagonal) + nn.functional.cross_entropy(similarities.t(), diagonal)) / 2;
        loss.backward();
        return new(loss.item<float>(), Tensors.Values(q.grad!), Tensors.Values(k.grad!));
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(ContrastiveProblem problem) => new(3 * problem.ProductFlops, Matrices * problem.LogitBytes);
}
