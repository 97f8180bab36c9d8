using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Tests.Sparse;

public sealed class SparseMatrixTests
{
    [Theory]
    [InlineData("2 row starts for 2 rows", new long[] { 0, 1 }, new[] { 0 }, 1)]
    [InlineData("first row starts at 1", new long[] { 1, 1, 1 }, new[] { 0 }, 1)]
    [InlineData("last row ends at 2 with 1 columns", new long[] { 0, 1, 2 }, new[] { 0 }, 1)]
    [InlineData("row 0 starts at 0 and ends at -1", new long[] { 0, -1, 1 }, new[] { 0 }, 1)]
    [InlineData("column 3 of 3", new long[] { 0, 1, 1 }, new[] { 3 }, 1)]
    [InlineData("column -1 of 3", new long[] { 0, 1, 1 }, new[] { -1 }, 1)]
    [InlineData("row 1 has column 0 after column 0", new long[] { 0, 0, 2 }, new[] { 0, 0 }, 2)]
    public void Arrays_that_make_no_matrix_are_refused_with_the_row(string expected, long[] starts, int[] indices, int values)
    {
        var error = Assert.Throws<ArgumentException>(() => new SparseMatrix<double>(2, 3, starts, indices, new double[values]));
        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public void Entries_in_any_order_are_sorted_and_summed()
    {
        SparseMatrix<double> a = SparseMatrix.FromEntries<double>(3, 4, [(2, 1, 5), (0, 3, 1), (2, 1, 2), (0, 0, 4)]);
        Assert.Equal([0L, 2, 2, 3], a.Starts);
        Assert.Equal([0, 3, 1], a.Indices);
        Assert.Equal([4.0, 1, 7], a.Values);
    }

    [Fact]
    public void Transposing_twice_is_the_identity_and_the_product_with_a_vector_agrees()
    {
        var random = new Random(3);
        SparseMatrix<double> a = SparseMatrix.FromEntries(7, 5, Enumerable.Range(0, 20).Select(_ => (random.Next(7), random.Next(5), random.NextDouble())));
        SparseMatrix<double> t = a.Transpose(), back = t.Transpose();
        Assert.Equal(a.Starts, back.Starts);
        Assert.Equal(a.Indices, back.Indices);
        Assert.Equal(a.Values, back.Values);
        double[] x = [1, 2, 3, 4, 5], y = new double[7], z = new double[7], u = [1, -1, 2, -2, 3, -3, 4], v = new double[5];
        a.Multiply(x, y);
        t.Multiply(u, v);
        // uᵀ(Ax) = (Aᵀu)ᵀx, to rounding
        Assert.Equal(u.Zip(y, (p, q) => p * q).Sum(), v.Zip(x, (p, q) => p * q).Sum(), 1e-12);
        for (int i = 0; i < 7; i++)
        {
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                z[i] += a.Values[p] * x[a.Indices[p]];
        }
        Assert.Equal(z, y);
    }
}
