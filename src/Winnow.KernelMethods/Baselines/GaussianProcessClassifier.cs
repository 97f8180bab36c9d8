using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="GaussianProcessClassifier"/>.</summary>
public sealed record GaussianProcessClassifierOptions
{
    /// <summary>The width.</summary>
    [Range(0.0, 1e12), Description("γ of the rbf kernel times 1 / median squared distance; 0: of a quarter to four the one with the largest evidence")]
    public double Gamma { get; init; }

    /// <summary>The size.</summary>
    [Range(0.0, 1e12), Description("s²: variance of the function; 0: of 1, 10 and 100, as the width")]
    public double Variance { get; init; }
}

/// <summary>
/// Gaussian process classification, one class against the others, by Laplace's approximation (Williams and Barber 1998): the logarithm of the posterior of f with a logistic likelihood is climbed by Newton's steps, each one
/// Cholesky factor of <c>B = I + W½ K W½</c>, W = π(1 − π), and a normal density put there. A score is the class's probability, the uncertainty of f included by MacKay's <c>σ(m / √(1 + πv/8))</c>.
/// Width and variance are those with the largest evidence, summed over classes, of at most 300 rows. Cost O(classes · steps · n³); prediction O(classes · n²) a row.
/// </summary>
/// <param name="kernels">Kernels for some rows, from which one is chosen.</param>
/// <param name="options">The variance; the width belongs to the usual kernels.</param>
public sealed class GaussianProcessClassifier(Func<Tensor, IReadOnlyList<IKernel>> kernels, GaussianProcessClassifierOptions options) : IClassifier
{
    private const int MostTried = 300, MostSteps = 50;
    private const double Tolerance = 1e-12;
    private static readonly double[] Widths = [0.25, 1, 4], Variances = [1, 10, 100];

    /// <summary>With rbf kernels, by options.</summary>
    public GaussianProcessClassifier(GaussianProcessClassifierOptions options)
        : this(x => Usual(options.Gamma, Rbf.Median(x)), options)
    {
    }

    private static List<IKernel> Usual(double gamma, double median) => [.. (gamma > 0 ? [gamma] : Widths).Select(w => new Rbf(w * median))];

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var candidates = kernels(rows.X);
        double[] variances = options.Variance > 0 ? [options.Variance] : Variances;
        var targets = rows.OneHot();
        var (kernel, variance) = (candidates[0], variances[0]);
        if (candidates.Count * variances.Length > 1)
        {
            var (some, theirs) = (Evenly.Taken(rows.X, MostTried), Evenly.Taken(targets, MostTried));
            double most = double.NegativeInfinity;
            foreach (var tried in candidates)
            {
                var gram = tried.Gram(some, some);
                foreach (double v in variances)
                {
                    using var one = NewDisposeScope();
                    double evidence = Enumerable.Range(0, rows.Classes).Sum(c => Laplace.Of(gram * v, theirs.select(1, c), MostSteps, Tolerance, cancellation).Evidence);
                    if (evidence > most)
                        (most, kernel, variance) = (evidence, tried, v);
                }
            }
        }
        var whole = kernel.Gram(rows.X, rows.X) * variance;
        var found = Enumerable.Range(0, rows.Classes).Select(c => Laplace.Of(whole, targets.select(1, c), MostSteps, Tolerance, cancellation)).ToList();
        return new Fitted(kernel, variance, rows.X, found, new Dictionary<string, double> { ["kernel"] = candidates.Index().First(c => ReferenceEquals(c.Item, kernel)).Index, ["variance"] = variance, ["evidence"] = found.Sum(f => f.Evidence) });
    }

    /// <summary>The normal density in the place of a posterior.</summary>
    /// <param name="Mode">f where the posterior is largest [n].</param>
    /// <param name="Residual">t − π there [n].</param>
    /// <param name="Root">W½ [n].</param>
    /// <param name="Factor">The lower factor of B [n, n].</param>
    /// <param name="Evidence">The logarithm of the evidence, approximately.</param>
    internal sealed record Laplace(Tensor Mode, Tensor Residual, Tensor Root, Tensor Factor, double Evidence)
    {
        /// <summary>Newton's steps.</summary>
        /// <param name="gram">K [n, n].</param>
        /// <param name="t">1 of the class, 0 of others [n].</param>
        /// <param name="steps">Most of them.</param>
        /// <param name="tolerance">Stops where the posterior grows by less.</param>
        /// <param name="cancellation">Stops.</param>
        public static Laplace Of(Tensor gram, Tensor t, int steps, double tolerance, CancellationToken cancellation)
        {
            using var scope = NewDisposeScope();
            var (sign, f) = (t * 2 - 1, zeros_like(t));
            double last = double.NegativeInfinity;
            for (int step = 0; ; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var one = NewDisposeScope();
                var pi = f.sigmoid();
                var w = pi * (1 - pi);
                var root = w.sqrt();
                var b = gram * root.unsqueeze(1) * root;
                b.diagonal().add_(1);
                var factor = linalg.cholesky(b);
                var right = w * f + t - pi;
                var a = right - root * PositiveSolve.Back(factor, (root * gram.mv(right)).unsqueeze(1)).squeeze(1);
                var next = gram.mv(a);
                double posterior = (-0.5 * a.dot(next) - (1 + (-sign * next).exp()).log().sum()).item<double>();
                if (posterior - last < tolerance || step == steps)
                    return new(f.clone().MoveToOuterDisposeScope().MoveToOuterDisposeScope(), (t - pi).MoveToOuterDisposeScope().MoveToOuterDisposeScope(), root.MoveToOuterDisposeScope().MoveToOuterDisposeScope(),
                        factor.MoveToOuterDisposeScope().MoveToOuterDisposeScope(), Math.Max(posterior, last) - factor.diagonal().log().sum().item<double>());
                (f, last) = (next.MoveToOuterDisposeScope(), posterior);
            }
        }
    }

    private sealed class Fitted : IFitted, IOnKernel
    {
        private readonly double _variance;
        private readonly Tensor _x;
        private readonly List<(Tensor Residual, Tensor Root, Tensor Factor)> _classes;

        public Fitted(IKernel kernel, double variance, Tensor x, IEnumerable<Laplace> classes, IReadOnlyDictionary<string, double> report)
        {
            (Kernel, _variance, Report, _x) = (kernel, variance, report, x.clone().DetachFromDisposeScope());
            _classes = [.. classes.Select(c => (c.Residual.DetachFromDisposeScope(), c.Root.DetachFromDisposeScope(), c.Factor.DetachFromDisposeScope()))];
        }

        public IKernel Kernel { get; }

        public IReadOnlyDictionary<string, double> Report { get; }

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, _x.shape[1]);
            var (cross, own) = (Kernel.Gram(_x, x) * _variance, Kernel.Diagonal(x) * _variance); // [n, m], [m]
            return stack([.. _classes.Select(c =>
            {
                var mean = cross.t().mv(c.Residual);
                var variance = (own - linalg.solve_triangular(c.Factor, cross * c.Root.unsqueeze(1), upper: false).square().sum([0])).clamp_min(0);
                return (mean / (1 + variance * (Math.PI / 8)).sqrt()).sigmoid();
            })], 1).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            _x.Dispose();
            foreach (var (residual, root, factor) in _classes)
            {
                residual.Dispose();
                root.Dispose();
                factor.Dispose();
            }
        }
    }
}
