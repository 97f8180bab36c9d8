using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>A linear layer from features to the unit sphere, trained by Adam, with PyTorch's default initial weights.</summary>
internal sealed class ProjectionHead : IDisposable
{
    private readonly int _features, _width;
    private readonly Tensor _weights, _gradient; // W [width, features] row-major, then b [width]
    private readonly Adam _adam;

    /// <summary>A head that makes its own optimiser.</summary>
    public ProjectionHead(int features, int width, SeededRandom random, Func<int, Adam> optimizer)
    {
        (_features, _width) = (features, width);
        double bound = 1 / Math.Sqrt(features);
        float[] initial = [.. Enumerable.Range(0, width * (features + 1)).Select(_ => (float)(bound * (2 * random.NextDouble() - 1)))];
        _weights = tensor(initial, requires_grad: true).DetachFromDisposeScope();
        _gradient = zeros(initial.Length).DetachFromDisposeScope();
        _weights.grad = _gradient;
        _adam = optimizer(initial.Length);
    }

    /// <summary>Values of a projection.</summary>
    public int Width => _width;

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) => _adam.LiveState.Select(s => new StateEntry($"{prefix}.{s.Key}", s.Key == "t" ? StateKind.Counter : StateKind.Statistics, s.Value))
        .Prepend(new($"{prefix}.weights", StateKind.Statistics, _weights));

    /// <summary>Projections [n, width] of length one from features [n, features], on the tape.</summary>
    public Tensor Project(Tensor features)
    {
        using var scope = NewDisposeScope();
        var w = _weights.narrow(0, 0, (long)_width * _features).view(_width, _features);
        var b = _weights.narrow(0, (long)_width * _features, _width);
        return F.normalize(F.linear(features, w, b), dim: 1).MoveToOuterDisposeScope();
    }

    /// <summary>Sets the gradient to zero.</summary>
    public void ZeroGradient() => _gradient.Values<float>().Clear();

    /// <summary>Changes the weights by the gradient that backward passes have left.</summary>
    public void Step() => _adam.Step(_weights.Values<float>(), _gradient.Values<float>());

    /// <inheritdoc/>
    public void Dispose()
    {
        _weights.Dispose();
        _gradient.Dispose();
        _adam.Dispose();
    }
}
