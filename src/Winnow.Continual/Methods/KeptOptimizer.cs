using System.Numerics.Tensors;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>How the weights are moved.</summary>
public enum OptimizerKind
{
    /// <summary>SGD without momentum.</summary>
    Sgd,

    /// <summary>SGD with momentum.</summary>
    Momentum,

    /// <summary>Adam.</summary>
    Adam,
}

/// <summary>
/// An optimiser whose momentum or moments go on from task to task, with the gradient's norm clipped: <c>g ← g · min(1, limit / ‖g‖₂)</c>.
/// Cost: one pass over the parameters; memory 0, 1 or 2 values a parameter.
/// </summary>
/// <param name="kind">Which.</param>
/// <param name="learningRate">Step size.</param>
/// <param name="momentum">Momentum of <see cref="OptimizerKind.Momentum"/>.</param>
/// <param name="clip">The largest norm of the gradient; null for no limit.</param>
/// <param name="reset">Whether it starts anew at every task after all.</param>
public sealed class KeptOptimizer(OptimizerKind kind, double learningRate, double momentum, double? clip, bool reset) : IUpdatePart
{
    private Network? _network;
    private Sgd? _sgd;
    private Adam? _adam;

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
        _adam is not null ? _adam.LiveState.Select(s => new StateEntry($"adam.{s.Key}", s.Key == "t" ? StateKind.Counter : StateKind.Statistics, s.Value))
        : _sgd?.Velocity is { } velocity ? [new("velocity", StateKind.Statistics, velocity)] : [];

    /// <inheritdoc/>
    public void Attach(Network network)
    {
        _network = network;
        if (kind == OptimizerKind.Adam)
            _adam = new(network.ParameterValues.Length, learningRate);
        else
            _sgd = new(network, learningRate, kind == OptimizerKind.Momentum ? momentum : 0);
    }

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        if (!reset)
            return;
        _sgd?.Reset();
        _adam?.Reset();
    }

    /// <inheritdoc/>
    public void Update()
    {
        var gradient = _network!.GradientValues;
        if (clip is { } limit && TensorPrimitives.Norm<float>(gradient) is var norm && norm > limit)
            TensorPrimitives.Multiply(gradient, (float)(limit / norm), gradient);
        _sgd?.Step();
        _adam?.Step(_network.ParameterValues, gradient);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sgd?.Dispose();
        _adam?.Dispose();
    }
}
