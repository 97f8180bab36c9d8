using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>A whole number kept in a tensor, so that it is saved, loaded and hashed with the rest of a learner's state.</summary>
internal sealed class Counter(string name) : IDisposable
{
    private readonly Tensor _value = zeros(1, ScalarType.Int64).DetachFromDisposeScope();

    /// <summary>The number.</summary>
    public long Value
    {
        get => _value.Values<long>()[0];
        set => _value.Values<long>()[0] = value;
    }

    /// <summary>The piece of state.</summary>
    public StateEntry State => new(name, StateKind.Counter, _value);

    /// <inheritdoc/>
    public void Dispose() => _value.Dispose();
}
