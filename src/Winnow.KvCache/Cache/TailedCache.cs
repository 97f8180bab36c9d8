using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>A prompt kept in one way, and the tokens after it in half precision.</summary>
/// <param name="prompt">Takes no token.</param>
/// <param name="tail">The tokens after it.</param>
internal sealed class TailedCache(PromptCache prompt, HeadCache tail) : LayerCache
{
    public override int Count(int head) => prompt.Count + tail.Count(head);

    public override void Append(AttentionStep step, ReadOnlySpan<float> rotated) => tail.Append(step, rotated);

    public override void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
    {
        prompt.Scores(head, queries, groups, scores, stride);
        tail.Scores(head, queries, groups, scores[prompt.Count..], stride);
    }

    public override void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs)
    {
        prompt.AddWeighted(head, weights, groups, stride, outputs);
        tail.AddWeighted(head, weights[prompt.Count..], groups, stride, outputs);
    }

    public override void Settle() => tail.Settle();

    public override KvBytes Bytes => prompt.Bytes + tail.Bytes;

    public override LayerCache Clone() => new TailedCache(prompt, (HeadCache)tail.Clone());
}

/// <summary>One layer of a prompt, which no longer changes.</summary>
internal abstract class PromptCache
{
    public abstract int Count { get; }

    public abstract void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride);

    public abstract void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs);

    public abstract KvBytes Bytes { get; }
}
