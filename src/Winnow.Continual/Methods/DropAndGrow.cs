using Winnow.Core;

namespace Winnow.Continual;

/// <summary>Which weights of a sparse layer are given up.</summary>
public enum DropRule
{
    /// <summary>Those of smallest magnitude.</summary>
    Magnitude,

    /// <summary>SET: half from the smallest positive ones, half from the negative ones nearest to zero; weights at zero go as well.</summary>
    Set,

    /// <summary>The released code's SET: of the negative ones it keeps only the ⌈k/2⌉ − 1 of largest magnitude.</summary>
    SetReleased,

    /// <summary>Those whose loss would change the loss least to first order: the smallest (w · ∂L/∂w)².</summary>
    Taylor,
}

/// <summary>Which weights a sparse layer gets instead.</summary>
public enum GrowRule
{
    /// <summary>Any.</summary>
    Random,

    /// <summary>Any that the task has not had before; then any.</summary>
    RandomUnfired,

    /// <summary>Those with the largest step of Adam, |m| / (√v + 10⁻⁸).</summary>
    Momentum,

    /// <summary>Those with the largest gradient of the mini-batch.</summary>
    Gradient,
}

/// <summary>The two halves of dynamic sparse training, on one layer flattened to n weights with a mask of zeros and ones. Cost: O(n log n).</summary>
public static class DropAndGrow
{
    /// <summary>The drop rate after k of K steps: <c>r_end + (r_0 − r_end)(1 + cos(πk/K))/2</c>.</summary>
    public static double Rate(long step, long steps, double initial, double final) =>
        final + (initial - final) * (1 + Math.Cos(Math.PI * Math.Min(step, steps) / steps)) / 2;

    /// <summary>Drops ⌈rate · active⌉ weights; of equal ones the first. SET may drop a few more or less.</summary>
    /// <param name="rule">Which.</param>
    /// <param name="weights">Weights [n].</param>
    /// <param name="gradient">Gradient [n]; used by <see cref="DropRule.Taylor"/>.</param>
    /// <param name="mask">Which weights are active [n]; changed.</param>
    /// <param name="rate">Share to drop, in [0, 1].</param>
    /// <returns>How many were dropped.</returns>
    public static int Drop(DropRule rule, ReadOnlySpan<float> weights, ReadOnlySpan<float> gradient, Span<byte> mask, double rate)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rate);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rate, 1);
        int[] active = Active(mask);
        int count = (int)Math.Ceiling(rate * active.Length);
        if (count == 0)
            return 0;
        float[] w = weights.ToArray(), g = gradient.ToArray();
        int[] dropped = rule switch
        {
            DropRule.Magnitude => [.. active.OrderBy(i => Math.Abs(w[i])).Take(count)],
            DropRule.Taylor => [.. active.OrderBy(i => (w[i] * g[i]) * (w[i] * g[i])).Take(count)],
            _ => Set(active, w, (count + 1) / 2, released: rule == DropRule.SetReleased),
        };
        foreach (int i in dropped)
            mask[i] = 0;
        return dropped.Length;
    }

    private static int[] Set(int[] active, float[] w, int half, bool released)
    {
        var positive = active.Where(i => w[i] > 0).OrderBy(i => w[i]);
        int[] negative = [.. active.Where(i => w[i] < 0).OrderBy(i => w[i])];
        int kept = released ? Math.Min(half, negative.Length) - 1 : negative.Length - half;
        return [.. positive.Take(half), .. negative.Skip(Math.Max(0, kept)), .. active.Where(i => w[i] == 0)];
    }

    /// <summary>The scores of <see cref="GrowRule.Momentum"/> from Adam's means: |m| / (√v + 10⁻⁸).</summary>
    public static float[] Momentum(ReadOnlySpan<float> first, ReadOnlySpan<float> second)
    {
        float[] scores = new float[first.Length];
        for (int i = 0; i < scores.Length; i++)
            scores[i] = MathF.Abs(first[i] / (MathF.Sqrt(second[i]) + 1e-8f));
        return scores;
    }

    /// <summary>The scores of <see cref="GrowRule.Gradient"/>: |g|.</summary>
    public static float[] Gradient(ReadOnlySpan<float> gradient)
    {
        float[] scores = new float[gradient.Length];
        System.Numerics.Tensors.TensorPrimitives.Abs(gradient, scores);
        return scores;
    }

    /// <summary>Makes the weights with the largest scores active; of equal ones the first.</summary>
    /// <param name="scores">Scores [n].</param>
    /// <param name="mask">Which weights are active [n]; changed.</param>
    /// <param name="allowed">Which weights may be [n].</param>
    /// <param name="count">How many; fewer when fewer may be.</param>
    /// <returns>The new ones.</returns>
    public static int[] Grow(ReadOnlySpan<float> scores, Span<byte> mask, ReadOnlySpan<byte> allowed, int count)
    {
        float[] s = scores.ToArray();
        int[] grown = [.. Free(mask, allowed).OrderByDescending(i => s[i]).Take(count)];
        foreach (int i in grown)
            mask[i] = 1;
        return grown;
    }

    /// <summary>Makes random weights active, exactly as many as asked for (the released code draws each with a probability).</summary>
    /// <param name="mask">Which weights are active [n]; changed.</param>
    /// <param name="allowed">Which weights may be [n].</param>
    /// <param name="later">Weights that come only when no other is left [n]; empty for none.</param>
    /// <param name="count">How many; fewer when fewer may be.</param>
    /// <param name="random">The choice.</param>
    /// <returns>The new ones.</returns>
    public static int[] Grow(Span<byte> mask, ReadOnlySpan<byte> allowed, ReadOnlySpan<byte> later, int count, SeededRandom random)
    {
        float[] scores = new float[mask.Length];
        for (int i = 0; i < scores.Length; i++)
            scores[i] = random.NextSingle() - (later.Length > 0 ? later[i] : 0);
        return Grow(scores, mask, allowed, count);
    }

    private static int[] Active(ReadOnlySpan<byte> mask)
    {
        var active = new List<int>();
        for (int i = 0; i < mask.Length; i++)
            if (mask[i] != 0)
                active.Add(i);
        return [.. active];
    }

    private static int[] Free(ReadOnlySpan<byte> mask, ReadOnlySpan<byte> allowed)
    {
        var free = new List<int>();
        for (int i = 0; i < mask.Length; i++)
            if (mask[i] == 0 && allowed[i] != 0)
                free.Add(i);
        return [.. free];
    }
}
