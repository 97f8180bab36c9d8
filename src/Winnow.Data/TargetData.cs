using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Winnow.Core;

namespace Winnow.Data;

/// <summary>Rows of a table with a number each: what regression starts from. Immutable.</summary>
public sealed class TargetData
{
    private readonly double[] _targets;
    private readonly Lazy<string> _hash;

    /// <summary>Gives rows their numbers.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="targets">One finite number a row, not copied.</param>
    /// <param name="column">Where they stand, for people.</param>
    /// <exception cref="ArgumentException">The counts differ.</exception>
    internal TargetData(RowData rows, double[] targets, string column)
    {
        if (targets.Length != rows.Count)
            throw new ArgumentException($"{targets.Length} targets for {rows.Count} rows.", nameof(targets));
        (Rows, _targets, Column, Title) = (rows, targets, column, rows.Name);
        _hash = new(ComputeHash);
    }

    /// <summary>The rows without their numbers.</summary>
    public RowData Rows { get; }

    /// <summary>The number of each row.</summary>
    public ReadOnlySpan<double> Targets => _targets;

    /// <summary>The column of the numbers: its position, and its name where there is one.</summary>
    public string Column { get; }

    /// <summary>Name for people.</summary>
    public string Title { get; init; }

    /// <summary>Source and terms, when known.</summary>
    public string? Attribution { get; init; }

    /// <summary>Number of rows.</summary>
    public int Count => Rows.Count;

    /// <summary>SHA-256, in hex, of shape, names, rows and targets. Computed once, on first use.</summary>
    public string Hash => _hash.Value;

    /// <summary>The summary a study shows and stores.</summary>
    /// <param name="source">Name of the data set, or an absolute path, as a trial will open it.</param>
    /// <param name="reading">How it is read.</param>
    public DataSummary Summary(string source, DataReading reading) => new(new DataRef(source, Hash, reading), Title, string.Create(CultureInfo.InvariantCulture,
        $"{Rows.Format}: {Count:N0} rows of {Rows.Layout.ShapeText}; {Column} is learned, {_targets.Min():G6} to {_targets.Max():G6}"), Attribution);

    private string ComputeHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"targets|{string.Join(',', Rows.Layout.Shape)}|{Count}|{Column}|{string.Join('\u001f', Rows.Layout.FeatureNames ?? [])}\n")));
        hash.AppendData(MemoryMarshal.AsBytes(_targets.AsSpan()));
        Rows.AddTo(hash);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
