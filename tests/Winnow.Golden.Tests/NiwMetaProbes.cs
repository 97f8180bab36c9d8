using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the prior over tasks.</summary>
internal static class NiwMetaProbes
{
    public static Dictionary<string, GoldenArray> ClosedForm(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var q = new NormalInverseWishart(Of(file, "m0"), Of(file, "v0"), Param(file, "l0"), Param(file, "n0"), Full: true);
        var prior = new NormalInverseWishart(Of(file, "mu_prior"), Of(file, "s_prior"), Param(file, "lambda"), Param(file, "nu"), Full: true);
        var (m, v) = q.Posterior(Of(file, "mbar"), Of(file, "A"));
        var (mean, covariance) = LinearGaussian.Posterior(Of(file, "X"), Of(file, "y"), file.Param<double>("noise_var"), q.M0, q.V0 / q.N0);
        return new() { ["V_star"] = To(v), ["m_star"] = To(m), ["expected_kl"] = To(q.ExpectedDivergence(m, v)), ["niw_kl"] = To(q.Divergence(prior)), ["blr_mean"] = To(mean), ["blr_cov"] = To(covariance) };
    }

    public static Dictionary<string, GoldenArray> TestTime(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double noise = file.Param<double>("noise_var");
        var (x, y, trial, spread) = (Of(file, "X"), Of(file, "y"), Of(file, "m_trial"), Of(file, "V_trial"));
        NormalInverseWishart Q(bool full) => new(Of(file, "m0"), Of(file, "v0"), tensor(1.0, ScalarType.Float64), Param(file, "n0"), full);
        var (mean, variance) = (Q(false).M0, Q(false).ModeVariance());
        var (m, v) = LinearGaussian.Diagonal(x, y, noise, mean, variance);
        return new()
        {
            ["mode_cov_full"] = To(Q(true).ModeVariance()),
            ["mode_cov_coord"] = To(variance),
            ["expected_nll"] = To(LinearGaussian.ExpectedLoss(x, y, noise, trial, spread)),
            ["kl"] = To(NormalInverseWishart.Divergence(trial, spread, mean, variance)),
            ["m_opt"] = To(m),
            ["V_opt"] = To(v),
            ["objective_opt"] = To(LinearGaussian.ExpectedLoss(x, y, noise, m, v) + NormalInverseWishart.Divergence(m, v, mean, variance)),
        };
    }

    private static Tensor Param(GoldenFile file, string name) => tensor(file.Param<double>(name), ScalarType.Float64);

    private static Tensor Of(GoldenFile file, string name) => tensor(file.Input(name).Doubles, [.. file.Input(name).Shape.Select(s => (long)s)]);

    private static GoldenArray To(Tensor x) => GoldenArray.Float64([.. x.shape.Select(s => (int)s)], x.contiguous().data<double>().ToArray());
}
