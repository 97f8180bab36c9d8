using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Winnow.KvCache;

/// <summary>Codes of 2, 4 or 8 bits in a row of bytes, the first in the lowest bits: in groups of four bytes the same bits as the 32-bit words of released code.</summary>
public static unsafe class PackedCodes
{
    /// <summary>Bytes of so many codes.</summary>
    public static int Bytes(int count, int bits) => (count * bits + 7) / 8;

    /// <summary>Packs codes.</summary>
    /// <param name="codes">Each less than 2^bits.</param>
    /// <param name="bits">2, 4 or 8.</param>
    /// <param name="packed">Room of <see cref="Bytes"/>.</param>
    public static void Pack(ReadOnlySpan<byte> codes, int bits, Span<byte> packed)
    {
        Check(bits);
        packed[..Bytes(codes.Length, bits)].Clear();
        for (int i = 0; i < codes.Length; i++)
            packed[i * bits / 8] |= (byte)(codes[i] << (i * bits % 8));
    }

    /// <summary>Unpacks codes.</summary>
    public static void Unpack(ReadOnlySpan<byte> packed, int bits, Span<byte> codes)
    {
        Check(bits);
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (byte)((packed[i * bits / 8] >> (i * bits % 8)) & ((1 << bits) - 1));
    }

    /// <summary><c>sums[i] += Σ_r weights[r] · code[r][i]</c>, without unpacking into memory.</summary>
    /// <param name="codes">The first row.</param>
    /// <param name="stride">Bytes from one row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="weights">One for each row.</param>
    /// <param name="sums">One for each code of a row.</param>
    /// <param name="count">Codes of a row.</param>
    /// <param name="bits">2, 4 or 8.</param>
    internal static void AddRows(byte* codes, nint stride, int rows, float* weights, float* sums, int count, int bits)
    {
        int i = 0;
        if (Avx2.IsSupported)
        {
            for (; i + 32 <= count; i += 32)
                Wide(codes + i * bits / 8, stride, rows, weights, sums + i, bits);
            for (; i + 8 <= count; i += 8)
                Eight(codes + i * bits / 8, stride, rows, weights, sums + i, bits);
        }
        if (i < count)
            Scalar(codes, stride, rows, weights, sums, i, count, bits);
    }

    /// <summary>The same, code by code.</summary>
    internal static void Scalar(byte* codes, nint stride, int rows, float* weights, float* sums, int first, int count, int bits)
    {
        for (int i = first; i < count; i++)
        {
            float sum = 0;
            for (int r = 0; r < rows; r++)
                sum = MathF.FusedMultiplyAdd(weights[r], (codes[r * stride + i * bits / 8] >> (i * bits % 8)) & ((1 << bits) - 1), sum);
            sums[i] += sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Wide(byte* codes, nint stride, int rows, float* weights, float* sums, int bits)
    {
        Vector256<float> a0, a1, a2, a3;
        a0 = a1 = a2 = a3 = Vector256<float>.Zero;
        if (bits == 2)
        {
            // Lane i keeps its code where it lies, times 4^i: that is taken back once, at the end.
            var mask = Vector256.Create(3, 3 << 2, 3 << 4, 3 << 6, 3 << 8, 3 << 10, 3 << 12, 3 << 14);
            for (int r = 0; r < rows; r++, codes += stride)
            {
                var w = Vector256.Create(weights[r]);
                var low = Vector256.Create(*(int*)codes);
                var high = Vector256.Create(*(int*)(codes + 4));
                a0 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(low & mask), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Vector256.ShiftRightLogical(low, 16) & mask), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(high & mask), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Vector256.ShiftRightLogical(high, 16) & mask), a3);
            }
            var scale = Vector256.Create(1f, 1f / 4, 1f / 16, 1f / 64, 1f / 256, 1f / 1024, 1f / 4096, 1f / 16384);
            (a0, a1, a2, a3) = (a0 * scale, a1 * scale, a2 * scale, a3 * scale);
        }
        else if (bits == 4)
        {
            var shift = Vector256.Create(0u, 4, 8, 12, 16, 20, 24, 28);
            var mask = Vector256.Create(15);
            for (int r = 0; r < rows; r++, codes += stride)
            {
                var w = Vector256.Create(weights[r]);
                a0 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ShiftRightLogicalVariable(Vector256.Create(*(int*)codes), shift) & mask), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ShiftRightLogicalVariable(Vector256.Create(*(int*)(codes + 4)), shift) & mask), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ShiftRightLogicalVariable(Vector256.Create(*(int*)(codes + 8)), shift) & mask), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ShiftRightLogicalVariable(Vector256.Create(*(int*)(codes + 12)), shift) & mask), a3);
            }
        }
        else
        {
            for (int r = 0; r < rows; r++, codes += stride)
            {
                var w = Vector256.Create(weights[r]);
                a0 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(codes)), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(codes + 8)), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(codes + 16)), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(codes + 24)), a3);
            }
        }
        Vector256.Store(Vector256.Load(sums) + a0, sums);
        Vector256.Store(Vector256.Load(sums + 8) + a1, sums + 8);
        Vector256.Store(Vector256.Load(sums + 16) + a2, sums + 16);
        Vector256.Store(Vector256.Load(sums + 24) + a3, sums + 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight(byte* codes, nint stride, int rows, float* weights, float* sums, int bits)
    {
        var shift = bits == 2 ? Vector256.Create(0u, 2, 4, 6, 8, 10, 12, 14) : Vector256.Create(0u, 4, 8, 12, 16, 20, 24, 28);
        var mask = Vector256.Create((1 << bits) - 1);
        var a = Vector256<float>.Zero;
        for (int r = 0; r < rows; r++, codes += stride)
        {
            var code = bits == 8 ? Avx2.ConvertToVector256Int32(codes)
                : Avx2.ShiftRightLogicalVariable(bits == 2 ? Vector256.Create((int)*(ushort*)codes) : Vector256.Create(*(int*)codes), shift) & mask;
            a = Vector256.FusedMultiplyAdd(Vector256.Create(weights[r]), Vector256.ConvertToSingle(code), a);
        }
        Vector256.Store(Vector256.Load(sums) + a, sums);
    }

    private static void Check(int bits)
    {
        if (bits is not (2 or 4 or 8))
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "found bits other than 2, 4 or 8; expected one of these.");
    }
}
