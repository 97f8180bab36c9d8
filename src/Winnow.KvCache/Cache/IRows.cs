namespace Winnow.KvCache;

/// <summary>
/// A growing list of rows, stored exactly or in a smaller form, that can be multiplied as they lie. The last rows may be held exactly for a while: <see cref="Settle"/> is
/// called after attention has gone to a token, and moves what is due. Not for several threads at once.
/// </summary>
public interface IRows
{
    /// <summary>Rows.</summary>
    int Count { get; }

    /// <summary>Takes the rows of a prompt [count, width], and settles them. Called once, before any other row.</summary>
    void Fill(ReadOnlySpan<float> rows);

    /// <summary>Takes one row, exact until the next <see cref="Settle"/>.</summary>
    void Append(ReadOnlySpan<float> row);

    /// <summary>Stores in its final form what no longer has to be exact.</summary>
    void Settle();

    /// <summary>Row products with some vectors: <c>scores[g · stride + i] = queries_g · row_i</c>.</summary>
    /// <param name="queries">[groups, width].</param>
    /// <param name="groups">Vectors.</param>
    /// <param name="scores">Room for them.</param>
    /// <param name="stride">Numbers from one vector's scores to the next one's.</param>
    void Dot(ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride);

    /// <summary>Weighted sums of the rows: <c>sums_g += Σ_i weights[g · stride + i] · row_i</c>.</summary>
    void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums);

    /// <summary>A row as it is remembered.</summary>
    void Read(int index, Span<float> row);

    /// <summary>Takes a row out.</summary>
    /// <exception cref="NotSupportedException">Rows stored so cannot be taken out.</exception>
    void Remove(int index) => throw new NotSupportedException("Rows stored so cannot be taken out.");

    /// <summary>The bytes it holds.</summary>
    KvBytes Bytes { get; }

    /// <summary>A copy that shares nothing.</summary>
    IRows Clone();
}

/// <summary>Bytes of a cache by kind: all that it holds, and nothing else.</summary>
/// <param name="Payload">Numbers of tokens in their final form.</param>
/// <param name="Scales">Scales and minima.</param>
/// <param name="Indices">Bitmaps, offsets, positions, masses.</param>
/// <param name="Windows">Tokens held exactly for a while.</param>
/// <param name="Shared">Factors that do not grow with the text.</param>
/// <param name="Padding">Room that is held and not used.</param>
public readonly record struct KvBytes(long Payload, long Scales = 0, long Indices = 0, long Windows = 0, long Shared = 0, long Padding = 0)
{
    /// <summary>All bytes.</summary>
    public long Total => Payload + Scales + Indices + Windows + Shared + Padding;

    /// <summary>Kind by kind.</summary>
    public static KvBytes operator +(KvBytes a, KvBytes b) =>
        new(a.Payload + b.Payload, a.Scales + b.Scales, a.Indices + b.Indices, a.Windows + b.Windows, a.Shared + b.Shared, a.Padding + b.Padding);

    /// <summary>The kinds by name.</summary>
    public IEnumerable<(string Kind, long Bytes)> Kinds => [("payload", Payload), ("scales", Scales), ("indices", Indices), ("windows", Windows), ("shared", Shared), ("padding", Padding)];
}
