using System.Numerics;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Tests.Sparse;

/// <summary>Matrices for the tests of products, and the definition they are held to.</summary>
internal static class SparseCases
{
    /// <summary>A matrix whose entries are drawn independently.</summary>
    public static SparseMatrix<T> Random<T>(int rows, int columns, double density, Random random, Func<Random, T> value) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var entries = new List<(int, int, T)>();
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                if (random.NextDouble() < density)
                    entries.Add((i, j, value(random)));
            }
        }
        return SparseMatrix.FromEntries(rows, columns, entries);
    }

    public static SparseMatrix<double> Random(int rows, int columns, double density, Random random) => Random(rows, columns, density, random, r => r.NextDouble() * 2 - 1);

    /// <summary>Small whole numbers, of which sums and products are exact.</summary>
    public static SparseMatrix<double> Whole(int rows, int columns, double density, Random random) => Random(rows, columns, density, random, r => (double)r.Next(-4, 5));

    public static SparseMatrix<T> Identity<T>(int size) where T : unmanaged, IFloatingPointIeee754<T> => SparseMatrix.FromEntries(size, size, Enumerable.Range(0, size).Select(i => (i, i, T.One)));

    public static SparseMatrix<T> Empty<T>(int rows, int columns) where T : unmanaged, IFloatingPointIeee754<T> => new(rows, columns, new long[rows + 1], [], []);

    /// <summary>The product by its definition, over dense arrays; an entry is there where some a_ik and b_kj are.</summary>
    public static SparseMatrix<T> Product<T>(SparseMatrix<T> a, SparseMatrix<T> b) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var entries = new List<(int, int, T)>();
        var (left, right) = (Dense(a), Dense(b));
        for (int i = 0; i < a.Rows; i++)
        {
            for (int j = 0; j < b.Columns; j++)
            {
                T sum = T.Zero;
                bool any = false;
                for (int k = 0; k < b.Rows; k++)
                {
                    if (left[i, k] is { } x && right[k, j] is { } y)
                    {
                        sum += x * y;
                        any = true;
                    }
                }
                if (any)
                    entries.Add((i, j, sum));
            }
        }
        return SparseMatrix.FromEntries(a.Rows, b.Columns, entries);
    }

    private static T?[,] Dense<T>(SparseMatrix<T> m) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var dense = new T?[m.Rows, m.Columns];
        for (int i = 0; i < m.Rows; i++)
        {
            for (long p = m.Starts[i]; p < m.Starts[i + 1]; p++)
                dense[i, m.Indices[p]] = m.Values[p];
        }
        return dense;
    }

    public static long Multiplications<T>(SparseMatrix<T> a, SparseMatrix<T> b) where T : unmanaged, IFloatingPointIeee754<T> => a.Indices.Sum(k => b.Starts[k + 1] - b.Starts[k]);

    /// <summary>Equal in shape, pattern and every bit of every value; the constructor checks once more that the arrays make a matrix.</summary>
    public static void Same<T>(SparseMatrix<T> expected, SparseMatrix<T> actual) where T : unmanaged, IFloatingPointIeee754<T>
    {
        SamePattern(expected, actual);
        Assert.Equal(expected.Values.Select(Bits), actual.Values.Select(Bits));
    }

    /// <summary>Equal in pattern, and values within a bound of the entry's own size that the caller derives.</summary>
    public static void Close(SparseMatrix<double> expected, SparseMatrix<double> actual, SparseMatrix<double> bound)
    {
        SamePattern(expected, actual);
        for (int p = 0; p < expected.Values.Length; p++)
            Assert.True(Math.Abs(expected.Values[p] - actual.Values[p]) <= bound.Values[p], $"entry {p}: {actual.Values[p]}, expected {expected.Values[p]} ± {bound.Values[p]}");
    }

    private static void SamePattern<T>(SparseMatrix<T> expected, SparseMatrix<T> actual) where T : unmanaged, IFloatingPointIeee754<T>
    {
        _ = new SparseMatrix<T>(actual.Rows, actual.Columns, actual.Starts, actual.Indices, actual.Values);
        Assert.Equal((expected.Rows, expected.Columns), (actual.Rows, actual.Columns));
        Assert.Equal(expected.Starts, actual.Starts);
        Assert.Equal(expected.Indices, actual.Indices);
    }

    private static ulong Bits<T>(T value) where T : unmanaged, IFloatingPointIeee754<T> =>
        T.IsNaN(value) ? ulong.MaxValue : BitConverter.DoubleToUInt64Bits(double.CreateChecked(value));
}
