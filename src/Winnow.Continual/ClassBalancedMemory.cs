using Winnow.Core;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Winnow.Continual;

/// <summary>
/// The greedy sampler of GDumb: rows of fixed number, as evenly spread over the classes seen as the stream allows. A row is taken when its
/// class has fewer rows than capacity / classes seen; when the memory is full it replaces a random row of a largest class.
/// All memory is taken at construction.
/// </summary>
public sealed class ClassBalancedMemory : IDisposable
{
    private readonly Func<string, SeededRandom> _random;
    private readonly Tensor _x, _y, _counts;

    /// <summary>An empty memory.</summary>
    /// <param name="capacity">Rows kept at most.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="classes">Classes of the whole stream.</param>
    /// <param name="random">Makes a random stream for a purpose.</param>
    public ClassBalancedMemory(int capacity, int width, int classes, Func<string, SeededRandom> random)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        Capacity = capacity;
        _random = random;
        _x = zeros(capacity, width).DetachFromDisposeScope();
        _y = zeros(capacity, ScalarType.Int64).DetachFromDisposeScope();
        _counts = zeros(classes + 1, ScalarType.Int64).DetachFromDisposeScope(); // rows kept of each class, then rows offered so far
    }

    /// <summary>Rows kept at most.</summary>
    public int Capacity { get; }

    /// <summary>Rows kept of each class.</summary>
    public ReadOnlySpan<long> CountPerClass => _counts.Values<long>()[..^1];

    /// <summary>Rows kept.</summary>
    public int Count
    {
        get
        {
            long sum = 0;
            foreach (long count in CountPerClass)
                sum += count;
            return (int)sum;
        }
    }

    /// <summary>All rows kept, as views; the current dispose scope owns them.</summary>
    public Batch Content => new(_x.narrow(0, 0, Count), _y.narrow(0, 0, Count), false);

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
    [
        new($"{prefix}.x", StateKind.Memory, _x),
        new($"{prefix}.y", StateKind.Memory, _y),
        new($"{prefix}.counts", StateKind.Counter, _counts),
    ];

    /// <summary>Offers rows [n, width] one by one. Cost: O(n · (classes + capacity)) at worst.</summary>
    public void Offer(Tensor x, Tensor y)
    {
        using var scope = NewDisposeScope();
        var counts = _counts.Values<long>();
        var random = _random($"memory/{counts[^1]}");
        var labels = y.contiguous().Values<long>();
        for (int i = 0; i < labels.Length; i++)
        {
            counts[^1]++;
            if (Place((int)labels[i], random) is not { } slot)
                continue;
            _x.narrow(0, slot, 1).copy_(x.narrow(0, i, 1));
            _y.Values<long>()[slot] = labels[i];
            counts[(int)labels[i]]++;
        }
    }

    /// <summary>Where a row of a class goes, with what was there struck off the counts; null when it is not taken.</summary>
    private int? Place(int label, SeededRandom random)
    {
        var counts = _counts.Values<long>()[..^1];
        int kept = Count, seen = counts.Length - counts.Count(0L);
        if (counts[label] > 0 && counts[label] >= (double)Capacity / seen)
            return null;
        if (kept < Capacity)
            return kept;
        long most = TensorPrimitives.Max<long>(counts);
        int[] largest = [.. Enumerable.Range(0, counts.Length).Where(c => CountPerClass[c] == most)];
        int victim = largest[random.Next(largest.Length)];
        int[] rows = [.. Enumerable.Range(0, kept).Where(r => _y.Values<long>()[r] == victim)];
        counts[victim]--;
        return rows[random.Next(rows.Length)];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _x.Dispose();
        _y.Dispose();
        _counts.Dispose();
    }
}
