using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>An approximation M of a matrix whose inverse is cheap to apply.</summary>
public interface IPreconditioner
{
    /// <summary>Rows and columns.</summary>
    int Size { get; }

    /// <summary><c>z = M⁻¹·r</c>; both have <see cref="Size"/> numbers and do not overlap.</summary>
    void Apply(ReadOnlySpan<double> r, Span<double> z);
}

/// <summary>On which side of the matrix the inverse stands.</summary>
public enum PreconditionerSide
{
    /// <summary><c>A·M⁻¹·y = b, x = M⁻¹·y</c>: the residual that is minimised is the true one.</summary>
    Right,

    /// <summary><c>M⁻¹·A·x = M⁻¹·b</c>: the residual that is minimised is the preconditioned one; convergence is judged by the true one all the same.</summary>
    Left,
}

/// <summary>Preconditioners of a sparse square matrix.</summary>
public static class Preconditioner
{
    /// <summary>The diagonal. Cost to apply: O(n).</summary>
    /// <exception cref="ArgumentException">A diagonal entry is missing, zero or not finite.</exception>
    public static IPreconditioner Jacobi(SparseMatrix<double> a) => new JacobiPreconditioner(a);

    /// <summary>Incomplete LU factors without fill: L·U equals A on its pattern. Cost to make: O(entries·entries a row); to apply: as a product with A.</summary>
    /// <exception cref="ArgumentException">A diagonal entry is missing, or a pivot is zero or not finite.</exception>
    public static IPreconditioner Ilu0(SparseMatrix<double> a) => new Ilu0Preconditioner(a);

    /// <summary>Symmetric successive over-relaxation: <c>M = (D/ω + L)·(ω/(2-ω))·D⁻¹·(D/ω + U)</c>. Cost to apply: as a product with A.</summary>
    /// <param name="a">The matrix.</param>
    /// <param name="omega">The relaxation, above 0 and below 2; 1 is symmetric Gauss–Seidel.</param>
    /// <exception cref="ArgumentException">A diagonal entry is missing, zero or not finite.</exception>
    public static IPreconditioner Ssor(SparseMatrix<double> a, double omega = 1) => new SsorPreconditioner(a, omega);

    /// <summary>Where the diagonal entry of each row is.</summary>
    private static long[] Diagonals(SparseMatrix<double> a, string name)
    {
        ArgumentNullException.ThrowIfNull(a);
        if (a.Rows != a.Columns)
            throw new ArgumentException($"a matrix of {a.Rows} rows and {a.Columns} columns; {name} needs a square one", nameof(a));
        var at = new long[a.Rows];
        for (int i = 0; i < a.Rows; i++)
        {
            int p = Array.BinarySearch(a.Indices, (int)a.Starts[i], (int)(a.Starts[i + 1] - a.Starts[i]), i);
            at[i] = p < 0 ? throw new ArgumentException($"row {i} has no diagonal entry; {name} needs one in every row: reorder the rows, or precondition otherwise", nameof(a)) : p;
        }
        return at;
    }

    private static double Pivot(double value, int row, string name) => double.IsFinite(value) && value != 0 ? value
        : throw new ArgumentException($"row {row} has the pivot {value}; {name} divides by it: reorder the rows, or precondition otherwise", nameof(value));

    private static void Check(int size, ReadOnlySpan<double> r, Span<double> z)
    {
        if (r.Length != size || z.Length != size)
            throw new ArgumentException($"a vector of {r.Length} into one of {z.Length}; the preconditioner has {size} rows");
    }

    private sealed class JacobiPreconditioner : IPreconditioner
    {
        private readonly double[] _inverse;

        public JacobiPreconditioner(SparseMatrix<double> a) =>
            _inverse = [.. Diagonals(a, "Jacobi").Select((p, i) => 1 / Pivot(a.Values[p], i, "Jacobi"))];

        public int Size => _inverse.Length;

        public void Apply(ReadOnlySpan<double> r, Span<double> z)
        {
            Check(Size, r, z);
            System.Numerics.Tensors.TensorPrimitives.Multiply(r, _inverse, z);
        }
    }

    private sealed class Ilu0Preconditioner : IPreconditioner
    {
        private readonly SparseMatrix<double> _a;
        private readonly long[] _diagonals;
        private readonly double[] _lu, _inverse;

        public Ilu0Preconditioner(SparseMatrix<double> a)
        {
            (_a, _diagonals) = (a, Diagonals(a, "ILU(0)"));
            (_lu, _inverse) = ([.. a.Values], new double[a.Rows]);
            var place = new long[a.Columns];
            Array.Fill(place, -1);
            for (int i = 0; i < a.Rows; i++)
            {
                for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                    place[a.Indices[p]] = p;
                for (long p = a.Starts[i]; p < _diagonals[i]; p++)
                {
                    int k = a.Indices[p];
                    double factor = _lu[p] *= _inverse[k];
                    for (long q = _diagonals[k] + 1; q < a.Starts[k + 1]; q++)
                    {
                        if (place[a.Indices[q]] is >= 0 and var at)
                            _lu[at] -= factor * _lu[q];
                    }
                }
                _inverse[i] = 1 / Pivot(_lu[_diagonals[i]], i, "ILU(0)");
                for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                    place[a.Indices[p]] = -1;
            }
        }

        public int Size => _a.Rows;

        public void Apply(ReadOnlySpan<double> r, Span<double> z)
        {
            Check(Size, r, z);
            long[] starts = _a.Starts;
            int[] indices = _a.Indices;
            for (int i = 0; i < z.Length; i++)
            {
                double sum = r[i];
                for (long p = starts[i]; p < _diagonals[i]; p++)
                    sum -= _lu[p] * z[indices[p]];
                z[i] = sum;
            }
            for (int i = z.Length - 1; i >= 0; i--)
            {
                double sum = z[i];
                for (long p = _diagonals[i] + 1; p < starts[i + 1]; p++)
                    sum -= _lu[p] * z[indices[p]];
                z[i] = sum * _inverse[i];
            }
        }
    }

    private sealed class SsorPreconditioner : IPreconditioner
    {
        private readonly SparseMatrix<double> _a;
        private readonly long[] _diagonals;
        private readonly double _omega;

        public SsorPreconditioner(SparseMatrix<double> a, double omega)
        {
            if (!(omega > 0 && omega < 2))
                throw new ArgumentOutOfRangeException(nameof(omega), omega, "the relaxation must be above 0 and below 2");
            (_a, _diagonals, _omega) = (a, Diagonals(a, "SSOR"), omega);
            for (int i = 0; i < a.Rows; i++)
                Pivot(a.Values[_diagonals[i]], i, "SSOR");
        }

        public int Size => _a.Rows;

        public void Apply(ReadOnlySpan<double> r, Span<double> z)
        {
            Check(Size, r, z);
            double[] values = _a.Values;
            for (int i = 0; i < z.Length; i++)
            {
                double sum = r[i];
                for (long p = _a.Starts[i]; p < _diagonals[i]; p++)
                    sum -= values[p] * z[_a.Indices[p]];
                z[i] = sum * _omega / values[_diagonals[i]];
            }
            for (int i = 0; i < z.Length; i++)
                z[i] *= values[_diagonals[i]] * (2 - _omega) / _omega;
            for (int i = z.Length - 1; i >= 0; i--)
            {
                double sum = z[i];
                for (long p = _diagonals[i] + 1; p < _a.Starts[i + 1]; p++)
                    sum -= values[p] * z[_a.Indices[p]];
                z[i] = sum * _omega / values[_diagonals[i]];
            }
        }
    }
}
