using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="LogisticRegression"/>.</summary>
public sealed record LogisticRegressionOptions
{
    /// <summary>The weight of rows.</summary>
    [Range(0.0, 1e9), Description("C: weight of a row's loss beside half the squared weights; 0: chosen among 0.001 to 1,000 by the loss of three folds left out")]
    public double C { get; init; }
}

/// <summary>
/// Multinomial logistic regression (Cox, JRSS B 20, 1958): the least <c>C Σᵢ −log P(yᵢ | xᵢ) + ½ ‖W‖²</c> with <c>P(k | x) ∝ exp(xᵀw_k + b_k)</c>; intercepts b are not held. Found by Newton's steps, each solved by conjugate gradients
/// and shortened until it descends, in float64, to a gradient of 1e-9 of the first. Scores are log P; of a class without rows the logarithm of the smallest number. Cost O(n d classes) a product with the Hessian.
/// </summary>
/// <param name="setup">Draws the folds.</param>
/// <param name="options">C.</param>
public sealed class LogisticRegression(KernelSetup setup, LogisticRegressionOptions options) : IClassifier
{
    private const int Folds = 3, MostSteps = 200, MostProducts = 500, MostHalvings = 40;
    private const double Accuracy = 1e-9, Sufficient = 1e-4;
    private static readonly double[] Tried = [1e-3, 1e-2, 1e-1, 1, 10, 100, 1000];

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        int[] present = [.. rows.Labels.Distinct().Order()], labels = [.. rows.Labels.Select(l => Array.IndexOf(present, l))];
        var x = cat([rows.X, ones(rows.X.shape[0], 1, dtype: ScalarType.Float64)], 1);
        double c = options.C > 0 ? options.C : Chosen(x, labels, present.Length, cancellation);
        var weights = Minimise(x, OneHot(labels, present.Length), c, null, cancellation);
        return new Fitted(weights.clone().DetachFromDisposeScope(), present, rows.Classes, new Dictionary<string, double> { ["C"] = c });
    }

    /// <summary>The C with the least loss of folds left out; rows that are the only ones of their class are never left out.</summary>
    private double Chosen(Tensor x, int[] labels, int classes, CancellationToken cancellation)
    {
        int[] order = [.. Enumerable.Range(0, labels.Length)];
        setup.Random("logistic-folds").Shuffle(order);
        var single = labels.CountBy(l => l).Where(l => l.Value == 1).Select(l => l.Key).ToHashSet();
        int[] fold = new int[labels.Length];
        foreach (var (place, row) in order.OrderBy(i => labels[i]).Index())
            fold[row] = single.Contains(labels[row]) ? -1 : place % Folds;
        if (fold.All(f => f < 0))
            return 1;
        double[] losses = new double[Tried.Length];
        for (int f = 0; f < Folds; f++)
        {
            using var scope = NewDisposeScope();
            int[] learned = [.. Enumerable.Range(0, labels.Length).Where(i => fold[i] != f)], left = [.. Enumerable.Range(0, labels.Length).Where(i => fold[i] == f)];
            if (left.Length == 0)
                continue;
            var (own, y) = (Some(x, learned), OneHot([.. learned.Select(i => labels[i])], classes));
            var (other, truth) = (Some(x, left), OneHot([.. left.Select(i => labels[i])], classes));
            Tensor? weights = null;
            for (int i = 0; i < Tried.Length; i++)
            {
                weights = Minimise(own, y, Tried[i], weights, cancellation);
                losses[i] -= (other.mm(weights).log_softmax(1) * truth).sum().item<double>();
            }
        }
        return Tried[Array.IndexOf(losses, losses.Min())];
    }

    /// <summary>Weights [d + 1, classes] of the least loss; the last row are the intercepts.</summary>
    private static Tensor Minimise(Tensor x, Tensor y, double c, Tensor? start, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        long width = x.shape[1], classes = y.shape[1];
        var held = ones(width, 1, dtype: ScalarType.Float64);
        held[width - 1] = 0;
        var w = start?.clone() ?? zeros(width, classes, dtype: ScalarType.Float64);
        if (classes == 1)
            return w.MoveToOuterDisposeScope();
        double Loss(Tensor at)
        {
            using var own = NewDisposeScope();
            return ((held * at.square()).sum() / 2 - (x.mm(at).log_softmax(1) * y).sum() * c).item<double>();
        }
        var (loss, first) = (Loss(w), 0.0);
        for (int step = 0; step < MostSteps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var own = NewDisposeScope();
            var p = x.mm(w).softmax(1);
            var gradient = x.t().mm(p - y).mul_(c).add_(held * w);
            double size = gradient.norm().item<double>();
            first = step == 0 ? Math.Max(size, c * Math.Sqrt(x.shape[0])) : first;
            if (size <= Accuracy * first)
                break;
            Tensor Hessian(Tensor v)
            {
                var z = x.mm(v).mul_(p);
                return x.t().mm(z - p * z.sum(1, keepdim: true)).mul_(c).add_(held * v);
            }
            var direction = ConjugateGradients(Hessian, -gradient, Math.Min(0.1, Math.Sqrt(size / first)) * size);
            double slope = (direction * gradient).sum().item<double>(), length = 1;
            var next = w + direction;
            double reached = Loss(next);
            for (int i = 0; i < MostHalvings && !(reached <= loss + Sufficient * length * slope); i++)
            {
                length /= 2;
                next = w + direction * length;
                reached = Loss(next);
            }
            if (!(reached < loss))
                break; // at rounding
            (w, loss) = (next.MoveToOuterDisposeScope(), reached);
        }
        return w.MoveToOuterDisposeScope();
    }

    private static Tensor ConjugateGradients(Func<Tensor, Tensor> a, Tensor b, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (solution, residual, along) = (zeros_like(b), b.clone(), b.clone());
        double square = residual.square().sum().item<double>();
        for (int i = 0; i < MostProducts && Math.Sqrt(square) > tolerance; i++)
        {
            using var step = NewDisposeScope();
            var product = a(along);
            double curvature = (along * product).sum().item<double>();
            if (!(curvature > 0))
                break;
            solution.add_(along * (square / curvature));
            residual.sub_(product * (square / curvature));
            double next = residual.square().sum().item<double>();
            along.mul_(next / square).add_(residual);
            square = next;
        }
        return solution.MoveToOuterDisposeScope();
    }

    private static Tensor Some(Tensor x, int[] rows) => x.index_select(0, tensor(rows.Select(i => (long)i).ToArray()));

    private static Tensor OneHot(int[] labels, int classes)
    {
        double[] values = new double[(long)labels.Length * classes];
        for (int i = 0; i < labels.Length; i++)
            values[(long)i * classes + labels[i]] = 1;
        return Aligned.Of(values, labels.Length, classes);
    }

    private sealed class Fitted(Tensor weights, int[] present, int classes, IReadOnlyDictionary<string, double> report) : IFitted
    {
        private static readonly double Never = Math.Log(double.Epsilon);

        public IReadOnlyDictionary<string, double> Report { get; } = report;

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, weights.shape[0] - 1);
            var own = (x.mm(weights.narrow(0, 0, weights.shape[0] - 1)) + weights[-1]).log_softmax(1);
            return (present.Length == classes ? own : full(x.shape[0], classes, Never, dtype: ScalarType.Float64).index_copy_(1, tensor(present.Select(c => (long)c).ToArray()), own)).MoveToOuterDisposeScope();
        }

        public void Dispose() => weights.Dispose();
    }
}
