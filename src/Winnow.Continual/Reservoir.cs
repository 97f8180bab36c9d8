using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A uniform sample, of fixed capacity, of all rows ever offered (Vitter's algorithm R), optionally with a vector stored beside each row
/// (the logits of the time, for distillation). All memory is taken at construction.
/// </summary>
public sealed class Reservoir : IDisposable
{
    private readonly SeededRandom _random;
    private readonly Tensor _x, _y, _counts, _randomState;
    private readonly Tensor? _extra;

    /// <summary>An empty reservoir.</summary>
    /// <param name="capacity">Rows kept at most.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="random">Chooses what is kept and drawn.</param>
    /// <param name="extraWidth">Values stored beside each row.</param>
    public Reservoir(int capacity, int width, SeededRandom random, int extraWidth = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        Capacity = capacity;
        _random = random;
        _x = zeros(capacity, width).DetachFromDisposeScope();
        _y = zeros(capacity, ScalarType.Int64).DetachFromDisposeScope();
        _extra = extraWidth == 0 ? null : zeros(capacity, extraWidth).DetachFromDisposeScope();
        _counts = zeros(2, ScalarType.Int64).DetachFromDisposeScope(); // rows offered so far, rows drawn so far
        _randomState = zeros(4, ScalarType.Int64).DetachFromDisposeScope();
        SaveRandom();
    }

    /// <summary>Rows kept at most.</summary>
    public int Capacity { get; }

    /// <summary>Rows offered so far.</summary>
    public long Offered => _counts.data<long>()[0];

    /// <summary>Rows kept.</summary>
    public int Count => (int)Math.Min(Capacity, Offered);

    /// <summary>All rows kept, as views: inputs, labels and what is stored beside them.</summary>
    public (Batch Rows, Tensor? Extra) Content => (new(_x.narrow(0, 0, Count), _y.narrow(0, 0, Count), false), _extra?.narrow(0, 0, Count));

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix)
    {
        yield return new($"{prefix}.x", StateKind.Memory, _x);
        yield return new($"{prefix}.y", StateKind.Memory, _y);
        if (_extra is not null)
            yield return new($"{prefix}.extra", StateKind.Memory, _extra);
        yield return new($"{prefix}.counts", StateKind.Counter, _counts);
        yield return new($"{prefix}.random", StateKind.Counter, _randomState);
    }

    /// <summary>Offers rows [n, width] in order; the t-th row ever offered is kept with probability capacity / t.</summary>
    public void Offer(Tensor x, Tensor y, Tensor? extra = null)
    {
        LoadRandom();
        using var scope = NewDisposeScope();
        var counts = _counts.data<long>();
        // The last row that wins a slot stays; earlier winners of the same slot are overwritten, as if offered one by one.
        var winners = new SortedDictionary<long, long>();
        for (long i = 0; i < x.shape[0]; i++)
        {
            long offered = counts[0]++;
            long slot = offered < Capacity ? offered : _random.NextInt64(offered + 1);
            if (slot < Capacity)
                winners[slot] = i;
        }
        if (winners.Count > 0)
        {
            var slots = tensor(winners.Keys.ToArray());
            var rows = tensor(winners.Values.ToArray());
            _x.index_copy_(0, slots, x.detach().index_select(0, rows));
            _y.index_copy_(0, slots, y.index_select(0, rows));
            _extra?.index_copy_(0, slots, (extra ?? throw new ArgumentNullException(nameof(extra), "This reservoir stores a vector beside each row.")).detach().index_select(0, rows));
        }
        SaveRandom();
    }

    /// <summary>Draws rows without replacement, all of them when fewer are kept. The current dispose scope owns the batch.</summary>
    public Batch Draw(int count) => DrawWithExtra(count).Rows;

    /// <summary>As <see cref="Draw"/>, with what is stored beside the rows.</summary>
    public (Batch Rows, Tensor? Extra) DrawWithExtra(int count)
    {
        LoadRandom();
        int kept = Count;
        count = Math.Min(count, kept);
        var order = new long[kept];
        for (int i = 0; i < kept; i++)
            order[i] = i;
        for (int i = 0; i < count; i++)
        {
            int j = _random.Next(i, kept);
            (order[i], order[j]) = (order[j], order[i]);
        }
        SaveRandom();
        using var index = tensor(order.AsSpan(0, count).ToArray());
        return (new(_x.index_select(0, index), _y.index_select(0, index), false), _extra?.index_select(0, index));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _x.Dispose();
        _y.Dispose();
        _extra?.Dispose();
        _counts.Dispose();
        _randomState.Dispose();
    }

    /// <summary>The random state is kept in a tensor beside the rows, so that it is saved and loaded with them.</summary>
    private void LoadRandom() => _random.State = [.. _randomState.data<long>().Select(w => (ulong)w)];

    private void SaveRandom()
    {
        var state = _randomState.data<long>();
        for (int i = 0; i < 4; i++)
            state[i] = (long)_random.State[i];
    }
}
