using System.Numerics.Tensors;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>What one layer keeps of a text, and how attention reads it. A key-value head is read by one thread at a time.</summary>
public abstract class LayerCache
{
    /// <summary>Entries of a key-value head.</summary>
    public abstract int Count(int head);

    /// <summary>Takes a token, exact until the next <see cref="Settle"/>.</summary>
    /// <param name="step">The token.</param>
    /// <param name="rotated">Its keys, rotated [key-value heads · head width].</param>
    public abstract void Append(AttentionStep step, ReadOnlySpan<float> rotated);

    /// <summary>Logits of some queries of one key-value head: <c>scores[g · stride + i]</c>.</summary>
    /// <param name="head">The key-value head.</param>
    /// <param name="queries">Rotated and scaled [groups, head width].</param>
    /// <param name="groups">Queries.</param>
    /// <param name="scores">Room for them.</param>
    /// <param name="stride">Numbers from one query's logits to the next one's.</param>
    public abstract void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride);

    /// <summary>Adds the weighted values.</summary>
    public abstract void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs);

    /// <summary>Called after attention has gone to a token.</summary>
    public abstract void Settle();

    /// <summary>Takes an entry of every head out.</summary>
    public virtual void Remove(int index) => throw new NotSupportedException("Entries stored so cannot be taken out.");

    /// <summary>The bytes it holds; what several layers share is counted by the first of them.</summary>
    public abstract KvBytes Bytes { get; }

    /// <summary>A copy that shares nothing that changes.</summary>
    public abstract LayerCache Clone();
}

/// <summary>A layer that keeps the keys and values of each head as rows.</summary>
internal sealed class HeadCache : LayerCache
{
    private readonly int _width;
    private readonly IRows[] _keys, _values;
    private readonly float[]?[] _mass;

    public HeadCache(int heads, int width, IEncoder encoder) : this(width, [.. Enumerable.Range(0, heads).Select(_ => encoder.Keys(width))], [.. Enumerable.Range(0, heads).Select(_ => encoder.Values(width))], new float[heads][])
    {
    }

    private HeadCache(int width, IRows[] keys, IRows[] values, float[]?[] mass) => (_width, _keys, _values, _mass) = (width, keys, values, mass);

    /// <summary>The heads of a prompt, for an encoder that may look at its queries.</summary>
    public static HeadCache Of(Prompt prompt, int layer, IEncoder encoder)
    {
        int heads = prompt.Shape.KeyValueHeads, d = prompt.Shape.HeadWidth;
        return new(d, [.. Enumerable.Range(0, heads).Select(h => encoder is IQueryAware aware ? aware.Keys(d, prompt.QueryMagnitude(layer, h, LastQueries)) : encoder.Keys(d))],
            [.. Enumerable.Range(0, heads).Select(_ => encoder.Values(d))], new float[heads][]);
    }

    private const int LastQueries = 32;

    public void Fill(int head, HeadEntries entries)
    {
        _keys[head].Fill(entries.Keys);
        _values[head].Fill(entries.Values);
        _mass[head] = entries.LogMass;
    }

    public override int Count(int head) => _keys[head].Count;

    public override void Append(AttentionStep step, ReadOnlySpan<float> rotated)
    {
        for (int h = 0; h < _keys.Length; h++)
        {
            _keys[h].Append(rotated.Slice(h * _width, _width));
            _values[h].Append(step.Values.Slice(h * _width, _width));
        }
    }

    public override void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
    {
        _keys[head].Dot(queries, groups, scores, stride);
        if (_mass[head] is { } mass)
            for (int g = 0; g < groups; g++)
                TensorPrimitives.Add(scores.Slice(g * stride, mass.Length), mass, scores.Slice(g * stride, mass.Length));
    }

    public override void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs) => _values[head].AddWeighted(weights, groups, stride, outputs);

    public override void Settle()
    {
        for (int h = 0; h < _keys.Length; h++)
        {
            _keys[h].Settle();
            _values[h].Settle();
        }
    }

    public override void Remove(int index)
    {
        for (int h = 0; h < _keys.Length; h++)
        {
            _keys[h].Remove(index);
            _values[h].Remove(index);
        }
    }

    public override KvBytes Bytes => _keys.Concat(_values).Aggregate(new KvBytes(0, Indices: _mass.Sum(m => (m?.LongLength ?? 0) * sizeof(float))), (sum, rows) => sum + rows.Bytes);

    public override LayerCache Clone() => new HeadCache(_width, [.. _keys.Select(k => k.Clone())], [.. _values.Select(v => v.Clone())], _mass);
}
