using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>Attention of one query to dense keys and values in float32.</summary>
public static unsafe class DecodeAttention
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dot(float* a, float* b, int d)
    {
        Vector256<float> even = Vector256<float>.Zero, odd = Vector256<float>.Zero;
        int i = 0;
        for (; i + 16 <= d; i += 16)
        {
            even = Vector256.FusedMultiplyAdd(Vector256.Load(a + i), Vector256.Load(b + i), even);
            odd = Vector256.FusedMultiplyAdd(Vector256.Load(a + i + 8), Vector256.Load(b + i + 8), odd);
        }
        if (i + 8 <= d)
        {
            even = Vector256.FusedMultiplyAdd(Vector256.Load(a + i), Vector256.Load(b + i), even);
            i += 8;
        }
        float sum = Vector256.Sum(even + odd);
        for (; i < d; i++)
            sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
        return sum;
    }

    /// <summary><c>softmax(q·Kᵀ / √d)·V</c>. Cost: 4 · positions · d operations, 8 · positions · d bytes.</summary>
    /// <param name="q">[d].</param>
    /// <param name="k">[positions, d].</param>
    /// <param name="v">[positions, d].</param>
    /// <param name="positions">Keys, at least one.</param>
    /// <param name="d">Width.</param>
    /// <param name="scores">Room for [positions].</param>
    /// <param name="to">[d].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Attend(float* q, float* k, float* v, int positions, int d, float* scores, float* to)
    {
        float scale = 1 / MathF.Sqrt(d), most = float.NegativeInfinity;
        for (int p = 0; p < positions; p++)
        {
            scores[p] = scale * Dot(q, k + (long)p * d, d);
            most = Math.Max(most, scores[p]);
        }
        int i = 0;
        var (total, shift) = (Vector256<float>.Zero, Vector256.Create(most));
        for (; i + 8 <= positions; i += 8)
        {
            var e = VectorExp.Exp(Vector256.Load(scores + i) - shift);
            Vector256.Store(e, scores + i);
            total += e;
        }
        float sum = Vector256.Sum(total);
        for (; i < positions; i++)
            sum += scores[i] = VectorExp.Exp(scores[i] - most);
        float inverse = 1 / sum;
        int c = 0;
        for (; c + 32 <= d; c += 32)
        {
            Vector256<float> a0, a1, a2, a3;
            a0 = a1 = a2 = a3 = Vector256<float>.Zero;
            float* at = v + c;
            for (int p = 0; p < positions; p++, at += d)
            {
                var w = Vector256.Create(scores[p]);
                a0 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at + 8), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at + 16), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at + 24), a3);
            }
            Vector256.Store(a0 * inverse, to + c);
            Vector256.Store(a1 * inverse, to + c + 8);
            Vector256.Store(a2 * inverse, to + c + 16);
            Vector256.Store(a3 * inverse, to + c + 24);
        }
        for (; c + 8 <= d; c += 8)
        {
            var a = Vector256<float>.Zero;
            for (int p = 0; p < positions; p++)
                a = Vector256.FusedMultiplyAdd(Vector256.Create(scores[p]), Vector256.Load(v + (long)p * d + c), a);
            Vector256.Store(a * inverse, to + c);
        }
        for (; c < d; c++)
        {
            float a = 0;
            for (int p = 0; p < positions; p++)
                a = MathF.FusedMultiplyAdd(scores[p], v[(long)p * d + c], a);
            to[c] = a * inverse;
        }
    }
}
