using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A uniform sample, of fixed capacity, of all rows ever offered (Vitter's algorithm R), optionally with a vector stored beside each row
/// (the logits of the time, for distillation). All memory is taken at construction; offering and drawing cost O(rows offered or drawn).
/// </summary>
public sealed class Reservoir : IDisposable
{
    private readonly SeededRandom _random;
    private readonly Tensor _x, _y;
    private readonly Tensor? _extra;
    private readonly Tensor _counter; // rows offered so far, then the four words of the random state: saved and loaded with the rows
    private readonly long[] _order;   // 0, 1, 2, ... between draws

    /// <summary>An empty reservoir.</summary>
    /// <param name="capacity">Rows kept at most.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="random">Chooses what is kept and drawn.</param>
    /// <param name="extraWidth">Values stored beside each row.</param>
    public Reservoir(int capacity, int width, SeededRandom random, int extraWidth = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(extraWidth);
        Capacity = capacity;
        _random = random;
        _x = zeros(capacity, width).DetachFromDisposeScope();
        _y = zeros(capacity, ScalarType.Int64).DetachFromDisposeScope();
        _extra = extraWidth == 0 ? null : zeros(capacity, extraWidth).DetachFromDisposeScope();
        _counter = zeros(5, ScalarType.Int64).DetachFromDisposeScope();
        _order = [.. Enumerable.Range(0, capacity).Select(i => (long)i)];
        random.Save(Counter[1..]);
    }

    /// <summary>Rows kept at most.</summary>
    public int Capacity { get; }

    /// <summary>Whether a vector is stored beside each row.</summary>
    public bool StoresExtra => _extra is not null;

    /// <summary>Rows offered so far.</summary>
    public long Offered => Counter[0];

    /// <summary>Rows kept.</summary>
    public int Count => (int)Math.Min(Capacity, Offered);

    /// <summary>All rows kept, as views: inputs, labels and what is stored beside them.</summary>
    public (Batch Rows, Tensor? Extra) Content => (new(_x.narrow(0, 0, Count), _y.narrow(0, 0, Count), false), _extra?.narrow(0, 0, Count));

    private Span<long> Counter => _counter.Values<long>();

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix)
    {
        yield return new($"{prefix}.x", StateKind.Memory, _x);
        yield return new($"{prefix}.y", StateKind.Memory, _y);
        if (_extra is not null)
            yield return new($"{prefix}.extra", StateKind.Memory, _extra);
        yield return new($"{prefix}.counter", StateKind.Counter, _counter);
    }

    /// <summary>Offers rows one by one; the t-th row ever offered is kept with probability capacity / t.</summary>
    /// <param name="x">Rows, float32 [n, width].</param>
    /// <param name="y">Labels, int64 [n].</param>
    /// <param name="extra">What is stored beside each row, float32 [n, extraWidth]; exactly when the reservoir stores it.</param>
    /// <exception cref="ArgumentException">A shape or type differs; nothing is changed.</exception>
    public void Offer(Tensor x, Tensor y, Tensor? extra = null)
    {
        long rows = y.numel();
        Check(x, _x, rows, nameof(x));
        Check(y, _y, rows, nameof(y));
        if (extra is null != _extra is null)
            throw new ArgumentException(_extra is null ? "This reservoir stores nothing beside a row." : "This reservoir stores a vector beside each row.", nameof(extra));
        if (extra is not null)
            Check(extra, _extra!, rows, nameof(extra));

        using var scope = NewDisposeScope();
        var fromX = x.detach().contiguous().Values<float>();
        var fromY = y.contiguous().Values<long>();
        var fromExtra = extra is null ? [] : extra.detach().contiguous().Values<float>();
        var counter = Counter;
        _random.Load(counter[1..]);
        for (int i = 0; i < rows; i++)
        {
            long offered = counter[0]++;
            long slot = offered < Capacity ? offered : _random.NextInt64(offered + 1);
            if (slot >= Capacity)
                continue;
            CopyRow(fromX, i, _x, (int)slot);
            _y.Values<long>()[(int)slot] = fromY[i];
            if (_extra is not null)
                CopyRow(fromExtra, i, _extra, (int)slot);
        }
        _random.Save(counter[1..]);
    }

    /// <summary>Forgets all rows; the random state goes on.</summary>
    public void Clear() => Counter[0] = 0;

    /// <summary>Draws rows without replacement, all of them when fewer are kept. The current dispose scope owns the batch.</summary>
    public Batch Draw(int count) => DrawWithExtra(count).Rows;

    /// <summary>As <see cref="Draw"/>, with what is stored beside the rows.</summary>
    public (Batch Rows, Tensor? Extra) DrawWithExtra(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        using var index = tensor(Sample(Math.Min(count, Count)));
        return (new(_x.index_select(0, index), _y.index_select(0, index), false), _extra?.index_select(0, index));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _x.Dispose();
        _y.Dispose();
        _extra?.Dispose();
        _counter.Dispose();
    }

    /// <summary>Distinct positions of kept rows: the start of a Fisher-Yates shuffle of 0, 1, 2, ..., which is then set right again.</summary>
    private long[] Sample(int count)
    {
        _random.Load(Counter[1..]);
        var sample = new long[count];
        int kept = Count;
        for (int i = 0; i < count; i++)
        {
            int j = _random.Next(i, kept);
            sample[i] = _order[j];
            _order[j] = _order[i];
        }
        _random.Save(Counter[1..]);
        foreach (long position in sample) // every position that was written to lies among the drawn ones or the first
            _order[position] = position;
        for (int i = 0; i < count; i++)
            _order[i] = i;
        return sample;
    }

    private static void Check(Tensor given, Tensor kept, long rows, string name)
    {
        if (given.dtype != kept.dtype || given.dim() != kept.dim() || given.shape[0] != rows || !given.shape.AsSpan(1).SequenceEqual(kept.shape.AsSpan(1)))
            throw new ArgumentException($"{given.dtype} of shape [{string.Join(", ", given.shape)}]; expected {kept.dtype} [{string.Join(", ", kept.shape.Skip(1).Prepend(rows))}]", name);
    }

    private static void CopyRow(ReadOnlySpan<float> from, int row, Tensor kept, int slot)
    {
        int width = (int)kept.shape[1];
        from.Slice(row * width, width).CopyTo(kept.Values<float>()[(slot * width)..]);
    }
}
