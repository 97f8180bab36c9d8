using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="ProKer"/>.</summary>
public sealed record ProKerOptions
{
    /// <summary>The sharpness.</summary>
    [Range(0.0, 1e6), Description("β of the kernel exp(−β(1 − ⟨x, y⟩)); 0: chosen with λ on the validation rows, or without them as the paper carries it over, by rows a class")]
    public double Beta { get; init; }

    /// <summary>The pull to the base.</summary>
    [Range(0.0, 1e6), Description("λ, how strongly answers are held to those of the class names; of local-linear to few slopes; of gda the weight of the rows' discriminants; 0: as β, or 0.01 of gda")]
    public double Lambda { get; init; }

    /// <summary>Which system.</summary>
    [AllowedValues("released", "textbook", "local-linear", "gda"), Description("released: (K/λ + I) α = residuals, as the released code; textbook: (K + λI) α = residuals, which is what minimises the stated objective; local-linear: residuals by lines near each row; gda: Gaussian discriminants beside the names")]
    public string Form { get; init; } = "released";
}

/// <summary>
/// ProKeR: a classifier that knows only the names of its classes gets a few labelled rows, by one kernel ridge on what it is wrong by.
/// <para>Paper: Bendou, Ouasfi, Gripon and Boukhayma, ProKeR: a kernel perspective on few-shot adaptation of large vision-language models, CVPR 2025 (arXiv 2501.11175). The paper's other estimators on the same residuals: Tip-Adapter is a baseline, local linear regression (<see cref="LocalLinear"/>) and Gaussian discriminants (<see cref="GaussianDiscriminants"/>) are forms. Left out: augmented rows.</para>
/// <para>f₀(x) = T x with unit rows T of the names; k(x, y) = exp(−β(1 − ⟨x, y⟩)); residuals R = L − S Tᵀ of the one-hot labels L of the unit rows S. The objective Σ ‖f(sᵢ) − lᵢ‖² + λ ‖f − f₀‖² has the minimiser
/// f₀ + k (K + λI)⁻¹ R; the released code adds k (K/λ + I)⁻¹ R, which is λ times that: λ is there a ridge and a damping in one. Cost O(n³ / 3 + n² classes); memory 8 n² bytes.</para>
/// </summary>
public sealed class ProKer(ProKerOptions options) : IClassifier
{
    private static readonly double[] Betas = [0.5, 1, 2, 3, 5], Lambdas = [0.001, 0.01, 0.03, 0.1, 0.3, 1, 3], Weights = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "One row a class: at least 2 points above the names alone.", Task = "few-shot", Metric = "accuracy", Baseline = "zero-shot", Margin = 0.02, TaskOptions = new() { ["shots"] = 1 } },
        new() { Text = "Four rows a class: at least 5 points above the names alone.", Task = "few-shot", Metric = "accuracy", Baseline = "zero-shot", Margin = 0.05 },
        new() { Text = "Four rows a class: at least a point above a kernel ridge that does not know the names.", Task = "few-shot", Metric = "accuracy", Baseline = "kernel-ridge", Margin = 0.01 },
        new() { Text = "Four rows a class: above Tip-Adapter.", Task = "few-shot", Metric = "accuracy", Baseline = "tip-adapter", Margin = 0 },
        new() { Text = "Sixteen rows a class: the form of the released code is as good as that of the objective, within half a point.", Task = "few-shot", Metric = "accuracy", Baseline = "proker", Margin = -0.005, BaselineOptions = new() { ["form"] = "textbook" }, TaskOptions = new() { ["shots"] = 16 } },
    ];

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var names = Names(rows);
        var s = Unit(rows.X, "rows");
        if (options.Form == "gda")
            return new GaussianDiscriminants(names, rows, s, Weight(rows, s, names));
        var residuals = rows.OneHot() - s.mm(names.t());
        var (beta, lambda) = Chosen(rows, s, names, residuals, cancellation);
        if (options.Form == "local-linear")
            return new LocalLinear(names, s, residuals, beta, lambda);
        var alpha = Alpha(new Sphere(beta).Gram(s, s), residuals, lambda, out double jitter);
        return new FittedKernel(new Sphere(beta), s, alpha, new Dictionary<string, double> { ["beta"] = beta, ["lambda"] = lambda, ["jitter"] = jitter }, names);
    }

    /// <summary>The weights of the residuals.</summary>
    internal Tensor Alpha(Tensor gram, Tensor residuals, double lambda, out double jitter)
    {
        var system = options.Form == "released" ? gram / lambda + eye(gram.shape[0], dtype: ScalarType.Float64) : gram + eye(gram.shape[0], dtype: ScalarType.Float64) * lambda;
        return PositiveSolve.Solve(system, residuals, out jitter);
    }

    private (double Beta, double Lambda) Chosen(TrainingRows rows, Tensor s, Tensor names, Tensor residuals, CancellationToken cancellation)
    {
        double[] betas = options.Beta > 0 ? [options.Beta] : Betas, lambdas = options.Lambda > 0 ? [options.Lambda] : Lambdas;
        if (betas.Length * lambdas.Length == 1)
            return (betas[0], lambdas[0]);
        if (rows.Validation is not { } validation)
        {
            var (beta, lambda) = ((double)rows.Labels.Count / rows.Classes) switch { < 1.5 => (3, 0.05), < 3 => (2.6, 0.05), < 6 => (1.5, 0.05), < 12 => (1.66, 0.07), _ => (1.7, 0.1) };
            return (options.Beta > 0 ? options.Beta : beta, options.Lambda > 0 ? options.Lambda : lambda);
        }
        var v = Unit(validation.X, "validation rows");
        var start = v.mm(names.t());
        var truth = tensor(validation.Labels.Select(l => (long)l).ToArray());
        var best = (betas[0], lambdas[0]);
        long most = -1;
        foreach (double beta in betas)
        {
            cancellation.ThrowIfCancellationRequested();
            var (gram, cross) = (new Sphere(beta).Gram(s, s), new Sphere(beta).Gram(v, s));
            foreach (double lambda in lambdas)
                if ((start + (options.Form == "local-linear" ? LocalLinear.Correction(v, s, residuals, beta, lambda) : cross.mm(Alpha(gram, residuals, lambda, out _)))).argmax(1).eq(truth).sum().item<long>() is var right && right > most)
                    (most, best) = (right, (beta, lambda));
        }
        return best;
    }

    /// <summary>The weight of discriminants.</summary>
    private double Weight(TrainingRows rows, Tensor s, Tensor names)
    {
        if (options.Lambda > 0 || rows.Validation is not { } validation)
            return options.Lambda > 0 ? options.Lambda : 0.01;
        var v = Unit(validation.X, "validation rows");
        var truth = tensor(validation.Labels.Select(l => (long)l).ToArray());
        var (w, b) = GaussianDiscriminants.Of(rows, s);
        var (start, own) = (v.mm(names.t()), GaussianDiscriminants.Filled(v.mm(w) + b, [.. Enumerable.Range(0, rows.Classes).Except(rows.Labels).Select(c => (long)c)]));
        return Weights.MaxBy(weight => (start + own * weight).argmax(1).eq(truth).sum().item<long>());
    }

    internal static Tensor Names(TrainingRows rows) => rows.Names is null ? throw InputException.At("class names", "none", "a vector for each class", "Give them (Names), or choose a method that learns from rows alone.")
        : rows.Names.shape is var shape && shape.Length == 2 && shape[0] == rows.Classes && shape[1] == rows.X.shape[1] ? Unit(rows.Names, "class names")
        : throw InputException.At("class names", $"[{string.Join(", ", rows.Names.shape)}]", $"[{rows.Classes}, {rows.X.shape[1]}], a vector for each class of the width of a row", "Give names and rows of the same encoder.");

    /// <summary>Rows of length 1.</summary>
    internal static Tensor Unit(Tensor x, string what)
    {
        var norms = x.norm(1, keepdim: true);
        return norms.min().item<double>() > 0 ? x / norms : throw InputException.At(what, $"only zeros in row {norms.argmin().item<long>()}", "rows with a direction", "Leave it out.");
    }

    /// <summary><c>exp(−β(1 − ⟨x, y⟩))</c> of what is scaled to length 1 first.</summary>
    internal sealed class Sphere(double beta) : IKernel
    {
        public Tensor Gram(Tensor x, Tensor y)
        {
            var a = Unit(x, "rows");
            var gram = Products.Of(a, ReferenceEquals(x, y) ? a : Unit(y, "rows")).sub_(1).mul_(beta).exp_();
            if (ReferenceEquals(x, y))
                gram.diagonal().fill_(1);
            return gram;
        }

        public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);
    }
}
