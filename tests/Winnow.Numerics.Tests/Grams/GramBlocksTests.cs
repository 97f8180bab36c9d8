using Winnow.Core;

namespace Winnow.Numerics.Tests;

public sealed unsafe class GramBlocksTests
{
    private static AlignedBuffer Rows(int n, int d, string name)
    {
        var random = new SeededRandom(1, name);
        var rows = new AlignedBuffer(n * d);
        foreach (ref float v in rows.Values)
            v = (float)random.NextNormal();
        return rows;
    }

    private static AlignedBuffer Gram<T>(AlignedBuffer x, int n, AlignedBuffer y, int m, int d, T function, TilePath path, int threads = 1) where T : struct, IGramFunction
    {
        var gram = new AlignedBuffer(n * m);
        GramBlocks.Compute(new TileMatrix(x.Data, n, d), new TileMatrix(y.Data, m, d), function, new TileMatrix(gram.Data, n, m), new() { Path = path, Threads = threads }, new Scratch(), TestContext.Current.CancellationToken);
        return gram;
    }

    [Theory, InlineData(1, 1, 1), InlineData(5, 7, 3), InlineData(65, 97, 20), InlineData(130, 64, 128)]
    public void Numbers_are_the_definition_s_and_the_same_bits_on_every_path_and_number_of_threads(int n, int m, int d)
    {
        AlignedBuffer x = Rows(n, d, "x"), y = Rows(m, d, "y");
        var rbf = new RbfFunction(0.5f / d);
        float[] expected = Gram(x, n, y, m, d, rbf, TilePath.Scalar).Values.ToArray(), cubes = Gram(x, n, y, m, d, new PolynomialFunction(3, 1f / d, 1), TilePath.Scalar).Values.ToArray();
        for (int i = 0; i < n; i++)
            for (int j = 0; j < m; j++)
            {
                double distance = 0, product = 0;
                for (int k = 0; k < d; k++)
                {
                    double a = x.Values[i * d + k], b = y.Values[j * d + k];
                    (distance, product) = (distance + (a - b) * (a - b), product + a * b);
                }
                Assert.Equal(Math.Exp(-0.5 / d * distance), expected[i * m + j], 3e-6);
                Assert.Equal(Math.Pow(product / d + 1, 3), cubes[i * m + j], 1e-4);
            }
        foreach (var path in (TilePath[])[TilePath.Vector256, TilePath.Vector512])
            foreach (int threads in (int[])[1, 3])
                Assert.Equal(expected, Gram(x, n, y, m, d, rbf, path, threads).Values.ToArray());
    }

    [Fact]
    public void Rows_with_themselves_make_a_symmetric_matrix_with_ones_on_its_diagonal_to_the_bit()
    {
        const int n = 75, d = 33;
        var x = Rows(n, d, "x");
        float[] gram = Gram(x, n, x, n, d, new RbfFunction(0.3f), TilePaths.Best).Values.ToArray();
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                Assert.Equal(i == j ? 1 : gram[j * n + i], gram[i * n + j]);
    }

    [Fact]
    public void Sizes_that_do_not_fit_are_refused_and_scratch_is_given_back()
    {
        var x = Rows(8, 4, "x");
        Assert.Contains("[8, 4] and [4, 8] to [8, 8]", Assert.Throws<ArgumentException>(() => GramBlocks.Compute(new TileMatrix(x.Data, 8, 4), new TileMatrix(x.Data, 4, 8), new RbfFunction(1), new TileMatrix(x.Data, 8, 8), new(), new Scratch(), TestContext.Current.CancellationToken)).Message);
        var scratch = new Scratch();
        var gram = new AlignedBuffer(64);
        GramBlocks.Compute(new TileMatrix(x.Data, 8, 4), new TileMatrix(x.Data, 8, 4), new RbfFunction(1), new TileMatrix(gram.Data, 8, 8), new(), scratch, TestContext.Current.CancellationToken);
        Assert.Equal(0, scratch.LiveBytes);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => GramBlocks.Compute(new TileMatrix(x.Data, 8, 4), new TileMatrix(x.Data, 8, 4), new RbfFunction(1), new TileMatrix(gram.Data, 8, 8), new(), scratch, stop.Token));
        Assert.Equal(0, scratch.LiveBytes);
    }
}
