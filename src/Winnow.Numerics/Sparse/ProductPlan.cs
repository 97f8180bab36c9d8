using System.Numerics;

namespace Winnow.Numerics.Sparse;

/// <summary>The work of each row of a product, the kernel for it, and blocks of rows of equal work.</summary>
internal sealed unsafe class ProductPlan<T> : IDisposable where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Below this many multiplications a second thread costs more than it does: measured, waking it takes some 10 µs.</summary>
    private const long AloneBelow = 1 << 16;

    /// <summary>Blocks of rows for each thread: enough that the last ones end together.</summary>
    private const int BlocksPerThread = 16;

    private const long CoreCache = 256 << 10, SharedCache = 8 << 20, Largest = 1 << 29;

    private const int DenseFrom = 512, DenseBeyondFrom = 8, SortedUpTo = 32;

    private readonly Scratch.Block<long> _multiplications;
    private readonly Scratch.Block<byte> _kernels;
    private readonly int[] _blocks;
    private readonly long[] _rowsBy = new long[4], _workBy = new long[4];
    private readonly ProductOptions _options;
    private readonly int _columns;

    public ProductPlan(Csr<T> a, Csr<T> b, ProductOptions options, Scratch scratch)
    {
        (_options, _columns) = (options, b.Columns);
        _multiplications = scratch.Take<long>(a.Rows);
        _kernels = scratch.Take<byte>(a.Rows);
        for (int i = 0; i < a.Rows; i++)
        {
            long work = 0;
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                work += b.Starts[a.Indices[p] + 1] - b.Starts[a.Indices[p]];
            var kernel = a.Starts[i + 1] - a.Starts[i] <= 1 ? ProductKernel.Scale : options.Kernel is { } forced and not ProductKernel.Scale ? forced : Choose(work);
            kernel = Fitting(kernel, work);
            (_multiplications.Data[i], _kernels.Data[i]) = (work, (byte)kernel);
            _rowsBy[(int)kernel]++;
            _workBy[(int)kernel] += work;
            Total += work;
            Hashed = kernel == ProductKernel.Hash ? Math.Max(Hashed, work) : Hashed;
            Sorted = kernel == ProductKernel.Sort ? Math.Max(Sorted, work) : Sorted;
        }
        Threads = Total < AloneBelow ? 1 : options.Threads;
        _blocks = Cut(a.Rows);
    }

    public long Total { get; }

    /// <summary>The most multiplications of a row that is hashed.</summary>
    public long Hashed { get; }

    /// <summary>The most multiplications of a row that is sorted.</summary>
    public long Sorted { get; }

    public bool UsesDense => _rowsBy[(int)ProductKernel.Dense] > 0;

    public int Threads { get; }

    public int Blocks => _blocks.Length - 1;

    public ProductKernel Kernel(int i) => (ProductKernel)_kernels.Data[i];

    public long Multiplications(int i) => _multiplications.Data[i];

    public (int First, int End) Block(int block) => (_blocks[block], _blocks[block + 1]);

    public IReadOnlyList<KernelUse> Uses() => [.. Enum.GetValues<ProductKernel>().Where(k => _rowsBy[(int)k] > 0).Select(k => new KernelUse(k, _rowsBy[(int)k], _workBy[(int)k], Reason(k)))];

    /// <summary>
    /// Measured over 2^10 to 2^22 columns and 16 to 8,192 multiplications a row: sums for all columns win while they fit in a core's cache; beyond
    /// it a long row still pays for its misses, since its sums need no sorting; other rows are sorted when short and hashed when not.
    /// </summary>
    private ProductKernel Choose(long work)
    {
        long bytes = (long)_columns * sizeof(T);
        return bytes <= CoreCache || (bytes <= SharedCache ? work * DenseFrom >= _columns : work * DenseBeyondFrom >= _columns) ? ProductKernel.Dense
            : work <= SortedUpTo ? ProductKernel.Sort : ProductKernel.Hash;
    }

    /// <summary>Keys, slots and positions are 32 bits wide: a row beyond that gets sums for all columns, whatever was asked for.</summary>
    private ProductKernel Fitting(ProductKernel kernel, long work) =>
        kernel == ProductKernel.Hash && Math.Min(work, _columns) > Largest || kernel == ProductKernel.Sort && work > Largest ? ProductKernel.Dense : kernel;

    private string Reason(ProductKernel kernel) => kernel switch
    {
        ProductKernel.Scale => "at most one entry in the row of A: nothing to add up",
        _ when _options.Kernel == kernel => "asked for",
        ProductKernel.Dense when (long)_columns * sizeof(T) <= CoreCache => $"sums for {_columns:N0} columns fit in a core's cache",
        ProductKernel.Dense => $"enough multiplications in the row for sums of {_columns:N0} columns, which do not fit in a core's cache",
        ProductKernel.Sort => $"sums for {_columns:N0} columns do not fit in a core's cache, and at most {SortedUpTo} products are sorted faster than hashed",
        _ => $"sums for {_columns:N0} columns do not fit in a core's cache, and the row has too few multiplications to pay for that",
    };

    private int[] Cut(int rows)
    {
        long share = Total / ((long)Threads * BlocksPerThread) + 1, work = 0;
        var cuts = new List<int> { 0 };
        for (int i = 0; i < rows; i++)
        {
            work += _multiplications.Data[i] + 8;
            if (work >= share || i == rows - 1)
            {
                cuts.Add(i + 1);
                work = 0;
            }
        }
        return [.. cuts];
    }

    public void Dispose()
    {
        _multiplications.Dispose();
        _kernels.Dispose();
    }
}
