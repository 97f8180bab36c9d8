using System.Buffers.Binary;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>IDX files of unsigned bytes, as MNIST is published, plain or gzip: images (three dimensions) and labels (one).</summary>
internal static class IdxReader
{
    private const byte UnsignedByte = 0x08;
    private const string Damaged = "The file is cut short or damaged; get it again.";

    /// <summary>Whether a file starts like IDX.</summary>
    public static bool Starts(ReadOnlySpan<byte> head) => head.Length >= 4 && head[0] == 0 && head[1] == 0 && head[2] is >= 0x08 and <= 0x0e && head[3] is >= 1 and <= 4;

    /// <summary>Reads pairs of image and label files, one after the other.</summary>
    /// <param name="pairs">Image and label file; null for no labels. The first is the training part when there are two.</param>
    /// <param name="request">What to read.</param>
    /// <param name="declared">Class names by index; null to name the classes by the values found.</param>
    public static Images Read(IReadOnlyList<(string Images, string? Labels)> pairs, ReadRequest request, IReadOnlyList<string>? declared)
    {
        var pixels = new GrowingArray<byte>(request.Where, request.Limits);
        var labels = new GrowingArray<byte>(request.Where, request.Limits);
        int[]? shape = null;
        int? train = null;
        bool gzip = false;
        foreach (var (imagePath, labelPath) in pairs)
        {
            int before = labels.Count;
            var header = ReadFile(imagePath, 3, pixels, request, h =>
            {
                if (shape is not null && (h[1] != shape[1] || h[2] != shape[2]))
                    throw Images.OtherSize(imagePath, Images.Size(h[2], h[1]), Images.Size(shape[2], shape[1]), $"in {Path.GetFileName(pairs[0].Images)}");
            }, ref gzip);
            shape ??= [1, header[1], header[2]];
            if (labelPath is null)
                continue;
            bool unused = false;
            ReadFile(labelPath, 1, labels, request, h =>
            {
                if (h[0] != header[0])
                    throw InputException.At(labelPath, $"{Excerpt.Of(h[0])} labels", $"{Excerpt.Of(header[0])}, one per image of {Path.GetFileName(imagePath)}", "Give files that belong together.");
            }, ref unused);
            RequireDeclared(labelPath, labels.Filled[before..], declared);
            train ??= pairs.Count > 1 ? labels.Count : null;
        }
        var (classes, names) = labels.Count == 0 ? ([], []) : Encode(labels.Filled, declared);
        return new(pixels.ToArray(), shape!, classes, names, train, gzip ? "IDX, gzip" : "IDX");
    }

    /// <summary>Reads one file; public to the tests, which give streams.</summary>
    /// <param name="stream">The decompressed content.</param>
    /// <param name="length">Its length in bytes; null when it is not known (gzip).</param>
    /// <param name="where">File, for errors.</param>
    /// <param name="dimensions">3 for images, 1 for labels.</param>
    /// <param name="into">Receives the bytes.</param>
    /// <param name="check">Sees the sizes before the content is read.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <returns>The sizes.</returns>
    internal static int[] Read(Stream stream, long? length, string where, int dimensions, GrowingArray<byte> into, Action<int[]> check, CancellationToken cancellation)
    {
        Span<byte> header = stackalloc byte[4 + 4 * dimensions];
        int got = stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        RequireMagic(where, header[..Math.Min(got, 4)], dimensions);
        if (got < header.Length)
            throw InputException.At(where, $"{got} bytes", $"a header of {header.Length}", Damaged);
        var sizes = new int[dimensions];
        Int128 content = 1;
        for (int d = 0; d < dimensions; d++)
        {
            uint size = BinaryPrimitives.ReadUInt32BigEndian(header[(4 + 4 * d)..]);
            if (size is 0 or > int.MaxValue)
                throw InputException.At($"{where}, byte {4 + 4 * d}", $"a size of {size}", "1 to 2147483647", Damaged);
            sizes[d] = (int)size;
            content *= size;
        }
        if (length is { } whole && content != whole - header.Length)
            throw InputException.At($"{where}, byte 4", $"a header that promises {content} bytes of content in a file that has {Excerpt.Of(whole - header.Length)}", "a header that agrees with the file", Damaged);
        check(sizes);
        Fill(stream, where, content, into, cancellation);
        return sizes;
    }

    private static void Fill(Stream stream, string where, Int128 content, GrowingArray<byte> into, CancellationToken cancellation)
    {
        into.Expect(content > long.MaxValue ? long.MaxValue : (long)content);
        long left = (long)content;
        while (left > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            var free = into.Free();
            int n = stream.Read(free[..(int)Math.Min(Math.Min(left, free.Length), 1 << 20)]);
            if (n == 0)
                throw InputException.At(where, $"{Excerpt.Of((long)content - left)} bytes of content", $"{Excerpt.Of((long)content)}, as the header promises", Damaged);
            into.Advance(n);
            left -= n;
        }
        if (stream.ReadByte() >= 0)
            throw InputException.At(where, "more content than the header promises", $"{Excerpt.Of((long)content)} bytes", Damaged);
    }

    private static int[] ReadFile(string path, int dimensions, GrowingArray<byte> into, ReadRequest request, Action<int[]> check, ref bool gzip)
    {
        bool compressed = false;
        int[] sizes = InputFile.Reading(path, () =>
        {
            var (stream, gz) = InputFile.Open(path);
            compressed = gz;
            using (stream)
                return Read(stream, gz ? null : stream.Length, path, dimensions, into, check, request.Cancellation);
        });
        gzip |= compressed;
        return sizes;
    }

    private static void RequireMagic(string where, ReadOnlySpan<byte> magic, int dimensions)
    {
        string expected = $"00 00 08 0{dimensions} ({(dimensions == 3 ? "images" : "labels")} as unsigned bytes)";
        if (magic is not [0, 0, UnsignedByte, var d] || d != dimensions)
            throw InputException.At($"{where}, byte 0", $"magic number {Excerpt.Of(magic)}", expected,
                magic is [0, 0, UnsignedByte, 1] ? "This is a label file: give the image file, its labels are found beside it." : "Only IDX files of unsigned bytes are read.");
    }

    private static void RequireDeclared(string where, ReadOnlySpan<byte> labels, IReadOnlyList<string>? declared)
    {
        if (declared is null)
            return;
        int bad = labels.IndexOfAnyExceptInRange((byte)0, (byte)(declared.Count - 1));
        if (bad >= 0)
            throw InputException.At($"{where}, byte {8 + bad}", $"label {labels[bad]}", $"0 to {declared.Count - 1}, the {declared.Count} declared classes", Damaged);
    }

    private static (int[] Labels, IReadOnlyList<string> Names) Encode(ReadOnlySpan<byte> labels, IReadOnlyList<string>? declared)
    {
        var classes = new int[labels.Length];
        if (declared is not null)
        {
            for (int i = 0; i < classes.Length; i++)
                classes[i] = labels[i];
            return (classes, declared);
        }
        var present = new bool[256];
        foreach (byte label in labels)
            present[label] = true;
        int[] values = [.. Enumerable.Range(0, 256).Where(v => present[v])];
        var place = new int[256];
        for (int i = 0; i < values.Length; i++)
            place[values[i]] = i;
        for (int i = 0; i < classes.Length; i++)
            classes[i] = place[labels[i]];
        return (classes, [.. values.Select(v => $"{v}")]);
    }
}
