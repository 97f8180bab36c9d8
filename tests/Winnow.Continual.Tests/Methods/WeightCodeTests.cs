using Winnow.Core;

namespace Winnow.Continual.Tests;

public sealed class WeightCodeTests
{
    [Fact]
    public void Rounding_errs_by_half_a_step_at_most_and_keeps_the_ends()
    {
        var random = new SeededRandom(1, "weights");
        float[] values = [.. Enumerable.Range(0, 1000).Select(_ => (float)random.NextNormal())];
        var (levels, decoded) = WeightCode.Quantise(values, 8);
        double step = (values.Max() - values.Min()) / 255.0;
        Assert.All(levels, l => Assert.InRange(l, 0, 255));
        Assert.All(values.Zip(decoded), p => Assert.InRange(Math.Abs(p.First - p.Second), 0, step / 2 + 1e-6));
        Assert.Equal((values.Min(), values.Max()), (decoded.Min(), decoded.Max()));
        Assert.Equal([5f, 5f], WeightCode.Quantise([5, 5], 8).Values);
    }

    [Theory] // by hand: words of 1, 2 and 2 bits; one bit; as many bits as levels of a full tree
    [InlineData(new long[] { 2, 1, 1 }, 2 + 2 + 2), InlineData(new long[] { 7, 0 }, 7), InlineData(new long[] { 3, 3, 3, 3 }, 24), InlineData(new long[] { }, 0)]
    public void Huffman_words_are_as_long_as_by_hand(long[] counts, long bits) => Assert.Equal(bits, WeightCode.HuffmanBits(counts));

    [Fact]
    public void A_Huffman_code_lies_within_a_bit_a_symbol_of_the_entropy()
    {
        var random = new SeededRandom(1, "counts");
        long[] counts = [.. Enumerable.Range(0, 200).Select(_ => (long)random.Next(1, 1000))];
        double n = counts.Sum(), entropy = counts.Sum(c => -c * Math.Log2(c / n));
        Assert.InRange(WeightCode.HuffmanBits(counts), entropy, entropy + n);
    }

    [Fact]
    public void A_mask_takes_its_binary_entropy()
    {
        Assert.Equal(100, WeightCode.MaskBits(50, 100), 9);
        Assert.Equal(0, WeightCode.MaskBits(0, 100));
        Assert.Equal(0, WeightCode.MaskBits(100, 100));
    }
}
