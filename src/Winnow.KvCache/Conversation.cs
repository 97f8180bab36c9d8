using Winnow.Core;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>A prompt that a policy keeps, and what follows it.</summary>
/// <param name="Prompt">Tokens that are read exactly.</param>
/// <param name="Turns">Stretches of tokens given one by one.</param>
internal sealed record Conversation(int[] Prompt, IReadOnlyList<int[]> Turns)
{
    /// <summary>Whether each turn follows the prompt alone.</summary>
    public bool Requests { get; init; }

    /// <summary>The token of a turn after which its answer is expected, which is the next one; null where every token is compared.</summary>
    public int? Asked { get; init; }

    /// <summary>The cell of a needle: tokens of the context, and its depth in percent.</summary>
    public (int Length, int Depth)? Cell { get; init; }

    /// <summary>Most tokens at a time.</summary>
    public int Tokens => Prompt.Length + (Requests ? Turns.Max(t => t.Length) : Turns.Sum(t => t.Length));
}

/// <summary>The conversations of a trial, and texts like them to learn from.</summary>
internal static class Conversations
{
    public static (IReadOnlyList<Conversation> Talks, IReadOnlyList<int[]> Calibration) Of(KvTaskOptions o, bool learns, string? file, LlamaWeights weights, ITokenizer? tokenizer, Func<string, SeededRandom> random, CancellationToken cancellation)
    {
        int extra = learns ? o.Calibration : 0;
        switch (o)
        {
            case RecallOptions r:
                return ([.. Enumerable.Range(0, o.Prompts).Select(i => Asked(r, random($"recall/{i}")))],
                    [.. Enumerable.Range(0, extra).Select(i => Asked(r, random($"calibration/{i}"))).Select(t => (int[])[.. t.Prompt, .. t.Turns.SelectMany(p => p)])]);
            case NeedleOptions n:
                return ([.. from tokens in (int[])[n.Longest / 8, n.Longest / 4, n.Longest / 2, n.Longest]
                            from depth in Enumerable.Range(0, n.Depths)
                            from i in Enumerable.Range(0, o.Prompts)
                            select Needle(tokens, (double)depth / (n.Depths - 1), random($"needle/{tokens}/{depth}/{i}"))],
                    [.. Enumerable.Range(0, extra).Select(i => Needle(n.Longest, (double)i / extra, random($"calibration/{i}"))).Select(t => (int[])[.. t.Prompt, .. t.Turns[0]])]);
            default:
                var (turns, length, requests) = o is TurnsOptions t ? (t.Turns, t.TurnLength, t.Requests) : (1, ((ContinuationOptions)o).Continue, false);
                int prompt = ((KvTextOptions)o).Length;
                var texts = KvTexts.Take(file, weights, tokenizer, o.Prompts + extra, prompt + turns * length, random, cancellation);
                return ([.. texts.Take(o.Prompts).Select(text => new Conversation(text[..prompt], [.. Enumerable.Range(0, turns).Select(i => text.AsSpan(prompt + i * length, length).ToArray())]) { Requests = requests })],
                    [.. texts.Skip(o.Prompts)]);
        }
    }

    /// <summary>A context and questions about pairs of it, no pair twice; where turns follow one another, the first is announced: the prompt ends with it.</summary>
    private static Conversation Asked(RecallOptions o, SeededRandom random)
    {
        if (o.Turns > o.Pairs)
            throw InputException.At("task.turns", $"{o.Turns} questions about {o.Pairs} pairs", "no more questions than pairs", "Ask less, or say more (task.pairs).");
        var text = RecallText.Draw(random, o.Pairs + o.Noise, o.Pairs);
        RecallPair[] pairs = [.. text.Pairs];
        random.Shuffle(pairs);
        return new(o.Requests ? text.Tokens : [.. text.Tokens, .. RecallText.Question(pairs[0])], [.. pairs[..o.Turns].Select(Turn)]) { Requests = o.Requests, Asked = 1 };
    }

    private static Conversation Needle(int length, double depth, SeededRandom random)
    {
        var text = RecallText.Draw(random, Math.Max(1, (length - 1) / RecallText.SlotLength), 1, depth);
        return new(text.Tokens, [Turn(text.Pairs[0])]) { Requests = true, Asked = 1, Cell = (length, (int)Math.Round(100 * depth)) };
    }

    private static int[] Turn(RecallPair pair) => [.. RecallText.Question(pair), pair.Value];
}
