using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// An anchor in weight space, the form that every importance-based method shares: <c>(λ/2) Σ_i Ω_i (θ_i − θ*_i)²</c>. Before the first
/// task is consolidated Ω is zero. Memory: 2 P values.
/// <para>A gradient step on it, <c>θ ← θ − η (g + λ Ω (θ − θ*))</c>, diverges as soon as η λ Ω_i exceeds 2 for a single weight, and
/// importances differ by orders of magnitude between weights. So the penalty is taken where the step ends, not where it starts (an
/// implicit or proximal step): <c>θ ← (θ − η g + η λ Ω θ*) / (1 + η λ Ω)</c>, stable at any strength, with the same stationary points,
/// and equal to the gradient step up to terms of order (η λ Ω)².</para>
/// </summary>
/// <param name="parameters">Number of parameters P.</param>
public sealed class QuadraticPenalty(int parameters) : IDisposable
{
    /// <summary>How much each weight matters, Ω [P], not negative.</summary>
    public Tensor Importance { get; } = zeros(parameters).DetachFromDisposeScope();

    /// <summary>Where each weight is held, θ* [P].</summary>
    public Tensor Anchor { get; } = zeros(parameters).DetachFromDisposeScope();

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
    [
        new($"{prefix}.importance", StateKind.Statistics, Importance),
        new($"{prefix}.anchor", StateKind.Statistics, Anchor),
    ];

    /// <summary>The penalty <c>(λ/2) Σ_i Ω_i (θ_i − θ*_i)²</c>.</summary>
    public double Value(Network network, double strength)
    {
        using var scope = NewDisposeScope();
        return strength / 2 * (Importance * (network.Parameters - Anchor).square()).sum(ScalarType.Float64).item<double>();
    }

    /// <summary>
    /// Turns the gradient g of the loss into <c>(g + λ Ω (θ − θ*)) / (1 + η λ Ω)</c>, with which an SGD step of size η is the implicit step.
    /// With η = 0 this is the gradient of loss and penalty.
    /// </summary>
    /// <param name="network">Its gradient is changed.</param>
    /// <param name="strength">λ.</param>
    /// <param name="learningRate">η, the step size of the optimiser.</param>
    /// <exception cref="ArgumentException">The network has another number of weights than the anchor.</exception>
    public void Apply(Network network, double strength, double learningRate)
    {
        if (network.ParameterValues.Length != Importance.shape[0])
            throw new ArgumentException($"The anchor holds {Importance.shape[0]} weights and the network has {network.ParameterValues.Length}; expected as many: make the anchor for the network as it will be.", nameof(network));
        using var scope = NewDisposeScope();
        network.Gradient.addcmul_(Importance, network.Parameters - Anchor, strength).div_(1 + learningRate * strength * Importance);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Importance.Dispose();
        Anchor.Dispose();
    }
}
