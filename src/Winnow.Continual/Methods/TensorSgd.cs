using TorchSharp;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Stochastic gradient descent with momentum and weight decay (<c>v ← μv + g + λθ</c>, <c>θ ← θ − ηfv</c>) on single tensors, each with a factor f on the
/// step size, and optionally a largest norm of all gradients together; what <see cref="Winnow.Learning.Sgd"/> is for a network.
/// </summary>
internal sealed class TensorSgd(IReadOnlyList<(Tensor Parameter, double Factor)> parameters, double momentum, double weightDecay, double? clip = null) : IDisposable
{
    private readonly Tensor[] _velocity = [.. parameters.Select(p => zeros_like(p.Parameter, requires_grad: false).DetachFromDisposeScope())];

    /// <summary>One step down the gradient of a loss.</summary>
    /// <returns>The loss.</returns>
    public double Step(Tensor loss, double learningRate)
    {
        var gradients = autograd.grad([loss], [.. parameters.Select(p => p.Parameter)]);
        using var _ = no_grad();
        double norm = clip is null ? 0 : Math.Sqrt(gradients.Sum(g => g.square().sum().ToDouble()));
        if (norm > clip)
            foreach (var gradient in gradients)
                gradient.mul_(clip.Value / norm);
        for (int i = 0; i < parameters.Count; i++)
        {
            var (parameter, factor) = parameters[i];
            _velocity[i].mul_(momentum).add_(gradients[i]).add_(parameter, alpha: weightDecay);
            parameter.add_(_velocity[i], alpha: -learningRate * factor);
        }
        return loss.ToDouble();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var velocity in _velocity)
            velocity.Dispose();
    }
}
