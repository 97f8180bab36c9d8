using Winnow.Core;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Tests.Sparse;

/// <summary>Scratchpad hashing: versions, modes, windows, tables.</summary>
public sealed class SmashTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static IEnumerable<SmashOptions> Options =>
        from version in Enum.GetValues<SmashVersion>()
        from mode in Enum.GetValues<SmashMode>()
        from threads in (int[])[1, 3]
        from bytes in (int[])[256, 128 << 10]
        from symbolic in (bool[])[true, false]
        from hash in (SmashHash[])[SmashHash.Thesis, SmashHash.Multiplicative]
        select new SmashOptions { Version = version, Mode = mode, Threads = threads, WindowBytes = bytes, SymbolicPass = symbolic, Hash = hash };

    [Fact]
    public void Private_tables_give_the_bits_of_the_definition_whatever_the_version_window_and_threads()
    {
        var random = new Random(1);
        foreach (var (m, k, n, density) in ((int, int, int, double)[])[(30, 25, 28, 0.15), (10, 12, 300, 0.3), (1, 1, 1, 1), (0, 3, 3, 1), (3, 0, 3, 1), (3, 3, 0, 1)])
        {
            var (a, b) = (SparseCases.Random(m, k, density, random), SparseCases.Random(k, n, density, random));
            var expected = SparseCases.Product(a, b);
            foreach (var options in Options.Where(o => o.Mode == SmashMode.Private))
                SparseCases.Same(expected, Smash.Multiply(a, b, options, cancellation: Cancellation).Matrix);
        }
    }

    [Fact]
    public void Whole_numbers_are_exact_in_any_order_of_the_threads()
    {
        var random = new Random(2);
        var (a, b) = (SparseCases.Whole(20, 30, 0.2, random), SparseCases.Whole(30, 90, 0.2, random));
        var expected = SparseCases.Product(a, b);
        foreach (var options in Options)
            SparseCases.Same(expected, Smash.Multiply(a, b, options, cancellation: Cancellation).Matrix);
    }

    [Fact]
    public void A_shared_table_only_reorders_sums()
    {
        var random = new Random(3);
        var (a, b) = (SparseCases.Random(10, 50, 0.4, random), SparseCases.Random(50, 60, 0.4, random));
        var expected = SparseCases.Product(a, b);
        // two orders of a sum of at most 50 terms differ by at most 2·50·u·Σ|terms|
        var bound = SparseCases.Product(Magnitudes(a), Magnitudes(b));
        bound = new(bound.Rows, bound.Columns, bound.Starts, bound.Indices, [.. bound.Values.Select(v => v * 100 * Math.Pow(2, -53))]);
        foreach (var options in Options.Where(o => o.Mode == SmashMode.Atomic))
            SparseCases.Close(expected, Smash.Multiply(a, b, options, cancellation: Cancellation).Matrix, bound);

        static SparseMatrix<double> Magnitudes(SparseMatrix<double> m) => new(m.Rows, m.Columns, m.Starts, m.Indices, Array.ConvertAll(m.Values, Math.Abs));
    }

    [Fact]
    public void Undefined_values_end_in_a_shared_table_too()
    {
        SparseMatrix<double> a = SparseMatrix.FromEntries<double>(1, 2, [(0, 0, double.NaN), (0, 1, 1)]), b = SparseMatrix.FromEntries<double>(2, 2, [(0, 0, 1), (1, 0, 1), (1, 1, 5)]);
        foreach (var options in Options)
            Assert.Equal([double.NaN, 5.0], Smash.Multiply(a, b, options, cancellation: Cancellation).Matrix.Values);
    }

    [Fact]
    public void Multiplications_are_counted_once_by_window_and_by_thread()
    {
        var a = SparseMatrix.RMat<double>(6, 4, new SeededRandom(1, "graph"));
        long flops = SparseCases.Multiplications(a, a);
        foreach (var options in Options)
        {
            var s = Smash.Multiply(a, a, options, cancellation: Cancellation).Statistics;
            Assert.Equal(flops, s.Multiplications);
            Assert.Equal(flops, s.WindowLoad.Sum());
            Assert.Equal(flops, s.ThreadLoad.Sum());
            Assert.Equal(options.Threads, s.ThreadLoad.Count);
            Assert.Equal(s.Windows, s.WindowLoad.Count);
            Assert.Equal(flops, s.Probes - s.Collisions);
            Assert.Equal(options.SymbolicPass, s.SymbolicProbes > 0);
            Assert.Equal(0, options.SymbolicPass ? s.IntermediateBytes : 0);
        }
    }

    [Fact]
    public void Keys_that_all_begin_at_one_slot_are_still_told_apart()
    {
        // all columns are congruent modulo 1024: of the 8,192 slots of the largest table, low bits begin at 8
        var random = new Random(4);
        var b = SparseMatrix.FromEntries(20, 40 * 1024, Enumerable.Range(0, 20).SelectMany(k => Enumerable.Range(0, 10).Select(_ => (k, random.Next(40) * 1024, (double)random.Next(1, 9)))));
        var a = SparseCases.Whole(6, 20, 0.6, random);
        var expected = SparseProducts.Heap(a, b, Cancellation).Matrix;
        foreach (var options in Options)
        {
            var product = Smash.Multiply(a, b, options, cancellation: Cancellation);
            SparseCases.Same(expected, product.Matrix);
            if (options is { Version: SmashVersion.StaticRows, WindowBytes: 128 << 10, Hash: SmashHash.Thesis })
                Assert.True(product.Statistics.Collisions > product.Statistics.Multiplications, $"{product.Statistics.Collisions} collisions");
            if (options is { WindowBytes: 128 << 10, Hash: SmashHash.Multiplicative })
                Assert.True(product.Statistics.Collisions < product.Statistics.Multiplications, $"{product.Statistics.Collisions} collisions");
        }
    }

    [Fact]
    public void No_window_holds_more_keys_than_a_table_may_and_large_rows_become_strips()
    {
        var random = new Random(5);
        var (a, b) = (SparseCases.Random(20, 30, 0.5, random), SparseCases.Random(30, 200, 0.5, random));
        var windows = Smash.Distribute(a, b, capacity: 64);
        Assert.All(windows, w => Assert.InRange(w.Bound, 1, 64));
        Assert.Contains(windows, w => w.IsStrip);
        Assert.Equal(SparseCases.Multiplications(a, b), windows.Sum(w => w.Multiplications));
        // in order, without gaps between the places that they write to
        for (int w = 1; w < windows.Length; w++)
            Assert.Equal(windows[w - 1].Offset + windows[w - 1].Bound, windows[w].Offset);
        var sparse = SparseCases.Random(200, 30, 0.03, random);
        var shared = Smash.Distribute(sparse, SparseCases.Random(30, 200, 0.03, random), capacity: 64);
        Assert.All(shared, w => Assert.False(w.IsStrip));
        Assert.True(shared.Length < 200);
    }

    [Fact]
    public void Keys_beyond_32_bits_are_told_apart()
    {
        // 3 rows share a window of 2^30 columns: the key of the last column of the last row is 3·2^30 - 1
        int n = 1 << 30;
        var b = SparseMatrix.FromEntries(3, n, [(0, 0, 1.0), (0, n - 1, 2), (1, 0, 3), (1, n - 1, 4), (2, n / 2, 5)]);
        var a = SparseMatrix.FromEntries(6, 3, Enumerable.Range(0, 6).SelectMany(i => Enumerable.Range(0, 3).Select(k => (i, k, (double)(i + k)))));
        var expected = SparseProducts.Heap(a, b, Cancellation).Matrix;
        foreach (var options in Options)
            SparseCases.Same(expected, Smash.Multiply(a, b, options, cancellation: Cancellation).Matrix);
        SparseCases.Same(expected, SparseMatrix.Multiply(a, b, cancellation: Cancellation).Matrix);
    }

    [Fact]
    public void Float32_too()
    {
        var random = new Random(6);
        var (a, b) = (SparseCases.Random(20, 30, 0.3, random, r => r.NextSingle()), SparseCases.Random(30, 40, 0.3, random, r => r.NextSingle()));
        foreach (var version in Enum.GetValues<SmashVersion>())
            SparseCases.Same(SparseCases.Product(a, b), Smash.Multiply(a, b, new() { Version = version, WindowBytes = 1024 }, cancellation: Cancellation).Matrix);
    }

    [Fact]
    public void Tables_are_all_the_memory_and_given_back()
    {
        var a = SparseMatrix.RMat<double>(8, 8, new SeededRandom(1, "graph"));
        foreach (var version in Enum.GetValues<SmashVersion>())
        {
            var scratch = new Scratch();
            Smash.Multiply(a, a, new() { Version = version, WindowBytes = 16 << 10 }, scratch, Cancellation);
            Assert.Equal(0, scratch.LiveBytes);
            // the window, once more where it is gathered, and the places of the spares
            Assert.InRange(scratch.PeakBytes, 8 << 10, (32 << 10) + 256);
        }
        Assert.Throws<ScratchLimitException>(() => Smash.Multiply(a, a, new(), new Scratch(1000), Cancellation));
    }
}
