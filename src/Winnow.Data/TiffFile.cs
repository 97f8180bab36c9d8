using System.Buffers.Binary;
using System.IO.Compression;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Bands of pixels.</summary>
/// <param name="Width">Pixels of a row.</param>
/// <param name="Height">Rows.</param>
/// <param name="Bands">Numbers of a pixel.</param>
/// <param name="Values">[height, width, bands].</param>
public sealed record Raster(int Width, int Height, int Bands, float[] Values);

/// <summary>
/// Reads the first image of a baseline TIFF, GeoTIFF among them: strips without compression or with deflate, whole numbers of 8, 16 or 32 bits and floats of 32 or 64, bands beside each other or one after the
/// other, with or without the horizontal predictor. Where a raster lies on the earth is passed over. Tiles, other compressions and BigTIFF are refused by name.
/// </summary>
public static class TiffFile
{
    private const long MostValues = 1 << 28;
    private const int MostBytes = 1 << 30, MostEntries = 1024, MostBands = 4096, LargestSide = 1 << 20;
    private const int Byte = 1, Short = 3, Long = 4;

    /// <summary>Reads a file. Cost O(pixels · bands).</summary>
    /// <exception cref="InputException">Not such a file, or one that is cut short or lies about itself; the message names the byte.</exception>
    public static Raster Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path))
            throw InputFile.IsFolder(path);
        return InputFile.Reading(path, () =>
        {
            if (new FileInfo(path) is { Exists: true, Length: > MostBytes } large)
                throw InputException.At(path, $"{large.Length:N0} bytes", $"at most {MostBytes:N0}", "Cut the raster into parts.");
            byte[] bytes = File.ReadAllBytes(path);
            return bytes.Length == 0 ? throw InputFile.Empty(path) : new Reader(path, bytes).Image();
        });
    }

    /// <summary>Whether a file starts like TIFF.</summary>
    public static bool Starts(ReadOnlySpan<byte> head) => head is [(byte)'I', (byte)'I', 42 or 43, 0, ..] or [(byte)'M', (byte)'M', 0, 42 or 43, ..];

    private sealed class Reader(string path, byte[] bytes)
    {
        private readonly bool _little = bytes[0] == 'I';
        private readonly Dictionary<int, long[]> _tags = [];

        public Raster Image()
        {
            if (bytes.Length < 8 || !Starts(bytes))
                throw Wrong(0, Excerpt.Of(bytes.AsSpan(0, Math.Min(4, bytes.Length))), "a TIFF header, 'II*' or 'MM'", "Check that this is a TIFF file.");
            if (U16(2) == 43)
                throw Wrong(2, "a BigTIFF", "a TIFF of less than 4 GB", "Convert it.");
            Entries(U32(4));
            int width = (int)One(256, "width", 1, LargestSide), height = (int)One(257, "height", 1, LargestSide), bands = (int)One(277, "bands", 1, MostBands, 1);
            if ((long)width * height * bands > MostValues)
                throw InputException.At(path, $"{width} x {height} pixels of {bands} bands", $"at most {MostValues:N0} numbers", "Cut the raster into parts.");
            if (_tags.ContainsKey(322))
                throw InputException.At(path, "tiles", "strips", "Convert it without tiling.");
            long compression = One(259, "compression", 0, ushort.MaxValue, 1);
            if (compression is not (1 or 8 or 32946))
                throw InputException.At(path, $"compression {compression}", "none (1) or deflate (8)", "Convert it.");
            int bits = (int)Same(258, "bits", 1), format = (int)Same(339, "sample format", 1), predictor = (int)One(317, "predictor", 1, 3, 1);
            bool number = format is 1 or 2 && bits is 8 or 16 or 32, real = format == 3 && bits is 32 or 64;
            if (!number && !real)
                throw InputException.At(path, $"{bits} bits of sample format {format}", "whole numbers of 8, 16 or 32 bits or floats of 32 or 64", "Convert it.");
            if (predictor == 3 || predictor == 2 && real)
                throw InputException.At(path, $"predictor {predictor} of {(real ? "floats" : "whole numbers")}", "none, or the horizontal one of whole numbers", "Convert it.");
            bool planes = One(284, "planar configuration", 1, 2, 1) == 2;
            int rows = (int)Math.Min(height, One(278, "rows of a strip", 1, uint.MaxValue, uint.MaxValue)), each = (height + rows - 1) / rows, together = planes ? 1 : bands;
            long[] offsets = Need(273, "strips"), counts = Need(279, "lengths of strips");
            if (offsets.Length != counts.Length || offsets.Length != each * (planes ? bands : 1))
                throw InputException.At(path, $"{offsets.Length} strips and {counts.Length} lengths", $"{each * (planes ? bands : 1)} of {rows} rows", "The file is damaged; get it again.");
            float[] values = new float[(long)width * height * bands];
            int size = bits / 8;
            for (int strip = 0; strip < offsets.Length; strip++)
            {
                int first = strip % each * rows, count = Math.Min(rows, height - first), plane = planes ? strip / each : 0;
                byte[] data = Strip(offsets[strip], counts[strip], (long)count * width * together * size, compression != 1);
                if (predictor == 2)
                    Undo(data, width * together, together, size);
                for (int i = 0; i < count * width * together; i++)
                    values[((long)first * width + i / together) * bands + (planes ? plane : i % together)] = Number(data, i * size, bits, format);
            }
            return new(width, height, bands, values);
        }

        private void Entries(long at)
        {
            int count = U16(at);
            if (count is 0 or > MostEntries)
                throw Wrong(at, $"{count} entries", $"1 to {MostEntries}", "The file is damaged; get it again.");
            for (int e = 0; e < count; e++)
            {
                long entry = at + 2 + 12L * e;
                int tag = U16(entry), type = U16(entry + 2);
                long n = U32(entry + 4);
                int size = type switch { Byte => 1, Short => 2, Long => 4, _ => 0 };
                if (size == 0)
                    continue; // texts and fractions say nothing of pixels
                if (n * size > bytes.Length)
                    throw Wrong(entry, $"{n:N0} numbers in tag {tag}", "no more than the file holds", "The file is damaged; get it again.");
                long from = n * size <= 4 ? entry + 8 : U32(entry + 8);
                long[] numbers = new long[n];
                for (int i = 0; i < n; i++)
                    numbers[i] = size switch { 1 => Bytes(from + i, 1)[0], 2 => U16(from + 2L * i), _ => U32(from + 4L * i) };
                _tags.TryAdd(tag, numbers);
            }
        }

        private byte[] Strip(long offset, long count, long expected, bool deflate)
        {
            var stored = Bytes(offset, count);
            if (!deflate)
                return count >= expected ? stored[..(int)expected].ToArray() : throw Wrong(offset, $"a strip of {count:N0} bytes", $"{expected:N0}", "The file is damaged; get it again.");
            byte[] data = new byte[expected];
            try
            {
                using var zlib = new ZLibStream(new MemoryStream(bytes, (int)offset, (int)count), CompressionMode.Decompress);
                int read = zlib.ReadAtLeast(data, data.Length, throwOnEndOfStream: false);
                return read == expected ? data : throw Wrong(offset, $"a strip that unpacks to {read:N0} bytes", $"{expected:N0}", "The file is damaged; get it again.");
            }
            catch (InvalidDataException e)
            {
                throw new InputException($"{path}, byte {offset}: found damaged deflate data; expected a whole strip. The file is damaged; get it again.", e);
            }
        }

        /// <summary>Numbers again from differences to the pixel on the left.</summary>
        private void Undo(byte[] data, int row, int bands, int size)
        {
            for (int first = 0; first + row * size <= data.Length; first += row * size)
                for (int i = bands; i < row; i++)
                {
                    int here = first + i * size, left = here - bands * size;
                    switch (size)
                    {
                        case 1:
                            data[here] += data[left];
                            break;
                        case 2:
                            Write16(data.AsSpan(here), (ushort)(Read16(data.AsSpan(here)) + Read16(data.AsSpan(left))));
                            break;
                        default:
                            Write32(data.AsSpan(here), Read32(data.AsSpan(here)) + Read32(data.AsSpan(left)));
                            break;
                    }
                }
        }

        private float Number(byte[] data, int at, int bits, int format)
        {
            var here = data.AsSpan(at);
            float value = (bits, format) switch
            {
                (8, 1) => here[0],
                (8, _) => (sbyte)here[0],
                (16, 1) => Read16(here),
                (16, _) => (short)Read16(here),
                (32, 1) => Read32(here),
                (32, 2) => (int)Read32(here),
                (32, _) => BitConverter.UInt32BitsToSingle(Read32(here)),
                _ => (float)(_little ? BinaryPrimitives.ReadDoubleLittleEndian(here) : BinaryPrimitives.ReadDoubleBigEndian(here)),
            };
            return float.IsFinite(value) ? value : throw InputException.At(path, "a pixel that is no number", "finite numbers", "Fill the gap, or cut it out.");
        }

        private ushort Read16(ReadOnlySpan<byte> at) => _little ? BinaryPrimitives.ReadUInt16LittleEndian(at) : BinaryPrimitives.ReadUInt16BigEndian(at);

        private uint Read32(ReadOnlySpan<byte> at) => _little ? BinaryPrimitives.ReadUInt32LittleEndian(at) : BinaryPrimitives.ReadUInt32BigEndian(at);

        private void Write16(Span<byte> at, ushort value)
        {
            if (_little)
                BinaryPrimitives.WriteUInt16LittleEndian(at, value);
            else
                BinaryPrimitives.WriteUInt16BigEndian(at, value);
        }

        private void Write32(Span<byte> at, uint value)
        {
            if (_little)
                BinaryPrimitives.WriteUInt32LittleEndian(at, value);
            else
                BinaryPrimitives.WriteUInt32BigEndian(at, value);
        }

        private int U16(long at) => Read16(Bytes(at, 2));

        private long U32(long at) => Read32(Bytes(at, 4));

        private ReadOnlySpan<byte> Bytes(long at, long count) => at >= 0 && count >= 0 && at + count <= bytes.Length ? bytes.AsSpan((int)at, (int)count)
            : throw Wrong(at, $"the end of the file after {bytes.Length:N0} bytes", $"{count:N0} more", "Check that it was downloaded completely.");

        private long[] Need(int tag, string what) => _tags.TryGetValue(tag, out long[]? numbers) && numbers.Length > 0 ? numbers : throw InputException.At(path, $"no {what} (tag {tag})", "a baseline TIFF", "Convert it.");

        private long One(int tag, string what, long least, long most, long? usual = null)
        {
            long value = usual is { } u && !_tags.ContainsKey(tag) ? u : Need(tag, what)[0];
            return value >= least && value <= most ? value : throw InputException.At(path, $"a {what} of {value:N0}", $"{least:N0} to {most:N0}", "The file is damaged; get it again.");
        }

        private long Same(int tag, string what, long usual)
        {
            long[] values = _tags.GetValueOrDefault(tag) ?? [usual];
            return values.Length > 0 && values.All(v => v == values[0]) ? values[0] : throw InputException.At(path, $"bands of different {what}", "one for all", "Convert it.");
        }

        private InputException Wrong(long at, string found, string expected, string remedy) => InputException.At($"{path}, byte {at}", found, expected, remedy);
    }
}
