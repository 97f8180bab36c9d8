using System.Numerics.Tensors;

namespace Winnow.KvCache;

/// <summary>Rows in half precision, as engines keep them.</summary>
/// <param name="width">Numbers in a row.</param>
internal sealed class ExactRows(int width) : IRows
{
    /// <summary>Numbers that are made single at a time, on the stack.</summary>
    private const int Piece = 2048;

    private GrowingBuffer<Half> _rows = new();

    public int Count => _rows.Count / width;

    public KvBytes Bytes => new(_rows.Bytes, Padding: _rows.Slack);

    /// <summary>The bytes of rows that are held exactly for a while.</summary>
    public KvBytes AsWindow => new(0, Windows: _rows.Bytes, Padding: _rows.Slack);

    public void Fill(ReadOnlySpan<float> rows) => Append(rows);

    public void Append(ReadOnlySpan<float> row) => TensorPrimitives.ConvertToHalf(row, _rows.Add(row.Length));

    public void Settle()
    {
    }

    public void Read(int index, Span<float> row) => TensorPrimitives.ConvertToSingle(_rows.Span.Slice(index * width, width), row);

    public void Remove(int index) => _rows.Remove(index * width, width);

    /// <summary>Takes the first rows out.</summary>
    public void RemoveFirst(int count) => _rows.Remove(0, count * width);

    public void Dot(ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
    {
        Span<float> piece = stackalloc float[Math.Max(Piece, width)];
        int together = piece.Length / width;
        for (int first = 0; first < Count; first += together)
        {
            int rows = Math.Min(together, Count - first);
            TensorPrimitives.ConvertToSingle(_rows.Span.Slice(first * width, rows * width), piece);
            for (int i = 0; i < rows; i++)
                for (int g = 0; g < groups; g++)
                    scores[g * stride + first + i] = TensorPrimitives.Dot(queries.Slice(g * width, width), piece.Slice(i * width, width));
        }
    }

    public void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums)
    {
        Span<float> piece = stackalloc float[Math.Max(Piece, width)];
        int together = piece.Length / width;
        for (int first = 0; first < Count; first += together)
        {
            int rows = Math.Min(together, Count - first);
            TensorPrimitives.ConvertToSingle(_rows.Span.Slice(first * width, rows * width), piece);
            for (int g = 0; g < groups; g++)
                for (int i = 0; i < rows; i++)
                    Scaled.Add(weights[g * stride + first + i], piece.Slice(i * width, width), sums.Slice(g * width, width));
        }
    }

    public IRows Clone() => new ExactRows(width) { _rows = _rows.Clone() };
}

/// <summary>to += a · x.</summary>
internal static class Scaled
{
    public static void Add(float a, ReadOnlySpan<float> x, Span<float> to) => TensorPrimitives.MultiplyAdd(x, a, to, to);
}

/// <summary>Half precision throughout: the full cache of an engine.</summary>
internal sealed class ExactEncoder : IEncoder
{
    public static ExactEncoder Instance { get; } = new();

    public bool Removes => true;

    public IRows Keys(int width) => new ExactRows(width);

    public IRows Values(int width) => new ExactRows(width);
}
