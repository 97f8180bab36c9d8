using Winnow.Core;

namespace Winnow.Language;

/// <summary>
/// A made language that asks for what it said: pairs of a key and a value, among noise, and later the mark that asks and a key, whose value is the answer.
/// What a model that has learned it forgets, its cache has lost.
/// <code>
/// var text = RecallText.Draw(new SeededRandom(1, "text"), slots: 48, pairs: 48);
/// int[] question = RecallText.Question(text.Pairs[0]); // the answer: text.Pairs[0].Value
/// </code>
/// </summary>
/// <param name="Tokens">The context: the mark of its beginning, then slots of two tokens.</param>
/// <param name="Pairs">What it says, in the order in which it says it; no key twice.</param>
public sealed record RecallText(int[] Tokens, IReadOnlyList<RecallPair> Pairs)
{
    /// <summary>Different keys, values and tokens of noise.</summary>
    public const int Keys = 128, Values = 64, Noise = 62;

    /// <summary>Tokens of a slot: a key and its value, or noise.</summary>
    public const int SlotLength = 2;

    /// <summary>The mark that begins a text and the one that asks.</summary>
    public const int Begin = 0, Ask = 1;

    /// <summary>All tokens.</summary>
    public const int Vocabulary = 2 + Keys + Values + Noise;

    private const int FirstKey = 2, FirstValue = FirstKey + Keys, FirstNoise = FirstValue + Values;

    /// <summary>Draws a context.</summary>
    /// <param name="random">Where it comes from.</param>
    /// <param name="slots">Slots in all.</param>
    /// <param name="pairs">Those that hold a pair; the rest is noise.</param>
    /// <param name="depth">Where a single pair stands, from 0, the beginning, to 1, the end; null for anywhere.</param>
    /// <exception cref="ArgumentException">More pairs than slots or keys, none, or a depth with several.</exception>
    public static RecallText Draw(SeededRandom random, int slots, int pairs, double? depth = null)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (pairs < 1 || pairs > slots || pairs > Keys || depth is not null && (pairs != 1 || !(depth >= 0 && depth <= 1)))
            throw new ArgumentException($"{pairs} pairs in {slots} slots at depth {depth}; expected 1 to {Keys}, no more than slots, and a depth from 0 to 1 for one alone", nameof(pairs));
        int[] keys = [.. Enumerable.Range(FirstKey, Keys)];
        random.Shuffle(keys);
        var holds = new bool[slots];
        Array.Fill(holds, true, 0, pairs);
        if (depth is { } at)
            (holds[0], holds[(int)Math.Round(at * (slots - 1))]) = (false, true);
        else
            random.Shuffle(holds);
        var said = new List<RecallPair>(pairs);
        var tokens = new List<int>(1 + slots * SlotLength) { Begin };
        foreach (bool pair in holds)
        {
            if (pair)
                said.Add(new(keys[said.Count], FirstValue + random.Next(Values)));
            tokens.AddRange(pair ? [said[^1].Key, said[^1].Value] : [FirstNoise + random.Next(Noise), FirstNoise + random.Next(Noise)]);
        }
        return new([.. tokens], said);
    }

    /// <summary>What asks for the value of a pair: two tokens.</summary>
    public static int[] Question(RecallPair pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        return [Ask, pair.Key];
    }

    /// <summary>Tokens as words, none of which is a part of another.</summary>
    public static string Write(IEnumerable<int> tokens) => string.Join(' ', tokens.Select(t => t switch
    {
        Begin => "<",
        Ask => "?",
        < FirstValue => $"k{t - FirstKey:D3}",
        < FirstNoise => $"v{t - FirstValue:D3}",
        _ => $"n{t - FirstNoise:D3}",
    }));
}

/// <summary>A key and its value.</summary>
/// <param name="Key">A token.</param>
/// <param name="Value">A token.</param>
public sealed record RecallPair(int Key, int Value);
