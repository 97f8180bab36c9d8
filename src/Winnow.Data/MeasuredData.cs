using System.Globalization;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Rows of a table with a measured number each: what regression starts from. Immutable.</summary>
public sealed class MeasuredData
{
    private readonly double[] _values;

    private MeasuredData(LabelledData rows, double[] values) => (Rows, _values) = (rows, values);

    /// <summary>The rows; what stands for their labels are the different values in order.</summary>
    public LabelledData Rows { get; }

    /// <summary>One a row, finite.</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>Opens a table (CSV, TSV, Parquet) whose label column holds numbers.</summary>
    /// <param name="path">The file.</param>
    /// <param name="reading">The label column is the one that is measured: by name or position, else the last.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="InputException">It cannot be read whole and without doubt, or the column has a text, a number that is none, or one number only.</exception>
    public static MeasuredData Open(string path, DataReading reading, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!Path.Exists(path))
            throw InputFile.Missing(path);
        var rows = SourceReader.Read(path, null, new ReadRequest(path, reading, null, ReadLimits.Here, cancellation) { Measured = true });
        if (!rows.Format.Contains("CSV", StringComparison.Ordinal) && rows.Layout.IsImage)
            throw InputException.At(path, "images", "a table with a column of numbers", "Give a CSV, TSV or Parquet file.");
        double[] known = [.. rows.LabelNames.Select((name, i) => double.TryParse(name, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value
            : throw InputException.At(path, $"{Excerpt.Of(name)} in row {rows.Labels.IndexOf(i)} of the column to be predicted", "a finite number", "Name the column of numbers with --label, or leave the row out."))];
        double[] values = new double[rows.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = known[rows.Labels[i]];
        return new(rows, values);
    }

    /// <summary>The summary a study shows and stores.</summary>
    /// <param name="source">An absolute path, as a trial will open it.</param>
    /// <param name="reading">How it is read.</param>
    public DataSummary Summary(string source, DataReading reading) => new(new DataRef(source, Rows.Hash, reading), Rows.Title,
        string.Create(CultureInfo.InvariantCulture, $"{Rows.Format}: {Rows.Count:N0} rows of {Rows.Layout.ShapeText}, a number from {_values.Min():G4} to {_values.Max():G4} to predict"), Rows.Attribution);
}
