using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="KMeans"/>.</summary>
public sealed record KMeansOptions
{
    /// <summary>Starts.</summary>
    [Range(1, 10_000), Description("starts, of which the one with the least sum of squared distances is kept")]
    public int Starts { get; init; } = 20;
}

/// <summary>k-means: each row to the nearest mean, means of their rows, in turn (Lloyd 1982), from spread-out starts (Arthur and Vassilvitskii 2007). Cost O(starts · turns · n · groups · d).</summary>
public sealed class KMeans(KernelSetup setup, KMeansOptions options) : IClusterer
{
    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        Clusters.Require(x, groups);
        using var scope = NewDisposeScope();
        var found = RowMeans.Of(x.contiguous().data<double>().ToArray(), (int)x.shape[1], groups, options.Starts, setup.Random("starts"), cancellation);
        return new(found.Labels, new Dictionary<string, double> { ["sum"] = found.Sum });
    }
}

/// <summary>Ward's rule on rows: those two groups are united whose union adds least to the squared distances from the means (Ward 1963). Cost O(n² (n + d)).</summary>
public sealed class WardClusters : IClusterer
{
    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        Clusters.Require(x, groups);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        int[] labels = KernelClusters.Ward(RowGram.Centred(x).data<double>().ToArray(), (int)x.shape[0], groups, out var unions);
        return new(labels, new Dictionary<string, double>()) { Unions = unions };
    }
}

/// <summary>Options of what groups rows by <c>exp(−γ ‖x − y‖²)</c>.</summary>
public sealed record RbfClustersOptions
{
    /// <summary>γ.</summary>
    [Range(0.0, 1e12), Description("γ of exp(−γ ‖x − y‖²); 0: 1 / the median of squared distances")]
    public double Gamma { get; init; }

    /// <summary>Starts.</summary>
    [Range(1, 10_000), Description("starts of k-means, of which the best is kept")]
    public int Starts { get; init; } = 20;
}

/// <summary>k-means in the space of the kernel <c>exp(−γ ‖x − y‖²)</c> (Dhillon, Guan and Kulis, Kernel k-means, spectral clustering and normalized cuts, 2004). Cost O(starts · turns · n²).</summary>
/// <param name="kernel">A kernel in its place; null for it.</param>
/// <param name="setup">Chance.</param>
/// <param name="options">Starts, and the width of the usual kernel.</param>
public sealed class KernelKMeans(KernelSetup setup, RbfClustersOptions options, IKernel? kernel = null) : IClusterer
{
    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        Clusters.Require(x, groups);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        double gamma = 0;
        var gram = kernel?.Gram(x, x) ?? RowGram.Rbf(x, options.Gamma, out gamma);
        return new(KernelClusters.Means(gram.data<double>().ToArray(), (int)x.shape[0], groups, setup.Random("starts"), options.Starts), new Dictionary<string, double> { ["gamma"] = gamma });
    }
}

/// <summary>Spectral clustering of rows: k-means on the first eigenvectors of the graph whose weights are <c>exp(−γ ‖x − y‖²)</c> (Ng, Jordan and Weiss, NIPS 2001). Cost O(n³).</summary>
/// <param name="kernel">A kernel in its place, whose numbers are not below 0; null for it.</param>
/// <param name="setup">Chance.</param>
/// <param name="options">Starts, and the width of the usual kernel.</param>
public sealed class SpectralRows(KernelSetup setup, RbfClustersOptions options, IKernel? kernel = null) : IClusterer
{
    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        Clusters.Require(x, groups);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        double gamma = 0;
        var weights = kernel?.Gram(x, x) ?? RowGram.Rbf(x, options.Gamma, out gamma);
        if (weights.min().item<double>() < 0)
            throw InputException.At("kernel", "numbers below 0", "weights of a graph, not below 0", "Use kernel k-means, which takes any kernel.");
        weights.diagonal().zero_();
        return new(SpectralClustering.Labels(weights, groups, setup.Random("starts"), options.Starts), new Dictionary<string, double> { ["gamma"] = gamma });
    }
}

/// <summary>Gram matrices of rows that are to be grouped.</summary>
internal static class RowGram
{
    /// <summary>Products of rows less their mean.</summary>
    public static Tensor Centred(Tensor x)
    {
        var centred = x - x.mean([0], keepdim: true);
        return new Linear().Gram(centred, centred);
    }

    /// <summary><c>exp(−γ ‖x − y‖²)</c>.</summary>
    /// <param name="x">Rows.</param>
    /// <param name="given">γ; 0: 1 / the median of squared distances.</param>
    /// <param name="gamma">The one taken.</param>
    public static Tensor Rbf(Tensor x, double given, out double gamma)
    {
        gamma = given > 0 ? given : KernelMethods.Rbf.Median(x);
        return new Rbf(gamma).Gram(x, x);
    }
}
