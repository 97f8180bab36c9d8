using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Rows of a fixed number of slots, each with a score: what is put where is the caller's decision. All memory is taken at construction.</summary>
internal sealed class ScoredRows : IDisposable
{
    private readonly Tensor _x, _y, _scores;
    private readonly Counter _count;
    private readonly string _name;

    /// <summary>No rows.</summary>
    /// <param name="name">Prefix of the names of its state.</param>
    /// <param name="capacity">Slots; may be 0.</param>
    /// <param name="width">Values a row.</param>
    public ScoredRows(string name, int capacity, int width)
    {
        (_name, Capacity, _count) = (name, capacity, new($"{name}.count"));
        _x = zeros(capacity, width).DetachFromDisposeScope();
        _y = zeros(capacity, ScalarType.Int64).DetachFromDisposeScope();
        _scores = zeros(capacity).DetachFromDisposeScope();
    }

    /// <summary>Slots.</summary>
    public int Capacity { get; }

    /// <summary>Rows kept: the first slots.</summary>
    public int Count => (int)_count.Value;

    /// <summary>The rows kept, as views.</summary>
    public Batch Content => new(_x.narrow(0, 0, Count), _y.narrow(0, 0, Count), false);

    /// <summary>Their scores, in place.</summary>
    public Span<float> Scores => _scores.Values<float>()[..Count];

    /// <summary>What is remembered.</summary>
    public IEnumerable<StateEntry> State =>
        [new($"{_name}.x", StateKind.Memory, _x), new($"{_name}.y", StateKind.Memory, _y), new($"{_name}.scores", StateKind.Memory, _scores), _count.State];

    /// <summary>Puts row i of a batch into a slot: one that is taken, or the first free one.</summary>
    public void Set(int slot, Batch rows, long i, float score)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slot, Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, Capacity);
        using var scope = NewDisposeScope();
        _x[slot] = rows.X[i];
        _y[slot] = rows.Y[i];
        _scores.Values<float>()[slot] = score;
        _count.Value = Math.Max(Count, slot + 1);
    }

    /// <summary>Empties all slots.</summary>
    public void Clear() => _count.Value = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_x, _y, _scores, _count])
            owned.Dispose();
    }
}
