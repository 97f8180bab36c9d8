using System.Buffers.Binary;
using Parquet.Meta;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// Looks through the structure of a Parquet file before the library reads it, because the library asks for as much memory as
/// headers say: no list or text is longer than the bytes that are left, no page claims more than its file can hold.
/// </summary>
internal static class ParquetGuard
{
    /// <summary>More values than this per byte of the file are not believed.</summary>
    private const int ValuesPerByte = 1000;
    private const int SmallFile = 1 << 16;
    private const int LongestPageHeader = 1 << 16;
    private const string Damaged = "The file is cut short or damaged; write it again.";

    /// <summary>The most values a header may promise.</summary>
    public static Int128 MostValues(Stream file) => (Int128)file.Length * ValuesPerByte + SmallFile;

    /// <summary>Checks the footer.</summary>
    /// <exception cref="InputException">It does not hold together.</exception>
    public static void RequireFooter(Stream file, string where)
    {
        Span<byte> tail = stackalloc byte[8];
        if (file.Length < 12)
            throw InputException.At(where, $"{file.Length} bytes", "a Parquet file", Damaged);
        file.Position = file.Length - 8;
        file.ReadExactly(tail);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (!tail[4..].SequenceEqual("PAR1"u8))
            throw InputException.At($"{where}, byte {file.Length - 4}", Excerpt.Of(tail[4..]), "'PAR1', the end of a Parquet file", Damaged);
        if (length > file.Length - 12)
            throw InputException.At($"{where}, byte {file.Length - 8}", $"a footer of {length} bytes in a file of {file.Length}", $"at most {file.Length - 12}", Damaged);
        var footer = new byte[length];
        file.Position = file.Length - 8 - length;
        file.ReadExactly(footer);
        if (ThriftStruct.Measure(footer, null) is null)
            throw InputException.At($"{where}, byte {file.Length - 8 - length}", "a footer that is not well-formed", "the file's schema and column positions", Damaged);
        file.Position = 0;
    }

    /// <summary>Checks the headers of all pages of all columns. Cost: one small read a page.</summary>
    /// <exception cref="InputException">One of them does not fit the file.</exception>
    public static void RequirePages(Stream file, FileMetaData? metadata, string where, CancellationToken cancellation)
    {
        var most = MostValues(file);
        var window = new byte[Math.Min(LongestPageHeader, file.Length)];
        foreach (var chunk in (metadata?.RowGroups ?? []).SelectMany(g => g.Columns))
        {
            cancellation.ThrowIfCancellationRequested();
            if (chunk.MetaData is not { } column)
                throw InputException.At(where, "a column without position", "its data in this file", Damaged);
            long at = column.DictionaryPageOffset is > 0 and var first && first < column.DataPageOffset ? first : column.DataPageOffset;
            long end = column.TotalCompressedSize;
            if (at < 4 || end < 0 || end > file.Length - at)
                throw InputException.At(where, $"a column of {end} bytes from byte {at} on", $"columns within the {file.Length} bytes of the file", Damaged);
            for (end += at; at < end;)
            {
                file.Position = at;
                int got = file.ReadAtLeast(window.AsSpan(0, (int)Math.Min(window.Length, file.Length - at)), 1, throwOnEndOfStream: false);
                long compressed = 0;
                bool fits = true;
                int? length = ThriftStruct.Measure(window.AsSpan(0, got), (depth, field, value) =>
                {
                    const int crc = 4, compressedSize = 3;
                    if (depth == 0 && field == crc)
                        return;
                    fits &= value >= 0 && value <= most;
                    if (depth == 0 && field == compressedSize)
                        compressed = value;
                });
                if (length is null || !fits || compressed > end - at - length)
                    throw InputException.At($"{where}, byte {at}", "a page header that does not fit the file", "a page within its column", Damaged);
                at += length.Value + compressed;
            }
        }
        file.Position = 0;
    }
}
