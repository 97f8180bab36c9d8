using System.Numerics;

namespace Winnow.Numerics.Sparse;

public static partial class SparseMatrix
{
    /// <summary>
    /// A recursive random graph (R-MAT: Chakrabarti, Zhan and Faloutsos, 2004): every edge falls, level by level, into one of four quadrants
    /// with the given chances, which gives degrees with a heavy tail. Edges that fall together become one; every value is 1.
    /// Cost: O(edges · scale).
    /// </summary>
    /// <param name="scale">2^scale vertices, 1 to 30.</param>
    /// <param name="edgesPerVertex">Edges drawn for each vertex, at least 1.</param>
    /// <param name="random">Where chance comes from.</param>
    /// <param name="a">Chance of the upper left quadrant; the customary values 0.57, 0.19, 0.19 leave 0.05 to the lower right.</param>
    /// <param name="b">Chance of the upper right quadrant.</param>
    /// <param name="c">Chance of the lower left quadrant.</param>
    /// <exception cref="ArgumentException">The sizes are out of range, or the chances are no chances.</exception>
    public static SparseMatrix<T> RMat<T>(int scale, int edgesPerVertex, Random random, double a = 0.57, double b = 0.19, double c = 0.19) where T : unmanaged, IFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfLessThan(scale, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(scale, 30);
        ArgumentOutOfRangeException.ThrowIfLessThan(edgesPerVertex, 1);
        if (!(a >= 0 && b >= 0 && c >= 0 && a + b + c <= 1))
            throw new ArgumentException($"quadrants with chances {a}, {b} and {c}; expected three numbers of at least 0 whose sum is at most 1", nameof(a));
        long drawn = (long)edgesPerVertex << scale;
        if (drawn > Array.MaxLength)
            throw new ArgumentException($"{drawn:N0} edges; expected at most {Array.MaxLength:N0}: choose a smaller scale or fewer edges", nameof(edgesPerVertex));
        var edges = new ulong[drawn];
        foreach (ref ulong edge in edges.AsSpan())
        {
            for (int level = 0; level < scale; level++)
            {
                double u = random.NextDouble();
                ulong quadrant = u < a ? 0ul : u < a + b ? 1ul : u < a + b + c ? 1ul << 32 : 1ul << 32 | 1;
                edge = edge << 1 | quadrant;
            }
        }
        Array.Sort(edges);
        int rows = 1 << scale;
        var starts = new long[rows + 1];
        int distinct = 0;
        for (int e = 0; e < edges.Length; e++)
        {
            if (e == 0 || edges[e] != edges[distinct - 1])
            {
                edges[distinct++] = edges[e];
                starts[(int)(edges[e] >> 32) + 1]++;
            }
        }
        for (int i = 0; i < rows; i++)
            starts[i + 1] += starts[i];
        int[] indices = [.. edges.Take(distinct).Select(e => (int)e)];
        var values = new T[distinct];
        Array.Fill(values, T.One);
        return SparseMatrix<T>.Trusted(rows, rows, starts, indices, values);
    }
}
