using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Winnow.KvCache;

/// <summary>Rows in half precision, as engines keep them.</summary>
/// <param name="width">Numbers in a row.</param>
internal sealed class ExactRows(int width) : IRows
{
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

    public void Read(int index, Span<float> row) => Halves.ToSingle(_rows.Span.Slice(index * width, width), row);

    public void Remove(int index) => _rows.Remove(index * width, width);

    /// <summary>Takes the first rows out.</summary>
    public void RemoveFirst(int count) => _rows.Remove(0, count * width);

    public unsafe void Dot(ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
    {
        if (Avx2.IsSupported && width % 8 == 0)
        {
            fixed (float* q = queries)
            fixed (short* rows = MemoryMarshal.Cast<Half, short>(_rows.Span))
                for (int i = 0; i < Count; i++)
                    for (int g = 0; g < groups; g++)
                        scores[g * stride + i] = Halves.Dot(rows + (nint)i * width, q + g * width, width);
            return;
        }
        Span<float> row = stackalloc float[width];
        for (int i = 0; i < Count; i++)
        {
            Read(i, row);
            for (int g = 0; g < groups; g++)
                scores[g * stride + i] = TensorPrimitives.Dot(queries.Slice(g * width, width), row);
        }
    }

    public unsafe void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums)
    {
        if (Avx2.IsSupported && width % 8 == 0)
        {
            fixed (float* w = weights, to = sums)
            fixed (short* rows = MemoryMarshal.Cast<Half, short>(_rows.Span))
                for (int g = 0; g < groups; g++)
                    Halves.AddRows(rows, width, Count, w + g * stride, to + g * width, width);
            return;
        }
        Span<float> row = stackalloc float[width];
        for (int i = 0; i < Count; i++)
        {
            Read(i, row);
            for (int g = 0; g < groups; g++)
                Scaled.Add(weights[g * stride + i], row, sums.Slice(g * width, width));
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
