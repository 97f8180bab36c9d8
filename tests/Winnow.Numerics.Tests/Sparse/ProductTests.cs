using Winnow.Core;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Tests.Sparse;

/// <summary>Products of sparse matrices by the default way and by the textbook's.</summary>
public sealed class ProductTests
{
    private static readonly ProductKernel?[] Kernels = [null, ProductKernel.Dense, ProductKernel.Hash, ProductKernel.Sort];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<int, int, int, double> Sizes => new()
    {
        { 1, 1, 1, 1 }, { 7, 5, 3, 0.5 }, { 40, 30, 50, 0.1 }, { 30, 40, 700, 0.02 }, { 20, 60, 65, 0.9 }, { 60, 200, 130, 0.3 }, { 5, 0, 4, 0 }, { 0, 3, 2, 1 }, { 3, 2, 0, 1 },
    };

    [Theory, MemberData(nameof(Sizes))]
    public void Every_kernel_gives_the_bits_of_the_definition(int m, int k, int n, double density)
    {
        var random = new Random(m + 31 * k + 97 * n);
        var (a, b) = (SparseCases.Random(m, k, density, random), SparseCases.Random(k, n, density, random));
        var expected = SparseCases.Product(a, b);
        foreach (var kernel in Kernels)
        {
            foreach (int threads in (int[])[1, 3])
            {
                foreach (bool vectors in (bool[])[true, false])
                    SparseCases.Same(expected, SparseMatrix.Multiply(a, b, new() { Kernel = kernel, Threads = threads, Vectors = vectors }, cancellation: Cancellation).Matrix);
            }
        }
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Float32_too(int m, int k, int n, double density)
    {
        var random = new Random(m + k + n);
        var (a, b) = (SparseCases.Random(m, k, density, random, r => r.NextSingle() - 0.5f), SparseCases.Random(k, n, density, random, r => r.NextSingle() - 0.5f));
        var expected = SparseCases.Product(a, b);
        foreach (var kernel in Kernels)
            SparseCases.Same(expected, SparseMatrix.Multiply(a, b, new() { Kernel = kernel }, cancellation: Cancellation).Matrix);
    }

    [Theory, MemberData(nameof(Sizes))]
    public void The_textbook_ways_give_the_same_bits(int m, int k, int n, double density)
    {
        var random = new Random(m + 7 * k + n);
        var (a, b) = (SparseCases.Random(m, k, density, random), SparseCases.Random(k, n, density, random));
        var expected = SparseCases.Product(a, b);
        long multiplications = SparseCases.Multiplications(a, b);
        var inner = SparseProducts.Inner(a, b, Cancellation);
        SparseCases.Same(expected, inner.Matrix);
        Assert.True(inner.Operations >= multiplications);
        foreach (var product in (PlainProduct<double>[])[SparseProducts.Outer(a, b, Cancellation), SparseProducts.Gustavson(a, b, Cancellation), SparseProducts.Heap(a, b, Cancellation), SparseProducts.ExpandSortCompress(a, b, Cancellation)])
        {
            SparseCases.Same(expected, product.Matrix);
            Assert.Equal(multiplications, product.Operations);
        }
    }

    [Fact]
    public void On_a_random_graph_all_kernels_threads_and_choices_agree()
    {
        var a = SparseMatrix.RMat<double>(10, 8, new SeededRandom(5, "graph"));
        var expected = SparseProducts.Gustavson(a, a, Cancellation).Matrix;
        foreach (var kernel in Kernels)
        {
            var product = SparseMatrix.Multiply(a, a, new() { Kernel = kernel, Threads = 4 }, cancellation: Cancellation);
            SparseCases.Same(expected, product.Matrix);
            Assert.Equal(SparseCases.Multiplications(a, a), product.Statistics.Multiplications);
            Assert.Equal(product.Statistics.Multiplications, product.Statistics.ThreadLoad.Sum());
            Assert.Equal(product.Statistics.Multiplications, product.Statistics.Kernels.Sum(u => u.Multiplications));
            Assert.Equal(a.Rows, product.Statistics.Kernels.Sum(u => u.Rows));
            Assert.Equal(expected.Entries, product.Statistics.Entries);
        }
    }

    [Fact]
    public void Scattered_columns_are_marked_one_by_one_and_neighbours_by_blocks_with_the_same_bits()
    {
        // columns a word or more apart save nothing by blocks; runs of neighbours save most of the work
        var random = new Random(4);
        foreach (int step in (int[])[70, 1])
        {
            var b = SparseMatrix.FromEntries(50, 50 * 70, Enumerable.Range(0, 50).SelectMany(k => Enumerable.Range(0, 40).Select(j => (k, (k + j) * step % 3500, random.NextDouble()))));
            var a = SparseCases.Random(30, 50, 0.2, random);
            SparseCases.Same(SparseProducts.Heap(a, b, Cancellation).Matrix, SparseMatrix.Multiply(a, b, new() { Kernel = ProductKernel.Dense }, cancellation: Cancellation).Matrix);
        }
    }

    [Fact]
    public void Units_and_zeros_of_the_product()
    {
        var a = SparseCases.Random(20, 30, 0.2, new Random(1));
        SparseCases.Same(a, SparseMatrix.Multiply(a, SparseCases.Identity<double>(30), cancellation: Cancellation).Matrix);
        SparseCases.Same(a, SparseMatrix.Multiply(SparseCases.Identity<double>(20), a, cancellation: Cancellation).Matrix);
        Assert.Equal(0, SparseMatrix.Multiply(a, SparseCases.Empty<double>(30, 9), cancellation: Cancellation).Matrix.Entries);
        Assert.True(double.IsNaN(SparseMatrix.Multiply(a, SparseCases.Empty<double>(30, 9), cancellation: Cancellation).Statistics.Compression));
    }

    [Fact]
    public void Multiplying_a_vector_twice_is_multiplying_it_by_the_product()
    {
        var random = new Random(2);
        var (a, b) = (SparseCases.Random(40, 50, 0.2, random), SparseCases.Random(50, 60, 0.2, random));
        double[] x = [.. Enumerable.Range(0, 60).Select(_ => random.NextDouble() * 2 - 1)], bx = new double[50], abx = new double[40], cx = new double[40];
        b.Multiply(x, bx);
        a.Multiply(bx, abx);
        SparseMatrix.Multiply(a, b, cancellation: Cancellation).Matrix.Multiply(x, cx);
        // each side sums at most 50·60 terms of at most 1 in two stages, with an error of at most (50 + 60 + 2)·u·Σ|terms|, u = 2⁻⁵³
        double bound = 2 * 112 * Math.Pow(2, -53) * 3000;
        for (int i = 0; i < 40; i++)
            Assert.True(Math.Abs(abx[i] - cx[i]) <= bound, $"row {i}: {abx[i]} and {cx[i]}");
    }

    [Fact]
    public void A_symmetric_matrix_squared_is_symmetric()
    {
        var half = SparseCases.Whole(60, 60, 0.1, new Random(3));
        var a = SparseMatrix.FromEntries(60, 60, Entries(half).Concat(Entries(half.Transpose())));
        var square = SparseMatrix.Multiply(a, a, cancellation: Cancellation).Matrix;
        SparseCases.Same(square, square.Transpose());

        static IEnumerable<(int, int, double)> Entries(SparseMatrix<double> m) =>
            Enumerable.Range(0, m.Rows).SelectMany(i => Enumerable.Range((int)m.Starts[i], (int)(m.Starts[i + 1] - m.Starts[i])).Select(p => (i, m.Indices[p], m.Values[p])));
    }

    [Fact]
    public void Cancelled_entries_are_kept_or_pruned()
    {
        SparseMatrix<double> a = SparseMatrix.FromEntries<double>(1, 2, [(0, 0, 1), (0, 1, -1)]), b = SparseMatrix.FromEntries<double>(2, 2, [(0, 0, 3), (1, 0, 3), (0, 1, 1)]);
        var kept = SparseMatrix.Multiply(a, b, cancellation: Cancellation);
        Assert.Equal([0.0, 1.0], kept.Matrix.Values);
        var pruned = SparseMatrix.Multiply(a, b, new() { PruneZeros = true }, cancellation: Cancellation);
        Assert.Equal([1.0], pruned.Matrix.Values);
        Assert.Equal([1], pruned.Matrix.Indices);
        Assert.Equal([0L, 1L], pruned.Matrix.Starts);
        Assert.Equal(2, pruned.Statistics.Entries);
    }

    [Fact]
    public void Infinite_and_undefined_values_go_where_they_belong_and_nowhere_else()
    {
        // B's rows are full enough to be kept dense: infinity times one of their gaps must not become a NaN
        SparseMatrix<double> a = SparseMatrix.FromEntries<double>(2, 2, [(0, 0, double.PositiveInfinity), (0, 1, 1), (1, 0, double.NaN), (1, 1, 2)]);
        SparseMatrix<double> b = SparseMatrix.FromEntries(2, 64, Enumerable.Range(0, 32).Select(j => (0, 2 * j, 1.0)).Concat(Enumerable.Range(0, 48).Select(j => (1, j, 1.0))));
        var expected = SparseCases.Product(a, b);
        Assert.Contains(expected.Values, double.IsFinite);
        foreach (var kernel in Kernels)
            SparseCases.Same(expected, SparseMatrix.Multiply(a, b, new() { Kernel = kernel }, cancellation: Cancellation).Matrix);
    }

    [Fact]
    public void Columns_that_share_a_slot_are_told_apart()
    {
        // 64 columns 2^20 apart: whatever bits a table of 128 slots looks at, many meet
        var random = new Random(6);
        var b = SparseMatrix.FromEntries(64, 1 << 26, Enumerable.Range(0, 64).SelectMany(k => Enumerable.Range(0, 4).Select(_ => (k, random.Next(64) << 20, random.NextDouble()))));
        var a = SparseCases.Random(10, 64, 0.5, random);
        var expected = SparseProducts.Heap(a, b, Cancellation).Matrix;
        SparseCases.Same(expected, SparseMatrix.Multiply(a, b, new() { Kernel = ProductKernel.Hash }, cancellation: Cancellation).Matrix);
        SparseCases.Same(expected, SparseMatrix.Multiply(a, b, new() { Kernel = ProductKernel.Sort }, cancellation: Cancellation).Matrix);
    }

    [Fact]
    public void The_kernel_is_chosen_by_row_and_says_why()
    {
        // 2^21 columns of double: 16 MB of sums, beyond a cache. Rows of 1, of few and of many entries
        int n = 1 << 21;
        var b = SparseMatrix.FromEntries(100, n, Enumerable.Range(0, 100).SelectMany(k => Enumerable.Range(0, 10).Select(j => (k, (k * 20011 + j * 104729) % n, 1.0))));
        var a = SparseMatrix.FromEntries(3, 100, [(0, 0, 1.0), (1, 1, 1), (1, 2, 1), .. Enumerable.Range(0, 90).Select(k => (2, k, 1.0))]);
        var uses = SparseMatrix.Multiply(a, b, cancellation: Cancellation).Statistics.Kernels;
        Assert.Equal([ProductKernel.Scale, ProductKernel.Hash, ProductKernel.Sort], uses.Select(u => u.Kernel));
        Assert.All(uses, u => Assert.NotEmpty(u.Reason));
        Assert.Contains("core's cache", uses[1].Reason, StringComparison.Ordinal);
        var small = SparseMatrix.Multiply(SparseCases.Random(20, 20, 0.5, new Random(1)), SparseCases.Random(20, 20, 0.5, new Random(2)), cancellation: Cancellation).Statistics.Kernels;
        Assert.Contains(small, u => u.Kernel == ProductKernel.Dense && u.Reason.Contains("fit in a core's cache", StringComparison.Ordinal));
    }

    [Fact]
    public void All_scratch_memory_is_given_back_and_a_limit_is_met()
    {
        var a = SparseMatrix.RMat<double>(8, 8, new SeededRandom(1, "graph"));
        foreach (var kernel in Kernels)
        {
            var scratch = new Scratch();
            var product = SparseMatrix.Multiply(a, a, new() { Kernel = kernel, Threads = 2 }, scratch, Cancellation);
            Assert.Equal(0, scratch.LiveBytes);
            Assert.Equal(scratch.PeakBytes, product.Statistics.ScratchBytes);
        }
        Assert.Throws<ScratchLimitException>(() => SparseMatrix.Multiply(a, a, scratch: new Scratch(1000), cancellation: Cancellation));
    }

    [Fact]
    public void Operands_that_do_not_fit_and_options_out_of_range_are_refused()
    {
        var (a, b) = (SparseCases.Empty<double>(2, 3), SparseCases.Empty<double>(4, 5));
        foreach (Action multiply in (Action[])[() => SparseMatrix.Multiply(a, b, cancellation: Cancellation), () => Smash.Multiply(a, b, cancellation: Cancellation),
            () => SparseProducts.Inner(a, b, Cancellation), () => SparseProducts.Outer(a, b, Cancellation), () => SparseProducts.Gustavson(a, b, Cancellation),
            () => SparseProducts.Heap(a, b, Cancellation), () => SparseProducts.ExpandSortCompress(a, b, Cancellation)])
            Assert.Contains("A is 2 × 3 and B 4 × 5", Assert.Throws<ArgumentException>(multiply).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => SparseMatrix.Multiply(a, a.Transpose(), new() { Threads = 0 }, cancellation: Cancellation));
    }

    [Fact]
    public void A_cancelled_product_stops()
    {
        var a = SparseMatrix.RMat<double>(8, 8, new SeededRandom(1, "graph"));
        var cancelled = new CancellationToken(canceled: true);
        Assert.ThrowsAny<OperationCanceledException>(() => SparseMatrix.Multiply(a, a, cancellation: cancelled));
        Assert.ThrowsAny<OperationCanceledException>(() => Smash.Multiply(a, a, new() { Mode = SmashMode.Atomic, Threads = 2 }, cancellation: cancelled));
    }

    [Fact]
    public void A_random_graph_is_the_same_for_a_seed_and_has_the_asked_skew()
    {
        var (a, b) = (SparseMatrix.RMat<float>(9, 16, new SeededRandom(1, "graph")), SparseMatrix.RMat<float>(9, 16, new SeededRandom(1, "graph")));
        SparseCases.Same(a, b);
        Assert.All(a.Values, v => Assert.Equal(1, v));
        // without skew each of 16384 edges is in the upper half with chance 1/2: 8192 ± 5·64 but for 6 seeds in 10 million, less the few that fell together
        var flat = SparseMatrix.RMat<float>(14, 1, new SeededRandom(2, "graph"), 0.25, 0.25, 0.25);
        Assert.InRange(flat.Starts[flat.Rows / 2], 8192 - 5 * 64 - 20, 8192 + 5 * 64);
        // with the customary chances 0.76 of 16384, 12452 ± 5·55, less those that fell together
        var skewed = SparseMatrix.RMat<float>(14, 1, new SeededRandom(2, "graph"));
        Assert.True(skewed.Starts[skewed.Rows / 2] > 11000);
        Assert.Throws<ArgumentException>(() => SparseMatrix.RMat<float>(4, 1, new Random(1), 0.5, 0.5, 0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => SparseMatrix.RMat<float>(31, 1, new Random(1)));
        Assert.Throws<ArgumentException>(() => SparseMatrix.RMat<float>(30, 100, new Random(1)));
    }
}
