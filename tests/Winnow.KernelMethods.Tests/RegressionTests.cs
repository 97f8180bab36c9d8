using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class RegressionTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-values").FullName;

    public static TheoryData<string> Methods => [.. Arena.DefaultMethods(Arena.Task("regress")).Select(m => m.Id)];

    public static TheoryData<string, bool> Kernels => new() { { "rbf", false }, { "rbf", true }, { "matern52", false }, { "matern52", true }, { "matern32", true } };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static TrainingValues Curve(int n, int d = 2, double noise = 0.1, ulong seed = 1)
    {
        var x = Rows.Normal(n, d, seed);
        return new(x, (x.select(1, 0) * 2).sin() + x.select(1, d - 1) * 0.5 + Rows.Normal(n, 1, seed + 100).squeeze(1) * noise);
    }

    private static IRegressor Built(string method) => (IRegressor)Arena.Build(method, seed: 3);

    // ½ log of the density of N(0, C), written out
    private static double Density(double[][] c, double[] y)
    {
        int n = y.Length;
        double[][] l = [.. c.Select(r => r.ToArray())];
        double[] z = [.. y];
        double sum = -n / 2.0 * Math.Log(2 * Math.PI);
        for (int j = 0; j < n; j++)
        {
            for (int k = 0; k < j; k++)
                for (int i = j; i < n; i++)
                    l[i][j] -= l[i][k] * l[j][k];
            double root = Math.Sqrt(l[j][j]);
            for (int i = j; i < n; i++)
                l[i][j] /= root;
            for (int k = 0; k < j; k++)
                z[j] -= l[j][k] * z[k];
            z[j] /= l[j][j];
            sum -= Math.Log(l[j][j]) + z[j] * z[j] / 2;
        }
        return sum;
    }

    [Theory, MemberData(nameof(Kernels))] // a naive twin and finite differences
    public void Evidence_is_the_density_of_the_numbers_and_its_gradient_is_its_slope(string kernel, bool ard)
    {
        using var scope = NewDisposeScope();
        var rows = Curve(9, 3);
        var process = new GaussianProcess(new() { Kernel = kernel, Ard = ard });
        double[] at = [0.3, -1.2, .. ard ? [0.1, -0.4, 0.7] : (double[])[0.2]], gradient = new double[at.Length], x = Rows.Values(rows.X);
        double evidence = process.Evidence(rows.X, rows.Y, at, gradient);
        double K(int i, int j)
        {
            double s = Enumerable.Range(0, 3).Sum(d => Math.Pow((x[i * 3 + d] - x[j * 3 + d]) / Math.Exp(at[ard ? 2 + d : 2]), 2)), r = Math.Sqrt((kernel == "matern32" ? 3 : 5) * s);
            return kernel == "rbf" ? Math.Exp(-s / 2) : kernel == "matern52" ? (1 + r + r * r / 3) * Math.Exp(-r) : (1 + r) * Math.Exp(-r);
        }
        double[][] c = [.. Enumerable.Range(0, 9).Select(i => Enumerable.Range(0, 9).Select(j => Math.Exp(at[0]) * K(i, j) + (i == j ? Math.Exp(at[1]) : 0)).ToArray())];
        Assert.Equal(Density(c, Rows.Values(rows.Y)), evidence, 1e-9);
        for (int i = 0; i < at.Length; i++)
        {
            double Moved(double by) => process.Evidence(rows.X, rows.Y, [.. at.Select((v, k) => k == i ? v + by : v)], []);
            Assert.Equal((Moved(1e-5) - Moved(-1e-5)) / 2e-5, gradient[i], 1e-6);
        }
        Assert.Equal(double.NegativeInfinity, process.Evidence(rows.X, rows.Y, [.. at[..^1], 13], []));
    }

    [Fact] // by the inverse of the covariance, and of what is known exactly
    public void What_is_expected_is_the_conditional_of_the_joint_and_without_noise_the_numbers_themselves()
    {
        using var scope = NewDisposeScope();
        var rows = Curve(12);
        var asked = Rows.Normal(5, 2, 9);
        using var fitted = new GaussianProcess(new()).Fit(rows, 1.7, 0.3, [0.8]);
        var kernel = new Rbf(0.5 / 0.64);
        var inverse = linalg.inv(kernel.Gram(rows.X, rows.X) * 1.7 + eye(12, dtype: ScalarType.Float64) * 0.3);
        var k = kernel.Gram(asked, rows.X) * 1.7;
        var (mean, variance) = fitted.Predict(asked);
        Rows.Close(k.mm(inverse).mv(rows.Y), mean, 1e-10);
        Rows.Close(2.0 - (k.mm(inverse) * k).sum(1), variance!, 1e-10);
        using var exact = new GaussianProcess(new()).Fit(rows, 1, 1e-12, [0.3]);
        Rows.Close(rows.Y, exact.Predict(rows.X).Mean, 1e-6);
        using var unknowing = new GaussianProcess(new()).Fit(rows, 1e-9, 1, [1]); // no function to find: the mean of what was said, and all its spread
        Assert.InRange(unknowing.Predict(asked).Mean.abs().max().item<double>(), 0, 1e-6);
    }

    [Fact]
    public void Most_evidence_finds_the_noise_and_which_features_matter()
    {
        using var scope = NewDisposeScope();
        using var fitted = new GaussianProcess(new() { Ard = true }).Fit(Curve(150, 3, 0.2), TestContext.Current.CancellationToken);
        double scale = Curve(150, 3, 0.2).Y.std(unbiased: false).item<double>();
        Assert.Equal(0.2, fitted.Report["noise"] * scale, 0.04); // the estimate's own deviation is 0.2 / √300
        Assert.True(fitted.Report["length-1"] > 5 * fitted.Report["length-0"], "the middle feature says nothing");
        using var fixedly = new GaussianProcess(new() { Ard = true, Optimise = false }).Fit(Curve(150, 3, 0.2), TestContext.Current.CancellationToken);
        Assert.True(fitted.Report["evidence"] > fixedly.Report["evidence"] + 10);
    }

    [Fact] // the minimum of Rosenbrock's valley is at (1, 1)
    public void Descent_comes_to_the_end_of_a_curved_valley()
    {
        var (at, value) = Lbfgs.Minimise((x, g) =>
        {
            (g[0], g[1]) = (-400 * x[0] * (x[1] - x[0] * x[0]) - 2 * (1 - x[0]), 200 * (x[1] - x[0] * x[0]));
            return 100 * Math.Pow(x[1] - x[0] * x[0], 2) + Math.Pow(1 - x[0], 2);
        }, [-1.2, 1], gradientTolerance: 1e-8, valueTolerance: 0, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(1, at[0], 1e-6);
        Assert.Equal(1, at[1], 1e-6);
        Assert.InRange(value, 0, 1e-12);
    }

    [Fact]
    public void Doubled_rows_without_noise_need_jitter_which_is_told()
    {
        using var scope = NewDisposeScope();
        var rows = Curve(10);
        using var fitted = new GaussianProcess(new()).Fit(new(cat([rows.X, rows.X]), cat([rows.Y, rows.Y])), 1, 0, [1]);
        Assert.InRange(fitted.Report["jitter"], 1e-12, 1e-6);
        Rows.Close(rows.Y, fitted.Predict(rows.X).Mean, 1e-3);
        Assert.Contains("one length or 2", Assert.Throws<ArgumentException>(() => new GaussianProcess(new()).Fit(rows, 1, 1, [1, 1, 1])).Message);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Methods_are_the_same_twice_leave_no_tensor_and_refuse_what_is_no_number(string method)
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Curve(30), Rows.Normal(6, 2, 5));
        double[] Means()
        {
            using var own = NewDisposeScope();
            using var fitted = Built(method).Fit(rows, TestContext.Current.CancellationToken);
            return Rows.Values(fitted.Predict(asked).Mean);
        }
        double[] first = Means();
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(first, Means());
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        using var once = Built(method).Fit(rows, TestContext.Current.CancellationToken);
        var bad = asked.clone();
        bad[2, 1] = double.NaN;
        Assert.Contains("row 2, column 1", Assert.Throws<InputException>(() => once.Predict(bad)).Message);
        Assert.Contains("[n, 2]", Assert.Throws<InputException>(() => once.Predict(Rows.Normal(2, 3))).Message);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Built(method).Fit(rows, stop.Token));
        // one row, and numbers that are all the same
        using var same = Built(method).Fit(new(rows.X, ones_like(rows.Y)), TestContext.Current.CancellationToken);
        Rows.Close(ones(6, dtype: ScalarType.Float64), same.Predict(asked).Mean, 1e-6);
        using var single = Built(method).Fit(new(rows.X.narrow(0, 0, 1), rows.Y.narrow(0, 0, 1)), TestContext.Current.CancellationToken);
        Assert.True(single.Predict(asked).Mean.isfinite().all().item<bool>());
    }

    [Theory, MemberData(nameof(Methods))]
    public void Methods_learn_a_curve_from_a_file_and_report_every_metric(string method)
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(_folder, "curve.csv");
        var rows = Curve(120, noise: 0.05);
        double[] x = Rows.Values(rows.X), y = Rows.Values(rows.Y);
        File.WriteAllLines(path, [.. Enumerable.Range(0, 121).Select(i => i == 0 ? "a,price,b" : FormattableString.Invariant($"{x[2 * i - 2]},{y[i - 1]},{x[2 * i - 1]}"))]);
        var card = Arena.Task("regress");
        foreach (var (source, reading, options) in ((string?, DataReading, JsonObject)[])[(path, new("price"), new() { ["test"] = 40 }), (null, new(), new() { ["made"] = "wave", ["rows"] = 60, ["test"] = 40 })])
        {
            object bound = card.Options.Bind((JsonObject)options.DeepClone(), "task");
            var data = Arena.Inspect(source, card, bound, reading, TestContext.Current.CancellationToken);
            var events = new List<TrialEvent>();
            var trial = new Trial(Arena.Id, "regress", card.Options.Canonical(bound), method, Arena.Method(method).Options.Canonical(Arena.Method(method).Options.Bind([], method)), 1, data.Reference, "code", 1);
            var metrics = Arena.Run(trial, new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics;
            Assert.All(RegressTask.Metrics, m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            Assert.InRange(metrics["rmse"], 0, 1.3);
            Assert.Equal(source is null, events.Any(e => e is MetricEvent { Name: "posterior-high" }));
        }
    }

    [Fact]
    public void Columns_that_are_no_numbers_are_refused_with_their_row()
    {
        string Of(string text, string? label = null)
        {
            string path = Path.Combine(_folder, "bad.csv");
            File.WriteAllText(path, text);
            return Assert.Throws<InputException>(() => Arena.Inspect(path, Arena.Task("regress"), new RegressOptions(), new(label), TestContext.Current.CancellationToken)).Message;
        }
        Assert.Contains("'dear' in row 1", Of("a,price\n1,2\n2,dear\n3,4\n4,5\n5,6\n"));
        Assert.Contains("'NaN' in row 2", Of("a,price\n1,2\n2,3\n3,NaN\n4,5\n5,6\n"));
        Assert.Contains("in all 5 rows of the column", Of("a,price\n1,2\n2,2\n3,2\n4,2\n5,2\n"));
        Assert.Contains("at least 4", Of("a,price\n1,2\n2,3\n"));
        Assert.Contains("Did you mean 'price'?", Of("a,price\n1,2\n2,3\n3,4\n4,5\n5,6\n", "prise"));
        Assert.Contains("missing.csv", Assert.Throws<InputException>(() => MeasuredData.Open(Path.Combine(_folder, "missing.csv"), new(), TestContext.Current.CancellationToken)).Message);
        using var scope = NewDisposeScope();
        Assert.Contains("row 1, column 0", Assert.Throws<InputException>(() => new TrainingValues(Rows.Normal(2, 1), tensor([1, double.PositiveInfinity]))).Message);
        Assert.Contains("Float64 [3]", Assert.Throws<InputException>(() => new TrainingValues(Rows.Normal(2, 1), zeros(3, dtype: ScalarType.Float64))).Message);
    }
}
