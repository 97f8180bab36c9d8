using CsCheck;

namespace Winnow.Numerics.Tests;

public sealed unsafe class ContrastiveLossTests
{
    [Fact]
    public void Equals_the_dense_loss_and_its_gradients_for_any_tiles() =>
        Gen.Select(Gen.Int[2, 60], Gen.Int[1, 30], Gen.Int[1, 70], Gen.Int[1, 70], Gen.Int[0, 2], Gen.Int[0, 999]).Sample((n, d, block, chunk, kind, seed) =>
        {
            var random = new Random(seed);
            float[] q = Units(random, n, d), k = Units(random, n, d);
            int[]? labels = kind == 0 ? null : [.. Enumerable.Range(0, n).Select(i => (i + 1 + random.Next(n - 1)) % n)];
            var options = new ContrastiveOptions { Symmetric = kind == 0, ExcludeSelf = kind == 2, KeyBlock = block, QueryChunk = chunk, Threads = 1 + seed % 3, Path = (TilePath)(seed % 3) };
            var (loss, dQ, dK, dLogScale) = Run(q, k, d, 10, labels, options, 1.5f);
            var (l, eQ, eK, eS) = Dense(q, k, d, 10, labels, options, 1.5);
            Assert.Equal(l, loss, 1e-5);
            Close(eQ, dQ, 1e-5);
            Close(eK, dK, 1e-5);
            Assert.Equal(eS, dLogScale, 1e-4);
        }, iter: 100, seed: "0000000000001", threads: 1);

    /// <summary>The dense twin's gradients are those of its loss: central differences in float64.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void The_twin_has_the_gradients_of_its_loss(bool symmetric, bool excludeSelf)
    {
        var random = new Random(3);
        const int n = 5, d = 3;
        float[] q = Units(random, n, d), k = Units(random, n, d);
        int[]? labels = symmetric ? null : [1, 2, 3, 4, 0];
        var options = new ContrastiveOptions { Symmetric = symmetric, ExcludeSelf = excludeSelf };
        var (_, dQ, dK, dS) = Dense(q, k, d, 5, labels, options, 1);
        const float h = 1 / 1024f; // a power of two: steps are exact in float32
        foreach (var (x, g) in new[] { (q, dQ), (k, dK) })
        {
            for (int i = 0; i < x.Length; i++)
            {
                float value = x[i], up = value + h, down = value - h;
                x[i] = up;
                double above = Dense(q, k, d, 5, labels, options, 1).Loss;
                x[i] = down;
                double below = Dense(q, k, d, 5, labels, options, 1).Loss;
                x[i] = value;
                Assert.Equal((above - below) / ((double)up - down), g[i], 1e-4); // h² times a third derivative of at most 125
            }
        }
        double s = 1e-4;
        Assert.Equal((Dense(q, k, d, 5 * Math.Exp(s), labels, options, 1).Loss - Dense(q, k, d, 5 * Math.Exp(-s), labels, options, 1).Loss) / (2 * s), dS, 1e-6);
    }

    [Fact]
    public void One_pair_has_no_loss_and_no_gradient()
    {
        var (loss, dQ, dK, dLogScale) = Run([0.6f, 0.8f, 0], [0.1f, 0.7f, 0.7f], 3, 14, null, new(), 1);
        Assert.Equal(0, loss);
        Assert.All(dQ.Concat(dK), g => Assert.Equal(0, g));
        Assert.Equal(0, dLogScale);
    }

    [Fact]
    public void Equal_features_give_log_n()
    {
        float[] x = [.. Enumerable.Repeat(0.5f, 100 * 4)];
        Assert.Equal(Math.Log(100), Run(x, x, 4, 20, null, new() { KeyBlock = 7 }, 1).Loss, 20 * 1.2e-7); // one unit in the last place of lse = 20 + log n
    }

    [Fact]
    public void Orthonormal_features_have_the_closed_form()
    {
        float[] x = new float[32 * 32];
        for (int i = 0; i < 32; i++)
            x[i * 33] = 1;
        Assert.Equal(Math.Log(1 + 31 * Math.Exp(-5)), Run(x, x, 32, 5, null, new(), 1).Loss, 5 * 1.2e-7);
    }

    [Fact]
    public void A_scale_of_200_stays_finite_and_right()
    {
        var random = new Random(4);
        float[] q = Units(random, 50, 8), k = [.. q];
        var (loss, dQ, _, _) = Run(q, k, 8, 200, null, new(), 1);
        var twin = Dense(q, k, 8, 200, null, new(), 1);
        Assert.Equal(twin.Loss, loss, 5e-5); // logits of 200 carry 1.5e-5
        Assert.All(dQ, g => Assert.True(float.IsFinite(g)));
    }

    [Fact]
    public void Permuting_pairs_permutes_gradients_and_leaves_the_loss()
    {
        var random = new Random(5);
        const int n = 40, d = 6;
        float[] q = Units(random, n, d), k = Units(random, n, d);
        int[] order = [.. Enumerable.Range(0, n)];
        random.Shuffle(order);
        var (loss, dQ, dK, _) = Run(q, k, d, 8, null, new(), 1);
        var other = Run(Permuted(q), Permuted(k), d, 8, null, new(), 1);
        Assert.Equal(loss, other.Loss, 1e-6);
        Close([.. Permuted(dQ).Select(g => (double)g)], other.DQ, 1e-6);
        Close([.. Permuted(dK).Select(g => (double)g)], other.DK, 1e-6);

        float[] Permuted(float[] x) => [.. order.SelectMany(i => x.Skip(i * d).Take(d))];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_ring_gives_the_gradients_of_one_worker_times_its_size(int ranks)
    {
        var random = new Random(6);
        const int n = 48, d = 7;
        float[] q = Units(random, n, d), k = Units(random, n, d), dQ = new float[n * d], dK = new float[n * d];
        var one = Run(q, k, d, 12, null, new(), ranks);
        RingResult[] results;
        fixed (float* pq = q, pk = k, gq = dQ, gk = dK)
            results = ContrastiveRing.InProcess(ranks, new(pq, n, d), new(pk, n, d), 12, new(gq, n, d), new(gk, n, d), new() { KeyBlock = 5, QueryChunk = 24 }, new Scratch(), TestContext.Current.CancellationToken);
        Assert.Equal(one.Loss, results.Average(r => r.Loss), 1e-6);
        Close([.. one.DQ.Select(g => (double)g)], dQ, 2e-6);
        Close([.. one.DK.Select(g => (double)g)], dK, 2e-6);
        Assert.All(results, r => Assert.Equal(one.DLogScale, r.DLogScale, 1e-4));
    }

    [Fact]
    public void A_rank_that_fails_ends_the_ring_with_its_error()
    {
        float[] q = [1, 0, 0, 1, float.NaN, 0, 0, 1], d = new float[8];
        fixed (float* p = q, g = d)
        {
            var (x, y) = (new TileMatrix(p, 4, 2), new TileMatrix(g, 4, 2));
            Assert.Contains("not finite", Assert.Throws<ArgumentException>(() => ContrastiveRing.InProcess(2, x, x, 1, y, y, new(), new Scratch(), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => ContrastiveRing.InProcess(3, x, x, 1, y, y, new(), new Scratch(), TestContext.Current.CancellationToken));
        }
    }

    /// <summary>Of 32,768 pairs, 4 GiB of logits: what is counted is what is taken before the first tile, so that a cancelled pass tells it.</summary>
    [Fact]
    public void Thirty_two_thousand_pairs_need_less_than_64_megabytes_of_scratch_and_it_grows_linearly()
    {
        long[] bytes = [.. new[] { 4096, 8192, 32768 }.Select(n =>
        {
            var scratch = new Scratch(64_000_000);
            using var cancelled = new CancellationTokenSource();
            cancelled.Cancel();
            float[] x = new float[n * 256], g = new float[n * 256];
            fixed (float* p = x, pg = g)
            {
                var loss = new ContrastiveKernel(new(p, n, 256), new(p, n, 256), 10, null, new() { Threads = 2 }, scratch);
                Assert.Throws<OperationCanceledException>(() => loss.Forward(cancelled.Token));
            }
            return scratch.PeakBytes;
        })];
        Assert.InRange(bytes[2], 1, 64_000_000);
        Assert.Equal((bytes[1] - bytes[0]) * 6, bytes[2] - bytes[1]);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        float[] unit = [1, 0, 0, 1];
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(unit, unit, 2, 0, null, new(), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(unit, unit, 2, float.NaN, null, new(), 1));
        Assert.Throws<ArgumentException>(() => Run(unit, [1, 0], 2, 1, null, new(), 1));
        Assert.Throws<ArgumentException>(() => Run(unit, unit, 2, 1, [0, 2], new() { Symmetric = false }, 1));
        Assert.Throws<ArgumentException>(() => Run(unit, unit, 2, 1, [0, 1], new(), 1));
        Assert.Throws<ArgumentException>(() => Run(unit, unit, 2, 1, [0, 0], new() { Symmetric = false, ExcludeSelf = true }, 1));
        Assert.Contains("key 1", Assert.Throws<ArgumentException>(() => Run(unit, [1, 0, 0, 2], 2, 1, null, new() { RequireNormalised = true }, 1)).Message, StringComparison.Ordinal);
        fixed (float* p = unit)
        {
            var (a, b, loss) = (new TileMatrix(p, 2, 2), new TileMatrix(p, 4, 1), new ContrastiveKernel(new(p, 2, 2), new(p, 2, 2), 1, null, new(), new Scratch()));
            Assert.Throws<ArgumentException>(() => new ContrastiveKernel(a, b, 1, null, new(), new Scratch()));
            Assert.Throws<InvalidOperationException>(() => loss.Backward(1, a, a, TestContext.Current.CancellationToken));
        }
    }

    private static (double Loss, float[] DQ, float[] DK, double DLogScale) Run(float[] q, float[] k, int d, float scale, int[]? labels, ContrastiveOptions options, float gradient)
    {
        float[] dQ = new float[q.Length], dK = new float[k.Length];
        fixed (float* pq = q, pk = k, gq = dQ, gk = dK)
        {
            var loss = new ContrastiveKernel(new(pq, q.Length / d, d), new(pk, k.Length / d, d), scale, labels, options, new Scratch());
            double value = loss.Forward(TestContext.Current.CancellationToken);
            return (value, dQ, dK, loss.Backward(gradient, new(gq, q.Length / d, d), new(gk, k.Length / d, d), TestContext.Current.CancellationToken));
        }
    }

    private static (double Loss, double[] DQ, double[] DK, double DLogScale) Dense(float[] q, float[] k, int d, double scale, int[]? labels, ContrastiveOptions options, double gradient)
    {
        int n = q.Length / d;
        double[] dQ = new double[n * d], dK = new double[n * d];
        double loss = 0, dLogScale = 0;
        double X(int i, int j) => options.ExcludeSelf && i == j ? double.NegativeInfinity : scale * Enumerable.Range(0, d).Sum(c => (double)q[i * d + c] * k[j * d + c]);
        foreach (bool columns in options.Symmetric ? new[] { false, true } : [false])
        {
            double weight = gradient / n / (options.Symmetric ? 2 : 1);
            for (int i = 0; i < n; i++)
            {
                double[] x = [.. Enumerable.Range(0, n).Select(j => columns ? X(j, i) : X(i, j))];
                double max = x.Max(), lse = max + Math.Log(x.Sum(v => Math.Exp(v - max)));
                int label = labels?[i] ?? i;
                loss += (lse - x[label]) * weight / gradient;
                for (int j = 0; j < n; j++)
                {
                    double g = weight * (Math.Exp(x[j] - lse) - (j == label ? 1 : 0));
                    if (g == 0)
                        continue;
                    var (a, b) = columns ? (j, i) : (i, j);
                    dLogScale += g * x[j];
                    for (int c = 0; c < d; c++)
                    {
                        dQ[a * d + c] += scale * g * k[b * d + c];
                        dK[b * d + c] += scale * g * q[a * d + c];
                    }
                }
            }
        }
        return (loss, dQ, dK, dLogScale);
    }

    private static void Close(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], tolerance);
    }

    private static float[] Units(Random random, int n, int d)
    {
        float[] x = [.. Enumerable.Range(0, n * d).Select(_ => random.NextSingle() * 2 - 1)];
        for (int i = 0; i < n; i++)
        {
            float length = MathF.Sqrt(x.Skip(i * d).Take(d).Sum(v => v * v));
            for (int c = 0; c < d; c++)
                x[i * d + c] /= length;
        }
        return x;
    }
}
