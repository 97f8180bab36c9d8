using System.Numerics;

namespace Winnow.Numerics.Sparse;

/// <summary>A sparse matrix in compressed rows (CSR): checked when it is made, never changed in shape after that.</summary>
/// <typeparam name="T">float or double.</typeparam>
public sealed class SparseMatrix<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Takes arrays over, without a copy. Within a row columns must ascend and be distinct. Cost: O(rows + entries).</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="starts">Where each row begins, and the end of the last: rows + 1 numbers that do not fall.</param>
    /// <param name="indices">The column of each entry.</param>
    /// <param name="values">The value of each entry; NaN and infinity are kept as they are.</param>
    /// <exception cref="ArgumentException">The arrays do not make a matrix; the message names the row.</exception>
    public SparseMatrix(int rows, int columns, long[] starts, int[] indices, T[] values)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentNullException.ThrowIfNull(starts);
        ArgumentNullException.ThrowIfNull(indices);
        ArgumentNullException.ThrowIfNull(values);
        (Rows, Columns, Starts, Indices, Values) = (rows, columns, starts, indices, values);
        if (starts.Length != rows + 1)
            throw new ArgumentException($"{starts.Length} row starts for {rows} rows; expected {rows + 1}", nameof(starts));
        if (starts[0] != 0)
            throw new ArgumentException($"the first row starts at {starts[0]}; expected 0", nameof(starts));
        if (starts[rows] != indices.Length || indices.Length != values.Length)
            throw new ArgumentException($"the last row ends at {starts[rows]} with {indices.Length} columns and {values.Length} values; expected three equal numbers", nameof(starts));
        for (int i = 0; i < rows; i++)
        {
            if (starts[i + 1] < starts[i])
                throw new ArgumentException($"row {i} starts at {starts[i]} and ends at {starts[i + 1]}; row starts must not fall", nameof(starts));
            int last = -1;
            for (long p = starts[i]; p < starts[i + 1]; p++)
            {
                if (indices[p] < 0 || indices[p] >= columns)
                    throw new ArgumentException($"row {i} has an entry in column {indices[p]} of {columns}; expected 0 to {columns - 1}", nameof(indices));
                if (indices[p] <= last)
                    throw new ArgumentException($"row {i} has column {indices[p]} after column {last}; columns must ascend and be distinct: SparseMatrix.FromEntries sorts and sums", nameof(indices));
                last = indices[p];
            }
        }
    }

    private SparseMatrix(int rows, int columns, (long[] Starts, int[] Indices, T[] Values) arrays) =>
        (Rows, Columns, Starts, Indices, Values) = (rows, columns, arrays.Starts, arrays.Indices, arrays.Values);

    /// <summary>A matrix of arrays that a kernel made so that they need no check.</summary>
    internal static SparseMatrix<T> Trusted(int rows, int columns, long[] starts, int[] indices, T[] values) => new(rows, columns, (starts, indices, values));

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>Where each row begins, and the end of the last.</summary>
    public long[] Starts { get; }

    /// <summary>The column of each entry, ascending within a row.</summary>
    public int[] Indices { get; }

    /// <summary>The value of each entry.</summary>
    public T[] Values { get; }

    /// <summary>Number of entries, zeros among them.</summary>
    public long Entries => Starts[Rows];

    /// <summary><c>y = A·x</c>. Cost: 2 operations an entry.</summary>
    public void Multiply(ReadOnlySpan<T> x, Span<T> y)
    {
        if (x.Length != Columns || y.Length != Rows)
            throw new ArgumentException($"a vector of {x.Length} into one of {y.Length}; expected {Columns} into {Rows}");
        for (int i = 0; i < Rows; i++)
        {
            T sum = T.Zero;
            for (long p = Starts[i]; p < Starts[i + 1]; p++)
                sum += Values[p] * x[Indices[p]];
            y[i] = sum;
        }
    }

    /// <summary>The transpose, sorted. Cost: O(rows + columns + entries).</summary>
    public SparseMatrix<T> Transpose()
    {
        var starts = new long[Columns + 1];
        foreach (int j in Indices)
            starts[j + 1]++;
        for (int j = 0; j < Columns; j++)
            starts[j + 1] += starts[j];
        long[] next = starts[..Columns];
        var indices = new int[Indices.Length];
        var values = new T[Indices.Length];
        for (int i = 0; i < Rows; i++)
        {
            for (long p = Starts[i]; p < Starts[i + 1]; p++)
            {
                long at = next[Indices[p]]++;
                (indices[at], values[at]) = (i, Values[p]);
            }
        }
        return new SparseMatrix<T>(Columns, Rows, starts, indices, values);
    }
}

/// <summary>Ways to make sparse matrices.</summary>
public static partial class SparseMatrix
{
    /// <summary>Makes a matrix of entries in any order; entries at one place are added up. Cost: O(n log n).</summary>
    /// <exception cref="ArgumentException">An entry lies outside.</exception>
    public static SparseMatrix<T> FromEntries<T>(int rows, int columns, IEnumerable<(int Row, int Column, T Value)> entries) where T : unmanaged, IFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(entries);
        // OrderBy is stable: equal places are added in the order in which they came
        (int Row, int Column, T Value)[] sorted = [.. entries.OrderBy(e => e.Row).ThenBy(e => e.Column)];
        var starts = new long[rows + 1];
        var indices = new List<int>(sorted.Length);
        var values = new List<T>(sorted.Length);
        (int Row, int Column) last = (-1, -1);
        foreach (var (row, column, value) in sorted)
        {
            if (row < 0 || row >= rows || column < 0 || column >= columns)
                throw new ArgumentException($"an entry at row {row}, column {column}; expected 0 to {rows - 1} and 0 to {columns - 1}", nameof(entries));
            if ((row, column) == last)
                values[^1] += value;
            else
            {
                indices.Add(column);
                values.Add(value);
                starts[row + 1]++;
                last = (row, column);
            }
        }
        for (int i = 0; i < rows; i++)
            starts[i + 1] += starts[i];
        return new SparseMatrix<T>(rows, columns, starts, [.. indices], [.. values]);
    }
}
