using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// The direct solution of a banded system: LU factors with partial pivoting. With l diagonals below and u above the main one: memory
/// 8·n·(2l + u + 1) bytes, cost O(n·l·(l + u)), of a solution O(n·(l + u)).
/// </summary>
public sealed unsafe class BandedLu : IDisposable
{
    private readonly Scratch.Block<double> _band;
    private readonly int[] _pivots;
    private readonly int _size, _lower, _upper, _width;

    /// <summary>Factors a matrix.</summary>
    /// <param name="a">A square matrix; its band is found.</param>
    /// <param name="scratch">Where the memory comes from.</param>
    /// <exception cref="ArgumentException">It is not square, holds NaN or infinity, or is singular.</exception>
    public BandedLu(SparseMatrix<double> a, Scratch? scratch = null)
    {
        ArgumentNullException.ThrowIfNull(a);
        SystemCheck.Throw(a, new double[a.Rows], new double[a.Rows], null);
        _size = a.Rows;
        for (int i = 0; i < _size; i++)
        {
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                (_lower, _upper) = (Math.Max(_lower, i - a.Indices[p]), Math.Max(_upper, a.Indices[p] - i));
        }
        // Exchanges of rows fill up to `lower` more diagonals above. Row i begins with column i - lower.
        _width = 2 * _lower + _upper + 1;
        _pivots = new int[_size];
        _band = (scratch ?? new Scratch()).Take<double>((long)_size * _width);
        for (int i = 0; i < _size; i++)
        {
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                Row(i)[a.Indices[p]] = a.Values[p];
        }
        for (int k = 0; k < _size; k++)
            Eliminate(k);
    }

    /// <summary>Diagonals below the main one, or above it if those are more.</summary>
    public int Band => Math.Max(_lower, _upper);

    /// <summary>Solves A·x = b.</summary>
    /// <param name="b">The right side.</param>
    /// <param name="x">The solution; may be the same memory.</param>
    /// <exception cref="ArgumentException">Lengths differ from the matrix's.</exception>
    public void Solve(ReadOnlySpan<double> b, Span<double> x)
    {
        if (b.Length != _size || x.Length != _size)
            throw new ArgumentException($"a right side of {b.Length} and a solution of {x.Length} numbers; the matrix has {_size} rows", nameof(b));
        b.CopyTo(x);
        for (int k = 0; k < _size; k++)
        {
            (x[k], x[_pivots[k]]) = (x[_pivots[k]], x[k]);
            for (int i = k + 1; i <= Math.Min(_size - 1, k + _lower); i++)
                x[i] -= Row(i)[k] * x[k];
        }
        for (int k = _size - 1; k >= 0; k--)
        {
            double* row = Row(k);
            double sum = x[k];
            for (int j = k + 1; j <= Math.Min(_size - 1, k + _lower + _upper); j++)
                sum -= row[j] * x[j];
            x[k] = sum / row[k];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _band.Dispose();

    /// <summary>Row i, addressed by column.</summary>
    private double* Row(int i) => _band.Data + (long)i * _width - (i - _lower);

    private void Eliminate(int k)
    {
        int lastRow = Math.Min(_size - 1, k + _lower), lastColumn = Math.Min(_size - 1, k + _lower + _upper);
        int pivot = k;
        for (int i = k + 1; i <= lastRow; i++)
        {
            if (Math.Abs(Row(i)[k]) > Math.Abs(Row(pivot)[k]))
                pivot = i;
        }
        _pivots[k] = pivot;
        double* top = Row(k), other = Row(pivot);
        if (other[k] == 0)
        {
            _band.Dispose();
            throw new ArgumentException($"a singular matrix: column {k} has no pivot; expected a regular one");
        }
        if (pivot != k)
        {
            // Multipliers of earlier columns stay where they are, as Solve exchanges and subtracts in turn.
            for (int j = k; j <= lastColumn; j++)
                (top[j], other[j]) = (other[j], top[j]);
        }
        for (int i = k + 1; i <= lastRow; i++)
        {
            double* row = Row(i);
            double factor = row[k] /= top[k];
            if (factor == 0)
                continue;
            for (int j = k + 1; j <= lastColumn; j++)
                row[j] -= factor * top[j];
        }
    }
}
