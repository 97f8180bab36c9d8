using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>
/// Adam as PyTorch defines it (Kingma and Ba, arXiv 1412.6980), on the flat vectors of a network: <c>m ← β₁m + (1−β₁)g</c>,
/// <c>v ← β₂v + (1−β₂)g²</c>, <c>θ ← θ − η m̂ / (√v̂ + ε)</c> with <c>m̂ = m/(1−β₁ᵗ)</c>, <c>v̂ = v/(1−β₂ᵗ)</c>. A parameter whose gradient
/// has always been 0 keeps its bytes. Cost: one pass over the parameters; memory two vectors of their size.
/// </summary>
/// <param name="network">Whose parameters are changed.</param>
/// <param name="learningRate">η, not negative.</param>
public sealed class Adam(Network network, double learningRate) : IDisposable
{
    private const float Beta1 = 0.9f, Beta2 = 0.999f, Epsilon = 1e-8f;
    private readonly FlatVector _first = new(network.ParameterValues.Length), _second = new(network.ParameterValues.Length);
    private int _steps;

    /// <summary>η.</summary>
    public double LearningRate { get; set; } = learningRate;

    /// <summary>The mean gradient <c>m</c>, <c>[P]</c>, live.</summary>
    public Tensor First => _first.Tensor;

    /// <summary>The mean squared gradient <c>v</c>, <c>[P]</c>, live.</summary>
    public Tensor Second => _second.Tensor;

    /// <summary>Changes the parameters by the gradient that the network holds; the gradient stays.</summary>
    public void Step()
    {
        _steps++;
        float rate = (float)(LearningRate / (1 - Math.Pow(Beta1, _steps))), root = (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, _steps)));
        Span<float> parameters = network.ParameterValues, gradient = network.GradientValues, first = _first.Values, second = _second.Values;
        for (int i = 0; i < parameters.Length; i++)
        {
            float g = gradient[i], m = Beta1 * first[i] + (1 - Beta1) * g, v = Beta2 * second[i] + (1 - Beta2) * g * g;
            (first[i], second[i]) = (m, v);
            parameters[i] -= rate * m / (MathF.Sqrt(v) * root + Epsilon);
        }
        GC.KeepAlive(network);
    }

    /// <summary>Starts anew: both means and the number of steps are 0.</summary>
    public void Reset()
    {
        _first.Values.Clear();
        _second.Values.Clear();
        _steps = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }
}
