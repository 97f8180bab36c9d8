using System.Numerics;

namespace Winnow.Numerics.Sparse;

public static unsafe partial class SparseMatrix
{
    /// <summary>
    /// <c>C = A·B</c>, row by row in two passes: the first counts the columns of each row of C with bits alone, the second computes into arrays of
    /// exactly that size. Rows of equal work are handed out to the threads. The bits of the result depend on neither threads nor kernel.
    /// Cost: one multiplication for each pair a_ik, b_kj; memory: the product and, for each thread, at most one value a column of B.
    /// </summary>
    /// <param name="a">m × k.</param>
    /// <param name="b">k × n.</param>
    /// <param name="options">How; null for one thread and the kernel that measures fastest for each row.</param>
    /// <param name="scratch">Where temporaries come from; null for memory of its own.</param>
    /// <param name="cancellation">Stops between blocks of rows.</param>
    /// <returns>m × n, columns ascending, zeros that came out kept unless the options say otherwise.</returns>
    /// <exception cref="ArgumentException">The inner sizes differ, or the options are out of range.</exception>
    /// <exception cref="ScratchLimitException">The temporaries need more than the scratch may hold.</exception>
    public static SparseProduct<T> Multiply<T>(SparseMatrix<T> a, SparseMatrix<T> b, ProductOptions? options = null, Scratch? scratch = null, CancellationToken cancellation = default)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        RequireConformable(a, b);
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        using var part = (scratch ??= new()).Part();
        fixed (long* aStarts = a.Starts, bStarts = b.Starts)
        fixed (int* aIndices = a.Indices, bIndices = b.Indices)
        fixed (T* aValues = a.Values, bValues = b.Values)
        {
            var left = new Csr<T>(a.Rows, a.Columns, aStarts, aIndices, aValues);
            var right = new Csr<T>(b.Rows, b.Columns, bStarts, bIndices, bValues);
            using var plan = new ProductPlan<T>(left, right, options, part.Scratch);
            using var blocks = plan.UsesDense ? new BlockedRows<T>(left, right, plan.Total, options.Vectors, part.Scratch) : null;
            using var team = new Team<T>(plan, left, right, blocks, part.Scratch);
            var starts = new long[a.Rows + 1];
            team.ForRows((rows, i) => starts[i + 1] = rows.Count(i, plan.Kernel(i), plan.Multiplications(i)), cancellation);
            for (int i = 0; i < a.Rows; i++)
                starts[i + 1] += starts[i];
            if (starts[a.Rows] > Array.MaxLength)
                throw new ArgumentException($"the product has {starts[a.Rows]:N0} entries; one matrix holds at most {Array.MaxLength:N0}: multiply blocks of the rows of A", nameof(a));
            var indices = GC.AllocateUninitializedArray<int>((int)starts[a.Rows]);
            var values = GC.AllocateUninitializedArray<T>((int)starts[a.Rows]);
            fixed (int* columnsAt = indices)
            fixed (T* valuesAt = values)
            {
                var (c, v) = ((nint)columnsAt, (nint)valuesAt);
                team.ForRows((rows, i) => rows.Write(i, plan.Kernel(i), plan.Multiplications(i), (int*)c + starts[i], (T*)v + starts[i]), cancellation);
            }
            var product = SparseMatrix<T>.Trusted(a.Rows, b.Columns, starts, indices, values);
            var statistics = new ProductStatistics(plan.Total, starts[a.Rows], plan.Uses(), team.Load, scratch.PeakBytes);
            return new(options.PruneZeros ? WithoutZeros(product) : product, statistics);
        }
    }

    /// <summary>The matrix without entries that are zero. Cost: O(rows + entries).</summary>
    public static SparseMatrix<T> WithoutZeros<T>(SparseMatrix<T> matrix) where T : unmanaged, IFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(matrix);
        var starts = new long[matrix.Rows + 1];
        int kept = matrix.Values.Count(v => v != T.Zero), at = 0;
        var indices = new int[kept];
        var values = new T[kept];
        for (int i = 0; i < matrix.Rows; i++)
        {
            for (long p = matrix.Starts[i]; p < matrix.Starts[i + 1]; p++)
            {
                if (matrix.Values[p] != T.Zero)
                    (indices[at], values[at++]) = (matrix.Indices[p], matrix.Values[p]);
            }
            starts[i + 1] = at;
        }
        return SparseMatrix<T>.Trusted(matrix.Rows, matrix.Columns, starts, indices, values);
    }

    internal static void RequireConformable<T>(SparseMatrix<T> a, SparseMatrix<T> b) where T : unmanaged, IFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Columns != b.Rows)
            throw new ArgumentException($"A is {a.Rows} × {a.Columns} and B {b.Rows} × {b.Columns}; expected as many rows of B as columns of A: transpose one of them?", nameof(b));
    }

    /// <summary>Threads with what each needs to make rows; whoever is free takes the next block of rows.</summary>
    private sealed class Team<T>(ProductPlan<T> plan, Csr<T> a, Csr<T> b, BlockedRows<T>? blocks, Scratch scratch) : IDisposable where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly RowKernels<T>[] _members = [.. Enumerable.Range(0, plan.Threads).Select(_ => new RowKernels<T>(a, b, blocks, plan.Hashed, plan.Sorted, scratch))];

        /// <summary>Multiplications by thread in the last pass.</summary>
        public long[] Load { get; } = new long[plan.Threads];

        public void ForRows(Action<RowKernels<T>, int> row, CancellationToken cancellation)
        {
            int next = -1;
            Array.Clear(Load);
            if (_members.Length == 1)
                Work(0);
            else
                Parallel.For(0, _members.Length, new ParallelOptions { MaxDegreeOfParallelism = _members.Length }, Work);

            void Work(int member)
            {
                for (int block = Interlocked.Increment(ref next); block < plan.Blocks; block = Interlocked.Increment(ref next))
                {
                    cancellation.ThrowIfCancellationRequested();
                    var (first, end) = plan.Block(block);
                    for (int i = first; i < end; i++)
                    {
                        row(_members[member], i);
                        Load[member] += plan.Multiplications(i);
                    }
                }
            }
        }

        public void Dispose()
        {
            foreach (var member in _members)
                member.Dispose();
        }
    }
}
