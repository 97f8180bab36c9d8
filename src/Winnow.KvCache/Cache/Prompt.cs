using System.Numerics.Tensors;
using Winnow.Core;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>
/// All that attention was given while a prompt was read: what a policy decides from. Memory: layers · tokens · (width + heads · head width + 2 · key-value heads · head width) numbers.
/// </summary>
public sealed class Prompt : IAttentionObserver
{
    /// <summary>The largest number of half precision.</summary>
    private const float Largest = 65504;

    private readonly float[][] _inputs, _queries, _keys, _values;
    private readonly float[]?[][] _rotated;
    private readonly int[] _read;
    private (int Layer, int Last, float[][] Sums)? _latest; // whoever asks head by head asks for the same again

    /// <summary>An empty prompt: read it with <see cref="LlamaSession.Read(ReadOnlySpan{int}, IAttentionObserver, CancellationToken)"/>.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="count">Tokens.</param>
    /// <param name="rotary">Rotations of all positions, those after the prompt as well.</param>
    public Prompt(LlamaShape shape, int count, RotaryTable rotary)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(rotary);
        if (count < 1)
            throw InputException.At("prompt", "no token", "at least one", "Begin with the token that begins texts.");
        (Shape, Count, Rotary) = (shape, count, rotary);
        _inputs = Room(shape.Width);
        _queries = Room(shape.Heads * shape.HeadWidth);
        _keys = Room(shape.KeyValueHeads * shape.HeadWidth);
        _values = Room(shape.KeyValueHeads * shape.HeadWidth);
        _rotated = [.. Enumerable.Range(0, shape.Layers).Select(_ => new float[shape.KeyValueHeads][])];
        _read = new int[shape.Layers];

        float[][] Room(int width) => [.. Enumerable.Range(0, shape.Layers).Select(_ => new float[count * width])];
    }

    /// <summary>The model.</summary>
    public LlamaShape Shape { get; }

    /// <summary>Tokens.</summary>
    public int Count { get; }

    /// <summary>Rotations of positions.</summary>
    public RotaryTable Rotary { get; }

    /// <summary>Reads a prompt in a new session's way.</summary>
    /// <param name="session">At position 0; it goes on after the prompt.</param>
    /// <param name="shape">The session's model.</param>
    /// <param name="tokens">The prompt.</param>
    /// <param name="rotary">Rotations of all positions, those after the prompt as well.</param>
    /// <param name="cancellation">Stops.</param>
    public static Prompt Read(LlamaSession session, LlamaShape shape, ReadOnlySpan<int> tokens, RotaryTable rotary, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentOutOfRangeException.ThrowIfNotEqual(session.Position, 0);
        var prompt = new Prompt(shape, tokens.Length, rotary);
        session.Read(tokens, prompt, cancellation);
        return prompt.Checked();
    }

    /// <inheritdoc/>
    public void Observe(AttentionStep step)
    {
        Copy(step, step.Inputs, _inputs);
        Copy(step, step.Queries, _queries);
        Copy(step, step.Keys, _keys);
        Copy(step, step.Values, _values);
        _read[step.Layer] += step.Count;

        static void Copy(AttentionStep step, ReadOnlySpan<float> from, float[][] to) => from.CopyTo(to[step.Layer].AsSpan(step.Position * (from.Length / step.Count)));
    }

    /// <summary>The prompt, if it is whole and its numbers can be kept.</summary>
    /// <exception cref="InputException">It was not read to its end, or holds numbers that are none or beyond half precision.</exception>
    public Prompt Checked()
    {
        for (int l = 0; l < Shape.Layers; l++)
        {
            if (_read[l] != Count)
                throw InputException.At("prompt", $"{_read[l]} tokens read in layer {l}", $"{Count}", "Read the whole prompt, once.");
            foreach (var (name, values) in new[] { ("queries", _queries[l]), ("keys", _keys[l]), ("values", _values[l]) })
                if (Array.FindIndex(values, v => !(Math.Abs(v) <= Largest)) is var at and >= 0)
                    throw InputException.At("prompt", FormattableString.Invariant($"{values[at]} in the {name} of layer {l}, token {at / (values.Length / Count)}"), FormattableString.Invariant($"finite numbers of at most {Largest}"), "The model's weights are damaged, or too large for a cache in half precision.");
        }
        return this;
    }

    /// <summary>What a layer projects from [tokens, width].</summary>
    public ReadOnlySpan<float> Inputs(int layer) => _inputs[layer];

    /// <summary>Rotated queries [tokens, heads · head width].</summary>
    public ReadOnlySpan<float> Queries(int layer) => _queries[layer];

    /// <summary>Keys before they are rotated [tokens, key-value heads · head width].</summary>
    public ReadOnlySpan<float> KeysBefore(int layer) => _keys[layer];

    /// <summary>Values [tokens, key-value heads · head width].</summary>
    public ReadOnlySpan<float> Values(int layer) => _values[layer];

    /// <summary>The rotated keys of one key-value head [tokens, head width].</summary>
    public float[] Keys(int layer, int head)
    {
        if (_rotated[layer][head] is { } made)
            return made;
        int d = Shape.HeadWidth;
        float[] keys = Of(KeysBefore(layer), head);
        for (int t = 0; t < Count; t++)
            Rotary.Turn(keys.AsSpan(t * d, d), t);
        return _rotated[layer][head] = keys;
    }

    /// <summary>The values of one key-value head [tokens, head width].</summary>
    public float[] Values(int layer, int head) => Of(Values(layer), head);

    private float[] Of(ReadOnlySpan<float> all, int head)
    {
        int d = Shape.HeadWidth, row = Shape.KeyValueHeads * d;
        var own = new float[Count * d];
        for (int t = 0; t < Count; t++)
            all.Slice(t * row + head * d, d).CopyTo(own.AsSpan(t * d));
        return own;
    }

    /// <summary>
    /// How much attention each token gets from the last queries: for every head the sum over them of their softmax over all tokens before them, [heads][tokens].
    /// Row by row, so that no square matrix is ever made. Not to be written to. Cost O(heads · queries · tokens · head width).
    /// </summary>
    /// <param name="layer">Which layer.</param>
    /// <param name="last">How many of the last queries.</param>
    public float[][] ColumnAttention(int layer, int last)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(last, 1);
        if (_latest is { } known && known.Layer == layer && known.Last == last)
            return known.Sums;
        int d = Shape.HeadWidth, first = Math.Max(0, Count - last);
        var sums = new float[Shape.Heads][];
        var row = new float[Count];
        for (int h = 0; h < Shape.Heads; h++)
        {
            sums[h] = new float[Count];
            float[] keys = Keys(layer, h / Shape.GroupSize);
            for (int i = first; i < Count; i++)
            {
                var q = Queries(layer).Slice((i * Shape.Heads + h) * d, d);
                var logits = row.AsSpan(0, i + 1);
                for (int j = 0; j <= i; j++)
                    logits[j] = TensorPrimitives.Dot(q, keys.AsSpan(j * d, d));
                TensorPrimitives.Multiply(logits, 1 / MathF.Sqrt(d), logits);
                Softmax.Over(logits);
                TensorPrimitives.Add(sums[h].AsSpan(0, i + 1), logits, sums[h].AsSpan(0, i + 1));
            }
        }
        _latest = (layer, last, sums);
        return sums;
    }

    /// <summary>The mean size of each number of the last queries, summed over the query heads of a key-value head [head width].</summary>
    public float[] QueryMagnitude(int layer, int keyHead, int last)
    {
        int d = Shape.HeadWidth, first = Math.Max(0, Count - last);
        var sum = new float[d];
        for (int t = first; t < Count; t++)
            for (int h = keyHead * Shape.GroupSize; h < (keyHead + 1) * Shape.GroupSize; h++)
            {
                var q = Queries(layer).Slice((t * Shape.Heads + h) * d, d);
                for (int i = 0; i < d; i++)
                    sum[i] += Math.Abs(q[i]) / (Count - first);
            }
        return sum;
    }

    /// <summary><see cref="ColumnAttention"/> averaged over all heads [tokens].</summary>
    public float[] MeanColumnAttention(int layer, int last) => Mean(ColumnAttention(layer, last));

    /// <summary><see cref="ColumnAttention"/> averaged over the query heads of one key-value head [tokens].</summary>
    public static float[] OfGroup(float[][] attention, int keyHead, int groupSize)
    {
        ArgumentNullException.ThrowIfNull(attention);
        return Mean(attention[(keyHead * groupSize)..((keyHead + 1) * groupSize)]);
    }

    private static float[] Mean(float[][] rows)
    {
        float[] mean = [.. rows[0]];
        foreach (float[] row in rows[1..])
            TensorPrimitives.Add(mean, row, mean);
        TensorPrimitives.Divide(mean, rows.Length, mean);
        return mean;
    }
}
