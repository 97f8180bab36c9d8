using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Principal components as parts (Pearson 1901); the density is that of probabilistic principal components (Tipping and Bishop 1999). Cost O(n d² + d³).</summary>
public sealed class PcaDictionary : IDictionaryLearner
{
    /// <inheritdoc/>
    public ILearnedParts Learn(Tensor y, int parts, CancellationToken cancellation = default)
    {
        PartRows.Require(y, parts);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var axes = Axes(y, parts, out _);
        var mean = y.mean([0], keepdim: true);
        return new LinearParts(axes, mean, axes, y, orthogonal: true);
    }

    /// <summary>The first principal axes [d, parts] and their variances.</summary>
    internal static Tensor Axes(Tensor y, int parts, out Tensor variances)
    {
        if (parts > y.shape[1] || y.shape[0] < 2)
            throw InputException.At("parts", $"{parts} of {y.shape[0]} rows", $"at least 2 rows, and at most {y.shape[1]} parts, the features", "Take fewer parts.");
        var axes = PrincipalAxes.Of(y, out var all).narrow(1, 0, parts);
        variances = all.narrow(0, 0, parts);
        return axes;
    }
}

/// <summary>Options of <see cref="IcaDictionary"/>.</summary>
public sealed record IcaDictionaryOptions
{
    /// <summary>Steps.</summary>
    [Range(1, 100_000), Description("most steps")]
    public int Steps { get; init; } = 500;
}

/// <summary>Independent components as parts by the symmetric fixed point with log cosh (Hyvärinen, Fast and robust fixed-point algorithms for independent component analysis, 1999), on as many principal components. Cost O(steps · n · parts²).</summary>
public sealed class IcaDictionary(KernelSetup setup, IcaDictionaryOptions options) : IDictionaryLearner
{
    private const double Still = 1e-8;

    /// <inheritdoc/>
    public ILearnedParts Learn(Tensor y, int parts, CancellationToken cancellation = default)
    {
        PartRows.Require(y, parts);
        using var scope = NewDisposeScope();
        var axes = PcaDictionary.Axes(y, parts, out var variances);
        if (variances[parts - 1].item<double>() is var least && !(least > 1e-12 * variances[0].item<double>()))
            throw InputException.At("rows", $"fewer than {parts} directions in which they differ", $"{parts}, the parts", "Take fewer parts.");
        var random = setup.Random("start");
        var mean = y.mean([0], keepdim: true);
        var white = (y - mean).mm(axes) / variances.sqrt();
        var w = Orthonormal(Aligned.Of([.. Enumerable.Range(0, parts * parts).Select(_ => random.NextNormal())], parts, parts));
        for (int step = 0; step < options.Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var g = white.mm(w.t()).tanh();
            var next = Orthonormal(g.t().mm(white) / y.shape[0] - (1 - g.square()).mean([0]).unsqueeze(1) * w);
            double moved = (1 - (next * w).sum(1).abs()).abs().max().item<double>();
            w.Dispose();
            w = next.MoveToOuterDisposeScope();
            if (moved < Still)
                break;
        }
        var dictionary = (axes * variances.sqrt()).mm(w.t());
        var largest = dictionary.gather(0, dictionary.abs().argmax(0, keepdim: true)).sign(); // the largest entry of each is positive
        return new LinearParts(dictionary * largest, mean, (axes / variances.sqrt()).mm(w.t()) * largest, y, orthogonal: true);
    }

    /// <summary>(W Wᵀ)^-½ W.</summary>
    private static Tensor Orthonormal(Tensor w)
    {
        var (left, _, right) = linalg.svd(w);
        return left.mm(right);
    }
}

/// <summary>Options of <see cref="NmfDictionary"/>.</summary>
public sealed record NmfDictionaryOptions
{
    /// <summary>Steps.</summary>
    [Range(1, 100_000), Description("steps of a start")]
    public int Steps { get; init; } = 500;

    /// <summary>Starts.</summary>
    [Range(1, 1000), Description("starts, of which the one with the least squared error is kept")]
    public int Starts { get; init; } = 5;
}

/// <summary>Parts and codes without negative numbers whose product is near the rows (Lee and Seung, Algorithms for non-negative matrix factorization, NIPS 2000). Negative numbers of rows are taken for 0. Cost O(starts · steps · n · d · parts).</summary>
public sealed class NmfDictionary(KernelSetup setup, NmfDictionaryOptions options) : IDictionaryLearner
{
    private const double Tiny = 1e-12;

    /// <inheritdoc/>
    public ILearnedParts Learn(Tensor y, int parts, CancellationToken cancellation = default)
    {
        PartRows.Require(y, parts);
        using var scope = NewDisposeScope();
        var random = setup.Random("start");
        var x = y.clamp_min(0);
        double size = Math.Sqrt(Math.Max(Tiny, x.mean().item<double>()) / parts), least = double.PositiveInfinity;
        Tensor best = zeros(y.shape[1], parts, dtype: ScalarType.Float64);
        for (int start = 0; start < options.Starts; start++)
        {
            using var inner = NewDisposeScope();
            Tensor Drawn(long rows) => Aligned.Of([.. Enumerable.Range(0, (int)rows * parts).Select(_ => size * (0.1 + random.NextDouble()))], rows, parts);
            Tensor codes = Drawn(y.shape[0]), w = Drawn(y.shape[1]);
            for (int step = 0; step < options.Steps; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var once = NewDisposeScope();
                codes.mul_(x.mm(w) / (codes.mm(w.t().mm(w)) + Tiny));
                w.mul_(x.t().mm(codes) / (w.mm(codes.t().mm(codes)) + Tiny));
            }
            double error = (x - codes.mm(w.t())).square().sum().item<double>();
            if (error < least)
                (least, best) = (error, w.MoveToOuterDisposeScope());
        }
        return new LinearParts(best, zeros(1, y.shape[1], dtype: ScalarType.Float64), null, y, orthogonal: false);
    }

    /// <summary>Codes of rows for fixed parts.</summary>
    internal static Tensor Codes(Tensor y, Tensor w)
    {
        const int steps = 300;
        using var scope = NewDisposeScope();
        var to = y.clamp_min(0).mm(w);
        var gram = w.t().mm(w);
        var codes = ones_like(to) * (to.mean() / (gram.mean() * w.shape[1] + Tiny));
        for (int step = 0; step < steps; step++)
        {
            using var once = NewDisposeScope();
            codes.mul_(to / (codes.mm(gram) + Tiny));
        }
        return codes.MoveToOuterDisposeScope();
    }
}

/// <summary>Parts of which rows are sums; the density is Gaussian, with the covariance of the codes along the parts and noise of one size beside.</summary>
internal sealed class LinearParts : ILearnedParts
{
    private readonly Tensor _mean, _centre, _factor;
    private readonly Tensor? _codes;

    /// <summary>What was learned.</summary>
    /// <param name="dictionary">[d, parts].</param>
    /// <param name="mean">Taken from rows first, [1, d].</param>
    /// <param name="codes">Codes are rows times this, [d, parts]; null for codes without negative numbers.</param>
    /// <param name="y">The rows learned from.</param>
    /// <param name="orthogonal">Whether what is left of rows is orthogonal to all parts, so that noise is only beside them.</param>
    public LinearParts(Tensor dictionary, Tensor mean, Tensor? codes, Tensor y, bool orthogonal)
    {
        using var scope = NewDisposeScope();
        (Dictionary, _mean, _codes) = (Kept(dictionary), Kept(mean), codes is null ? null : Kept(codes));
        long n = y.shape[0], d = y.shape[1];
        var found = Codes(y);
        var made = found.mm(Dictionary.t()) + _mean;
        double error = (y - made).square().sum().item<double>(), floor = 1e-9 * (y - y.mean([0], keepdim: true)).square().mean().item<double>() + double.Epsilon;
        double noise = Math.Max(floor, error / (n * (orthogonal ? Math.Max(1, d - Dictionary.shape[1]) : d)));
        var apart = made - made.mean([0], keepdim: true);
        var identity = eye(d, dtype: ScalarType.Float64);
        var beside = identity;
        if (orthogonal)
        {
            var (q, _) = linalg.qr(Dictionary);
            beside = identity - q.mm(q.t());
        }
        _centre = Kept(made.mean([0], keepdim: true));
        _factor = Kept(PositiveSolve.Factor(Products.Symmetric(apart.t().mm(apart) / n + beside * noise + identity * floor), out _));
        Report = new Dictionary<string, double> { ["sigma"] = Math.Sqrt(noise) };
    }

    public Tensor Dictionary { get; }

    public IReadOnlyDictionary<string, double> Report { get; }

    public Tensor Codes(Tensor y)
    {
        PartRows.Width(y, Dictionary.shape[0]);
        using var scope = NewDisposeScope();
        return (_codes is null ? NmfDictionary.Codes(y, Dictionary) : (y - _mean).mm(_codes)).MoveToOuterDisposeScope();
    }

    public Tensor Reconstruct(Tensor y)
    {
        using var scope = NewDisposeScope();
        return (Codes(y).mm(Dictionary.t()) + _mean).MoveToOuterDisposeScope();
    }

    public Tensor LogLikelihood(Tensor y)
    {
        PartRows.Width(y, Dictionary.shape[0]);
        using var scope = NewDisposeScope();
        var white = linalg.solve_triangular(_factor, (y - _centre).t(), upper: false);
        return (-0.5 * white.square().sum([0]) - _factor.diagonal().log().sum() - 0.5 * y.shape[1] * Math.Log(2 * Math.PI)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var kept in new[] { Dictionary, _mean, _centre, _factor, _codes })
            kept?.Dispose();
    }

    private static Tensor Kept(Tensor x) => x.clone().DetachFromDisposeScope();
}

/// <summary>Means of k-means as parts, of which each row has one; the density is a mixture of round Gaussians (MacQueen 1967). Cost O(starts · turns · n · parts · d).</summary>
public sealed class KMeansDictionary(KernelSetup setup, KMeansOptions options) : IDictionaryLearner
{
    /// <inheritdoc/>
    public ILearnedParts Learn(Tensor y, int parts, CancellationToken cancellation = default)
    {
        PartRows.Require(y, parts);
        using var scope = NewDisposeScope();
        var found = RowMeans.Of(y.contiguous().data<double>().ToArray(), (int)y.shape[1], parts, options.Starts, setup.Random("starts"), cancellation);
        return new Means(found, parts, (int)y.shape[1]);
    }

    private sealed class Means : ILearnedParts
    {
        private readonly Tensor _logShares;

        public Means(RowMeans found, int parts, int d)
        {
            using var scope = NewDisposeScope();
            Dictionary = Aligned.Of(found.Means, parts, d).t().contiguous().DetachFromDisposeScope();
            double[] shares = [.. Enumerable.Range(0, parts).Select(k => Math.Max(1e-9, found.Labels.Count(l => l == k) / (double)found.Labels.Length))];
            _logShares = Aligned.Of(shares, parts).log().DetachFromDisposeScope();
            Report = new Dictionary<string, double> { ["sigma"] = Math.Sqrt(Math.Max(1e-300, found.Sum / (found.Labels.Length * (double)d))), ["pi"] = 1.0 / parts };
        }

        public Tensor Dictionary { get; }

        public IReadOnlyDictionary<string, double> Report { get; }

        public Tensor Codes(Tensor y)
        {
            using var scope = NewDisposeScope();
            var near = Apart(y).argmin(1);
            return nn.functional.one_hot(near, Dictionary.shape[1]).to(ScalarType.Float64).MoveToOuterDisposeScope();
        }

        public Tensor Reconstruct(Tensor y)
        {
            using var scope = NewDisposeScope();
            return Codes(y).mm(Dictionary.t()).MoveToOuterDisposeScope();
        }

        public Tensor LogLikelihood(Tensor y)
        {
            using var scope = NewDisposeScope();
            double variance = Math.Pow(Report["sigma"], 2);
            return ((_logShares - Apart(y) / (2 * variance)).logsumexp(1) - 0.5 * y.shape[1] * Math.Log(2 * Math.PI * variance)).MoveToOuterDisposeScope();
        }

        private Tensor Apart(Tensor y)
        {
            PartRows.Width(y, Dictionary.shape[0]);
            return Products.SquaredDistances(y, Dictionary.t());
        }

        public void Dispose()
        {
            Dictionary.Dispose();
            _logShares.Dispose();
        }
    }
}
