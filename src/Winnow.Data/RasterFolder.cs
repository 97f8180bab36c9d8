using System.Globalization;
using SkiaSharp;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Bands of a scene, and what some of its pixels are.</summary>
/// <param name="Bands">All bands beside each other.</param>
/// <param name="Names">A name a band.</param>
/// <param name="Labels">The class of each pixel [height, width]; −1 where it is not known.</param>
/// <param name="Classes">A name a class.</param>
public sealed record Scene(Raster Bands, IReadOnlyList<string> Names, int[] Labels, IReadOnlyList<string> Classes);

/// <summary>
/// Reads a folder of one scene: an image <c>labels</c> (.png or .tif) whose pixels are black or 0 where the class is not known, and else of one colour or number a class; and beside it the bands, PNG, JPEG or TIFF of the
/// same size, in the order of their names. A grey image is one band, a coloured one three.
/// </summary>
public static class RasterFolder
{
    private const int MostClasses = 1000, MostFiles = 4096;

    /// <summary>Reads a folder.</summary>
    /// <exception cref="InputException">No labels, no bands, other sizes or a file that cannot be read; the message names it.</exception>
    public static Scene Read(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
            throw File.Exists(folder) ? InputException.At(folder, "a file", "a folder with labels.png and bands", "Name the folder.") : InputFile.Missing(folder);
        string[] files = [.. Directory.EnumerateFiles(folder).Where(f => Path.GetExtension(f).ToLowerInvariant() is ".png" or ".jpg" or ".jpeg" or ".tif" or ".tiff").Order(StringComparer.Ordinal)];
        string truth = files.FirstOrDefault(f => Path.GetFileNameWithoutExtension(f).Equals("labels", StringComparison.OrdinalIgnoreCase)) ?? throw InputException.At(folder, "no labels.png", "an image of classes, black where they are not known", "Add it.");
        string[] others = [.. files.Where(f => f != truth)];
        if (others.Length is 0 or > MostFiles)
            throw InputException.At(folder, $"{others.Length:N0} bands beside {Path.GetFileName(truth)}", $"1 to {MostFiles:N0} PNG, JPEG or TIFF files", "Add them.");
        var labels = Image(truth);
        var (bands, names) = (new List<Raster>(), new List<string>());
        foreach (string file in others)
        {
            var band = Image(file);
            if (band.Width != labels.Width || band.Height != labels.Height)
                throw Images.OtherSize(file, Images.Size(band.Width, band.Height), Images.Size(labels.Width, labels.Height), Path.GetFileName(truth));
            bands.Add(band);
            string name = Path.GetFileNameWithoutExtension(file);
            names.AddRange(band.Bands == 1 ? [name] : Enumerable.Range(1, band.Bands).Select(b => string.Create(CultureInfo.InvariantCulture, $"{name} {b}")));
        }
        int pixels = labels.Width * labels.Height;
        ReadLimits.Here.Require(folder, (Int128)pixels * names.Count, sizeof(float));
        float[] values = new float[(long)pixels * names.Count];
        int first = 0;
        foreach (var band in bands)
        {
            for (int i = 0; i < pixels; i++)
                for (int b = 0; b < band.Bands; b++)
                    values[(long)i * names.Count + first + b] = band.Values[(long)i * band.Bands + b];
            first += band.Bands;
        }
        var (known, classes) = Classes(truth, labels);
        return new(new(labels.Width, labels.Height, names.Count, values), names, known, classes);
    }

    /// <summary>Writes an image of classes as PNG: −1 black, each class its own colour.</summary>
    /// <param name="png">Where to.</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="classes">The class of each pixel [height, width].</param>
    public static void Write(Stream png, int width, IReadOnlyList<int> classes)
    {
        ArgumentNullException.ThrowIfNull(png);
        ArgumentNullException.ThrowIfNull(classes);
        using var bitmap = new SKBitmap(new SKImageInfo(width, classes.Count / width, SKColorType.Rgba8888, SKAlphaType.Opaque));
        const float golden = 222.5f, saturation = 70; // degrees that keep neighbours in the list apart
        bitmap.Pixels = [.. classes.Select(c => c < 0 ? SKColors.Black : SKColor.FromHsv(c * golden % 360, saturation, c / 8 % 2 == 0 ? 90 : 60))];
        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        data.SaveTo(png);
    }

    private static Raster Image(string file)
    {
        if (TiffFile.Starts(InputFile.Head(file, 4).Head))
            return TiffFile.Read(file);
        using var image = ImageFile.Open(file);
        int channels = image.IsGrey ? 1 : 3, pixels = image.Width * image.Height;
        byte[] bytes = new byte[pixels * channels];
        image.Decode(channels, new byte[4 * pixels], bytes);
        float[] values = new float[bytes.Length];
        for (int i = 0; i < pixels; i++)
            for (int c = 0; c < channels; c++)
                values[i * channels + c] = bytes[c * pixels + i];
        return new(image.Width, image.Height, channels, values);
    }

    private static (int[] Labels, IReadOnlyList<string> Classes) Classes(string file, Raster labels)
    {
        string Colour(int pixel) => string.Join(' ', labels.Values.AsSpan(pixel * labels.Bands, labels.Bands).ToArray().Select(v => v.ToString(CultureInfo.InvariantCulture)));
        var colours = new SortedDictionary<string, List<int>>(StringComparer.Ordinal);
        for (int i = 0; i < labels.Width * labels.Height; i++)
            if (labels.Values.AsSpan(i * labels.Bands, labels.Bands).ContainsAnyExcept(0f))
            {
                string colour = Colour(i);
                if (!colours.TryGetValue(colour, out var there))
                    colours[colour] = there = colours.Count < MostClasses ? [] : throw InputException.At(file, $"more than {MostClasses} colours", "one a class", "Save it without smoothing or compression that changes colours.");
                there.Add(i);
            }
        int[] known = new int[labels.Width * labels.Height];
        Array.Fill(known, -1);
        foreach (var (number, there) in colours.Values.Index())
            foreach (int pixel in there)
                known[pixel] = number;
        return (known, [.. colours.Keys.Select(c => $"class {c}")]);
    }
}
