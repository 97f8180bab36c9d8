namespace Winnow.Data.Tests;

public sealed class HashedTextTests
{
    private static readonly HashedText Hashing = new(1 << 12);

    [Fact]
    public void A_row_has_length_1_and_depends_on_words_alone()
    {
        float[] row = Hashing.Row("The second invoice, of May");
        Assert.Equal(1, row.Sum(v => v * v), 1e-5);
        Assert.Equal(row, Hashing.Row("  the SECOND -- invoice (of)\tmay!"));
        Assert.NotEqual(row, Hashing.Row("the invoice second of may")); // pairs see the order
        Assert.Equal(new HashedText(1 << 12, 1).Row("a b c"), new HashedText(1 << 12, 1).Row("c a b"));
    }

    [Fact]
    public void Every_word_and_every_pair_counts_once()
    {
        // Four words and three pairs, none of which share a place: seven values of 1/sqrt(7).
        float[] row = Hashing.Row("rent office june 2031");
        Assert.Equal(7, row.Count(v => v != 0));
        Assert.All(row.Where(v => v != 0), v => Assert.Equal(1 / MathF.Sqrt(7), Math.Abs(v), 1e-6f));
    }

    [Fact]
    public void A_text_without_words_gives_zeros() => Assert.All(Hashing.Row(" -- !? "), v => Assert.Equal(0, v));

    [Fact]
    public void Places_and_signs_are_uniform()
    {
        // 100,000 words on 64 places, chi-square with 63 degrees of freedom below 120.6 (false alarm 1e-5); signs within 4.5 standard deviations (7e-6).
        var hashing = new HashedText(64, 1);
        int[] counts = new int[64];
        int plus = 0;
        for (int i = 0; i < 100_000; i++)
        {
            float[] row = hashing.Row($"w{i}");
            int place = Array.FindIndex(row, v => v != 0);
            counts[place]++;
            plus += row[place] > 0 ? 1 : 0;
        }
        double expected = 100_000 / 64.0;
        Assert.InRange(counts.Sum(c => (c - expected) * (c - expected) / expected), 0, 120.6);
        Assert.InRange(plus, 50_000 - 712, 50_000 + 712);
    }

    [Fact]
    public void The_same_text_gives_the_same_place_for_ever() =>
        Assert.Equal(Recorded, string.Join(' ', Hashing.Row("to be").Select((v, i) => (v, i)).Where(p => p.v != 0).Select(p => $"{p.i}:{Math.Sign(p.v)}")));

    private const string Recorded = "591:1 2241:1 3873:1";

    [Theory, InlineData(0), InlineData(100), InlineData(1)]
    public void A_width_that_is_no_power_of_two_is_refused(int width) =>
        Assert.Contains("power of two", Assert.Throws<ArgumentException>(() => new HashedText(width)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_row_of_another_width_is_refused() => Assert.Throws<ArgumentException>(() => Hashing.Write("a", new float[5]));
}
