using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Which task recruited each hidden unit and each class of a network, and with it the groups of weights that belong together: those that
/// lead from the units of one task to the units of another. Inputs, biases and normalisations belong to the unit they serve.
/// </summary>
internal sealed class UnitTags : IDisposable
{
    /// <summary>The tag of a unit or class that no task has recruited.</summary>
    public const long Free = -1;

    private readonly IReadOnlyList<NetworkModule> _layers; // modules with weights between units, the head last
    private readonly Tensor[] _tags;                       // for each layer, the task of each of its units

    public UnitTags(Network network)
    {
        _layers = [.. network.Modules.Where(m => m.Kind != ModuleKind.BatchNorm)];
        _tags = [.. _layers.Select(m => full(m.Parameters[0].Shape[0], Free, ScalarType.Int64).DetachFromDisposeScope())];
    }

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) => _tags.Select((t, i) => new StateEntry($"{prefix}.{_layers[i].Name}", StateKind.Counter, t));

    /// <summary>Layers of hidden units.</summary>
    public int HiddenLayers => _layers.Count - 1;

    /// <summary>The tags of a hidden layer's units.</summary>
    public Span<long> Hidden(int layer) => _tags[layer].Values<long>();

    /// <summary>The tags of the classes.</summary>
    public Span<long> Classes => _tags[^1].Values<long>();

    /// <summary>The position of a class's weights in the network.</summary>
    public (int Offset, int Length) RowOf(int label)
    {
        var weight = _layers[^1].Parameters[0];
        int width = weight.Length / (int)weight.Shape[0];
        return (weight.Offset + label * width, width);
    }

    /// <summary>The position of a class's bias.</summary>
    public int BiasOf(int label) => _layers[^1].Parameters[1].Offset + label;

    /// <summary>
    /// Every parameter once, in runs that lead from units of one task (source) to a unit (destination). Inputs, biases and normalisations have
    /// their destination as source.
    /// </summary>
    public IEnumerable<Link> Links(Network network)
    {
        for (int l = 0; l < _layers.Count; l++)
        {
            var (weight, bias) = (_layers[l].Parameters[0], _layers[l].Parameters[1]);
            int units = (int)weight.Shape[0], fanIn = weight.Length / units, sources = l == 0 ? 1 : _tags[l - 1].Values<long>().Length, run = fanIn / sources;
            for (int u = 0; u < units; u++)
            {
                long to = _tags[l].Values<long>()[u];
                for (int s = 0, end; s < sources; s = end)
                {
                    long from = l == 0 ? to : _tags[l - 1].Values<long>()[s];
                    for (end = s + 1; end < sources && _tags[l - 1].Values<long>()[end] == from; end++)
                    {
                    }
                    yield return new(weight.Offset + u * fanIn + s * run, (end - s) * run, from, to, l, u);
                }
                yield return new(bias.Offset + u, 1, to, to, l, u);
            }
        }
        foreach (var (module, l) in Norms(network))
            foreach (var range in module.Parameters)
                for (int u = 0; u < range.Length; u++)
                    yield return new(range.Offset + u, 1, _tags[l].Values<long>()[u], _tags[l].Values<long>()[u], l, u);
    }

    /// <summary>The normalisations with the layer that each serves.</summary>
    public static IEnumerable<(NetworkModule Module, int Layer)> Norms(Network network)
    {
        int layer = -1;
        foreach (var module in network.Modules)
            if (module.Kind == ModuleKind.BatchNorm)
                yield return (module, layer);
            else
                layer++;
    }

    /// <summary>The weights that lead into a unit, and the values of its bias and normalisation, as ranges of the parameters.</summary>
    public IEnumerable<(int Offset, int Length)> Incoming(Network network, int layer, int unit)
    {
        var (weight, bias) = (_layers[layer].Parameters[0], _layers[layer].Parameters[1]);
        int fanIn = weight.Length / (int)weight.Shape[0];
        yield return (weight.Offset + unit * fanIn, fanIn);
        yield return (bias.Offset + unit, 1);
        foreach (var (module, l) in Norms(network))
            if (l == layer)
                foreach (var range in module.Parameters)
                    yield return (range.Offset + unit, 1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tags in _tags)
            tags.Dispose();
    }
}

/// <summary>A run of parameters with one stiffness: from the units of a task to one unit.</summary>
/// <param name="Offset">First parameter.</param>
/// <param name="Length">Number of parameters.</param>
/// <param name="From">The task of the source.</param>
/// <param name="To">The task of the destination.</param>
/// <param name="Layer">The destination's layer.</param>
/// <param name="Unit">The destination, or its class when the layer is the head.</param>
internal readonly record struct Link(int Offset, int Length, long From, long To, int Layer, int Unit);
