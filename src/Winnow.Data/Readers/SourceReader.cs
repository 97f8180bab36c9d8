using System.Globalization;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Works out the format of a path from its content and reads it with the reader for it.</summary>
internal static class SourceReader
{
    private const float ByteDivisor = 255;

    /// <summary>Reads labelled examples.</summary>
    /// <param name="path">File or folder that exists.</param>
    /// <param name="set">The named data set it is, or null.</param>
    /// <param name="request">What to read.</param>
    public static LabelledData Read(string path, NamedDataSet? set, ReadRequest request)
    {
        string name = set?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        var format = SourceFormat.Of(path);
        LabelledData data;
        if (format.IsTable)
        {
            var table = format.ReadTable(request);
            data = new(table.Rows(name, format.Name, table.Layout), table.Labels, table.LabelNames)
            {
                Title = set?.Title ?? name,
                Attribution = set?.Attribution,
                Domains = table.Domains,
            };
        }
        else
        {
            Domains.RefuseColumn(path, request.Reading, "images");
            var images = format.ReadImages(request, set?.LabelNames);
            data = new(new RowData(name, images.Format, new ExampleLayout(images.Shape, ByteDivisor), images.Pixels), images.Labels, images.LabelNames)
            {
                Title = set?.Title ?? name,
                Attribution = set?.Attribution,
                TrainCount = images.TrainCount,
                FromFolders = images.Format == ImageFolderReader.Format,
            };
        }
        RequireClasses(path, data);
        return data;
    }

    /// <summary>Reads rows with a number each.</summary>
    /// <param name="path">File that exists.</param>
    /// <param name="set">The named data set it is, or null.</param>
    /// <param name="request">What to read; asks for targets.</param>
    public static TargetData ReadTargets(string path, NamedDataSet? set, ReadRequest request)
    {
        string name = set?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        var format = SourceFormat.Of(path);
        if (!format.IsTable)
            throw InputException.At(path, "images", "a table with a column of numbers to learn", "Give a CSV, TSV, JSON lines or Parquet file.");
        var table = format.ReadTable(request);
        if (table.Targets is not { } targets)
            throw InputException.At(path, format.Name, "a table with a column of numbers to learn", "Give a CSV, TSV, JSON lines or Parquet file.");
        return targets.Values.Distinct().Take(2).Count() > 1
            ? new(table.Rows(name, format.Name, table.Layout), targets.Values, targets.Column) { Title = set?.Title ?? name, Attribution = set?.Attribution }
            : throw InputException.At($"{path}, {targets.Column}", string.Create(CultureInfo.InvariantCulture, $"{targets.Values[0]} in each of {targets.Values.Length:N0} rows"), "numbers that differ", "Name another column with --label.");
    }

    /// <summary>Reads examples without labels, in the layout of the request.</summary>
    public static RowData ReadRows(string path, ReadRequest request)
    {
        var layout = request.Layout!;
        var format = SourceFormat.Of(path, rows: true);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (format.IsTable)
            return format.ReadTable(request).Rows(name, format.Name, layout);
        if (!layout.IsImage)
            throw InputException.At(path, "images", $"rows of {layout.ShapeText}, as the model was trained on", "Give a table (CSV, TSV or Parquet).");
        var images = format.ReadImages(request, null);
        return images.Shape.SequenceEqual(layout.Shape)
            ? new(name, images.Format, layout with { Divisor = ByteDivisor }, images.Pixels)
            : throw Images.OtherSize(path, string.Join('x', images.Shape), layout.ShapeText, "the model was trained on");
    }

    private static void RequireClasses(string path, LabelledData data)
    {
        int present = data.CountPerClass.Count(n => n > 0);
        if (present < 2)
            throw InputException.At(path, $"one class only ('{data.LabelNames[data.Labels[0]]}', {Excerpt.Of(data.Count)} rows)", "at least 2 classes", "Add rows of another class, or name the label column.");
    }
}
