using Winnow.Core;

namespace Winnow.Language.Tests;

public sealed class RecallTextTests
{
    [Fact]
    public void A_context_says_each_pair_once_and_no_key_twice()
    {
        var text = RecallText.Draw(new SeededRandom(1, "test"), slots: 100, pairs: 60);
        Assert.Equal((1 + 200, 60, 60), (text.Tokens.Length, text.Pairs.Count, text.Pairs.DistinctBy(p => p.Key).Count()));
        Assert.All(text.Tokens, t => Assert.InRange(t, 0, RecallText.Vocabulary - 1));
        int before = 0;
        foreach (var pair in text.Pairs)
        {
            int at = Array.IndexOf(text.Tokens, pair.Key);
            Assert.Equal((pair.Value, 1), (text.Tokens[at + 1], text.Tokens.Count(t => t == pair.Key)));
            Assert.True(at > before, "not in their order");
            before = at;
        }
    }

    [Theory, InlineData(0, 1), InlineData(0.5, 51), InlineData(1, 101)]
    public void A_single_pair_stands_at_its_depth(double depth, int at)
    {
        var text = RecallText.Draw(new SeededRandom(1, "test"), slots: 51, pairs: 1, depth);
        Assert.Equal(at, Array.IndexOf(text.Tokens, text.Pairs[0].Key));
    }

    [Fact]
    public void What_cannot_be_drawn_is_refused()
    {
        foreach (var (slots, pairs, depth) in new (int, int, double?)[] { (5, 6, null), (5, 0, null), (200, RecallText.Keys + 1, null), (5, 2, 0.5), (5, 1, 1.5), (5, 1, double.NaN) })
            Assert.Throws<ArgumentException>(() => RecallText.Draw(new SeededRandom(1, "test"), slots, pairs, depth));
    }

    [Fact]
    public void No_word_is_a_part_of_another()
    {
        string[] words = RecallText.Write(Enumerable.Range(0, RecallText.Vocabulary)).Split(' ');
        Assert.Equal(RecallText.Vocabulary, words.Distinct().Count());
        Assert.All(words, a => Assert.All(words, b => Assert.True(a == b || !a.Contains(b, StringComparison.Ordinal))));
    }
}
