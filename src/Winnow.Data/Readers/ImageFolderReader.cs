using System.Text.RegularExpressions;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// A folder with one folder of PNG or JPEG files per class, or <c>train</c> and <c>test</c> folders of that form. All images have
/// one size; grey when all are grey, else red, green, blue. Files are taken in the order of their names, numbers in them by value: frame2 before frame10.
/// </summary>
internal static partial class ImageFolderReader
{
    /// <summary>The format, for people.</summary>
    public const string Format = "images";

    private static readonly string[] Extensions = [".png", ".jpg", ".jpeg"];
    private static readonly string[] SystemFiles = ["thumbs.db", "desktop.ini"];

    /// <summary>Whether a folder holds images, below one level of folders or below <c>train</c>.</summary>
    public static bool Holds(string folder) => Classes(TrainFolder(folder) ?? folder).Any(c => Directory.EnumerateFiles(c).Any(IsImage));

    /// <summary>Whether a file name is that of an image.</summary>
    public static bool IsImage(string path) => Extensions.Contains(Path.GetExtension(path).ToLowerInvariant());

    /// <summary>Reads images and their classes.</summary>
    public static Images Read(string folder, ReadRequest request)
    {
        string? train = TrainFolder(folder);
        string? test = train is null ? null : Directory.EnumerateDirectories(folder).FirstOrDefault(d => Path.GetFileName(d) is "test" or "val" or "valid");
        string[] names = [.. Classes(train ?? folder).Select(c => Path.GetFileName(c)!)];
        var files = new List<string>();
        var labels = new List<int>();
        Collect(train ?? folder, names, files, labels);
        int trainCount = files.Count;
        if (test is not null)
            Collect(test, names, files, labels);
        return Read(files, request, null) with { Labels = [.. labels], LabelNames = names, TrainCount = test is null ? null : trainCount };
    }

    /// <summary>Reads images to predict: those of a folder or of its folders, or a single file.</summary>
    public static Images ReadRows(string path, ReadRequest request)
    {
        string[] files = File.Exists(path) ? [path] : [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Where(IsImage).Order(StringComparer.Ordinal)];
        return Read(files, request, request.Layout!.Shape);
    }

    private static void Collect(string folder, string[] names, List<string> files, List<int> labels)
    {
        foreach (string path in Classes(folder))
        {
            string name = Path.GetFileName(path);
            int label = Array.IndexOf(names, name);
            if (label < 0)
                throw InputException.At(path, $"class {Excerpt.Of(name)}", $"one of the {names.Length} classes of the training folder",
                    Nearest.To(name, names) is { } near ? $"Did you mean '{near}'?" : "Add it to the training folder or remove it.");
            int before = files.Count;
            foreach (string file in Directory.EnumerateFiles(path).Where(IsContent).OrderBy(NumbersByValue, StringComparer.Ordinal).ThenBy(f => f, StringComparer.Ordinal))
            {
                if (!IsImage(file))
                    throw InputException.At(file, $"a file of type {Excerpt.Of(Path.GetExtension(file))}", "PNG or JPEG images only", "Move it out of the folder.");
                files.Add(file);
                labels.Add(label);
            }
            if (files.Count == before)
                throw InputException.At(path, "a class folder without images", "PNG or JPEG images", "Add images or remove the folder.");
        }
    }

    private static Images Read(IReadOnlyList<string> files, ReadRequest request, IReadOnlyList<int>? shape)
    {
        if (shape is null)
        {
            using var first = ImageFile.Open(files[0]);
            bool grey = first.IsGrey && files.Skip(1).All(f => { request.Cancellation.ThrowIfCancellationRequested(); using var file = ImageFile.Open(f); return file.IsGrey; });
            shape = [grey ? 1 : 3, first.Height, first.Width];
        }
        string like = request.Layout is null ? $"{Path.GetFileName(files[0])} has" : "the model was trained on";
        int width = shape[0] * shape[1] * shape[2];
        request.Limits.Require(request.Where, (Int128)files.Count * width, 1);
        var rgba = new byte[4 * shape[1] * shape[2]];
        var pixels = new byte[files.Count * width];
        for (int i = 0; i < files.Count; i++)
        {
            request.Cancellation.ThrowIfCancellationRequested();
            using var file = ImageFile.Open(files[i]);
            if (file.Width != shape[2] || file.Height != shape[1])
                throw Images.OtherSize(files[i], Images.Size(file.Width, file.Height), Images.Size(shape[2], shape[1]), like);
            file.Decode(shape[0], rgba, pixels.AsSpan(i * width, width));
        }
        return new(pixels, [.. shape], [], [], null, Format);
    }

    private static string? TrainFolder(string folder)
    {
        string train = Path.Combine(folder, "train");
        return Directory.Exists(train) && Classes(train).Any() ? train : null;
    }

    private static IEnumerable<string> Classes(string folder) => Directory.EnumerateDirectories(folder).Where(IsContent).Order(StringComparer.Ordinal);

    /// <summary>A key that orders names as people do: every run of digits is filled up with zeros.</summary>
    private static string NumbersByValue(string path) => Digits().Replace(Path.GetFileName(path), m => m.Value.PadLeft(20, '0'));

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();

    private static bool IsContent(string path) => Path.GetFileName(path) is var name && name[0] != '.' && !SystemFiles.Contains(name.ToLowerInvariant());
}
