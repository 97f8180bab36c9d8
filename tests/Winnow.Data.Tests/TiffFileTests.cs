using System.Buffers.Binary;
using System.IO.Compression;
using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class TiffFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-tiff").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Raster Read(byte[] bytes)
    {
        string path = Path.Combine(_folder, "some.tif");
        File.WriteAllBytes(path, bytes);
        return TiffFile.Read(path);
    }

    private string Refused(byte[] bytes) => Assert.Throws<InputException>(() => Read(bytes)).Message;

    // a writer of the same: header, strips, then the directory and what does not fit into it
    private static byte[] Write(int width, int height, int bands, Func<int, int, int, double> value, int bits = 8, int format = 1, bool little = true, int rows = 2, bool planes = false, bool deflate = false, bool predict = false, Dictionary<int, long[]>? changed = null)
    {
        int size = bits / 8;
        void Number(List<byte> to, double number)
        {
            byte[] bytes = (bits, format) switch
            {
                (8, _) => [(byte)(long)number],
                (16, _) => BitConverter.GetBytes((ushort)(long)number),
                (32, 3) => BitConverter.GetBytes((float)number),
                (32, _) => BitConverter.GetBytes((uint)(long)number),
                _ => BitConverter.GetBytes(number),
            };
            to.AddRange(little ? bytes : bytes.Reverse());
        }
        var file = new List<byte>(little ? "II*\0"u8.ToArray() : "MM\0*"u8.ToArray()) { 0, 0, 0, 0 };
        var (offsets, counts) = (new List<long>(), new List<long>());
        for (int plane = 0; plane < (planes ? bands : 1); plane++)
            for (int first = 0; first < height; first += rows)
            {
                var strip = new List<byte>();
                for (int y = first; y < Math.Min(height, first + rows); y++)
                    for (int x = 0; x < width; x++)
                        for (int b = planes ? plane : 0; b < (planes ? plane + 1 : bands); b++)
                            Number(strip, value(x, y, b) - (predict && x > 0 ? value(x - 1, y, b) : 0));
                byte[] stored = [.. strip];
                if (deflate)
                {
                    var packed = new MemoryStream();
                    using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest))
                        zlib.Write(stored);
                    stored = packed.ToArray();
                }
                offsets.Add(file.Count);
                counts.Add(stored.Length);
                file.AddRange(stored);
            }
        var tags = new SortedDictionary<int, long[]> { [256] = [width], [257] = [height], [258] = [.. Enumerable.Repeat((long)bits, bands)], [259] = [deflate ? 8 : 1], [273] = [.. offsets], [277] = [bands], [278] = [rows], [279] = [.. counts], [284] = [planes ? 2 : 1], [317] = [predict ? 2 : 1], [339] = [format] };
        foreach (var (tag, numbers) in changed ?? [])
            tags[tag] = numbers;
        void U16(int v) => file.AddRange(little ? [(byte)v, (byte)(v >> 8)] : [(byte)(v >> 8), (byte)v]);
        void U32(long v) => file.AddRange(little ? [(byte)v, (byte)(v >> 8), (byte)(v >> 16), (byte)(v >> 24)] : [(byte)(v >> 24), (byte)(v >> 16), (byte)(v >> 8), (byte)v]);
        var outside = new Dictionary<int, long>();
        foreach (var (tag, numbers) in tags.Where(t => t.Value.Length > 1))
        {
            outside[tag] = file.Count;
            foreach (long number in numbers)
                U32(number);
        }
        byte[] at = new byte[4];
        if (little)
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)file.Count);
        else
            BinaryPrimitives.WriteUInt32BigEndian(at, (uint)file.Count);
        for (int i = 0; i < 4; i++)
            file[4 + i] = at[i];
        U16(tags.Count);
        foreach (var (tag, numbers) in tags)
        {
            U16(tag);
            U16(4);
            U32(numbers.Length);
            U32(numbers.Length > 1 ? outside[tag] : numbers[0]);
        }
        U32(0);
        return [.. file];
    }

    [Theory]
    [InlineData(8, 1, true, false, false, false)]
    [InlineData(8, 1, true, true, true, true)]
    [InlineData(16, 1, false, false, true, true)]
    [InlineData(16, 2, true, false, false, false)]
    [InlineData(32, 2, false, true, false, true)]
    [InlineData(32, 3, true, false, true, false)]
    [InlineData(64, 3, false, true, true, false)]
    public void Numbers_of_every_kind_come_back(int bits, int format, bool little, bool planes, bool deflate, bool predict)
    {
        double Value(int x, int y, int b) => (x * 7 + y * 13 + b * 50) % 120 - (format == 1 ? 0 : 60) + (format == 3 ? 0.25 : 0) + (bits > 8 && format < 3 ? 200 * b : 0);
        var raster = Read(Write(5, 5, 3, Value, bits, format, little, planes: planes, deflate: deflate, predict: predict));
        Assert.Equal((5, 5, 3), (raster.Width, raster.Height, raster.Bands));
        for (int y = 0; y < 5; y++)
            for (int x = 0; x < 5; x++)
                for (int b = 0; b < 3; b++)
                    Assert.Equal(Value(x, y, b), raster.Values[(y * 5 + x) * 3 + b], 1e-6);
    }

    [Fact]
    public void What_is_none_or_lies_is_refused()
    {
        byte[] Of(int tag, params long[] numbers) => Write(4, 4, 2, (x, y, b) => x, changed: new() { [tag] = numbers });
        Assert.Contains("TIFF header", Refused("no image at all"u8.ToArray()));
        Assert.Contains("BigTIFF", Refused([(byte)'I', (byte)'I', 43, 0, 8, 0, 0, 0]));
        Assert.Contains("an empty file", Refused([]));
        Assert.Contains("tiles", Refused(Of(322, 16)));
        Assert.Contains("compression 5", Refused(Of(259, 5)));
        Assert.Contains("a width of 0", Refused(Of(256, 0)));
        Assert.Contains("at most", Refused(Write(4, 4, 2, (x, y, b) => x, changed: new() { [256] = [1 << 20], [257] = [1 << 20] })));
        Assert.Contains("2 strips", Refused(Of(278, 1)));
        Assert.Contains("12 bits", Refused(Of(258, 12, 12)));
        Assert.Contains("different bits", Refused(Of(258, 8, 16)));
        Assert.Contains("end of the file", Refused(Of(273, 8, 1 << 30)));
        Assert.Contains("a strip of 3 bytes", Refused(Of(279, 3, 16)));
        Assert.Contains("predictor 3", Refused(Of(317, 3)));
        Assert.Contains("no number", Refused(Write(2, 2, 1, (x, y, b) => double.NaN, 32, 3)));
        byte[] whole = Write(6, 6, 1, (x, y, b) => x * y, deflate: true);
        Assert.Contains("end of the file", Refused(whole[..^20]));
    }

    [Fact]
    public void Damaged_files_are_refused_or_read()
    {
        var random = new SeededRandom(1, "damage");
        foreach (bool deflate in (bool[])[false, true])
        {
            byte[] good = Write(6, 5, 2, (x, y, b) => x * y + b, 16, deflate: deflate);
            for (int turn = 0; turn < 400; turn++)
            {
                byte[] bytes = good[..(turn % 4 == 0 ? random.Next(1, good.Length) : good.Length)];
                for (int i = 0; i < 1 + turn % 3; i++)
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                try
                {
                    Read(bytes);
                }
                catch (InputException)
                {
                }
            }
        }
    }
}
