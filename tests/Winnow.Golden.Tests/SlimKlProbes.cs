using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of sparse mixtures of spectral kernels.</summary>
internal static class SlimKlProbes
{
    public static Dictionary<string, GoldenArray> Core(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double noise = file.Param<double>("nv"), rho = file.Param<double>("rho"), delta = file.Param<double>("Delta");
        var (x, asked, y) = (Of(file, "X"), Of(file, "Xt"), Of(file, "y"));
        double[][] mu = Matrix(file, "mu"), sigma = Matrix(file, "sigma"), zeta = Columns(file, "zeta"), lambda = Columns(file, "lambda");
        double[] theta = file.Input("theta").Doubles;
        using var agent = new SpectralAgent(x, y, mu, sigma, noise, 0.3);
        agent.Climb(agent.Weights, 0, 1, 0, CancellationToken.None);
        double[] stepped = [.. agent.Weights];
        agent.Weights = theta;
        var kernel = new SpectralProduct(theta, mu, sigma);
        var (c, cross) = (kernel.Gram(x, x) + eye(x.shape[0], dtype: ScalarType.Float64) * noise, kernel.Gram(asked, x));
        double[] global = SlimKl.Global(zeta, lambda, rho);
        int agents = zeta.Length, count = theta.Length;
        double[] rounded = [.. file.Input("q_in").Doubles.Zip(file.Input("q_u").Doubles, (v, u) => RoundedExchange.Round(v, delta, u))];
        var grams = stack([.. mu.Zip(sigma, (m, s) => new SpectralProduct([1], [m], [s]).Gram(x, x))]);
        return new()
        {
            ["K"] = To(grams),
            ["objective"] = GoldenArray.Float64([], [agent.Objective]),
            ["grad"] = GoldenArray.Float64([count], agent.Gradient),
            ["pred_mean"] = To(cross.mv(PositiveSolve.Solve(c, y.unsqueeze(1), out _).squeeze(1))),
            ["pred_var"] = To(kernel.Diagonal(asked) + noise - (cross * PositiveSolve.Solve(c, cross.t(), out _).t()).sum(1)),
            ["theta_global"] = GoldenArray.Float64([count], global),
            ["lambda_new"] = GoldenArray.Float64([count, agents], [.. from i in Enumerable.Range(0, count) from j in Enumerable.Range(0, agents) select lambda[j][i] + rho * (zeta[j][i] - global[i])]),
            ["q_out"] = GoldenArray.Float64([rounded.Length], rounded),
            ["bits_quantized"] = GoldenArray.Float64([], [RoundedExchange.MessageBits(file.Input("q_in").Doubles, delta)]),
            ["theta_mm"] = GoldenArray.Float64([count], stepped),
        };
    }

    /// <summary>A series; a file without outputs has nothing to compare.</summary>
    public static Dictionary<string, GoldenArray> Series(GoldenFile file)
    {
        if (file.Outputs.Count == 0)
            return [];
        using var scope = NewDisposeScope();
        double noise = file.Param<double>("nv");
        int count = file.Param<int>("Q");
        var (x, y, asked, numbers) = (Of(file, "xtrain"), Of(file, "ytrain").flatten(), Of(file, "xtest"), Of(file, "ytest").flatten());
        double[] cosines = SlimKl.Cosines(file.Input("ytrain").Doubles), logs = file.Input("log10_lambda").Doubles;
        var curve = logs.Select(l => SlimKl.Smoothed(cosines, Math.Pow(10, l))).ToList();
        double[][] mu = [.. Enumerable.Range(0, count).Select(i => (double[])[0.5 * i / (count - 1)])], sigma = [.. mu.Select(_ => (double[])[0.001])];
        using var agent = new SpectralAgent(x, y, mu, sigma, noise, y.var(unbiased: false).item<double>() / count);
        agent.Climb(agent.Weights, 0, 1, 0, CancellationToken.None);
        double first = agent.Objective;
        agent.Climb(agent.Weights, 0, 199, 0, CancellationToken.None);
        var kernel = new SpectralProduct(agent.Weights, mu, sigma);
        var c = kernel.Gram(x, x) + eye(x.shape[0], dtype: ScalarType.Float64) * noise;
        return new()
        {
            ["noisevar_curve"] = GoldenArray.Float64([logs.Length], [.. curve.Select(p => p.Noise)]),
            ["gcv_curve"] = GoldenArray.Float64([logs.Length], [.. curve.Select(p => p.Gcv)]),
            ["objective_1"] = GoldenArray.Float64([], [first]),
            ["objective_200"] = GoldenArray.Float64([], [agent.Objective]),
            ["test_mse"] = GoldenArray.Float64([], [(kernel.Gram(asked, x).mv(PositiveSolve.Solve(c, y.unsqueeze(1), out _).squeeze(1)) - numbers).square().mean().item<double>()]),
        };
    }

    private static double[][] Matrix(GoldenFile file, string name) => [.. file.Input(name).Doubles.Chunk(file.Input(name).Shape[1])];

    private static double[][] Columns(GoldenFile file, string name) => [.. Enumerable.Range(0, file.Input(name).Shape[1]).Select(j => Matrix(file, name).Select(row => row[j]).ToArray())];

    private static Tensor Of(GoldenFile file, string name) => tensor(file.Input(name).Doubles, [.. file.Input(name).Shape.Select(s => (long)s)]);

    private static GoldenArray To(Tensor x) => GoldenArray.Float64([.. x.shape.Select(s => (int)s)], x.contiguous().data<double>().ToArray());
}
