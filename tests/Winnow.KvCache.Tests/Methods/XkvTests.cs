using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class XkvTests
{
    private static double[,] Matrix(int rows, int columns, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "matrix");
        var x = new double[rows, columns];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                x[i, j] = random.NextNormal() * (1 + j % 3);
        return x;
    }

    private static double[,] Product(double[] a, double[] c, int rank, int rows, int columns)
    {
        var y = new double[rows, columns];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                for (int r = 0; r < rank; r++)
                    y[i, j] += a[i * rank + r] * c[r * columns + j];
        return y;
    }

    private static double SquaredError(double[,] x, double[,] y)
    {
        double sum = 0;
        for (int i = 0; i < x.GetLength(0); i++)
            for (int j = 0; j < x.GetLength(1); j++)
                sum += Math.Pow(x[i, j] - y[i, j], 2);
        return sum;
    }

    [Theory, InlineData(30, 12), InlineData(12, 30), InlineData(20, 20)] // Eckart and Young
    public void The_error_is_what_the_dropped_singular_values_say(int rows, int columns)
    {
        var x = Matrix(rows, columns);
        for (int rank = 1; rank <= 12; rank++)
        {
            var (a, c, singular) = Xkv.Truncated(x, rank);
            double expected = singular.Skip(rank).Sum(s => s * s), found = SquaredError(x, Product(a, c, rank, rows, columns));
            Assert.Equal(expected, found, 1e-6 * Math.Max(1, expected));
        }
    }

    [Fact] // by the smaller Gram matrix or by a decomposition of the matrix itself
    public void Singular_values_are_those_of_the_matrix()
    {
        var x = Matrix(25, 14);
        double[] direct = [.. MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfArray(x).Svd(false).S];
        Assert.All(Xkv.Truncated(x, 3).Singular.Zip(direct), p => Assert.Equal(p.Second, p.First, 1e-9 * direct[0]));
    }

    [Fact]
    public void No_other_factors_of_the_rank_come_nearer()
    {
        var x = Matrix(10, 8);
        var (a, c, _) = Xkv.Truncated(x, 3);
        double best = SquaredError(x, Product(a, c, 3, 10, 8));
        var random = new SeededRandom(2, "others");
        for (int i = 0; i < 200; i++)
        {
            double[] near = [.. a.Select(v => v + 0.05 * random.NextNormal())], other = [.. c.Select(v => v + 0.05 * random.NextNormal())];
            Assert.True(SquaredError(x, Product(near, other, 3, 10, 8)) > best);
        }
    }

    [Fact]
    public void Full_rank_is_the_full_cache_to_rounding()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(50), next = small.Tokens(12, 2);
        float[][] full = small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next);
        var xkv = new Xkv(new() { Layers = 2, KeyRank = 50, ValueRank = 50 });
        Assert.InRange(Small.Distance(small.Follow(new KvPolicy(xkv).Prefill(small.Read(prompt)), next), full), 0, 5e-3);
    }

    [Fact] // g times the layers for nothing
    public void Equal_layers_have_together_the_error_of_one()
    {
        var one = Matrix(20, 6);
        var four = new double[20, 24];
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 24; j++)
                four[i, j] = one[i, j % 6];
        for (int rank = 1; rank <= 5; rank++)
        {
            var (a, c, _) = Xkv.Truncated(one, rank);
            var (b, d, _) = Xkv.Truncated(four, rank);
            Assert.Equal(4 * SquaredError(one, Product(a, c, rank, 20, 6)), SquaredError(four, Product(b, d, rank, 20, 24)), 1e-8);
        }
    }

    [Fact]
    public void The_order_of_layers_changes_no_singular_value()
    {
        var x = Matrix(20, 12);
        var swapped = new double[20, 12];
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 12; j++)
                swapped[i, j] = x[i, (j + 6) % 12];
        Assert.All(Xkv.Truncated(x, 1).Singular.Zip(Xkv.Truncated(swapped, 1).Singular), p => Assert.Equal(p.First, p.Second, 1e-9));
    }

    [Fact] // factors are of unrotated keys: what is read equals the rotation of what was rebuilt, not the rebuilt rotation
    public void Keys_are_rebuilt_before_they_are_rotated()
    {
        using var small = new Small(heads: 1, keyHeads: 1, layers: 1);
        var prompt = small.Read(small.Tokens(40));
        int d = small.Shape.HeadWidth;
        var cache = new Xkv(new() { Layers = 1, KeyRank = 4, ValueRank = 4 }).Project(prompt, [[.. Enumerable.Range(0, 40)]], ExactEncoder.Instance)[0];
        var before = new double[40, d];
        var after = new double[40, d];
        for (int t = 0; t < 40; t++)
            for (int c = 0; c < d; c++)
                (before[t, c], after[t, c]) = (prompt.KeysBefore(0)[t * d + c], prompt.Keys(0, 0)[t * d + c]);
        float[] scores = new float[40], q = Small.Rows(1, d, 9, outliers: false);
        cache.Scores(0, q, 1, scores, 40);
        var (a, m, _) = Xkv.Truncated(before, 4);
        var (ra, rm, _) = Xkv.Truncated(after, 4);
        var (rebuilt, other) = (Product(a, m, 4, 40, d), Product(ra, rm, 4, 40, d));
        double wrong = 0, size = 0;
        for (int t = 0; t < 40; t++)
        {
            float[] key = [.. Enumerable.Range(0, d).Select(c => (float)rebuilt[t, c])];
            small.Rotary.Turn(key, t);
            double expected = key.Zip(q).Sum(p => p.First * p.Second);
            Assert.Equal(expected, scores[t], 1e-2 * Math.Max(1, Math.Abs(expected)));
            wrong += Math.Abs(Enumerable.Range(0, d).Sum(c => other[t, c] * q[c]) - scores[t]);
            size += Math.Abs(scores[t]);
        }
        Assert.True(wrong > 0.05 * size);
    }

    [Fact]
    public void The_prompt_is_read_exactly_whatever_is_kept_of_it()
    {
        using var small = new Small();
        small.Session.Rewind(0);
        float[] plain = [.. small.Session.Read(small.Tokens(50), TestContext.Current.CancellationToken)];
        small.Session.Rewind(0);
        var prompt = new Prompt(small.Shape, 50, small.Rotary);
        float[] watched = [.. small.Session.Read(small.Tokens(50), prompt, TestContext.Current.CancellationToken)];
        Assert.Equal(plain, watched);
    }

    [Fact] // factors of a group are counted once
    public void Stored_numbers_are_rank_times_tokens_and_channels()
    {
        using var small = new Small();
        var cache = new KvPolicy(new Xkv(new() { Layers = 4, KeyRank = 10, ValueRank = 20 })).Prefill(small.Read(small.Tokens(200)));
        int width = 4 * small.Shape.KeyValueHeads * small.Shape.HeadWidth;
        Assert.Equal(2L * 30 * 200, cache.Bytes.Payload);
        Assert.Equal(2L * 30 * width, cache.Bytes.Shared);
    }

    [Fact]
    public void Ranks_that_are_too_large_and_numbers_that_are_none_are_refused()
    {
        using var small = new Small();
        Assert.Contains("at most 20", Assert.Throws<InputException>(() => new KvPolicy(new Xkv(new() { KeyRank = 21 })).Prefill(small.Read(small.Tokens(20)))).Message, StringComparison.Ordinal);
        Assert.Throws<InputException>(() => Xkv.Truncated(new double[,] { { 1, double.NaN } }, 1));
    }

    [Fact] // between two directions at the middle: the half angle
    public void MiniCache_puts_far_directions_between_and_leaves_near_ones()
    {
        double[] a = [2, 0, 1, 0], b = [0, 3, 1, 0.01];
        var (x, y) = MiniCache.Merge(a, b, 2, 0.5, 0.5);
        Assert.All(x[..2], v => Assert.Equal(Math.Sqrt(2), v, 1e-12));
        Assert.All(y[..2], v => Assert.Equal(3 / Math.Sqrt(2), v, 1e-12));
        Assert.Equal([1, 0], x[2..]);
        Assert.Equal([2, 0], MiniCache.Merge(a, b, 2, 0.5, 0.5, released: false).A[..2]);
    }
}
