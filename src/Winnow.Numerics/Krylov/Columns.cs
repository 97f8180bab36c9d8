using System.Numerics;
using System.Runtime.CompilerServices;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// A tall, narrow matrix of float64 stored by columns, and the sweeps over it of which a Krylov method consists. These are bound by
/// memory, not by arithmetic: every sweep takes four columns at once, so that the vector beside them is read a quarter as often, and
/// rows in blocks that stay in the cache. Columns are padded with zeros to whole cache lines, so that there are no remainders.
/// </summary>
internal readonly unsafe struct Columns(double* data, int rows, nint stride)
{
    private const int Line = 8, RowBlock = 128;

    /// <summary>The first column.</summary>
    public double* Data { get; } = data;

    /// <summary>Rows, padding included: a multiple of a cache line.</summary>
    public int Rows { get; } = rows;

    /// <summary>Elements from one column to the next.</summary>
    public nint Stride { get; } = stride;

    /// <summary>A column.</summary>
    public double* this[int column] => Data + column * Stride;

    /// <summary>The columns from one on.</summary>
    public Columns From(int column) => new(this[column], Rows, Stride);

    /// <summary>Rows with their padding.</summary>
    public static int PaddedRows(int rows) => checked((rows + Line - 1) / Line * Line);

    /// <summary>Elements between columns: the padded rows, and a line more where columns would all fall into the same sets of the cache.</summary>
    public static nint StrideOf(int rows) => PaddedRows(rows) is var padded && padded % 512 == 0 ? padded + Line : padded;

    /// <summary><c>h = Vᵀ·w</c> of the first columns. Cost: 2 operations an element; one sweep.</summary>
    public void Project(int columns, double* w, double* h)
    {
        new Span<double>(h, columns).Clear();
        for (int row = 0; row < Rows; row += RowBlock)
            AddProjection(columns, row, Math.Min(RowBlock, Rows - row), w, h);
    }

    /// <summary><c>S = Vᵀ·W</c> of the first columns of each, in one sweep; S is stored by columns. Cost: 2·rows·columns·others operations.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Project(int columns, Columns w, int others, double* s, int lds)
    {
        int lanes = Vector<double>.Count;
        for (int i = 0; i < others; i++)
            new Span<double>(s + (nint)i * lds, columns).Clear();
        for (int row = 0; row < Rows; row += RowBlock)
        {
            int count = Math.Min(RowBlock, Rows - row), i = 0;
            for (; i + 2 <= others; i += 2)
            {
                double* x = w[i] + row, y = w[i + 1] + row, sx = s + (nint)i * lds, sy = sx + lds;
                int j = 0;
                for (; j + 4 <= columns; j += 4)
                {
                    double* v0 = this[j] + row, v1 = v0 + Stride, v2 = v1 + Stride, v3 = v2 + Stride;
                    Vector<double> x0, x1, x2, x3, y0, y1, y2, y3;
                    x0 = x1 = x2 = x3 = y0 = y1 = y2 = y3 = Vector<double>.Zero;
                    for (int k = 0; k < count; k += lanes)
                    {
                        Vector<double> xk = Vector.Load(x + k), yk = Vector.Load(y + k);
                        var v = Vector.Load(v0 + k);
                        x0 = Vector.FusedMultiplyAdd(v, xk, x0);
                        y0 = Vector.FusedMultiplyAdd(v, yk, y0);
                        v = Vector.Load(v1 + k);
                        x1 = Vector.FusedMultiplyAdd(v, xk, x1);
                        y1 = Vector.FusedMultiplyAdd(v, yk, y1);
                        v = Vector.Load(v2 + k);
                        x2 = Vector.FusedMultiplyAdd(v, xk, x2);
                        y2 = Vector.FusedMultiplyAdd(v, yk, y2);
                        v = Vector.Load(v3 + k);
                        x3 = Vector.FusedMultiplyAdd(v, xk, x3);
                        y3 = Vector.FusedMultiplyAdd(v, yk, y3);
                    }
                    (sx[j], sx[j + 1], sx[j + 2], sx[j + 3]) = (sx[j] + Vector.Sum(x0), sx[j + 1] + Vector.Sum(x1), sx[j + 2] + Vector.Sum(x2), sx[j + 3] + Vector.Sum(x3));
                    (sy[j], sy[j + 1], sy[j + 2], sy[j + 3]) = (sy[j] + Vector.Sum(y0), sy[j + 1] + Vector.Sum(y1), sy[j + 2] + Vector.Sum(y2), sy[j + 3] + Vector.Sum(y3));
                }
                for (; j < columns; j++)
                {
                    sx[j] += Dot(this[j] + row, x, count);
                    sy[j] += Dot(this[j] + row, y, count);
                }
            }
            if (i < others)
                AddProjection(columns, row, count, w[i], s + (nint)i * lds);
        }
    }

    /// <summary><c>w -= V·h</c>, then <c>again = Vᵀ·w</c>, in one sweep: the second half of a Gram–Schmidt pass and the first of the next.</summary>
    public void SubtractAndProject(int columns, double* h, double* w, double* again)
    {
        new Span<double>(again, columns).Clear();
        for (int row = 0; row < Rows; row += RowBlock)
        {
            int count = Math.Min(RowBlock, Rows - row);
            SubtractBlock(columns, row, count, h, w);
            AddProjection(columns, row, count, w, again);
        }
    }

    /// <summary><c>w -= V·h</c>. One sweep.</summary>
    public void Subtract(int columns, double* h, double* w)
    {
        for (int row = 0; row < Rows; row += RowBlock)
            SubtractBlock(columns, row, Math.Min(RowBlock, Rows - row), h, w);
    }

    /// <summary>
    /// Orthogonalises w against the first columns by classical Gram–Schmidt, twice (CGS2), which leaves it orthogonal to rounding:
    /// <c>h = Vᵀw, w -= V·h</c>. Three sweeps instead of four.
    /// </summary>
    /// <param name="columns">How many orthonormal columns.</param>
    /// <param name="w">The vector, padded.</param>
    /// <param name="h">The coefficients, both passes together.</param>
    /// <param name="correction">Room for as many numbers.</param>
    public void Orthogonalise(int columns, double* w, double* h, double* correction)
    {
        Project(columns, w, h);
        SubtractAndProject(columns, h, w, correction);
        Subtract(columns, correction, w);
        for (int j = 0; j < columns; j++)
            h[j] += correction[j];
    }

    /// <summary><c>target (+)= V·P</c> of the first columns; P is stored by columns. Cost: 2·rows·columns·products operations.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Multiply(int columns, double* p, int ldp, int products, Columns target, bool accumulate)
    {
        int lanes = Vector<double>.Count;
        for (int block = 0; block < Rows; block += RowBlock)
        {
            int end = Math.Min(block + RowBlock, Rows);
            int i = 0;
            for (; i + 4 <= products; i += 4)
            {
                double* p0 = p + (nint)i * ldp, p1 = p0 + ldp, p2 = p1 + ldp, p3 = p2 + ldp;
                double* t0 = target[i], t1 = target[i + 1], t2 = target[i + 2], t3 = target[i + 3];
                for (int row = block; row < end; row += lanes)
                {
                    Vector<double> s0, s1, s2, s3;
                    s0 = s1 = s2 = s3 = Vector<double>.Zero;
                    double* v = Data + row;
                    for (int j = 0; j < columns; j++, v += Stride)
                    {
                        var x = Vector.Load(v);
                        s0 = Vector.FusedMultiplyAdd(x, new Vector<double>(p0[j]), s0);
                        s1 = Vector.FusedMultiplyAdd(x, new Vector<double>(p1[j]), s1);
                        s2 = Vector.FusedMultiplyAdd(x, new Vector<double>(p2[j]), s2);
                        s3 = Vector.FusedMultiplyAdd(x, new Vector<double>(p3[j]), s3);
                    }
                    Put(s0, t0 + row, accumulate);
                    Put(s1, t1 + row, accumulate);
                    Put(s2, t2 + row, accumulate);
                    Put(s3, t3 + row, accumulate);
                }
            }
            for (; i < products; i++)
            {
                double* p0 = p + (nint)i * ldp, t0 = target[i];
                for (int row = block; row < end; row += lanes)
                {
                    var sum = Vector<double>.Zero;
                    double* v = Data + row;
                    for (int j = 0; j < columns; j++, v += Stride)
                        sum = Vector.FusedMultiplyAdd(Vector.Load(v), new Vector<double>(p0[j]), sum);
                    Put(sum, t0 + row, accumulate);
                }
            }
        }
    }

    /// <summary>The Euclidean norm of a padded vector.</summary>
    public static double Norm(double* x, int rows) => Math.Sqrt(Dot(x, x, rows));

    /// <summary>The inner product of two padded vectors.</summary>
    public static double Dot(double* x, double* y, int rows)
    {
        int lanes = Vector<double>.Count;
        Vector<double> s0 = Vector<double>.Zero, s1 = s0;
        for (int i = 0; i < rows; i += 2 * lanes)
        {
            s0 = Vector.FusedMultiplyAdd(Vector.Load(x + i), Vector.Load(y + i), s0);
            s1 = Vector.FusedMultiplyAdd(Vector.Load(x + i + lanes), Vector.Load(y + i + lanes), s1);
        }
        return Vector.Sum(s0 + s1);
    }

    /// <summary><c>target = factor·x</c> of padded vectors, which may be the same.</summary>
    public static void Scale(double factor, double* x, double* target, int rows)
    {
        var f = new Vector<double>(factor);
        for (int i = 0; i < rows; i += Vector<double>.Count)
            Vector.Store(f * Vector.Load(x + i), target + i);
    }

    /// <summary><c>y += factor·x</c> of padded vectors.</summary>
    public static void Add(double factor, double* x, double* y, int rows)
    {
        var f = new Vector<double>(factor);
        for (int i = 0; i < rows; i += Vector<double>.Count)
            Vector.Store(Vector.FusedMultiplyAdd(f, Vector.Load(x + i), Vector.Load(y + i)), y + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddProjection(int columns, int row, int count, double* w, double* h)
    {
        int lanes = Vector<double>.Count, j = 0;
        w += row;
        for (; j + 4 <= columns; j += 4)
        {
            double* v0 = this[j] + row, v1 = v0 + Stride, v2 = v1 + Stride, v3 = v2 + Stride;
            Vector<double> a0, a1, a2, a3, b0, b1, b2, b3;
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = Vector<double>.Zero;
            for (int i = 0; i < count; i += 2 * lanes)
            {
                var x = Vector.Load(w + i);
                a0 = Vector.FusedMultiplyAdd(Vector.Load(v0 + i), x, a0);
                a1 = Vector.FusedMultiplyAdd(Vector.Load(v1 + i), x, a1);
                a2 = Vector.FusedMultiplyAdd(Vector.Load(v2 + i), x, a2);
                a3 = Vector.FusedMultiplyAdd(Vector.Load(v3 + i), x, a3);
                x = Vector.Load(w + i + lanes);
                b0 = Vector.FusedMultiplyAdd(Vector.Load(v0 + i + lanes), x, b0);
                b1 = Vector.FusedMultiplyAdd(Vector.Load(v1 + i + lanes), x, b1);
                b2 = Vector.FusedMultiplyAdd(Vector.Load(v2 + i + lanes), x, b2);
                b3 = Vector.FusedMultiplyAdd(Vector.Load(v3 + i + lanes), x, b3);
            }
            h[j] += Vector.Sum(a0 + b0);
            h[j + 1] += Vector.Sum(a1 + b1);
            h[j + 2] += Vector.Sum(a2 + b2);
            h[j + 3] += Vector.Sum(a3 + b3);
        }
        for (; j < columns; j++)
            h[j] += Dot(this[j] + row, w, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SubtractBlock(int columns, int row, int count, double* h, double* w)
    {
        int lanes = Vector<double>.Count, j = 0;
        w += row;
        for (; j + 4 <= columns; j += 4)
        {
            double* v0 = this[j] + row, v1 = v0 + Stride, v2 = v1 + Stride, v3 = v2 + Stride;
            Vector<double> h0 = new(-h[j]), h1 = new(-h[j + 1]), h2 = new(-h[j + 2]), h3 = new(-h[j + 3]);
            for (int i = 0; i < count; i += lanes)
            {
                var x = Vector.FusedMultiplyAdd(h0, Vector.Load(v0 + i), Vector.Load(w + i));
                x = Vector.FusedMultiplyAdd(h1, Vector.Load(v1 + i), x);
                x = Vector.FusedMultiplyAdd(h2, Vector.Load(v2 + i), x);
                Vector.Store(Vector.FusedMultiplyAdd(h3, Vector.Load(v3 + i), x), w + i);
            }
        }
        for (; j < columns; j++)
            Add(-h[j], this[j] + row, w, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector<double> value, double* at, bool accumulate) =>
        Vector.Store(accumulate ? Vector.Load(at) + value : value, at);
}
