using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>CIFAR-10 binary files: per image one label byte, then 3 x 32 x 32 bytes.</summary>
internal static class CifarReader
{
    /// <summary>Bytes of one image with its label.</summary>
    public const int Record = 1 + Pixels;
    private const int Pixels = 3 * 32 * 32;
    private const int Classes = 10;

    /// <summary>Reads batches one after the other.</summary>
    /// <param name="training">Training batches.</param>
    /// <param name="test">Test batches; when both are given, the split is kept.</param>
    /// <param name="request">What to read.</param>
    /// <param name="declared">Class names, or null to take those of <c>batches.meta.txt</c> beside the batches.</param>
    public static Images Read(IReadOnlyList<string> training, IReadOnlyList<string> test, ReadRequest request, IReadOnlyList<string>? declared)
    {
        string[] paths = [.. training, .. test];
        long records = paths.Sum(p => InputFile.Reading(p, () => Records(p)));
        request.Limits.Require(request.Where, (Int128)records * Pixels, 1);
        var pixels = new byte[records * Pixels];
        var labels = new int[records];
        int row = 0, trainRows = 0;
        for (int p = 0; p < paths.Length; p++)
        {
            string path = paths[p];
            row = InputFile.Reading(path, () =>
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 17, FileOptions.SequentialScan);
                return Read(stream, path, pixels, labels, row, request.Cancellation);
            });
            if (p == training.Count - 1)
                trainRows = row;
        }
        var names = declared ?? Names(Path.GetDirectoryName(Path.GetFullPath(paths[0]))!);
        return new(pixels, [3, 32, 32], request.Layout is null ? labels : [], names, training.Count > 0 && test.Count > 0 ? trainRows : null, "CIFAR-10 binary");
    }

    /// <summary>Reads one batch from a row on; returns the row after it.</summary>
    internal static int Read(Stream stream, string where, byte[] pixels, int[] labels, int row, CancellationToken cancellation)
    {
        for (int first = row; ; row++)
        {
            if ((row - first) % 1024 == 0)
                cancellation.ThrowIfCancellationRequested();
            int label = stream.ReadByte();
            if (label < 0)
                return row;
            long at = (long)(row - first) * Record;
            if (label >= Classes)
                throw InputException.At($"{where}, byte {at}", $"label {label}", $"0 to {Classes - 1}", "This is not a CIFAR-10 batch, or it is damaged; get it again.");
            if (row == labels.Length || stream.ReadAtLeast(pixels.AsSpan(row * Pixels, Pixels), Pixels, throwOnEndOfStream: false) < Pixels)
                throw InputException.At($"{where}, byte {at}", "an image that is cut short", $"{Record} bytes per image", "The file changed or is cut short; get it again.");
            labels[row] = label;
        }
    }

    /// <summary>Number of images in a file, from its length.</summary>
    internal static long Records(string path)
    {
        long length = new FileInfo(path).Length;
        return length == 0 ? throw InputFile.Empty(path)
            : length % Record == 0 ? length / Record
            : throw InputException.At(path, $"{Excerpt.Of(length)} bytes", $"a multiple of {Record} (one label byte and 3x32x32 pixels per image)", "This is not a CIFAR-10 batch, or it is cut short; get it again.");
    }

    private static string[] Names(string folder)
    {
        string path = Path.Combine(folder, "batches.meta.txt");
        string[] names = File.Exists(path) ? InputFile.Reading(path, () => File.ReadLines(path).Take(2 * Classes).Select(l => l.Trim()).Where(l => l.Length > 0).ToArray()) : [];
        return names.Length == Classes && names.Distinct().Count() == Classes ? names : [.. Enumerable.Range(0, Classes).Select(c => $"{c}")];
    }
}
