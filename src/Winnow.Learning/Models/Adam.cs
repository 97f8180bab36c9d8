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

    /// <summary>The mean gradient <c>m</c>, one value a parameter, live.</summary>
    public Tensor First => _first.Tensor;

    /// <summary>The mean squared gradient <c>v</c>, one value a parameter, live.</summary>
    public Tensor Second => _second.Tensor;

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
        var (rate, correction) = Rates(count.item<long>());
        Span<float> first = _first.Values, second = _second.Values;
        for (int i = 0; i < parameters.Length; i++)
        {
            var (m, v) = Moments(i, gradient[i] + _weightDecay * parameters[i]);
            (first[i], second[i]) = ((float)m, (float)v);
            parameters[i] -= (float)(rate * m / (Math.Sqrt(v * correction) + Epsilon));
        }
    }

    /// <summary>What the next step would add to the parameters; nothing moves. Without weight decay.</summary>
    /// <exception cref="ArgumentException">A length is not the optimiser's.</exception>
    public void Candidate(ReadOnlySpan<float> gradient, Span<float> change)
    {
        if (gradient.Length != _first.Length || change.Length != _first.Length)
            throw new ArgumentException($"{gradient.Length} derivatives and {change.Length} changes; expected {_first.Length}, the length of the optimiser");
        using var count = _steps + 1;
        var (rate, correction) = Rates(count.item<long>());
        for (int i = 0; i < change.Length; i++)
        {
            var (m, v) = Moments(i, gradient[i]);
            change[i] = -(float)(rate * m / (Math.Sqrt(v * correction) + Epsilon));
        }
    }

    private (double Rate, double Correction) Rates(long step) => (LearningRate / (1 - Math.Pow(_beta1, step)), 1 / (1 - Math.Pow(_beta2, step)));

    private (double First, double Second) Moments(int i, double g) =>
        (_beta1 * _first.Values[i] + (1 - _beta1) * g, _beta2 * _second.Values[i] + (1 - _beta2) * g * g);

    /// <summary>Starts anew: both means and the number of steps are 0.</summary>
    public void Reset()
    {
        _first.Values.Clear();
        _second.Values.Clear();
        _steps.zero_();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        _steps.Dispose();
    }
}
