using System.Runtime.InteropServices;
using SkiaSharp;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// One PNG or JPEG file. Transparent pixels are drawn on black; colour profiles and the camera's orientation mark are not applied.
/// </summary>
internal sealed class ImageFile : IDisposable
{
    private const int LargestSide = 1 << 14;
    private const long LargestFile = 1 << 28;

    /// <summary>More pixels than this per byte of the file are not believed: no compression of either format reaches it.</summary>
    private const int PixelsPerByte = 10_000;
    private readonly string _path;
    private readonly SKData _data;
    private readonly SKCodec _codec;

    private ImageFile(string path, SKData data, SKCodec codec) => (_path, _data, _codec) = (path, data, codec);

    public int Width => _codec.Info.Width;

    public int Height => _codec.Info.Height;

    public bool IsGrey => _codec.Info.ColorType == SKColorType.Gray8;

    /// <summary>Whether a file starts like PNG or JPEG.</summary>
    public static bool Starts(ReadOnlySpan<byte> head) => head is [0x89, (byte)'P', (byte)'N', (byte)'G', ..] or [0xff, 0xd8, 0xff, ..];

    /// <summary>Reads the header of an image.</summary>
    public static ImageFile Open(string path) => InputFile.Reading(path, () =>
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        return stream.Length switch
        {
            0 => throw InputFile.Empty(path),
            > LargestFile => throw InputException.At(path, $"{Excerpt.Of(stream.Length)} bytes", $"an image of at most {Excerpt.Of(LargestFile)}", "Make the images smaller."),
            _ => Open(path, stream),
        };
    });

    /// <summary>Reads the header of an image from a stream.</summary>
    internal static ImageFile Open(string path, Stream stream)
    {
        var data = SKData.Create(stream) ?? throw NotAnImage(path);
        var codec = SKCodec.Create(data);
        if (codec is null || codec.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg) || codec.Info.Width < 1 || codec.Info.Height < 1)
        {
            codec?.Dispose();
            data.Dispose();
            throw NotAnImage(path);
        }
        var file = new ImageFile(path, data, codec);
        bool small = Math.Max(file.Width, file.Height) <= LargestSide, believable = (long)file.Width * file.Height <= data.Size * PixelsPerByte;
        if (small && believable)
            return file;
        string size = Images.Size(file.Width, file.Height), bytes = Excerpt.Of(data.Size);
        file.Dispose();
        throw small
            ? InputException.At(path, $"a header that promises {size} in a file of {bytes} bytes", "a header that agrees with the file", "The file is damaged; get or export it again.")
            : InputException.At(path, $"an image of {size}", $"at most {LargestSide} on a side", "Make the images smaller.");
    }

    /// <summary>Decodes into one channel (grey; colours weighted 0.299, 0.587, 0.114) or three (red, green, blue).</summary>
    /// <param name="channels">1 or 3.</param>
    /// <param name="rgba">Room for Width · Height · 4 bytes, used between calls.</param>
    /// <param name="pixels">[channels, height, width].</param>
    /// <exception cref="InputException">The content is damaged or cut short.</exception>
    public unsafe void Decode(int channels, byte[] rgba, Span<byte> pixels)
    {
        int size = Width * Height;
        SKCodecResult result;
        fixed (byte* p = rgba)
            result = _codec.GetPixels(new SKImageInfo(Width, Height, SKColorType.Rgba8888, SKAlphaType.Premul), (nint)p);
        if (result != SKCodecResult.Success)
            throw InputException.At(_path, result == SKCodecResult.IncompleteInput ? "an image that is cut short" : $"a damaged image ({result})", "a whole PNG or JPEG", "Get or export it again.");
        var colours = MemoryMarshal.Cast<byte, Rgba>(rgba.AsSpan(0, 4 * size));
        for (int i = 0; i < size; i++)
        {
            var c = colours[i];
            if (channels == 1)
                pixels[i] = c.R == c.G && c.G == c.B ? c.R : (byte)((299 * c.R + 587 * c.G + 114 * c.B + 500) / 1000);
            else
                (pixels[i], pixels[size + i], pixels[2 * size + i]) = (c.R, c.G, c.B);
        }
    }

    public void Dispose()
    {
        _codec.Dispose();
        _data.Dispose();
    }

    private static InputException NotAnImage(string path) => InputException.At(path, "content that is not an image", "a PNG or JPEG file", "Remove it from the folder or export it again.");

    private readonly record struct Rgba(byte R, byte G, byte B, byte A);
}
