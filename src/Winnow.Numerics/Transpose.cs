namespace Winnow.Numerics;

/// <summary>Transposition of small float32 matrices, in blocks that stay in the cache.</summary>
public static unsafe class Transpose
{
    private const int Block = 8;

    /// <summary>Copies a dense row-major matrix to its transpose: <c>target[j, i] = source[i, j]</c>. What lies between the rows of the target stays.</summary>
    /// <param name="source">The matrix.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="target">The transpose; does not overlap the source.</param>
    /// <param name="stride">Elements from one row of the transpose to the next.</param>
    public static void Copy(float* source, int rows, int columns, float* target, int stride)
    {
        for (int i0 = 0; i0 < rows; i0 += Block)
        {
            int iEnd = Math.Min(i0 + Block, rows);
            for (int j = 0; j < columns; j++)
            {
                float* from = source + (nint)i0 * columns + j, to = target + (nint)j * stride;
                for (int i = i0; i < iEnd; i++, from += columns)
                    to[i] = *from;
            }
        }
    }
}
