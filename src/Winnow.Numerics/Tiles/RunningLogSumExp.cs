using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>
/// The pair (max, sum) that stands for <c>max + ln sum</c>: what is kept of logits that come in blocks. Merging is associative and commutative to
/// rounding. It begins at the lowest finite number and not at −∞, so that <c>−∞ − −∞</c> never arises: logits of −∞ count nothing, and over
/// nothing the result is −∞.
/// </summary>
/// <param name="Max">The largest logit, or <see cref="float.MinValue"/>.</param>
/// <param name="Sum">Σ exp(logit − Max).</param>
public readonly record struct RunningLogSumExp(float Max, float Sum)
{
    /// <summary>Of no logits.</summary>
    public static RunningLogSumExp Empty { get; } = new(float.MinValue, 0);

    /// <summary>The logarithm of the sum of exponentials; −∞ of nothing.</summary>
    public float Value => Max + MathF.Log(Sum);

    /// <summary>Of both.</summary>
    public static RunningLogSumExp Merge(RunningLogSumExp a, RunningLogSumExp b)
    {
        float max = MathF.Max(a.Max, b.Max);
        return new(max, a.Sum * VectorExp.Exp(a.Max - max) + b.Sum * VectorExp.Exp(b.Max - max));
    }

    /// <summary>Merges per lane what a block contributed into what there was; returns the factor by which sums of the old maximum shrink.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe Vector256<float> Merge(float* max, float* sum, Vector256<float> newMax, Vector256<float> blockSum)
    {
        var shrink = VectorExp.Exp(Vector256.Load(max) - newMax);
        Vector256.FusedMultiplyAdd(Vector256.Load(sum), shrink, blockSum).Store(sum);
        newMax.Store(max);
        return shrink;
    }

    /// <summary>
    /// Runs over a block of logits, one lane per query: first the maximum, then the sum, merged into the lanes' pairs.
    /// </summary>
    /// <param name="block">Logits [count × width].</param>
    /// <param name="count">Keys in the block.</param>
    /// <param name="width">Lanes, a multiple of 8.</param>
    /// <param name="max">The lanes' running maxima.</param>
    /// <param name="sum">The lanes' running sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static unsafe void Accumulate(float* block, int count, int width, float* max, float* sum)
    {
        for (int j = 0; j < width; j += 8)
        {
            float* at = block + j;
            var m0 = Vector256.Create(float.MinValue);
            var m1 = m0;
            int v = 0;
            for (; v + 2 <= count; v += 2)
            {
                m0 = Vector256.MaxNative(m0, Vector256.Load(at + (nint)v * width));
                m1 = Vector256.MaxNative(m1, Vector256.Load(at + (nint)(v + 1) * width));
            }
            if (v < count)
                m0 = Vector256.MaxNative(m0, Vector256.Load(at + (nint)v * width));
            m0 = Vector256.MaxNative(m0, m1);
            var newMax = Vector256.MaxNative(m0, Vector256.Load(max + j));
            var s0 = Vector256<float>.Zero;
            var s1 = s0;
            for (v = 0; v + 2 <= count; v += 2)
            {
                s0 += VectorExp.Exp(Vector256.Load(at + (nint)v * width) - newMax);
                s1 += VectorExp.Exp(Vector256.Load(at + (nint)(v + 1) * width) - newMax);
            }
            if (v < count)
                s0 += VectorExp.Exp(Vector256.Load(at + (nint)v * width) - newMax);
            Merge(max + j, sum + j, newMax, s0 + s1);
        }
    }
}
