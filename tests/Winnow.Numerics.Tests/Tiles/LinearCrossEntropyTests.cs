using CsCheck;

namespace Winnow.Numerics.Tests;

public sealed unsafe class LinearCrossEntropyTests
{
    /// <summary>What a problem is and what came out.</summary>
    private sealed record Case(float[] E, float[] C, float[]? Bias, long[] Targets, int D)
    {
        public int V => C.Length / D;

        public int N => E.Length / D;
    }

    private sealed record Result(float[] Lse, float[] Nll, float[] DE, float[] DC, float[] DBias, TileCounts Counts, float[] Average);

    [Fact]
    public void Equals_dense_logits_and_cross_entropy_for_any_tiles_weights_and_order() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 40], Gen.Int[1, 90], Gen.Int[1, 100], Gen.Int[1, 100], Gen.Int[0, 9999]).Sample((n, d, v, block, chunk, seed) =>
        {
            var random = new Random(seed);
            var x = Problem(random, n, d, v, bias: random.Next(2) == 0);
            var options = new LinearCrossEntropyOptions { Softcap = random.Next(2) == 0 ? 3 : null, VocabularyBlock = block, RowChunk = chunk, Threads = 1 + seed % 3, Path = (TilePath)(seed % 3) };
            int[]? order = null;
            if (random.Next(2) == 0)
                random.Shuffle(order = [.. Enumerable.Range(0, v)]);
            bool fused = random.Next(2) == 0;
            int valid = x.Targets.Count(t => t != -100);
            float[] loss = Values(random, valid), ofLse = fused ? [] : Values(random, valid);
            var actual = Run(x, options, loss, ofLse, order, fused);
            var expected = Dense(x, options.Softcap, loss, ofLse);
            // Logits are at most 8, sums of at most 40 products: 1e-6 relative of what is summed, by the magnitudes of at most 90 addends.
            Close(expected.Lse, actual.Lse, 5e-6);
            Close(expected.Nll, actual.Nll, 5e-6);
            Close(expected.DE, actual.DE, 2e-5);
            Close(expected.DC, actual.DC, 2e-5);
            Close(expected.DBias, actual.DBias, 2e-5);
        }, iter: 200, seed: "0000000000001", threads: 1);

    [Fact]
    public void The_average_logit_is_the_mean_over_valid_rows()
    {
        var x = Problem(new Random(1), 30, 5, 40, bias: true);
        var result = Run(x, new() { RowChunk = 24 }, new float[x.Targets.Count(t => t != -100)], [], null, false);
        int[] valid = [.. Enumerable.Range(0, 30).Where(i => x.Targets[i] != -100)];
        for (int v = 0; v < 40; v++)
            Assert.Equal(valid.Average(i => Logit(x, i, v)), result.Average[v], 1e-5);
        Assert.True(LinearCrossEntropyKernel.OrderBy([3, 1, 2]).SequenceEqual([1, 2, 0]));
    }

    [Fact]
    public void Gradients_of_a_row_sum_to_zero_and_ignored_rows_have_none()
    {
        var x = Problem(new Random(2), 50, 8, 70, bias: true);
        x.Targets[4] = -100;
        var result = Run(x, new() { VocabularyBlock = 16 }, Ones(x), [], null, false);
        Assert.All(result.DE[32..40], g => Assert.Equal(0, g));
        Assert.Equal(0, result.DBias.Sum(g => (double)g), 50 * 70 * 6e-8); // the bias gradient sums all rows' gradients
    }

    [Fact]
    public void The_filter_loses_at_most_epsilon_times_the_classifier_and_zero_loses_nothing()
    {
        var random = new Random(3);
        var x = Peaked(random, 96, 16, 512);
        const double epsilon = 1e-2;
        int[] order = LinearCrossEntropyKernel.OrderBy(Run(x, new(), Ones(x), [], null, false).Average);
        var exact = Run(x, new() { VocabularyBlock = 32 }, Ones(x), [], order, false);
        var filtered = Run(x, new() { VocabularyBlock = 32, FilterEpsilon = epsilon }, Ones(x), [], order, false);
        Assert.Equal(0, exact.Counts.Skipped);
        Assert.InRange(filtered.Counts.SkipRate, 0.05, 0.99);
        for (int c = 0; c < 16; c++)
        {
            double bound = epsilon * Enumerable.Range(0, 512).Sum(v => Math.Abs(x.C[v * 16 + c])) + 1e-5;
            for (int i = 0; i < 96; i++)
                Assert.InRange(Math.Abs(filtered.DE[i * 16 + c] - exact.DE[i * 16 + c]), 0, bound);
        }
        var half = Run(x, new() { VocabularyBlock = 32, FilterEpsilon = epsilon, FilterClassifier = false }, Ones(x), [], order, false);
        Assert.Equal(exact.DC, half.DC);
        Assert.Equal(filtered.DE, half.DE);
        Assert.Equal(0, half.Counts.Skipped);
        var all = Run(x, new() { VocabularyBlock = 32, FilterEpsilon = 1.1 }, Ones(x), [], null, true);
        Assert.Equal(all.Counts.Tiles, all.Counts.Skipped);
        Assert.All(all.DE.Concat(all.DC), g => Assert.Equal(0, g));
    }

    [Fact]
    public void A_confident_right_prediction_is_skipped_and_a_confident_wrong_one_is_not()
    {
        var x = new Case([20, 0], [1, 0, -1, 0], null, [0], 2);
        Assert.Equal(1, Run(x, new() { FilterEpsilon = 1e-3 }, [1], [], null, false).Counts.SkipRate);
        Assert.Equal(0, Run(x with { Targets = [1] }, new() { FilterEpsilon = 1e-3 }, [1], [], null, false).Counts.SkipRate);
    }

    [Fact]
    public void Sorting_the_vocabulary_lets_more_tiles_be_skipped()
    {
        var x = Peaked(new Random(4), 240, 16, 2048);
        var options = new LinearCrossEntropyOptions { VocabularyBlock = 64, FilterEpsilon = 1e-2 };
        var plain = Run(x, options, Ones(x), [], null, false);
        var sorted = Run(x, options, Ones(x), [], LinearCrossEntropyKernel.OrderBy(plain.Average), false);
        Assert.True(sorted.Counts.Skipped > plain.Counts.Skipped, $"{sorted.Counts} and {plain.Counts}");
    }

    [Fact]
    public void Permuting_the_vocabulary_permutes_the_classifiers_gradient_and_leaves_the_rest()
    {
        var random = new Random(5);
        var x = Problem(random, 20, 6, 33, bias: false);
        int[] order = [.. Enumerable.Range(0, 33)], place = new int[33];
        random.Shuffle(order);
        for (int i = 0; i < 33; i++)
            place[order[i]] = i;
        var y = x with { C = [.. order.SelectMany(v => x.C.Skip(v * 6).Take(6))], Targets = [.. x.Targets.Select(t => t < 0 ? t : place[t])] };
        var (a, b) = (Run(x, new(), Ones(x), [], null, false), Run(y, new(), Ones(x), [], null, false));
        Close([.. a.Nll.Select(g => (double)g)], b.Nll, 2e-6);
        Close([.. a.DE.Select(g => (double)g)], b.DE, 2e-6);
        Close([.. order.SelectMany(v => a.DC.Skip(v * 6).Take(6)).Select(g => (double)g)], b.DC, 2e-6);
    }

    [Fact]
    public void Slices_of_the_vocabulary_combine_to_the_whole()
    {
        var x = Problem(new Random(6), 40, 7, 50, bias: true);
        var whole = Run(x, new() { Softcap = 4 }, Ones(x), [], null, false);
        var (rows, n) = (Enumerable.Range(0, 2).Select(r => TargetRows.Select(x.Targets, 40, 50, vocabularyStart: r * 20)).ToArray(), whole.Lse.Length);
        float[] dE = new float[x.E.Length], lse = new float[n], logit = new float[n];
        var sizes = new[] { 20, 30 };
        float[][] lses = [new float[n], new float[n]], logits = [new float[n], new float[n]], dC = [new float[20 * 7], new float[30 * 7]], dBias = [new float[20], new float[30]];
        fixed (float* e = x.E, c = x.C, bias = x.Bias)
        {
            var (pe, pc, pb) = ((nint)e, (nint)c, (nint)bias);
            LinearCrossEntropyKernel Rank(int r) => new(new((float*)pe, 40, 7), new((float*)pc + r * 140, sizes[r], 7), (float*)pb + r * 20, rows[r], new() { Softcap = 4 }, new Scratch());
            for (int r = 0; r < 2; r++)
                Rank(r).Forward(lses[r], logits[r], default, TestContext.Current.CancellationToken);
            LinearCrossEntropyKernel.Combine(lses, logits, lse, logit);
            Close([.. whole.Lse.Select(v => (double)v)], lse, 2e-6);
            Close([.. whole.Nll.Select(v => (double)v)], [.. lse.Zip(logit).Select(p => p.First - p.Second)], 4e-6);
            for (int r = 0; r < 2; r++)
            {
                float[] part = new float[x.E.Length];
                fixed (float* g = part, h = dC[r])
                    Rank(r).Backward(lse, Ones(x), default, new(g, 40, 7), new(h, sizes[r], 7), dBias[r], null, TestContext.Current.CancellationToken);
                dE = [.. dE.Zip(part).Select(p => p.First + p.Second)];
            }
        }
        Close([.. whole.DE.Select(v => (double)v)], dE, 4e-6);
        Close([.. whole.DC.Select(v => (double)v)], [.. dC[0], .. dC[1]], 4e-6);
        Close([.. whole.DBias.Select(v => (double)v)], [.. dBias[0], .. dBias[1]], 4e-6);
    }

    [Fact]
    public void Bfloat16_operands_give_the_gradients_of_their_values_rounded_once()
    {
        var x = Problem(new Random(7), 30, 8, 50, bias: false);
        ushort[] e = [.. x.E.Select(TileMatrix.Narrow)], c = [.. x.C.Select(TileMatrix.Narrow)], dE = new ushort[e.Length], dC = new ushort[c.Length];
        var rounded = x with { E = [.. e.Select(TileMatrix.Widen)], C = [.. c.Select(TileMatrix.Widen)] };
        var expected = Run(rounded, new() { RowChunk = 1000 }, Ones(x), [], null, false);
        var rows = TargetRows.Select(x.Targets, 30, 50);
        float[] lse = new float[rows.Count], logit = new float[rows.Count];
        fixed (ushort* pe = e, pc = c, ge = dE, gc = dC)
        {
            var loss = new LinearCrossEntropyKernel(new(pe, 30, 8, TileType.BFloat16), new(pc, 50, 8, TileType.BFloat16), null, rows, new(), new Scratch());
            loss.Forward(lse, logit, default, TestContext.Current.CancellationToken);
            loss.Backward(lse, Ones(x), default, new(ge, 30, 8, TileType.BFloat16), new(gc, 50, 8, TileType.BFloat16), default, null, TestContext.Current.CancellationToken);
        }
        Assert.Equal(expected.Lse, lse);
        Assert.Equal(expected.DE.Select(TileMatrix.Narrow), dE);
        Assert.Equal(expected.DC.Select(TileMatrix.Narrow), dC);
    }

    /// <summary>What a tile and a chunk need, and not N·V: at a vocabulary of 64K less than a fiftieth of logits and their gradient.</summary>
    [Fact]
    public void Scratch_is_a_fiftieth_of_the_dense_losss_and_does_not_grow_with_rows_or_vocabulary()
    {
        long[] bytes = [.. new[] { (480, 8192), (960, 8192), (480, 65536) }.Select(size =>
        {
            var (n, v) = size;
            var scratch = new Scratch();
            Run(new(new float[n * 4], new float[v * 4], null, new long[n], 4), new(), new float[n], [], null, false, scratch);
            return scratch.PeakBytes;
        })];
        Assert.Equal(bytes[0], bytes[1]);
        Assert.Equal(bytes[0], bytes[2]);
        Assert.True(bytes[2] < 8L * 480 * 65536 / 50, $"{bytes[2]} bytes");
    }

    [Fact]
    public void The_limit_of_scratch_is_met_with_an_error_and_everything_is_given_back()
    {
        var scratch = new Scratch(20_000);
        Assert.Throws<ScratchLimitException>(() => Run(Problem(new Random(8), 60, 8, 50, bias: false), new(), new float[60], [], null, false, scratch, allValid: true));
        Assert.Equal(0, scratch.LiveBytes);
    }

    [Fact]
    public void Presets_are_the_papers()
    {
        Assert.Equal(Math.Pow(2, -12), LinearCrossEntropyOptions.Cce(TileType.BFloat16).FilterEpsilon);
        Assert.Equal(Math.Pow(2, -28), LinearCrossEntropyOptions.Cce(TileType.Float32).FilterEpsilon);
        Assert.True(LinearCrossEntropyOptions.KahanFullC(TileType.Float32) is { FilterEmbeddings: true, FilterClassifier: false });
        Assert.Equal(0, LinearCrossEntropyOptions.Exact.FilterEpsilon);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Assert.Contains("target 5", Assert.Throws<ArgumentException>(() => TargetRows.Select([0, 5], 2, 5)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => TargetRows.Select([0, -1], 2, 5));
        Assert.Throws<ArgumentException>(() => TargetRows.Select([], 1, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => TargetRows.Select([0, 1], 2, 5, shift: 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => TargetRows.Select([0, 1], 2, 5, shift: -1));
        var x = Problem(new Random(9), 4, 3, 5, bias: false);
        foreach (float cap in new[] { 0, -1, float.NaN })
            Assert.Throws<ArgumentException>(() => Run(x, new() { Softcap = cap }, Ones(x), [], null, false));
        Assert.Throws<ArgumentException>(() => Run(x, new() { Threads = 0 }, Ones(x), [], null, false));
        Assert.Throws<ArgumentException>(() => Run(x, new() { FilterEpsilon = double.NaN }, Ones(x), [], null, false));
        Assert.Throws<ArgumentException>(() => Run(x, new(), Ones(x), [], [0, 0, 1, 2, 3], false));
        Assert.Throws<ArgumentException>(() => Run(x, new(), new float[1], [], null, false));
        x.Targets.AsSpan().Clear();
        x.E[7] = float.PositiveInfinity;
        Assert.Contains("row 2", Assert.Throws<ArgumentException>(() => Run(x, new(), Ones(x), [], null, false)).Message, StringComparison.Ordinal);
        fixed (float* p = x.C)
        {
            var (e, c) = (new TileMatrix(p, 4, 3), new TileMatrix(p, 5, 2));
            Assert.Throws<ArgumentException>(() => new LinearCrossEntropyKernel(e, c, null, TargetRows.Select([0], 1, 5), new(), new Scratch()));
        }
    }

    private static Result Run(Case x, LinearCrossEntropyOptions options, float[] loss, float[] ofLse, int[]? order, bool fused, Scratch? scratch = null, bool allValid = false)
    {
        if (allValid)
            x.Targets.AsSpan().Clear();
        var rows = TargetRows.Select(x.Targets, x.N, x.V);
        float[] lse = new float[rows.Count], logit = new float[rows.Count], average = new float[x.V], dE = new float[x.E.Length], dC = new float[x.C.Length], dBias = new float[x.V];
        var stop = TestContext.Current.CancellationToken;
        fixed (float* e = x.E, c = x.C, b = x.Bias, ge = dE, gc = dC)
        {
            var problem = new LinearCrossEntropyKernel(new(e, x.N, x.D), new(c, x.V, x.D), b, rows, options, scratch ?? new Scratch());
            TileCounts counts;
            if (fused)
                counts = problem.ForwardBackward(loss, lse, logit, new(ge, x.N, x.D), new(gc, x.V, x.D), dBias, order, stop);
            else
            {
                problem.Forward(lse, logit, average, stop);
                counts = problem.Backward(lse, loss, ofLse, new(ge, x.N, x.D), new(gc, x.V, x.D), dBias, order, stop);
            }
            return new(lse, [.. lse.Zip(logit).Select(p => p.First - p.Second)], dE, dC, dBias, counts, average);
        }
    }

    private static (double[] Lse, double[] Nll, double[] DE, double[] DC, double[] DBias) Dense(Case x, float? cap, float[] loss, float[] ofLse)
    {
        List<double> lses = [], nlls = [];
        double[] dE = new double[x.E.Length], dC = new double[x.C.Length], dBias = new double[x.V];
        for (int i = 0; i < x.N; i++)
        {
            if (x.Targets[i] == -100)
                continue;
            double[] z = [.. Enumerable.Range(0, x.V).Select(v => Logit(x, i, v)).Select(a => cap is { } c ? c * Math.Tanh(a / c) : a)];
            double lse = Math.Log(z.Sum(Math.Exp));
            for (int v = 0; v < x.V; v++)
            {
                double d = loss[lses.Count], l = ofLse.Length == 0 ? 0 : ofLse[lses.Count];
                double g = (Math.Exp(z[v] - lse) * (d + l) - (v == x.Targets[i] ? d : 0)) * (cap is { } c ? 1 - z[v] * z[v] / (c * c) : 1);
                dBias[v] += g;
                for (int k = 0; k < x.D; k++)
                {
                    dE[i * x.D + k] += g * x.C[v * x.D + k];
                    dC[v * x.D + k] += g * x.E[i * x.D + k];
                }
            }
            lses.Add(lse);
            nlls.Add(lse - z[x.Targets[i]]);
        }
        return ([.. lses], [.. nlls], dE, dC, dBias);
    }

    private static double Logit(Case x, int i, int v) => (x.Bias?[v] ?? 0) + Enumerable.Range(0, x.D).Sum(k => (double)x.E[i * x.D + k] * x.C[v * x.D + k]);

    private static Case Problem(Random random, int n, int d, int v, bool bias) => new(Values(random, n * d), Values(random, v * d), bias ? Values(random, v) : null,
        [.. Enumerable.Range(0, n).Select(_ => random.Next(5) == 0 ? -100L : random.Next(v))], d);

    /// <summary>As after training: a feature that is the same for all rows carries the frequencies of the vocabulary, and embeddings point at their targets.</summary>
    private static Case Peaked(Random random, int n, int d, int v)
    {
        float[] c = Values(random, v * d), e = new float[n * d];
        int[] rank = [.. Enumerable.Range(0, v)];
        random.Shuffle(rank);
        long[] targets = new long[n];
        for (int i = 0; i < v; i++)
            c[i * d] = -MathF.Log(1 + rank[i]);
        for (int i = 0; i < n * d; i++)
        {
            if (i % d == 0)
                targets[i / d] = Array.IndexOf(rank, (int)(v * Math.Pow(random.NextDouble(), 6)));
            e[i] = i % d == 0 ? 2.5f : c[targets[i / d] * d + i % d] + random.NextSingle() - 0.5f;
        }
        return new(e, c, null, targets, d);
    }

    private static float[] Ones(Case x) => [.. x.Targets.Where(t => t != -100).Select(_ => 1f)];

    private static void Close(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], tolerance);
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
}
