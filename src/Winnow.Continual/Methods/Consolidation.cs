using System.Numerics;
using Winnow.Learning;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Winnow.Continual;

/// <summary>
/// A stiffness b for every weight, set group by group, in the anchor <c>Σ_i b_i (θ_i − θ*_i)²</c>: 0 is free, small is elastic, infinite
/// is frozen to the bit.
/// <para>A gradient step on it, <c>2 η b (θ − θ*)</c>, diverges as soon as η b reaches 1. The penalty is taken where the step ends instead:
/// <c>θ ← (θ' + 2ηb θ*) / (1 + 2ηb)</c> with θ' the weights after the optimiser's step, exact for any b. Being applied to the weights
/// and not to the gradient, it holds frozen ones against momentum too.</para>
/// <para>Cost: one interpolation per weight and step; memory 2 P values.</para>
/// </summary>
/// <param name="parameters">Number of parameters P.</param>
public sealed class Consolidation(int parameters) : IDisposable
{
    private readonly Tensor _pull = zeros(parameters).DetachFromDisposeScope(); // 2ηb / (1 + 2ηb), 1 for an infinite b
    private readonly Tensor _anchor = zeros(parameters).DetachFromDisposeScope();

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
    [
        new($"{prefix}.pull", StateKind.Statistics, _pull),
        new($"{prefix}.anchor", StateKind.Statistics, _anchor),
    ];

    /// <summary>Where each weight is held, θ* [P].</summary>
    public Tensor Anchor => _anchor;

    /// <summary>By which share of the way back each weight goes in a step, <c>2ηb / (1 + 2ηb)</c> [P]: 0 is free, 1 frozen.</summary>
    public Tensor Pull => _pull;

    /// <summary>Anchors all weights where they are and gives every group its stiffness.</summary>
    /// <param name="network">The network.</param>
    /// <param name="groups">Ranges of the parameters with their b, 0 to infinity: together all parameters, each once.</param>
    /// <param name="learningRate">η, the step size of the optimiser.</param>
    /// <exception cref="ArgumentException">A negative b, a weight in two groups or in none; nothing is changed.</exception>
    public void Assign(Network network, IEnumerable<(int Offset, int Length, double Stiffness)> groups, double learningRate)
    {
        var pull = new float[parameters];
        Array.Fill(pull, float.NaN); // in no group yet
        foreach (var (offset, length, b) in groups)
        {
            float share = (float)Share(b, learningRate);
            var range = pull.AsSpan(offset, length);
            int taken = range.IndexOfAnyExcept(float.NaN);
            if (taken >= 0)
                throw new ArgumentException($"parameter {offset + taken} is in two groups; each weight has one stiffness: let the groups not overlap", nameof(groups));
            range.Fill(share);
        }
        int missing = Array.FindIndex(pull, float.IsNaN);
        if (missing >= 0)
            throw new ArgumentException($"parameter {missing} is in no group and would have no anchor; cover all {parameters} parameters (stiffness 0 for free ones)", nameof(groups));
        pull.CopyTo(_pull.Values<float>());
        _anchor.copy_(network.Parameters);
    }

    /// <summary>After the optimiser's step: draws the weights towards their anchors.</summary>
    public void Apply(Network network) => Draw<float>(network.ParameterValues, _anchor.Values<float>(), _pull.Values<float>());

    /// <summary><c>2ηb / (1 + 2ηb)</c>, 1 for an infinite b.</summary>
    /// <param name="stiffness">b.</param>
    /// <param name="learningRate">η.</param>
    /// <exception cref="ArgumentOutOfRangeException">b is negative, which has no minimum, or not a number.</exception>
    public static double Share(double stiffness, double learningRate) =>
        stiffness >= 0 ? double.IsInfinity(stiffness) ? 1 : 1 - 1 / (1 + 2 * learningRate * stiffness)
            : throw new ArgumentOutOfRangeException(nameof(stiffness), stiffness, $"a stiffness of {stiffness}; expected 0 (free) to infinity (frozen): a negative one drives weights away without bound");

    /// <summary>θ ← (1 − pull) θ + pull θ*: θ itself where the pull is 0, θ* itself where it is 1.</summary>
    /// <param name="weights">θ, changed in place.</param>
    /// <param name="anchor">θ*.</param>
    /// <param name="pull">The <see cref="Share"/> of each weight.</param>
    public static void Draw<T>(Span<T> weights, ReadOnlySpan<T> anchor, ReadOnlySpan<T> pull) where T : IFloatingPointIeee754<T> =>
        TensorPrimitives.Lerp(weights, anchor, pull, weights);

    /// <inheritdoc/>
    public void Dispose()
    {
        _pull.Dispose();
        _anchor.Dispose();
    }
}
