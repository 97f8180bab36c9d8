using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Works out the format of a path from its content and reads it with the reader for it.</summary>
internal static class SourceReader
{
    /// <summary>Reads labelled examples.</summary>
    /// <param name="path">File or folder that exists.</param>
    /// <param name="set">The named data set it is, or null.</param>
    /// <param name="reading">What the user said.</param>
    /// <param name="limits">What may be held.</param>
    /// <param name="cancellation">Stops the reading.</param>
    public static LabelledData Read(string path, NamedDataSet? set, DataReading reading, ReadLimits limits, CancellationToken cancellation)
    {
        string name = set?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        var (table, format) = ReadTable(path, new ReadRequest(path, reading, null, limits, cancellation));
        var rows = new RowData(name, format, new ExampleLayout([table.Columns], 1, table.FeatureNames), table.Values);
        var data = new LabelledData(rows, table.Labels, table.LabelNames) { Title = set?.Title ?? name, Attribution = set?.Attribution };
        RequireClasses(path, data);
        return data;
    }

    /// <summary>Reads examples without labels.</summary>
    public static RowData ReadRows(string path, DataReading reading, ExampleLayout layout, ReadLimits limits, CancellationToken cancellation)
    {
        var (table, format) = ReadTable(path, new ReadRequest(path, reading, layout, limits, cancellation));
        return new(Path.GetFileName(path), format, layout, table.Values);
    }

    private static (Table Table, string Format) ReadTable(string path, ReadRequest request) => InputFile.Reading(path, () =>
    {
        var (stream, gzip) = InputFile.Open(path);
        using (stream)
            return (new DelimitedReader(request).Read(stream), gzip ? "CSV, gzip" : "CSV");
    });

    private static void RequireClasses(string path, LabelledData data)
    {
        int present = data.CountPerClass.Count(n => n > 0);
        if (present < 2)
            throw InputException.At(path, $"one class only ('{data.LabelNames[data.Labels[0]]}', {Excerpt.Of(data.Count)} rows)", "at least 2 classes", "Add rows of another class, or name the label column.");
    }
}
