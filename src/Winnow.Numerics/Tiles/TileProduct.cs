using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>
/// The product on which the tiled kernels stand: <c>C[m × w] (+)= Σₛ Σₖ A(m, s, k) · B[s, k, w]</c>, where w is the width of a packed
/// panel. A is read where it lies, with any strides, one number at a time; B is packed, so that its panel stays in the first cache and
/// is read in order; the block of C stays in registers over the whole sum. Sums run over s and k in order with fused multiply-add,
/// so that every path gives the same bits.
/// </summary>
internal static unsafe class TileProduct
{
    /// <summary>A left operand: element (m, s, k) is at <c>data + m·row + s·segment + k·column</c>.</summary>
    public readonly struct Left(float* data, nint row, nint column, nint segment = 0)
    {
        public readonly float* Data = data;
        public readonly nint Row = row, Column = column, Segment = segment;
    }

    /// <summary>A packed right operand: element (s, k, j) is at <c>data + s·segment + k·width + j</c>.</summary>
    public readonly struct Panel(float* data, nint segment = 0)
    {
        public readonly float* Data = data;
        public readonly nint Segment = segment;
    }

    /// <summary>Which segments a sum runs over: the first <paramref name="count"/>, or those of a list.</summary>
    public readonly struct Segments(int count, int* list = null)
    {
        public readonly int Count = count;
        public readonly int* List = list;

        public int this[int index]
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => List == null ? index : List[index];
        }
    }

    /// <summary>Multiplies for any number of rows.</summary>
    /// <param name="path">The instructions.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="k">Terms in a segment.</param>
    /// <param name="a">The left operand.</param>
    /// <param name="b">The panel.</param>
    /// <param name="segments">The segments to sum over.</param>
    /// <param name="c">The result.</param>
    /// <param name="ldc">Elements from one row of C to the next.</param>
    /// <param name="accumulate">Whether the product is added to what C holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(TilePath path, int m, int k, Left a, Panel b, Segments segments, float* c, nint ldc, bool accumulate)
    {
        int i = 0;
        switch (path)
        {
            case TilePath.Vector512:
                for (; i + 8 <= m; i += 8)
                    Eight512(k, a, a.Data + i * a.Row, b, segments, c + i * ldc, ldc, accumulate);
                for (; i < m; i++)
                    One512(k, a, a.Data + i * a.Row, b, segments, c + i * ldc, accumulate);
                break;
            case TilePath.Vector256:
                for (; i + 4 <= m; i += 4)
                    Four256(k, a, a.Data + i * a.Row, b, segments, c + i * ldc, ldc, accumulate);
                for (; i < m; i++)
                    One256(k, a, a.Data + i * a.Row, b, segments, c + i * ldc, accumulate);
                break;
            default:
                for (; i < m; i++)
                    OneScalar(path.PanelWidth(), k, a, a.Data + i * a.Row, b, segments, c + i * ldc, accumulate);
                break;
        }
    }

    private static void OneScalar(int width, int k, Left a, float* at, Panel b, Segments segments, float* c, bool accumulate)
    {
        for (int j = 0; j < width; j++)
        {
            float sum = 0;
            for (int s = 0; s < segments.Count; s++)
            {
                float* left = at + segments[s] * a.Segment, right = b.Data + segments[s] * b.Segment + j;
                for (int p = 0; p < k; p++)
                    sum = MathF.FusedMultiplyAdd(left[p * a.Column], right[p * width], sum);
            }
            c[j] = accumulate ? c[j] + sum : sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four256(int k, Left a, float* at, Panel b, Segments segments, float* c, nint ldc, bool accumulate)
    {
        Vector256<float> c00, c01, c02, c10, c11, c12, c20, c21, c22, c30, c31, c32;
        c00 = c01 = c02 = c10 = c11 = c12 = c20 = c21 = c22 = c30 = c31 = c32 = Vector256<float>.Zero;
        nint row = a.Row, row2 = 2 * row, row3 = 3 * row, column = a.Column;
        for (int s = 0; s < segments.Count; s++)
        {
            float* left = at + segments[s] * a.Segment, right = b.Data + segments[s] * b.Segment, end = right + (nint)k * 24;
            while (right < end)
            {
                var b0 = Vector256.Load(right);
                var b1 = Vector256.Load(right + 8);
                var b2 = Vector256.Load(right + 16);
                var v = Vector256.Create(left[0]);
                c00 = Vector256.FusedMultiplyAdd(v, b0, c00);
                c01 = Vector256.FusedMultiplyAdd(v, b1, c01);
                c02 = Vector256.FusedMultiplyAdd(v, b2, c02);
                v = Vector256.Create(left[row]);
                c10 = Vector256.FusedMultiplyAdd(v, b0, c10);
                c11 = Vector256.FusedMultiplyAdd(v, b1, c11);
                c12 = Vector256.FusedMultiplyAdd(v, b2, c12);
                v = Vector256.Create(left[row2]);
                c20 = Vector256.FusedMultiplyAdd(v, b0, c20);
                c21 = Vector256.FusedMultiplyAdd(v, b1, c21);
                c22 = Vector256.FusedMultiplyAdd(v, b2, c22);
                v = Vector256.Create(left[row3]);
                c30 = Vector256.FusedMultiplyAdd(v, b0, c30);
                c31 = Vector256.FusedMultiplyAdd(v, b1, c31);
                c32 = Vector256.FusedMultiplyAdd(v, b2, c32);
                left += column;
                right += 24;
            }
        }
        Put(c00, c01, c02, c, accumulate);
        Put(c10, c11, c12, c + ldc, accumulate);
        Put(c20, c21, c22, c + 2 * ldc, accumulate);
        Put(c30, c31, c32, c + 3 * ldc, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One256(int k, Left a, float* at, Panel b, Segments segments, float* c, bool accumulate)
    {
        var c0 = Vector256<float>.Zero;
        Vector256<float> c1 = c0, c2 = c0;
        for (int s = 0; s < segments.Count; s++)
        {
            float* left = at + segments[s] * a.Segment, right = b.Data + segments[s] * b.Segment;
            for (int p = 0; p < k; p++, left += a.Column, right += 24)
            {
                var v = Vector256.Create(left[0]);
                c0 = Vector256.FusedMultiplyAdd(v, Vector256.Load(right), c0);
                c1 = Vector256.FusedMultiplyAdd(v, Vector256.Load(right + 8), c1);
                c2 = Vector256.FusedMultiplyAdd(v, Vector256.Load(right + 16), c2);
            }
        }
        Put(c0, c1, c2, c, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector256<float> v0, Vector256<float> v1, Vector256<float> v2, float* at, bool accumulate)
    {
        if (accumulate)
        {
            v0 = Vector256.Load(at) + v0;
            v1 = Vector256.Load(at + 8) + v1;
            v2 = Vector256.Load(at + 16) + v2;
        }
        v0.Store(at);
        v1.Store(at + 8);
        v2.Store(at + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight512(int k, Left a, float* at, Panel b, Segments segments, float* c, nint ldc, bool accumulate)
    {
        Vector512<float> c00, c01, c02, c10, c11, c12, c20, c21, c22, c30, c31, c32,
            c40, c41, c42, c50, c51, c52, c60, c61, c62, c70, c71, c72;
        c00 = c01 = c02 = c10 = c11 = c12 = c20 = c21 = c22 = c30 = c31 = c32 = Vector512<float>.Zero;
        c40 = c41 = c42 = c50 = c51 = c52 = c60 = c61 = c62 = c70 = c71 = c72 = Vector512<float>.Zero;
        nint row = a.Row, row2 = 2 * row, row3 = 3 * row, row4 = 4 * row, column = a.Column;
        for (int s = 0; s < segments.Count; s++)
        {
            float* left = at + segments[s] * a.Segment, right = b.Data + segments[s] * b.Segment, end = right + (nint)k * 48;
            while (right < end)
            {
                float* lower = left + row4;
                var b0 = Vector512.Load(right);
                var b1 = Vector512.Load(right + 16);
                var b2 = Vector512.Load(right + 32);
                var v = Vector512.Create(left[0]);
                c00 = Vector512.FusedMultiplyAdd(v, b0, c00);
                c01 = Vector512.FusedMultiplyAdd(v, b1, c01);
                c02 = Vector512.FusedMultiplyAdd(v, b2, c02);
                v = Vector512.Create(left[row]);
                c10 = Vector512.FusedMultiplyAdd(v, b0, c10);
                c11 = Vector512.FusedMultiplyAdd(v, b1, c11);
                c12 = Vector512.FusedMultiplyAdd(v, b2, c12);
                v = Vector512.Create(left[row2]);
                c20 = Vector512.FusedMultiplyAdd(v, b0, c20);
                c21 = Vector512.FusedMultiplyAdd(v, b1, c21);
                c22 = Vector512.FusedMultiplyAdd(v, b2, c22);
                v = Vector512.Create(left[row3]);
                c30 = Vector512.FusedMultiplyAdd(v, b0, c30);
                c31 = Vector512.FusedMultiplyAdd(v, b1, c31);
                c32 = Vector512.FusedMultiplyAdd(v, b2, c32);
                v = Vector512.Create(lower[0]);
                c40 = Vector512.FusedMultiplyAdd(v, b0, c40);
                c41 = Vector512.FusedMultiplyAdd(v, b1, c41);
                c42 = Vector512.FusedMultiplyAdd(v, b2, c42);
                v = Vector512.Create(lower[row]);
                c50 = Vector512.FusedMultiplyAdd(v, b0, c50);
                c51 = Vector512.FusedMultiplyAdd(v, b1, c51);
                c52 = Vector512.FusedMultiplyAdd(v, b2, c52);
                v = Vector512.Create(lower[row2]);
                c60 = Vector512.FusedMultiplyAdd(v, b0, c60);
                c61 = Vector512.FusedMultiplyAdd(v, b1, c61);
                c62 = Vector512.FusedMultiplyAdd(v, b2, c62);
                v = Vector512.Create(lower[row3]);
                c70 = Vector512.FusedMultiplyAdd(v, b0, c70);
                c71 = Vector512.FusedMultiplyAdd(v, b1, c71);
                c72 = Vector512.FusedMultiplyAdd(v, b2, c72);
                left += column;
                right += 48;
            }
        }
        Put(c00, c01, c02, c, accumulate);
        Put(c10, c11, c12, c + ldc, accumulate);
        Put(c20, c21, c22, c + 2 * ldc, accumulate);
        Put(c30, c31, c32, c + 3 * ldc, accumulate);
        Put(c40, c41, c42, c + 4 * ldc, accumulate);
        Put(c50, c51, c52, c + 5 * ldc, accumulate);
        Put(c60, c61, c62, c + 6 * ldc, accumulate);
        Put(c70, c71, c72, c + 7 * ldc, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One512(int k, Left a, float* at, Panel b, Segments segments, float* c, bool accumulate)
    {
        var c0 = Vector512<float>.Zero;
        Vector512<float> c1 = c0, c2 = c0;
        for (int s = 0; s < segments.Count; s++)
        {
            float* left = at + segments[s] * a.Segment, right = b.Data + segments[s] * b.Segment;
            for (int p = 0; p < k; p++, left += a.Column, right += 48)
            {
                var v = Vector512.Create(left[0]);
                c0 = Vector512.FusedMultiplyAdd(v, Vector512.Load(right), c0);
                c1 = Vector512.FusedMultiplyAdd(v, Vector512.Load(right + 16), c1);
                c2 = Vector512.FusedMultiplyAdd(v, Vector512.Load(right + 32), c2);
            }
        }
        Put(c0, c1, c2, c, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, float* at, bool accumulate)
    {
        if (accumulate)
        {
            v0 = Vector512.Load(at) + v0;
            v1 = Vector512.Load(at + 16) + v1;
            v2 = Vector512.Load(at + 32) + v2;
        }
        v0.Store(at);
        v1.Store(at + 16);
        v2.Store(at + 32);
    }
}
