using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of methods that end in a ridge.</summary>
public record RidgeOptions
{
    /// <summary>The ridge.</summary>
    [Range(0.0, 1e6), Description("added to the diagonal of the Gram matrix, as a share of its mean; 0: what leaving each row out in turn says, among 1e-6 to 1")]
    public double Ridge { get; init; }
}

/// <summary>Options of <see cref="KernelRidge"/>.</summary>
public sealed record KernelRidgeOptions : RidgeOptions
{
    /// <summary>The kernel.</summary>
    [AllowedValues("rbf", "laplacian", "polynomial", "matern", "cosine"), Description("the kernel")]
    public string Kernel { get; init; } = "rbf";

    /// <summary>The width.</summary>
    [Range(0.0, 1e12), Description("γ of the kernel times the usual one (of rbf 1 / median squared distance); 0: as the ridge is chosen, among a quarter to four times")]
    public double Gamma { get; init; }
}

/// <summary>
/// Kernel ridge regression, of classes on ones and zeros: <c>(K + λI) α = Y − 1/classes</c>, scores <c>k(x, X) α</c>; of numbers on their differences from the mean, with the variance by which rows left out are missed. What is left open is chosen by the squared error of each row left out, which one
/// eigendecomposition gives for all ridges (<see cref="LeaveOneOut"/>); of more than 1,000 rows for so many of them, evenly taken.
/// Cost O(n³ / 3), and a decomposition for each kernel that is tried; memory 8 n² bytes a matrix.
/// </summary>
/// <param name="kernels">Kernels for some rows, from which one is chosen.</param>
/// <param name="options">The ridge.</param>
public sealed class KernelRidge(Func<Tensor, IReadOnlyList<IKernel>> kernels, RidgeOptions options) : IClassifier, IRegressor
{
    private static readonly double[] Widths = [0.25, 0.5, 1, 2, 4];
    private const int MostTried = 1000;

    /// <summary>The usual kernels, by options.</summary>
    public KernelRidge(KernelRidgeOptions options) : this(x => Usual(options, x), options)
    {
    }

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        return Fit(rows.X, rows.OneHot().sub_(1.0 / rows.Classes), false, cancellation).Fitted;
    }

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        double mean = rows.Y.mean().item<double>();
        var (fitted, leftOut) = Fit(rows.X, (rows.Y - mean).unsqueeze(1), true, cancellation);
        return new FittedNumbers(fitted, mean, leftOut);
    }

    /// <summary>Learns any targets.</summary>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="targets">[n, outputs].</param>
    /// <param name="told">The error of rows left out is wanted even where nothing is left open.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>What was learned, and the mean squared error of each row left out, not a number where it was not needed.</returns>
    internal (FittedKernel Fitted, double LeftOut) Fit(Tensor x, Tensor targets, bool told, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var candidates = kernels(x);
        var (kernel, ridge, leftOut) = candidates.Count == 1 && options.Ridge > 0 && !told ? (candidates[0], options.Ridge, double.NaN) : Chosen(x, targets, candidates, cancellation);
        cancellation.ThrowIfCancellationRequested();
        var gram = kernel.Gram(x, x);
        double mean = gram.diagonal().mean().item<double>();
        gram.diagonal().add_(ridge * mean);
        var alpha = PositiveSolve.Solve(gram, targets, out double jitter);
        return (new(kernel, x, alpha, new Dictionary<string, double> { ["ridge"] = ridge, ["kernel"] = candidates.Index().First(c => ReferenceEquals(c.Item, kernel)).Index, ["jitter"] = jitter }), leftOut);
    }

    private (IKernel Kernel, double Ridge, double LeftOut) Chosen(Tensor x, Tensor targets, IReadOnlyList<IKernel> candidates, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        (x, targets) = (Evenly.Taken(x, MostTried), Evenly.Taken(targets, MostTried));
        double[] ridges = options.Ridge > 0 ? [options.Ridge] : [.. LeaveOneOut.Ridges];
        var best = (candidates[0], ridges[0]);
        double least = double.PositiveInfinity;
        foreach (var kernel in candidates)
        {
            cancellation.ThrowIfCancellationRequested();
            var errors = LeftOut(kernel.Gram(x, x), targets, ridges);
            for (int i = 0; i < ridges.Length; i++)
                if (errors[i] < least)
                    (least, best) = (errors[i], (kernel, ridges[i]));
        }
        return (best.Item1, best.Item2, least);
    }

    /// <summary>The mean squared error of each row from all others, for each ridge (shares of the mean diagonal).</summary>
    public static double[] LeftOut(Tensor gram, Tensor targets, IReadOnlyList<double> ridges)
    {
        ArgumentNullException.ThrowIfNull(gram);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(ridges);
        using var scope = NewDisposeScope();
        double mean = gram.diagonal().mean().item<double>();
        var (values, vectors) = linalg.eigh(gram);
        return LeaveOneOut.Errors(vectors, values.clamp_min(0), targets, ridges.Select(r => r * mean));
    }

    private static List<IKernel> Usual(KernelRidgeOptions o, Tensor x)
    {
        double[] widths = o.Gamma > 0 ? [o.Gamma] : Widths;
        double median = Rbf.Median(x), features = x.shape[1];
        return o.Kernel switch
        {
            "rbf" => [.. widths.Select(w => new Rbf(w * median))],
            "laplacian" => [.. widths.Select(w => new Laplacian(w * Math.Sqrt(median / features)))],
            "polynomial" => [.. widths.Select(w => new Polynomial(3, w / features))],
            "matern" => [.. widths.Select(w => new Matern(5, 1 / Math.Sqrt(w * median)))],
            _ => [new Cosine()],
        };
    }
}

/// <summary>Scores that are sums over the rows learned from: <c>k(x, X) α</c>, and a base, if there is one.</summary>
internal sealed class FittedKernel : IFitted, IOnKernel
{
    private readonly IKernel _kernel;
    private readonly Tensor _x, _alpha;
    private readonly Tensor? _base;

    /// <param name="kernel">The kernel.</param>
    /// <param name="x">Rows [n, d]; copied.</param>
    /// <param name="alpha">[n, classes]; copied.</param>
    /// <param name="report">What was found.</param>
    /// <param name="start">What is scored without them: the directions of rows times these [classes, d]; copied.</param>
    public FittedKernel(IKernel kernel, Tensor x, Tensor alpha, IReadOnlyDictionary<string, double> report, Tensor? start = null)
    {
        (_kernel, Report) = (kernel, report);
        (_x, _alpha, _base) = (x.clone().DetachFromDisposeScope(), alpha.clone().DetachFromDisposeScope(), start?.clone().DetachFromDisposeScope());
    }

    public IReadOnlyDictionary<string, double> Report { get; }

    public IKernel Kernel => _kernel;

    public Tensor Scores(Tensor x)
    {
        using var scope = NewDisposeScope();
        Finite.Rows(x, _x.shape[1]);
        var scores = _kernel.Gram(x, _x).mm(_alpha);
        return (_base is null ? scores : scores + Cosine.Unit(x).mm(_base.t())).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _x.Dispose();
        _alpha.Dispose();
        _base?.Dispose();
    }
}
