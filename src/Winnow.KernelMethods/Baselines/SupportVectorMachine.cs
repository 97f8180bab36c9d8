using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

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
                var gram = tried.Gram(rows.X, rows.X);
                foreach (double bound in bounds)
                    if (Right(gram, rows, bound, cancellation) is var right && right > best)
                        (best, kernel, c) = (right, tried, bound);
            }
        }
        var machines = new PairMachines(kernel.Gram(rows.X, rows.X), rows.Labels, [.. Enumerable.Range(0, rows.Labels.Count)], c, cancellation);
        return new Fitted(kernel, rows.X.index_select(0, tensor(machines.Support)), machines, rows.Classes, new Dictionary<string, double> { ["c"] = c, ["gap"] = machines.Gap, ["support"] = machines.Support.Length });
    }

    /// <summary>Rows of folds left out that are answered rightly.</summary>
    private int Right(Tensor gram, TrainingRows rows, double c, CancellationToken cancellation)
    {
        int n = rows.Labels.Count, right = 0;
        int[] order = [.. Enumerable.Range(0, n)];
        new SeededRandom(_seed, "folds").Shuffle(order);
        order = [.. order.OrderBy(i => rows.Labels[i])]; // every fold has of every class
        for (int fold = 0; fold < Folds; fold++)
        {
            using var scope = NewDisposeScope();
            int[] learned = [.. order.Where((_, i) => i % Folds != fold)], left = [.. order.Where((_, i) => i % Folds == fold)];
            var machines = new PairMachines(gram, rows.Labels, learned, c, cancellation);
            double[] scores = machines.Scores(gram.index_select(0, tensor(left)).index_select(1, tensor(machines.Support)), rows.Classes);
            for (int i = 0; i < left.Length; i++)
                right += scores.AsSpan(i * rows.Classes, rows.Classes) is var own && own.IndexOf(TensorPrimitives.Max<double>(own)) == rows.Labels[left[i]] ? 1 : 0;
        }
        return right;
    }

    private sealed class Fitted(IKernel kernel, Tensor x, PairMachines machines, int classes, IReadOnlyDictionary<string, double> report) : IFitted, IOnKernel
    {
        private readonly Tensor _x = x.clone().DetachFromDisposeScope();

        public IReadOnlyDictionary<string, double> Report => report;

        public IKernel Kernel => kernel;

        public Tensor Scores(Tensor rows)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(rows, _x.shape[1]);
            return Aligned.Of(machines.Scores(kernel.Gram(rows, _x), classes), rows.shape[0], classes).MoveToOuterDisposeScope();
        }

        public void Dispose() => _x.Dispose();
    }
}

/// <summary>A machine for each pair of classes that have rows; they vote.</summary>
internal sealed unsafe class PairMachines
{
    private readonly (int First, int Second)[] _pairs;
    private readonly double[] _weights, _biases;

    /// <summary>Trains, on as many threads as the tensor library has.</summary>
    /// <param name="gram">Of all rows, float64 [n, n].</param>
    /// <param name="labels">One a row.</param>
    /// <param name="rows">The rows learned from.</param>
    /// <param name="c">Most weight of a row.</param>
    /// <param name="cancellation">Stops between machines.</param>
    public PairMachines(Tensor gram, IReadOnlyList<int> labels, int[] rows, double c, CancellationToken cancellation)
    {
        int n = labels.Count;
        int[][] byClass = [.. rows.GroupBy(r => labels[r]).OrderBy(g => g.Key).Select(g => g.ToArray())];
        (int A, int B)[] pairs = [.. from a in Enumerable.Range(0, byClass.Length) from b in Enumerable.Range(a + 1, byClass.Length - a - 1) select (a, b)];
        _pairs = [.. pairs.Select(p => (labels[byClass[p.A][0]], labels[byClass[p.B][0]]))];
        _biases = new double[pairs.Length];
        double[] weights = new double[n * pairs.Length];
        double[] gaps = new double[pairs.Length];
        using var scope = NewDisposeScope();
        var held = gram.contiguous();
        double* data = Aligned.Address(held);
        Parallel.For(0, pairs.Length, new() { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = cancellation }, p =>
        {
            int[] own = [.. byClass[pairs[p].A], .. byClass[pairs[p].B]];
            double[] k = new double[own.Length * own.Length];
            for (int i = 0; i < own.Length; i++)
            {
                double* from = data + (long)own[i] * n;
                var to = k.AsSpan(i * own.Length, own.Length);
                for (int j = 0; j < to.Length; j++)
                    to[j] = from[own[j]];
            }
            var machine = BinaryMachine.Train(k, [.. own.Select((_, i) => i < byClass[pairs[p].A].Length ? 1 : -1)], c);
            (_biases[p], gaps[p]) = (machine.Bias, machine.Gap);
            for (int i = 0; i < own.Length; i++)
                weights[own[i] * pairs.Length + p] = machine.Alpha[i] * machine.Labels[i];
        });
        Gap = gaps.Max();
        Support = [.. Enumerable.Range(0, n).Where(i => weights.AsSpan(i * pairs.Length, pairs.Length).ContainsAnyExcept(0))];
        _weights = [.. Support.SelectMany(i => weights[(i * pairs.Length)..((i + 1) * pairs.Length)])];
    }

    /// <summary>The largest gap of a machine.</summary>
    public double Gap { get; }

    /// <summary>Rows that have a weight, by number.</summary>
    public int[] Support { get; }

    /// <summary>Votes of rows for classes, and between as many the sum of the margins, squashed: [m, classes], row after row.</summary>
    /// <param name="similarities">Float64 [m, rows that have a weight].</param>
    /// <param name="classes">Classes.</param>
    public double[] Scores(Tensor similarities, int classes)
    {
        using var scope = NewDisposeScope();
        double[] margin = similarities.mm(Aligned.Of(_weights, similarities.shape[1], _biases.Length)).data<double>().ToArray(), scores = new double[similarities.shape[0] * classes], sums = new double[classes];
        for (int row = 0; row < similarities.shape[0]; row++)
        {
            var votes = scores.AsSpan(row * classes, classes);
            sums.AsSpan().Clear();
            for (int p = 0; p < _pairs.Length; p++)
            {
                var (first, second) = _pairs[p];
                double own = margin[row * _pairs.Length + p] + _biases[p];
                votes[own > 0 ? first : second]++;
                sums[first] += own;
                sums[second] -= own;
            }
            for (int i = 0; i < classes; i++)
                votes[i] += sums[i] / (3 * (Math.Abs(sums[i]) + 1));
        }
        return scores;
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
        // v = −y · gradient of ½ αᵀQα − Σα: what a row asks for, plus above and minus below
        double[] alpha = new double[n], v = [.. labels.Select(y => (double)y)], diagonal = new double[n];
        for (int t = 0; t < n; t++)
            diagonal[t] = gram[t * n + t];
        double high = 0, low = 0;
        for (int step = 0; step < MostSteps; step++)
        {
            int i = -1, j = -1;
            (high, low) = (double.NegativeInfinity, double.PositiveInfinity);
            for (int t = 0; t < n; t++)
                if (v[t] > high && (labels[t] > 0 ? alpha[t] < c : alpha[t] > 0))
                    (high, i) = (v[t], t);
            if (i < 0)
                break;
            var ki = gram.AsSpan(i * n, n);
            double most = 0;
            for (int t = 0; t < n; t++)
                if (labels[t] > 0 ? alpha[t] > 0 : alpha[t] < c)
                {
                    double ahead = high - v[t];
                    low = Math.Min(low, v[t]);
                    double curve = Math.Max(Flat, diagonal[i] + diagonal[t] - 2 * ki[t]);
                    if (ahead > 0 && ahead * ahead > most * curve)
                        (most, j) = (ahead * ahead / curve, t);
                }
            if (j < 0 || high - low < Violation)
                break;
            // along yᵢαᵢ + yⱼαⱼ = constant, as far as the box goes
            double move = (high - v[j]) / Math.Max(Flat, diagonal[i] + diagonal[j] - 2 * ki[j]);
            move = Math.Min(move, labels[i] > 0 ? c - alpha[i] : alpha[i]);
            move = Math.Min(move, labels[j] > 0 ? alpha[j] : c - alpha[j]);
            alpha[i] += labels[i] * move;
            alpha[j] -= labels[j] * move;
            // a weight at its bound to rounding is at its bound
            foreach (int t in (ReadOnlySpan<int>)[i, j])
                alpha[t] = alpha[t] < Flat * c ? 0 : alpha[t] > c * (1 - Flat) ? c : alpha[t];
            TensorPrimitives.MultiplyAdd(ki, -move, v, v);
            TensorPrimitives.MultiplyAdd(gram.AsSpan(j * n, n), move, v, v);
        }
        double bias = (high + low) / 2, dual = 0, losses = 0, quadratic = 0;
        for (int t = 0; t < n; t++)
        {
            double own = 1 - labels[t] * v[t]; // y Σ α y K
            quadratic += alpha[t] * own;
            dual += alpha[t];
            losses += Math.Max(0, 1 - own - labels[t] * bias);
        }
        double primal = quadratic / 2 + c * losses;
        return new(alpha, labels, bias, primal == 0 ? 0 : (primal - (dual - quadratic / 2)) / primal);
    }
}
