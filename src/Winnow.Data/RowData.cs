using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Examples without labels, in memory: bytes for images, floats for tables, the values that are not zero for text.</summary>
public sealed class RowData
{
    private readonly byte[]? _bytes;
    private readonly float[]? _values;
    private readonly SparseRows? _sparse;
    private readonly float[] _levels = [];

    /// <summary>Images of bytes [count, channels, height, width], not copied.</summary>
    /// <exception cref="ArgumentException">The length is not a multiple of the width.</exception>
    internal RowData(string name, string format, ExampleLayout layout, byte[] bytes) : this(name, format, layout, bytes.Length)
    {
        _bytes = bytes;
        _levels = new float[256];
        for (int i = 0; i < _levels.Length; i++)
            _levels[i] = i / layout.Divisor;
    }

    /// <summary>Rows of a table [count, features], already divided, not copied.</summary>
    /// <exception cref="ArgumentException">The length is not a multiple of the width.</exception>
    internal RowData(string name, string format, ExampleLayout layout, float[] values) : this(name, format, layout, values.Length) => _values = values;

    /// <summary>Rows of which most values are zero, not copied.</summary>
    internal RowData(string name, string format, ExampleLayout layout, SparseRows rows) : this(name, format, layout, checked((rows.Starts.Length - 1L) * layout.Width)) => _sparse = rows;

    private RowData(string name, string format, ExampleLayout layout, long length)
    {
        Name = name;
        Format = format;
        Layout = layout;
        Width = layout.Width;
        if (Width <= 0 || length % Width != 0)
            throw new ArgumentException($"{length} values are not a whole number of examples of {layout.ShapeText}.", nameof(layout));
        Count = (int)(length / Width);
    }

    /// <summary>Name of the data set, or file name.</summary>
    public string Name { get; }

    /// <summary>Format it was read from, e.g. <c>IDX, gzip</c>.</summary>
    public string Format { get; }

    /// <summary>What one example looks like.</summary>
    public ExampleLayout Layout { get; }

    /// <summary>Number of rows.</summary>
    public int Count { get; }

    /// <summary>Numbers per row.</summary>
    public int Width { get; }

    /// <summary>Copies rows, raw values divided by the layout's divisor: images lie in [0, 1].</summary>
    /// <param name="rows">Zero-based rows, in any order, repeats allowed.</param>
    /// <param name="destination">Row-major [rows.Length, Width]; longer is allowed.</param>
    /// <exception cref="ArgumentException">The destination is too short, or a row does not exist.</exception>
    public void CopyRows(ReadOnlySpan<int> rows, Span<float> destination)
    {
        if (destination.Length < (long)rows.Length * Width)
            throw new ArgumentException($"The destination holds {destination.Length} numbers; {rows.Length} rows of {Width} need {(long)rows.Length * Width}.", nameof(destination));
        for (int i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)Count)
                throw new ArgumentException($"Row {rows[i]} does not exist; there are {Count} rows.", nameof(rows));
            CopyRow(rows[i], destination.Slice(i * Width, Width));
        }
    }

    private void CopyRow(int row, Span<float> destination)
    {
        if (_sparse is not null)
        {
            destination.Clear();
            for (int i = _sparse.Starts[row]; i < _sparse.Starts[row + 1]; i++)
                destination[_sparse.Columns[i]] = _sparse.Values[i];
            return;
        }
        if (_values is not null)
        {
            _values.AsSpan(row * Width, Width).CopyTo(destination);
            return;
        }
        var source = _bytes.AsSpan(row * Width, Width);
        for (int j = 0; j < source.Length; j++)
            destination[j] = _levels[source[j]];
    }

    /// <summary>Adds the stored content to a hash.</summary>
    internal void AddTo(IncrementalHash hash)
    {
        if (_bytes is not null)
            hash.AppendData(_bytes);
        else if (_sparse is not null)
        {
            hash.AppendData(MemoryMarshal.AsBytes(_sparse.Starts.AsSpan()));
            hash.AppendData(MemoryMarshal.AsBytes(_sparse.Columns.AsSpan()));
            hash.AppendData(MemoryMarshal.AsBytes(_sparse.Values.AsSpan()));
        }
        else
            for (int start = 0; start < _values!.Length; start += 1 << 20)
                hash.AppendData(MemoryMarshal.AsBytes(_values.AsSpan(start, Math.Min(1 << 20, _values.Length - start))));
    }
}
