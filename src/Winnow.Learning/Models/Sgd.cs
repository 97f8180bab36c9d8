using System.Numerics.Tensors;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.Learning;

/// <summary>
/// Stochastic gradient descent with momentum and weight decay as PyTorch defines them (<c>v ← μv + g + λθ</c>, <c>θ ← θ − ηfv</c>),
/// on the flat vectors of a network. Each range of parameters has a factor <c>f</c> on the learning rate: 1 at first, smaller for
/// slow learners, 0 for frozen ones, whose bytes do not change. Cost: one pass over the parameters, no allocation.
/// </summary>
public sealed class Sgd : IDisposable
{
    private readonly Network _network;
    private readonly FlatVector? _velocity;
    private readonly float[] _factors;
    private List<(int Offset, int Length, float Factor)> _ranges;

    /// <summary>An optimiser of a network; with momentum it holds as much memory as the parameters until it is disposed of.</summary>
    /// <param name="network">Whose parameters are changed.</param>
    /// <param name="learningRate">η, not negative.</param>
    /// <param name="momentum">μ, in [0, 1).</param>
    /// <param name="weightDecay">λ, not negative.</param>
    public Sgd(Network network, double learningRate, double momentum = 0, double weightDecay = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(learningRate);
        ArgumentOutOfRangeException.ThrowIfNegative(momentum);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(momentum, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(weightDecay);
        _network = network;
        LearningRate = learningRate;
        Momentum = momentum;
        WeightDecay = weightDecay;
        int length = network.ParameterValues.Length;
        _velocity = momentum == 0 ? null : new FlatVector(length);
        _factors = new float[length];
        _factors.AsSpan().Fill(1);
        _ranges = Runs(_factors);
    }

    /// <summary>η.</summary>
    public double LearningRate { get; set; }

    /// <summary>μ.</summary>
    public double Momentum { get; }

    /// <summary>λ.</summary>
    public double WeightDecay { get; }

    /// <summary>Sets the factor on the learning rate of one module.</summary>
    /// <param name="module">A module of the network.</param>
    /// <param name="factor">Not negative; 0 freezes.</param>
    public void SetFactor(NetworkModule module, double factor) => SetFactor(module.Offset, module.Length, factor);

    /// <summary>Sets the factor on the learning rate of a range of the flat vector.</summary>
    /// <param name="offset">First parameter.</param>
    /// <param name="length">Number of parameters.</param>
    /// <param name="factor">Not negative; 0 freezes.</param>
    public void SetFactor(int offset, int length, double factor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(factor);
        _factors.AsSpan(offset, length).Fill((float)factor);
        _ranges = Runs(_factors);
    }

    /// <summary>Sets a factor for every single parameter, e.g. a mask of zeros and ones.</summary>
    /// <param name="factors">One per parameter, not negative.</param>
    public void SetFactors(ReadOnlySpan<float> factors)
    {
        if (factors.Length != _factors.Length)
            throw new ArgumentException($"{factors.Length} factors for {_factors.Length} parameters", nameof(factors));
        factors.CopyTo(_factors);
        _ranges = Runs(_factors);
    }

    /// <summary>Changes the parameters by the gradient that the network holds; the gradient stays.</summary>
    public void Step()
    {
        foreach (var (offset, length, factor) in _ranges)
        {
            var parameters = _network.ParameterValues.Slice(offset, length);
            var gradient = _network.GradientValues.Slice(offset, length);
            float rate = -(float)LearningRate * factor, decay = (float)WeightDecay;
            if (Momentum == 0)
            {
                // θ ← θ − ηf(g + λθ), in one pass
                if (decay != 0)
                    TensorPrimitives.Multiply(parameters, 1 + rate * decay, parameters);
                TensorPrimitives.MultiplyAdd(gradient, rate, parameters, parameters);
                continue;
            }
            var velocity = _velocity!.Values.Slice(offset, length);
            TensorPrimitives.MultiplyAdd(velocity, (float)Momentum, gradient, velocity);
            if (decay != 0)
                TensorPrimitives.MultiplyAdd(parameters, decay, velocity, velocity);
            TensorPrimitives.MultiplyAdd(velocity, rate, parameters, parameters);
        }
        GC.KeepAlive(_network);
    }

    /// <summary>Forgets the momentum; factors and learning rate stay.</summary>
    public void Reset() => _velocity?.Values.Clear();

    /// <summary>The momentum <c>v</c>, <c>[P]</c>, live: part of what a training run remembers; null without momentum.</summary>
    public Tensor? Velocity => _velocity?.Tensor;

    /// <inheritdoc/>
    public void Dispose() => _velocity?.Dispose();

    /// <summary>The runs of equal factors, without the frozen ones.</summary>
    private static List<(int Offset, int Length, float Factor)> Runs(ReadOnlySpan<float> factors)
    {
        var runs = new List<(int, int, float)>();
        for (int start = 0, end; start < factors.Length; start = end)
        {
            float factor = factors[start];
            int length = factors[start..].IndexOfAnyExcept(factor);
            end = length < 0 ? factors.Length : start + length;
            if (factor != 0)
                runs.Add((start, end - start, factor));
        }
        return runs;
    }
}
