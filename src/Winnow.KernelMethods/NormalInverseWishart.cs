using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// A distribution of a Gaussian's mean μ and covariance Σ: Σ ~ IW(diag V₀, n₀), μ | Σ ~ N(m₀, Σ / l₀). Factorised, it is one such distribution for each coordinate with the same l₀ and n₀, which any n₀ above 0 allows.
/// All results can be differentiated with respect to the four tensors.
/// </summary>
/// <param name="M0">Mean, float64 [D].</param>
/// <param name="V0">Diagonal of the scale, float64 [D], above 0.</param>
/// <param name="L0">How many tasks the mean counts as, float64 [], above 0.</param>
/// <param name="N0">How many the covariance counts as, float64 [], above 0, or above D − 1 unless factorised.</param>
/// <param name="Full">One Wishart of all coordinates, instead of one for each.</param>
internal sealed record NormalInverseWishart(Tensor M0, Tensor V0, Tensor L0, Tensor N0, bool Full)
{
    private long D => M0.shape[0];

    /// <summary>Refuses what is no such distribution.</summary>
    public NormalInverseWishart Checked()
    {
        using var scope = NewDisposeScope();
        double l0 = L0.item<double>(), n0 = N0.item<double>(), v0 = V0.min().item<double>(), least = Full ? D - 1 : 0;
        if (!(v0 > 0))
            throw InputException.At("scale of the covariance", FormattableString.Invariant($"{v0} in coordinate {V0.argmin().item<long>()}"), "numbers above 0", "Give a variance to every coordinate.");
        if (!(l0 > 0))
            throw InputException.At("strength of the mean", FormattableString.Invariant($"{l0}"), "a number above 0", "Let it count as at least part of a task.");
        return n0 > least ? this : throw InputException.At("degrees of freedom", FormattableString.Invariant($"{n0}"), $"more than {least}{(Full ? $", the coordinates of a full Wishart less 1" : "")}", Full ? "Take more, or form=factorised." : "Take more.");
    }

    /// <summary>Mean and variance of a task's parameters whose loss is ½ (θ − mean)ᵀ diag(precision) (θ − mean): <c>V = 1 / (Ā + n₀/v₀)</c>, <c>m = V (Ā m̄ + n₀/v₀ m₀)</c>.</summary>
    public (Tensor Mean, Tensor Variance) Posterior(Tensor mean, Tensor precision)
    {
        var prior = N0 / V0;
        var v = 1 / (precision + prior);
        return (v * (precision * mean + prior * M0), v);
    }

    /// <summary>The expected divergence of N(m, diag V) from N(μ, Σ): [tasks] for [tasks, D].</summary>
    public Tensor ExpectedDivergence(Tensor m, Tensor v)
    {
        var constant = V0.log().sum() - Psi(N0) - D * Math.Log(2) - D + D / L0;
        return (constant - v.log().sum(-1) + N0 * ((v + (m - M0).square()) / V0).sum(-1)) / 2;
    }

    /// <summary>The divergence of this distribution from another.</summary>
    public Tensor Divergence(NormalInverseWishart from)
    {
        var mean = (D * ((L0 / from.L0).log() - 1 + from.L0 / L0) + from.L0 * N0 * ((M0 - from.M0).square() / V0).sum()) / 2;
        var covariance = from.N0 / 2 * (V0.log().sum() - from.V0.log().sum()) + N0 / 2 * ((from.V0 / V0).sum() - D) + LogGamma(from.N0 / 2) - LogGamma(N0 / 2) + (N0 - from.N0) / 2 * Psi(N0);
        return mean + covariance;
    }

    /// <summary>The covariance, a diagonal, at the joint mode of mean and covariance: <c>V₀ / (n₀ + D + 2)</c>, or <c>v₀ / (n₀ + 3)</c> for each coordinate.</summary>
    public Tensor ModeVariance() => V0 / (N0 + (Full ? D + 2 : 3));

    /// <summary>The divergence of N(m, diag v) from N(mean, diag variance): [tasks].</summary>
    public static Tensor Divergence(Tensor m, Tensor v, Tensor mean, Tensor variance) => (((v + (m - mean).square()) / variance).sum(-1) - v.shape[^1] + variance.log().sum() - v.log().sum(-1)) / 2;

    /// <summary>Σ ψ((n + 1 − j) / 2) over coordinates j from 1, or D ψ(n / 2).</summary>
    private Tensor Psi(Tensor n) => Full ? ((n - arange(D, dtype: ScalarType.Float64)) / 2).digamma().sum() : D * (n / 2).digamma();

    /// <summary>ln Γ_D(a), or D ln Γ(a).</summary>
    private Tensor LogGamma(Tensor a) => Full ? D * (D - 1) / 4.0 * Math.Log(Math.PI) + (a - arange(D, dtype: ScalarType.Float64) / 2).lgamma().sum() : D * a.lgamma();
}

/// <summary>Linear regression with known noise under a Gaussian prior, in closed form.</summary>
internal static class LinearGaussian
{
    /// <summary>Mean [D] and covariance [D, D] of weights after rows: <c>(XᵀX/σ² + Σ⁻¹)⁻¹</c>.</summary>
    /// <param name="x">Rows [n, D].</param>
    /// <param name="y">Answers [n].</param>
    /// <param name="noise">σ².</param>
    /// <param name="mean">Of the prior, [D].</param>
    /// <param name="variance">Of the prior, [D].</param>
    public static (Tensor Mean, Tensor Covariance) Posterior(Tensor x, Tensor y, double noise, Tensor mean, Tensor variance)
    {
        var precision = x.t().mm(x) / noise + (1 / variance).diag();
        var right = x.t().mv(y) / noise + mean / variance;
        return (PositiveSolve.Solve(precision, right.unsqueeze(1), out _).squeeze(1), PositiveSolve.Solve(precision, eye(mean.shape[0], dtype: ScalarType.Float64), out _));
    }

    /// <summary>The diagonal Gaussian nearest to it: the same mean, and one over the diagonal of the precision.</summary>
    public static (Tensor Mean, Tensor Variance) Diagonal(Tensor x, Tensor y, double noise, Tensor mean, Tensor variance) =>
        (Posterior(x, y, noise, mean, variance).Mean, 1 / (x.square().sum([0]) / noise + 1 / variance));

    /// <summary>E −log p(y | x, θ) over θ ~ N(m, diag v).</summary>
    public static Tensor ExpectedLoss(Tensor x, Tensor y, double noise, Tensor m, Tensor v) =>
        ((y - x.mv(m)).square().sum() + (x.square().sum([0]) * v).sum()) / (2 * noise) + y.shape[0] * Math.Log(2 * Math.PI * noise) / 2;
}
