using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>
/// Adam as PyTorch defines it, on a flat vector: <c>g ← g + λθ</c>, <c>m ← β₁m + (1 − β₁)g</c>, <c>v ← β₂v + (1 − β₂)g²</c>,
/// <c>θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)</c>. Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015 (arXiv 1412.6980).
/// Cost: one pass over the parameters, no allocation; twice their memory.
/// </summary>
public sealed class Adam : IDisposable
{
    private const double Epsilon = 1e-8;
    private readonly FlatVector _first, _second;
    private readonly Tensor _steps = zeros(1, ScalarType.Int64).DetachFromDisposeScope();
    private readonly double _beta1, _beta2, _weightDecay;

    /// <summary>An optimiser that has made no step.</summary>
    /// <param name="length">Number of parameters.</param>
    /// <param name="learningRate">η, not negative.</param>
    /// <param name="beta1">β₁, in [0, 1).</param>
    /// <param name="beta2">β₂, in [0, 1).</param>
    /// <param name="weightDecay">λ, not negative.</param>
    public Adam(int length, double learningRate, double beta1 = 0.9, double beta2 = 0.999, double weightDecay = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegative(learningRate);
        ArgumentOutOfRangeException.ThrowIfNegative(beta1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(beta1, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(beta2);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(beta2, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(weightDecay);
        (LearningRate, _beta1, _beta2, _weightDecay) = (learningRate, beta1, beta2, weightDecay);
        (_first, _second) = (new(length), new(length));
    }

    /// <summary>η.</summary>
    public double LearningRate { get; set; }

    /// <summary>What it remembers, live: the moments <c>m</c> and <c>v</c> of one value a parameter and the number of steps made.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> LiveState => [new("m", _first.Tensor), new("v", _second.Tensor), new("t", _steps)];

    /// <summary>Changes the parameters by their gradient.</summary>
    /// <exception cref="ArgumentException">A length is not the optimiser's.</exception>
    public void Step(Span<float> parameters, ReadOnlySpan<float> gradient)
    {
        if (parameters.Length != _first.Length || gradient.Length != _first.Length)
            throw new ArgumentException($"{parameters.Length} parameters and {gradient.Length} derivatives; expected {_first.Length}, the length of the optimiser");
        using var count = _steps + 1;
        _steps.copy_(count);
        long t = count.item<long>();
        double rate = LearningRate / (1 - Math.Pow(_beta1, t)), correction = 1 / (1 - Math.Pow(_beta2, t));
        Span<float> first = _first.Values, second = _second.Values;
        for (int i = 0; i < parameters.Length; i++)
        {
            double g = gradient[i] + _weightDecay * parameters[i];
            double m = _beta1 * first[i] + (1 - _beta1) * g, v = _beta2 * second[i] + (1 - _beta2) * g * g;
            (first[i], second[i]) = ((float)m, (float)v);
            parameters[i] -= (float)(rate * m / (Math.Sqrt(v * correction) + Epsilon));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _steps.Dispose();
    }
}
