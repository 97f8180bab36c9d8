using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Ridge regression on explicit features, of classes on ones and zeros: <c>θ = (ZᵀZ + λI)⁻¹ Zᵀ(Y − 1/classes)</c>, scores <c>z θ</c>; of numbers on their differences from the mean. The ridge is a share of the mean of z·z; left open it is chosen by the error of
/// each row left out in turn, which one singular value decomposition gives for all (<see cref="LeaveOneOut"/>). Cost O(n q · min(n, q)) for q features; no n by n matrix.
/// </summary>
/// <param name="features">Makes, from the rows learned from, what makes features of any rows.</param>
/// <param name="ridge">The ridge; 0 for chosen.</param>
public sealed class FeatureRidge(Func<Tensor, IFeatures> features, double ridge) : IClassifier, IRegressor
{
    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        return Fit(rows.X, rows.OneHot().sub_(1.0 / rows.Classes), told: false, cancellation).Fitted;
    }

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        double mean = rows.Y.mean().item<double>();
        var (fitted, leftOut) = Fit(rows.X, (rows.Y - mean).unsqueeze(1), told: true, cancellation);
        return new FittedNumbers(fitted, mean, leftOut);
    }

    private (Fitted Fitted, double LeftOut) Fit(Tensor x, Tensor y, bool told, CancellationToken cancellation)
    {
        var map = features(x);
        try
        {
            var z = map.Of(x);
            cancellation.ThrowIfCancellationRequested();
            double size = z.square().sum().item<double>() / z.shape[0];
            if (!(size > 0) || !double.IsFinite(size))
                throw InputException.At("features", $"a mean size of {size}", "a finite one above 0", "Scale the rows.");
            var (u, s, v) = linalg.svd(z, fullMatrices: false);
            double[] ridges = ridge > 0 ? [ridge] : [.. LeaveOneOut.Ridges];
            double[] errors = ridges.Length > 1 || told ? LeaveOneOut.Errors(u, s.square(), y, ridges.Select(r => r * size)) : [double.NaN];
            int least = ridges.Length > 1 ? Array.IndexOf(errors, errors.Min()) : 0;
            var theta = v.t().mm((s / (s.square() + ridges[least] * size)).unsqueeze(1) * u.t().mm(y));
            return (new(map, x.shape[1], theta, new Dictionary<string, double> { ["ridge"] = ridges[least], ["features"] = z.shape[1] }), errors[least]);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    private sealed class Fitted(IFeatures map, long width, Tensor theta, IReadOnlyDictionary<string, double> report) : IFitted
    {
        private readonly Tensor _theta = theta.clone().DetachFromDisposeScope();

        public IReadOnlyDictionary<string, double> Report => report;

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, width);
            return map.Of(x).mm(_theta).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            _theta.Dispose();
            map.Dispose();
        }
    }
}

/// <summary>Features of rows, whose products are a kernel or near one.</summary>
public interface IFeatures : IDisposable
{
    /// <summary>Float64 [n, q] of rows [n, d]; the current dispose scope owns them.</summary>
    Tensor Of(Tensor x);
}

/// <summary>Options of <see cref="RandomFourier"/>.</summary>
public sealed record RandomFourierOptions : RidgeOptions
{
    /// <summary>Features.</summary>
    [Range(1, 1_000_000), Description("random features")]
    public int Features { get; init; } = 512;

    /// <summary>The width.</summary>
    [Range(0.0, 1e12, MinimumIsExclusive = true), Description("γ of the kernel times 1 / the median squared distance")]
    public double Gamma { get; init; } = 1;
}

/// <summary>
/// Random features of the rbf kernel: <c>√(2/q) cos(Wx + b)</c>, W normal with variance 2γ, b uniform (Rahimi and Recht, NIPS 2007). Cost O(n q d).
/// </summary>
public sealed class RandomFourier : IFeatures
{
    private readonly Tensor _w, _b;

    /// <summary>Draws.</summary>
    /// <param name="width">d.</param>
    /// <param name="count">q.</param>
    /// <param name="gamma">γ.</param>
    /// <param name="random">The draw.</param>
    public RandomFourier(int width, int count, double gamma, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        using var scope = NewDisposeScope();
        double deviation = Math.Sqrt(2 * gamma);
        _w = Aligned.Of([.. Enumerable.Range(0, count * width).Select(_ => deviation * random.NextNormal())], count, width).DetachFromDisposeScope();
        _b = Aligned.Of([.. Enumerable.Range(0, count).Select(_ => 2 * Math.PI * random.NextDouble())], count).DetachFromDisposeScope();
    }

    /// <summary>As a method.</summary>
    internal static FeatureRidge Method(KernelSetup setup, RandomFourierOptions o) =>
        new FeatureRidge(x => new RandomFourier((int)x.shape[1], o.Features, o.Gamma * Rbf.Median(x), setup.Random("fourier")), o.Ridge);

    /// <inheritdoc/>
    public Tensor Of(Tensor x) => (x.mm(_w.t()) + _b).cos_().mul_(Math.Sqrt(2.0 / _b.shape[0]));

    /// <inheritdoc/>
    public void Dispose()
    {
        _w.Dispose();
        _b.Dispose();
    }
}

/// <summary>Options of <see cref="Nystrom"/>.</summary>
public sealed record NystromOptions : RidgeOptions
{
    /// <summary>Landmarks.</summary>
    [Range(1, 20_000), Description("rows that stand for the others; all where there are fewer")]
    public int Landmarks { get; init; } = 200;

    /// <summary>The width.</summary>
    [Range(0.0, 1e12, MinimumIsExclusive = true), Description("γ of the rbf kernel times 1 / the median squared distance")]
    public double Gamma { get; init; } = 1;
}

/// <summary>
/// Features whose products are a kernel as far as some rows know it: <c>k(x, S) L⁻ᵀ</c>, L Lᵀ = k(S, S) (Williams and Seeger, NIPS 2000). Exact where all rows are among them.
/// Cost O(n q d + q³).
/// </summary>
public sealed class Nystrom : IFeatures
{
    private readonly IKernel _kernel;
    private readonly Tensor _landmarks, _factor;

    /// <summary>From landmarks.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="landmarks">Rows [q, d]; copied.</param>
    public Nystrom(IKernel kernel, Tensor landmarks)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(landmarks);
        _kernel = kernel;
        _landmarks = landmarks.clone().DetachFromDisposeScope();
        _factor = PositiveSolve.Factor(kernel.Gram(_landmarks, _landmarks), out _).DetachFromDisposeScope();
    }

    /// <summary>As a method.</summary>
    internal static FeatureRidge Method(KernelSetup setup, NystromOptions o) => new FeatureRidge(x =>
    {
        long[] order = [.. Enumerable.Range(0, (int)x.shape[0]).Select(i => (long)i)];
        setup.Random("landmarks").Shuffle(order);
        return new Nystrom(new Rbf(o.Gamma * Rbf.Median(x)), x.index_select(0, tensor(order[..Math.Min(o.Landmarks, order.Length)])));
    }, o.Ridge);

    /// <inheritdoc/>
    public Tensor Of(Tensor x) => linalg.solve_triangular(_factor, _kernel.Gram(_landmarks, x), upper: false).t();

    /// <inheritdoc/>
    public void Dispose()
    {
        _landmarks.Dispose();
        _factor.Dispose();
    }
}
