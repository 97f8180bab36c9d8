using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="SupportVectorMachine"/>.</summary>
public sealed record SvmOptions
{
    /// <summary>The bound of a weight.</summary>
    [Range(0.0, 1e9), Description("C: most weight of a row; 0: chosen among 1, 10 and 100 by three folds")]
    public double C { get; init; }

    /// <summary>The width.</summary>
    [Range(0.0, 1e12), Description("γ of the rbf kernel times 1 / (features · variance); 0: chosen with C among a half, one and two")]
    public double Gamma { get; init; }
}

/// <summary>
/// Support vector machines, one for each pair of classes, that vote: <c>max Σα − ½ Σ αᵢαⱼyᵢyⱼKᵢⱼ, 0 ≤ α ≤ C, Σ αy = 0</c>, by sequential minimal optimisation with second-order choice of the pair
/// (Platt 1998; Fan, Chen and Lin, JMLR 2005), to a violation of 1e-3. Scores are votes, and between as many the sum of the margins, squashed. Cost about O(n²) a pair of classes beside the Gram matrix.
/// </summary>
/// <param name="kernels">Kernels for some rows, from which one is chosen.</param>
/// <param name="bounds">Values of C, from which one is chosen.</param>
/// <param name="random">Draws the folds.</param>
public sealed class SupportVectorMachine(Func<Tensor, IReadOnlyList<IKernel>> kernels, IReadOnlyList<double> bounds, SeededRandom random) : IClassifier
{
    private const int Folds = 3;
    private readonly ulong _seed = (ulong)random.NextInt64();

    /// <summary>With rbf kernels, by options.</summary>
    public SupportVectorMachine(KernelSetup setup, SvmOptions options)
        : this(x => [.. (options.Gamma > 0 ? [options.Gamma] : (double[])[0.5, 1, 2]).Select(w => new Rbf(w * Rbf.Scale(x)))], options.C > 0 ? [options.C] : [1, 10, 100], setup.Random("svm-folds"))
    {
    }

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Labels.Distinct().Count() < 2)
            throw InputException.At("labels", "one class", "at least two", "Give rows of another class.");
        using var scope = NewDisposeScope();
        var candidates = kernels(rows.X);
        var (kernel, c) = (candidates[0], bounds[0]);
        if (candidates.Count * bounds.Count > 1)
        {
            int best = -1;
            foreach (var tried in candidates)
            {
                double[] gram = tried.Gram(rows.X, rows.X).data<double>().ToArray();
                foreach (double bound in bounds)
                    if (Right(gram, rows, bound, cancellation) is var right && right > best)
                        (best, kernel, c) = (right, tried, bound);
            }
        }
        var pairs = Pairs(kernel.Gram(rows.X, rows.X).data<double>().ToArray(), rows.Labels, [.. Enumerable.Range(0, rows.Labels.Count)], c, cancellation);
        return new Fitted(kernel, rows.X, pairs, rows.Classes, new Dictionary<string, double> { ["c"] = c, ["gap"] = pairs.Max(p => p.Machine.Gap), ["support"] = pairs.SelectMany(p => p.Rows.Where((_, i) => p.Machine.Alpha[i] > 0)).Distinct().Count() });
    }

    /// <summary>Rows of folds left out that are answered rightly.</summary>
    private int Right(double[] gram, TrainingRows rows, double c, CancellationToken cancellation)
    {
        int n = rows.Labels.Count, right = 0;
        int[] order = [.. Enumerable.Range(0, n)];
        new SeededRandom(_seed, "folds").Shuffle(order);
        order = [.. order.OrderBy(i => rows.Labels[i])]; // every fold has of every class
        for (int fold = 0; fold < Folds; fold++)
        {
            int[] learned = [.. order.Where((_, i) => i % Folds != fold)], left = [.. order.Where((_, i) => i % Folds == fold)];
            var pairs = Pairs(gram, rows.Labels, learned, c, cancellation);
            foreach (int i in left)
                right += Votes(pairs, rows.Classes, row => gram[(long)i * n + row]) is var votes && Array.IndexOf(votes, votes.Max()) == rows.Labels[i] ? 1 : 0;
        }
        return right;
    }

    private static List<Pair> Pairs(double[] gram, IReadOnlyList<int> labels, int[] rows, double c, CancellationToken cancellation)
    {
        int n = labels.Count;
        int[] classes = [.. rows.Select(r => labels[r]).Distinct().Order()];
        var pairs = new List<Pair>();
        for (int a = 0; a < classes.Length; a++)
            for (int b = a + 1; b < classes.Length; b++)
            {
                cancellation.ThrowIfCancellationRequested();
                int[] own = [.. rows.Where(r => labels[r] == classes[a] || labels[r] == classes[b])];
                double[] k = new double[own.Length * own.Length];
                for (int i = 0; i < own.Length; i++)
                    for (int j = 0; j < own.Length; j++)
                        k[i * own.Length + j] = gram[(long)own[i] * n + own[j]];
                pairs.Add(new(classes[a], classes[b], own, BinaryMachine.Train(k, [.. own.Select(r => labels[r] == classes[a] ? 1 : -1)], c)));
            }
        return pairs;
    }

    private static double[] Votes(IReadOnlyList<Pair> pairs, int classes, Func<int, double> similarity)
    {
        double[] votes = new double[classes], margins = new double[classes];
        foreach (var (a, b, rows, machine) in pairs)
        {
            double margin = machine.Bias;
            for (int i = 0; i < rows.Length; i++)
                if (machine.Alpha[i] != 0)
                    margin += machine.Alpha[i] * machine.Labels[i] * similarity(rows[i]);
            votes[margin > 0 ? a : b]++;
            margins[a] += margin;
            margins[b] -= margin;
        }
        for (int i = 0; i < classes; i++)
            votes[i] += margins[i] / (3 * (Math.Abs(margins[i]) + 1));
        return votes;
    }

    private sealed record Pair(int First, int Second, int[] Rows, BinaryMachine Machine);

    private sealed class Fitted(IKernel kernel, Tensor x, IReadOnlyList<Pair> pairs, int classes, IReadOnlyDictionary<string, double> report) : IFitted
    {
        private readonly Tensor _x = x.clone().DetachFromDisposeScope();

        public IReadOnlyDictionary<string, double> Report => report;

        public Tensor Scores(Tensor rows)
        {
            using var scope = NewDisposeScope();
            Finite.Require(rows, nameof(rows));
            double[] gram = kernel.Gram(rows, _x).data<double>().ToArray();
            long n = _x.shape[0];
            double[] scores = [.. Enumerable.Range(0, (int)rows.shape[0]).SelectMany(i => Votes(pairs, classes, row => gram[i * n + row]))];
            return Aligned.Of(scores, rows.shape[0], classes).MoveToOuterDisposeScope();
        }

        public void Dispose() => _x.Dispose();
    }
}

/// <summary>A machine for two classes.</summary>
/// <param name="Alpha">The weight of each row.</param>
/// <param name="Labels">1 or -1 of each row.</param>
/// <param name="Bias">What is added to a margin.</param>
/// <param name="Gap">What the primal objective is above the dual one, over the primal one: 0 at the optimum.</param>
public sealed record BinaryMachine(double[] Alpha, int[] Labels, double Bias, double Gap)
{
    private const double Violation = 1e-3, Flat = 1e-12;
    private const int MostSteps = 10_000_000;

    /// <summary>Trains.</summary>
    /// <param name="gram">Symmetric [n, n], row after row.</param>
    /// <param name="labels">1 or -1.</param>
    /// <param name="c">Most weight of a row.</param>
    public static BinaryMachine Train(double[] gram, int[] labels, double c)
    {
        ArgumentNullException.ThrowIfNull(gram);
        ArgumentNullException.ThrowIfNull(labels);
        int n = labels.Length;
        double[] alpha = new double[n], gradient = new double[n]; // of ½ αᵀQα − Σα
        Array.Fill(gradient, -1);
        bool Up(int i) => labels[i] > 0 ? alpha[i] < c : alpha[i] > 0;
        bool Down(int i) => labels[i] > 0 ? alpha[i] > 0 : alpha[i] < c;
        double high = 0, low = 0;
        for (int step = 0; step < MostSteps; step++)
        {
            int i = -1, j = -1;
            (high, low) = (double.NegativeInfinity, double.PositiveInfinity);
            for (int t = 0; t < n; t++)
                if (Up(t) && -labels[t] * gradient[t] > high)
                    (high, i) = (-labels[t] * gradient[t], t);
            double most = 0;
            for (int t = 0; t < n && i >= 0; t++)
                if (Down(t))
                {
                    double own = -labels[t] * gradient[t], ahead = high - own;
                    low = Math.Min(low, own);
                    double curve = Math.Max(Flat, gram[i * n + i] + gram[t * n + t] - 2 * gram[i * n + t]);
                    if (ahead > 0 && ahead * ahead / curve > most)
                        (most, j) = (ahead * ahead / curve, t);
                }
            if (j < 0 || high - low < Violation)
                break;
            // along yᵢαᵢ + yⱼαⱼ = constant, as far as the box goes
            double move = (high + labels[j] * gradient[j]) / Math.Max(Flat, gram[i * n + i] + gram[j * n + j] - 2 * gram[i * n + j]);
            move = Math.Min(move, labels[i] > 0 ? c - alpha[i] : alpha[i]);
            move = Math.Min(move, labels[j] > 0 ? alpha[j] : c - alpha[j]);
            alpha[i] += labels[i] * move;
            alpha[j] -= labels[j] * move;
            // a weight at its bound to rounding is at its bound
            foreach (int t in (ReadOnlySpan<int>)[i, j])
                alpha[t] = alpha[t] < Flat * c ? 0 : alpha[t] > c * (1 - Flat) ? c : alpha[t];
            for (int t = 0; t < n; t++)
                gradient[t] += labels[t] * move * (gram[i * n + t] - gram[j * n + t]);
        }
        double bias = (high + low) / 2, dual = 0, losses = 0, quadratic = 0;
        for (int t = 0; t < n; t++)
        {
            quadratic += alpha[t] * (gradient[t] + 1);
            dual += alpha[t];
            losses += Math.Max(0, 1 - (gradient[t] + 1) - labels[t] * bias);
        }
        double primal = quadratic / 2 + c * losses;
        return new(alpha, labels, bias, primal == 0 ? 0 : (primal - (dual - quadratic / 2)) / primal);
    }
}
