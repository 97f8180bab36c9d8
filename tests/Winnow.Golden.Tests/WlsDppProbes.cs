using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of determinantal point processes and weighted least squares.</summary>
internal static class WlsDppProbes
{
    public static Dictionary<string, GoldenArray> ProjectionDpps(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var process = ProjectionDpp.OfKernel(file.Tensor("K"));
        int[] picks = [.. file.Input("picks").Integers.Select(p => (int)p)];
        double[][] steps = process.Conditionals(picks);
        var made = new Dictionary<string, GoldenArray>
        {
            ["cond_probs"] = GoldenArray.Float64([steps.Length, steps[0].Length], [.. steps.SelectMany(s => s)]),
            ["det_K_S"] = GoldenArray.Float64([1], [process.Probability(picks)]),
        };
        if (file.Inputs.ContainsKey("X"))
        {
            // the file's polynomials are orthonormal under the weight itself, not divided by its mass
            double[][] ab = file.Param<double[][]>("jacobi_ab");
            var (x, ordering) = (file.Tensor("X"), file.Input("ordering"));
            int n = (int)x.shape[0], d = (int)x.shape[1], m = ordering.Shape[0], most = (int)ordering.Integers.Max();
            double[] points = x.contiguous().data<double>().ToArray(), phi = [.. Enumerable.Repeat(1.0, n * m)], own = new double[most + 1];
            for (int i = 0; i < n; i++)
                for (int c = 0; c < d; c++)
                {
                    Jacobi.Values(points[i * d + c], ab[c][0], ab[c][1], own);
                    for (int k = 0; k < m; k++)
                        phi[i * m + k] *= own[ordering.Integers[k * d + c]] / Math.Sqrt(Mass(ab[c][0], ab[c][1]));
                }
            var features = tensor(phi, [n, m]);
            (made["Phi_X"], made["K_X"]) = (features.AsFloat64(), features.mm(features.t()).AsFloat64());
        }
        return made;
    }

    public static Dictionary<string, GoldenArray> WeightedFit(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var basis = new LegendreBasis(file.Param<int>("m"), 1);
        double[] x = file.Input("x").Doubles;
        var design = Design.Of(basis, x.Length, (i, point) => point.Span[0] = x[i], weighted: true);
        var (gram, fit) = (WeightedLeastSquares.Gram(design), WeightedLeastSquares.Fit(design, file.Tensor("f").unsqueeze(1)));
        var problem = DesignTask.OnCube(new() { Functions = basis.Size, Points = basis.Size, Function = "wave" });
        return new()
        {
            ["w"] = GoldenArray.Float64([x.Length], design.Weights),
            ["G"] = gram.AsFloat64(),
            ["coef"] = fit.squeeze(1).AsFloat64(),
            ["logdetG"] = linalg.slogdet(gram).Item2.reshape(1).AsFloat64(),
            ["lambda_min"] = GoldenArray.Float64([1], [design.SmallestEigenvalue]),
            ["L2_error"] = GoldenArray.Float64([1], [problem.Error(design)]),
            ["best_error"] = GoldenArray.Float64([1], [problem.Best]),
        };
    }

    /// <summary>All n-tuples of candidates, each with its density.</summary>
    public static Dictionary<string, GoldenArray> VolumeMoments(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        int n = file.Param<int>("n"), m = file.Param<int>("m");
        double[] mu = file.Input("mu").Doubles;
        var f = file.Tensor("f");
        // the identity holds to the rounding of the file's functions
        var basis = new CandidateBasis(file.Tensor("phi"), mu);
        int count = basis.Candidates;
        double[] weights = Design.Of(basis, count, (j, point) => point.Span[0] = j, weighted: true).Weights, marginal = new double[count];
        double normaliser = 0;
        var (inverse, mean, coefficients) = (zeros(m, m, dtype: ScalarType.Float64), zeros(m, m, dtype: ScalarType.Float64), zeros(m, dtype: ScalarType.Float64));
        for (int tuple = 0; tuple < (int)Math.Pow(count, n); tuple++)
        {
            using var step = NewDisposeScope();
            long[] picks = [.. Enumerable.Range(0, n).Select(i => (long)(tuple / (int)Math.Pow(count, i) % count))];
            double draw = picks.Aggregate(1.0, (p, j) => p * mu[j] / weights[j]); // ν_j = μ_j ‖φ_j‖² / m
            var design = Design.Of(basis, n, (i, point) => point.Span[0] = picks[i], weighted: true);
            var gram = WeightedLeastSquares.Gram(design);
            double density = linalg.det(gram).item<double>() * draw;
            normaliser += density;
            marginal[picks[0]] += density;
            mean.add_(gram * density);
            if (design.SmallestEigenvalue < 1e-10)
                continue; // of volume 0
            inverse.add_(linalg.inv(gram) * density);
            coefficients.add_(WeightedLeastSquares.Fit(design, f.index_select(0, tensor(picks)).unsqueeze(1)).squeeze(1) * density);
        }
        var truth = (file.Tensor("phi") * (file.Tensor("mu") * f).unsqueeze(1)).sum([0]);
        return new()
        {
            ["weights"] = GoldenArray.Float64([count], weights),
            ["normaliser"] = GoldenArray.Float64([], [normaliser]),
            ["mean_inverse_gram"] = (inverse / normaliser).AsFloat64(),
            ["mean_gram"] = (mean / normaliser).AsFloat64(),
            ["mean_coef"] = (coefficients / normaliser).AsFloat64(),
            ["true_coef"] = truth.AsFloat64(),
            ["marginal"] = GoldenArray.Float64([count], [.. marginal.Select(p => p / normaliser)]),
        };
    }

    /// <summary>∫ (1 − x)^a (1 + x)^b dx = 2^(a+b+1) Γ(a+1) Γ(b+1) / Γ(a+b+2).</summary>
    private static double Mass(double a, double b)
    {
        using var scope = NewDisposeScope();
        var logs = tensor(new double[] { a + 1, b + 1, a + b + 2 }).lgamma();
        return Math.Pow(2, a + b + 1) * Math.Exp((logs[0] + logs[1] - logs[2]).item<double>());
    }
}
