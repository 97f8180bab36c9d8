using System.Numerics;
using System.Runtime.CompilerServices;

namespace Winnow.Numerics;

/// <summary>
/// Dense float32 products of small matrices on one thread, blocked in registers. Sizes are padded by the caller: rows to
/// <see cref="Rows"/>, columns to <see cref="Columns"/>, so that there is one kernel and no remainders. Sums run over the inner index
/// in order, so that a result does not depend on the other sizes.
/// </summary>
public static unsafe class Gemm
{
    /// <summary>The number of rows of a product is a multiple of this.</summary>
    public const int Rows = 4;

    /// <summary>The number of columns of a product is a multiple of this: the lanes of the machine's vectors.</summary>
    public static int Columns => Vector<float>.Count;

    /// <summary>Rounds a number of rows up to a multiple of <see cref="Rows"/>.</summary>
    public static int PadRows(int rows) => (rows + Rows - 1) / Rows * Rows;

    /// <summary>Rounds a number of columns up to a multiple of <see cref="Columns"/>.</summary>
    public static int PadColumns(int columns) => (columns + Columns - 1) / Columns * Columns;

    /// <summary>
    /// <c>C[i, j] (+)= Σₛ Σₖ A[i, s, k] · B[s, k, j]</c>. With one segment this is a matrix product, transposed or not as the strides of A
    /// say; with several it is a convolution's sum over the rows of its kernel, or a gradient's sum over the rows of an image.
    /// Cost: 2·m·n·k·segments operations. Nothing is allocated.
    /// </summary>
    /// <param name="m">Rows of C, a multiple of <see cref="Rows"/>.</param>
    /// <param name="n">Columns of C, a multiple of <see cref="Columns"/>.</param>
    /// <param name="k">Terms in a segment.</param>
    /// <param name="a">The left operand, by element.</param>
    /// <param name="b">The right operand; its rows are contiguous.</param>
    /// <param name="c">The result; overlaps no operand.</param>
    /// <param name="ldc">Elements from one row of C to the next.</param>
    /// <param name="accumulate">Whether the product is added to what C holds.</param>
    /// <param name="segments">Number of segments.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(int m, int n, int k, Left a, Right b, float* c, int ldc, bool accumulate, int segments = 1)
    {
        if (m % Rows != 0 || n % Columns != 0)
            throw new ArgumentException($"{m} rows and {n} columns; expected multiples of {Rows} and {Columns}");
        int j = 0;
        for (; j + 2 * Columns <= n; j += 2 * Columns)
        {
            for (int i = 0; i < m; i += Rows)
                Wide(k, a, a.Data + i * a.Row, b, b.Data + j, c + (nint)i * ldc + j, ldc, accumulate, segments);
        }
        for (int i = 0; i < m && j < n; i += Rows)
            Narrow(k, a, a.Data + i * a.Row, b, b.Data + j, c + (nint)i * ldc + j, ldc, accumulate, segments);
    }

    /// <summary>A block of 4 rows and 2 vectors of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Wide(int k, Left a, float* at, Right b, float* bt, float* c, nint ldc, bool accumulate, int segments)
    {
        int lanes = Vector<float>.Count;
        Vector<float> c00, c01, c10, c11, c20, c21, c30, c31;
        c00 = c01 = c10 = c11 = c20 = c21 = c30 = c31 = Vector<float>.Zero;
        nint row = a.Row;
        for (int s = 0; s < segments; s++)
        {
            float* left = at + s * a.Segment, right = bt + s * b.Segment;
            for (int p = 0; p < k; p++)
            {
                var b0 = Vector.Load(right);
                var b1 = Vector.Load(right + lanes);
                var v = new Vector<float>(left[0]);
                c00 = Vector.FusedMultiplyAdd(v, b0, c00);
                c01 = Vector.FusedMultiplyAdd(v, b1, c01);
                v = new Vector<float>(left[row]);
                c10 = Vector.FusedMultiplyAdd(v, b0, c10);
                c11 = Vector.FusedMultiplyAdd(v, b1, c11);
                v = new Vector<float>(left[2 * row]);
                c20 = Vector.FusedMultiplyAdd(v, b0, c20);
                c21 = Vector.FusedMultiplyAdd(v, b1, c21);
                v = new Vector<float>(left[3 * row]);
                c30 = Vector.FusedMultiplyAdd(v, b0, c30);
                c31 = Vector.FusedMultiplyAdd(v, b1, c31);
                left += a.Column;
                right += b.Row;
            }
        }
        Put(c00, c, accumulate);
        Put(c01, c + lanes, accumulate);
        Put(c10, c + ldc, accumulate);
        Put(c11, c + ldc + lanes, accumulate);
        Put(c20, c + 2 * ldc, accumulate);
        Put(c21, c + 2 * ldc + lanes, accumulate);
        Put(c30, c + 3 * ldc, accumulate);
        Put(c31, c + 3 * ldc + lanes, accumulate);
    }

    /// <summary>A block of 4 rows and 1 vector of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Narrow(int k, Left a, float* at, Right b, float* bt, float* c, nint ldc, bool accumulate, int segments)
    {
        Vector<float> c0, c1, c2, c3;
        c0 = c1 = c2 = c3 = Vector<float>.Zero;
        nint row = a.Row;
        for (int s = 0; s < segments; s++)
        {
            float* left = at + s * a.Segment, right = bt + s * b.Segment;
            for (int p = 0; p < k; p++)
            {
                var b0 = Vector.Load(right);
                c0 = Vector.FusedMultiplyAdd(new Vector<float>(left[0]), b0, c0);
                c1 = Vector.FusedMultiplyAdd(new Vector<float>(left[row]), b0, c1);
                c2 = Vector.FusedMultiplyAdd(new Vector<float>(left[2 * row]), b0, c2);
                c3 = Vector.FusedMultiplyAdd(new Vector<float>(left[3 * row]), b0, c3);
                left += a.Column;
                right += b.Row;
            }
        }
        Put(c0, c, accumulate);
        Put(c1, c + ldc, accumulate);
        Put(c2, c + 2 * ldc, accumulate);
        Put(c3, c + 3 * ldc, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector<float> value, float* at, bool accumulate) =>
        Vector.Store(accumulate ? Vector.Load(at) + value : value, at);

    /// <summary>A left operand: element (i, s, k) is at <c>data + i·row + s·segment + k·column</c>.</summary>
    public readonly struct Left(float* data, nint row, nint column, nint segment = 0)
    {
        /// <summary>The first element.</summary>
        public float* Data { get; } = data;

        /// <summary>Elements from one row to the next.</summary>
        public nint Row { get; } = row;

        /// <summary>Elements from one inner index to the next.</summary>
        public nint Column { get; } = column;

        /// <summary>Elements from one segment to the next.</summary>
        public nint Segment { get; } = segment;
    }

    /// <summary>A right operand: element (s, k, j) is at <c>data + s·segment + k·row + j</c>.</summary>
    public readonly struct Right(float* data, nint row, nint segment = 0)
    {
        /// <summary>The first element.</summary>
        public float* Data { get; } = data;

        /// <summary>Elements from one inner index to the next.</summary>
        public nint Row { get; } = row;

        /// <summary>Elements from one segment to the next.</summary>
        public nint Segment { get; } = segment;
    }
}
