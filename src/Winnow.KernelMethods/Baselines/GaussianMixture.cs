using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="GaussianMixture"/>.</summary>
public sealed record GaussianMixtureOptions
{
    /// <summary>Where it begins.</summary>
    [AllowedValues("k-means", "random"), Description("first groups: k-means, or each row drawn to one of them")]
    public string Start { get; init; } = "k-means";

    /// <summary>Starts.</summary>
    [Range(1, 1000), Description("starts, of which the likeliest end is kept")]
    public int Starts { get; init; } = 10;

    /// <summary>The ridge.</summary>
    [Range(0.0, 1.0), Description("added to each covariance, as a share of the mean variance of a feature")]
    public double Ridge { get; init; } = 1e-3;

    /// <summary>Steps.</summary>
    [Range(1, 100_000), Description("most steps of a start")]
    public int Steps { get; init; } = 300;
}

/// <summary>
/// A mixture of Gaussian groups with full covariances by expectation and maximisation (Dempster, Laird and Rubin, Maximum likelihood from incomplete data via the EM algorithm, 1977); each row goes to its
/// likeliest group. Stops where a step gains less than 1e-6 of log-likelihood a row. Cost O(starts · steps · groups · n · d²).
/// </summary>
public sealed class GaussianMixture(KernelSetup setup, GaussianMixtureOptions options) : IClusterer
{
    private const double Gain = 1e-6;

    /// <inheritdoc/>
    public Clusters Group(Tensor x, int groups, CancellationToken cancellation = default)
    {
        Clusters.Require(x, groups);
        using var scope = NewDisposeScope();
        var random = setup.Random("starts");
        double[] values = x.contiguous().data<double>().ToArray();
        double variance = (x - x.mean([0], keepdim: true)).square().mean().item<double>();
        var (best, most, steps) = (Array.Empty<int>(), double.NegativeInfinity, 0);
        for (int start = 0; start < options.Starts; start++)
        {
            int[] first = options.Start == "k-means" ? RowMeans.Of(values, (int)x.shape[1], groups, 1, random, cancellation).Labels : [.. Enumerable.Range(0, (int)x.shape[0]).Select(_ => random.Next(groups))];
            var (labels, likelihood, took) = From(x, first, groups, options.Ridge * variance, cancellation);
            if (likelihood > most || best.Length == 0)
                (best, most, steps) = (labels, likelihood, took);
        }
        return new(best, new Dictionary<string, double> { ["log_likelihood"] = most, ["steps"] = steps });
    }

    private (int[] Labels, double LogLikelihood, int Steps) From(Tensor x, int[] first, int groups, double ridge, CancellationToken cancellation)
    {
        long n = x.shape[0], d = x.shape[1];
        var weight = nn.functional.one_hot(tensor(first.Select(l => (long)l).ToArray()), groups).to(ScalarType.Float64); // [n, k]
        double before = double.NegativeInfinity, now = before;
        int step = 0;
        for (; step < options.Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var size = weight.sum([0]).clamp_min(1e-10);
            var means = weight.t().mm(x) / size.unsqueeze(1);
            var apart = x.unsqueeze(0) - means.unsqueeze(1); // [k, n, d]
            var covariance = (apart * weight.t().unsqueeze(2)).transpose(1, 2).matmul(apart) / size.reshape(groups, 1, 1) + eye(d, dtype: ScalarType.Float64) * ridge;
            var (factor, info) = linalg.cholesky_ex(covariance);
            if (info.any().item<bool>())
                throw InputException.At("rows", $"a group of {n} rows without extent in some direction", "a covariance that can be inverted", "Take a larger ridge, fewer groups, or leave constant features out.");
            var white = linalg.solve_triangular(factor, apart.transpose(1, 2), upper: false); // [k, d, n]
            var joint = (size / n).log().unsqueeze(0) - 0.5 * white.square().sum(1).t() - factor.diagonal(0, 1, 2).log().sum(1) - 0.5 * d * Math.Log(2 * Math.PI);
            var each = joint.logsumexp(1, keepdim: true);
            var next = (joint - each).exp();
            now = each.mean().item<double>();
            weight.Dispose();
            weight = next.MoveToOuterDisposeScope();
            if (now - before < Gain)
                break;
            before = now;
        }
        return ([.. weight.argmax(1).data<long>().ToArray().Select(l => (int)l)], now, step);
    }
}
