using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// What a method without a network of its own looks at: the features of the pre-trained encoder, never changed, where the stream has one;
/// otherwise the standardised inputs themselves.
/// </summary>
internal sealed class FeatureSpace(LearnerSetup setup) : IDisposable
{
    private readonly Network? _encoder = setup.Pretrained ? setup.Network() : null;

    /// <summary>Values of a row.</summary>
    public int Width => _encoder?.Architecture.Features ?? setup.Width;

    /// <summary>The encoder's weights.</summary>
    public IEnumerable<StateEntry> State => _encoder?.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)) ?? [];

    /// <summary>Rows passed forward to see n rows.</summary>
    public long Forwards(long rows) => _encoder is null ? 0 : rows;

    /// <summary>Rows [n, width] as features [n, <see cref="Width"/>] in float64; the current dispose scope owns them.</summary>
    public Tensor Of(Tensor x)
    {
        if (_encoder is null)
            return x.to_type(ScalarType.Float64);
        using var _ = no_grad();
        _encoder.Training = false;
        using var features = _encoder.Features(x);
        return features.to_type(ScalarType.Float64);
    }

    /// <inheritdoc/>
    public void Dispose() => _encoder?.Dispose();
}
