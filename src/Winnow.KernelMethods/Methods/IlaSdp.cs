using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="IlaSdp"/>.</summary>
public sealed record IlaSdpOptions
{
    /// <summary>Where it begins.</summary>
    [AllowedValues("spectral", "ward", "k-means", "sdp"), Description("first groups: spectral clustering, Ward's rule, k-means, or k-means as a semidefinite program")]
    public string Start { get; init; } = "spectral";

    /// <summary>How groups are read off.</summary>
    [AllowedValues("rows", "vectors"), Description("rows: each row to the membership it has the largest sum in; vectors: k-means on the first eigenvectors of all memberships together")]
    public string Rounding { get; init; } = "rows";

    /// <summary>The ridge.</summary>
    [Range(0.0, 1.0), Description("added to each covariance, as a share of the mean variance of a feature; without it a flat group is infinitely likely")]
    public double Ridge { get; init; } = 1e-3;

    /// <summary>Rounds.</summary>
    [Range(1, 1000), Description("most rounds of covariances and memberships")]
    public int Rounds { get; init; } = 20;

    /// <summary>When the solver ends.</summary>
    [Range(1e-12, 0.1), Description("residual at which the solver ends in the last round; before, at 1e-4 or this")]
    public double Tolerance { get; init; } = 1e-5;

    /// <summary>Steps.</summary>
    [Range(1, 1_000_000), Description("most steps of the solver in the last round; before, 300 or this")]
    public int Steps { get; init; } = 2000;
}

/// <summary>
/// Groups rows whose groups have different shapes: the likelihood of Gaussian groups without their means is linear in membership matrices, which a convex program finds for given covariances, in turn with these.
/// <para>Paper: Zhuang, Chen and Yang, Likelihood adjusted semidefinite programs for clustering heterogeneous data, ICML 2023 (arXiv 2209.15097). Left out: the paper's scaling of data beyond a thousand rows.</para>
/// <para>With A_k(i, j) = −½ (x_i − x_j)ᵀ Σ_k⁻¹ (x_i − x_j) − log det Σ_k and Z_k = 11ᵀ/n_k on the rows of group k, ½ Σ ⟨A_k, Z_k⟩ is the log-likelihood up to a constant. Z_k may be any of what
/// <see cref="MembershipSdp"/> allows; Σ_k = (Xᵀ diag(Z_k 1) X − Xᵀ Z_k X) / 1ᵀZ_k 1 plus the ridge. Each round begins where the last ended and is solved roughly; when
/// one gains less than a ten-thousandth, a last one is solved to the end.</para>
/// <para>X float64 [n, d], Z [groups, n, n]. Cost a round O(steps · groups · n³), memory 5 groups n² numbers. The report's gap is what the solver left; where rounding_gap is 0, no grouping is likelier under these covariances.</para>
/// </summary>
public sealed class IlaSdp(KernelSetup setup, IlaSdpOptions options) : IClusterer
{
    private const double Gain = 1e-4, Rough = 1e-4;
    private const int RoughSteps = 300;

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Groups long and flat in directions of their own: at most 3% of rows are in a wrong group.", Task = "cluster", Metric = "misclustered", Baseline = "k-means", BaselineFactor = 0, Margin = -0.03 },
        Below("k-means", "k-means", []),
        Below("k-means as a semidefinite program", "sdp-k-means", []),
        Below("spectral clustering", "spectral-rows", []),
        Below("a mixture fitted by EM from one random start", "gaussian-mixture", new() { ["start"] = "random", ["starts"] = 1 }),
        Below("a mixture fitted by EM from one k-means", "gaussian-mixture", new() { ["starts"] = 1 }),
        Below("the likeliest of ten mixtures fitted by EM", "gaussian-mixture", []),
        Real("Wine", "wine"),
        Real("Iris", "iris"),
    ];

    private static Claim Below(string name, string baseline, System.Text.Json.Nodes.JsonObject given) => new()
    {
        Text = $"Groups long and flat in directions of their own: 2 points fewer rows in a wrong group than {name}.",
        Task = "cluster",
        Metric = "misclustered",
        Baseline = baseline,
        Margin = 0.02,
        BaselineOptions = given,
    };

    private static Claim Real(string name, string data) => new()
    {
        Text = $"{name}, 100 rows, each feature scaled: as few rows in a wrong group as a mixture fitted by EM from one k-means, within a point.",
        Task = "cluster",
        Data = data,
        Metric = "misclustered",
        Baseline = "gaussian-mixture",
        Margin = -0.01,
        BaselineOptions = new() { ["starts"] = 1 },
        TaskOptions = new() { ["rows"] = 100 },
    };

    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        SdpKMeans.Require(x, groups, groups);
        if (groups == 1)
            return new(new int[x.shape[0]], new Dictionary<string, double>());
        return From(x, First(x, groups, cancellation), groups, cancellation);
    }

    /// <summary>Groups, beginning with given ones.</summary>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="labels">First groups, none of them empty.</param>
    /// <param name="groups">How many.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">A group without rows, or a flat one without a ridge.</exception>
    public Clusters From(Tensor x, int[] labels, int groups, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(labels);
        SdpKMeans.Require(x, groups, groups);
        if (labels.Length != x.shape[0] || labels.Any(l => l < 0 || l >= groups))
            throw InputException.At("first groups", $"{labels.Length} labels from {labels.DefaultIfEmpty(0).Min()} to {labels.DefaultIfEmpty(0).Max()}", $"{x.shape[0]} from 0 to {groups - 1}", "Give one a row.");
        if (Enumerable.Range(0, groups).FirstOrDefault(g => !labels.Contains(g), -1) is var empty and not -1)
            throw InputException.At("first groups", $"no row in group {empty}", "one in each at least", "Number the groups without a gap.");
        using var scope = NewDisposeScope();
        var centred = x - x.mean([0], keepdim: true);
        double ridge = options.Ridge * centred.square().mean().item<double>();
        var z = SdpKMeans.Indicators(labels, groups);
        double[] first = z.data<double>().ToArray();
        var found = new Memberships(groups, labels.Length) { Y = [.. first], W = first };
        Tensor? sigma = null;
        var (rounds, steps, objective, last) = (0, 0, double.NegativeInfinity, false);
        while (true)
        {
            sigma = Covariances(centred, z, ridge, sigma);
            var a = Affinities(centred, sigma);
            found = last ? MembershipSdp.Solve(a, groups, options.Tolerance, options.Steps, found, cancellation)
                : MembershipSdp.Solve(a, groups, Math.Max(options.Tolerance, Rough), Math.Min(options.Steps, RoughSteps), found, cancellation);
            z = found.Weights();
            (rounds, steps) = (rounds + 1, steps + found.Steps);
            if (last)
            {
                labels = options.Rounding == "rows" ? ByRows(z) : SdpKMeans.ByVectors(z.sum([0]), groups, setup.Random("rounding"), cancellation);
                var report = SdpKMeans.Report(found, Hard(a, labels, groups));
                (report["steps"], report["rounds"]) = (steps, rounds);
                report["flat"] = Enumerable.Range(0, groups).Count(g => labels.Count(l => l == g) <= x.shape[1]); // groups that only the ridge gives a volume
                return new(labels, report);
            }
            last = rounds >= options.Rounds - 1 || found.Objective - objective <= Gain * Math.Max(1, Math.Abs(found.Objective));
            objective = found.Objective;
        }
    }

    /// <summary>Σ_k + ridge: float64 [groups, d, d]; of memberships without weight the earlier one.</summary>
    internal static Tensor Covariances(Tensor x, Tensor z, double ridge, Tensor? earlier = null)
    {
        using var scope = NewDisposeScope();
        var h = z.sum(2); // [groups, n]
        var weight = h.sum(1).reshape(-1, 1, 1);
        var sum = (x.t().unsqueeze(0) * h.unsqueeze(1)).matmul(x) - x.t().matmul(z).matmul(x);
        var sigma = sum / weight.clamp_min(1e-6);
        sigma = (sigma + sigma.transpose(1, 2)) / 2 + eye(x.shape[1], dtype: ScalarType.Float64) * ridge;
        return (earlier is null ? sigma : sigma.where(weight > 1e-6, earlier)).MoveToOuterDisposeScope();
    }

    /// <summary>A: float64 [groups, n, n].</summary>
    /// <exception cref="InputException">A covariance without inverse.</exception>
    internal static Tensor Affinities(Tensor x, Tensor sigma)
    {
        using var scope = NewDisposeScope();
        var (factor, info) = linalg.cholesky_ex(sigma);
        if (info.any().item<bool>())
            throw InputException.At("rows", $"a covariance of group {info.nonzero()[0, 0].item<long>()} that has no inverse: its rows are the same, or do not differ in some direction", "groups with extent in every direction", "Take a ridge above 0, fewer groups, or leave constant features out.");
        var white = linalg.solve_triangular(factor, x.t().unsqueeze(0), upper: false); // [groups, d, n]
        var square = white.square().sum(1);
        var apart = (square.unsqueeze(2) + square.unsqueeze(1) - 2 * white.transpose(1, 2).matmul(white)).clamp_min(0);
        var a = -0.5 * apart - 2 * factor.diagonal(0, 1, 2).log().sum(1).reshape(-1, 1, 1);
        return ((a + a.transpose(1, 2)) / 2).MoveToOuterDisposeScope();
    }

    /// <summary>Σ ⟨A_k, Z_k⟩ of a grouping.</summary>
    internal static double Hard(Tensor a, int[] labels, int groups)
    {
        using var scope = NewDisposeScope();
        return (a * SdpKMeans.Indicators(labels, groups)).sum().item<double>();
    }

    /// <summary>The membership in which each row has the largest sum.</summary>
    internal static int[] ByRows(Tensor z)
    {
        using var scope = NewDisposeScope();
        return [.. z.sum(2).argmax(0).data<long>().ToArray().Select(l => (int)l)];
    }

    private int[] First(Tensor x, int groups, CancellationToken cancellation)
    {
        IClusterer start = options.Start switch
        {
            "ward" => new WardClusters(),
            "k-means" => new KMeans(setup, new()),
            "spectral" => new SpectralRows(setup, new()),
            _ => new SdpKMeans(setup, new()),
        };
        return start.Group(x, groups, cancellation).Labels;
    }
}
