using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Winnow.KvCache;

/// <summary>Half precision to single, eight numbers at a time; of finite numbers only, as caches hold.</summary>
internal static unsafe class Halves
{
    /// <summary>A half's bits, moved to a single's places, are the number times 2^-112.</summary>
    public const float Scale = 5192296858534827628530496329220096f;

    /// <summary>The places of sign, exponent and fraction after the move.</summary>
    public static Vector256<int> Places => Vector256.Create(unchecked((int)0x8FFFE000));

    /// <summary>Eight halves as singles times 2^-112.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Moved(short* at, Vector256<int> places) => (Vector256.ShiftLeft(Avx2.ConvertToVector256Int32(at), 13) & places).AsSingle();

    /// <summary>Σ rows[i] · q for one row of halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(short* row, float* q, int width)
    {
        var places = Places;
        Vector256<float> even = Vector256<float>.Zero, odd = Vector256<float>.Zero;
        int i = 0;
        for (; i + 16 <= width; i += 16)
        {
            even = Vector256.FusedMultiplyAdd(Moved(row + i, places), Vector256.Load(q + i), even);
            odd = Vector256.FusedMultiplyAdd(Moved(row + i + 8, places), Vector256.Load(q + i + 8), odd);
        }
        if (i < width)
            even = Vector256.FusedMultiplyAdd(Moved(row + i, places), Vector256.Load(q + i), even);
        return Vector256.Sum(even + odd) * Scale;
    }

    /// <summary>to[c] += Σ_r weights[r] · rows[r][c] for so many of the columns of rows of halves.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="stride">Numbers of a row.</param>
    /// <param name="count">Rows.</param>
    /// <param name="weights">One for each row.</param>
    /// <param name="to">Sums.</param>
    /// <param name="columns">A multiple of 8.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddRows(short* rows, int stride, int count, float* weights, float* to, int columns)
    {
        var (places, scale) = (Places, Vector256.Create(Scale));
        int c = 0;
        for (; c + 32 <= columns; c += 32)
        {
            Vector256<float> a0, a1, a2, a3;
            a0 = a1 = a2 = a3 = Vector256<float>.Zero;
            short* at = rows + c;
            for (int r = 0; r < count; r++, at += stride)
            {
                var w = Vector256.Create(weights[r]);
                a0 = Vector256.FusedMultiplyAdd(w, Moved(at, places), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Moved(at + 8, places), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Moved(at + 16, places), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Moved(at + 24, places), a3);
            }
            Vector256.Store(Vector256.FusedMultiplyAdd(a0, scale, Vector256.Load(to + c)), to + c);
            Vector256.Store(Vector256.FusedMultiplyAdd(a1, scale, Vector256.Load(to + c + 8)), to + c + 8);
            Vector256.Store(Vector256.FusedMultiplyAdd(a2, scale, Vector256.Load(to + c + 16)), to + c + 16);
            Vector256.Store(Vector256.FusedMultiplyAdd(a3, scale, Vector256.Load(to + c + 24)), to + c + 24);
        }
        for (; c < columns; c += 8)
        {
            var a = Vector256<float>.Zero;
            for (int r = 0; r < count; r++)
                a = Vector256.FusedMultiplyAdd(Vector256.Create(weights[r]), Moved(rows + (nint)r * stride + c, places), a);
            Vector256.Store(Vector256.FusedMultiplyAdd(a, scale, Vector256.Load(to + c)), to + c);
        }
    }

    /// <summary>Converts.</summary>
    public static void ToSingle(ReadOnlySpan<Half> from, Span<float> to)
    {
        int i = 0;
        if (Avx2.IsSupported)
        {
            var (places, scale) = (Places, Vector256.Create(Scale));
            fixed (short* x = MemoryMarshal.Cast<Half, short>(from))
            fixed (float* y = to[..from.Length])
                for (; i + 8 <= from.Length; i += 8)
                    Vector256.Store(Moved(x + i, places) * scale, y + i);
        }
        for (; i < from.Length; i++)
            to[i] = (float)from[i];
    }
}
