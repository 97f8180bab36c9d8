using System.Diagnostics;
using CsCheck;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data.Tests;

/// <summary>
/// Valid files of every binary format with bytes flipped, replaced by extreme values, cut off, repeated or inserted: a reader
/// returns data or an <see cref="InputException"/>, soon, and allocates no more than the file can justify. A few thousand inputs;
/// with <c>WINNOW_SLOW=1</c> more than 100,000.
/// </summary>
public sealed class FuzzTests : IDisposable
{
    private static readonly bool Slow = Environment.GetEnvironmentVariable("WINNOW_SLOW") == "1";
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(10);
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>One to four changes: where (as a share of the length), what kind, a value and a length.</summary>
    private static readonly Gen<(double At, int Kind, byte Value, int Length)[]> Changes = Gen.Select(Gen.Double[0, 1], Gen.Int[0, 6], Gen.Byte, Gen.Int[1, 16]).Array[1, 4];

    private static byte[] Mutate(byte[] valid, (double At, int Kind, byte Value, int Length)[] changes)
    {
        var bytes = new List<byte>(valid);
        foreach (var (share, kind, value, length) in changes)
        {
            // Half of the changes hit the first 64 bytes, where headers are.
            int at = (int)(share * 2 % 1 * (share < 0.5 ? Math.Min(64, bytes.Count) : bytes.Count));
            int n = Math.Min(length, bytes.Count - at);
            if (bytes.Count == 0)
                break;
            switch (kind)
            {
                case 0: bytes[at] ^= (byte)(1 << (value & 7)); break;
                case 1: bytes[at] = value; break;
                case 2: bytes[at] = value < 128 ? (byte)0xff : (byte)0; break;
                case 3: bytes.RemoveRange(at, bytes.Count - at); break;
                case 4: bytes.RemoveRange(at, n); break;
                case 5: bytes.InsertRange(at, Enumerable.Repeat(value, length)); break;
                default:
                    for (int i = at; i < at + Math.Min(n, 8); i++)
                        bytes[i] = 0xff;
                    break;
            }
        }
        return [.. bytes];
    }

    private static void Survives(byte[] valid, int fast, int slow, long allocation, Action<byte[]> read)
    {
        read(valid);
        int accepted = 0, refused = 0;
        foreach (var changes in Changes.Fixed(Slow ? slow : fast))
        {
            byte[] bytes = Mutate(valid, changes);
            long before = GC.GetAllocatedBytesForCurrentThread(), started = Stopwatch.GetTimestamp();
            try
            {
                read(bytes);
                accepted++;
            }
            catch (InputException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
            }
            catch (Exception e)
            {
                Assert.Fail($"Input {accepted + refused}: {e}");
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= allocation, $"Input {accepted + refused}: {allocated} bytes allocated, {allocation} allowed.");
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Hang);
        }
        Assert.True(refused > 0, "No mutated input was refused: the mutations do not reach the reader.");
        TestContext.Current.TestOutputHelper!.WriteLine($"{accepted + refused} inputs, {refused} refused");
    }

    private static ReadRequest Request(string where) => new(where, new DataReading(), null, ReadLimits.Here, CancellationToken.None);

    private static byte[] Noise(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 37 ^ i >> 3))];

    [Fact]
    public void Idx() => Survives(Scratch.Idx(Noise(4 * 49), 4, 7, 7), 1500, 40_000, 1 << 20, bytes =>
    {
        using var stream = new MemoryStream(bytes);
        IdxReader.Read(stream, bytes.Length, "f", 3, new GrowingArray<byte>("f", ReadLimits.Here), _ => { }, CancellationToken.None);
    });

    [Fact]
    public void Idx_gzip()
    {
        string images = _scratch.Path("x-images-idx3-ubyte.gz");
        _scratch.Write("x-labels-idx1-ubyte", Scratch.Idx([0, 1, 2, 3], 4));
        Survives(Scratch.Gzip(Scratch.Idx(Noise(4 * 49), 4, 7, 7)), 500, 20_000, 1 << 20, bytes =>
        {
            File.WriteAllBytes(images, bytes);
            IdxReader.Read([(images, _scratch.Path("x-labels-idx1-ubyte"))], Request(images), null);
        });
    }

    [Fact]
    public void Cifar()
    {
        string path = _scratch.Path("data_batch_1.bin");
        Survives(Scratch.Cifar(1, 2, 9), 300, 10_000, 1 << 20, bytes =>
        {
            File.WriteAllBytes(path, bytes);
            CifarReader.Read([path], [], Request(path), null);
        });
    }

    [Fact]
    public void Safetensors() => Survives(SafetensorsTests.Model(), 1500, 40_000, 1 << 20, bytes =>
    {
        using var file = SafetensorsFile.Open(new MemoryStream(bytes), "f");
        foreach (var entry in file.Tensors)
            file.Read(entry, new byte[entry.ByteCount]);
    });

    [Fact]
    public void Parquet() => Survives(ParquetReaderTests.Table(), 500, 10_000, 64 << 20, bytes => ParquetTableReader.Read(new MemoryStream(bytes), Request("f")));

    [Fact]
    public void Png() => Survives(Scratch.Image(9, 7, (x, y) => new SkiaSharp.SKColor((byte)(x * 20), (byte)(y * 30), (byte)(x ^ y))), 300, 10_000, 1 << 20, ReadImage);

    [Fact]
    public void Jpeg() => Survives(Scratch.Image(9, 7, (x, y) => new SkiaSharp.SKColor((byte)(x * 20), (byte)(y * 30), 7), format: SkiaSharp.SKEncodedImageFormat.Jpeg), 300, 10_000, 1 << 20, ReadImage);

    /// <summary>As a folder of 9x7 images reads it: another size is refused before it is decoded.</summary>
    private static void ReadImage(byte[] bytes)
    {
        using var stream = new MemoryStream(bytes);
        using var file = ImageFile.Open("f", stream);
        if (file.Width != 9 || file.Height != 7)
            throw Images.OtherSize("f", Images.Size(file.Width, file.Height), Images.Size(9, 7), "f");
        file.Decode(3, new byte[4 * 63], new byte[3 * 63]);
    }
}
