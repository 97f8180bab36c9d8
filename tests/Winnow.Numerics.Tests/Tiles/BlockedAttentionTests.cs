using CsCheck;

namespace Winnow.Numerics.Tests;

public sealed unsafe class BlockedAttentionTests
{
    [Fact]
    public void Equals_three_pass_attention_for_any_tiles_threads_and_masks() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 60], Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[1, 70], Gen.Int[1, 70], Gen.Int[0, 999]).Sample((p, m, e, f, block, chunk, seed) =>
        {
            var random = new Random(seed);
            int heads = random.Next(1, 4), masking = random.Next(3);
            float[] q = Values(random, heads * p * e), k = Values(random, heads * m * e), v = Values(random, heads * m * f);
            float[]? mask = masking == 1 ? [.. Enumerable.Range(0, p * m).Select(_ => random.Next(3) == 0 ? float.NegativeInfinity : random.NextSingle())] : null;
            var options = new AttentionOptions { Causal = masking == 2, KeyBlock = block, QueryChunk = chunk, Threads = 1 + seed % 3, Path = (TilePath)(seed % 3) };
            float[] actual = Run(heads, q, k, v, p, m, e, f, mask, options), expected = ThreePass(heads, q, k, v, p, m, e, f, mask, options.Causal, 1 / Math.Sqrt(e));
            for (int i = 0; i < actual.Length; i++)
                Assert.Equal(expected[i], actual[i], 2e-6); // values of at most 1; logits of at most 3 carry 60 roundings of 6e-8 at most in the sums
        }, iter: 150, seed: "0000000000001", threads: 1);

    [Fact]
    public void Logits_of_ten_thousand_stay_finite_and_pick_the_largest()
    {
        float[] q = [100], k = [-100, 99, 100], v = [1, 2, 3];
        Assert.Equal([3f], Run(1, q, k, v, 1, 3, 1, 1, null, new() { KeyBlock = 1, Scale = 1 }));
    }

    [Fact]
    public void A_fully_masked_query_gets_zero()
    {
        float inf = float.NegativeInfinity;
        Assert.Equal([0f, 5f], Run(1, [1, 1], [1, 2], [4, 5], 2, 2, 1, 1, [inf, inf, inf, 0], new() { KeyBlock = 1 }));
    }

    [Fact]
    public void Scratch_does_not_grow_with_the_number_of_keys()
    {
        var peaks = new[] { 512, 4096 }.Select(m =>
        {
            var scratch = new Scratch();
            Run(1, new float[64 * 8], new float[m * 8], new float[m * 8], 64, m, 8, 8, null, new(), scratch);
            return scratch.PeakBytes;
        }).ToArray();
        Assert.Equal(peaks[0], peaks[1]);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Run(2, [1], [1, 1], [1, 1], 1, 2, 1, 1, null, new()));
        Assert.Throws<ArgumentException>(() => Run(1, [1], [1, 1], [1, 1], 1, 2, 1, 1, null, new() { Threads = 0 }));
        Assert.Contains("query 0", Assert.Throws<ArgumentException>(() => Run(1, [float.NaN], [1, 1], [1, 1], 1, 2, 1, 1, null, new())).Message, StringComparison.Ordinal);
    }

    private static float[] Run(int heads, float[] q, float[] k, float[] v, int p, int m, int e, int f, float[]? mask, AttentionOptions options, Scratch? scratch = null)
    {
        float[] output = new float[q.Length / e * f];
        fixed (float* pq = q, pk = k, pv = v, pm = mask, po = output)
            BlockedAttention.Compute(heads, new(pq, q.Length / e, e), new(pk, k.Length / e, e), new(pv, v.Length / f, f), pm, new(po, q.Length / e, f), options, scratch ?? new Scratch());
        return output;
    }

    private static float[] ThreePass(int heads, float[] q, float[] k, float[] v, int p, int m, int e, int f, float[]? mask, bool causal, double scale)
    {
        float[] output = new float[heads * p * f];
        for (int row = 0; row < heads * p; row++)
        {
            int h = row / p, i = row % p;
            double[] x = [.. Enumerable.Range(0, m).Select(j => causal && j > i ? double.NegativeInfinity
                : scale * Enumerable.Range(0, e).Sum(d => (double)q[row * e + d] * k[(h * m + j) * e + d]) + (mask?[i * m + j] ?? 0))];
            double max = x.Max(), sum = x.Sum(z => Math.Exp(z - max));
            for (int c = 0; c < f && !double.IsNegativeInfinity(max); c++)
                output[row * f + c] = (float)(Enumerable.Range(0, m).Sum(j => Math.Exp(x[j] - max) * v[(h * m + j) * f + c]) / sum);
        }
        return output;
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
}
