using Winnow.Core;
using Winnow.Data;
using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Bench;

/// <summary>
/// How nearly the usual estimators of kernel methods answer what scikit-learn answers, with the same settings on the same rows of four data sets: the largest difference of an answer, by the largest answer; of labels the
/// share that differs. Real data sets are measured where <c>WINNOW_DATA</c> has them.
/// </summary>
internal static class KernelAgreement
{
    private const string Name = "kernels.agreement";

    public static IEnumerable<BenchCase> Cases =>
        from set in (string?[])["iris", "wine", "breast-cancer", null]
        where set is null || DataFolders.FromEnvironment().Data is not null
        from estimator in Estimators
        select new BenchCase(Name, $"{estimator.Title}, {set ?? "digits"}", estimator.Labels ? "share of labels that differ" : "largest difference", Better.Lower, estimator.Target, c => Run(set, estimator, PythonPeer.Candidates, c));

    /// <summary>An estimator of both.</summary>
    /// <param name="Title">What it is called.</param>
    /// <param name="Case">The case of <c>kernels.py</c>.</param>
    /// <param name="Labels">Whether it answers labels.</param>
    /// <param name="Target">Largest difference, by the largest answer; of labels the share.</param>
    /// <param name="Ours">What ours answers.</param>
    /// <param name="Given">The matrices that the peer is given beyond the rows learned from.</param>
    internal sealed record Estimator(string Title, string Case, bool Labels, double Target, Func<Rows, CancellationToken, Tensor> Ours, Func<Rows, IReadOnlyList<(double[], int)>> Given);

    /// <summary>Rows of a data set: 7 in 10 learned from, the others asked for.</summary>
    internal sealed record Rows(TrainingRows Learned, Tensor Asked)
    {
        public int Features => (int)Learned.X.shape[1];

        public (double[], int) Labels => ([.. Learned.Labels.Select(l => (double)l)], 1);

        public (double[], int) Targets => (KernelEstimators.Values(Learned.OneHot().sub_(1.0 / Learned.Classes)), Learned.Classes);

        public (double[], int) Questions => (KernelEstimators.Values(Asked), Features);
    }

    private static readonly KernelSetup Setup = new(purpose => new SeededRandom(1, purpose));

    public static IReadOnlyList<Estimator> Estimators { get; } =
    [
        Ridge("linear ridge", r => new LinearRidge(new() { Ridge = Penalty }), r => new Polynomial(1, 1.0 / r.Features), r => [1.0 / r.Features, 2, 1, 1]),
        Ridge("kernel ridge, rbf", r => new KernelRidge(_ => [new Rbf(Gamma(r))], new() { Ridge = Penalty }), r => new Rbf(Gamma(r)), r => [Gamma(r), 0, 0, 0]),
        Ridge("kernel ridge, Laplacian", r => new KernelRidge(_ => [new Laplacian(Gamma(r))], new() { Ridge = Penalty }), r => new Laplacian(Gamma(r)), r => [Gamma(r), 1, 0, 0]),
        Ridge("kernel ridge, polynomial", r => new KernelRidge(_ => [new Polynomial(3, Gamma(r))], new() { Ridge = Penalty }), r => new Polynomial(3, Gamma(r)), r => [Gamma(r), 2, 3, 1]),
        Ridge("kernel ridge, cosine", r => new KernelRidge(_ => [new Cosine()], new() { Ridge = Penalty }), _ => new Cosine(), _ => [1, 3, 0, 0]),
        new("kernel principal components, 8", "pca", false, 1e-8, (r, c) => Positions(r, c), r => [([Gamma(r), 8], 2)]),
        new("logistic regression", "logistic", false, 1e-6, (r, c) => Scores(new LogisticRegression(new(p => new SeededRandom(1, p)), new() { C = 1 }), r, c).exp(), r => [r.Labels, r.Questions, ([1], 1)]),
        new("support vector machine, rbf", "svc", true, 0.01, (r, c) => Answers(new SupportVectorMachine(_ => [new Rbf(Gamma(r))], [10], new SeededRandom(1, "folds")), r, c), r => [r.Labels, r.Questions, ([Gamma(r), 10], 2)]),
        new("5 nearest neighbours", "nearest", true, 0.01, (r, c) => Answers(new NearestNeighbours(new()), r, c), r => [r.Labels, r.Questions, ([5], 1)]),
        new("Gaussian process, rbf: means and deviations", "gp_given", false, 1e-8, (r, c) => Process(r, c).Answers, r => [Number(r), r.Questions, (Process(r, default).Given, 3)]),
        // its Newton steps end where the evidence grows by less than 1e-10, so that the mode is known to the root of that
        new("Gaussian process classifier: probabilities", "gp_classes", false, 1e-5, (r, c) => Scores(new GaussianProcessClassifier(new() { Gamma = Gamma(r) / Rbf.Median(r.Learned.X), Variance = 10 }), r, c), r => [r.Labels, r.Questions, ([Gamma(r), 10], 2)]),
        new("Gaussian naive Bayes: log likelihoods", "bayes", false, 1e-9, (r, c) => Scores(new NearestMean(new() { Variances = "own", Smoothing = 1e-3 }), r, c), r => [r.Labels, r.Questions, ([1e-3], 1)]),
        new("nearest mean", "centroid", true, 0.01, (r, c) => Answers(new NearestMean(new()), r, c), r => [r.Labels, r.Questions]),
        new("random forest, 300 trees", "forest", true, 0.05, (r, c) => Answers(new RandomForest(Setup, new() { Trees = 300 }), r, c), r => [r.Labels, r.Questions, ([300], 1)]),
        new("random Fourier features", "fourier", false, 1e-10, (r, _) => Fourier(r).Of(r.Asked), Drawn),
        new("Nyström features: their products", "nystrom", false, 1e-5, (r, _) => Landmarks(r), r => [r.Questions, ([Gamma(r), LandmarkRows], 2)]),
        new("k-means: least sum of squares of 20 starts", "means", false, 1e-3, (r, c) => tensor(new[] { new KMeans(Setup, new()).Group(r.Learned.X, r.Learned.Classes, c).Report["sum"] }), r => [([r.Learned.Classes, 20], 2)]),
        new("Ward's rule", "ward", true, 0.01, (r, c) => InOrder(new WardClusters().Group(r.Learned.X, r.Learned.Classes, c)), r => [([r.Learned.Classes], 1)]),
        new("spectral clustering", "spectral", true, 0.02, (r, c) => InOrder(new SpectralRows(Setup, new() { Gamma = Gamma(r) }).Group(r.Learned.X, r.Learned.Classes, c)), r => [([Gamma(r), r.Learned.Classes, 20], 3)]),
        new("Gaussian mixture: log likelihood a row", "gaussians", false, 1e-3, (r, c) => tensor(new[] { Mixture(r, c).Report["log_likelihood"] }), r => [Memberships(r), ([MixtureRidge * r.Learned.X.var(0, unbiased: false).mean().item<double>()], 1)]),
    ];

    private const int Features = 200, LandmarkRows = 50;
    private const double MixtureRidge = 1e-2;

    /// <summary>Numbers to learn: one where the label is the first class, less their mean.</summary>
    private static (double[], int) Number(Rows r)
    {
        double mean = r.Learned.Labels.Average(l => l == 0 ? 1.0 : 0);
        return ([.. r.Learned.Labels.Select(l => (l == 0 ? 1 : 0) - mean)], 1);
    }

    /// <summary>The process with the width of the median distance and noise of a tenth, what it found, and what it answers: the evidence, means and deviations.</summary>
    private static (Tensor Answers, double[] Given) Process(Rows r, CancellationToken cancellation)
    {
        using var fitted = new GaussianProcess(new() { Steps = 0, Noise = 0.1 }).Fit(new(r.Learned.X, tensor(Number(r).Item1)), cancellation);
        var (mean, variance) = fitted.Predict(r.Asked);
        var report = fitted.Report;
        return (cat([tensor(new[] { report["evidence"] }), mean, variance!.sqrt()]), [report["variance"], report["length"], report["noise"]]);
    }

    private static RandomFourier Fourier(Rows r) => new(r.Features, Features, Gamma(r), new(1, "fourier"));

    /// <summary>Rows asked for, and what <see cref="RandomFourier"/> draws from the same seed.</summary>
    private static IReadOnlyList<(double[], int)> Drawn(Rows r)
    {
        var random = new SeededRandom(1, "fourier");
        double[] w = [.. Enumerable.Range(0, Features * r.Features).Select(_ => Math.Sqrt(2 * Gamma(r)) * random.NextNormal())];
        return [r.Questions, (w, r.Features), ([.. Enumerable.Range(0, Features).Select(_ => 2 * Math.PI * random.NextDouble())], 1)];
    }

    private static Tensor Landmarks(Rows r)
    {
        using var map = new Nystrom(new Rbf(Gamma(r)), r.Learned.X.narrow(0, 0, LandmarkRows));
        var z = map.Of(r.Asked);
        return z.mm(z.t());
    }

    private static Clusters Mixture(Rows r, CancellationToken cancellation) => new GaussianMixture(Setup, new() { Ridge = MixtureRidge, Steps = 3000 }).Group(r.Learned.X, r.Learned.Classes, cancellation);

    /// <summary>The groups that ours ends with, from which the peer begins.</summary>
    private static (double[], int) Memberships(Rows r) => ([.. Mixture(r, default).Labels.SelectMany(l => Enumerable.Range(0, r.Learned.Classes).Select(c => c == l ? 1.0 : 0))], r.Learned.Classes);

    /// <summary>Groups numbered as they first occur.</summary>
    private static Tensor InOrder(Clusters found)
    {
        var first = found.Labels.Distinct().ToList();
        return tensor(found.Labels.Select(l => (double)first.IndexOf(l)).ToArray());
    }

    private const double Penalty = 1e-2;

    private static double Gamma(Rows r) => 0.5 / r.Features;

    private static Estimator Ridge(string title, Func<Rows, IClassifier> method, Func<Rows, IKernel> kernel, Func<Rows, double[]> given) => new(title, "krr", false, 1e-9,
        (r, c) => Scores(method(r), r, c),
        r => [r.Targets, r.Questions, ([given(r)[0], Penalty * kernel(r).Diagonal(r.Learned.X).mean().item<double>(), .. given(r)[1..]], 5)]);

    /// <summary>Answers of both.</summary>
    public static BenchMeasurement Run(string? set, Estimator estimator, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var rows = Opened(set, cancellation);
        double[] ours = KernelEstimators.Values(estimator.Ours(rows, cancellation).to(ScalarType.Float64));
        using var given = new PeerMatrices([(KernelEstimators.Values(rows.Learned.X), rows.Features), .. estimator.Given(rows)]);
        using var peer = PythonPeer.Start(pythons, "kernels.py", $"{estimator.Case},1,{given.Prefix}");
        if (peer is null)
            return new(0, "scikit-learn", MissingPeer: KernelEstimators.Missing);
        double[] theirs = given.Answer(peer);
        if (ours.Length != theirs.Length)
            return new(double.PositiveInfinity, peer.Name, 1, false);
        var pairs = ours.Zip(theirs).ToArray();
        return estimator.Labels
            ? new(pairs.Average(p => p.First == p.Second ? 0.0 : 1), peer.Name, 1, true)
            : new(pairs.Max(p => Math.Abs(p.First - p.Second)), peer.Name, theirs.Max(Math.Abs), true);
    }

    private static Tensor Positions(Rows rows, CancellationToken cancellation)
    {
        using var pca = KernelPca.Fit(new Rbf(Gamma(rows)), rows.Learned.X, 8, cancellation: cancellation);
        return pca.Embedding.abs();
    }

    private static Tensor Scores(IClassifier method, Rows rows, CancellationToken cancellation)
    {
        using var fitted = method.Fit(rows.Learned, cancellation);
        return fitted.Scores(rows.Asked);
    }

    private static Tensor Answers(IClassifier method, Rows rows, CancellationToken cancellation) => Scores(method, rows, cancellation).argmax(1);

    private static Rows Opened(string? set, CancellationToken cancellation)
    {
        const int asked = 3, of = 10;
        var data = DataSources.Open(set, new DataReading(), cancellation);
        int[] learned = [.. Enumerable.Range(0, data.Count).Where(i => i % of >= asked)], others = [.. Enumerable.Range(0, data.Count).Where(i => i % of < asked)];
        var scale = Standardiser.Fit(data, learned);
        Tensor Of(int[] rows)
        {
            float[] values = new float[rows.Length * data.Width];
            data.CopyRows(rows, values);
            scale.Apply(values);
            return tensor(Array.ConvertAll(values, v => (double)v), [rows.Length, data.Width]);
        }
        return new(new(Of(learned), [.. learned.Select(i => data.Labels[i])], data.LabelNames.Count), Of(others));
    }
}
