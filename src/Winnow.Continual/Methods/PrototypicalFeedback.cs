using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Rows mixed of two each: <c>x = (1 − λ) x₁ + λ x₂</c>.</summary>
/// <param name="X">Mixtures [n, width].</param>
/// <param name="First">Labels of x₁, int64 [n].</param>
/// <param name="Second">Labels of x₂, int64 [n].</param>
/// <param name="Lambda">λ, float32 [n].</param>
public sealed record Mixture(Tensor X, Tensor First, Tensor Second, Tensor Lambda)
{
    /// <summary>Rows.</summary>
    public int Count => (int)X.shape[0];

    /// <summary>A label for each mixture, equal for rows mixed of the same classes in equal parts: <c>(1 − λ) y₁ + λ y₂</c>, float64 [n].</summary>
    public Tensor Labels => First + Lambda.to_type(ScalarType.Float64) * (Second - First);

    /// <summary>Mean over rows of <c>(1 − λ) CE(y₁) + λ CE(y₂)</c> of logits [n, classes].</summary>
    public Tensor CrossEntropy(Tensor logits) =>
        ((1 - Lambda) * nn.functional.cross_entropy(logits, First, reduction: nn.Reduction.None) + Lambda * nn.functional.cross_entropy(logits, Second, reduction: nn.Reduction.None)).mean();

    /// <summary>These rows, then those.</summary>
    public Mixture Then(Mixture other) => new(cat([X, other.X]), cat([First, other.First]), cat([Second, other.Second]), cat([Lambda, other.Lambda]));
}

/// <summary>
/// Adaptive prototypical feedback: replays more mixtures of those pairs of classes whose prototypes lie close together (APF of OnPro,
/// arXiv 2308.00301). The prototypes only steer what is drawn; no gradient passes.
/// </summary>
public static class PrototypicalFeedback
{
    /// <summary>A smaller distance counts as this, so that two equal prototypes take all draws instead of giving NaN.</summary>
    private const double LeastDistance = 1e-12;

    /// <summary>The classes with a prototype, ascending, and the probability of each of their pairs (0, 1), (0, 2), ..., (1, 2), ...: softmax of 1 / distance.</summary>
    /// <param name="prototypes">Prototypes [classes, d]; zero where there is none.</param>
    public static (long[] Classes, double[] Probabilities) Pairs(Tensor prototypes)
    {
        using var scope = NewDisposeScope();
        var p = prototypes.detach().to_type(ScalarType.Float64);
        var index = p.abs().sum(1).gt(0).nonzero().flatten();
        long[] classes = index.data<long>().ToArray();
        if (classes.Length < 2)
            return (classes, []);
        p = p.index_select(0, index);
        var nearness = new List<double>();
        for (int i = 0; i < classes.Length - 1; i++)
            nearness.AddRange((p.narrow(0, i + 1, classes.Length - 1 - i) - p[i]).norm(1).clamp_min(LeastDistance).reciprocal().data<double>().ToArray());
        double most = nearness.Max(), sum = nearness.Sum(n => Math.Exp(n - most));
        return (classes, [.. nearness.Select(n => Math.Exp(n - most) / sum)]);
    }

    /// <summary>How many of N replayed rows are drawn for pairs: N − ⌊N·α⌋.</summary>
    public static int PairRows(int rows, double baseShare) => rows - (int)(rows * baseShare);

    /// <summary>The pairs' shares of a number of rows, each rounded to the nearest whole, halves to even.</summary>
    public static int[] Rounded(IReadOnlyList<double> probabilities, int rows) => [.. probabilities.Select(p => (int)Math.Round(p * rows))];

    /// <summary>As <see cref="Rounded"/>, then changed by one at random pairs until they sum to the number of rows.</summary>
    public static int[] Counts(IReadOnlyList<double> probabilities, int rows, SeededRandom random)
    {
        int[] counts = Rounded(probabilities, rows);
        while (counts.Sum() != rows)
        {
            int change = Math.Sign(rows - counts.Sum());
            int[] pairs = [.. Enumerable.Range(0, counts.Length).Where(i => change > 0 || counts[i] > 0)];
            random.Shuffle(pairs);
            foreach (int pair in pairs.Take(Math.Abs(rows - counts.Sum())))
                counts[pair] += change;
        }
        return counts;
    }

    /// <summary>
    /// Ordinary mix-up of a batch with a permutation of itself, λ uniform in [0, <paramref name="largest"/>] for each row; with probability
    /// 1 − <paramref name="probability"/> the batch as it is.
    /// </summary>
    public static Mixture MixUp(Batch rows, double probability, double largest, SeededRandom random)
    {
        long[] order = [.. Enumerable.Range(0, rows.Count).Select(i => (long)i)];
        random.Shuffle(order);
        bool mix = random.NextDouble() < probability;
        float[] lambda = [.. order.Select(_ => mix ? (float)(largest * random.NextDouble()) : 0)];
        return Mix(rows, rows.Rows(tensor(order)), lambda);
    }

    /// <summary>
    /// Mixtures of each pair of classes, as many as its count: a row of each, drawn with replacement, with one λ ~ Beta(a, a) for the pair, or, with
    /// probability 1 − <paramref name="probability"/>, λ = 0. A class that the memory has lost is replaced by a random one that it has.
    /// </summary>
    /// <param name="memory">All rows there are.</param>
    /// <param name="classes">As <see cref="Pairs"/> gives them.</param>
    /// <param name="counts">Mixtures of each pair.</param>
    /// <param name="probability">That a pair is mixed at all.</param>
    /// <param name="beta">a, in (0, 1].</param>
    /// <param name="random">Draws.</param>
    /// <exception cref="ArgumentException">The memory is empty.</exception>
    public static Mixture MixPairs(Batch memory, long[] classes, int[] counts, double probability, double beta, SeededRandom random)
    {
        if (memory.Count == 0)
            throw new ArgumentException("an empty memory; expected rows to replay: offer some first", nameof(memory));
        var members = memory.Y.data<long>().ToArray().Select((label, row) => (label, row: (long)row)).GroupBy(r => r.label, r => r.row).OrderBy(g => g.Key).Select(g => (Label: g.Key, Rows: g.ToArray())).ToArray();
        var (first, second, lambdas) = (new List<long>(), new List<long>(), new List<float>());
        int pair = 0;
        for (int i = 0; i < classes.Length; i++)
            for (int j = i + 1; j < classes.Length; j++)
            {
                int count = counts[pair++];
                if (count == 0)
                    continue;
                long[] left = Of(classes[i]), right = Of(classes[j]);
                float lambda = random.NextDouble() < probability ? (float)Beta(beta, random) : 0;
                for (int n = 0; n < count; n++)
                {
                    first.Add(left[random.Next(left.Length)]);
                    second.Add(right[random.Next(right.Length)]);
                    lambdas.Add(lambda);
                }
            }
        return Mix(memory.Rows(tensor(first.ToArray())), memory.Rows(tensor(second.ToArray())), [.. lambdas]);

        long[] Of(long label) => members.FirstOrDefault(m => m.Label == label).Rows ?? members[random.Next(members.Length)].Rows;
    }

    private static Mixture Mix(Batch first, Batch second, float[] lambda)
    {
        var l = tensor(lambda);
        return new(first.X + l.unsqueeze(1) * (second.X - first.X), first.Y, second.Y, l);
    }

    /// <summary>A draw from Beta(a, a), a ≤ 1 (Jöhnk).</summary>
    private static double Beta(double a, SeededRandom random)
    {
        while (true)
        {
            double u = Math.Pow(1 - random.NextDouble(), 1 / a), v = Math.Pow(1 - random.NextDouble(), 1 / a);
            if (u + v <= 1)
                return u / (u + v);
        }
    }
}
