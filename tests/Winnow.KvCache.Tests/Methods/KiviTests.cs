using CsCheck;
using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class KiviTests
{
    private static IRows Filled(IRows rows, float[] numbers, int width, int prefill)
    {
        rows.Fill(numbers.AsSpan(0, prefill * width));
        rows.Settle();
        for (int t = prefill; t < numbers.Length / width; t++)
        {
            rows.Append(numbers.AsSpan(t * width, width));
            rows.Settle();
        }
        return rows;
    }

    [Theory, InlineData(2), InlineData(4), InlineData(8)]
    public void Packing_and_unpacking_gives_every_code_back(int bits) => Gen.Byte[0, (byte)((1 << bits) - 1)].Array[0, 70].Sample(codes =>
    {
        byte[] packed = new byte[PackedCodes.Bytes(codes.Length, bits)], back = new byte[codes.Length];
        PackedCodes.Pack(codes, bits, packed);
        PackedCodes.Unpack(packed, bits, back);
        Assert.Equal(codes, back);
        byte[] top = [.. codes.Select(_ => (byte)((1 << bits) - 1))];
        PackedCodes.Pack(top, bits, packed);
        PackedCodes.Unpack(packed, bits, back);
        Assert.Equal(top, back);
    }, seed: "0000KOIKKiB1", iter: 200);

    [Theory, InlineData(2), InlineData(4), InlineData(8)]
    public unsafe void Products_with_packed_codes_equal_those_code_by_code(int bits)
    {
        var random = new SeededRandom(3, "codes");
        foreach (int count in (int[])[1, 7, 8, 31, 32, 40, 64, 77, 128])
        {
            int rows = 37, stride = PackedCodes.Bytes(count, bits) + 5;
            byte[] codes = new byte[rows * stride + 32];
            random.NextBytes(codes);
            float[] weights = [.. Enumerable.Range(0, rows).Select(_ => (float)random.NextNormal())], fast = new float[count], slow = new float[count];
            fixed (byte* c = codes)
            fixed (float* w = weights, f = fast, s = slow)
            {
                PackedCodes.AddRows(c, stride, rows, w, f, count, bits);
                PackedCodes.Scalar(c, stride, rows, w, s, 0, count, bits);
            }
            for (int i = 0; i < count; i++)
                Assert.Equal(slow[i], fast[i], 1e-5 * (1 << bits) * 37);
        }
    }

    [Fact]
    public void The_error_is_at_most_half_a_step_and_the_ends_are_exact() => Gen.Double[-50, 50].Array[2, 40].Sample(group =>
    {
        foreach (int bits in (int[])[2, 4, 8])
        {
            byte[] codes = new byte[group.Length];
            var (scale, min) = Kivi.Quantise<double>(group, bits, codes);
            for (int i = 0; i < group.Length; i++)
                Assert.True(Math.Abs(codes[i] * scale + min - group[i]) <= scale / 2 * (1 + 1e-9));
            Assert.Equal(0, codes[Array.IndexOf(group, group.Min())]);
            if (group.Max() > group.Min())
                Assert.Equal((1 << bits) - 1, codes[Array.IndexOf(group, group.Max())]);
        }
    }, seed: "0000KOIKKiB1", iter: 300);

    [Fact]
    public void A_constant_group_is_exact()
    {
        byte[] codes = [9, 9, 9];
        Assert.Equal((0.0, 2.5), Kivi.Quantise<double>([2.5, 2.5, 2.5], 2, codes));
        Assert.Equal([0, 0, 0], codes);
    }

    [Fact] // a·x + c with a > 0: the same codes
    public void Codes_do_not_change_when_numbers_are_scaled_and_shifted()
    {
        double[] x = [.. Small.Rows(32, 1).Select(v => (double)v)];
        byte[] plain = new byte[32], moved = new byte[32];
        Kivi.Quantise<double>(x, 4, plain);
        Kivi.Quantise<double>([.. x.Select(v => 8 * v + 4)], 4, moved);
        Assert.Equal(plain, moved);
    }

    [Fact] // keys leave in blocks, values one by one, however a text is split into prompt and generated tokens
    public void The_windows_are_as_long_as_the_rule_says_for_any_split()
    {
        const int Width = 16, Residual = 16;
        var kivi = new Kivi(new() { GroupSize = 8, Residual = Residual, Bits = 4 });
        float[] numbers = Small.Rows(75, Width);
        foreach (int total in (int[])[1, 15, 16, 17, 40, 48, 75])
            foreach (int prefill in new[] { 1, 7, 16, 33, total }.Where(p => p <= total))
            {
                var keys = Filled(kivi.Keys(Width), numbers[..(total * Width)], Width, prefill);
                var values = Filled(kivi.Values(Width), numbers[..(total * Width)], Width, prefill);
                Assert.Equal(2L * Width * (total % Residual), keys.Bytes.Windows);
                Assert.Equal(2L * Width * Math.Min(Residual, total), values.Bytes.Windows);
                Assert.Equal((total, total), (keys.Count, values.Count));
            }
    }

    [Fact]
    public void Stored_while_generating_equals_stored_from_a_prompt()
    {
        const int Width = 16;
        var kivi = new Kivi(new() { GroupSize = 8, Residual = 16 });
        float[] numbers = Small.Rows(64, Width), a = new float[Width], b = new float[Width];
        foreach (Func<int, IRows> make in (Func<int, IRows>[])[kivi.Keys, kivi.Values])
        {
            var (slow, fast) = (Filled(make(Width), numbers, Width, 1), Filled(make(Width), numbers, Width, 64));
            for (int t = 0; t < 64; t++)
            {
                slow.Read(t, a);
                fast.Read(t, b);
                Assert.Equal(b, a);
            }
        }
    }

    [Fact] // public ports flushed keys one by one: each group then has one number, which is exact
    public void Keys_quantised_while_generating_are_not_exact()
    {
        var keys = Filled(new Kivi(new() { GroupSize = 8, Residual = 16 }).Keys(16), Small.Rows(64, 16), 16, 1);
        float[] row = new float[16], rows = Small.Rows(64, 16);
        double error = 0;
        for (int t = 0; t < 64; t++)
        {
            keys.Read(t, row);
            error += row.Zip(rows.Skip(t * 16)).Sum(p => Math.Abs(p.First - p.Second));
        }
        Assert.True(error > 1);
    }

    [Fact]
    public void With_a_window_as_long_as_the_text_it_is_the_full_cache()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(60), next = small.Tokens(30, 2);
        float[][] full = small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next);
        Assert.Equal(full, small.Follow(new KvPolicy(new Kivi(new() { GroupSize = 32, Residual = 128 })).Prefill(small.Read(prompt)), next));
    }

    [Theory, InlineData(2, 8), InlineData(4, 16), InlineData(8, 16)]
    public void Attention_on_packed_rows_equals_attention_on_what_they_read_back(int bits, int group)
    {
        const int Width = 48;
        var kivi = new Kivi(new() { Bits = bits, GroupSize = group, Residual = 2 * group });
        float[] numbers = Small.Rows(150, Width);
        AssertProducts(Filled(kivi.Keys(Width), numbers, Width, 101), Width);
        AssertProducts(Filled(kivi.Values(Width), numbers, Width, 101), Width);
    }

    /// <summary>Both products of rows, against those with every row read back.</summary>
    internal static void AssertProducts(IRows rows, int width, bool dot = true, bool sum = true)
    {
        const int Groups = 3;
        float[] q = Small.Rows(Groups, width, 5, outliers: false), p = [.. Small.Rows(Groups, rows.Count, 6, outliers: false).Select(v => Math.Abs(v) / rows.Count)], row = new float[width];
        float[] scores = new float[Groups * rows.Count], sums = new float[Groups * width];
        double[] exactScores = new double[scores.Length], exactSums = new double[sums.Length];
        for (int t = 0; t < rows.Count; t++)
        {
            rows.Read(t, row);
            for (int g = 0; g < Groups; g++)
                for (int c = 0; c < width; c++)
                {
                    exactScores[g * rows.Count + t] += (double)q[g * width + c] * row[c];
                    exactSums[g * width + c] += (double)p[g * rows.Count + t] * row[c];
                }
        }
        if (dot)
        {
            rows.Dot(q, Groups, scores, rows.Count);
            for (int i = 0; i < scores.Length; i++)
                Assert.Equal(exactScores[i], scores[i], 1e-4 * Math.Max(1, Math.Abs(exactScores[i])));
        }
        if (sum)
        {
            rows.AddWeighted(p, Groups, rows.Count, sums);
            for (int i = 0; i < sums.Length; i++)
                Assert.Equal(exactSums[i], sums[i], 1e-4 * Math.Max(1, Math.Abs(exactSums[i])));
        }
    }

    [Fact] // bits + 32 / group size for keys; values the same where a group is a part of a head
    public void It_holds_as_many_bits_as_the_formula_says()
    {
        var kivi = new Kivi(new() { Bits = 2, GroupSize = 32, Residual = 128 });
        foreach (var rows in new[] { kivi.Keys(128), kivi.Values(128) })
        {
            rows.Fill(Small.Rows(128 * 20, 128));
            var bytes = rows.Bytes;
            long quantised = 128 * 128L * 20 - bytes.Windows / 2;
            Assert.Equal(3.0, 8.0 * (bytes.Payload + bytes.Scales) / quantised, 12);
            Assert.InRange(bytes.Padding, 0, bytes.Total / 8);
        }
    }

    [Fact] // channels that are larger than others are what the axes are for
    public void Keys_with_large_channels_are_nearer_by_channel_than_by_token()
    {
        float[] numbers = Small.Rows(256, 32);
        double right = Error(new Kivi(new() { Residual = 32 }).Keys(32)), wrong = Error(new Kivi(new() { Residual = 32, Swapped = true }).Keys(32));
        Assert.True(right < 0.7 * wrong, FormattableString.Invariant($"{right} and {wrong}"));

        double Error(IRows rows)
        {
            rows.Fill(numbers);
            float[] row = new float[32];
            double sum = 0;
            for (int t = 0; t < 256; t++)
            {
                rows.Read(t, row);
                sum += row.Zip(numbers.Skip(t * 32)).Sum(p => Math.Pow(p.First - p.Second, 2));
            }
            return sum;
        }
    }

    [Fact]
    public void Windows_that_are_no_whole_groups_and_groups_that_are_no_whole_bytes_are_refused()
    {
        Assert.Contains("multiple of the group size", Assert.Throws<InputException>(() => new Kivi(new() { GroupSize = 32, Residual = 48 })).Message, StringComparison.Ordinal);
        Assert.Contains("whole bytes", Assert.Throws<InputException>(() => new Kivi(new() { GroupSize = 6, Residual = 48 })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => PackedCodes.Pack([0], 3, new byte[1]));
    }
}
