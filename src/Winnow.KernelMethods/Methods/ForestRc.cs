using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="ForestRc"/>.</summary>
public sealed record ForestRcOptions
{
    /// <summary>Which rotations.</summary>
    [AllowedValues("complete", "sparse", "pca", "none"), Description("complete: uniform rotations of all features; sparse: random sums and differences of a few; pca: principal components of three quarters of the rows; none: a plain forest")]
    public string Rotation { get; init; } = "complete";

    /// <summary>Forests.</summary>
    [Range(1, 10_000), Description("M: forests, each in features turned its own way")]
    public int Forests { get; init; } = 5;

    /// <summary>Trees.</summary>
    [Range(1, 10_000), Description("T: trees of a forest")]
    public int Trees { get; init; } = 20;

    /// <summary>Whether the features as they are stay beside.</summary>
    [Description("a forest has the turned features and the features as they are")]
    public bool Augment { get; init; }

    /// <summary>How forests agree.</summary>
    [AllowedValues("mean", "majority"), Description("mean of all trees' shares, or the vote of forests, of as many the lowest class")]
    public string Vote { get; init; } = "mean";
}

/// <summary>
/// An ensemble of random forests, each grown in features rotated another way, so that trees which cut along axes cut obliquely; and the fusion of radar and optical bands that goes with it.
/// <para>Paper: Pande, Land use/land cover classification of fused Sentinel-1 and Sentinel-2 imageries using ensembles of random forests, arXiv 2312.10798 (2023); no code was released. Rotations as in Breiman's Forest-RC (2001), rotation forests and
/// random rotation ensembles (Blaser and Fryzlewicz, JMLR 2016); <see cref="Fuse"/> after Fasbender, Radoux and Bogaert (IEEE TGRS 2008). Textures of rasters are the task's (<see cref="Texture"/>).</para>
/// <para>Features are standardised by the rows learned from, since rotations mix units; then X R_m, R_m uniform on the orthogonal matrices (QR of normal numbers, signs mended), or entries √(3/d)·{1, 0, −1} with
/// probabilities 1/6, 2/3, 1/6, or loadings. Cost: M forests of T trees, O(n d²) a rotation; memory n·d floats at a time.</para>
/// </summary>
/// <param name="setup">Draws rotations, rows and features.</param>
/// <param name="options">How.</param>
public sealed class ForestRc(KernelSetup setup, ForestRcOptions options) : IClassifier
{
    private const double Sparse = 3, Subsample = 0.75;

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Kappa("Breast cancer: complete rotations are at least 1.5 points of kappa above a forest of as many trees.", "breast-cancer", 0.015, "complete"),
        Kappa("Breast cancer: so are sparse ones.", "breast-cancer", 0.015, "sparse"),
        Kappa("Wine: complete rotations are no worse than a forest.", "wine", 0, "complete"),
        Kappa("Digits, whose features are pixels: complete rotations are no worse than a forest.", null, 0, "complete"),
        OfScene("A made scene, optical bands: complete rotations are at least 3 points of kappa above a forest of as many trees.", "complete", 0.03, "optical", false),
        OfScene("Optical bands and their texture: complete rotations are above a forest.", "complete", 0, "optical", true),
        OfScene("Radar bands and their texture: sparse rotations are above a forest.", "sparse", 0, "radar", true),
    ];

    private static Claim OfScene(string text, string rotation, double margin, string sensors, bool texture) =>
        new() { Text = text, Task = "raster", Metric = "kappa", Baseline = "random-forest", Margin = margin, MethodOptions = new() { ["rotation"] = rotation }, TaskOptions = new() { ["sensors"] = sensors, ["texture"] = texture } };

    private static Claim Kappa(string text, string? data, double margin, string rotation) =>
        new() { Text = text, Task = "classify", Data = data, Metric = "kappa", Baseline = "random-forest", Margin = margin, MethodOptions = new() { ["rotation"] = rotation } };

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var random = setup.Random("forests");
        int n = rows.Labels.Count, d = (int)rows.X.shape[1];
        var mean = rows.X.mean([0], keepdim: true);
        var deviation = (rows.X - mean).square().mean([0], keepdim: true).sqrt();
        deviation = where(deviation > 0, deviation, ones_like(deviation)); // a constant feature stays as it is
        var x = (rows.X - mean) / deviation;
        int[] labels = [.. rows.Labels];
        var forests = new List<Forest>();
        for (int m = 0; m < options.Forests; m++)
        {
            double[]? rotation = options.Rotation == "none" ? null : Rotation(options.Rotation, x, random).contiguous().data<double>().ToArray();
            FeatureColumn[] columns = Columns(rotation is null ? x : Turned(x, Aligned.Of(rotation, d, d), options.Augment));
            int tried = Math.Max(1, (int)Math.Sqrt(columns.Length));
            var trees = new ClassificationTree[options.Trees];
            ulong[] seeds = [.. trees.Select(_ => (ulong)random.NextInt64())]; // a tree is the same on any number of threads
            Parallel.For(0, trees.Length, new() { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = cancellation }, t =>
            {
                var own = new SeededRandom(seeds[t], "tree");
                trees[t] = new(columns, labels, rows.Classes, [.. Enumerable.Range(0, n).Select(_ => own.Next(n))], own, tried);
            });
            forests.Add(new(rotation, trees));
        }
        return new Fitted(mean.data<double>().ToArray(), deviation.data<double>().ToArray(), forests, rows.Classes, options);
    }

    private static Tensor Turned(Tensor x, Tensor rotation, bool augment) => augment ? cat([x.mm(rotation), x], 1) : x.mm(rotation);

    private static FeatureColumn[] Columns(Tensor x)
    {
        float[] all = x.t().contiguous().to(ScalarType.Float32).data<float>().ToArray();
        return [.. all.Chunk((int)x.shape[0]).Select(c => new FeatureColumn(c))];
    }

    /// <summary>A rotation [d, d] of standardised rows.</summary>
    /// <param name="kind"><c>complete</c>, <c>sparse</c> or <c>pca</c>.</param>
    /// <param name="x">Rows [n, d], of which pca is made.</param>
    /// <param name="random">The draw.</param>
    public static Tensor Rotation(string kind, Tensor x, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(random);
        using var scope = NewDisposeScope();
        int n = (int)x.shape[0], d = (int)x.shape[1];
        switch (kind)
        {
            case "complete":
                var (q, r) = linalg.qr(Aligned.Of([.. Enumerable.Range(0, d * d).Select(_ => random.NextNormal())], d, d));
                return (q * r.diagonal().sign()).MoveToOuterDisposeScope();
            case "sparse":
                double[] entries = new double[d * d];
                do
                {
                    for (int i = 0; i < entries.Length; i++)
                        entries[i] = random.NextDouble() * 2 * Sparse is var u && u < 2 ? (u < 1 ? 1 : -1) * Math.Sqrt(Sparse / d) : 0;
                }
                while (Enumerable.Range(0, d).Any(j => Enumerable.Range(0, d).All(i => entries[i * d + j] == 0))); // a feature of nothing
                return Aligned.Of(entries, d, d).MoveToOuterDisposeScope();
            case "pca":
                long[] order = [.. Enumerable.Range(0, n).Select(i => (long)i)];
                random.Shuffle(order);
                return PrincipalAxes.Of(x.index_select(0, tensor(order[..Math.Max(2, (int)(Subsample * n))])), out _).MoveToOuterDisposeScope();
            default:
                throw new ArgumentException($"'{kind}'; expected complete, sparse or pca", nameof(kind));
        }
    }

    /// <summary>Each row's most frequent vote, of as many the lowest class.</summary>
    /// <param name="votes">Votes of each voter for a row.</param>
    /// <param name="classes">Classes.</param>
    public static int Majority(IReadOnlyList<int> votes, int classes)
    {
        ArgumentNullException.ThrowIfNull(votes);
        int[] counts = new int[classes];
        foreach (int vote in votes)
            counts[vote]++;
        return Array.IndexOf(counts, counts.Max());
    }

    /// <summary>
    /// Bayesian fusion of optical bands with another sensor's: per pixel <c>[2λ ββᵀ/s + 2(1−λ) C⁻¹]⁻¹ [2(1−λ) C⁻¹ z + 2λ β (p − α)/s]</c>, with p ≈ α + βᵀz by least squares over pixels of the optical
    /// resolution, s its residual variance and C the covariance of the optical bands at the other's. λ = 0 gives the optical bands back. Cost O(pixels · d²).
    /// </summary>
    /// <param name="optical">Pixels [N, d] at the optical resolution.</param>
    /// <param name="sharp">The other band there [N].</param>
    /// <param name="resampled">Optical pixels [P, d] at the other's resolution.</param>
    /// <param name="band">The other band there [P].</param>
    /// <param name="weight">λ from 0 to 1, how much the other band counts.</param>
    /// <returns>Fused pixels [P, d], and the fit.</returns>
    /// <exception cref="InputException">Too few pixels, a covariance without an inverse, or a fit without residuals.</exception>
    public static (Tensor Fused, FusionFit Fit) Fuse(Tensor optical, Tensor sharp, Tensor resampled, Tensor band, double weight)
    {
        ArgumentNullException.ThrowIfNull(optical);
        ArgumentNullException.ThrowIfNull(sharp);
        ArgumentNullException.ThrowIfNull(resampled);
        ArgumentNullException.ThrowIfNull(band);
        if (!(weight >= 0 && weight <= 1))
            throw new ArgumentOutOfRangeException(nameof(weight), weight, "expected 0 to 1");
        using var scope = NewDisposeScope();
        const double jitter = 1e-12;
        var (n, d) = (optical.shape[0], optical.shape[1]);
        if (n <= d + 1)
            throw InputException.At("pixels", $"{n} of {d} bands", $"more than {d + 1}", "Give more pixels.");
        var design = cat([ones(n, 1, dtype: ScalarType.Float64), optical], 1);
        var solution = PositiveSolve.Solve(design.t().mm(design), design.t().mv(sharp).unsqueeze(1), out _).squeeze(1);
        var (alpha, beta) = (solution[0].item<double>(), solution.narrow(0, 1, d));
        double s = (sharp - design.mv(solution)).square().sum().item<double>() / (n - d - 1);
        if (!(s > 0))
            throw InputException.At("bands", "one that the others give exactly", "residuals", "Leave the band out: it says nothing new.");
        var centred = resampled - resampled.mean([0], keepdim: true);
        var covariance = centred.t().mm(centred) / (resampled.shape[0] - 1);
        var inverse = PositiveSolve.Solve(covariance, eye(d, dtype: ScalarType.Float64), out _);
        var precision = beta.outer(beta) * (2 * weight / s) + inverse * (2 * (1 - weight)) + eye(d, dtype: ScalarType.Float64) * jitter;
        var target = resampled.mm(inverse) * (2 * (1 - weight)) + (band - alpha).outer(beta) * (2 * weight / s);
        return (PositiveSolve.Solve(precision, target.t(), out _).t().contiguous().MoveToOuterDisposeScope(), new(alpha, beta.clone().MoveToOuterDisposeScope(), s, covariance.MoveToOuterDisposeScope()));
    }

    private sealed record Forest(double[]? Rotation, ClassificationTree[] Trees);

    private sealed class Fitted(double[] mean, double[] deviation, IReadOnlyList<Forest> forests, int classes, ForestRcOptions options) : IFitted, IOnTree
    {
        public LearnedTree Tree(int depth)
        {
            int turned = forests[0].Rotation is null ? 0 : mean.Length;
            return new([.. forests[0].Trees[0].Nodes(depth).Select(n => n.Feature < turned ? n : n with { Threshold = n.Threshold * deviation[n.Feature - turned] + mean[n.Feature - turned] })], turned);
        }

        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double> { ["splits"] = forests.Average(f => f.Trees.Average(t => t.Splits)) };

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, mean.Length);
            int d = mean.Length, n = (int)x.shape[0];
            var standard = (x - Aligned.Of(mean, 1, d)) / Aligned.Of(deviation, 1, d);
            double[] scores = new double[(long)n * classes], own = new double[classes];
            foreach (var forest in forests)
            {
                var turned = forest.Rotation is null ? standard : Turned(standard, Aligned.Of(forest.Rotation, d, d), options.Augment);
                float[] rows = turned.contiguous().to(ScalarType.Float32).data<float>().ToArray();
                int width = rows.Length / n;
                for (int i = 0; i < n; i++)
                {
                    own.AsSpan().Clear();
                    foreach (var tree in forest.Trees)
                        tree.AddTo(rows.AsSpan(i * width, width), own);
                    if (options.Vote == "majority")
                        scores[i * classes + Array.IndexOf(own, own.Max())] += 1.0 / forests.Count;
                    else
                        for (int c = 0; c < classes; c++)
                            scores[i * classes + c] += own[c] / forest.Trees.Length / forests.Count;
                }
            }
            return Aligned.Of(scores, n, classes).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>How one band follows from others.</summary>
/// <param name="Alpha">The constant.</param>
/// <param name="Beta">A number a band [d].</param>
/// <param name="Residual">Variance of what is left, over N − d − 1.</param>
/// <param name="Covariance">Of the resampled bands [d, d].</param>
public sealed record FusionFit(double Alpha, Tensor Beta, double Residual, Tensor Covariance);
