using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="DeepKernelMachine"/>.</summary>
public sealed record DeepKernelMachineOptions
{
    /// <summary>Layers.</summary>
    [Range(0, 20), Description("L: hidden layers whose Gram matrices are learned; 0: a Gaussian process")]
    public int Layers { get; init; } = 2;

    /// <summary>How strongly layers are held.</summary>
    [Range(0.0, 1e12), Description("ν: how strongly a layer's Gram matrix is held to the kernel's; from 1e9 on it is the kernel's; 0: of endless, 300, 100, 30, 10 and 3 what a fifth of the rows, left out, finds likeliest")]
    public double Nu { get; init; }

    /// <summary>The kernel.</summary>
    [AllowedValues("squared-exponential", "relu"), Description("the kernel of every layer")]
    public string Kernel { get; init; } = "squared-exponential";

    /// <summary>How Gram matrices are written.</summary>
    [AllowedValues("whitened", "plain", "sparse"), Description("whitened: G = C R Rᵀ Cᵀ with K = C Cᵀ; plain: G = V Vᵀ / n; sparse: whitened, of learned inputs instead of all rows")]
    public string Form { get; init; } = "whitened";

    /// <summary>Inputs of the sparse form.</summary>
    [Range(1, 10_000), Description("P: learned inputs of the sparse form; no more than rows")]
    public int Inducing { get; init; } = 50;

    /// <summary>Rows of a step.</summary>
    [Range(1, 100_000), Description("rows of a step of the sparse form")]
    public int Batch { get; init; } = 256;

    /// <summary>Steps.</summary>
    [Range(1, 1_000_000), Description("steps of Adam")]
    public int Steps { get; init; } = 200;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("step size of Adam")]
    public double LearningRate { get; init; } = 0.02;
}

/// <summary>
/// A deep kernel machine: a kernel method with several layers whose Gram matrices are learned, fit against how far each is from what the kernel makes of the layer below.
/// <para>Paper: Yang, Robeyns, Milsom, Anson, Schoots and Aitchison, A theory of representation learning gives a deep generalisation of kernel methods, ICML 2023 (arXiv 2108.13097). Left out: convolutions, classification, and the later
/// surrogates of the divergence.</para>
/// <para>G₀ = X Xᵀ/d, and over all G_l and the kernels' parameters <c>log P(y | G_L) − Σ ν KL(N(0, G_l) ‖ N(0, K(G_{l−1})))</c> is maximised by Adam, log P of a Gaussian process with K(G_L) + σ²I. In whitened form the divergence is
/// <c>½ (‖R‖² − 2 Σ ln R_ii − n)</c> and the start, R = I, is the kernel itself. The sparse form has the bound of a variational Gaussian process on top, with q = N(m, S) of whitened values.
/// σ² stays above a thousandth of the targets' variance.</para>
/// <para>Cost O(L n³) a step and O(L n²) numbers; sparse O(L (P³ + b P²)) a step of b rows. Prediction O(L n²) a row.</para>
/// </summary>
/// <param name="setup">Draws the rows left out, the first inputs and the order.</param>
/// <param name="options">How.</param>
public sealed class DeepKernelMachine(KernelSetup setup, DeepKernelMachineOptions options) : IRegressor
{
    private const double Endless = 1e9, LeftOut = 0.2, MostDeviation = 3;
    private const int LeastRows = 10;
    private static readonly double[] Tried = [Endless, 300, 100, 30, 10, 3];

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Against("Energy efficiency, 150 rows: at least 40% less error than with the Gram matrices of the kernel.", "rmse", 0.6, "energy"),
        Against("Energy efficiency, 150 rows: likelier than with the Gram matrices of the kernel.", "log_likelihood", 1, "energy"),
        Against("Yacht hydrodynamics, 150 rows: at least 40% less error.", "rmse", 0.6, "yacht"),
        Against("Yacht hydrodynamics, 150 rows: likelier.", "log_likelihood", 1, "yacht"),
        Against("Wine, its alcohol from the other columns, 150 rows, where little is to be learned: no more than 3% worse.", "rmse", 1.03, "wine", "0"),
        Against("Friedman's function from 150 rows: at least 40% less error.", "rmse", 0.6, null),
        Against("Energy efficiency, 150 rows, ν 100: whitened, less error than in plain form.", "rmse", 1, "energy", null, new() { ["form"] = "plain", ["nu"] = 100 }, new() { ["nu"] = 100 }),
    ];

    private static Claim Against(string text, string metric, double factor, string? data, string? label = null, System.Text.Json.Nodes.JsonObject? baseline = null, System.Text.Json.Nodes.JsonObject? own = null) => new()
    {
        Text = text,
        Task = "regress",
        Data = data,
        Label = label,
        Metric = metric,
        Baseline = "deep-kernel-machine",
        BaselineFactor = factor,
        Margin = 0,
        MethodOptions = own ?? [],
        BaselineOptions = baseline ?? new() { ["nu"] = Endless },
        TaskOptions = new() { ["rows"] = 150 },
    };

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        double mean = rows.Y.mean().item<double>();
        if (rows.Y.std(false).item<double>() is var deviation && (deviation > MostDeviation || deviation < 1 / MostDeviation))
            throw InputException.At("targets", FormattableString.Invariant($"a deviation of {deviation:G3}"), $"about 1, between a third and {MostDeviation}", "Divide the targets by their deviation: ν weighs against it.");
        if (options.Kernel == "relu" && rows.X.abs().sum(1).min().item<double>() == 0)
            throw InputException.At("rows", $"only zeros in row {rows.X.abs().sum(1).argmin().item<long>()}", "rows with a direction, which the kernel relu needs", "Leave it out, or choose squared-exponential.");
        var y = (rows.Y - mean).unsqueeze(1);
        double nu = options.Nu > 0 ? options.Nu : options.Layers == 0 || rows.X.shape[0] < LeastRows ? Endless : Chosen(rows.X, y, cancellation);
        var machine = Trained(rows.X, y, nu, cancellation);
        return new Fitted(machine, mean, nu);
    }

    /// <summary>The ν under which rows left out are likeliest.</summary>
    private double Chosen(Tensor x, Tensor y, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        long[] order = [.. Enumerable.Range(0, (int)x.shape[0]).Select(i => (long)i)];
        setup.Random("validation").Shuffle(order);
        int left = (int)(LeftOut * order.Length);
        Tensor Of(Tensor a, long[] some) => a.index_select(0, tensor(some));
        var (asked, numbers) = (Of(x, order[..left]), Of(y, order[..left]).squeeze(1));
        return Tried.MaxBy(nu =>
        {
            using var trial = NewDisposeScope();
            var (mean, variance) = Trained(Of(x, order[left..]), Of(y, order[left..]), nu, cancellation).Predict(asked);
            return -(variance.log() + (numbers - mean).square() / variance).sum().item<double>();
        });
    }

    private DeepGram Trained(Tensor x, Tensor y, double nu, CancellationToken cancellation)
    {
        var machine = new DeepGram(x, y, options, nu >= Endless ? double.PositiveInfinity : nu, setup.Random("inducing"));
        machine.Train(options.Steps, options.LearningRate, options.Batch, setup.Random("order"), cancellation);
        return machine;
    }

    private sealed class Fitted : IFittedRegressor
    {
        private readonly DeepGram _machine;
        private readonly double _mean;

        public Fitted(DeepGram machine, double mean, double nu)
        {
            (_machine, _mean) = (machine, mean);
            Report = new Dictionary<string, double> { ["nu"] = nu, ["objective"] = machine.Reached, ["noise"] = machine.Noise, ["divergence"] = machine.Apart, ["jitter"] = GramKernels.Jitter };
            foreach (var kept in machine.Kept)
                kept.DetachFromDisposeScope();
        }

        public IReadOnlyDictionary<string, double> Report { get; }

        public Prediction Predict(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, _machine.Features);
            var (mean, variance) = _machine.Predict(x);
            return new Prediction(mean + _mean, variance).ToOuterScope();
        }

        public void Dispose()
        {
            foreach (var kept in _machine.Kept)
                kept.Dispose();
        }
    }
}
