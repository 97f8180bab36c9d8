using System.Runtime.CompilerServices;

namespace Winnow.Numerics;

/// <summary>Copies of operands in the order in which the inner loops read them.</summary>
internal static unsafe class Packing
{
    /// <summary>Rounds up to a multiple.</summary>
    public static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    /// <summary>
    /// Packs rows as the lanes of panels: <c>target[p, k, j] = source[row(p·width + j), k]·scale</c>; lanes beyond the rows become 0.
    /// </summary>
    public static void Lanes(TileMatrix source, ReadOnlySpan<int> rows, int start, int count, int width, float scale, float* target)
    {
        int depth = source.Columns, panels = RoundUp(count, width) / width;
        new Span<float>(target, checked(panels * width * depth)).Clear();
        for (int i = 0; i < count; i++)
        {
            int row = rows.IsEmpty ? start + i : rows[start + i];
            float* to = target + (nint)(i / width) * width * depth + i % width;
            if (source.Type == TileType.BFloat16)
            {
                ushort* from = source.HalfRow(row);
                for (int k = 0; k < depth; k++)
                    to[(nint)k * width] = TileMatrix.Widen(from[k]) * scale;
            }
            else
            {
                float* from = source.Row(row);
                for (int k = 0; k < depth; k++)
                    to[(nint)k * width] = from[k] * scale;
            }
        }
    }

    /// <summary>
    /// Packs columns in panels: <c>target[p, i, j] = source[row(i), p·width + j]</c>; columns beyond the matrix and rows up to
    /// <paramref name="paddedCount"/> become 0.
    /// </summary>
    public static void Columns(TileMatrix source, ReadOnlySpan<int> rows, int start, int count, int paddedCount, int width, float* target)
    {
        int depth = source.Columns;
        for (int column = 0; column < depth; column += width, target += (nint)paddedCount * width)
        {
            int used = Math.Min(width, depth - column);
            for (int i = 0; i < paddedCount; i++)
            {
                var to = new Span<float>(target + (nint)i * width, width);
                if (i < count)
                    source.CopyRow(rows.IsEmpty ? start + i : rows[start + i], column, to[..used]);
                to[(i < count ? used : 0)..].Clear();
            }
        }
    }

    /// <summary>
    /// Packs the transpose of a block of rows for the left side: <c>target[g, i, r] = source[i, g·4 + r]</c>, groups of 4 columns; the last group is filled up with 0.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposedLeft(float* source, int count, int depth, int group, float* target)
    {
        for (int g = 0; g < depth; g += group, target += (nint)count * group)
        {
            int used = Math.Min(group, depth - g);
            for (int i = 0; i < count; i++)
            {
                float* from = source + (nint)i * depth + g, to = target + (nint)i * group;
                for (int r = 0; r < used; r++)
                    to[r] = from[r];
                for (int r = used; r < group; r++)
                    to[r] = 0;
            }
        }
    }
}
