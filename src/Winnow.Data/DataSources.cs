using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Opens data: by name, or a path whose format is worked out from its content.</summary>
public static class DataSources
{
    /// <summary>Opens a data set with the folders that the environment names.</summary>
    /// <inheritdoc cref="Open(string?, DataReading, DataFolders, CancellationToken)"/>
    public static LabelledData Open(string? source, DataReading reading, CancellationToken cancellation) => Open(source, reading, DataFolders.FromEnvironment(), cancellation);

    /// <summary>
    /// Opens a data set: null or <c>digits</c> is the embedded one; a known name is looked for in <see cref="DataFolders.Data"/>, then
    /// in the cache (nothing is downloaded); anything else is a path.
    /// </summary>
    /// <param name="source">Name or path.</param>
    /// <param name="reading">How to read it where it does not say itself.</param>
    /// <param name="folders">Where named data sets lie.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="InputException">It is not there, or it cannot be read whole and without doubt.</exception>
    public static LabelledData Open(string? source, DataReading reading, DataFolders folders, CancellationToken cancellation)
    {
        if (source is null or EmbeddedDigits.Name)
        {
            Domains.RefuseColumn(EmbeddedDigits.Name, reading, "images");
            return EmbeddedDigits.Open();
        }
        var set = NamedDataSets.Find(source);
        if (set is null)
            return Path.Exists(source) ? SourceReader.Read(source, null, new ReadRequest(source, reading, null, ReadLimits.Here, cancellation)) : throw Unknown(source);
        string path = NamedDataSets.Locate(set, folders) ?? throw NotHere(set, folders);
        return SourceReader.Read(path, set, new ReadRequest(path, reading, null, ReadLimits.Here, cancellation));
    }

    /// <summary>Opens rows whose label column holds a number to be learned: the named column or the last.</summary>
    /// <param name="source">Name of a data set that is a table, or path.</param>
    /// <param name="reading">How to read it where it does not say itself.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="InputException">It is not there, it cannot be read whole and without doubt, or that column is not of finite numbers that differ.</exception>
    public static TargetData OpenTargets(string source, DataReading reading, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source == EmbeddedDigits.Name)
            throw InputException.At($"data set '{source}'", "images", "a table with a column of numbers to learn", "Give a CSV, TSV, JSON lines or Parquet file.");
        var folders = DataFolders.FromEnvironment();
        var set = NamedDataSets.Find(source);
        string path = set is null ? Path.Exists(source) ? source : throw Unknown(source) : NamedDataSets.Locate(set, folders) ?? throw NotHere(set, folders);
        return SourceReader.ReadTargets(path, set, new ReadRequest(path, reading, null, ReadLimits.Here, cancellation) { Targets = true });
    }

    /// <summary>Opens rows to predict, in the layout the model was trained on. A label column is allowed and ignored.</summary>
    /// <param name="path">A file, or a folder of images.</param>
    /// <param name="reading">How to read it where it does not say itself.</param>
    /// <param name="layout">What an example looks like to the model.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="InputException">It cannot be read whole and without doubt, or its rows are not of this layout.</exception>
    public static RowData OpenRows(string path, DataReading reading, ExampleLayout layout, CancellationToken cancellation) =>
        Path.Exists(path) ? SourceReader.ReadRows(path, new ReadRequest(path, reading, layout, ReadLimits.Here, cancellation)) : throw InputFile.Missing(path);

    /// <summary>Not a known name and not a path: the nearest name when it looks like one.</summary>
    private static InputException Unknown(string source)
    {
        bool path = source.Contains('/', StringComparison.Ordinal) || source.Contains('\\', StringComparison.Ordinal) || Path.HasExtension(source);
        return path ? InputFile.Missing(source) : InputException.Unknown("data set or path", source, [EmbeddedDigits.Name, .. NamedDataSets.All.Select(s => s.Name)], "winnow data list");
    }

    private static InputException NotHere(NamedDataSet set, DataFolders folders)
    {
        string looked = folders.Data is { } data ? $"{string.Join(" or ", set.Paths)} in {data} (WINNOW_DATA)" : "a folder named by WINNOW_DATA (unset)";
        string? smaller = NamedDataSets.All.FirstOrDefault(s => s != set && s.Name.StartsWith(set.Name, StringComparison.Ordinal) && NamedDataSets.Locate(s, folders) is not null)?.Name;
        string remedy = set.Files.Count > 0 ? $"Run: winnow data get {set.Name}" : "Set WINNOW_DATA to the folder that holds it.";
        return InputException.At($"data set '{set.Name}'", "nothing on this machine", set.Files.Count > 0 ? $"{looked}, or a download in {folders.Cache}" : looked,
            smaller is null ? remedy : $"{remedy} (or use '{smaller}', which is here)");
    }
}
