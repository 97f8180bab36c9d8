using Winnow.Core;
using Winnow.Language;

namespace Winnow.KvCache.Tests;

/// <summary>A small model of random weights, large enough for its distributions to differ, and prompts for it.</summary>
internal sealed class Small : IDisposable
{
    public Small(int heads = 4, int keyHeads = 2, int headWidth = 16, int layers = 4, int context = 400, ulong seed = 1, double scale = 12, int vocabulary = 97)
    {
        Shape = new() { Width = heads * headWidth, Hidden = 48, Layers = layers, Heads = heads, KeyValueHeads = keyHeads, HeadWidth = headWidth, Vocabulary = vocabulary, Context = context };
        var plain = LlamaWeights.Random(Shape, new SeededRandom(seed, "model"));
        // queries and keys far enough from zero that attention is not flat
        Weights = plain with { Layers = [.. plain.Layers.Select(l => l with { AttentionNorm = [.. l.AttentionNorm.Select(a => (float)(a * scale))] })] };
        Rotary = new(Shape, context);
        Session = new(Weights);
    }

    public LlamaShape Shape { get; }

    public LlamaWeights Weights { get; }

    public RotaryTable Rotary { get; }

    public LlamaSession Session { get; }

    public int[] Tokens(int count, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "tokens");
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Shape.Vocabulary))];
    }

    public Prompt Read(ReadOnlySpan<int> tokens)
    {
        Session.Rewind(0);
        return Prompt.Read(Session, Shape, tokens, Rotary, TestContext.Current.CancellationToken);
    }

    /// <summary>Logits after each of the tokens that follow a prompt, with a cache.</summary>
    public float[][] Follow(KvCacheStore cache, ReadOnlySpan<int> tokens)
    {
        int first = cache.Seen;
        var logits = new float[tokens.Length][];
        for (int i = 0; i < tokens.Length; i++)
            logits[i] = Session.Step(tokens[i], first + i, cache).ToArray();
        return logits;
    }

    /// <summary>The same from the session's own float32 cache.</summary>
    public float[][] Exactly(ReadOnlySpan<int> prompt, ReadOnlySpan<int> tokens)
    {
        Session.Rewind(0);
        Session.Read(prompt);
        var logits = new float[tokens.Length][];
        for (int i = 0; i < tokens.Length; i++)
            logits[i] = Session.Read(tokens.Slice(i, 1)).ToArray();
        return logits;
    }

    public static double Distance(float[][] a, float[][] b) =>
        Math.Sqrt(a.Zip(b).Sum(p => p.First.Zip(p.Second).Sum(q => Math.Pow(q.First - q.Second, 2))) / b.Sum(r => r.Sum(v => (double)v * v)));

    /// <summary>Rows of numbers [count, width], with some channels ten times as large, as keys have.</summary>
    public static float[] Rows(int count, int width, ulong seed = 1, bool outliers = true)
    {
        var random = new SeededRandom(seed, "rows");
        return [.. Enumerable.Range(0, count * width).Select(i => (float)(random.NextNormal() * (outliers && i % width % 7 == 3 ? 10 : 1)))];
    }

    public void Dispose()
    {
        Session.Dispose();
        Weights.Dispose();
    }
}
