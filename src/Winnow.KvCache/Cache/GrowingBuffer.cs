using System.Runtime.CompilerServices;

namespace Winnow.KvCache;

/// <summary>Numbers in one piece of memory that grows by an eighth, so that little of it lies idle.</summary>
internal sealed class GrowingBuffer<T> where T : unmanaged
{
    private T[] _items = [];

    public int Count { get; private set; }

    public Span<T> Span => _items.AsSpan(0, Count);

    /// <summary>Bytes of the numbers, and of the room held beside them.</summary>
    public long Bytes => (long)Count * Unsafe.SizeOf<T>();

    public long Slack => (long)(_items.Length - Count) * Unsafe.SizeOf<T>();

    /// <summary>More room, zeroed, at the end.</summary>
    /// <param name="count">How much.</param>
    public Span<T> Add(int count)
    {
        Reserve(Count + count);
        var added = _items.AsSpan(Count, count);
        added.Clear();
        Count += count;
        return added;
    }

    public void Add(ReadOnlySpan<T> items) => items.CopyTo(Add(items.Length));

    /// <summary>Room for so many in all; exactly so many if there was none.</summary>
    public void Reserve(int count)
    {
        if (count > _items.Length)
            Array.Resize(ref _items, Count == 0 ? count : Math.Max(count, Count + Count / 8 + 16));
    }

    /// <summary>Takes a stretch out.</summary>
    public void Remove(int at, int count)
    {
        _items.AsSpan((at + count)..Count).CopyTo(_items.AsSpan(at));
        Count -= count;
    }

    public GrowingBuffer<T> Clone() => new() { _items = [.. _items], Count = Count };
}
