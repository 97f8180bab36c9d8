using System.Numerics;

namespace Winnow.Numerics.Sparse;

/// <summary>
/// An open-addressing table with linear probing. A tag is a key + 1, so that zero is a free slot. Versions 1 and 2 keep tag and value side by side
/// in the slot; version 3 keeps in the slot the place of both in dense arrays.
/// </summary>
internal sealed unsafe class SmashTable<T>(SmashOptions options, int slots, int capacity, Scratch scratch) : IDisposable where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly bool _dense = options.Version == SmashVersion.FragmentedMemory, _shared = options.Mode == SmashMode.Atomic;
    private readonly SmashHash _hash = options.Hash != SmashHash.Thesis ? options.Hash : options.Version == SmashVersion.StaticRows ? SmashHash.LowBits : SmashHash.HighBits;
    private readonly int _free = 64 - BitOperations.Log2((uint)slots);
    private readonly Scratch.Block<Slot> _slots = scratch.Take<Slot>(options.Version == SmashVersion.FragmentedMemory ? 0 : slots);
    private readonly Scratch.Block<int> _places = scratch.Take<int>(options.Version == SmashVersion.FragmentedMemory ? slots : 0);

    /// <summary>Dense tags and values, from place 1 on, with a spare for each thread; for versions 1 and 2 where the table is gathered to be sorted.</summary>
    private readonly Scratch.Block<long> _tags = scratch.Take<long>(capacity + options.Threads + 1L);
    private readonly Scratch.Block<T> _values = scratch.Take<T>(capacity + options.Threads + 1L);
    private readonly Scratch.Block<int> _slotOf = scratch.Take<int>(capacity + options.Threads + 1L);
    private int _count, _shift;

    private struct Slot
    {
        public long Tag;
        public T Value;
    }

    /// <summary>Bytes of the table for each slot; of the dense arrays half a place, since half of the slots stay free.</summary>
    public static int SlotBytes(SmashVersion version) => version == SmashVersion.FragmentedMemory ? sizeof(int) + (sizeof(long) + sizeof(T) + sizeof(int)) / 2 : sizeof(Slot);

    /// <summary>Makes ready for a window: by high bits, its keys are spread over the whole table in their order.</summary>
    public void Open(Smash.SmashWindow window)
    {
        long keys = (window.EndRow - window.FirstRow) * window.Width;
        _shift = Math.Max(0, BitOperations.Log2((ulong)Math.Max(1, keys - 1)) + 1 - BitOperations.Log2((uint)slots));
    }

    /// <summary>Adds to the value of a key.</summary>
    public void Add(long key, T value, Smash.SmashLane lane)
    {
        const ulong OddNearGoldenRatio = 0x9E37_79B9_7F4A_7C15;
        long slot = _hash switch
        {
            SmashHash.LowBits => key & (slots - 1),
            SmashHash.HighBits => (key >> _shift) & (slots - 1),
            _ => (long)((ulong)key * OddNearGoldenRatio >> _free) & (slots - 1),
        };
        long tag = key + 1;
        lane.Probes++;
        while (!(_dense ? AddDense(slot, tag, value, lane) : AddToSlot(_slots.Data + slot, tag, value)))
        {
            slot = slot + 1 & (slots - 1);
            lane.Probes++;
            lane.Collisions++;
        }
    }

    /// <summary>Whether the slot held the key or was free for it.</summary>
    private bool AddToSlot(Slot* slot, long tag, T value)
    {
        if (!_shared)
        {
            if (slot->Tag != tag && slot->Tag != 0)
                return false;
            slot->Tag = tag;
            slot->Value += value;
            return true;
        }
        long found = Volatile.Read(ref slot->Tag);
        if (found == 0)
            found = Interlocked.CompareExchange(ref slot->Tag, tag, 0);
        if (found != 0 && found != tag)
            return false;
        AddAtomically(ref slot->Value, value);
        return true;
    }

    private bool AddDense(long slot, long tag, T value, Smash.SmashLane lane)
    {
        if (!_shared)
        {
            ref int place = ref _places.Data[slot];
            if (place == 0)
            {
                place = ++_count;
                _tags.Data[place] = tag;
                _values.Data[place] = T.Zero;
                _slotOf.Data[place] = (int)slot;
            }
            if (_tags.Data[place] != tag)
                return false;
            _values.Data[place] += value;
            return true;
        }
        int at = Volatile.Read(ref _places.Data[slot]);
        if (at == 0)
        {
            if (lane.Spare == 0)
                lane.Spare = Interlocked.Increment(ref _count);
            _tags.Data[lane.Spare] = tag;
            _values.Data[lane.Spare] = T.Zero;
            _slotOf.Data[lane.Spare] = (int)slot;
            at = Interlocked.CompareExchange(ref _places.Data[slot], lane.Spare, 0);
            if (at == 0)
                (at, lane.Spare) = (lane.Spare, 0);
        }
        if (_tags.Data[at] != tag)
            return false;
        AddAtomically(ref _values.Data[at], value);
        return true;
    }

    private static void AddAtomically(ref T at, T value)
    {
        for (T before = at; ;)
        {
            T found = Interlocked.CompareExchange(ref at, before + value, before);
            // as bits: a NaN is never equal to itself, and would be tried for ever
            if (new ReadOnlySpan<byte>(&found, sizeof(T)).SequenceEqual(new ReadOnlySpan<byte>(&before, sizeof(T))))
                return;
            before = found;
        }
    }

    /// <summary>Gives back the dense place that a thread took and lost to another.</summary>
    public void Return(Smash.SmashLane lane)
    {
        if (lane.Spare != 0)
            _tags.Data[lane.Spare] = 0;
        lane.Spare = 0;
    }

    /// <summary>The keys, ascending, and their values, until the table is next used. The table is cleared.</summary>
    public void Take(out ReadOnlySpan<long> keys, out ReadOnlySpan<T> values)
    {
        int count = Clear();
        Span<long> tags = _tags.Span.Slice(1, count);
        Span<T> sums = _values.Span.Slice(1, count);
        tags.Sort(sums);
        foreach (ref long tag in tags)
            tag--;
        keys = tags;
        values = sums;
    }

    /// <summary>Brings tags and values together from place 1 on and frees the slots; returns how many there are. Versions 1 and 2 look at all slots.</summary>
    public int Clear()
    {
        int count = 0;
        for (int place = 1; place <= _count; place++)
        {
            if (_tags.Data[place] == 0)
                continue;
            _places.Data[_slotOf.Data[place]] = 0;
            count++;
            (_tags.Data[count], _values.Data[count]) = (_tags.Data[place], _values.Data[place]);
        }
        _count = 0;
        foreach (ref var slot in _slots.Span)
        {
            if (slot.Tag == 0)
                continue;
            count++;
            (_tags.Data[count], _values.Data[count]) = (slot.Tag, slot.Value);
            slot = default;
        }
        return count;
    }

    public void Dispose()
    {
        _slots.Dispose();
        _places.Dispose();
        _slotOf.Dispose();
        _tags.Dispose();
        _values.Dispose();
    }
}
