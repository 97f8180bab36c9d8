using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>What a kernel says of two rows, from their product and the product of each with itself; the same with the rows exchanged.</summary>
public interface IGramFunction
{
    /// <summary>Eight pairs.</summary>
    /// <param name="product">⟨x, y⟩.</param>
    /// <param name="lengths">⟨x, x⟩ + ⟨y, y⟩.</param>
    Vector256<float> Of(Vector256<float> product, Vector256<float> lengths);
}

/// <summary><c>exp(−γ ‖x − y‖²)</c>.</summary>
/// <param name="Gamma">γ.</param>
public readonly record struct RbfFunction(float Gamma) : IGramFunction
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Of(Vector256<float> product, Vector256<float> lengths) =>
        VectorExp.Exp(Vector256.MinNative(Vector256<float>.Zero, product + product - lengths) * Vector256.Create(Gamma));
}

/// <summary><c>(γ ⟨x, y⟩ + c)^p</c>.</summary>
/// <param name="Degree">p, at least 1.</param>
/// <param name="Gamma">γ.</param>
/// <param name="Constant">c.</param>
public readonly record struct PolynomialFunction(int Degree, float Gamma, float Constant) : IGramFunction
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector256<float> Of(Vector256<float> product, Vector256<float> lengths)
    {
        var one = Vector256.FusedMultiplyAdd(Vector256.Create(Gamma), product, Vector256.Create(Constant));
        var power = one;
        for (int i = 1; i < Degree; i++)
            power *= one;
        return power;
    }
}

/// <summary>How a Gram matrix is computed.</summary>
public sealed record GramOptions
{
    /// <summary>Threads.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The instructions.</summary>
    public TilePath Path { get; init; } = TilePaths.Best;
}

/// <summary>
/// Gram matrices of float32 rows, tile by tile: the product of 64 rows with a panel, what the kernel makes of it while it is in the first cache, and then straight to memory, past the caches. Sums run in the same order
/// whichever row is on the left, so that the matrix of rows with themselves is symmetric to the bit, and a row is at no distance from itself. Errors are those of float32 sums: about √d · 6e-8 of the rows' lengths;
/// distances do not feel a shift, so take the mean of the rows off first. Cost O(n m d); memory beside the result 4 (m + panel) d bytes.
/// </summary>
public static unsafe class GramBlocks
{
    private const int Block = 64;

    /// <summary>Computes the matrix of all rows of x with all of y.</summary>
    /// <param name="x">[n, d] of float32.</param>
    /// <param name="y">[m, d] of float32; may be x.</param>
    /// <param name="function">The kernel.</param>
    /// <param name="gram">[n, m] of float32, written.</param>
    /// <param name="options">Threads and instructions.</param>
    /// <param name="scratch">Where temporaries come from.</param>
    /// <param name="cancellation">Stops between blocks of rows.</param>
    /// <exception cref="ArgumentException">Sizes or types that do not fit.</exception>
    public static void Compute<TFunction>(TileMatrix x, TileMatrix y, TFunction function, TileMatrix gram, GramOptions options, Scratch scratch, CancellationToken cancellation) where TFunction : struct, IGramFunction
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(scratch);
        if (x.Columns != y.Columns || gram.Rows != x.Rows || gram.Columns != y.Rows || x.Type != TileType.Float32 || y.Type != TileType.Float32 || gram.Type != TileType.Float32)
            throw new ArgumentException($"rows [{x.Rows}, {x.Columns}] and [{y.Rows}, {y.Columns}] to [{gram.Rows}, {gram.Columns}]; expected float32 [n, d] and [m, d] to [n, m]", nameof(gram));
        int d = x.Columns, m = y.Rows, width = options.Path.PanelWidth(), panels = Packing.RoundUp(m, width) / width;
        using var part = scratch.Part();
        float* lanes = part.Scratch.Take<float>((long)panels * width * d).Data, own = part.Scratch.Take<float>(x.Rows).Data, other = part.Scratch.Take<float>((long)panels * width).Data;
        float* tiles = part.Scratch.Take<float>((long)options.Threads * Block * width).Data;
        Packing.Lanes(y, default, 0, m, width, 1, lanes);
        Lengths(x, own);
        Lengths(y, other);
        int blocks = (x.Rows + Block - 1) / Block, next = -1;
        Workers.Run(options.Threads, t =>
        {
            float* tile = tiles + (nint)t * Block * width;
            for (int b = Interlocked.Increment(ref next); b < blocks; b = Interlocked.Increment(ref next))
            {
                cancellation.ThrowIfCancellationRequested();
                int first = b * Block, count = Math.Min(Block, x.Rows - first);
                for (int p = 0; p < panels; p++)
                {
                    TileProduct.Multiply(options.Path, count, d, new(x.Row(first), d, 1), new(lanes + (nint)p * width * d), new(1), tile, width, false);
                    Write(function, tile, count, width, own + first, other + p * width, gram, first, p * width);
                }
            }
        });
    }

    /// <summary>Puts a tile where it belongs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Write<TFunction>(TFunction function, float* tile, int count, int width, float* own, float* other, TileMatrix gram, int first, int column) where TFunction : struct, IGramFunction
    {
        int used = Math.Min(width, gram.Columns - column);
        for (int i = 0; i < count; i++, tile += width)
        {
            float* to = gram.Row(first + i) + column;
            var length = Vector256.Create(own[i]);
            int j = 0;
            if (((nint)to & 31) == 0)
                for (; j + 8 <= used; j += 8)
                    function.Of(Vector256.Load(tile + j), length + Vector256.Load(other + j)).StoreAlignedNonTemporal(to + j);
            else
                for (; j + 8 <= used; j += 8)
                    function.Of(Vector256.Load(tile + j), length + Vector256.Load(other + j)).Store(to + j);
            if (j < used)
            {
                var last = function.Of(Vector256.Load(tile + j), length + Vector256.Load(other + j));
                for (int k = j; k < used; k++)
                    to[k] = last[k - j];
            }
        }
    }

    /// <summary>⟨x, x⟩ by the steps of the tiles' products.</summary>
    private static void Lengths(TileMatrix x, float* to)
    {
        for (int i = 0; i < x.Rows; i++)
        {
            float* row = x.Row(i);
            float sum = 0;
            for (int k = 0; k < x.Columns; k++)
                sum = MathF.FusedMultiplyAdd(row[k], row[k], sum);
            to[i] = sum;
        }
    }
}
