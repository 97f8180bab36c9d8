using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Winnow.Core;
using Winnow.Language;

namespace Winnow.Training;

/// <summary>
/// Learns a byte-level byte-pair encoding (Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units, ACL 2016; on bytes as GPT-2): again and again the most
/// frequent pair of neighbours within words becomes a piece; of equals, the one that is first in the order of its bytes. Cost: O(pieces · words that hold the pair).
/// </summary>
public static partial class BytePairTrainer
{
    /// <summary>The mark that begins and ends texts.</summary>
    public const string Mark = "<|text|>";

    /// <summary>Learns.</summary>
    /// <param name="texts">Texts.</param>
    /// <param name="vocabulary">Pieces in all: 256 bytes, the mark, and what is learned; fewer where texts have no more pairs.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    /// <returns>The pieces that were joined, in order, as bytes.</returns>
    /// <exception cref="InputException">No text, or fewer pieces than bytes.</exception>
    public static IReadOnlyList<(byte[] Left, byte[] Right)> Learn(IEnumerable<string> texts, int vocabulary, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (vocabulary < 257)
            throw InputException.At("vocabulary", $"{vocabulary}", "at least 257: the bytes and the mark", "Take more pieces.");
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string text in texts)
            foreach (Match word in Words().Matches(text))
                counts[word.Value] = counts.GetValueOrDefault(word.Value) + 1;
        if (counts.Count == 0)
            throw InputException.At("texts", "no word", "some text", "Give files with text in them.");
        var pieces = Enumerable.Range(0, 256).Select(b => (byte[])[(byte)b]).ToList();
        var words = counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => (Pieces: Encoding.UTF8.GetBytes(c.Key).Select(b => (int)b).ToList(), Count: c.Value)).ToList();
        var pairs = new Dictionary<(int, int), int>();
        var where = new Dictionary<(int, int), HashSet<int>>();
        for (int w = 0; w < words.Count; w++)
            Count(w, 1);
        var merges = new List<(byte[], byte[])>();
        while (pieces.Count + 1 < vocabulary)
        {
            cancellation.ThrowIfCancellationRequested();
            ((int Left, int Right) Pair, int Times) best = ((-1, -1), 1);
            foreach (var (pair, times) in pairs)
                if (times > best.Times || times == best.Times && times > 1 && Before(pair, best.Pair))
                    best = (pair, times);
            if (best.Pair.Left < 0)
                break;
            int made = pieces.Count;
            merges.Add((pieces[best.Pair.Left], pieces[best.Pair.Right]));
            pieces.Add([.. pieces[best.Pair.Left], .. pieces[best.Pair.Right]]);
            foreach (int w in where[best.Pair].ToArray())
            {
                Count(w, -1);
                var word = words[w].Pieces;
                for (int i = 0; i + 1 < word.Count; i++)
                    if (word[i] == best.Pair.Left && word[i + 1] == best.Pair.Right)
                    {
                        word[i] = made;
                        word.RemoveAt(i + 1);
                    }
                Count(w, 1);
            }
        }
        return merges;

        bool Before((int Left, int Right) a, (int Left, int Right) b) =>
            pieces[a.Left].AsSpan().SequenceCompareTo(pieces[b.Left]) is var left && left != 0 ? left < 0 : pieces[a.Right].AsSpan().SequenceCompareTo(pieces[b.Right]) < 0;

        void Count(int w, int sign)
        {
            var (word, count) = words[w];
            for (int i = 0; i + 1 < word.Count; i++)
            {
                var pair = (word[i], word[i + 1]);
                int now = pairs.GetValueOrDefault(pair) + sign * count;
                if (now == 0)
                    pairs.Remove(pair);
                else
                    pairs[pair] = now;
                if (sign > 0)
                    (where.TryGetValue(pair, out var there) ? there : where[pair] = []).Add(w);
                else if (where.TryGetValue(pair, out var had))
                    had.Remove(w);
            }
        }
    }

    /// <summary>Writes the encoding as a folder of Hugging Face has it: tokenizer.json and tokenizer_config.json.</summary>
    /// <param name="merges">From <see cref="Learn"/>.</param>
    /// <param name="folder">The folder; made if need be.</param>
    /// <returns>Tokens: bytes, pieces and the mark, which is the last.</returns>
    public static int Save(IReadOnlyList<(byte[] Left, byte[] Right)> merges, string folder)
    {
        ArgumentNullException.ThrowIfNull(merges);
        Directory.CreateDirectory(folder);
        var vocab = new JsonObject();
        for (int b = 0; b < 256; b++)
            vocab[ByteLevel.Letters([(byte)b])] = b;
        foreach (var (left, right) in merges)
            vocab[ByteLevel.Letters(left) + ByteLevel.Letters(right)] ??= vocab.Count;
        int mark = vocab.Count;
        WholeFile.Write(Path.Combine(folder, "tokenizer.json"), new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(new JsonObject { ["id"] = mark, ["content"] = Mark, ["special"] = true }),
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocab, ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)$"{ByteLevel.Letters(m.Left)} {ByteLevel.Letters(m.Right)}")]) },
        }.ToJsonString() + "\n");
        WholeFile.Write(Path.Combine(folder, "tokenizer_config.json"), new JsonObject { ["add_bos_token"] = true, ["bos_token"] = Mark, ["eos_token"] = Mark }.ToJsonString(new JsonSerializerOptions()) + "\n");
        return mark + 1;
    }

    [GeneratedRegex(ByteLevel.Pattern)]
    private static partial Regex Words();
}
