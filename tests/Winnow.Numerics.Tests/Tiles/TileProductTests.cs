using CsCheck;

namespace Winnow.Numerics.Tests;

public sealed unsafe class TileProductTests
{
    private static readonly Gen<TilePath> Path = Gen.Int[0, 2].Select(i => (TilePath)i);

    [Fact]
    public void Equals_the_defining_sum_with_any_strides_and_segments() =>
        Gen.Select(Path, Gen.Int[0, 19], Gen.Int[1, 20], Gen.Int[1, 3], Gen.Bool, Gen.Bool, Gen.Int[0, 999]).Sample((path, m, k, segments, transposed, accumulate, seed) =>
        {
            int width = path.PanelWidth(), ldc = width + 5, row = transposed ? 1 : segments * k, column = transposed ? m + 1 : 1, segment = k * column;
            var random = new Random(seed);
            float[] a = Values(random, segments * k * (m + 1) + 1), b = Values(random, segments * k * width), c = Values(random, m * ldc + 1), before = [.. c];
            int[] list = [.. Enumerable.Range(0, segments).Where(s => s != 1)];
            fixed (float* pa = a, pb = b, pc = c)
            fixed (int* some = list)
                TileProduct.Multiply(path, m, k, new(pa, row, column, segment), new(pb, k * width), new(list.Length, some), pc, ldc, accumulate);
            for (int i = 0; i < m * ldc; i++)
            {
                int r = i / ldc, j = i % ldc;
                double expected = accumulate || j >= width ? before[i] : 0;
                foreach (int s in list.Where(_ => j < width))
                    expected += Enumerable.Range(0, k).Sum(p => (double)a[r * row + s * segment + p * column] * b[s * k * width + p * width + j]);
                Assert.Equal(expected, c[i], 40 * 1.2e-7 * 40); // at most 40 terms of at most 1, each rounded once, sums below 40
            }
        }, iter: 200, seed: "0000000000001", threads: 1);

    [Fact]
    public void Every_path_gives_the_same_bits()
    {
        var random = new Random(1);
        const int m = 13, k = 37, n = 48; // two panels of 24, one of 48
        float[] a = Values(random, m * k), b = Values(random, k * n);
        float[][] results = [.. Enum.GetValues<TilePath>().Select(path =>
        {
            int width = path.PanelWidth();
            float[] packed = new float[k * n], c = new float[m * n];
            for (int i = 0; i < k * n; i++)
                packed[i % n / width * width * k + i / n * width + i % n % width] = b[i];
            fixed (float* pa = a, pb = packed, pc = c)
            {
                for (int p = 0; p < n / width; p++)
                    TileProduct.Multiply(path, m, k, new(pa, k, 1), new(pb + p * width * k), new(1), pc + p * width, n, false);
            }
            return c;
        })];
        Assert.All(results, r => Assert.Equal(results[0], r));
    }

    [Fact]
    public void The_exponential_is_within_one_unit_in_the_last_place_over_all_its_range()
    {
        double worst = 0;
        for (float x = -87.33f; x < 88.72f; x += 0.00037f)
        {
            double exact = Math.Exp(x);
            worst = Math.Max(worst, Math.Abs(VectorExp.Exp(x) - exact) / (MathF.BitIncrement((float)exact) - (float)exact));
        }
        Assert.InRange(worst, 0.5, 1);
    }

    [Fact]
    public void The_exponential_keeps_the_special_values()
    {
        Assert.Equal([0, 0, 1, float.PositiveInfinity, float.PositiveInfinity], new[] { float.NegativeInfinity, -88, 0, 89, float.PositiveInfinity }.Select(VectorExp.Exp));
        Assert.True(float.IsNaN(VectorExp.Exp(float.NaN)));
    }

    [Fact]
    public void Merging_in_any_order_gives_the_log_of_the_sum()
    {
        var random = new Random(2);
        float[] x = [.. Values(random, 300).Select(v => v * 50)];
        double expected = Math.Log(x.Sum(v => Math.Exp((double)v)));
        for (int trial = 0; trial < 20; trial++)
        {
            random.Shuffle(x);
            var parts = x.Select(v => new RunningLogSumExp(v, 1)).ToList();
            while (parts.Count > 1) // a random tree of merges
            {
                int at = random.Next(parts.Count - 1);
                parts[at] = RunningLogSumExp.Merge(parts[at], parts[at + 1]);
                parts.RemoveAt(at + 1);
            }
            Assert.Equal(expected, parts[0].Value, 1e-5); // values of 50 carry 4e-6
        }
    }

    [Fact]
    public void Nothing_merged_is_nothing_and_masked_logits_count_nothing()
    {
        Assert.Equal(float.NegativeInfinity, RunningLogSumExp.Merge(RunningLogSumExp.Empty, RunningLogSumExp.Empty).Value);
        Assert.Equal(3, RunningLogSumExp.Merge(RunningLogSumExp.Empty, new(3, 1)).Value);
        float[] block = new float[16], max = new float[8], sum = new float[8];
        Array.Fill(block, float.NegativeInfinity);
        Array.Fill(max, RunningLogSumExp.Empty.Max);
        block[3] = 2;
        fixed (float* b = block, m = max, s = sum)
            RunningLogSumExp.Accumulate(b, 2, 8, m, s);
        Assert.Equal([0, 0, 0, 1, 0, 0, 0, 0], sum);
        Assert.Equal(2, max[3]);
    }

    [Fact]
    public void Bfloat16_is_rounded_to_even_and_widened_exactly()
    {
        Assert.Equal(0x3f80, TileMatrix.Narrow(1));
        Assert.Equal(0x3f80, TileMatrix.Narrow(1 + 1 / 256f)); // a tie
        Assert.Equal(0x3f82, TileMatrix.Narrow(1 + 3 / 256f)); // a tie
        Assert.Equal(1.0078125f, TileMatrix.Widen(0x3f81));
        Assert.True(float.IsNaN(TileMatrix.Widen(TileMatrix.Narrow(float.NaN))));
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
}
