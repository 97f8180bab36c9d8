using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// An anchor in weight space, the form that every importance-based method shares: <c>(λ/2) Σ_i Ω_i (θ_i − θ*_i)²</c>, whose gradient
/// <c>λ Ω (θ − θ*)</c> is added to the network's. Before the first task is consolidated Ω is zero. Memory: 2 P values.
/// <para>An explicit gradient step is stable only while η λ Ω_i is below 2 for every weight.</para>
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

    /// <summary>Adds <c>λ Ω (θ − θ*)</c> to the gradient.</summary>
    public void AddGradient(Network network, double strength)
    {
        using var scope = NewDisposeScope();
        network.Gradient.addcmul_(Importance, network.Parameters - Anchor, strength);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Importance.Dispose();
        Anchor.Dispose();
    }
}
