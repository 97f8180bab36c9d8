using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="SdpKMeans"/>.</summary>
public sealed record SdpKMeansOptions
{
    /// <summary>Which similarity.</summary>
    [AllowedValues("linear", "rbf"), Description("similarity of rows: linear: their product, which is k-means; rbf: exp(−γ ‖x − y‖²) with γ = 1 / the median of squared distances")]
    public string Kernel { get; init; } = "linear";

    /// <summary>When it ends.</summary>
    [Range(1e-12, 0.1), Description("residual at which the solver ends")]
    public double Tolerance { get; init; } = 1e-5;

    /// <summary>Steps.</summary>
    [Range(1, 1_000_000), Description("most steps of the solver")]
    public int Steps { get; init; } = 3000;
}

/// <summary>
/// k-means as a semidefinite program: of all matrices that a grouping's would be one of, the best is found, without starts (Peng and Wei, Approximating k-means-type clustering via semidefinite programming, SIAM
/// Journal on Optimization 18, 2007); groups are k-means on the rows of its first eigenvectors. How solved and bounded: <see cref="MembershipSdp"/>. Cost O(steps · n³).
/// </summary>
public sealed class SdpKMeans(KernelSetup setup, SdpKMeansOptions options) : IClusterer
{
    private const int MostRows = 1000;
    private const long MostBytes = 1L << 30;

    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        Require(x, groups, 1);
        if (groups == 1)
            return new(new int[x.shape[0]], new Dictionary<string, double>());
        using var scope = NewDisposeScope();
        var gram = (options.Kernel == "linear" ? RowGram.Centred(x) : RowGram.Rbf(x, 0, out _)).unsqueeze(0);
        var found = MembershipSdp.Solve(gram, groups, options.Tolerance, options.Steps, null, cancellation);
        int[] labels = ByVectors(found.Z()[0], groups, setup.Random("rounding"), cancellation);
        return new(labels, Report(found, Indicators(labels, groups).sum([0], keepdim: true).mul(gram).sum().item<double>()));
    }

    /// <summary>Refuses what cannot be grouped by memberships [m, n, n].</summary>
    internal static void Require(Tensor x, int groups, int m)
    {
        Clusters.Require(x, groups);
        long n = x.shape[0];
        if (groups > 1 && groups > n / 2)
            throw InputException.At("groups", $"{groups} of {n} rows", $"at most {n / 2}, two rows a group", "Take fewer groups, or give more rows.");
        if (n > MostRows || n * n * m * 5 * sizeof(double) is var bytes && bytes > MostBytes)
            throw InputException.At("rows", FormattableString.Invariant($"{n:N0} rows and {groups} groups, {n * n * m * 5 * sizeof(double) / 1e9:F2} GB of memberships"), FormattableString.Invariant($"at most {MostRows:N0} rows and {MostBytes / 1e9:F2} GB"), "Group some of the rows (task.rows), or take k-means or gaussian-mixture.");
    }

    /// <summary>The matrices a grouping stands for, 11ᵀ / n_k on the rows of group k: float64 [groups, n, n].</summary>
    internal static Tensor Indicators(int[] labels, int groups)
    {
        using var scope = NewDisposeScope();
        var member = Aligned.Of([.. Enumerable.Range(0, groups).SelectMany(g => labels.Select(l => l == g ? 1.0 : 0))], groups, labels.Length);
        return (member.unsqueeze(2) * member.unsqueeze(1) / member.sum(1).clamp_min(1).reshape(groups, 1, 1)).MoveToOuterDisposeScope();
    }

    /// <summary>k-means on the rows of the first eigenvectors.</summary>
    internal static int[] ByVectors(Tensor z, int groups, SeededRandom random, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var (_, vectors) = linalg.eigh((z + z.t()) / 2);
        return RowMeans.Of(vectors.narrow(1, z.shape[0] - groups, groups).contiguous().data<double>().ToArray(), groups, groups, 20, random, cancellation).Labels;
    }

    /// <summary>What was reached, what nothing exceeds, how far apart they are, and how far the groups are from it: 0 proves that no grouping is better.</summary>
    internal static Dictionary<string, double> Report(Memberships found, double hard)
    {
        double size = Math.Max(1, Math.Abs(found.Objective));
        return new()
        {
            ["objective"] = found.Objective,
            ["bound"] = found.Bound,
            ["gap"] = (found.Bound - found.Objective) / size,
            ["rounding_gap"] = (found.Bound - hard) / size,
            ["residual"] = found.Residual,
            ["steps"] = found.Steps,
        };
    }
}
