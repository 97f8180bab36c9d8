using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="SlimKl"/>.</summary>
public sealed record SlimKlOptions
{
    /// <summary>Terms.</summary>
    [Range(0, 100_000), Description("A: candidate kernels; 0: 500 of one feature, 100 a feature of more")]
    public int Components { get; init; }

    /// <summary>Width of a term.</summary>
    [Range(0.0, 10.0), Description("s: deviation of every candidate in frequency, in cycles a step of one feature, or a deviation of more")]
    public double Deviation { get; init; } = 0.001;

    /// <summary>Where frequencies lie.</summary>
    [AllowedValues("auto", "uniform", "random"), Description("uniform: a grid from 0 to ½, the same in all features; random: drawn there; auto: uniform of one feature")]
    public string Frequencies { get; init; } = "auto";

    /// <summary>The noise.</summary>
    [Range(0.0, 1e12), Description("σ²: variance of the noise; 0: of evenly spaced rows with one feature by cross-validation of cosines, where that finds any, else learned with the weights, down to a thousandth of the values' variance")]
    public double Noise { get; init; }

    /// <summary>Inner steps.</summary>
    [Range(1, 100_000), Description("most steps of an agent in a round")]
    public int Steps { get; init; } = 200;

    /// <summary>Agents.</summary>
    [Range(1, 10_000), Description("N: agents, each of which holds a stretch of the rows and sends nothing but weights; 1: all rows in one place")]
    public int Agents { get; init; } = 1;

    /// <summary>Rounds.</summary>
    [Range(1, 100_000), Description("most rounds among several agents")]
    public int Rounds { get; init; } = 100;

    /// <summary>The first pull.</summary>
    [Range(0.0, 1e12, MinimumIsExclusive = true), Description("ρ: how strongly agents are pulled together, times the squared variance of the values. The paper's 1e-10 is of values as they are, in the hundreds")]
    public double Rho { get; init; } = 100;

    /// <summary>Whether it adapts.</summary>
    [Description("ρ is doubled where agents are ten times further apart than their mean moves, and halved where it moves further than they are apart, as in the released code")]
    public bool Adapt { get; init; }

    /// <summary>Resolution of messages.</summary>
    [Range(0.0, 1e12), Description("Δ: weights are sent as multiples of it, in variances of the values; 0: as they are")]
    public double Resolution { get; init; }

    /// <summary>How others are answered.</summary>
    [AllowedValues("central", "fused"), Description("central: from all rows with the weights; fused: every agent answers from its own, weighted by precision")]
    public string Answer { get; init; } = "central";
}

/// <summary>
/// A Gaussian process whose kernel is a sparse mixture of many fixed spectral kernels, whose weights agents learn who never share their rows.
/// <para>Paper: Suwandi, Lin, Yin, Wang and Theodoridis, Sparsity-aware distributed learning for Gaussian processes with linear multiple kernel, IEEE TNNLS (arXiv 2309.08201). Left out: the conic program of the released code; the same
/// surrogate, with its first term bounded too, has a closed form (<see cref="SpectralAgent.Climb"/>).</para>
/// <para>k = Σ θᵢ Π_p exp(−2π² s² τ_p²) cos(2π μᵢ_p τ_p), θ ≥ 0, with frequencies fixed. Every agent lowers yᵀC⁻¹y + log det C of its rows with a pull to the mean of all; consensus by ADMM; messages may be rounded (<see cref="RoundedExchange"/>). One feature is rescaled to steps of 1, several to their deviations.</para>
/// <para>Cost O(n³ + A n²) a step; memory 16 A n bytes of one feature, 8 A n² of several. Agents take n/N rows each.</para>
/// </summary>
/// <param name="setup">Draws frequencies and rounds messages.</param>
/// <param name="options">How.</param>
/// <param name="exchange">What weights travel by among agents; null for messages inside the process, of the options' resolution.</param>
public sealed class SlimKl(KernelSetup setup, SlimKlOptions options, IWeightExchange? exchange = null) : IRegressor
{
    private const double Highest = 0.5, Tolerance = 1e-6, InRound = 1e-4, Balance = 10, Agreed = 1e-3, Active = 1e-3, Even = 1e-3, Degenerate = 1e-6;
    private const int MostInRound = 10, LeastEven = 8, OfOne = 500, OfEach = 100;

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Against("A series of several periods, 20 values ahead: at most 0.6 of the squared error of a Gaussian process with the rbf kernel.", "gaussian-process", Math.Sqrt(0.6), [], []),
        Against("The same with two agents: at most 1.2 times the squared error of all rows in one place.", "slim-kl", Math.Sqrt(1.2), new() { ["agents"] = 2 }, new() { ["components"] = 200 }),
        Against("The same with messages of a quarter of the bits or less: at most 1.25 times the squared error of two agents with whole ones.", "slim-kl", Math.Sqrt(1.25), new() { ["agents"] = 2, ["resolution"] = 1e-4 }, new() { ["agents"] = 2, ["components"] = 200 }),
    ];

    private static Claim Against(string text, string baseline, double factor, JsonObject own, JsonObject theirs)
    {
        own["components"] = 200;
        return new() { Text = text, Task = "series", Metric = "rmse", Baseline = baseline, BaselineFactor = factor, Margin = 0, MethodOptions = own, BaselineOptions = theirs };
    }

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var (n, features) = ((int)rows.X.shape[0], (int)rows.X.shape[1]);
        if (options.Agents > n / 2)
            throw InputException.At("agents", $"{options.Agents}", $"at most {n / 2}, so that each has two of the {n} rows", "Take fewer.");
        var order = rows.X.select(1, 0).argsort();
        var (x, y) = features == 1 ? (rows.X.index_select(0, order), rows.Y.index_select(0, order)) : (rows.X, rows.Y);
        var (unit, even) = Unit(x);
        x = x / unit;
        double? noise = options.Noise > 0 ? options.Noise : even && n >= LeastEven ? NoiseVariance(y.data<double>().ToArray()) : null;
        if (noise < Degenerate * y.var(unbiased: false).item<double>())
            noise = null; // periods of a few steps are noise to a smoother, or all of it is none: the weights say more
        var (frequencies, deviations) = Candidates(features);
        double start = y.square().mean().item<double>() / frequencies.Length; // the pull to the mean cannot lift a weight from 0
        var agents = new List<SpectralAgent>();
        try
        {
            for (int j = 0; j < options.Agents; j++)
                agents.Add(new(Part(x, j), Part(y, j), frequencies, deviations, noise, start));
            double scale = y.square().mean().item<double>();
            var channel = exchange ?? new RoundedExchange(options.Resolution * scale, setup.Random("rounding"));
            int rounds;
            double[] weights;
            if (agents.Count > 1)
                (weights, rounds) = Consensus(agents, channel, options.Rho / (scale * scale), cancellation);
            else
                (rounds, weights) = (agents[0].Climb(agents[0].Weights, 0, options.Steps, Tolerance, cancellation), agents[0].Weights);
            double sigma = agents.Average(a => a.Noise);
            var report = new Dictionary<string, double>
            {
                ["active"] = weights.Count(w => w > Active * weights.Max()),
                ["noise"] = sigma,
                ["unit"] = features == 1 ? unit.item<double>() : 1,
                ["rounds"] = rounds,
                ["bits"] = channel.Bits,
                ["plain_bits"] = channel.PlainBits,
                ["jitter"] = agents.Max(a => a.Jitter),
            };
            var kernel = new SpectralProduct(weights, frequencies, deviations);
            var parts = options.Answer == "fused" ? Enumerable.Range(0, options.Agents).Select(j => (Part(x, j), Part(y, j))) : [(x, y)];
            return new Fitted(kernel, [.. parts.Select(p => new Posterior(kernel, p.Item1, p.Item2, sigma))], unit, report);
        }
        finally
        {
            foreach (var agent in agents)
                agent.Dispose();
        }
    }

    /// <summary>The stretch of an agent.</summary>
    private Tensor Part(Tensor all, int agent)
    {
        long n = all.shape[0], first = n * agent / options.Agents;
        return all.narrow(0, first, n * (agent + 1) / options.Agents - first);
    }

    /// <summary>What x is divided by: the usual step of one feature, the deviations of several; and whether the steps of one are all the same.</summary>
    private static (Tensor Unit, bool Even) Unit(Tensor x)
    {
        if (x.shape[1] > 1)
        {
            var deviation = x.std(0, unbiased: false);
            return (where(deviation > 0, deviation, ones_like(deviation)), false);
        }
        double[] at = x.flatten().data<double>().ToArray(), steps = [.. at.Zip(at.Skip(1), (a, b) => b - a).Where(s => s > 0).Order()];
        double step = steps.Length == 0 ? 1 : steps[steps.Length / 2];
        bool even = steps.Length == at.Length - 1 && steps[^1] - steps[0] < Even * step;
        return (Aligned.Of([step], 1), even);
    }

    private (double[][] Frequencies, double[][] Deviations) Candidates(int features)
    {
        int count = options.Components > 0 ? options.Components : features == 1 ? OfOne : OfEach * features;
        var random = setup.Random("frequencies");
        bool grid = options.Frequencies == "uniform" || options.Frequencies == "auto" && features == 1;
        double[][] frequencies = [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, features).Select(_ => grid ? Highest * i / Math.Max(1, count - 1) : Highest * random.NextDouble()).ToArray())];
        return (frequencies, [.. frequencies.Select(f => Enumerable.Repeat(options.Deviation, f.Length).ToArray())]);
    }

    /// <summary>Weights on which all agents agree, as far as rounds go; never below 0.</summary>
    private (double[] Weights, int Rounds) Consensus(List<SpectralAgent> agents, IWeightExchange channel, double rho, CancellationToken cancellation)
    {
        int count = agents[0].Weights.Length, round = 0;
        double[] theta = [.. agents[0].Weights], common = channel.Send(theta, agents.Count);
        for (; round < options.Rounds; round++)
        {
            double[][] zeta = [.. agents.Select(a =>
            {
                a.Climb(common, rho, Math.Min(options.Steps, MostInRound), InRound, cancellation);
                return channel.Send(a.Weights, 1);
            })];
            var (next, primal, norm, multipliers) = (Mean(zeta, agents, rho), 0.0, 0.0, 0.0);
            common = channel.Send(next, agents.Count);
            for (int j = 0; j < agents.Count; j++)
                for (int i = 0; i < count; i++)
                {
                    double apart = zeta[j][i] - common[i];
                    agents[j].Multipliers[i] += rho * apart;
                    (primal, norm, multipliers) = (primal + apart * apart, norm + zeta[j][i] * zeta[j][i], multipliers + agents[j].Multipliers[i] * agents[j].Multipliers[i]);
                }
            double dual = rho * Math.Sqrt(agents.Count * next.Zip(theta, (a, b) => (a - b) * (a - b)).Sum()), size = Math.Sqrt(agents.Count * next.Sum(w => w * w)), floor = Math.Sqrt(agents.Count * count) * Agreed * (next.Max() / count);
            primal = Math.Sqrt(primal);
            theta = next;
            if (primal < floor + Agreed * Math.Max(Math.Sqrt(norm), size) && dual < floor + Agreed * Math.Sqrt(multipliers))
                break;
            if (options.Adapt)
                rho *= primal > Balance * dual ? 2 : dual > primal ? 0.5 : 1;
        }
        return ([.. theta.Select(w => Math.Max(w, 0))], Math.Min(round + 1, options.Rounds));
    }

    private static double[] Mean(double[][] zeta, List<SpectralAgent> agents, double rho) => Global(zeta, [.. agents.Select(a => a.Multipliers)], rho);

    /// <summary>The mean over agents of <c>ζ + λ/ρ</c>.</summary>
    internal static double[] Global(double[][] zeta, double[][] multipliers, double rho) =>
        [.. Enumerable.Range(0, zeta[0].Length).Select(i => Enumerable.Range(0, zeta.Length).Average(j => zeta[j][i] + multipliers[j][i] / rho))];

    /// <summary>The variance of the noise of evenly spaced values: what a smoothing spline leaves whose strength generalised cross-validation chooses (Garcia 2010). Cost O(n²).</summary>
    public static double NoiseVariance(double[] y)
    {
        ArgumentNullException.ThrowIfNull(y);
        const double low = -10, high = 10, coarse = 0.25;
        double[] cosines = Cosines(y);
        double Gcv(double logLambda) => Smoothed(cosines, Math.Pow(10, logLambda)).Gcv;
        double best = Enumerable.Range(0, (int)((high - low) / coarse) + 1).Select(i => low + coarse * i).MinBy(Gcv);
        var (from, to) = (best - coarse, best + coarse);
        for (int i = 0; i < 60; i++) // thirds: the minimum lies between
        {
            double a = from + (to - from) / 3, b = to - (to - from) / 3;
            (from, to) = Gcv(a) < Gcv(b) ? (from, b) : (a, to);
        }
        return Math.Max(Smoothed(cosines, Math.Pow(10, (from + to) / 2)).Noise, double.Epsilon);
    }

    /// <summary>The variance of what a strength takes away, and its score <c>noise / mean(M)²</c>, <c>M = 1 − 1/(1 + λS²)</c>, <c>S = 2(1 − cos πj/n)</c>.</summary>
    internal static (double Noise, double Gcv) Smoothed(double[] cosines, double lambda)
    {
        double noise = 0, mean = 0;
        int n = cosines.Length;
        for (int j = 0; j < n; j++)
        {
            double s = 2 * (1 - Math.Cos(Math.PI * j / n)), m = 1 - 1 / (1 + lambda * s * s);
            (noise, mean) = (noise + cosines[j] * cosines[j] * m * m / n, mean + m / n);
        }
        return (noise, noise / (mean * mean));
    }

    /// <summary>The orthonormal discrete cosine transform of the second kind.</summary>
    internal static double[] Cosines(double[] y)
    {
        int n = y.Length;
        double[] c = new double[n];
        for (int j = 0; j < n; j++)
        {
            for (int i = 0; i < n; i++)
                c[j] += y[i] * Math.Cos(Math.PI * (i + 0.5) * j / n);
            c[j] *= Math.Sqrt((j == 0 ? 1.0 : 2.0) / n);
        }
        return c;
    }

    /// <summary>A Gaussian process given some rows.</summary>
    private sealed class Posterior : IDisposable
    {
        private readonly IKernel _kernel;
        private readonly Tensor _x, _factor, _alpha;
        private readonly double _noise;

        public Posterior(IKernel kernel, Tensor x, Tensor y, double noise)
        {
            using var scope = NewDisposeScope();
            (_kernel, _noise) = (kernel, noise);
            var c = kernel.Gram(x, x);
            c.diagonal().add_(noise);
            var factor = PositiveSolve.Factor(c, out _);
            (_x, _alpha, _factor) = (x.clone().DetachFromDisposeScope(), PositiveSolve.Back(factor, y.unsqueeze(1)).DetachFromDisposeScope(), factor.DetachFromDisposeScope());
        }

        public (Tensor Mean, Tensor Variance) Of(Tensor x)
        {
            var cross = _kernel.Gram(_x, x);
            return (cross.t().mm(_alpha).squeeze(1), (_kernel.Diagonal(x) - linalg.solve_triangular(_factor, cross, upper: false).square().sum([0])).clamp_min(0) + _noise);
        }

        public void Dispose()
        {
            _x.Dispose();
            _factor.Dispose();
            _alpha.Dispose();
        }
    }

    private sealed class Fitted(IKernel kernel, IReadOnlyList<Posterior> parts, Tensor unit, IReadOnlyDictionary<string, double> report) : IFittedRegressor, IOnKernel
    {
        private readonly Tensor _unit = unit.clone().DetachFromDisposeScope();

        public IReadOnlyDictionary<string, double> Report => report;

        public IKernel Kernel => kernel;

        public Prediction Predict(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, _unit.shape[0]);
            var scaled = x / _unit;
            var answers = parts.Select(p => p.Of(scaled)).ToList();
            var precision = answers.Select(a => 1 / a.Variance).Aggregate((a, b) => a + b);
            return new Prediction(answers.Select(a => a.Mean / a.Variance).Aggregate((a, b) => a + b) / precision, 1 / precision).ToOuterScope();
        }

        public void Dispose()
        {
            foreach (var part in parts)
                part.Dispose();
            _unit.Dispose();
        }
    }
}
