using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>An array that grows with what has really been read, never with what a header promises.</summary>
/// <param name="where">File, for the error at the limit.</param>
/// <param name="limits">What it may hold.</param>
internal sealed class GrowingArray<T>(string where, ReadLimits limits) where T : unmanaged
{
    private const int First = 1 << 12;
    private T[] _items = [];
    private long _expected;

    public int Count { get; private set; }

    /// <summary>Says how many more items a header promises: growth stops exactly there, so that no room is wasted.</summary>
    /// <exception cref="InputException">They would be beyond the limits.</exception>
    public unsafe void Expect(long more)
    {
        limits.Require(where, (Int128)Count + more, sizeof(T));
        _expected = Count + more;
    }

    public void Add(T item)
    {
        if (Count == _items.Length)
            Grow();
        _items[Count++] = item;
    }

    /// <summary>Room for at least one more item; <see cref="Advance"/> says how much of it was filled.</summary>
    public Span<T> Free()
    {
        if (Count == _items.Length)
            Grow();
        return _items.AsSpan(Count);
    }

    public void Advance(int n) => Count += n;

    /// <summary>The items so far.</summary>
    public Span<T> Filled => _items.AsSpan(0, Count);

    /// <summary>The items, in an array of exactly their number.</summary>
    public T[] ToArray()
    {
        if (_items.Length != Count)
            Array.Resize(ref _items, Count);
        return _items;
    }

    private unsafe void Grow()
    {
        limits.Require(where, (Int128)Count + 1, sizeof(T));
        long size = Math.Min(Math.Max(First, 2L * _items.Length), limits.Elements);
        if (Count < _expected)
            size = Math.Min(size, _expected);
        Array.Resize(ref _items, (int)size);
    }
}
