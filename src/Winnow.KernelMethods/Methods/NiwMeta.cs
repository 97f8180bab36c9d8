using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="NiwMeta"/>.</summary>
public sealed record NiwMetaOptions
{
    /// <summary>Which distribution.</summary>
    [AllowedValues("factorised", "full"), Description("factorised: a normal-inverse-gamma distribution for each parameter; full: one Wishart distribution of all, whose degrees must exceed parameters − 1")]
    public string Form { get; init; } = "factorised";

    /// <summary>How a task's loss becomes a parabola.</summary>
    [AllowedValues("flat", "fisher", "sgld"), Description("flat: around the last of a few steps, as sharp as the cap everywhere, so that all parameters move; fisher: there, as sharp as the Fisher diagonal; sgld: mean and variance of a few noisy steps, as the paper")]
    public string Surrogate { get; init; } = "flat";

    /// <summary>Steps of a task.</summary>
    [Range(1, 1000), Description("steps on a task's support rows")]
    public int Steps { get; init; } = 5;

    /// <summary>Their size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size on the mean loss of support rows")]
    public double InnerRate { get; init; } = 0.03;

    /// <summary>Steps forgotten.</summary>
    [Range(0, 999), Description("of sgld: first steps that are not kept")]
    public int BurnIn { get; init; }

    /// <summary>Least sharpness.</summary>
    [Range(0.0, 1e12), Description("of fisher and sgld: least of a precision Ā")]
    public double Floor { get; init; } = 1e-6;

    /// <summary>Largest sharpness.</summary>
    [Range(0.0, 1e12, MinimumIsExclusive = true), Description("largest of a precision Ā; of flat: all of them")]
    public double Cap { get; init; } = 1e3;

    /// <summary>Steps over tasks.</summary>
    [Range(0, 1_000_000), Description("steps over tasks")]
    public int Updates { get; init; } = 800;

    /// <summary>Tasks of a step.</summary>
    [Range(1, 10_000), Description("tasks of a step")]
    public int Tasks { get; init; } = 16;

    /// <summary>Step size of the mean.</summary>
    [Range(0.0, 1.0), Description("step size of Adam for m₀, which falls to 0")]
    public double Rate { get; init; } = 1e-2;

    /// <summary>Step size of the scales.</summary>
    [Range(0.0, 1.0), Description("the same for log v₀ and log n₀")]
    public double ScaleRate { get; init; } = 0.02;

    /// <summary>First variance.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("v₀ / n₀ to begin with")]
    public double Variance { get; init; } = 0.03;

    /// <summary>First degrees of freedom.</summary>
    [Range(0.0, 1e9, MinimumIsExclusive = true), Description("n₀ to begin with")]
    public double Degrees { get; init; } = 1;

    /// <summary>The prior's strength.</summary>
    [Range(0.0, 1e9, MinimumIsExclusive = true), Description("λ₀ of the prior NIW(0, λ₀, I, ν₀)")]
    public double PriorStrength { get; init; } = 1;

    /// <summary>The prior's degrees.</summary>
    [Range(0.0, 1e9, MinimumIsExclusive = true), Description("ν₀ of the prior")]
    public double PriorDegrees { get; init; } = 1;

    /// <summary>Weight of divergences.</summary>
    [Range(0.0, 1e6), Description("weight of divergences beside the loss; 1 is the bound")]
    public double KlWeight { get; init; } = 0.1;

    /// <summary>Which rows the loss is of.</summary>
    [AllowedValues("query", "all", "support"), Description("rows whose loss the prior learns from; support makes it the free energy of support rows")]
    public string Rows { get; init; } = "all";

    /// <summary>How a new task is adapted to.</summary>
    [AllowedValues("mode", "closed"), Description("mode: a new variational fit from the most likely mean and covariance; closed: the same step as while learning")]
    public string Adapt { get; init; } = "mode";

    /// <summary>Steps of that fit.</summary>
    [Range(0, 100_000), Description("of mode: steps of Adam")]
    public int FitSteps { get; init; } = 30;

    /// <summary>Their size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("of mode: step size, in deviations of the prior")]
    public double FitRate { get; init; } = 0.1;

    /// <summary>Samples.</summary>
    [Range(1, 10_000), Description("samples of parameters that an answer is the mean of, in pairs around the mean")]
    public int Samples { get; init; } = 10;
}

/// <summary>
/// Learns a Gaussian prior over the parameters of a network from many small tasks, so that a new task needs a few steps and a shrinking towards it, and no gradient through those steps.
/// <para>Paper: Kim and Hospedales, A hierarchical Bayesian model for deep few-shot meta learning, ICLR 2024 (arXiv 2306.09702). Left out: pre-trained backbones with a head of prototypes, and the option "gami" of the paper's commands, whose formula is not told.
/// By default the parabola is as sharp everywhere and divergences weigh a tenth: of the paper's three noisy steps the variance is mostly chance, and by the Fisher diagonal few parameters of a network move at all.</para>
/// <para>Model: (μ, Σ) ~ NIW(0, λ₀, I, ν₀), θᵢ ~ N(μ, Σ), data of task i by the likelihood; q(μ, Σ) = NIW(m₀, diag v₀, l₀, n₀), qᵢ = N(mᵢ, diag Vᵢ). The loss of support rows is taken for a parabola around m̄ with precision Ā, which gives
/// <c>V = 1/(Ā + n₀/v₀), m = V (Ā m̄ + n₀/v₀ m₀)</c>; then m₀, v₀, n₀ go down the gradient of <c>l(m + √V ε) + E KL(qᵢ ‖ N(μ, Σ)) + KL(q ‖ prior)/N</c> with m̄, Ā held; l₀ = λ₀ + N is its minimiser. N counts the tasks learned from.</para>
/// <para>Cost of a task: steps + 2 gradients of the network (of fisher one more a support row and output); memory of a few vectors a task. Tasks of a step are computed together.</para>
/// </summary>
/// <param name="setup">Draws first parameters, noise and samples.</param>
/// <param name="options">How.</param>
public sealed class NiwMeta(KernelSetup setup, NiwMetaOptions options) : IMetaLearner
{
    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Lower("Sines and lines: at least a tenth less squared error than first-order MAML with as many steps on a task.", "episodes", "mse", "maml", 0.9),
        Lower("Sines and lines: at most half the squared error of pooled training.", "episodes", "mse", "pooled", 0.5),
        Lower("Sines and lines: better calibrated than first-order MAML.", "episodes", "calibration", "maml", 1),
        Lower("Sines and lines: at most half the time of second-order MAML to learn from a task.", "episodes", "episode_ms", "maml", 0.5) with { BaselineOptions = new() { ["order"] = "second" } },
        Lower("Linear regressions: within 2% of the squared error of the prior they are drawn from.", "linear-episodes", "mse", "known-prior", 1.02) with
        {
            MethodOptions = new() { ["surrogate"] = "fisher", ["kl-weight"] = 1, ["steps"] = 1, ["inner-rate"] = 1, ["rows"] = "support", ["variance"] = 1, ["degrees"] = 10, ["rate"] = 0.1, ["scale-rate"] = 0.1, ["updates"] = 250, ["tasks"] = 8, ["adapt"] = "closed" },
        },
    ];

    private static Claim Lower(string text, string task, string metric, string baseline, double factor) =>
        new() { Text = text, Task = task, Metric = metric, Baseline = baseline, BaselineFactor = factor, Margin = 0 };

    /// <inheritdoc/>
    public IAdapter Learn(EpisodeStream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (options.Floor > options.Cap)
            throw InputException.At("floor", FormattableString.Invariant($"{options.Floor}"), FormattableString.Invariant($"at most the cap, {options.Cap}"), "Lower it.");
        using var scope = NewDisposeScope();
        var (noise, start) = (setup.Random("noise"), stream.Network.Start(setup.Random("weights")));
        double n = Math.Max(1, (double)options.Updates * options.Tasks), capped = 0;
        var m0 = Aligned.Of(start, start.Length).requires_grad_();
        var logV = full(start.Length, Math.Log(options.Variance * options.Degrees), ScalarType.Float64).requires_grad_();
        var logN = tensor(Math.Log(options.Degrees), ScalarType.Float64).requires_grad_();
        var one = ones(start.Length, dtype: ScalarType.Float64);
        var prior = new NormalInverseWishart(zeros_like(one), one, Scalar(options.PriorStrength), Scalar(options.PriorDegrees), options.Form == "full").Checked();
        NormalInverseWishart Now() => new(m0, logV.exp(), Scalar(options.PriorStrength + n), logN.exp(), prior.Full);
        Now().Checked();
        using var adam = new TensorAdam([m0, logV, logN], [options.Rate, options.ScaleRate, options.ScaleRate]);
        for (int step = 0; step < options.Updates; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var tasks = stream.Draw(options.Tasks);
            var (mean, precision) = Parabola(stream, tasks, m0, noise);
            capped = options.Surrogate == "flat" ? 0 : (precision >= options.Cap).to(ScalarType.Float64).mean().item<double>();
            var loss = Energy(stream, tasks, Now(), prior, mean, precision, Normal(noise, mean.shape), n);
            EpisodeStream.Number(loss);
            adam.Step(autograd.grad([loss], [m0, logV, logN]), TensorAdam.Cosine(step, options.Updates));
        }
        using var untracked = no_grad();
        return new Adapter(this, stream, Now().Checked(), capped);
    }

    /// <summary>What the gradient is of: the mean over tasks of the expected loss and the divergences, by one sample of parameters.</summary>
    internal Tensor Energy(EpisodeStream stream, Episodes tasks, NormalInverseWishart q, NormalInverseWishart prior, Tensor mean, Tensor precision, Tensor epsilon, double n)
    {
        var (m, v) = q.Posterior(mean, precision);
        var theta = m + v.sqrt() * epsilon;
        var loss = zeros(1, dtype: ScalarType.Float64);
        if (options.Rows != "query")
            loss = loss + stream.Loss(stream.Network.Forward(theta, tasks.SupportX), tasks.SupportY);
        if (options.Rows != "support")
            loss = loss + stream.Loss(stream.Network.Forward(theta, tasks.QueryX), tasks.QueryY);
        return (loss + q.ExpectedDivergence(m, v) * options.KlWeight).mean() + q.Divergence(prior) * (options.KlWeight / n);
    }

    /// <summary>Middle and diagonal precision [tasks, D] of a parabola in place of each task's loss on support rows. Nothing leads back to where it starts.</summary>
    internal (Tensor Mean, Tensor Precision) Parabola(EpisodeStream stream, Episodes tasks, Tensor m0, SeededRandom noise)
    {
        var theta = m0.detach().unsqueeze(0).expand(tasks.Tasks, -1).contiguous();
        if (options.Surrogate != "sgld")
        {
            theta = stream.Descend(theta, tasks, options.Steps, options.InnerRate);
            return (theta, options.Surrogate == "flat" ? full_like(theta, options.Cap) : Fisher(stream, tasks, theta).clamp(options.Floor, options.Cap));
        }
        if (options.BurnIn + 2 > options.Steps)
            throw InputException.At("burn_in", $"{options.BurnIn} of {options.Steps} steps", "at least two steps that are kept", "Take more steps, or forget fewer.");
        double rate = options.InnerRate * stream.Scale(tasks.SupportX.shape[1]);
        var kept = new List<Tensor>();
        for (int s = 0; s < options.Steps; s++)
        {
            theta = stream.Descend(theta, tasks, 1, options.InnerRate) + Normal(noise, theta.shape) * Math.Sqrt(2 * rate);
            if (s >= options.BurnIn)
                kept.Add(theta);
        }
        var all = stack(kept);
        return (all.mean([0]), (1 / all.var([0], unbiased: true)).clamp(options.Floor, options.Cap));
    }

    /// <summary>The diagonal of the Fisher information of support rows at parameters: <c>Σ (∂f/∂θ)² / σ²</c> over rows and outputs, or <c>Σ p_c (∂ log p_c/∂θ)²</c> over rows and classes: [tasks, D].</summary>
    internal static Tensor Fisher(EpisodeStream stream, Episodes tasks, Tensor theta)
    {
        using var scope = NewDisposeScope();
        long t = tasks.Tasks, n = tasks.SupportX.shape[1], outputs = tasks.SupportY.shape[2], d = theta.shape[1];
        // a copy of the parameters for every row and output, whose gradients come apart
        var each = theta.detach().reshape(t, 1, 1, d).expand(t, n, outputs, d).reshape(t * n * outputs, d).requires_grad_();
        var rows = tasks.SupportX.unsqueeze(2).expand(t, n, outputs, -1).reshape(t * n * outputs, 1, -1);
        var f = stream.Network.Forward(each, rows).reshape(t, n, outputs, outputs);
        var own = (stream.Classes ? nn.functional.log_softmax(f, 3) : f).diagonal(0, 2, 3);
        var squares = autograd.grad([own.sum()], [each])[0].square().reshape(t, n, outputs, d);
        var weight = stream.Classes ? own.detach().exp() : ones_like(own) / (stream.Noise * stream.Noise);
        return (squares * weight.unsqueeze(3)).sum([1, 2]).MoveToOuterDisposeScope();
    }

    /// <summary>A few steps from the prior towards the diagonal Gaussian that is nearest to what support rows leave of it: mean and variance [tasks, D].</summary>
    internal (Tensor Mean, Tensor Variance) Fit(EpisodeStream stream, Episodes tasks, Tensor mean, Tensor variance, SeededRandom noise, CancellationToken cancellation)
    {
        var deviation = variance.sqrt();
        long[] shape = [tasks.Tasks, mean.shape[0]];
        // the mean in deviations of the prior, and the expected curvature of the loss
        var (u, curvature) = (zeros(shape, ScalarType.Float64), zeros(shape, ScalarType.Float64));
        using var adam = new TensorAdam([u], [options.FitRate], beta2: 0.9);
        (Tensor Mean, Tensor Variance) Now() => (mean + deviation * u, 1 / (1 / variance + curvature.clamp_min(0)));
        for (int step = 0; step < options.FitSteps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (m, v) = Now();
            var away = v.sqrt() * Normal(noise, shape);
            var (above, below) = (stream.Gradient((m + away).requires_grad_(), tasks), stream.Gradient((m - away).requires_grad_(), tasks));
            adam.Step([deviation * (above + below) / 2 + u], TensorAdam.Cosine(step, options.FitSteps));
            // E ∂²l/∂θ² = E (∂l/∂θ) (θ − m) / V of a Gaussian; the last steps count most
            curvature.add_((above - below) * away / (2 * v) - curvature, 2.0 / (step + 2));
        }
        EpisodeStream.Number(u.sum());
        return Now();
    }

    private Tensor Answer(EpisodeStream stream, NormalInverseWishart q, Episodes tasks, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var noise = setup.Random("samples");
        Tensor m, v;
        if (options.Adapt == "closed")
        {
            var (mean, precision) = Parabola(stream, tasks, q.M0, noise);
            (m, v) = q.Posterior(mean, precision);
        }
        else
        {
            (m, v) = Fit(stream, tasks, q.M0, q.ModeVariance(), noise, cancellation);
        }
        using var untracked = no_grad();
        return Sampled(stream.Network, m, v, tasks.QueryX, options.Samples, noise).MoveToOuterDisposeScope();
    }

    /// <summary>Answers of samples of N(m, diag V), in pairs around m: [samples, tasks, n, outputs].</summary>
    internal static Tensor Sampled(EpisodeNetwork network, Tensor m, Tensor v, Tensor x, int samples, SeededRandom noise)
    {
        var away = zeros_like(m);
        var answers = new List<Tensor>();
        for (int s = 0; s < samples; s++)
        {
            // the odd one out is the mean itself
            away = s % 2 == 1 ? -away : s == samples - 1 ? zeros_like(m) : v.sqrt() * Normal(noise, m.shape);
            answers.Add(network.Forward(m + away, x));
        }
        return stack(answers);
    }

    private static Tensor Normal(SeededRandom random, long[] shape)
    {
        // both of Box and Muller's pair, all at once
        long count = shape.Aggregate(1L, (a, b) => a * b);
        double[] uniform = new double[count + count % 2];
        for (int i = 0; i < uniform.Length; i++)
            uniform[i] = 1 - random.NextDouble();
        var halves = Aligned.Of(uniform, 2, uniform.Length / 2);
        var (radius, angle) = ((halves[0].log() * -2).sqrt(), halves[1] * (2 * Math.PI));
        return cat([radius * angle.cos(), radius * angle.sin()]).narrow(0, 0, count).reshape(shape);
    }

    private static Tensor Scalar(double value) => tensor(value, ScalarType.Float64);

    private sealed class Adapter : IAdapter
    {
        private readonly NiwMeta _method;
        private readonly EpisodeStream _stream;
        private readonly NormalInverseWishart _q;

        public Adapter(NiwMeta method, EpisodeStream stream, NormalInverseWishart q, double capped)
        {
            (_method, _stream) = (method, stream);
            _q = new(Kept(q.M0), Kept(q.V0), Kept(q.L0), Kept(q.N0), q.Full);
            var report = new Dictionary<string, double> { ["degrees"] = q.N0.item<double>(), ["variance"] = (q.V0 / q.N0).mean().item<double>(), ["capped"] = capped };
            if (stream.Prior is { } prior)
            {
                report["mean_error"] = ((q.M0 - prior.Mean).abs() / prior.Variance.sqrt()).max().item<double>();
                report["variance_error"] = (q.V0 / q.N0 / prior.Variance - 1).abs().max().item<double>();
            }
            Report = report;
        }

        public IReadOnlyDictionary<string, double> Report { get; }

        public Tensor Answer(Episodes tasks, CancellationToken cancellation = default)
        {
            ArgumentNullException.ThrowIfNull(tasks);
            cancellation.ThrowIfCancellationRequested();
            _stream.Checked(tasks);
            return _method.Answer(_stream, _q, tasks, cancellation);
        }

        public void Dispose()
        {
            foreach (var part in new[] { _q.M0, _q.V0, _q.L0, _q.N0 })
                part.Dispose();
        }

        private static Tensor Kept(Tensor x) => x.detach().clone().DetachFromDisposeScope();
    }
}
