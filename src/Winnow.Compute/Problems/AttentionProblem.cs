using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>Softmax attention of several heads: <c>O = softmax(Q Kᵀ / √E) V</c>, float32, row-major.</summary>
/// <param name="Heads">Heads, batch included.</param>
/// <param name="Queries">Queries P of a head.</param>
/// <param name="Keys">Keys M of a head.</param>
/// <param name="Width">Numbers E of a query and of a key.</param>
/// <param name="ValueWidth">Numbers F of a value.</param>
/// <param name="Q">[Heads, P, E].</param>
/// <param name="K">[Heads, M, E].</param>
/// <param name="V">[Heads, M, F].</param>
public sealed record AttentionProblem(int Heads, int Queries, int Keys, int Width, int ValueWidth, float[] Q, float[] K, float[] V)
{
    /// <summary>What the logits are multiplied by: 1/√E.</summary>
    public float Scale => 1 / MathF.Sqrt(Width);

    /// <summary>Operations of any exact method: two products, and a maximum, a subtraction, an exponential and a sum for each logit.</summary>
    public double Flops => (double)Heads * Queries * Keys * (2.0 * Width + 2.0 * ValueWidth + 4);
}

/// <summary>Sizes of an attention problem.</summary>
public sealed record AttentionProblemOptions : ComputeOptions
{
    /// <summary>Heads.</summary>
    [Range(1, 4096), Description("heads, batch included")]
    public int Heads { get; init; } = 8;

    /// <summary>Queries and keys.</summary>
    [Range(1, 1 << 20), Description("queries, and keys, of a head")]
    public int Length { get; init; } = 1024;

    /// <summary>Width of a head.</summary>
    [Range(1, 1024), Description("numbers of a query, a key and a value")]
    public int Width { get; init; } = 64;

    /// <summary>Spread of the logits.</summary>
    [Range(0.0, 100.0), Description("standard deviation of the queries, and so of the logits; keys and values have 1")]
    public double Sharpness { get; init; } = 1;
}

internal static class AttentionKind
{
    public const string Offer = "softmax attention";

    public static IProblemKind Kind { get; } = new ProblemKind<AttentionProblem, float[], AttentionProblemOptions>
    {
        Task = new("attention", "Softmax attention", "Queries, keys and values of several heads, drawn from normal distributions; asked for are the softmax-weighted values.", OptionsSchema.Of<AttentionProblemOptions>(), [Offer]) { Data = null, Metrics = [.. Protocol.Cards, new("passes", "passes", "", Better.Lower, "times that a key's logits are gone over")] },
        Make = (_, o, random) => new(o.Heads, o.Length, o.Length, o.Width, o.Width,
            Values.Normal(random, (long)o.Heads * o.Length * o.Width, o.Sharpness), Values.Normal(random, (long)o.Heads * o.Length * o.Width, 1), Values.Normal(random, (long)o.Heads * o.Length * o.Width, 1)),
        Reference = Dense,
        Error = Values.RelativeDistance<float>,
        Text = o => FormattableString.Invariant($"attention of {o.Heads} heads, {o.Length:N0} queries and keys of width {o.Width}"),
    };

    /// <summary>The definition, in double precision, a query at a time.</summary>
    internal static float[] Dense(AttentionProblem problem, CancellationToken cancellation)
    {
        var (heads, queries, keys, width, valueWidth, q, k, v) = problem;
        var output = new float[(long)heads * queries * valueWidth];
        Parallel.For(0, heads * queries, new ParallelOptions { CancellationToken = cancellation }, row =>
        {
            int head = row / queries;
            var logits = new double[keys];
            double max = double.NegativeInfinity, sum = 0;
            for (int m = 0; m < keys; m++)
            {
                double dot = 0;
                for (int e = 0; e < width; e++)
                    dot += (double)q[(long)row * width + e] * k[((long)head * keys + m) * width + e];
                max = Math.Max(max, logits[m] = dot / Math.Sqrt(width));
            }
            var mixed = new double[valueWidth];
            for (int m = 0; m < keys; m++)
            {
                double p = Math.Exp(logits[m] - max);
                sum += p;
                for (int f = 0; f < valueWidth; f++)
                    mixed[f] += p * v[((long)head * keys + m) * valueWidth + f];
            }
            for (int f = 0; f < valueWidth; f++)
                output[(long)row * valueWidth + f] = (float)(mixed[f] / sum);
        });
        return output;
    }
}
