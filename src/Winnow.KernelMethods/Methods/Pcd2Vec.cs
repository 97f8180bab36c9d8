using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Pcd2Vec"/>.</summary>
public sealed record Pcd2VecOptions : OnFeaturesOptions
{
    /// <summary>What gaps are.</summary>
    [AllowedValues("delete", "symbol"), Description("delete: sites where either of a pair has a gap are left out; symbol: a gap is a residue like others")]
    public string Gaps { get; init; } = "delete";

    /// <summary>Sequences that differ everywhere.</summary>
    [Description("a share of differing sites is at most 1 − 1/(2 · sites), so that distances are finite; else sequences that differ everywhere are refused")]
    public bool Cap { get; init; } = true;

    /// <summary>The kernel.</summary>
    [AllowedValues("rbf", "exponential", "power"), Description("exp(−d²/2σ²), exp(−d/σ), or (1 − p)^γ")]
    public string Kernel { get; init; } = "rbf";

    /// <summary>The width.</summary>
    [Range(0.0, 1e9), Description("σ; 0: the median distance of the sequences learned from")]
    public double Sigma { get; init; }

    /// <summary>The power.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("γ of the power")]
    public double Gamma { get; init; } = 2;

    /// <summary>The distance.</summary>
    [AllowedValues("poisson", "p"), Description("poisson: the correction −ln(1 − p); p: the share of differing sites as it is")]
    public string Distance { get; init; } = "poisson";

    /// <summary>Whether those asked for shape the components.</summary>
    [Description("components are those of the sequences learned from and of those asked for together, as in published pipelines, whose scores are not for new sequences")]
    public bool Transductive { get; init; }
}

/// <summary>
/// Aligned sequences become short vectors: the Poisson correction distance <c>d = −ln(1 − p)</c> of the share p of differing sites, the kernel <c>exp(−d²/2σ²)</c>, and its kernel principal components, which any
/// classifier takes.
/// <para>Paper: Ali, Murad and Patterson, PCD2Vec: A Poisson correction distance-based approach for viral host classification, arXiv 2304.06731 (2023); no code was released, and details follow the group's companion
/// code. Departures: components are fitted on the sequences learned from (theirs on all), σ is the median distance (theirs 1). All seven classifiers of the line of work are options; its network has one hidden layer instead of three.</para>
/// <para>d is no metric (p of ½, ½ and 1 break the triangle) and the rbf of it need not be positive: negative eigenvalues are clipped, the smallest is told. Cost O(n² · sites / 32 + n² q); memory 16 n² bytes.</para>
/// <code>
/// using var fitted = new Pcd2Vec(setup, new()).Fit(new TrainingRows(Sequences.Codes(residues), labels, classes));
/// int answer = (int)fitted.Scores(Sequences.Codes(["ACD-EF"])).argmax(1).item&lt;long&gt;();
/// </code>
/// </summary>
/// <param name="setup">Draws what the classifier needs.</param>
/// <param name="options">How.</param>
public sealed class Pcd2Vec(KernelSetup setup, Pcd2VecOptions options) : IClassifier
{
    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Of("Six components of the kernel are within 2 points of the 60 first principal components of residues as ones and zeros.", "one-hot-pca", -0.02, new() { ["components"] = 6 }, new() { ["components"] = 60 }),
        Of("With as many components as rows give it is more often right than principal components of residues as ones and zeros.", "one-hot-pca", 0, [], []),
        Of("It is more often right than a tuned support vector machine on the share of differing sites.", "p-distance", 0, [], []),
        Of("It is more often right than a tuned support vector machine on words of three residues.", "spectrum", 0, [], []),
    ];

    private static Claim Of(string text, string baseline, double margin, System.Text.Json.Nodes.JsonObject own, System.Text.Json.Nodes.JsonObject others) =>
        new() { Text = text, Task = "sequences", Metric = "accuracy", Baseline = baseline, Margin = margin, MethodOptions = own, BaselineOptions = others };

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default) => new OnFeatures(Components, options.Build(setup)).Fit(rows, cancellation);

    /// <summary>The kernel by the options, of which σ may be the median of some sequences.</summary>
    /// <param name="x">Codes [n, sites].</param>
    /// <param name="scale">σ, or γ of a power.</param>
    public IKernel Kernel(Tensor x, out double scale)
    {
        bool poisson = options.Distance == "poisson", symbols = options.Gaps == "symbol";
        scale = options.Kernel == "power" ? options.Gamma : options.Sigma > 0 ? options.Sigma : SubstitutionKernel.Median(x, poisson, symbols, options.Cap);
        return new SubstitutionKernel(options.Kernel, scale, poisson, symbols, options.Cap);
    }

    private KernelPca Components(TrainingRows rows, Dictionary<string, double> report, CancellationToken cancellation)
    {
        var kernel = Kernel(rows.X, out double scale);
        report["scale"] = scale;
        var x = options.Transductive ? cat([rows.X, rows.Unlabelled ?? throw InputException.At("transductive", "no sequences without labels", "those that will be asked for", "Give them as Unlabelled, or leave the option out.")]) : rows.X;
        return options.Fit(kernel, x, cancellation);
    }
}
