using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Winnow.Learning;

/// <summary>
/// The symbol versions that a 64-bit little-endian ELF library demands of the libraries it needs (<c>DT_VERNEED</c>), read with every
/// offset checked against the file. One demand can be marked weak, so that the loader warns instead of refusing when it is not met.
/// </summary>
internal static class ElfVersionNeed
{
    private const ushort WeakFlag = 2;
    private const int MostDemands = 10_000;
    private const uint LoadSegment = 1, DynamicSegment = 2;
    private const long StringTable = 5, StringSize = 10, Rela = 7, RelaSize = 8, JumpRela = 23, JumpRelaSize = 2,
        SymbolVersions = 0x6ffffff0, VersionNeed = 0x6ffffffe, VersionNeedCount = 0x6fffffff;

    /// <summary>
    /// Marks one demand weak: of <paramref name="version"/> from <paramref name="library"/>. Nothing else in the image changes.
    /// </summary>
    /// <param name="image">The whole file; changed in place, in the two bytes of the demand's flags only.</param>
    /// <param name="library">The needed library, e.g. <c>libstdc++.so.6</c>.</param>
    /// <param name="version">The version, e.g. <c>GLIBCXX_3.4.32</c>.</param>
    /// <returns>The file offset of the flags.</returns>
    /// <exception cref="FormatException">
    /// Not such an ELF file, damaged, without that demand, or a relocation uses a symbol of that version, so that it would be missed at run time.
    /// </exception>
    public static int MakeWeak(Span<byte> image, string library, string version)
    {
        var dynamic = Dynamic(image);
        var demand = Find(image, dynamic, library, version);
        if (RelocationUses(image, dynamic, demand.Index) is { } symbol)
            throw new FormatException(Invariant($"relocations use symbol {symbol} of version {version}, so the version is needed at run time"));
        BinaryPrimitives.WriteUInt16LittleEndian(image[demand.FlagsOffset..], (ushort)(demand.Flags | WeakFlag));
        if (!Find(image, dynamic, library, version).IsWeak)
            throw new FormatException($"the demand of {version} is not weak after it was marked so");
        return demand.FlagsOffset;
    }

    /// <summary>The demand of a version, wherever the chains of needed versions have it.</summary>
    /// <exception cref="FormatException">As for <see cref="MakeWeak"/>.</exception>
    public static Demand Find(ReadOnlySpan<byte> image, string library, string version) => Find(image, Dynamic(image), library, version);

    /// <summary>One demand: where its flags lie in the file, the flags, and the index by which symbols refer to the version.</summary>
    internal readonly record struct Demand(int FlagsOffset, ushort Flags, ushort Index)
    {
        public bool IsWeak => (Flags & WeakFlag) != 0;
    }

    /// <summary>The loadable segments' and the dynamic table's content that matters here.</summary>
    private sealed record DynamicTable(IReadOnlyList<(ulong Address, ulong Offset, ulong Size)> Segments, IReadOnlyDictionary<long, ulong> Entries);

    private static Demand Find(ReadOnlySpan<byte> image, DynamicTable dynamic, string library, string version)
    {
        ulong strings = Place(dynamic, Entry(dynamic, StringTable)), stringsEnd = strings + Math.Min(Entry(dynamic, StringSize), (ulong)image.Length);
        ulong need = Place(dynamic, Entry(dynamic, VersionNeed)), count = Entry(dynamic, VersionNeedCount);
        int seen = 0;
        for (ulong i = 0; i < count; i++)
        {
            int auxiliaries = U16(image, need + 2);
            bool ofLibrary = NameIs(image, strings + U32(image, need + 4), stringsEnd, library);
            ulong auxiliary = need + U32(image, need + 8);
            for (int j = 0; j < auxiliaries && ofLibrary; j++)
            {
                if (++seen > MostDemands)
                    throw new FormatException("too many version demands");
                if (U32(image, auxiliary) == Hash(version) && NameIs(image, strings + U32(image, auxiliary + 8), stringsEnd, version))
                    return new Demand((int)(auxiliary + 4), U16(image, auxiliary + 4), U16(image, auxiliary + 6));
                uint step = U32(image, auxiliary + 12);
                if (step == 0)
                    break;
                auxiliary += step;
            }
            uint next = U32(image, need + 12);
            if (next == 0)
                break;
            need += next;
        }
        throw new FormatException($"no demand of {version} from {library}");
    }

    /// <summary>The index of a symbol of the version that a relocation refers to, or null.</summary>
    private static uint? RelocationUses(ReadOnlySpan<byte> image, DynamicTable dynamic, ushort version)
    {
        ulong versions = Place(dynamic, Entry(dynamic, SymbolVersions));
        foreach (var (table, size) in ((long, long)[])[(Rela, RelaSize), (JumpRela, JumpRelaSize)])
        {
            if (!dynamic.Entries.TryGetValue(table, out ulong address))
                continue;
            ulong start = Place(dynamic, address), entries = Math.Min(Entry(dynamic, size), (ulong)image.Length) / 24;
            for (ulong i = 0; i < entries; i++)
            {
                uint symbol = U32(image, start + i * 24 + 12);
                if (symbol != 0 && (U16(image, versions + symbol * 2ul) & 0x7fff) == version)
                    return symbol;
            }
        }
        return null;
    }

    private static DynamicTable Dynamic(ReadOnlySpan<byte> image)
    {
        if (image.Length < 64 || !image[..4].SequenceEqual("\u007fELF"u8))
            throw new FormatException(Invariant($"not an ELF file ({image.Length} bytes)"));
        if (image[4] != 2 || image[5] != 1)
            throw new FormatException("not a 64-bit little-endian ELF file");
        ulong headers = U64(image, 32);
        int size = U16(image, 54), count = U16(image, 56);
        if (size < 56)
            throw new FormatException(Invariant($"program headers of {size} bytes; expected 56"));
        var segments = new List<(ulong, ulong, ulong)>();
        (ulong Offset, ulong Size)? table = null;
        for (int i = 0; i < count; i++)
        {
            ulong header = headers + (ulong)i * (ulong)size;
            uint type = U32(image, header);
            if (type == LoadSegment)
                segments.Add((U64(image, header + 16), U64(image, header + 8), U64(image, header + 32)));
            if (type == DynamicSegment)
                table = (U64(image, header + 8), U64(image, header + 32));
        }
        var (offset, length) = table ?? throw new FormatException("no dynamic segment: not a shared library");
        var entries = new Dictionary<long, ulong>();
        for (ulong at = 0; at + 16 <= length; at += 16)
        {
            long tag = (long)U64(image, offset + at);
            if (tag == 0)
                break;
            entries[tag] = U64(image, offset + at + 8);
        }
        return new DynamicTable(segments, entries);
    }

    private static ulong Entry(DynamicTable dynamic, long tag) =>
        dynamic.Entries.TryGetValue(tag, out ulong value) ? value : throw new FormatException(Invariant($"no entry 0x{tag:x} in the dynamic segment"));

    private static ulong Place(DynamicTable dynamic, ulong address)
    {
        foreach (var (start, offset, size) in dynamic.Segments)
        {
            if (address >= start && address - start < size)
                return offset + (address - start);
        }
        throw new FormatException(Invariant($"address 0x{address:x} lies in no loaded segment"));
    }

    private static bool NameIs(ReadOnlySpan<byte> image, ulong offset, ulong end, string name)
    {
        Span<byte> expected = stackalloc byte[name.Length + 1];
        expected.Clear();
        Encoding.ASCII.GetBytes(name, expected);
        return offset < end && Slice(image, offset, expected.Length).SequenceEqual(expected);
    }

    private static uint Hash(string name)
    {
        uint hash = 0;
        foreach (char c in name)
        {
            hash = (hash << 4) + c;
            uint high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }
        return hash;
    }

    private static ushort U16(ReadOnlySpan<byte> image, ulong offset) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(image, offset, 2));

    private static uint U32(ReadOnlySpan<byte> image, ulong offset) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(image, offset, 4));

    private static ulong U64(ReadOnlySpan<byte> image, ulong offset) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(image, offset, 8));

    private static ReadOnlySpan<byte> Slice(ReadOnlySpan<byte> image, ulong offset, int length)
    {
        if (offset > (ulong)image.Length || (ulong)image.Length - offset < (ulong)length)
            throw new FormatException(Invariant($"an offset of {offset} points outside the file of {image.Length} bytes"));
        return image.Slice((int)offset, length);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
