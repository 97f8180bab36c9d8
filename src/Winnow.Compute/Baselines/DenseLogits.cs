using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>
/// What a user calls otherwise: the whole matrix of logits, the library's cross-entropy, and its automatic differentiation. Holds three
/// matrices [N, V]: logits, their log-probabilities, and the gradient. Time: 6·N·D·V operations.
/// </summary>
public sealed class DenseLogits : IComputeMethod<LossHeadProblem, LossAndGradients>
{
    /// <inheritdoc/>
    public LossAndGradients Run(LossHeadProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.SetThreads(context.Threads);
        using var held = context.Scratch.Hold(3 * problem.LogitBytes);
        (context.Work.Flops, context.Work.Bytes) = (3 * problem.ProductFlops, 6.0 * problem.LogitBytes);
        using var scope = NewDisposeScope();
        var e = Tensors.View(problem.Embeddings, problem.Rows, problem.Width).requires_grad_();
        var c = Tensors.View(problem.Classifier, problem.Vocabulary, problem.Width).requires_grad_();
        var loss = nn.functional.cross_entropy(e.matmul(c.t()), tensor(problem.Targets));
        loss.backward();
        return new(loss.item<float>(), Tensors.Values(e.grad!), Tensors.Values(c.grad!));
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(LossHeadProblem problem) => new(3 * problem.ProductFlops, 3 * problem.LogitBytes);
}

/// <summary>Options of <see cref="RowChunks"/>.</summary>
public sealed record RowChunksOptions
{
    /// <summary>Rows of a chunk.</summary>
    [System.ComponentModel.DataAnnotations.Range(1, 1 << 20), System.ComponentModel.Description("rows whose logits are held at a time; by default as many as make the logits as large as the embeddings, a power of two")]
    public int? Chunk { get; init; }
}

/// <summary>
/// The loss a few rows at a time, gradients in the forward pass and in place (as Liger's fused loss does): one matrix [chunk, V] and
/// what its log-sum-exp needs instead of three of [N, V]. Time: 6·N·D·V operations.
/// </summary>
public sealed class RowChunks(RowChunksOptions options) : IComputeMethod<LossHeadProblem, LossAndGradients>
{
    /// <inheritdoc/>
    public LossAndGradients Run(LossHeadProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.SetThreads(context.Threads);
        int chunk = Chunk(problem);
        using var held = context.Scratch.Hold(Held(problem));
        (context.Work.Flops, context.Work.Bytes) = (3 * problem.ProductFlops, 4.0 * (3L * problem.Rows * problem.Width + 3.0 * ((problem.Rows + chunk - 1) / chunk) * problem.Vocabulary * problem.Width));
        using var none = no_grad();
        using var scope = NewDisposeScope();
        float[] first = new float[problem.Embeddings.Length], second = new float[problem.Classifier.Length];
        Tensor e = Tensors.View(problem.Embeddings, problem.Rows, problem.Width), c = Tensors.View(problem.Classifier, problem.Vocabulary, problem.Width), targets = tensor(problem.Targets);
        Tensor dE = Tensors.View(first, problem.Rows, problem.Width), dC = Tensors.View(second, problem.Vocabulary, problem.Width);
        double loss = 0;
        for (int start = 0; start < problem.Rows; start += chunk)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            using var each = NewDisposeScope();
            int count = Math.Min(chunk, problem.Rows - start);
            Tensor rows = e.narrow(0, start, count), t = targets.narrow(0, start, count).unsqueeze(1), g = rows.matmul(c.t());
            var lse = g.logsumexp(1, keepdim: true);
            loss += (lse - g.gather(1, t)).sum().item<float>();
            g.sub_(lse).exp_();
            g.scatter_add_(1, t, full_like(lse, -1)).div_(problem.Rows);
            dE.narrow(0, start, count).copy_(g.matmul(c));
            dC.addmm_(g.t(), rows);
        }
        return new(loss / problem.Rows, first, second);
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(LossHeadProblem problem) => new(3 * problem.ProductFlops, Held(problem));

    private int Chunk(LossHeadProblem problem)
    {
        int parts = Math.Max(1, (problem.Vocabulary + problem.Width - 1) / problem.Width);
        return Math.Min(problem.Rows, options.Chunk ?? (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)((problem.Rows + parts - 1) / parts)));
    }

    /// <summary>The logits of a chunk, their exponentials inside the log-sum-exp, and the chunk's gradient of the embeddings.</summary>
    private long Held(LossHeadProblem problem) => 4L * Chunk(problem) * (2L * problem.Vocabulary + problem.Width);
}
