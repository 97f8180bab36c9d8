using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Winnow.Numerics;

/// <summary>What the elements of a matrix are.</summary>
public enum TileType
{
    /// <summary>32-bit floating point.</summary>
    Float32,

    /// <summary>The upper half of a 32-bit floating-point number.</summary>
    BFloat16,
}

/// <summary>A row-major matrix in somebody's memory, of float32 or bfloat16. Valid as long as that memory is.</summary>
public readonly unsafe struct TileMatrix
{
    private readonly void* _data;

    /// <summary>A matrix of float32.</summary>
    public TileMatrix(float* data, int rows, int columns) : this(data, rows, columns, TileType.Float32)
    {
    }

    /// <summary>A matrix of the type stated.</summary>
    /// <exception cref="ArgumentException">No row, no column, or no memory.</exception>
    public TileMatrix(void* data, int rows, int columns, TileType type)
    {
        if (rows < 0 || columns <= 0 || (data == null && rows > 0))
            throw new ArgumentException($"a matrix of {rows} rows and {columns} columns{(data == null ? " at no address" : "")}; expected at least one column, and memory");
        _data = data;
        (Rows, Columns, Type) = (rows, columns, type);
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns; rows lie one behind the other.</summary>
    public int Columns { get; }

    /// <summary>What the elements are.</summary>
    public TileType Type { get; }

    /// <summary>A bfloat16 number as float32, exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The bfloat16 number nearest to a float32 number, to even on a tie.</summary>
    public static ushort Narrow(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>A range of rows.</summary>
    public TileMatrix Slice(int start, int count) => new((byte*)_data + (nint)start * Columns * (Type == TileType.Float32 ? 4 : 2), count, Columns, Type);

    internal float* Row(int row) => (float*)_data + (nint)row * Columns;

    internal ushort* HalfRow(int row) => (ushort*)_data + (nint)row * Columns;

    internal void CopyRow(int row, int column, Span<float> target)
    {
        if (Type == TileType.Float32)
        {
            new ReadOnlySpan<float>(Row(row) + column, target.Length).CopyTo(target);
            return;
        }
        ushort* from = HalfRow(row) + column;
        for (int i = 0; i < target.Length; i++)
            target[i] = Widen(from[i]);
    }

    /// <summary>Writes a row, rounded to the matrix's type.</summary>
    internal void SetRow(int row, ReadOnlySpan<float> values)
    {
        if (Type == TileType.Float32)
        {
            values.CopyTo(new Span<float>(Row(row), Columns));
            return;
        }
        ushort* to = HalfRow(row);
        for (int i = 0; i < values.Length; i++)
            to[i] = Narrow(values[i]);
    }

    internal void AddToRow(int row, int column, ReadOnlySpan<float> values)
    {
        var to = new Span<float>(Row(row) + column, values.Length);
        TensorPrimitives.Add(to, values, to);
    }

    internal void Clear() => NativeMemory.Clear(_data, (nuint)((long)Rows * Columns * (Type == TileType.Float32 ? 4 : 2)));
}
