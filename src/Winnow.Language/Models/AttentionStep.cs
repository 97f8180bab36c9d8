namespace Winnow.Language;

/// <summary>What attention is given in one layer for tokens in a row. The spans are valid during the call.</summary>
/// <param name="layer">Which layer.</param>
/// <param name="position">Position of the first token.</param>
/// <param name="count">Tokens.</param>
/// <param name="inputs">What queries, keys and values are projected from: the layer's normed input [count, width].</param>
/// <param name="queries">Rotated [count, heads · head width].</param>
/// <param name="keys">Not rotated [count, key-value heads · head width].</param>
/// <param name="values">[count, key-value heads · head width].</param>
public readonly ref struct AttentionStep(int layer, int position, int count, ReadOnlySpan<float> inputs, ReadOnlySpan<float> queries, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
{
    /// <summary>Which layer.</summary>
    public int Layer { get; } = layer;

    /// <summary>Position of the first token.</summary>
    public int Position { get; } = position;

    /// <summary>Tokens.</summary>
    public int Count { get; } = count;

    /// <summary>The layer's normed input [count, width].</summary>
    public ReadOnlySpan<float> Inputs { get; } = inputs;

    /// <summary>Rotated [count, heads · head width].</summary>
    public ReadOnlySpan<float> Queries { get; } = queries;

    /// <summary>Not rotated [count, key-value heads · head width].</summary>
    public ReadOnlySpan<float> Keys { get; } = keys;

    /// <summary>[count, key-value heads · head width].</summary>
    public ReadOnlySpan<float> Values { get; } = values;
}

/// <summary>Watches a text being read.</summary>
public interface IAttentionObserver
{
    /// <summary>Is shown what attention is given, layer by layer.</summary>
    void Observe(AttentionStep step);
}

/// <summary>Keeps keys and values in its own way.</summary>
public interface IAttentionCache
{
    /// <summary>Takes one token's keys and values and attends to all that is kept.</summary>
    /// <param name="step">The token in one layer.</param>
    /// <param name="output">What the heads read [heads · head width].</param>
    void Attend(AttentionStep step, Span<float> output);
}
