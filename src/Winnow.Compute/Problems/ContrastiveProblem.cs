using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>A symmetric contrastive loss: the mean of the cross-entropies of <c>s·Q Kᵀ</c> by rows and by columns, targets on the diagonal, and its gradients.</summary>
/// <param name="Rows">Pairs n.</param>
/// <param name="Width">Features d.</param>
/// <param name="Queries">Q [n, d], rows of norm 1.</param>
/// <param name="Keys">K [n, d], rows of norm 1.</param>
/// <param name="Scale">s, the inverse temperature.</param>
public sealed record ContrastiveProblem(int Rows, int Width, float[] Queries, float[] Keys, float Scale)
{
    /// <summary>Bytes of the matrix of similarities.</summary>
    public long LogitBytes => 4L * Rows * Rows;

    /// <summary>Operations of one product of the size of the similarities.</summary>
    public double ProductFlops => 2.0 * Rows * Rows * Width;
}

/// <summary>Sizes of a contrastive problem.</summary>
public sealed record ContrastiveProblemOptions : ComputeOptions
{
    /// <summary>Pairs.</summary>
    [Range(1, 1 << 20), Description("pairs n")]
    public int Pairs { get; init; } = 2048;

    /// <summary>Features.</summary>
    [Range(1, 4096), Description("features d")]
    public int Width { get; init; } = 128;

    /// <summary>Inverse temperature.</summary>
    [Range(0.001, 1000.0), Description("inverse temperature that similarities are multiplied by")]
    public double Scale { get; init; } = 14.3;

    /// <summary>How alike the two of a pair are.</summary>
    [Range(0.0, 1.0), Description("share of a key that is its query; the rest is noise")]
    public double Alike { get; init; } = 0.5;
}

internal static class ContrastiveKind
{
    public const string Offer = "contrastive pairs";

    public static IProblemKind Kind { get; } = new ProblemKind<ContrastiveProblem, LossAndGradients, ContrastiveProblemOptions>
    {
        Task = new("contrastive", "Contrastive loss of a large batch", "Pairs of unit vectors, each key partly its query; asked for are the symmetric contrastive loss and both gradients.", OptionsSchema.Of<ContrastiveProblemOptions>(), [Offer]) { Data = null },
        Make = (_, o, random) => Make(o, random),
        Reference = Dense,
        Error = LossAndGradients.Error,
        Text = o => FormattableString.Invariant($"a contrastive loss of {o.Pairs:N0} pairs of width {o.Width}"),
    };

    private static ContrastiveProblem Make(ContrastiveProblemOptions o, SeededRandom random)
    {
        float[] q = Values.Normal(random, (long)o.Pairs * o.Width, 1), k = Values.Normal(random, (long)o.Pairs * o.Width, 1);
        for (long i = 0; i < q.LongLength; i++)
            k[i] = (float)(o.Alike * q[i] + (1 - o.Alike) * k[i]);
        Normalise(q, o.Width);
        Normalise(k, o.Width);
        return new(o.Pairs, o.Width, q, k, (float)o.Scale);
    }

    private static void Normalise(float[] rows, int width)
    {
        for (int at = 0; at < rows.Length; at += width)
        {
            double norm = 0;
            for (int d = 0; d < width; d++)
                norm += (double)rows[at + d] * rows[at + d];
            for (int d = 0; d < width; d++)
                rows[at + d] = (float)(rows[at + d] / Math.Sqrt(norm));
        }
    }

    /// <summary>The definition as two loss heads, in double precision: each operand is once the classifier of the other.</summary>
    internal static LossAndGradients Dense(ContrastiveProblem problem, CancellationToken cancellation)
    {
        float[] scaled = Array.ConvertAll(problem.Queries, x => problem.Scale * x);
        long[] diagonal = [.. Enumerable.Range(0, problem.Rows).Select(i => (long)i)];
        var rows = LossHeadKind.Dense(new(problem.Rows, problem.Width, problem.Rows, scaled, problem.Keys, diagonal), cancellation);
        var columns = LossHeadKind.Dense(new(problem.Rows, problem.Width, problem.Rows, problem.Keys, scaled, diagonal), cancellation);
        return new((rows.Loss + columns.Loss) / 2, [.. rows.First.Zip(columns.Second, (a, b) => problem.Scale * (a + b) / 2)], [.. rows.Second.Zip(columns.First, (a, b) => (a + b) / 2)]);
    }
}
