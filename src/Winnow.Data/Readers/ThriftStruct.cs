namespace Winnow.Data.Readers;

/// <summary>Walks over a structure of Thrift's compact protocol, in which Parquet writes its headers, without building it.</summary>
internal ref struct ThriftStruct
{
    private const int DeepestNesting = 24;
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly Action<int, int, long>? _integer;
    private int _at;

    private ThriftStruct(ReadOnlySpan<byte> bytes, Action<int, int, long>? integer)
    {
        _bytes = bytes;
        _integer = integer;
    }

    /// <summary>The length of the structure at the start; null when it is not well-formed or does not fit.</summary>
    /// <param name="bytes">The structure and what follows it.</param>
    /// <param name="integer">Sees every integer field: depth (0 outside), field number, value. May be null.</param>
    public static int? Measure(ReadOnlySpan<byte> bytes, Action<int, int, long>? integer)
    {
        var walk = new ThriftStruct(bytes, integer);
        return walk.Struct(0) ? walk._at : null;
    }

    private bool Struct(int depth)
    {
        if (depth > DeepestNesting)
            return false;
        for (int field = 0; ;)
        {
            if (_at >= _bytes.Length)
                return false;
            int head = _bytes[_at++];
            if (head == 0)
                return true;
            if (head >> 4 != 0)
                field += head >> 4;
            else if (Varint() is { } id)
                field = (int)Unzigzag(id);
            else
                return false;
            // A boolean field has its value in its type.
            if ((head & 15) is not (1 or 2) && !Value(head & 15, depth, field))
                return false;
        }
    }

    private bool Value(int type, int depth, int field)
    {
        switch (type)
        {
            case 1 or 2 or 3:
                return Skip(1);
            case 4 or 5 or 6:
                if (Varint() is not { } n)
                    return false;
                _integer?.Invoke(depth, field, Unzigzag(n));
                return true;
            case 7:
                return Skip(8);
            case 8:
                return Varint() is { } length && Skip(length);
            case 9 or 10:
                return List(depth, field);
            case 11:
                return Map(depth, field);
            case 12:
                return Struct(depth + 1);
            case 13:
                return Skip(16);
            default:
                return false;
        }
    }

    private bool List(int depth, int field)
    {
        if (_at >= _bytes.Length)
            return false;
        int head = _bytes[_at++];
        ulong? size = head >> 4 == 15 ? Varint() : (ulong)(head >> 4);
        if (size is not { } count || count > (ulong)(_bytes.Length - _at))
            return false;
        for (ulong i = 0; i < count; i++)
            if (!Value(head & 15, depth + 1, field))
                return false;
        return true;
    }

    private bool Map(int depth, int field)
    {
        if (Varint() is not { } count || count > (ulong)(_bytes.Length - _at))
            return false;
        if (count == 0)
            return true;
        int types = _bytes[_at++];
        for (ulong i = 0; i < count; i++)
            if (!Value(types >> 4, depth + 1, field) || !Value(types & 15, depth + 1, field))
                return false;
        return true;
    }

    private bool Skip(ulong count)
    {
        if (count > (ulong)(_bytes.Length - _at))
            return false;
        _at += (int)count;
        return true;
    }

    private ulong? Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64 && _at < _bytes.Length; shift += 7)
        {
            byte b = _bytes[_at++];
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
                return value;
        }
        return null;
    }

    private static long Unzigzag(ulong n) => (long)(n >> 1) ^ -(long)(n & 1);
}
