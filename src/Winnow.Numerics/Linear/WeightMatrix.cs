using System.Runtime.InteropServices;

namespace Winnow.Numerics;

/// <summary>How the numbers of a weight matrix are stored.</summary>
public enum WeightType
{
    /// <summary>32 bits each.</summary>
    Float32,

    /// <summary>The upper 16 bits of a float32.</summary>
    BFloat16,

    /// <summary>8 bits each, and a float32 scale for each 32 of a row.</summary>
    Int8,

    /// <summary>4 bits each, and a float32 scale for each 32 of a row.</summary>
    Int4,
}

/// <summary>Writes the numbers of a row of weights.</summary>
/// <param name="row">Which row.</param>
/// <param name="numbers">As many as columns.</param>
public delegate void WeightRow(int row, Span<float> numbers);

/// <summary>
/// A matrix of weights, row by row, for products with vectors (<see cref="LinearKernel"/>): stored as it is kept in memory, or in memory that belongs to somebody
/// else, such as a mapped file. Quantised to the nearest, symmetric: w ≈ scale · q with scale = max|w| / 127, or max|w| / 7, over each 32 of a row.
/// </summary>
public sealed unsafe class WeightMatrix : IDisposable
{
    /// <summary>Numbers that share a scale.</summary>
    public const int BlockSize = 32;

    private byte* _owned;

    private WeightMatrix(WeightType type, int rows, int columns, void* data, byte* owned)
    {
        (Type, Rows, Columns) = (type, rows, columns);
        Data = data;
        _owned = owned;
        Scales = Quantised(type) ? (float*)((byte*)data + (long)rows * RowBytes(type, columns)) : null;
    }

    /// <summary>How the numbers are stored.</summary>
    public WeightType Type { get; }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Columns.</summary>
    public int Columns { get; }

    /// <summary>Bytes of numbers and scales.</summary>
    public long Bytes => SizeOf(Type, Rows, Columns);

    internal void* Data { get; }

    internal float* Scales { get; }

    /// <summary>A float32 or bfloat16 matrix in memory that outlives it, little-endian.</summary>
    public static WeightMatrix Over(WeightType type, int rows, int columns, void* data)
    {
        Check(type, rows, columns);
        return Quantised(type) ? throw new ArgumentException("quantised weights are made by Quantise", nameof(type)) : new(type, rows, columns, data, null);
    }

    /// <summary>The matrix in another type, in memory of its own. Cost: O(rows · columns).</summary>
    /// <exception cref="ArgumentException">Blocks of 32 do not fill a row, or a weight is not finite.</exception>
    public WeightMatrix As(WeightType type) => Of(type, Rows, Columns, (row, to) =>
    {
        fixed (float* p = to)
            Read(row, p);
    });

    /// <summary>A matrix made row by row, in memory of its own.</summary>
    /// <param name="type">How it is stored.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="fill">Writes the numbers of a row.</param>
    /// <exception cref="ArgumentException">Blocks of 32 do not fill a row, or a weight is not finite.</exception>
    public static WeightMatrix Of(WeightType type, int rows, int columns, WeightRow fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        Check(type, rows, columns);
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)SizeOf(type, rows, columns), 64);
        var matrix = new WeightMatrix(type, rows, columns, memory, memory);
        float[] row = new float[columns];
        try
        {
            for (int i = 0; i < rows; i++)
            {
                fill(i, row);
                int bad = Array.FindIndex(row, v => !float.IsFinite(v));
                if (bad >= 0)
                    throw new ArgumentException($"the weight in row {i}, column {bad} is {row[bad]}; expected finite numbers");
                fixed (float* p = row)
                    matrix.Write(i, p);
            }
            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    /// <summary>Copies a row, as float32.</summary>
    public void Read(int row, float* target)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        switch (Type)
        {
            case WeightType.Float32:
                new ReadOnlySpan<float>((float*)Data + (long)row * Columns, Columns).CopyTo(new(target, Columns));
                break;
            case WeightType.BFloat16:
                ushort* bits = (ushort*)Data + (long)row * Columns;
                for (int j = 0; j < Columns; j++)
                    target[j] = BitConverter.UInt32BitsToSingle((uint)bits[j] << 16);
                break;
            case WeightType.Int8:
                sbyte* eight = (sbyte*)Data + (long)row * Columns;
                float* scale = Scales + (long)row * (Columns / BlockSize);
                for (int j = 0; j < Columns; j++)
                    target[j] = scale[j / BlockSize] * eight[j];
                break;
            default:
                // a block's first 16 numbers are the low halves of its 16 bytes
                byte* four = (byte*)Data + (long)row * (Columns / 2);
                scale = Scales + (long)row * (Columns / BlockSize);
                for (int j = 0; j < Columns; j++)
                {
                    int at = j % BlockSize, b = four[j / BlockSize * 16 + at % 16];
                    target[j] = scale[j / BlockSize] * ((at < 16 ? b & 15 : b >> 4) - 8);
                }
                break;
        }
    }

    private void Write(int row, float* source)
    {
        switch (Type)
        {
            case WeightType.Float32:
                new ReadOnlySpan<float>(source, Columns).CopyTo(new((float*)Data + (long)row * Columns, Columns));
                break;
            case WeightType.BFloat16:
                ushort* bits = (ushort*)Data + (long)row * Columns;
                for (int j = 0; j < Columns; j++)
                    bits[j] = TileMatrix.Narrow(source[j]);
                break;
            default:
                int levels = Type == WeightType.Int8 ? 127 : 7;
                for (int block = 0; block < Columns / BlockSize; block++)
                {
                    float* x = source + block * BlockSize;
                    float largest = 0;
                    for (int j = 0; j < BlockSize; j++)
                        largest = Math.Max(largest, Math.Abs(x[j]));
                    float scale = largest / levels;
                    Scales[(long)row * (Columns / BlockSize) + block] = scale;
                    for (int j = 0; j < BlockSize; j++)
                    {
                        int q = scale == 0 ? 0 : Math.Clamp((int)MathF.Round(x[j] / scale), -levels, levels);
                        if (Type == WeightType.Int8)
                            ((sbyte*)Data)[(long)row * Columns + block * BlockSize + j] = (sbyte)q;
                        else
                        {
                            byte* at = (byte*)Data + (long)row * (Columns / 2) + block * 16 + j % 16;
                            *at = (byte)(j < 16 ? q + 8 : *at | q + 8 << 4);
                        }
                    }
                }
                break;
        }
    }

    private static bool Quantised(WeightType type) => type is WeightType.Int8 or WeightType.Int4;

    private static long RowBytes(WeightType type, int columns) => type switch
    {
        WeightType.Float32 => 4L * columns,
        WeightType.BFloat16 => 2L * columns,
        WeightType.Int8 => columns,
        _ => columns / 2,
    };

    private static long SizeOf(WeightType type, int rows, int columns) => rows * RowBytes(type, columns) + (Quantised(type) ? 4L * rows * (columns / BlockSize) : 0);

    private static void Check(WeightType type, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("weights are little-endian");
        if (Quantised(type) && columns % BlockSize != 0)
            throw new ArgumentException($"{columns} columns; quantised weights need a multiple of {BlockSize}: keep these in float32 or bfloat16");
    }

    /// <summary>Gives memory of its own back.</summary>
    ~WeightMatrix() => Free();

    /// <inheritdoc cref="Finalize"/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_owned != null)
            NativeMemory.AlignedFree(_owned);
        _owned = null;
    }
}
