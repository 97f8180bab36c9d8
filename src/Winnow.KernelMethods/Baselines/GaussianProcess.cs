using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Numerics.Tensors;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="GaussianProcess"/>.</summary>
public sealed record GaussianProcessOptions
{
    /// <summary>The kernel.</summary>
    [AllowedValues("rbf", "matern52", "matern32"), Description("how smooth functions are thought to be")]
    public string Kernel { get; init; } = "rbf";

    /// <summary>Whether each feature has a length of its own.</summary>
    [Description("a length for each feature instead of one for all")]
    public bool Ard { get; init; }

    /// <summary>Beginnings.</summary>
    [Range(1, 100), Description("beginnings of the search, of which the one with the most evidence is kept: the median distance of rows, then a third of it, three times it, and so on")]
    public int Starts { get; init; } = 1;

    /// <summary>Whether anything is searched.</summary>
    [Description("lengths, height and noise by the evidence; false: as they begin")]
    public bool Optimise { get; init; } = true;
}

/// <summary>
/// Gaussian process regression (Rasmussen and Williams, Gaussian processes for machine learning, 2006): <c>y = f(x) + ε</c> with covariances <c>C = h² k(S) + σ² I</c>,
/// <c>S = Σ (x_d − x'_d)² / ℓ_d²</c>. Mean <c>k*ᵀ C⁻¹ y</c>, variance <c>h² + σ² − k*ᵀ C⁻¹ k*</c>; lengths, height and noise are those of most evidence
/// <c>−½ yᵀ C⁻¹ y − ½ log|C| − (n/2) log 2π</c>, found by its gradient. Numbers are centred and scaled inside; the report speaks of the scaled ones.
/// <para>Shapes: rows float64 [n, d], values [n]. Cost O(n³) an evaluation, one factor and one inverse, and O(n² d) with a length for each feature; memory three matrices of 8 n² bytes.</para>
/// <code>
/// using var fitted = new GaussianProcess(new()).Fit(new TrainingValues(x, y));
/// var (mean, variance) = fitted.Predict(others);
/// </code>
/// </summary>
/// <param name="options">The kernel and the search.</param>
public sealed class GaussianProcess(GaussianProcessOptions options) : IRegressor
{
    private const double Least = -12, Most = 12, FirstNoise = 0.1;

    /// <inheritdoc/>
    public IFittedValues Fit(TrainingValues rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        double mean = rows.Y.mean().item<double>(), scale = (rows.Y - mean).square().mean().sqrt().item<double>();
        scale = scale > 0 ? scale : 1;
        var y = (rows.Y - mean) / scale;
        int lengths = options.Ard ? (int)rows.X.shape[1] : 1;
        double typical = 1 / Math.Sqrt(2 * Rbf.Median(rows.X) / (options.Ard ? rows.X.shape[1] : 1)), best = double.PositiveInfinity;
        double[] found = [];
        for (int start = 0; start < options.Starts; start++)
        {
            double factor = Math.Pow(3, (start + 1) / 2 * (start % 2 == 0 ? 1 : -1));
            double[] at = [0, Math.Log(FirstNoise), .. Enumerable.Repeat(Math.Log(typical * factor), lengths)];
            double value;
            if (options.Optimise)
                (at, value) = Lbfgs.Minimise((parameters, gradient) =>
                {
                    double evidence = Evidence(rows.X, y, parameters, gradient);
                    TensorPrimitives.Negate(gradient, gradient);
                    return -evidence;
                }, at, cancellation: cancellation);
            else
                value = -Evidence(rows.X, y, at, []);
            if (value < best || found.Length == 0)
                (best, found) = (value, at);
        }
        return Given(rows.X, y, found, mean, scale);
    }

    /// <summary>With a height, noise and lengths that are known, of numbers as they are.</summary>
    /// <param name="rows">What there is to learn from.</param>
    /// <param name="height">h², the variance of functions.</param>
    /// <param name="noise">σ².</param>
    /// <param name="lengths">ℓ, one for all features or one a feature.</param>
    public IFittedValues Fit(TrainingValues rows, double height, double noise, IReadOnlyList<double> lengths)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(lengths);
        if (!(height > 0) || !(noise >= 0) || lengths.Any(l => !(l > 0)) || lengths.Count != 1 && lengths.Count != rows.X.shape[1])
            throw new ArgumentException(FormattableString.Invariant($"height {height}, noise {noise}, {lengths.Count} lengths; expected them above 0, and one length or {rows.X.shape[1]}"), nameof(lengths));
        return Given(rows.X, rows.Y, [Math.Log(height), Math.Log(noise), .. lengths.Select(l => Math.Log(l))], 0, 1);
    }

    private Fitted Given(Tensor x, Tensor y, double[] at, double mean, double scale)
    {
        using var scope = NewDisposeScope();
        var (height, noise, lengths) = (Math.Exp(at[0]), Math.Exp(at[1]), at[2..].Select(v => Math.Exp(v)).ToArray());
        var scaled = x / Aligned.Of(lengths, lengths.Length);
        var c = Shape(scaled, scaled).mul_(height);
        c.diagonal().add_(noise);
        var factor = PositiveSolve.Factor(c, out double jitter);
        var alpha = PositiveSolve.Back(factor, y.unsqueeze(1));
        double evidence = -0.5 * y.dot(alpha.squeeze(1)).item<double>() - factor.diagonal().log().sum().item<double>() - x.shape[0] * Math.Log(2 * Math.PI) / 2;
        var report = new Dictionary<string, double> { ["evidence"] = evidence, ["height"] = Math.Sqrt(height), ["noise"] = Math.Sqrt(noise), ["jitter"] = jitter };
        foreach (var (d, length) in lengths.Index())
            report[lengths.Length == 1 ? "length" : string.Create(CultureInfo.InvariantCulture, $"length-{d}")] = length;
        return new(this, scaled, factor, alpha, lengths, height, noise, mean, scale, report);
    }

    /// <summary>The evidence at logarithms of h², σ² and lengths, and its gradient where there is room for it; minus infinity out of bounds.</summary>
    internal double Evidence(Tensor x, Tensor y, ReadOnlySpan<double> at, Span<double> gradient)
    {
        foreach (double parameter in at)
            if (!(parameter is >= Least and <= Most))
                return double.NegativeInfinity;
        using var scope = NewDisposeScope();
        double height = Math.Exp(at[0]), noise = Math.Exp(at[1]);
        double[] lengths = [.. at[2..].ToArray().Select(v => Math.Exp(v))];
        long n = x.shape[0];
        var scaled = x / Aligned.Of(lengths, lengths.Length);
        var shape = Shape(scaled, scaled);
        var c = shape * height;
        c.diagonal().add_(noise);
        var (factor, info) = linalg.cholesky_ex(c);
        if (info.item<int>() != 0)
            return double.NegativeInfinity;
        var alpha = PositiveSolve.Back(factor, y.unsqueeze(1));
        double evidence = -0.5 * y.dot(alpha.squeeze(1)).item<double>() - factor.diagonal().log().sum().item<double>() - n * Math.Log(2 * Math.PI) / 2;
        if (gradient.IsEmpty)
            return evidence;
        // W = αᵀα − C⁻¹, with which a derivative is ½ Σ W ∘ dC
        var w = cholesky_inverse(factor).neg_().addmm_(alpha, alpha.t());
        gradient[0] = 0.5 * height * w.flatten().dot(shape.flatten()).item<double>();
        gradient[1] = 0.5 * noise * w.diagonal().sum().item<double>();
        var m = w.mul_(Slope(scaled, shape)).mul_(height); // symmetric
        var sums = m.sum(1);
        // Σ_ij M_ij (x_i − x_j)² = 2 (Σ_i x_i² Σ_j M_ij − xᵀ M x), feature by feature
        double[] each = ((scaled.square() * sums.unsqueeze(1)).sum([0]) - (scaled * m.mm(scaled)).sum([0])).data<double>().ToArray();
        if (lengths.Length == 1)
            gradient[2] = each.Sum();
        else
            each.CopyTo(gradient[2..]);
        return evidence;
    }

    /// <summary>k(S) of rows that are divided by their lengths.</summary>
    private Tensor Shape(Tensor x, Tensor y) => (options.Kernel switch
    {
        "rbf" => new Rbf(0.5),
        "matern52" => new Matern(5, 1),
        _ => (IKernel)new Matern(3, 1),
    }).Gram(x, y);

    /// <summary>−2 dk/dS: of rbf k itself.</summary>
    private Tensor Slope(Tensor x, Tensor shape) => options.Kernel switch
    {
        "rbf" => shape,
        "matern52" => Products.Of(x, x, (row, length, lengths) =>
        {
            Products.SquaredDistances(row, length, lengths);
            for (int j = 0; j < row.Length; j++)
                row[j] = Math.Sqrt(5 * row[j]) is var r ? 5.0 / 3 * (1 + r) * Math.Exp(-r) : 0;
        }),
        _ => Products.Of(x, x, (row, length, lengths) =>
        {
            Products.SquaredDistances(row, length, lengths);
            for (int j = 0; j < row.Length; j++)
                row[j] = 3 * Math.Exp(-Math.Sqrt(3 * row[j]));
        }),
    };

    private sealed class Fitted(GaussianProcess process, Tensor scaled, Tensor factor, Tensor alpha, double[] lengths, double height, double noise, double mean, double scale, IReadOnlyDictionary<string, double> report) : IFittedValues
    {
        private readonly Tensor _scaled = scaled.clone().DetachFromDisposeScope(), _factor = factor.clone().DetachFromDisposeScope(), _alpha = alpha.clone().DetachFromDisposeScope();

        public IReadOnlyDictionary<string, double> Report => report;

        public Expectation Predict(Tensor x)
        {
            ArgumentNullException.ThrowIfNull(x);
            using var scope = NewDisposeScope();
            Finite.RequireRows(x, _scaled.shape[1]);
            var k = process.Shape(_scaled, x / Aligned.Of(lengths, lengths.Length)).mul_(height);
            var known = linalg.solve_triangular(_factor, k, upper: false).pow_(2).sum([0]);
            var variance = known.neg().add_(height + noise).clamp_min_(noise).mul_(scale * scale);
            return new((k.t().mm(_alpha).squeeze(1) * scale).add_(mean).MoveToOuterDisposeScope(), variance.MoveToOuterDisposeScope());
        }

        public void Dispose()
        {
            _scaled.Dispose();
            _factor.Dispose();
            _alpha.Dispose();
        }
    }
}
