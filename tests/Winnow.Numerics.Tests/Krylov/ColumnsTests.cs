using Winnow.Numerics.Krylov;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Tests.Krylov;

public sealed unsafe class ColumnsTests
{
    private const int Most = 11;

    public static TheoryData<int, int> Sizes()
    {
        var data = new TheoryData<int, int>();
        foreach (int rows in (int[])[1, 7, 8, 127, 128, 129, 512, 1000])
        {
            foreach (int columns in (int[])[0, 1, 3, 4, 5, 8, Most])
                data.Add(rows, columns);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Sweeps_equal_sums_written_out(int rows, int columns)
    {
        var scratch = new Scratch();
        using var block = scratch.Take<double>(Columns.StrideOf(rows) * (2 * Most + 1));
        var v = new Columns(block.Data, Columns.PaddedRows(rows), Columns.StrideOf(rows));
        Assert.Equal(0, v.Stride % 8);
        Assert.NotEqual(0, v.Stride % 512);
        Columns target = v.From(Most);
        double* w = v[2 * Most];
        double[] values = Dense.Normals(rows * Most, 1), vector = Dense.Normals(rows, 2), h = Dense.Normals(columns * 6, 3);
        for (int j = 0; j < Most; j++)
            values.AsSpan(j * rows, rows).CopyTo(new Span<double>(v[j], rows));
        vector.CopyTo(new Span<double>(w, rows));
        double[] projected = [.. Enumerable.Range(0, columns).Select(j => Enumerable.Range(0, rows).Sum(i => values[j * rows + i] * vector[i]))];
        double[] subtracted = [.. Enumerable.Range(0, rows).Select(i => vector[i] - Enumerable.Range(0, columns).Sum(j => values[j * rows + i] * h[j]))];
        // Sums of n terms in another order differ by at most 2·n·ε·Σ|terms|, of which none is above 25 here.
        double tolerance = 2 * (rows + columns) * Dense.Epsilon * 25 * (rows + columns);
        var result = new double[Most];
        fixed (double* coefficients = h, r = result)
        {
            v.Project(columns, w, r);
            Near(projected, new(r, columns));
            v.SubtractAndProject(columns, coefficients, w, r);
            Near(subtracted, new(w, rows));
            Near([.. Enumerable.Range(0, columns).Select(j => Enumerable.Range(0, rows).Sum(i => values[j * rows + i] * subtracted[i]))], new(r, columns));
            foreach (int others in (int[])[1, 2, 5])
            {
                var products = new double[others * Most];
                fixed (double* s = products)
                    v.Project(columns, v, others, s, Most);
                for (int p = 0; p < others; p++)
                    Near([.. Enumerable.Range(0, columns).Select(j => Enumerable.Range(0, rows).Sum(i => values[j * rows + i] * values[p * rows + i]))], products.AsSpan(p * Most, columns));
            }
            vector.CopyTo(new Span<double>(w, rows));
            v.Subtract(columns, coefficients, w);
            Near(subtracted, new(w, rows));
            Assert.Equal(Dense.Norm(subtracted), Columns.Norm(w, v.Rows), tolerance);
            foreach (bool accumulate in (bool[])[false, true])
            {
                v.Multiply(columns, coefficients, columns, 6, target, accumulate);
                for (int p = 0; p < 6; p++)
                    Near([.. Enumerable.Range(0, rows).Select(i => (accumulate ? 2 : 1) * Enumerable.Range(0, columns).Sum(j => values[j * rows + i] * h[p * columns + j]))], new(target[p], rows));
            }
            for (int j = 0; j < 6; j++)
                Assert.False(new Span<double>(target[j] + rows, v.Rows - rows).ContainsAnyExcept(0)); // the padding stays
        }

        void Near(double[] expected, ReadOnlySpan<double> actual)
        {
            for (int i = 0; i < expected.Length; i++)
                Assert.Equal(expected[i], actual[i], tolerance);
        }
    }

    [Fact]
    public void Orthogonalised_twice_a_vector_almost_in_the_span_is_orthogonal_to_rounding()
    {
        const int rows = 400, columns = 9;
        using var block = new Scratch().Take<double>(Columns.StrideOf(rows) * (columns + 1));
        var v = new Columns(block.Data, Columns.PaddedRows(rows), Columns.StrideOf(rows));
        double* h = stackalloc double[columns], correction = stackalloc double[columns];
        for (int j = 0; j <= columns; j++)
        {
            Dense.Normals(rows, (ulong)j).CopyTo(new Span<double>(v[j], rows));
            if (j == columns)
            {
                // The sum of the others, and a millionth of something new.
                Columns.Scale(1e-6, v[j], v[j], v.Rows);
                for (int i = 0; i < columns; i++)
                    Columns.Add(1, v[i], v[j], v.Rows);
            }
            v.Orthogonalise(j, v[j], h, correction);
            Columns.Scale(1 / Columns.Norm(v[j], v.Rows), v[j], v[j], v.Rows);
            for (int i = 0; i < j; i++)
                Assert.Equal(0, Columns.Dot(v[i], v[j], v.Rows), 1e-14);
        }
        for (int i = 0; i < columns; i++)
            Assert.Equal(1, h[i], 1e-4);
    }

    [Fact]
    public void Incomplete_factors_equal_the_matrix_on_its_pattern_and_are_exact_without_fill()
    {
        var tridiagonal = SparseMatrix.FromEntries(30, 30, Enumerable.Range(0, 30).SelectMany(i =>
            ((int, int, double)[])[(i, i, 4.0 + i % 3), .. i > 0 ? [(i, i - 1, -1.5)] : Array.Empty<(int, int, double)>(), .. i < 29 ? [(i, i + 1, -2.0)] : Array.Empty<(int, int, double)>()]));
        double[] x = Dense.Normals(30, 1), z = new double[30];
        Preconditioner.Ilu0(tridiagonal).Apply(Dense.Product(tridiagonal, x), z);
        Assert.All(x.Zip(z), p => Assert.Equal(p.First, p.Second, 1e-13));

        var (a, _) = Dense.System(ProblemFamily.DarcyReleased, 8, 1);
        var m = Inverse(Preconditioner.Ilu0(a)).Inverse();
        for (int i = 0; i < a.Rows; i++)
        {
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                Assert.Equal(a.Values[p], m[i, a.Indices[p]], 1e-11);
        }
        Assert.True((m - Dense.Of(a)).L2Norm() > 1e-3);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1.4)]
    public void Ssor_and_jacobi_are_their_formulas(double omega)
    {
        var (a, _) = Dense.System(ProblemFamily.Thermal(), 6, 1);
        var dense = Dense.Of(a);
        var d = MathNet.Numerics.LinearAlgebra.Double.DenseMatrix.OfDiagonalVector(dense.Diagonal());
        var l = dense.StrictlyLowerTriangle();
        var u = dense.StrictlyUpperTriangle();
        var m = (d / omega + l) * (omega / (2 - omega) * d.Inverse()) * (d / omega + u);
        Assert.Equal(0, (Inverse(Preconditioner.Ssor(a, omega)) - m.Inverse()).L2Norm(), 1e-12);
        Assert.Equal(0, (Inverse(Preconditioner.Jacobi(a)) - d.Inverse()).L2Norm(), 1e-14);
    }

    [Fact]
    public void Preconditioners_refuse_a_diagonal_they_cannot_divide_by()
    {
        var missing = SparseMatrix.FromEntries(2, 2, [(0, 0, 1.0), (1, 0, 1.0)]);
        var zero = SparseMatrix.FromEntries(2, 2, [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0)]);
        foreach (var make in (Func<SparseMatrix<double>, IPreconditioner>[])[Preconditioner.Jacobi, Preconditioner.Ilu0, a => Preconditioner.Ssor(a)])
            Assert.Contains("row 1", Assert.Throws<ArgumentException>(() => make(missing)).Message, StringComparison.Ordinal);
        Assert.Contains("row 1", Assert.Throws<ArgumentException>(() => Preconditioner.Ilu0(zero)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Preconditioner.Ssor(zero, 2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_direct_solver_exchanges_rows_and_equals_a_dense_one(ulong seed)
    {
        // Bands with small and zero diagonals, which without pivoting would grow beyond all bounds.
        var random = new Winnow.Core.SeededRandom(seed, "band");
        const int n = 60;
        var a = SparseMatrix.FromEntries(n, n, Enumerable.Range(0, n).SelectMany(i => Enumerable.Range(Math.Max(0, i - 3), Math.Min(n, i + 6) - Math.Max(0, i - 3))
            .Select(j => (i, j, i == j ? 1e-9 * (i % 2) : random.NextNormal()))));
        double[] b = Dense.Normals(n, seed), x = new double[n];
        using var direct = new BandedLu(a);
        direct.Solve(b, x);
        var expected = Dense.Of(a).Solve(MathNet.Numerics.LinearAlgebra.Double.DenseVector.OfArray(b));
        double condition = Dense.Of(a).ConditionNumber();
        Assert.True(Dense.Norm(Dense.Minus([.. expected], x)) <= 1e3 * Dense.Epsilon * condition * Dense.Norm(x));
        direct.Solve(b, b);
        Assert.Equal(x, b);
    }

    [Fact]
    public void The_direct_solver_refuses_singular_matrices()
    {
        Assert.Contains("singular", Assert.Throws<ArgumentException>(() => new BandedLu(Dense.Diagonal(1, 0, 2))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new BandedLu(Dense.Diagonal(1, double.NaN)));
    }

    private static MathNet.Numerics.LinearAlgebra.Matrix<double> Inverse(IPreconditioner preconditioner)
    {
        int n = preconditioner.Size;
        return MathNet.Numerics.LinearAlgebra.Double.DenseMatrix.OfColumns(Enumerable.Range(0, n).Select(j =>
        {
            double[] unit = new double[n], column = new double[n];
            unit[j] = 1;
            preconditioner.Apply(unit, column);
            return column;
        }));
    }
}
