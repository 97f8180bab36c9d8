using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="NtkEnsemble"/>.</summary>
public sealed record NtkEnsembleOptions : NtkOptions
{
    /// <summary>Those of rows that keep their lengths.</summary>
    public NtkEnsembleOptions() => (Normalise, BiasDeviation) = (false, 1);
}

/// <summary>
/// Numbers with their uncertainty from infinitely wide networks: the mean and the covariance of an ensemble that begins at random and is trained to the end (kernel=ntk), or the posterior of the networks as a Gaussian process, of which only the last
/// layer would learn (kernel=nngp).
/// <para>Paper: Jacot, Gabriel and Hongler, NeurIPS 2018 (arXiv 1806.07572); the covariance of Lee et al., Wide neural networks of any depth evolve as linear models under gradient descent, NeurIPS 2019 (arXiv 1902.06720). With a ridge r each network is
/// held to its start and has targets with noise of variance r of its own, so that for Θ = K both are the posterior of the Gaussian process (Matthews et al. 2017).</para>
/// <para>Mean <c>Θ* A y</c>, A = (Θ + rI)⁻¹; covariance <c>s² (K** + Θ* A (K + rI) A Θ*ᵀ − Θ* A K*ᵀ − K* A Θ*ᵀ)</c>. Of each row from all others error and variance follow from A alone, <c>[Ay]ᵢ/Aᵢᵢ</c> and
/// <c>s² [A (K + rI) A]ᵢᵢ/Aᵢᵢ²</c>; by their likelihood r is chosen, and s² stands at its maximum. Cost O(n³), and O(n²) a row that is asked for; memory about 6 matrices of 8 n² bytes. Left out: times of training before the end
/// (<see cref="Ntk.Flow"/> has the mean), and several numbers a row.</para>
/// </summary>
public sealed class NtkEnsemble(NtkEnsembleOptions options) : IRegressor
{
    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Numbers of Friedman's function from few rows: as near as a tuned kernel ridge, or nearer, without a width to choose.", Task = "regress", Metric = "rmse", Baseline = "kernel-ridge", Margin = 0 },
    ];

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var kernel = new Ntk(options);
        var (k, theta) = kernel.Both(rows.X, rows.X);
        if (options.Kernel == "nngp")
            theta = k;
        double mean = rows.Y.mean().item<double>(), size = theta.diagonal().mean().item<double>();
        var y = rows.Y - mean;
        var best = (Score: double.PositiveInfinity, Ridge: 0.0, Scale: 1.0);
        foreach (double share in options.Ridge > 0 ? [options.Ridge] : LeaveOneOut.Ridges)
        {
            cancellation.ThrowIfCancellationRequested();
            using var one = NewDisposeScope();
            var (errors, variances) = LeftOut(k, theta, y, share * size);
            double scale = (errors.square() / variances).mean().item<double>(), score = Math.Log(scale) + variances.log().mean().item<double>();
            if (score < best.Score)
                best = (score, share * size, scale);
        }
        return new Fitted(kernel, options.Kernel == "nngp", rows.X, k, theta, y, mean, best.Ridge, best.Scale);
    }

    /// <summary>What each row is missed by from all others, and what would be expected of its square, without s².</summary>
    /// <param name="nngp">K [n, n].</param>
    /// <param name="ntk">Θ [n, n].</param>
    /// <param name="y">Targets [n].</param>
    /// <param name="ridge">r.</param>
    internal static (Tensor Errors, Tensor Variances) LeftOut(Tensor nngp, Tensor ntk, Tensor y, double ridge)
    {
        using var scope = NewDisposeScope();
        var a = PositiveSolve.Factor(Ridged(ntk, ridge), out _).cholesky_inverse();
        var own = a.diagonal();
        var variances = (a * Ridged(nngp, ridge).mm(a)).sum([0]) / own.square();
        return ((a.mv(y) / own).MoveToOuterDisposeScope(), variances.clamp_min_(double.Epsilon).MoveToOuterDisposeScope());
    }

    /// <summary>The mean and covariance of networks that are trained to the end, for s² = 1.</summary>
    /// <param name="train">K and Θ of the rows learned from [n, n].</param>
    /// <param name="cross">Those of others with them [m, n].</param>
    /// <param name="test">K of the others [m, m].</param>
    /// <param name="y">Targets [n].</param>
    /// <param name="ridge">r, at least 0.</param>
    /// <returns>Mean [m] and covariance [m, m] of what networks say, without noise; the current dispose scope owns them.</returns>
    /// <exception cref="InputException">Without a ridge rows that are the same with targets that are not.</exception>
    public static (Tensor Mean, Tensor Covariance) Posterior((Tensor Nngp, Tensor Ntk) train, (Tensor Nngp, Tensor Ntk) cross, Tensor test, Tensor y, double ridge)
    {
        ArgumentNullException.ThrowIfNull(y);
        ArgumentOutOfRangeException.ThrowIfNegative(ridge);
        using var scope = NewDisposeScope();
        if (ridge == 0)
            Ntk.RequireConsistent(train.Ntk, y.unsqueeze(1));
        var factor = PositiveSolve.Factor(Ridged(train.Ntk, ridge), out _);
        var weights = PositiveSolve.Back(factor, cross.Ntk.t()); // A Θ*ᵀ [n, m]
        var mixed = cross.Nngp.mm(weights);
        var covariance = test + weights.t().mm(Ridged(train.Nngp, ridge)).mm(weights) - mixed - mixed.t();
        return (weights.t().mv(y).MoveToOuterDisposeScope(), Products.Symmetric(covariance).MoveToOuterDisposeScope());
    }

    private static Tensor Ridged(Tensor a, double ridge) => a + eye(a.shape[0], dtype: ScalarType.Float64) * ridge;

    private sealed class Fitted : IFittedRegressor
    {
        private readonly Ntk _kernel;
        private readonly bool _nngp;
        private readonly Tensor _x, _factor, _noisy, _alpha;
        private readonly double _mean, _ridge, _scale;

        public Fitted(Ntk kernel, bool nngp, Tensor x, Tensor k, Tensor theta, Tensor y, double mean, double ridge, double scale)
        {
            using var scope = NewDisposeScope();
            (_kernel, _nngp, _mean, _ridge, _scale) = (kernel, nngp, mean, ridge, scale);
            _factor = PositiveSolve.Factor(Ridged(theta, ridge), out double jitter).DetachFromDisposeScope();
            _alpha = PositiveSolve.Back(_factor, y.unsqueeze(1)).DetachFromDisposeScope();
            (_x, _noisy) = (x.clone().DetachFromDisposeScope(), Ridged(k, ridge).DetachFromDisposeScope());
            Report = new Dictionary<string, double> { ["ridge"] = ridge / theta.diagonal().mean().item<double>(), ["variance"] = scale, ["noise"] = scale * ridge, ["jitter"] = jitter };
        }

        public IReadOnlyDictionary<string, double> Report { get; }

        public Prediction Predict(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, _x.shape[1]);
            var (k, theta) = _kernel.Both(x, _x);
            if (_nngp)
                theta = k;
            var weights = PositiveSolve.Back(_factor, theta.t()); // [n, m]
            var spread = _kernel.OwnNngp(x) + (weights * (_noisy.mm(weights) - k.t() * 2)).sum([0]);
            return new Prediction(theta.mm(_alpha).squeeze(1) + _mean, (spread.clamp_min_(0) + Math.Max(_ridge, double.Epsilon)) * _scale).ToOuterScope();
        }

        public void Dispose()
        {
            foreach (var kept in (Tensor[])[_x, _factor, _noisy, _alpha])
                kept.Dispose();
        }
    }
}
