using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="GaussianProcess"/>.</summary>
public sealed record GaussianProcessOptions
{
    /// <summary>The kernel.</summary>
    [AllowedValues("rbf", "matern-3", "matern-5"), Description("the kernel: rbf, or Matérn with ν of three or five halves")]
    public string Kernel { get; init; } = "rbf";

    /// <summary>A scale a feature.</summary>
    [Description("every feature has a length scale of its own")]
    public bool Ard { get; init; }

    /// <summary>The noise.</summary>
    [Range(0.0, 1e6), Description("variance of the noise, as a share of the function's; 0: as the length scales are chosen")]
    public double Noise { get; init; }

    /// <summary>Steps.</summary>
    [Range(0, 10_000), Description("most steps to likelier length scales; 0: those of the usual heuristic stay")]
    public int Steps { get; init; } = 100;
}

/// <summary>
/// Exact Gaussian process regression (Williams and Rasmussen, NIPS 1996): <c>y = μ + f + ε</c>, μ the mean of the targets, f a Gaussian process with covariance <c>s² k(x/ℓ, x'/ℓ)</c> and noise of variance <c>s² r</c>.
/// Length scales ℓ and r maximise the evidence, in which s² stands at its own maximum <c>yᵀA⁻¹y / n</c>, A = K + rI: <c>−n/2 log s² − ½ log det A − n/2 (1 + log 2π)</c>; the gradient is
/// <c>½ Σ (ααᵀ/s² − A⁻¹) ∘ ∂A</c>, α = A⁻¹y, by products of numbers. Begins at the likeliest of five widths from 0.03 to 3 of the median distance.
/// <para>Of a kernel that is given, such as a <see cref="GramBundle"/>, there is no length scale, and the likeliest r is found from one eigendecomposition of its matrix.</para>
/// <para>Cost a step one Cholesky factor and one inverse, O(n³); memory about 6 matrices of 8 n² bytes. Prediction O(n²) a row.</para>
/// <code>
/// using var fitted = new GaussianProcess(new()).Fit(new RegressionRows(x, y));
/// var (mean, variance) = fitted.Predict(asked);
/// </code>
/// </summary>
public sealed class GaussianProcess(GaussianProcessOptions options) : IRegressor
{
    private const double Tolerance = 1e-7, FirstNoise = 0.05, LeastNoise = 1e-8, MostNoise = 1e4, Widest = 1e4;
    private static readonly double[] Widths = [0.03, 0.1, 0.3, 1, 3];
    private readonly IKernel? _given;

    /// <summary>With a kernel as it is, times s².</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="noise">Variance of the noise, as a share of s²; 0: the likeliest.</param>
    public GaussianProcess(IKernel kernel, double noise = 0) : this(new GaussianProcessOptions { Noise = noise >= 0 ? noise : throw new ArgumentOutOfRangeException(nameof(noise), noise, "expected at least 0") })
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _given = kernel;
    }

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        int scales = options.Ard ? (int)rows.X.shape[1] : 1;
        bool open = options.Noise == 0;
        double mean = rows.Y.mean().item<double>(), width = 1 / Math.Sqrt(2 * Rbf.Median(rows.X));
        var y = rows.Y - mean;
        if (_given is not null)
        {
            cancellation.ThrowIfCancellationRequested();
            return new Fitted(_given, rows.X, y, mean, [1, open ? Likeliest(_given.Gram(rows.X, rows.X), y) : options.Noise], 1);
        }
        double[] Of(double[] free) => open ? free : [.. free, Math.Log(options.Noise)];
        double Cost(double[] free, double[] gradient)
        {
            cancellation.ThrowIfCancellationRequested();
            double[] all = new double[scales + 1];
            double evidence = Evidence(options.Kernel, rows.X, y, Of(free), all);
            for (int i = 0; i < gradient.Length; i++)
                gradient[i] = -all[i];
            return -evidence;
        }
        double[] Start(double times) => [.. Enumerable.Repeat(Math.Log(width * times), scales), .. open ? (double[])[Math.Log(FirstNoise)] : []];
        double[] best = Start(1);
        int asked = 0;
        if (options.Steps > 0)
        {
            best = Widths.Select(Start).MinBy(s => Cost(s, new double[s.Length]))!;
            double[] low = [.. best.Select((_, i) => i < scales ? Math.Log(width / Widest) : Math.Log(LeastNoise))], high = [.. best.Select((_, i) => i < scales ? Math.Log(width * Widest) : Math.Log(MostNoise))];
            (best, _) = Lbfgs.Minimise(Cost, best, low, high, options.Steps, Tolerance, out asked);
            asked += Widths.Length;
        }
        cancellation.ThrowIfCancellationRequested();
        return new Fitted(Unit(options.Kernel), rows.X, y, mean, [.. Of(best).Select(Math.Exp)], asked);
    }

    /// <summary>r at the largest evidence: with λ the eigenvalues of K and z = Vᵀy, A = V (λ + r) Vᵀ for every r. The best of a grid, then by golden section between its neighbours.</summary>
    internal static double Likeliest(Tensor gram, Tensor y)
    {
        using var scope = NewDisposeScope();
        const int points = 61, halvings = 60;
        var (values, vectors) = linalg.eigh(gram);
        double[] lambda = values.clamp_min(0).data<double>().ToArray(), z = vectors.t().mv(y).data<double>().ToArray();
        double low = Math.Log(LeastNoise * lambda.Average()), high = Math.Log(MostNoise * lambda.Average());
        if (!double.IsFinite(low))
            throw InputException.At("Gram matrix", "a matrix of zeros", "similarities above 0", "Give a kernel under which rows resemble themselves.");
        double Cost(double log)
        {
            double r = Math.Exp(log), squares = 0, logs = 0;
            for (int i = 0; i < z.Length; i++)
                (squares, logs) = (squares + z[i] * z[i] / (lambda[i] + r), logs + Math.Log(lambda[i] + r));
            return z.Length * Math.Log(squares / z.Length) + logs;
        }
        double step = (high - low) / (points - 1), best = low + step * Enumerable.Range(0, points).MinBy(i => Cost(low + step * i));
        (low, high) = (Math.Max(low, best - step), Math.Min(high, best + step));
        double golden = (Math.Sqrt(5) - 1) / 2;
        for (int i = 0; i < halvings; i++)
            (low, high) = (high - golden * (high - low), low + golden * (high - low)) is var (a, b) && Cost(a) < Cost(b) ? (low, b) : (a, high);
        return Math.Exp((low + high) / 2);
    }

    /// <summary>The kernel at length scale 1.</summary>
    private static IKernel Unit(string kernel) => kernel switch { "rbf" => new Rbf(0.5), "matern-3" => new Matern(3, 1), _ => new Matern(5, 1) };

    /// <summary>The logarithm of the evidence at its likeliest s², and its gradient.</summary>
    /// <param name="kernel">As in the options.</param>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="y">Targets [n] without their mean.</param>
    /// <param name="logs">log ℓ, of all features or of each, and log r.</param>
    /// <param name="gradient">Written to.</param>
    /// <returns>Minus infinity where A is not positive definite to rounding.</returns>
    internal static double Evidence(string kernel, Tensor x, Tensor y, double[] logs, double[] gradient)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        long n = x.shape[0];
        double noise = Math.Exp(logs[^1]);
        var scaled = x / Aligned.Of([.. logs[..^1].Select(Math.Exp)], logs.Length - 1);
        var apart = Products.SquaredDistances(scaled, scaled);
        // slope: what a k of the squared distance changes by when a length scale grows, over the squared distance
        Tensor a, slope;
        if (kernel == "rbf")
            (a, slope) = apart.mul(-0.5).exp_() is var k ? (k, k.clone()) : default;
        else
        {
            double halves = kernel == "matern-3" ? 3 : 5;
            var r = apart.mul(halves).sqrt_();
            var decay = r.neg().exp_();
            (a, slope) = halves == 3 ? (decay * (r + 1), decay * 3) : (decay * (apart * (5.0 / 3) + r + 1), decay * (r + 1) * (5.0 / 3));
        }
        a.diagonal().add_(noise);
        var (factor, info) = linalg.cholesky_ex(a);
        if (info.item<int>() != 0)
            return double.NegativeInfinity;
        var alpha = PositiveSolve.Back(factor, y.unsqueeze(1));
        double s2 = y.dot(alpha.squeeze(1)).item<double>() / n;
        double evidence = -0.5 * n * (Math.Log(s2) + 1 + Math.Log(2 * Math.PI)) - factor.diagonal().log().sum().item<double>();
        var unit = alpha / Math.Sqrt(s2);
        var weight = factor.cholesky_inverse().neg_().addmm_(unit, unit.t(), beta: 1, alpha: 1);
        gradient[^1] = 0.5 * noise * weight.trace().item<double>();
        if (logs.Length == 2)
        {
            gradient[0] = 0.5 * weight.mul_(slope).mul_(apart).sum().item<double>();
            return evidence;
        }
        // Σ h_ij (x_i − x_j)² = 2 Σ h_i x_i² − 2 xᵀ H x, for all features at once
        var h = weight.mul_(slope);
        double[] each = (h.sum(1, keepdim: true) * scaled.square() - scaled * h.mm(scaled)).sum([0]).data<double>().ToArray();
        each.CopyTo(gradient, 0);
        return evidence;
    }

    private sealed class Fitted : IFittedRegressor
    {
        private readonly IKernel _kernel;
        private readonly Tensor _x, _alpha, _factor, _scales;
        private readonly double _mean, _variance, _noise;

        public Fitted(IKernel kernel, Tensor x, Tensor y, double mean, double[] parameters, int evaluations)
        {
            using var scope = NewDisposeScope();
            (_kernel, _mean, _noise) = (kernel, mean, parameters[^1]);
            var scales = Aligned.Of(parameters[..^1], parameters.Length - 1);
            var scaled = x / scales;
            var a = kernel.Gram(scaled, scaled);
            a.diagonal().add_(_noise);
            var factor = PositiveSolve.Factor(a, out double jitter);
            var alpha = PositiveSolve.Back(factor, y.unsqueeze(1));
            _variance = y.dot(alpha.squeeze(1)).item<double>() / y.shape[0];
            double evidence = -0.5 * y.shape[0] * (Math.Log(_variance) + 1 + Math.Log(2 * Math.PI)) - factor.diagonal().log().sum().item<double>();
            var report = new Dictionary<string, double> { ["evidence"] = evidence, ["noise"] = _noise * _variance, ["variance"] = _variance, ["evaluations"] = evaluations, ["jitter"] = jitter };
            for (int i = 0; i < parameters.Length - 1; i++)
                report[parameters.Length == 2 ? "length" : $"length_{i}"] = parameters[i];
            Report = report;
            (_scales, _x, _alpha, _factor) = (scales.DetachFromDisposeScope(), scaled.DetachFromDisposeScope(), alpha.DetachFromDisposeScope(), factor.DetachFromDisposeScope());
        }

        public IReadOnlyDictionary<string, double> Report { get; }

        public Prediction Predict(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, _x.shape[1]);
            var cross = _kernel.Gram(_x, x / _scales); // [n, m]
            var explained = linalg.solve_triangular(_factor, cross, upper: false).square().sum([0]);
            var variance = ((_kernel.Diagonal(x / _scales) - explained).clamp_min_(0) + Math.Max(_noise, double.Epsilon)) * _variance;
            return new Prediction(cross.t().mm(_alpha).squeeze(1) + _mean, variance).ToOuterScope();
        }

        public void Dispose()
        {
            foreach (var kept in (Tensor[])[_x, _alpha, _factor, _scales])
                kept.Dispose();
        }
    }
}
