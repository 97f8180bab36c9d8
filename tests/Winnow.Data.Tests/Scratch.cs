using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using SkiaSharp;
using Winnow.Core;

namespace Winnow.Data.Tests;

/// <summary>A folder that is deleted at the end of a test, and small files of every format.</summary>
public sealed class Scratch : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("winnow-data-").FullName;

    public string Path(string name) => System.IO.Path.Combine(Folder, name);

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        string path = Path(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public static LabelledData Open(string path, string? label = null, bool? header = null) =>
        DataSources.Open(path, new DataReading(label, header), new DataFolders(null, "/nowhere"), CancellationToken.None);

    /// <summary>All values of all rows.</summary>
    public static float[] Values(LabelledData data)
    {
        var values = new float[data.Count * data.Width];
        data.CopyRows([.. Enumerable.Range(0, data.Count)], values);
        return values;
    }

    /// <summary>Asserts a one-line error that contains all parts.</summary>
    public static void Refused(Action action, params string[] parts)
    {
        string message = Assert.Throws<InputException>(action).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    public static byte[] Gzip(byte[] content)
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Optimal))
            gzip.Write(content);
        return buffer.ToArray();
    }

    public static byte[] Idx(byte[] content, params int[] sizes)
    {
        var bytes = new byte[4 + 4 * sizes.Length + content.Length];
        bytes[2] = 8;
        bytes[3] = (byte)sizes.Length;
        for (int d = 0; d < sizes.Length; d++)
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 + 4 * d), sizes[d]);
        content.CopyTo(bytes, 4 + 4 * sizes.Length);
        return bytes;
    }

    /// <summary>CIFAR-10 records: the pixels of record i have the value i, its label is given.</summary>
    public static byte[] Cifar(params byte[] labels)
    {
        var bytes = new byte[labels.Length * 3073];
        for (int i = 0; i < labels.Length; i++)
        {
            bytes.AsSpan(i * 3073, 3073).Fill((byte)i);
            bytes[i * 3073] = labels[i];
        }
        return bytes;
    }

    public static byte[] Image(int width, int height, Func<int, int, SKColor> colour, SKColorType type = SKColorType.Rgba8888, SKEncodedImageFormat format = SKEncodedImageFormat.Png)
    {
        using var bitmap = new SKBitmap(width, height, type, SKAlphaType.Unpremul);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                bitmap.SetPixel(x, y, colour(x, y));
        using var data = bitmap.Encode(format, 95);
        return data.ToArray();
    }

    public static byte[] GreyImage(int width, int height, byte level) => Image(width, height, (_, _) => new SKColor(level, level, level), SKColorType.Gray8);
}
