using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of deep kernel machines.</summary>
internal static class DeepKernelProbes
{
    public static Dictionary<string, GoldenArray> OneHiddenLayer(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double noise = file.Param<double>("noise_var"), nu = file.Param<double>("nu");
        var (x, asked, y, g1) = (Of(file, "X"), Of(file, "Xt"), Of(file, "y"), Of(file, "G1"));
        var g0 = GramKernels.Inputs(x, asked);
        var one = tensor(1.0, dtype: ScalarType.Float64);
        var (relu, exponential) = (GramKernels.Relu(g0), GramKernels.SquaredExponential(g0, one, one));
        var factor = PositiveSolve.Factor(relu.Own, out _);
        var hidden = GramKernels.Conditional(relu, factor, g1);
        var top = GramKernels.Relu(hidden);
        var whole = PositiveSolve.Factor(top.Own + eye(x.shape[0], dtype: ScalarType.Float64) * noise, out _);
        var (divergence, likelihood) = (GramKernels.Divergence(g1, factor), GramKernels.LogLikelihood(y, whole));
        var white = linalg.solve_triangular(whole, top.Cross!, upper: false);
        return new()
        {
            ["G0_ii"] = To(g0.Own),
            ["K1_relu_ii"] = To(relu.Own),
            ["K1_relu_it"] = To(relu.Cross!),
            ["K1_relu_tt"] = To(relu.Diagonal!),
            ["K1_sqexp_ii"] = To(exponential.Own),
            ["K1_sqexp_it"] = To(exponential.Cross!),
            ["K1_sqexp_tt"] = To(exponential.Diagonal!),
            ["kl"] = To(divergence),
            ["G1_it"] = To(hidden.Cross!),
            ["G1_tt"] = To(hidden.Diagonal!),
            ["K2_relu_ii"] = To(top.Own),
            ["K2_relu_it"] = To(top.Cross!),
            ["K2_relu_tt"] = To(top.Diagonal!),
            ["loglik"] = To(likelihood),
            ["objective"] = To(likelihood - divergence * nu),
            ["pred_mean"] = To(top.Cross!.t().mm(PositiveSolve.Back(whole, y))),
            ["pred_var"] = To(top.Diagonal! - white.square().sum([0])),
        };
    }

    private static Tensor Of(GoldenFile file, string name) => tensor(file.Input(name).Doubles, [.. file.Input(name).Shape.Select(s => (long)s)]);

    private static GoldenArray To(Tensor x) => GoldenArray.Float64([.. x.shape.Select(s => (int)s)], x.contiguous().data<double>().ToArray());
}
