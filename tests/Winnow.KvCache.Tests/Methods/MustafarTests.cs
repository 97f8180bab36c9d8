using CsCheck;
using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class MustafarTests
{
    [Fact]
    public void Released_code_zeroes_one_number_fewer_than_the_share() => Gen.Select(Gen.Double[0, 0.99], Gen.Int[1, 80]).Sample((sparsity, d) =>
    {
        float[] x = Small.Rows(1, d, (ulong)d), exact = [.. x];
        Mustafar.Prune<float>(x, sparsity);
        Mustafar.Prune<float>(exact, sparsity, exact: true);
        int share = (int)(sparsity * d);
        Assert.Equal(Math.Max(0, share - 1), x.Count(v => v == 0));
        Assert.Equal(share, exact.Count(v => v == 0));
    }, seed: "0000KOIKKiB1", iter: 200);

    [Fact] // all masks of eight numbers
    public void What_stays_is_the_best_subset_of_its_size()
    {
        float[] x = Small.Rows(1, 8), pruned = [.. x];
        Mustafar.Prune<float>(pruned, 0.6);
        int kept = pruned.Count(v => v != 0);
        double best = Enumerable.Range(0, 256).Where(m => System.Numerics.BitOperations.PopCount((uint)m) == kept).Max(m => Enumerable.Range(0, 8).Sum(i => (m >> i & 1) * (double)x[i] * x[i]));
        Assert.Equal(best, pruned.Sum(v => (double)v * v), 9);
    }

    [Fact]
    public void The_mask_does_not_change_with_the_scale_and_moves_with_the_channels()
    {
        float[] x = Small.Rows(1, 32), scaled = [.. x.Select(v => -4 * v)], turned = [.. x.Reverse()];
        Mustafar.Prune<float>(x, 0.5);
        Mustafar.Prune<float>(scaled, 0.5);
        Mustafar.Prune<float>(turned, 0.5);
        Assert.Equal(x.Select(v => v != 0), scaled.Select(v => v != 0));
        Assert.Equal(x.Reverse(), turned);
    }

    [Fact]
    public void Equal_numbers_at_the_threshold_all_stay()
    {
        float[] x = [1, 1, 1, 1];
        Mustafar.Prune<float>(x, 0.75);
        Assert.DoesNotContain(0f, x);
    }

    [Theory, InlineData(0), InlineData(1), InlineData(8), InlineData(9), InlineData(63), InlineData(64)]
    public void Tiles_of_any_number_of_numbers_read_back_bit_for_bit(int nonZero)
    {
        var random = new SeededRandom(4, "tiles");
        var tiles = new BitmapTiles();
        var all = new List<Half[]>();
        for (int i = 0; i < 5; i++)
        {
            var tile = new Half[64];
            int[] places = [.. Enumerable.Range(0, 64)];
            random.Shuffle(places);
            foreach (int p in places[..nonZero])
                tile[p] = (Half)(1 + random.NextDouble());
            tiles.Add(tile);
            all.Add(tile);
        }
        float[] back = new float[64];
        for (int i = 0; i < 5; i++)
        {
            tiles.Read(i, back);
            Assert.Equal(all[i].Select(h => (float)h), back);
            for (int p = 0; p < 64; p++)
                Assert.Equal((float)all[i][p], tiles.Read(i, p));
        }
        int padded = (nonZero + 7) / 8 * 8;
        Assert.Equal(5 * padded * 2, tiles.Bytes.Payload);
        Assert.Equal(5 * 8 + 6 * 4, tiles.Bytes.Indices);
        Assert.Equal(Enumerable.Range(0, 6).Select(i => i * padded / 2), tiles.Offsets.ToArray());
    }

    [Fact] // the highest bit is the first number
    public void A_bitmap_begins_with_its_highest_bit()
    {
        var tiles = new BitmapTiles();
        var tile = new Half[64];
        tile[0] = tile[2] = Half.One;
        tiles.Add(tile);
        Assert.Equal(0b101UL << 61, tiles.Bitmaps[0]);
        Assert.Equal(8, tiles.Numbers.Length);
    }

    [Theory, InlineData(64, 0.5), InlineData(128, 0.7), InlineData(128, 0.9), InlineData(96, 0.5), InlineData(16, 0.5), InlineData(8, 0.7), InlineData(20, 0.5)]
    public void Attention_on_tiles_equals_attention_on_what_they_read_back(int width, double sparsity)
    {
        var mustafar = new Mustafar(new() { KeySparsity = sparsity, ValueSparsity = sparsity, Residual = 32 });
        var (keys, values) = (mustafar.Keys(width), mustafar.Values(width));
        foreach (var rows in new[] { keys, values })
        {
            float[] numbers = Small.Rows(300, width);
            rows.Fill(numbers.AsSpan(0, 200 * width));
            for (int t = 200; t < 300; t++)
            {
                rows.Append(numbers.AsSpan(t * width, width));
                rows.Settle();
            }
            float[] row = new float[width];
            for (int t = 0; t < 300; t++)
            {
                rows.Read(t, row);
                float[] expected = [.. numbers.Skip(t * width).Take(width).Select(v => (float)(Half)v)];
                if (t < 192 + 64) // 300 - 32 tokens left the window, in blocks of 64
                    Mustafar.Prune<float>(expected, sparsity);
                Assert.Equal(expected, row);
            }
        }
        KiviTests.AssertProducts(keys, width, sum: false);
        KiviTests.AssertProducts(values, width, dot: false);
    }

    [Fact]
    public void Nothing_pruned_is_the_full_cache_to_rounding()
    {
        using var small = new Small(headWidth: 64, layers: 2);
        int[] prompt = small.Tokens(200), next = small.Tokens(20, 2);
        float[][] full = small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next);
        Assert.InRange(Small.Distance(small.Follow(new KvPolicy(new Mustafar(new() { KeySparsity = 0, ValueSparsity = 0 })).Prefill(small.Read(prompt)), next), full), 0, 1e-5);
    }

    [Theory, InlineData(0.5), InlineData(0.7)]
    public void It_holds_as_many_bytes_as_the_formula_says(double sparsity)
    {
        var rows = new Mustafar(new() { ValueSparsity = sparsity, KeySparsity = sparsity }).Values(128);
        rows.Fill(Small.Rows(64 * 40 + 32, 128));
        var bytes = rows.Bytes;
        double dense = 2 * 64 * 40 * 128, share = (bytes.Payload + bytes.Indices) / dense;
        Assert.InRange(share, sparsity == 0.5 ? 0.64 : 0.42, sparsity == 0.5 ? 0.72 : 0.48);
    }

    [Fact]
    public void Channels_are_kept_by_their_size_times_the_queries()
    {
        float[] key = [1, -2, 3, 4];
        Mustafar.PruneByOutput<float>(key, [10, 4, 1, 1], 0.5);
        Assert.Equal([1, -2, 0, 0], key);
    }

    [Fact]
    public void Shares_that_are_none_are_refused()
    {
        Assert.Throws<InputException>(() => Mustafar.Prune<float>([1, 2], 1));
        Assert.Throws<InputException>(() => Mustafar.Prune<float>([1, 2], -0.1));
        Assert.Throws<InputException>(() => Mustafar.Prune<float>([1, 2], double.NaN));
    }
}
