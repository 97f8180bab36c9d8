using MathNet.Numerics.LinearAlgebra;
using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class CskvTests
{
    private static readonly KvSetup Setup = new(purpose => new(1, purpose));

    private static Matrix<float> Random(int rows, int columns, ulong seed)
    {
        var random = new SeededRandom(seed, "matrix");
        return Matrix<float>.Build.Dense(rows, columns, (_, _) => (float)random.NextNormal());
    }

    private static Cskv Prepared(Small small, CskvOptions options)
    {
        var cskv = new Cskv(Setup, options);
        cskv.Prepare(small.Weights, [small.Tokens(90, 5), small.Tokens(70, 6)], TestContext.Current.CancellationToken);
        return cskv;
    }

    [Fact]
    public void The_decomposition_is_as_far_from_the_weights_as_the_dropped_singular_values_say()
    {
        var w = Random(12, 20, 1);
        double[] s = [.. w.ToDouble().Svd(false).S];
        for (int rank = 1; rank < 12; rank++)
        {
            var narrow = Cskv.Start(w, rank, CskvInit.Svd, new double[20], 0.5, null);
            Assert.Equal(s.Skip(rank).Sum(v => v * v), (narrow.B * narrow.A - w).Enumerate().Sum(e => (double)e * e), 1e-3);
        }
    }

    [Fact]
    public void Inputs_of_one_size_give_the_plain_decomposition_and_others_the_nearest_by_their_sizes()
    {
        var w = Random(10, 16, 2);
        double[] even = [.. Enumerable.Repeat(3.0, 16)], uneven = [.. Enumerable.Range(0, 16).Select(i => 0.1 + i)];
        var plain = Cskv.Start(w, 4, CskvInit.Svd, even, 0.5, null);
        var same = Cskv.Start(w, 4, CskvInit.Asvd, even, 0.5, null);
        Assert.InRange((plain.B * plain.A - same.B * same.A).FrobeniusNorm(), 0, 1e-3);
        var other = Cskv.Start(w, 4, CskvInit.Asvd, uneven, 0.5, null);
        double Far(Cskv.Narrow n) => (n.B * n.A - w).MapIndexed((_, j, v) => (float)(v * Math.Sqrt(uneven[j] + 1e-6))).FrobeniusNorm();
        Assert.True(Far(other) < Far(plain));
    }

    [Fact]
    public void Gradients_are_those_of_finite_differences()
    {
        var (w, x) = (Random(6, 8, 3), Random(10, 8, 4));
        var narrow = Cskv.Start(w, 4, CskvInit.Random, [], 0, new(1, "start"));
        var (_, dA, dB) = Cskv.Gradient(narrow, w, x, new(), isKey: true, heads: 2);
        double Loss() => Cskv.Gradient(narrow, w, x, new(), isKey: true, heads: 2).Loss;
        foreach (var (matrix, gradient) in new[] { (narrow.A, dA), (narrow.B, dB) })
            for (int i = 0; i < matrix.RowCount; i++)
                for (int j = 0; j < matrix.ColumnCount; j++)
                {
                    const float H = 1e-2f;
                    float at = matrix[i, j];
                    matrix[i, j] = at + H;
                    double up = Loss();
                    matrix[i, j] = at - H;
                    double down = Loss();
                    matrix[i, j] = at;
                    Assert.Equal((up - down) / (2 * H), gradient[i, j], 2e-3 * Math.Max(1, Math.Abs(gradient[i, j])));
                }
    }

    [Fact]
    public void Training_lowers_the_error_and_a_step_of_nothing_leaves_it()
    {
        var (w, x) = (Random(12, 16, 5), Random(60, 16, 6));
        var narrow = Cskv.Start(w, 6, CskvInit.Random, [], 0, new(1, "start"));
        double before = Cskv.Gradient(narrow, w, x, new(), true, 2).Loss;
        var start = narrow.A.Clone();
        Cskv.Train(narrow, w, [x], new() { LearningRate = 0, Epochs = 3 }, true, 2, TestContext.Current.CancellationToken);
        Assert.Equal(start, narrow.A);
        Cskv.Train(narrow, w, [x], new() { LearningRate = 0.01, Epochs = 300 }, true, 2, TestContext.Current.CancellationToken);
        Assert.True(Cskv.Gradient(narrow, w, x, new(), true, 2).Loss < 0.3 * before);
    }

    [Fact] // the same texts and weights, but for a later layer's keys
    public void A_layer_learns_from_its_own_inputs_alone()
    {
        using var small = new Small();
        var layers = small.Weights.Layers.ToArray();
        layers[^1] = layers[^1] with { Key = layers[^1].Value };
        var other = small.Weights with { Layers = layers };
        var (a, b) = (new Cskv(Setup, new() { Epochs = 2 }), new Cskv(Setup, new() { Epochs = 2 }));
        a.Prepare(small.Weights, [small.Tokens(60, 5)], TestContext.Current.CancellationToken);
        b.Prepare(other, [small.Tokens(60, 5)], TestContext.Current.CancellationToken);
        for (int l = 0; l < layers.Length; l++)
            Assert.Equal(l < layers.Length - 1, a.Projections.Keys[l].Shrink.SequenceEqual(b.Projections.Keys[l].Shrink));
    }

    [Fact]
    public void Full_width_is_the_full_cache_to_rounding()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(70), next = small.Tokens(20, 2);
        var cskv = Prepared(small, new() { KeyDensity = 1, ValueDensity = 1, Epochs = 0, Init = CskvInit.Svd });
        float[][] full = small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next);
        Assert.InRange(Small.Distance(small.Follow(new KvPolicy(cskv).Prefill(small.Read(prompt)), next), full), 0, 1e-2);
    }

    [Fact]
    public void A_window_longer_than_the_text_is_the_full_cache_whatever_was_learned()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(70), next = small.Tokens(20, 2);
        var cskv = Prepared(small, new() { KeyDensity = 0.1, ValueDensity = 0.1, Epochs = 0, Init = CskvInit.Random, Window = 1000 });
        float[][] full = small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next);
        Assert.InRange(Small.Distance(small.Follow(new KvPolicy(cskv).Prefill(small.Read(prompt)), next), full), 0, 1e-5);
    }

    [Theory, InlineData(8), InlineData(32), InlineData(0)]
    public void The_exact_window_is_what_is_left_of_whole_ones(int window)
    {
        using var small = new Small();
        var cskv = Prepared(small, new() { Window = window, Epochs = 0 });
        var cache = new KvPolicy(cskv).Prefill(small.Read(small.Tokens(45)));
        for (int seen = 45; seen < 80; seen++)
        {
            int exact = window == 0 ? 0 : seen % window;
            Assert.Equal(2L * 2 * exact * small.Shape.Layers * small.Shape.KeyValueHeads * small.Shape.HeadWidth, cache.Bytes.Windows);
            small.Session.Step(3, seen, cache);
        }
    }

    [Fact] // a group in [10, 11] at 4 bits becomes about 1: zero is a whole code, and 10 / step is beyond the last one
    public void Released_rounding_cuts_groups_off_that_do_not_hold_zero()
    {
        double[] y = new double[3];
        bool[] passes = new bool[3];
        Cskv.IntegerZero([10, 10.5, 11], 4, y, passes);
        Assert.All(y, v => Assert.Equal(1, v, 1e-9));
        Assert.All(passes, Assert.False);
        Cskv.IntegerZero([-1, 0.2, 1], 8, y, passes);
        Assert.All(y.Zip([-1, 0.2, 1]), p => Assert.Equal(p.Second, p.First, 0.01));
    }

    [Fact]
    public void What_was_not_prepared_or_has_no_channel_is_refused()
    {
        using var small = new Small();
        Assert.Contains("Call Prepare", Assert.Throws<InputException>(() => new KvPolicy(new Cskv(Setup, new())).Prefill(small.Read(small.Tokens(5)))).Message, StringComparison.Ordinal);
        Assert.Contains("at least one channel", Assert.Throws<InputException>(() => Prepared(small, new() { KeyDensity = 0.01 })).Message, StringComparison.Ordinal);
    }
}
