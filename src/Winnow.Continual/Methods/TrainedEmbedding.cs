using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>The features of a network, trained by Adam; the network's head takes no part.</summary>
internal sealed class TrainedEmbedding : IDisposable
{
    private readonly Network _network;
    private readonly Adam _adam;

    /// <summary>Takes over the network.</summary>
    public TrainedEmbedding(Network network, double learningRate, double weightDecay)
    {
        _network = network;
        _adam = new(Parameters, learningRate, weightDecay: weightDecay);
    }

    /// <summary>Values of an embedding.</summary>
    public int Width => _network.Architecture.Features;

    /// <summary>The encoder's weights and the optimiser's moments.</summary>
    public IEnumerable<StateEntry> State =>
    [
        .. _network.Modules.SkipLast(1).SelectMany(m => m.Parameters.Concat(m.Buffers)).Join(_network.LiveState, r => r.Name, s => s.Key, (_, s) => new StateEntry(s.Key, StateKind.Model, s.Value)),
        .. _adam.LiveState.Select(s => new StateEntry($"adam.{s.Key}", s.Key == "t" ? StateKind.Counter : StateKind.Statistics, s.Value)),
    ];

    private int Parameters => _network.Modules[^1].Offset;

    /// <summary>Embeddings [n, <see cref="Width"/>] of rows [n, inputs], off the tape; the current dispose scope owns them.</summary>
    public Tensor Of(Tensor x)
    {
        using var _ = no_grad();
        _network.Training = false;
        return _network.Features(x);
    }

    /// <summary>One step on a float64 loss of the embeddings of rows; gives the embeddings before the step, off the tape, and the loss.</summary>
    public (Tensor Embeddings, double Loss) Learn(Tensor x, Func<Tensor, Tensor> loss)
    {
        using var scope = NewDisposeScope();
        _network.Training = true;
        _network.ZeroGradient();
        var z = _network.Features(x);
        var value = loss(z);
        if (Parameters > 0)
        {
            value.backward();
            _adam.Step(_network.ParameterValues[..Parameters], _network.GradientValues[..Parameters]);
        }
        return (z.detach().clone().MoveToOuterDisposeScope(), value.item<double>());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _adam.Dispose();
        _network.Dispose();
    }
}
