using System.Numerics;

namespace Winnow.Numerics.Sparse;

/// <summary>What a plain product gave.</summary>
/// <param name="Matrix">The product, columns ascending, zeros that came out kept.</param>
/// <param name="Operations">Scalar multiplications; for the inner product the steps of the intersections, too.</param>
/// <param name="IntermediateBytes">Bytes of partial products held at once beside operands and result.</param>
public sealed record PlainProduct<T>(SparseMatrix<T> Matrix, long Operations, long IntermediateBytes) where T : unmanaged, IFloatingPointIeee754<T>;

/// <summary>
/// The textbook ways to multiply sparse matrices, on one thread, to compare with. All give the same bits: an entry is the sum of its products
/// in the order of the inner index, beginning at zero.
/// </summary>
public static class SparseProducts
{
    /// <summary>Every row of A with every column of B: O(m·n) intersections of sorted lists, nearly all of them for nothing.</summary>
    public static PlainProduct<T> Inner<T>(SparseMatrix<T> a, SparseMatrix<T> b, CancellationToken cancellation = default) where T : unmanaged, IFloatingPointIeee754<T>
    {
        SparseMatrix.RequireConformable(a, b);
        var columns = b.Transpose();
        var c = new Rows<T>(a.Rows, b.Columns);
        long operations = 0;
        for (int i = 0; i < a.Rows; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int j = 0; j < b.Columns; j++)
            {
                T sum = T.Zero;
                bool any = false;
                long p = a.Starts[i], q = columns.Starts[j];
                for (; p < a.Starts[i + 1] && q < columns.Starts[j + 1]; operations++)
                {
                    int left = a.Indices[p], right = columns.Indices[q];
                    if (left == right)
                    {
                        sum += a.Values[p] * columns.Values[q];
                        any = true;
                    }
                    p += left <= right ? 1 : 0;
                    q += right <= left ? 1 : 0;
                }
                if (any)
                    c.Add(j, sum);
            }
            c.EndRow(i);
        }
        return new(c.Matrix(), operations, Bytes<T>(b.Entries));
    }

    /// <summary>Every column of A with its row of B: all products are written down, then merged by place. O(flops) intermediate memory.</summary>
    public static PlainProduct<T> Outer<T>(SparseMatrix<T> a, SparseMatrix<T> b, CancellationToken cancellation = default) where T : unmanaged, IFloatingPointIeee754<T>
    {
        SparseMatrix.RequireConformable(a, b);
        var columns = a.Transpose();
        // the partial matrix of each k is sorted by place; merging them two by two keeps the order of k within a place
        var partial = new Queue<(long Key, T Value)[]>();
        long products = 0;
        for (int k = 0; k < b.Rows; k++)
        {
            cancellation.ThrowIfCancellationRequested();
            var product = new (long, T)[checked((int)((columns.Starts[k + 1] - columns.Starts[k]) * (b.Starts[k + 1] - b.Starts[k])))];
            int at = 0;
            for (long p = columns.Starts[k]; p < columns.Starts[k + 1]; p++)
            {
                for (long q = b.Starts[k]; q < b.Starts[k + 1]; q++)
                    product[at++] = ((long)columns.Indices[p] * b.Columns + b.Indices[q], columns.Values[p] * b.Values[q]);
            }
            products += at;
            if (at > 0)
                partial.Enqueue(product);
        }
        for (int left = partial.Count; left > 1; left = partial.Count)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int pair = 0; pair < left / 2; pair++)
                partial.Enqueue(Merge(partial.Dequeue(), partial.Dequeue()));
            if (left % 2 == 1)
                partial.Enqueue(partial.Dequeue());
        }
        return new(Compress(partial.Count == 0 ? [] : partial.Dequeue(), a.Rows, b.Columns), products, products * (sizeof(long) + SizeOf<T>()) * 2);
    }

    /// <summary>Row by row with a sum for every column and a list of those touched, sorted at the end of the row (Gustavson, 1978).</summary>
    public static PlainProduct<T> Gustavson<T>(SparseMatrix<T> a, SparseMatrix<T> b, CancellationToken cancellation = default) where T : unmanaged, IFloatingPointIeee754<T>
    {
        SparseMatrix.RequireConformable(a, b);
        var c = new Rows<T>(a.Rows, b.Columns);
        var sums = new T[b.Columns];
        int[] touchedBy = new int[b.Columns], touched = new int[b.Columns];
        long products = 0;
        for (int i = 0; i < a.Rows; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = 0;
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
            {
                int k = a.Indices[p];
                for (long q = b.Starts[k]; q < b.Starts[k + 1]; q++)
                {
                    int j = b.Indices[q];
                    if (touchedBy[j] != i + 1)
                    {
                        touchedBy[j] = i + 1;
                        touched[count++] = j;
                        sums[j] = T.Zero;
                    }
                    sums[j] += a.Values[p] * b.Values[q];
                }
                products += b.Starts[k + 1] - b.Starts[k];
            }
            touched.AsSpan(0, count).Sort();
            foreach (int j in touched.AsSpan(0, count))
                c.Add(j, sums[j]);
            c.EndRow(i);
        }
        return new(c.Matrix(), products, (long)b.Columns * (SizeOf<T>() + 2 * sizeof(int)));
    }

    /// <summary>Row by row as a merge of sorted rows of B through a heap that holds the next entry of each.</summary>
    public static PlainProduct<T> Heap<T>(SparseMatrix<T> a, SparseMatrix<T> b, CancellationToken cancellation = default) where T : unmanaged, IFloatingPointIeee754<T>
    {
        SparseMatrix.RequireConformable(a, b);
        var c = new Rows<T>(a.Rows, b.Columns);
        var heap = new PriorityQueue<(long P, long Q), (int Column, long P)>();
        long products = 0, longest = 0;
        for (int i = 0; i < a.Rows; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
            {
                if (b.Starts[a.Indices[p]] is var q && q < b.Starts[a.Indices[p] + 1])
                    heap.Enqueue((p, q), (b.Indices[q], p));
            }
            longest = Math.Max(longest, heap.Count);
            while (heap.TryPeek(out _, out var least))
            {
                T sum = T.Zero;
                while (heap.TryPeek(out var at, out var next) && next.Column == least.Column)
                {
                    sum += a.Values[at.P] * b.Values[at.Q];
                    products++;
                    if (at.Q + 1 < b.Starts[a.Indices[at.P] + 1])
                        heap.DequeueEnqueue((at.P, at.Q + 1), (b.Indices[at.Q + 1], at.P));
                    else
                        heap.Dequeue();
                }
                c.Add(least.Column, sum);
            }
            c.EndRow(i);
        }
        return new(c.Matrix(), products, longest * 4 * sizeof(long));
    }

    /// <summary>All products expanded into one list, sorted by place, neighbours of one place added up (ESC). O(flops) intermediate memory.</summary>
    public static PlainProduct<T> ExpandSortCompress<T>(SparseMatrix<T> a, SparseMatrix<T> b, CancellationToken cancellation = default) where T : unmanaged, IFloatingPointIeee754<T>
    {
        SparseMatrix.RequireConformable(a, b);
        long products = a.Indices.Sum(k => b.Starts[k + 1] - b.Starts[k]);
        if (products > Array.MaxLength)
            throw new ArgumentException($"{products:N0} products to expand; expected at most {Array.MaxLength:N0}: use a method that expands nothing", nameof(a));
        var expanded = new (long Key, int Order, T Value)[products];
        int at = 0;
        for (int i = 0; i < a.Rows; i++)
        {
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
            {
                for (long q = b.Starts[a.Indices[p]]; q < b.Starts[a.Indices[p] + 1]; q++)
                {
                    expanded[at] = ((long)i * b.Columns + b.Indices[q], at, a.Values[p] * b.Values[q]);
                    at++;
                }
            }
        }
        cancellation.ThrowIfCancellationRequested();
        Array.Sort(expanded, (x, y) => x.Key != y.Key ? x.Key.CompareTo(y.Key) : x.Order.CompareTo(y.Order));
        return new(Compress(Array.ConvertAll(expanded, e => (e.Key, e.Value)), a.Rows, b.Columns), products, products * (sizeof(long) + sizeof(int) + SizeOf<T>()));
    }

    /// <summary>Merges lists sorted by place; at one place the first list's entries come first.</summary>
    private static (long Key, T Value)[] Merge<T>((long Key, T Value)[] x, (long Key, T Value)[] y)
    {
        var merged = new (long, T)[x.Length + y.Length];
        for (int i = 0, j = 0, at = 0; at < merged.Length; at++)
            merged[at] = j == y.Length || i < x.Length && x[i].Key <= y[j].Key ? x[i++] : y[j++];
        return merged;
    }

    private static SparseMatrix<T> Compress<T>((long Key, T Value)[] sorted, int rows, int columns) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var c = new Rows<T>(rows, columns);
        for (int i = 0, at = 0; i < rows; i++)
        {
            while (at < sorted.Length && sorted[at].Key / columns == i)
            {
                long key = sorted[at].Key;
                T sum = T.Zero;
                for (; at < sorted.Length && sorted[at].Key == key; at++)
                    sum += sorted[at].Value;
                c.Add((int)(key % columns), sum);
            }
            c.EndRow(i);
        }
        return c.Matrix();
    }

    private static unsafe int SizeOf<T>() where T : unmanaged => sizeof(T);

    private static long Bytes<T>(long entries) where T : unmanaged => entries * (sizeof(int) + SizeOf<T>());

    /// <summary>Rows of a product as they come.</summary>
    private sealed class Rows<T>(int rows, int columns) where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly long[] _starts = new long[rows + 1];
        private readonly List<int> _indices = [];
        private readonly List<T> _values = [];

        public void Add(int column, T value)
        {
            _indices.Add(column);
            _values.Add(value);
        }

        public void EndRow(int i) => _starts[i + 1] = _indices.Count;

        public SparseMatrix<T> Matrix() => new(rows, columns, _starts, [.. _indices], [.. _values]);
    }
}
