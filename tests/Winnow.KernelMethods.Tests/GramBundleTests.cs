using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class GramBundleTests
{
    private static readonly KernelSetup Setup = new(purpose => new SeededRandom(5, purpose));
    private static readonly Rbf Kernel = new(0.15);

    public static TheoryData<string> Solvers => ["ridge", "svm", "gp", "neighbours", "components"];

    private static IClassifier Of(string solver, IKernel kernel) => solver switch
    {
        "ridge" => new KernelRidge(_ => [kernel], new()),
        "svm" => new SupportVectorMachine(_ => [kernel], [1, 10], Setup.Random("folds")),
        "gp" => new GaussianProcessClassifier(_ => [kernel], new()),
        "neighbours" => new NearestNeighbours(kernel, new()),
        _ => OnFeatures.KernelPcaRidge(_ => kernel, new() { Components = 5 }),
    };

    [Theory, MemberData(nameof(Solvers))]
    public void Every_solver_answers_from_a_matrix_what_it_answers_from_the_rows(string solver)
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Rows.Clusters(40, 4, 3, spread: 1.5), Rows.Normal(12, 4, 7));
        using var bundle = GramBundle.Of(Kernel, rows.X, asked, "rbf");
        using var ofRows = Of(solver, Kernel).Fit(rows, TestContext.Current.CancellationToken);
        using var ofMatrix = Of(solver, bundle).Fit(new(bundle.Rows, rows.Labels, 3), TestContext.Current.CancellationToken);
        Rows.Close(ofRows.Scores(asked), ofMatrix.Scores(bundle.Others), 1e-9);
        Rows.Close(ofRows.Scores(rows.X), ofMatrix.Scores(bundle.Rows), 1e-9);
    }

    [Fact]
    public void A_Gaussian_process_on_a_matrix_is_that_on_the_rows_and_its_noise_is_the_likeliest()
    {
        using var scope = NewDisposeScope();
        var (x, asked) = (Rows.Normal(40, 3), Rows.Normal(9, 3, 4));
        var y = x.select(1, 0).sin() * 2 + Rows.Normal(40, 1, 8).squeeze(1) * 0.3;
        using var bundle = GramBundle.Of(Kernel, x, asked, "rbf");
        double width = 1 / Math.Sqrt(2 * 0.15);
        using var given = new GaussianProcess(bundle).Fit(new(bundle.Rows, y), TestContext.Current.CancellationToken);
        double noise = given.Report["noise"] / given.Report["variance"];
        using var ofRows = new GaussianProcess(Kernel, noise).Fit(new(x, y), TestContext.Current.CancellationToken);
        var (mean, variance) = given.Predict(bundle.Others);
        var (ownMean, ownVariance) = ofRows.Predict(asked);
        Rows.Close(ownMean, mean, 1e-9);
        Rows.Close(ownVariance!, variance!, 1e-9);
        // the evidence of what takes the kernel apart, whose slope along the noise is 0 there
        double[] gradient = new double[2];
        var centred = y - y.mean();
        double evidence = GaussianProcess.Evidence("rbf", x, centred, [Math.Log(width), Math.Log(noise)], gradient);
        Assert.Equal(evidence, given.Report["evidence"], 1e-9);
        Assert.Equal(0, gradient[1], 1e-5);
        Assert.All((double[])[0.5, 2], times => Assert.True(GaussianProcess.Evidence("rbf", x, centred, [Math.Log(width), Math.Log(noise * times)], gradient) < evidence));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GaussianProcess(Kernel, -1));
        Assert.Contains("zeros", Assert.Throws<InputException>(() => GaussianProcess.Likeliest(zeros(3, 3, dtype: ScalarType.Float64), Rows.Normal(3, 1).squeeze(1))).Message);
    }

    [Fact]
    public void Groups_of_a_matrix_are_those_of_the_rows()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Clusters(30, 4, 3).X;
        using var bundle = GramBundle.Of(Kernel, x, null, "rbf");
        var o = new RbfClustersOptions { Gamma = 0.15 };
        Assert.Equal(new KernelKMeans(Setup, o).Group(x, 3, TestContext.Current.CancellationToken).Labels, new KernelKMeans(Setup, o, bundle).Group(bundle.Rows, 3, TestContext.Current.CancellationToken).Labels);
        Assert.Equal(new SpectralRows(Setup, o).Group(x, 3, TestContext.Current.CancellationToken).Labels, new SpectralRows(Setup, o, bundle).Group(bundle.Rows, 3, TestContext.Current.CancellationToken).Labels);
        using var signed = GramBundle.Of(new Linear(), x, null, "products");
        Assert.Contains("below 0", Assert.Throws<InputException>(() => new SpectralRows(Setup, o, signed).Group(signed.Rows, 3, TestContext.Current.CancellationToken)).Message);
    }

    [Fact] // so that the neighbours of a kernel are those of its space: the usual ones of the linear kernel
    public void Neighbours_by_a_kernel_of_products_are_the_nearest_rows()
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Rows.Clusters(40, 4, 3, spread: 1.5), Rows.Normal(12, 4, 7));
        using var usual = new NearestNeighbours(new NearestNeighboursOptions()).Fit(rows, TestContext.Current.CancellationToken);
        using var bundle = GramBundle.Of(new Linear(), rows.X, asked, "products");
        using var ofMatrix = new NearestNeighbours(bundle, new()).Fit(new TrainingRows(bundle.Rows, rows.Labels, 3), TestContext.Current.CancellationToken);
        Assert.Equal(Rows.Values(usual.Scores(asked)), Rows.Values(ofMatrix.Scores(bundle.Others)));
    }

    [Fact] // a function's variance where the kernel is twice as large, worked by the definition
    public void The_posterior_of_others_takes_their_own_diagonal()
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Rows.Clusters(20, 3, 2), Rows.Normal(5, 3, 7));
        using var bundle = GramBundle.Of(Kernel, rows.X, asked, "rbf");
        using var twice = new GramBundle(bundle.Blocks.Own * 2, bundle.Blocks.Cross! * 2, bundle.Blocks.Diagonal! * 2, "twice");
        using var one = new GaussianProcessClassifier(_ => [bundle], new() { Variance = 2 }).Fit(new(bundle.Rows, rows.Labels, 2), TestContext.Current.CancellationToken);
        using var two = new GaussianProcessClassifier(_ => [twice], new() { Variance = 1 }).Fit(new(bundle.Rows, rows.Labels, 2), TestContext.Current.CancellationToken);
        Rows.Close(one.Scores(bundle.Others), two.Scores(bundle.Others), 1e-12);
    }

    [Fact]
    public void Clipping_takes_what_is_below_zero_from_all_alike_and_leaves_a_kernel_as_it_is()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(9, 2);
        var far = -Products.SquaredDistances(x, x) + 0.5; // no kernel: its eigenvalues have both signs
        using var bundle = new GramBundle(far.narrow(0, 0, 6).narrow(1, 0, 6), far.narrow(0, 0, 6).narrow(1, 6, 3), far.diagonal().narrow(0, 6, 3), "distances");
        using var clipped = bundle.Clipped();
        var (values, vectors) = linalg.eigh(bundle.Blocks.Own);
        Assert.True(bundle.Smallest < -0.1 && clipped.Repaired && !bundle.Repaired);
        Assert.Equal(values[0].item<double>(), clipped.Smallest, 1e-12);
        Rows.Close((vectors * values.clamp_min(0)).mm(vectors.t()), clipped.Blocks.Own, 1e-10);
        Rows.Close(PositiveSolve.Nearest(bundle.Blocks.Own, out _), clipped.Blocks.Own, 1e-10);
        // an item asked for that is one learned from stays it
        using var same = new GramBundle(bundle.Blocks.Own, bundle.Blocks.Own, bundle.Blocks.Own.diagonal(), "twice the same").Clipped();
        Rows.Close(same.Blocks.Own, same.Blocks.Cross!, 1e-10);
        using var kernel = GramBundle.Of(Kernel, x, null, "rbf");
        using var kept = kernel.Clipped();
        Assert.False(kept.Repaired);
        Assert.Equal(Rows.Values(kernel.Blocks.Own), Rows.Values(kept.Blocks.Own));
        Assert.Contains("above 0", Assert.Throws<InputException>(() => new GramBundle(-eye(3, dtype: ScalarType.Float64), null, null, "opposites").Clipped()).Message);
    }

    [Fact]
    public void What_is_no_bundle_and_what_is_not_known_are_refused()
    {
        using var scope = NewDisposeScope();
        string Of(Tensor own, Tensor? cross = null, Tensor? diagonal = null) => Assert.Throws<InputException>(() => new GramBundle(own, cross, diagonal, "mine")).Message;
        var id = eye(3, dtype: ScalarType.Float64);
        Assert.Contains("[n, n]", Of(Rows.Normal(3, 2)));
        Assert.Contains("[n, n]", Of(eye(3)));
        Assert.Contains("symmetric", Of(Rows.Normal(3, 3)));
        Assert.Contains("row 0, column 0", Of(id * double.NaN));
        Assert.Contains("or neither", Of(id, Rows.Normal(3, 2)));
        Assert.Contains("[3, m]", Of(id, Rows.Normal(2, 2), ones(2, dtype: ScalarType.Float64)));
        using var bundle = new GramBundle(id, id.narrow(1, 0, 2), ones(2, dtype: ScalarType.Float64), "mine");
        Assert.Contains("others on both sides", Assert.Throws<ArgumentException>(() => bundle.Gram(bundle.Others, bundle.Others)).Message);
        foreach (double bad in (double[])[-1, 5, 0.5, double.NaN])
            Assert.Contains("from 0 to 4", Assert.Throws<ArgumentException>(() => bundle.Gram(bundle.Rows, full(1, 1, bad, dtype: ScalarType.Float64))).Message);
        Rows.Close(bundle.Gram(bundle.Rows, bundle.Others).t(), bundle.Gram(bundle.Others, bundle.Rows), 0);
    }
}
