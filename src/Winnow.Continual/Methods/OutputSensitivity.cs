using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How much the size of a network's answer depends on each weight: what memory-aware synapses and task-free consolidation call importance.</summary>
internal static class OutputSensitivity
{
    /// <summary>Σ_n ‖f(x_n)‖₂², of logits [N, classes].</summary>
    public static Tensor SquaredNorms(Tensor logits) => logits.square().sum();

    /// <summary>Σ_n ‖f(x_n)‖₂, of logits [N, classes]; its derivative at logits of zero is zero.</summary>
    public static Tensor Norms(Tensor logits) => linalg.vector_norm(logits, 2, [1]).sum();

    /// <summary>
    /// Σ over groups of rows of |∂ size(f(x_group)) / ∂θ| [P], in prediction mode. With groups of one row this is the sum over rows of the
    /// absolute derivatives; with larger groups derivatives of opposite signs cancel. Leaves a gradient behind. Cost: N rows forward and backward.
    /// </summary>
    public static Tensor Sum(Network network, Tensor x, int group, Func<Tensor, Tensor> size, CancellationToken cancellation)
    {
        network.Training = false;
        var sum = zeros_like(network.Parameters);
        for (long start = 0; start < x.shape[0]; start += group)
        {
            cancellation.ThrowIfCancellationRequested();
            using var rows = x.narrow(0, start, Math.Min(group, x.shape[0] - start));
            network.ZeroGradient();
            network.AddGradient(rows, size);
            using var magnitude = network.Gradient.abs();
            sum.add_(magnitude);
        }
        return sum;
    }
}
