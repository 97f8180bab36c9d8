using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>The head of a language model: mean cross-entropy of <c>softmax(E Cᵀ)</c> against targets, and its gradients.</summary>
/// <param name="Rows">Tokens N.</param>
/// <param name="Width">Width D of an embedding.</param>
/// <param name="Vocabulary">Classes V.</param>
/// <param name="Embeddings">E [N, D].</param>
/// <param name="Classifier">C [V, D].</param>
/// <param name="Targets">One class a row.</param>
public sealed record LossHeadProblem(int Rows, int Width, int Vocabulary, float[] Embeddings, float[] Classifier, long[] Targets)
{
    /// <summary>Bytes of the matrix of logits.</summary>
    public long LogitBytes => 4L * Rows * Vocabulary;

    /// <summary>Operations of one product of the size of the logits.</summary>
    public double ProductFlops => 2.0 * Rows * Width * Vocabulary;
}

/// <summary>A loss with its gradients with respect to both of its operands.</summary>
/// <param name="Loss">The mean over the rows.</param>
/// <param name="First">Gradient with respect to the first operand, in its shape.</param>
/// <param name="Second">Gradient with respect to the second operand, in its shape.</param>
public sealed record LossAndGradients(double Loss, float[] First, float[] Second)
{
    /// <summary>The largest of the relative distances of loss and gradients.</summary>
    internal static double Error(LossAndGradients x, LossAndGradients y) =>
        new[] { Math.Abs(x.Loss - y.Loss) / Math.Max(Math.Abs(y.Loss), 1e-12), Values.RelativeDistance(x.First, y.First), Values.RelativeDistance(x.Second, y.Second) }.Max();
}

/// <summary>Sizes of a loss head.</summary>
public sealed record LossHeadOptions : ComputeOptions
{
    /// <summary>Tokens.</summary>
    [Range(1, 1 << 20), Description("tokens N")]
    public int Rows { get; init; } = 1024;

    /// <summary>Width.</summary>
    [Range(1, 16_384), Description("width D of embeddings")]
    public int Width { get; init; } = 128;

    /// <summary>Classes.</summary>
    [Range(2, 1 << 21), Description("classes V of the vocabulary")]
    public int Vocabulary { get; init; } = 8192;

    /// <summary>How sure the head is.</summary>
    [Range(0.0, 1000.0), Description("logit that the target has beyond the others, whose standard deviation is 1; 0 is an untrained head, 20 a very sure one")]
    public double Peak { get; init; }
}

internal static class LossHeadKind
{
    public const string Offer = "loss head";

    public static IProblemKind Kind { get; } = new ProblemKind<LossHeadProblem, LossAndGradients, LossHeadOptions>
    {
        Task = new("loss-head", "Loss of a large vocabulary", "Embeddings of tokens and a classifier over a vocabulary whose classes are as frequent as words; asked for are the mean cross-entropy and both gradients.",
            OptionsSchema.Of<LossHeadOptions>(), [Offer])
        { Data = null, Metrics = [.. Protocol.Cards, new("skip_rate", "skipped", "fraction", Better.Higher, "share of the tiles of the backward pass that were left out because their gradient is too small to count")] },
        Make = (_, o, random) => Make(o, random),
        Reference = Dense,
        Error = LossAndGradients.Error,
        Text = o => FormattableString.Invariant($"a loss head of {o.Rows:N0} tokens, width {o.Width}, {o.Vocabulary:N0} classes"),
    };

    /// <summary>
    /// Rows of C and E are normal with logits of deviation 1; targets follow Zipf's law, as words do. For a peak, each embedding moves
    /// along its target's row of C by as much as raises that logit by the peak, on average over the rows.
    /// </summary>
    private static LossHeadProblem Make(LossHeadOptions o, SeededRandom random)
    {
        float[] c = Values.Normal(random, (long)o.Vocabulary * o.Width, 1 / Math.Sqrt(o.Width)), e = Values.Normal(random, (long)o.Rows * o.Width, 1);
        var targets = new long[o.Rows];
        for (int i = 0; i < o.Rows; i++)
        {
            // the inverse of the distribution function of a continuous 1/x law on [1, V + 1)
            long t = targets[i] = Math.Min(o.Vocabulary - 1, (long)Math.Pow(o.Vocabulary + 1, random.NextDouble()) - 1);
            for (int d = 0; d < o.Width; d++)
                e[(long)i * o.Width + d] += (float)o.Peak * c[t * o.Width + d];
        }
        return new(o.Rows, o.Width, o.Vocabulary, e, c, targets);
    }

    /// <summary>The definition, in double precision: the logits of a row, its softmax, and its part of both gradients.</summary>
    internal static LossAndGradients Dense(LossHeadProblem problem, CancellationToken cancellation)
    {
        var (rows, width, vocabulary, embeddings, classifier, targets) = problem;
        double[] e = Array.ConvertAll(embeddings, x => (double)x), c = Array.ConvertAll(classifier, x => (double)x), first = new double[e.Length], second = new double[c.Length], normaliser = new double[rows];
        double[] losses = new double[rows];
        var parallel = new ParallelOptions { CancellationToken = cancellation };
        Parallel.For(0, rows, parallel, i =>
        {
            var row = e.AsSpan(i * width, width);
            double[] logits = new double[vocabulary];
            for (int v = 0; v < vocabulary; v++)
                logits[v] = TensorPrimitives.Dot<double>(row, c.AsSpan(v * width, width));
            double max = TensorPrimitives.Max<double>(logits), sum = 0;
            foreach (double logit in logits)
                sum += Math.Exp(logit - max);
            normaliser[i] = max + Math.Log(sum);
            losses[i] = normaliser[i] - logits[targets[i]];
            var gradient = first.AsSpan(i * width, width);
            for (int v = 0; v < vocabulary; v++)
                TensorPrimitives.MultiplyAdd(c.AsSpan(v * width, width), Gradient(logits[v], i, v), gradient, gradient);
        });
        // a worker owns rows of dC, and so makes its logits a second time
        Parallel.For(0, vocabulary, parallel, v =>
        {
            ReadOnlySpan<double> entry = c.AsSpan(v * width, width);
            var gradient = second.AsSpan(v * width, width);
            for (int i = 0; i < rows; i++)
            {
                ReadOnlySpan<double> row = e.AsSpan(i * width, width);
                TensorPrimitives.MultiplyAdd(row, Gradient(TensorPrimitives.Dot(row, entry), i, v), gradient, gradient);
            }
        });
        return new(losses.Average(), Array.ConvertAll(first, x => (float)x), Array.ConvertAll(second, x => (float)x));

        double Gradient(double logit, int i, int v) => (Math.Exp(logit - normaliser[i]) - (v == targets[i] ? 1 : 0)) / rows;
    }
}
