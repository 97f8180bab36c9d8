namespace Winnow.Data.Readers;

/// <summary>An array that grows with what has really been read, never with what a header promises.</summary>
/// <param name="where">File, for the error at the limit.</param>
/// <param name="limits">What it may hold.</param>
/// <param name="expected">Length a header promises; growth stops exactly there. Null when unknown.</param>
internal sealed class GrowingArray<T>(string where, ReadLimits limits, long? expected = null) where T : unmanaged
{
    private const int First = 1 << 12;
    private T[] _items = [];

    public int Count { get; private set; }

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
        if (expected is { } e && Count < e)
            size = Math.Min(size, e);
        Array.Resize(ref _items, (int)size);
    }
}
