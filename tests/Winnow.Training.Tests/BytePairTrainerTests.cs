using System.Text;
using Winnow.Core;
using Winnow.Language;

namespace Winnow.Training.Tests;

public sealed class BytePairTrainerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-bpe").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string[] Pieces(IReadOnlyList<(byte[] Left, byte[] Right)> merges) => [.. merges.Select(m => Encoding.UTF8.GetString([.. m.Left, .. m.Right]))];

    [Fact] // counted by hand: "ab" 4 times, then "abc" 3 times; of equals the first in the order of bytes
    public void The_most_frequent_pair_becomes_a_piece_each_time() =>
        Assert.Equal(["ab", "abc"], Pieces(BytePairTrainer.Learn(["abc", "abc", "abc", "abd"], 300, TestContext.Current.CancellationToken))[..2]);

    [Fact] // a naive twin that counts everything anew
    public void Pairs_are_counted_as_if_anew_each_time()
    {
        string text = "the cat sat on the mat, the rat ate the cat; aaaa aaa aa a that hat bat";
        var learned = BytePairTrainer.Learn([text], 290, TestContext.Current.CancellationToken);
        var words = System.Text.RegularExpressions.Regex.Matches(text, @" ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+").Select(m => m.Value.Select(c => c.ToString()).ToList()).ToList();
        foreach (var (left, right) in learned)
        {
            var counts = words.SelectMany(w => w.Zip(w.Skip(1))).GroupBy(p => p).ToDictionary(g => g.Key, g => g.Count());
            int most = counts.Values.Max();
            var first = counts.Where(c => c.Value == most).Select(c => c.Key).OrderBy(p => p.First, StringComparer.Ordinal).ThenBy(p => p.Second, StringComparer.Ordinal).First();
            Assert.Equal(first, (Encoding.UTF8.GetString(left), Encoding.UTF8.GetString(right)));
            foreach (var word in words)
                for (int i = 0; i + 1 < word.Count; i++)
                    if (word[i] == first.First && word[i + 1] == first.Second)
                    {
                        word[i] += word[i + 1];
                        word.RemoveAt(i + 1);
                    }
        }
        Assert.InRange(learned.Count, 6, 40);
    }

    [Fact]
    public void What_is_saved_reads_as_a_tokeniser_that_gives_every_text_back()
    {
        string text = "Once upon a time, there was a naïve café — 中文 too.\n\tTwo  spaces, 42 numbers, and it's done.";
        int count = BytePairTrainer.Save(BytePairTrainer.Learn([text, text], 320, TestContext.Current.CancellationToken), _folder);
        var tokenizer = HuggingFaceTokenizer.Load(_folder, count);
        Assert.Equal((count - 1, count - 1), (tokenizer.Begin!.Value, tokenizer.Ends.Single()));
        foreach (string t in new[] { text, "never seen: Ω", "" })
        {
            var tokens = tokenizer.Encode(t);
            Assert.Equal(t, Encoding.UTF8.GetString([.. tokens.SelectMany(k => tokenizer.Bytes(k, false).ToArray())]));
        }
        Assert.True(tokenizer.Encode(text).Count < Encoding.UTF8.GetByteCount(text));
        Assert.Equal(count - 1, tokenizer.Mark(BytePairTrainer.Mark));
    }

    [Fact]
    public void Texts_without_words_and_vocabularies_smaller_than_bytes_are_refused()
    {
        Assert.Throws<InputException>(() => BytePairTrainer.Learn([""], 300, TestContext.Current.CancellationToken));
        Assert.Throws<InputException>(() => BytePairTrainer.Learn(["abc"], 256, TestContext.Current.CancellationToken));
        Assert.Empty(BytePairTrainer.Learn(["abc"], 1000, TestContext.Current.CancellationToken)); // no pair twice
    }
}
