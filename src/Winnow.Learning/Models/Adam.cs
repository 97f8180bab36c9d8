using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.Learning;

/// <summary>
/// Adam as PyTorch defines it, on the flat vectors of a network: <c>m ← β₁m + (1 − β₁)g</c>, <c>v ← β₂v + (1 − β₂)g²</c>,
/// <c>θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)</c>. Memory: two values a parameter.
/// <para>Paper: Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015 (arXiv 1412.6980).</para>
/// </summary>
public sealed class Adam : IDisposable
{
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;
    private readonly Network _network;
    private readonly FlatVector _first, _second;

    /// <summary>An optimiser of a network.</summary>
    /// <param name="network">Whose parameters are changed.</param>
    /// <param name="learningRate">η, not negative.</param>
    public Adam(Network network, double learningRate)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(learningRate);
        _network = network;
        LearningRate = learningRate;
        _first = new(network.ParameterValues.Length);
        _second = new(network.ParameterValues.Length);
        Steps = zeros(1, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>η.</summary>
    public double LearningRate { get; set; }

    /// <summary>m <c>[P]</c>, live.</summary>
    public Tensor First => _first.Tensor;

    /// <summary>v <c>[P]</c>, live.</summary>
    public Tensor Second => _second.Tensor;

    /// <summary>t, int64 <c>[1]</c>, live.</summary>
    public Tensor Steps { get; }

    /// <summary>Changes the parameters by the gradient that the network holds; the gradient stays.</summary>
    public void Step()
    {
        double t = ++MemoryMarshal.Cast<byte, long>(Steps.bytes)[0];
        float rate = (float)(LearningRate / (1 - Math.Pow(Beta1, t))), scale = (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, t)));
        Span<float> parameters = _network.ParameterValues, gradient = _network.GradientValues, first = _first.Values, second = _second.Values;
        TensorPrimitives.Lerp<float>(first, gradient, (float)(1 - Beta1), first);
        for (int i = 0; i < parameters.Length; i++)
        {
            second[i] = (float)Beta2 * second[i] + (float)(1 - Beta2) * gradient[i] * gradient[i];
            parameters[i] -= rate * first[i] / (scale * MathF.Sqrt(second[i]) + (float)Epsilon);
        }
        GC.KeepAlive(_network);
    }

    /// <summary>Forgets the moments.</summary>
    public void Reset()
    {
        _first.Values.Clear();
        _second.Values.Clear();
        Steps.bytes.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
        Steps.Dispose();
    }
}
