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
    /// <param name="shrink">Unless null, receives the factors by which what was summed before shrinks, and the block becomes exp(logit − max).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static unsafe void Accumulate(float* block, int count, int width, float* max, float* sum, float* shrink = null)
    {
        for (int j = 0; j < width; j += 8)
        {
            float* at = block + j, end = at + (nint)count * width;
            var m0 = Vector256.Create(float.MinValue);
            var m1 = m0;
            float* next = at;
            for (; next + width < end; next += 2 * width)
            {
                m0 = Vector256.MaxNative(m0, Vector256.Load(next));
                m1 = Vector256.MaxNative(m1, Vector256.Load(next + width));
            }
            if (next < end)
                m0 = Vector256.MaxNative(m0, Vector256.Load(next));
            var newMax = Vector256.MaxNative(Vector256.MaxNative(m0, m1), Vector256.Load(max + j));
            var s = Vector256<float>.Zero;
            if (shrink == null)
            {
                for (next = at; next < end; next += width)
                    s += VectorExp.Exp(Vector256.Load(next) - newMax);
                Merge(max + j, sum + j, newMax, s);
                continue;
            }
            for (next = at; next < end; next += width)
            {
                var e = VectorExp.Exp(Vector256.Load(next) - newMax);
                e.Store(next);
                s += e;
            }
            Merge(max + j, sum + j, newMax, s).Store(shrink + j);
        }
    }
}
