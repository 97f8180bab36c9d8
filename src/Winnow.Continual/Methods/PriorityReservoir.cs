using Winnow.Core;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Winnow.Continual;

/// <summary>
/// A sample of rows of fixed size, as evenly spread over keys as the stream allows and uniform within each key: every row draws a random
/// priority, and when the memory is full the row of lowest priority of a largest key gives way. A row below the highest priority that its key
/// has ever lost is not taken, so that what is kept of a key are its highest priorities of all that came.
/// <para>Cost: O(capacity) a row offered; all memory is taken at construction.</para>
/// </summary>
public sealed class PriorityReservoir : IDisposable
{
    private readonly SeededRandom _random;
    private readonly Tensor _x, _keys, _priorities, _lost, _counter;

    /// <summary>An empty reservoir.</summary>
    /// <param name="capacity">Rows kept at most.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="keys">Number of keys.</param>
    /// <param name="random">The priorities.</param>
    public PriorityReservoir(int capacity, int width, int keys, SeededRandom random)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(keys, 1);
        _random = random;
        _x = zeros(capacity, width).DetachFromDisposeScope();
        _keys = full(capacity, -1, ScalarType.Int64).DetachFromDisposeScope();
        _priorities = zeros(capacity, ScalarType.Float64).DetachFromDisposeScope();
        _lost = zeros(keys, ScalarType.Float64).DetachFromDisposeScope();
        _counter = zeros(5, ScalarType.Int64).DetachFromDisposeScope(); // rows kept, then the random state
        random.Save(_counter.Values<long>()[1..]);
    }

    /// <summary>Rows kept.</summary>
    public int Count => (int)_counter.Values<long>()[0];

    /// <summary>All rows kept, with their keys in the place of labels, as views; the current dispose scope owns them.</summary>
    public Batch Content => new(_x.narrow(0, 0, Count), _keys.narrow(0, 0, Count), false);

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
    [
        new($"{prefix}.x", StateKind.Memory, _x), new($"{prefix}.keys", StateKind.Memory, _keys), new($"{prefix}.priorities", StateKind.Memory, _priorities),
        new($"{prefix}.lost", StateKind.Counter, _lost), new($"{prefix}.counter", StateKind.Counter, _counter),
    ];

    /// <summary>Offers rows [n, width] with a key for each.</summary>
    public void Offer(Tensor x, ReadOnlySpan<long> keys)
    {
        _random.Load(_counter.Values<long>()[1..]);
        for (int i = 0; i < keys.Length; i++)
            Offer(x, i, keys[i], _random.NextDouble());
        _random.Save(_counter.Values<long>()[1..]);
    }

    private void Offer(Tensor x, int row, long key, double priority)
    {
        var kept = _keys.Values<long>();
        Span<double> priorities = _priorities.Values<double>(), lost = _lost.Values<double>();
        if (priority <= lost[(int)key])
            return;
        int slot = Count;
        if (slot == kept.Length)
        {
            long[] counts = new long[lost.Length];
            foreach (long k in kept)
                counts[k]++;
            counts[key]++;
            long largest = counts[key] == TensorPrimitives.Max<long>(counts) ? key : Array.IndexOf(counts, TensorPrimitives.Max<long>(counts));
            slot = -1;
            for (int s = 0; s < kept.Length; s++)
                if (kept[s] == largest && (slot < 0 || priorities[s] < priorities[slot]))
                    slot = s;
            if (slot < 0 || (largest == key && priority < priorities[slot]))
            {
                lost[(int)key] = priority; // the new row itself is the lowest
                return;
            }
            lost[(int)largest] = priorities[slot];
        }
        else
            _counter.Values<long>()[0]++;
        using var from = x.narrow(0, row, 1);
        using var to = _x.narrow(0, slot, 1);
        to.copy_(from).Dispose();
        (kept[slot], priorities[slot]) = (key, priority);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[_x, _keys, _priorities, _lost, _counter])
            tensor.Dispose();
    }
}
