namespace Winnow.Numerics;

/// <summary>Zeroed float32 memory at a fixed address that begins on a cache line; the garbage collector frees it.</summary>
public sealed unsafe class AlignedBuffer
{
    private const int LineBytes = 64;
    private readonly float[] _array;

    /// <summary>Memory for a number of elements, with a cache line beyond them that may be read.</summary>
    public AlignedBuffer(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        _array = GC.AllocateArray<float>(length + 2 * LineBytes / sizeof(float), pinned: true);
        fixed (float* start = _array)
            Data = (float*)(((nint)start + LineBytes - 1) / LineBytes * LineBytes);
        Length = length;
    }

    /// <summary>The first element; valid as long as this object is referenced.</summary>
    public float* Data { get; }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>The elements.</summary>
    public Span<float> Values => new(Data, Length);
}
