using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>A format that was recognised, with how to read it.</summary>
/// <param name="Name">For people.</param>
/// <param name="Table">Reads it when it is a table.</param>
/// <param name="Images">Reads it when it holds images; the second argument are class names the data set declares.</param>
internal sealed record SourceFormat(string Name, Func<ReadRequest, Table>? Table, Func<ReadRequest, IReadOnlyList<string>?, Images>? Images)
{
    private const string Formats = "CSV, TSV, numbers between spaces, JSON lines, CoNLL-U, Parquet, IDX, a CIFAR-10 batch, or a folder of IDX pairs, of CIFAR-10 batches or of images by class";

    public bool IsTable => Table is not null;

    public Table ReadTable(ReadRequest request) => Table!(request);

    public Images ReadImages(ReadRequest request, IReadOnlyList<string>? declared) => Images!(request, declared);

    /// <summary>Recognises a file by its first bytes and a folder by its files.</summary>
    /// <param name="path">File or folder that exists.</param>
    /// <param name="rows">Whether only rows are wanted: then images need no labels and may lie in one folder.</param>
    /// <exception cref="InputException">It is none of the formats.</exception>
    public static SourceFormat Of(string path, bool rows = false) => Directory.Exists(path) ? OfFolder(path, rows) : OfFile(path, rows);

    private static SourceFormat OfFile(string path, bool rows)
    {
        var (bytes, gzip) = InputFile.Head(path, 4096);
        ReadOnlySpan<byte> head = bytes;
        string suffix = gzip ? ", gzip" : "";
        if (head.StartsWith("PAR1"u8) && !gzip)
            return new("Parquet", r => ParquetTableReader.Read(path, r), null);
        if (IdxReader.Starts(head))
            return new("IDX", null, (r, declared) => IdxReader.Read([(path, rows ? null : LabelsOf(path))], r, declared));
        if (ImageFile.Starts(head) && !gzip)
            return rows ? new("image", null, (r, _) => ImageFolderReader.ReadRows(path, r))
                : throw InputException.At(path, "a single image", "a folder with one folder of images per class", "Name the folder.");
        if (head.StartsWith("PK\u0003\u0004"u8))
            throw InputException.At(path, "a zip archive (or an Excel file)", Formats, "Unpack it, or export it as CSV.");
        if (Path.GetExtension(path).Equals(".bin", StringComparison.OrdinalIgnoreCase) && !gzip)
            return new("CIFAR-10 binary", null, (r, declared) => CifarReader.Read([path], [], r, declared));
        if (head.Contains((byte)0) && !IsUtf16(head))
            throw InputException.At($"{path}, byte {head.IndexOf((byte)0)}", $"binary data starting with {Excerpt.Of(head[..Math.Min(4, head.Length)])}", Formats, "Convert it to one of these.");
        if (head.TrimStart(" \t\r\n\uFEFF"u8) is [(byte)'{', ..])
            return Text("JSON lines", JsonLinesReader.Read);
        if (ConlluReader.Starts(head))
            return Text("CoNLL-U", ConlluReader.Read);
        if (SpacedReader.Starts(head))
            return Text("numbers between spaces", (stream, r) => new SpacedReader(r).Read(stream));
        return Text(Path.GetFileName(path).Contains(".tsv", StringComparison.OrdinalIgnoreCase) ? "TSV" : "CSV", (stream, r) => new DelimitedReader(r).Read(stream));

        SourceFormat Text(string name, Func<Stream, ReadRequest, Table> read) => new(name + suffix, r => InputFile.Reading(path, () =>
        {
            var (stream, _) = InputFile.Open(path);
            using (stream)
                return read(stream, r);
        }), null);
    }

    private static SourceFormat OfFolder(string folder, bool rows) => InputFile.Reading(folder, () =>
    {
        string[] files = [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)];
        string[] idx = [.. files.Where(f => Path.GetFileName(f).Contains("-images", StringComparison.Ordinal) && Path.GetFileName(f).Contains("idx3", StringComparison.Ordinal))];
        if (idx.Length > 0)
            return new("IDX", null, (r, declared) => IdxReader.Read(Pairs(folder, idx, rows), r, declared));
        string[] training = [.. files.Where(f => Path.GetFileName(f).StartsWith("data_batch", StringComparison.Ordinal))];
        string[] test = [.. files.Where(f => Path.GetFileName(f).StartsWith("test_batch", StringComparison.Ordinal))];
        if (training.Length + test.Length > 0)
            return new("CIFAR-10 binary", null, (r, declared) => CifarReader.Read(training, test, r, declared));
        if (MovieLensReader.Holds(files))
            return new("MovieLens 100K", r => new MovieLensReader(folder, r).Read(), null);
        string inner = Path.Combine(folder, "cifar-10-batches-bin");
        if (Directory.Exists(inner))
            return OfFolder(inner, rows);
        if (rows && files.Any(ImageFolderReader.IsImage))
            return new("images", null, (r, _) => ImageFolderReader.ReadRows(folder, r));
        if (ImageFolderReader.Holds(folder))
            return new("images", null, (r, _) => rows ? ImageFolderReader.ReadRows(folder, r) : ImageFolderReader.Read(folder, r));
        string? file = files.FirstOrDefault(f => Path.GetExtension(f).ToLowerInvariant() is ".csv" or ".tsv" or ".jsonl" or ".parquet" or ".gz" or ".txt");
        throw InputException.At(folder, files.Length == 0 && !Directory.EnumerateDirectories(folder).Any() ? "an empty folder" : "a folder without IDX pairs, CIFAR-10 batches or class folders of images",
            Formats, file is null ? "Name the file or folder that holds the data." : $"Name the file inside it, e.g. {file}.");
    });

    /// <summary>The pairs of a folder: training before test; other pairs by name.</summary>
    private static IReadOnlyList<(string Images, string? Labels)> Pairs(string folder, string[] images, bool rows)
    {
        // A plain file beside its compressed form is the same data.
        images = [.. images.Where(f => !(f.EndsWith(".gz", StringComparison.Ordinal) && images.Contains(f[..^3]))).OrderBy(f => IsTest(f)).ThenBy(f => f, StringComparer.Ordinal)];
        return images.Length <= 2 && (images.Length == 1 || !IsTest(images[0]) && IsTest(images[1]))
            ? [.. images.Select(f => (f, rows ? null : LabelsOf(f)))]
            : throw InputException.At(folder, $"{images.Length} IDX image files", "one pair, or a training and a test pair (t10k or test in the name)", "Name one image file; its labels are found beside it.");
    }

    private static bool IsTest(string path) => Path.GetFileName(path) is var name && (name.Contains("t10k", StringComparison.Ordinal) || name.Contains("test", StringComparison.Ordinal));

    /// <summary>The label file beside an image file, compressed or not.</summary>
    private static string LabelsOf(string images)
    {
        string name = Path.GetFileName(images).Replace("images", "labels", StringComparison.Ordinal).Replace("idx3", "idx1", StringComparison.Ordinal);
        string plain = Path.Combine(Path.GetDirectoryName(images) ?? "", name.EndsWith(".gz", StringComparison.Ordinal) ? name[..^3] : name);
        return plain != images && File.Exists(plain) ? plain
            : plain != images && File.Exists(plain + ".gz") ? plain + ".gz"
            : throw InputException.At(images, "no label file beside it", $"{Path.GetFileName(plain)} or {Path.GetFileName(plain)}.gz", "Put it into the same folder.");
    }

    private static bool IsUtf16(ReadOnlySpan<byte> head) => head is [0xff, 0xfe, ..] or [0xfe, 0xff, ..];
}
