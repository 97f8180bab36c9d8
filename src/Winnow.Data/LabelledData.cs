using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Winnow.Core;

namespace Winnow.Data;

/// <summary>Examples with a class label each: what every classification task starts from. Immutable.</summary>
public sealed class LabelledData
{
    private readonly int[] _labels;
    private readonly Lazy<string> _hash;

    /// <summary>Labels rows.</summary>
    /// <param name="rows">The examples.</param>
    /// <param name="labels">One zero-based class index per row, not copied.</param>
    /// <param name="labelNames">Name per class.</param>
    /// <exception cref="ArgumentException">The counts differ, or a label has no name.</exception>
    public LabelledData(RowData rows, int[] labels, IReadOnlyList<string> labelNames)
    {
        if (labels.Length != rows.Count)
            throw new ArgumentException($"{labels.Length} labels for {rows.Count} rows.", nameof(labels));
        var counts = new int[labelNames.Count];
        foreach (int label in labels)
        {
            if ((uint)label >= (uint)counts.Length)
                throw new ArgumentException($"Label {label} has no name; there are {counts.Length} names.", nameof(labels));
            counts[label]++;
        }
        Rows = rows;
        _labels = labels;
        LabelNames = labelNames;
        CountPerClass = counts;
        Title = rows.Name;
        _hash = new(ComputeHash);
    }

    /// <summary>A table in memory.</summary>
    /// <param name="name">Name for reports.</param>
    /// <param name="values">Row-major [count, features], finite, not copied.</param>
    /// <param name="features">Features per row.</param>
    /// <param name="labels">Zero-based class per row.</param>
    /// <param name="labelNames">Name per class.</param>
    /// <param name="domains">Where or when each row comes from; null for unknown.</param>
    /// <exception cref="ArgumentException">The lengths do not fit together.</exception>
    public static LabelledData FromTable(string name, float[] values, int features, int[] labels, IReadOnlyList<string> labelNames, Domains? domains = null) =>
        new(new RowData(name, "memory", new ExampleLayout([features], 1), values), labels, labelNames) { Domains = domains };

    /// <summary>Byte images in memory.</summary>
    /// <param name="name">Name for reports.</param>
    /// <param name="pixels">[count, channels, height, width], not copied.</param>
    /// <param name="shape">[channels, height, width].</param>
    /// <param name="labels">Zero-based class per image.</param>
    /// <param name="labelNames">Name per class.</param>
    /// <exception cref="ArgumentException">The lengths do not fit together.</exception>
    public static LabelledData FromImages(string name, byte[] pixels, IReadOnlyList<int> shape, int[] labels, IReadOnlyList<string> labelNames) =>
        new(new RowData(name, "memory", new ExampleLayout(shape, 255), pixels), labels, labelNames);

    /// <summary>The examples without their labels.</summary>
    public RowData Rows { get; }

    /// <summary>Name of the data set, or file name.</summary>
    public string Name => Rows.Name;

    /// <summary>Name for people.</summary>
    public string Title { get; init; }

    /// <summary>Format it was read from.</summary>
    public string Format => Rows.Format;

    /// <summary>Source and terms, when known.</summary>
    public string? Attribution { get; init; }

    /// <summary>Where the publisher fixed a split: the first rows are for training, the rest for testing.</summary>
    public int? TrainCount { get; init; }

    /// <summary>Whether each class was a folder of image files, its rows in the order of their names: it may hold the frames of a video.</summary>
    public bool FromFolders { get; init; }

    /// <summary>Where or when each row comes from, where that is known.</summary>
    /// <exception cref="ArgumentException">Set for another number of rows.</exception>
    public Domains? Domains
    {
        get;
        init => field = value is null || value.Count == Count ? value : throw new ArgumentException($"{value.Count} domains for {Count} rows.", nameof(value));
    }

    /// <summary>What one example looks like; kept with a model.</summary>
    public ExampleLayout Layout => Rows.Layout;

    /// <summary>Number of rows.</summary>
    public int Count => Rows.Count;

    /// <summary>[features] or [channels, height, width].</summary>
    public IReadOnlyList<int> Shape => Layout.Shape;

    /// <summary>Numbers per row: the product of the shape.</summary>
    public int Width => Rows.Width;

    /// <summary>Column names of a table with a header; null otherwise.</summary>
    public IReadOnlyList<string>? FeatureNames => Layout.FeatureNames;

    /// <summary>Class names; a label is an index into them.</summary>
    public IReadOnlyList<string> LabelNames { get; }

    /// <summary>Zero-based class per row.</summary>
    public ReadOnlySpan<int> Labels => _labels;

    /// <summary>Rows of each class.</summary>
    public IReadOnlyList<int> CountPerClass { get; }

    /// <summary>SHA-256, in hex, of shape, classes, labels, values and, where there are, domains: the same content has the same hash in any container. Computed once, on first use.</summary>
    public string Hash => _hash.Value;

    /// <inheritdoc cref="RowData.CopyRows"/>
    public void CopyRows(ReadOnlySpan<int> rows, Span<float> destination) => Rows.CopyRows(rows, destination);

    /// <summary>One line: format, rows, shape, classes, balance, domains.</summary>
    public string Describe()
    {
        string names = LabelNames.Count <= 10 ? string.Join(", ", LabelNames) : $"{string.Join(", ", LabelNames.Take(8))}, ... {LabelNames[^1]}";
        string split = TrainCount is { } train ? string.Create(CultureInfo.InvariantCulture, $" ({train:N0} for training)") : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{Format}: {Count:N0} rows{split} of {Layout.ShapeText}, {LabelNames.Count} classes ({names}), {CountPerClass.Min():N0} to {CountPerClass.Max():N0} rows a class{(Domains is null ? "" : "; " + Domains.Describe())}");
    }

    /// <summary>The summary a study shows and stores.</summary>
    /// <param name="source">Name of the data set, or an absolute path, as a trial will open it.</param>
    /// <param name="reading">How it is read.</param>
    public DataSummary Summary(string source, DataReading reading) => new(new DataRef(source, Hash, reading), Title, Describe(), Attribution);

    private string ComputeHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string head = string.Create(CultureInfo.InvariantCulture,
            $"{string.Join(',', Shape)}|{Layout.Divisor}|{TrainCount}|{Count}|{string.Join('\u001f', LabelNames)}|{string.Join('\u001f', FeatureNames ?? [])}\n");
        hash.AppendData(Encoding.UTF8.GetBytes(head));
        hash.AppendData(MemoryMarshal.AsBytes(_labels.AsSpan()));
        Rows.AddTo(hash);
        Domains?.AddTo(hash);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
