namespace Winnow.Compute;

/// <summary>The shape of an attention layer.</summary>
/// <param name="Batch">Sequences B.</param>
/// <param name="Heads">Heads H.</param>
/// <param name="Width">Width E of queries and keys.</param>
/// <param name="ValueWidth">Width F of values.</param>
/// <param name="Keys">Keys M.</param>
/// <param name="Queries">Queries P.</param>
public readonly record struct AttentionShape(long Batch, long Heads, long Width, long ValueWidth, long Keys, long Queries);

/// <summary>How attention is laid out on a spatial array: the designs of the FuseMax paper, each adding one thing to the one before.</summary>
public enum AttentionDesign
{
    /// <summary>FLAT: products on the two-dimensional array, a softmax of three passes on the one-dimensional one.</summary>
    Flat,

    /// <summary>+Cascade: the one-pass cascade on the same hardware.</summary>
    Cascade,

    /// <summary>+Architecture: exponentials, maxima and sums on the two-dimensional array, without interleaving.</summary>
    Architecture,

    /// <summary>+Binding, FuseMax: the work of neighbouring blocks interleaved, so that neither array waits.</summary>
    Fusemax,
}

/// <summary>What a design takes.</summary>
/// <param name="Seconds">Latency: the slower of computing and moving.</param>
/// <param name="TrafficBytes">Bytes between memory and the array's buffer.</param>
/// <param name="Utilisation">Share of the time in which the two-dimensional array works.</param>
public readonly record struct AttentionCost(double Seconds, double TrafficBytes, double Utilisation);

/// <summary>
/// The analytical model of a spatial accelerator: a two-dimensional array of N × N processing elements, a one-dimensional one of N, a
/// buffer and a memory. After Nayak, Wu, Odemuyiwa, Pellauer, Emer and Fletcher, FuseMax: Leveraging Extended Einsums to Optimize Attention Accelerator
/// Design (MICRO 2024, arXiv 2406.10491). Cycles of an operation on n points: c·n/N² or c·n/N; an exponential is c = 7 on the arrays that
/// were built for it. Energy is left out: it needs an external estimator. Cost: O(√(P/N)).
/// </summary>
public sealed record SpatialArray
{
    private const double BytesPerNumber = 2, Exponential = 7;

    /// <summary>Side N of the two-dimensional array, length of the one-dimensional one, and keys of a block.</summary>
    public long Elements { get; init; } = 256;

    /// <summary>Cycles a second.</summary>
    public double Clock { get; init; } = 940e6;

    /// <summary>Bytes a second between memory and buffer.</summary>
    public double Bandwidth { get; init; } = 400.0 * (1L << 30);

    /// <summary>Bytes of the buffer. FLAT's is twice as large.</summary>
    public long Buffer { get; init; } = 16L << 20;

    /// <summary>What a design takes for a shape.</summary>
    /// <exception cref="ArgumentException">A size is not positive, keys or queries do not fill the array, or the buffer is too small; no rule for padding is published.</exception>
    public AttentionCost Cost(AttentionDesign design, AttentionShape shape)
    {
        Check(shape);
        var (b, h, e, f, m, p) = (shape.Batch, shape.Heads, shape.Width, shape.ValueWidth, shape.Keys, shape.Queries);
        double points = (double)b * h * m * p, blocks = points / Elements, outputs = (double)b * h * p;
        double On2(double n, double c = 1) => c * n / ((double)Elements * Elements);
        double On1(double n, double c = 1) => c * n / Elements;

        double qk = On2(points * e), lm = On2(points), sln = On2(points, Exponential), sld = On2(points), slnv = On2(points * f);
        double rm = On1(blocks), spd = On1(blocks), rd = On1(blocks), prm = On1(blocks, Exponential), spnv = On1(blocks * f), rnv = On1(blocks * f), av = On1(outputs * f);
        double traffic = design == AttentionDesign.Flat ? FlatTraffic(shape) : Traffic(shape);
        double cycles = design switch
        {
            AttentionDesign.Fusemax => Math.Max(qk + lm, rd + rnv + av) + rm + Math.Max(sln + sld, prm + spd) + Math.Max(slnv, spnv),
            // the array waits for the maximum of each block
            AttentionDesign.Architecture => Math.Max(qk + lm, rd + av) + Elements * lm + rm + Math.Max(sln + sld, prm + spd) + Math.Max(slnv, spnv + rnv),
            // softmax on the one-dimensional array, where exponential and sum are pipelined to two cycles
            AttentionDesign.Cascade => Math.Max(qk + slnv, On1(points) + On1(points, 2) + On1(points) + rm + On1(blocks, 2) + spd + rd + spnv + rnv + av),
            // maximum, exponential, sum and division, one cycle each
            AttentionDesign.Flat => Math.Max(qk + slnv, On1(points, 4)),
            _ => throw new ArgumentOutOfRangeException(nameof(design), design, "no such design"),
        };
        double seconds = Math.Max(cycles / Clock, traffic / Bandwidth);
        double busy = design is AttentionDesign.Flat or AttentionDesign.Cascade ? qk + slnv : qk + lm + sln + sld + slnv;
        return new(seconds, traffic, busy / (seconds * Clock));
    }

    /// <summary>
    /// Traffic of the one-pass designs: queries and outputs once, keys and values once for each group of query blocks that fits the buffer. A group is
    /// the largest divisor of the number of query blocks of which queries, running sums and maxima fit beside two blocks of keys and values.
    /// </summary>
    private double Traffic(AttentionShape s)
    {
        long room = (Buffer - 2 * Elements * (s.Width + s.ValueWidth)) / (2 * (s.Width + s.ValueWidth + 2) * Elements), all = s.Queries / Elements;
        if (room < 1)
            throw new ArgumentException($"a buffer of {Buffer} bytes holds no block of {Elements} queries of width {s.Width} and {s.ValueWidth}; expected at least {2 * Elements * (2 * (s.Width + s.ValueWidth) + 2)}", nameof(s));
        long group = 1;
        for (long d = 1; d * d <= all; d++)
            if (all % d == 0)
                group = Math.Max(group, Math.Max(d <= room ? d : 1, all / d <= room ? all / d : 1));
        double reload = (double)s.Queries / (group * Elements);
        return BytesPerNumber * s.Batch * s.Heads * (s.Queries * (double)(s.Width + s.ValueWidth) + reload * s.Keys * (s.Width + s.ValueWidth));
    }

    /// <summary>
    /// Traffic of FLAT. While one block of rows of the attention matrix fits its buffer (keys to 2¹⁶ at the published size) every operand
    /// passes once for each group of rows that fits. Beyond, logits and weights are each written and read back, and keys and values pass once for
    /// each 1,024 queries: the mapping that was found for the published lengths from 2¹⁸.
    /// </summary>
    private double FlatTraffic(AttentionShape s)
    {
        double rowBlock = BytesPerNumber * Elements * s.Keys, buffer = 2.0 * Buffer;
        double queriesAtATime = rowBlock <= buffer ? Math.Min(s.Queries, Elements * Math.Floor(buffer / rowBlock)) : 4 * Elements;
        double spilled = rowBlock <= buffer ? 0 : 4.0 * s.Keys * s.Queries;
        return BytesPerNumber * s.Batch * s.Heads * (spilled + s.Queries * (double)(s.Width + s.ValueWidth) + s.Queries / queriesAtATime * s.Keys * (s.Width + s.ValueWidth));
    }

    private void Check(AttentionShape s)
    {
        if (new[] { s.Batch, s.Heads, s.Width, s.ValueWidth, s.Keys, s.Queries }.Any(x => x < 1))
            throw new ArgumentException($"{s}; expected positive sizes", nameof(s));
        if (s.Keys % Elements != 0 || s.Queries % Elements != 0)
            throw new ArgumentException($"{s.Keys} keys and {s.Queries} queries on an array of {Elements}; expected multiples of it, because no rule for padding is published", nameof(s));
    }
}
