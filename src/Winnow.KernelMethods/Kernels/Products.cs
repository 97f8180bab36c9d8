using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>
/// What kernels are made of: products of rows, and what becomes of them while they are in the cache. Products come from the tensor library some rows at a time; of rows with themselves only those above the diagonal
/// are made and then copied below, so that the matrix is symmetric to the bit.
/// </summary>
internal static unsafe class Products
{
    /// <summary>More than any of these take part in.</summary>
    private const long MostBytes = 8L << 30;

    private const int Tile = 32, MostInCache = 1 << 20;

    /// <summary>Makes of a row's products with other rows what a kernel says of them, in place.</summary>
    /// <param name="row">The products of a row with others.</param>
    /// <param name="length">The row's product with itself.</param>
    /// <param name="lengths">Those of the others.</param>
    public delegate void RowMap(Span<double> row, double length, ReadOnlySpan<double> lengths);

    /// <summary><c>X Yᵀ</c>, or what a map makes of it: float64 [n, m].</summary>
    /// <param name="x">Float64 [n, d].</param>
    /// <param name="y">Float64 [m, d].</param>
    /// <param name="map">Called for every row, from several threads.</param>
    public static Tensor Of(Tensor x, Tensor y, RowMap? map = null)
    {
        Check(x, y);
        using var scope = NewDisposeScope();
        bool same = ReferenceEquals(x, y);
        var (n, m) = ((int)x.shape[0], (int)y.shape[0]);
        var gram = empty(n, m, dtype: ScalarType.Float64);
        if (n == 0 || m == 0)
            return gram.MoveToOuterDisposeScope();
        double[] ofX = Lengths(x), ofY = same ? ofX : Lengths(y);
        double* data = Aligned.Address(gram);
        int chunk = Math.Max(64, MostInCache / m);
        for (int at = 0; at < n; at += chunk)
        {
            using var part = NewDisposeScope();
            int first = at, count = Math.Min(chunk, n - at), from = same ? at : 0;
            gram.narrow(0, first, count).narrow(1, from, m - from).addmm_(x.narrow(0, first, count), y.narrow(0, from, m - from).t(), beta: 0, alpha: 1);
            for (int i = first; same && i < first + count; i++)
                data[(long)i * m + i] = ofX[i]; // so that a row is at no distance from itself
            if (map is not null)
                Parallel.For(0, count, Threads(), i => map(new(data + (long)(first + i) * m + from, m - from), ofX[first + i], ofY.AsSpan(from)));
        }
        if (same)
            Mirror(data, n);
        return gram.MoveToOuterDisposeScope();
    }

    /// <summary>‖x − y‖² by the products, not below 0, and 0 of a row with itself.</summary>
    public static Tensor SquaredDistances(Tensor x, Tensor y) => Of(x, y, SquaredDistances);

    /// <summary>The same of a row of products.</summary>
    public static void SquaredDistances(Span<double> row, double length, ReadOnlySpan<double> lengths)
    {
        TensorPrimitives.MultiplyAdd(row, -2, lengths, row);
        TensorPrimitives.Add(row, length, row);
        TensorPrimitives.Max(row, 0, row);
    }

    /// <summary>The upper half on both sides, in place.</summary>
    public static Tensor Symmetric(Tensor a)
    {
        using var scope = NewDisposeScope();
        return a.copy_(a.triu() + a.triu(1).t());
    }

    private static double[] Lengths(Tensor x)
    {
        using var scope = NewDisposeScope();
        return x.square().sum(1).data<double>().ToArray();
    }

    /// <summary>As many threads as the tensor library may use.</summary>
    public static ParallelOptions Threads() => new() { MaxDegreeOfParallelism = get_num_threads() };

    /// <summary>Copies what is above the diagonal below it.</summary>
    private static void Mirror(double* data, int n) => Parallel.For(0, (n + Tile - 1) / Tile, Threads(), block =>
    {
        int last = Math.Min(n, (block + 1) * Tile);
        for (int column = 0; column <= block * Tile; column += Tile)
            MirrorTile(data, n, block * Tile, last, column);
    });

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MirrorTile(double* data, int n, int first, int last, int column)
    {
        for (int i = first; i < last; i++)
            for (int j = column; j < Math.Min(i, column + Tile); j++)
                data[(long)i * n + j] = data[(long)j * n + i];
    }

    private static void Check(Tensor x, Tensor y)
    {
        if (x.dim() != 2 || y.dim() != 2 || x.dtype != ScalarType.Float64 || y.dtype != ScalarType.Float64 || x.shape[1] != y.shape[1])
            throw new ArgumentException($"rows {x.dtype} [{string.Join(", ", x.shape)}] and {y.dtype} [{string.Join(", ", y.shape)}]; expected float64 [n, d] and [m, d] of the same d", nameof(y));
        if (x.shape[0] * y.shape[0] * sizeof(double) is var bytes and > MostBytes)
            throw InputException.At("kernel", $"{x.shape[0]:N0} by {y.shape[0]:N0} rows, {bytes / 1e9:F1} GB", $"at most {MostBytes / 1e9:F1} GB", "Take fewer rows, or a method without a Gram matrix.");
    }
}
