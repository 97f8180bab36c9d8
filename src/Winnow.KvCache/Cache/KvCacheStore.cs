using System.Numerics.Tensors;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.KvCache;

/// <summary>
/// A prompt as a policy keeps it, and the tokens after it: give it to <see cref="LlamaSession.Step"/>. One softmax goes over all that is kept. In steady state a step
/// allocates nothing but what its entries need. Not for several threads at once.
/// </summary>
public sealed unsafe class KvCacheStore : IAttentionCache
{
    private readonly LayerCache[] _layers;
    private readonly Selection _selection;
    private readonly Crew? _crew;
    private readonly RotaryTable _rotary;
    private readonly LlamaShape _shape;
    private readonly float[] _rotated;
    private readonly float[] _queries;
    private float[] _scores;
    private int _seen;

    internal KvCacheStore(Prompt prompt, LayerCache[] layers, Selection selection, Crew? crew)
        : this(prompt.Shape, prompt.Rotary, layers, selection, crew) => _seen = prompt.Count;

    private KvCacheStore(LlamaShape shape, RotaryTable rotary, LayerCache[] layers, Selection selection, Crew? crew)
    {
        (_shape, _rotary, _layers, _selection, _crew) = (shape, rotary, layers, selection, crew);
        _rotated = new float[shape.KeyValueHeads * shape.HeadWidth];
        (_queries, _scores) = (new float[shape.Heads * shape.HeadWidth], []);
    }

    /// <summary>What each layer keeps.</summary>
    internal IReadOnlyList<LayerCache> Layers => _layers;

    /// <summary>Tokens read, kept or not.</summary>
    public int Seen => _seen;

    /// <summary>The bytes it holds.</summary>
    public KvBytes Bytes => _layers.Aggregate(default(KvBytes), (sum, layer) => sum + layer.Bytes);

    /// <summary>Bytes of all tokens read so far in half precision.</summary>
    public long FullBytes => 2L * 2 * _shape.Layers * _shape.KeyValueHeads * _shape.HeadWidth * _seen;

    /// <summary>Entries of a key-value head.</summary>
    public int Count(int layer, int head) => _layers[layer].Count(head);

    /// <summary>The tokens of the prompt that were selected. For reports: no part of the cache.</summary>
    public IReadOnlyList<int> Selected(int layer, int head) => _selection.Kept[layer][head];

    /// <inheritdoc/>
    public void Attend(AttentionStep step, Span<float> output)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(step.Count, 1);
        var cache = _layers[step.Layer];
        int d = _shape.HeadWidth;
        step.Keys.CopyTo(_rotated);
        for (int h = 0; h < _shape.KeyValueHeads; h++)
            _rotary.Turn(_rotated.AsSpan(h * d, d), step.Position);
        cache.Append(step, _rotated);
        TensorPrimitives.Multiply(step.Queries, 1 / MathF.Sqrt(d), _queries);
        int most = 0;
        for (int h = 0; h < _shape.KeyValueHeads; h++)
            most = Math.Max(most, cache.Count(h));
        if (_scores.Length < (long)most * _shape.Heads)
            _scores = new float[(most + most / 8 + 64) * _shape.Heads];
        output.Clear();
        fixed (float* to = output)
        {
            var job = new Job(this, cache, to, most);
            if (_crew is { Size: > 1 })
                _crew.Run(in job, static (in Job j, int worker, int workers) => j.Do(worker, workers));
            else
                job.Do(0, 1);
        }
        cache.Settle();
        if (step.Layer == _shape.Layers - 1)
            _seen++;
        if (_selection.Evict?.Invoke(step.Layer, cache.Count(0), step.Position + 1) is { } index and >= 0)
            cache.Remove(index);
    }

    private readonly struct Job(KvCacheStore store, LayerCache cache, float* output, int most)
    {
        public void Do(int worker, int workers)
        {
            var shape = store._shape;
            int d = shape.HeadWidth, group = shape.GroupSize;
            for (int h = worker; h < shape.KeyValueHeads; h += workers)
            {
                int count = cache.Count(h);
                var scores = store._scores.AsSpan(h * group * most, group * most);
                var queries = store._queries.AsSpan(h * group * d, group * d);
                cache.Scores(h, queries, group, scores, most);
                for (int g = 0; g < group; g++)
                    Softmax.Over(scores.Slice(g * most, count));
                cache.AddWeighted(h, scores, group, most, new(output + h * group * d, group * d));
            }
        }
    }

    /// <summary>A copy with which another text goes on: neither changes the other.</summary>
    public KvCacheStore Clone() => new(_shape, _rotary, Copies(), _selection, _crew) { _seen = _seen };

    private LayerCache[] Copies()
    {
        var copies = new LayerCache[_layers.Length];
        for (int l = 0; l < copies.Length; l++)
            copies[l] = _layers[l].Clone();
        return copies;
    }
}
