using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

/// <summary>What every method that learns numbers keeps to.</summary>
public sealed class RegressionTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-regression").FullName;

    public static TheoryData<string> Methods => [.. Arena.Methods.Where(m => m.Needs.Contains("targets") || m.Needs.Contains("examples")).Select(m => m.Id)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static RegressionRows Made(int n = 40, int d = 2, ulong seed = 1)
    {
        var x = Rows.Normal(n, d, seed);
        return new(x, (x.select(1, 0) * 1.5).sin() + Rows.Normal(n, 1, seed + 50).squeeze(1) * 0.1);
    }

    private static IRegressor Quick(string method) => (IRegressor)Arena.Build(method, Small(method), seed: 3);

    private static JsonObject Small(string method) => method switch { "deep-kernel-machine" => new() { ["steps"] = 10 }, "slim-kl" => new() { ["components"] = 30 }, _ => [] };

    private static double[] Predicted(string method, RegressionRows rows, Tensor asked)
    {
        using var scope = NewDisposeScope();
        using var fitted = Quick(method).Fit(rows, TestContext.Current.CancellationToken);
        var (mean, variance) = fitted.Predict(asked);
        return [.. Rows.Values(mean), .. variance is null ? [] : Rows.Values(variance)];
    }

    [Theory, MemberData(nameof(Methods))]
    public void Two_runs_are_equal_and_what_is_expected_is_finite_of_each_row_alone(string method)
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Made(), Rows.Normal(9, 2, 5));
        double[] all = Predicted(method, rows, asked);
        Assert.True(all.Length is 9 or 18);
        Assert.All(all, v => Assert.True(double.IsFinite(v)));
        Assert.All(all.Skip(9), v => Assert.True(v > 0));
        Assert.Equal(all, Predicted(method, rows, asked));
        double[] alone = Predicted(method, rows, asked.narrow(0, 4, 1));
        Assert.Equal(all[4], alone[0], 1e-9);
        Assert.Empty(Predicted(method, rows, asked.narrow(0, 0, 0)));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Doubled_rows_and_a_constant_feature_are_learned_from(string method)
    {
        using var scope = NewDisposeScope();
        var rows = Made();
        var x = cat([rows.X, rows.X.narrow(0, 0, 5)]).clone();
        x.select(1, 1).fill_(1);
        Assert.All(Predicted(method, new(x, cat([rows.Y, rows.Y.narrow(0, 0, 5)])), rows.X), v => Assert.True(double.IsFinite(v)));
    }

    [Theory, MemberData(nameof(Methods))]
    public void No_tensor_outlives_what_was_fitted(string method)
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Made(), Rows.Normal(3, 2, 5));
        Predicted(method, rows, asked);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Predicted(method, rows, asked);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Numbers_that_are_none_are_refused_with_their_place_and_a_cancelled_fit_stops(string method)
    {
        using var scope = NewDisposeScope();
        var rows = Made();
        var bad = rows.X.clone();
        bad[7, 1] = double.NaN;
        using var fitted = Quick(method).Fit(rows, TestContext.Current.CancellationToken);
        Assert.Contains("row 7, column 1", Assert.Throws<InputException>(() => fitted.Predict(bad)).Message);
        Assert.Contains("[n, 2]", Assert.Throws<InputException>(() => fitted.Predict(Rows.Normal(2, 3))).Message);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Quick(method).Fit(rows, stop.Token));
    }

    [Fact]
    public void Rows_that_are_none_or_do_not_fit_are_refused()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(3, 2);
        string Of(Func<RegressionRows> make) => Assert.Throws<InputException>(make).Message;
        Assert.Contains("at least two rows", Of(() => new(x.narrow(0, 0, 1), zeros(1, dtype: ScalarType.Float64))));
        Assert.Contains("one a row", Of(() => new(x, zeros(2, dtype: ScalarType.Float64))));
        Assert.Contains("one a row", Of(() => new(x, zeros(3))));
        Assert.Contains("3 in each of 3 rows", Of(() => new(x, full(3, 3.0, dtype: ScalarType.Float64))));
        Assert.Contains("row 1, column 0", Of(() => new(x, tensor([1, double.PositiveInfinity, 2]))));
    }

    private Dictionary<string, double> Run(string task, string method, JsonObject taskOptions, JsonObject options, string? data, List<TrialEvent> events)
    {
        var card = Arena.Task(task);
        var bound = card.Options.Bind(taskOptions, "task");
        var summary = Arena.Inspect(data, card, bound, new(), TestContext.Current.CancellationToken);
        var of = Arena.Method(method);
        var trial = new Trial(Arena.Id, task, card.Options.Canonical(bound), method, of.Options.Canonical(of.Options.Bind(options, method)), 1, summary.Reference, "code", 1);
        return new(Arena.Run(trial, new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics);
    }

    [Theory, InlineData("friedman"), InlineData("wave")]
    public void Every_method_of_the_task_reports_every_metric(string made)
    {
        foreach (var method in Arena.DefaultMethods(Arena.Task("regress")))
        {
            var events = new List<TrialEvent>();
            var metrics = Run("regress", method.Id, new JsonObject { ["rows"] = 60, ["test"] = 50, ["made"] = made }, Small(method.Id), null, events);
            Assert.All(Arena.MetricsOf("regress"), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            Assert.InRange(metrics["rmse"], 0, 1.2);
            Assert.Equal(made == "wave", events.Any(e => e is MetricEvent { Name: "curve/high" }));
        }
    }

    [Fact]
    public void A_users_file_is_learned_from_and_one_without_numbers_is_refused()
    {
        string file = Path.Combine(_folder, "values.csv"), words = Path.Combine(_folder, "words.csv"), few = Path.Combine(_folder, "few.csv");
        File.WriteAllLines(file, ["a,b,price", .. Enumerable.Range(0, 40).Select(i => FormattableString.Invariant($"{i},{i * 7 % 5},{3 * i + i * 7 % 5}"))]);
        File.WriteAllText(words, "a,b,kind\n1,2,x\n2,1,y\n");
        File.WriteAllText(few, "a,b\n1,2\n2,1\n");
        Assert.InRange(Run("regress", "linear-ridge", [], [], file, [])["rmse"], 0, 1e-3);
        Assert.Contains("'x'", Assert.Throws<InputException>(() => Run("regress", "gaussian-process", [], [], words, [])).Message);
        Assert.Contains("at least 4", Assert.Throws<InputException>(() => Run("regress", "gaussian-process", [], [], few, [])).Message);
    }

    [Theory, InlineData("rbf", false), InlineData("rbf", true), InlineData("matern-3", true), InlineData("matern-5", true), InlineData("matern-5", false)]
    public void The_evidence_and_its_gradient_are_those_of_the_definition(string kernel, bool ard)
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(12, 3);
        var y = x.select(1, 0).sin() + 0.3 * Rows.Normal(12, 1, 4).squeeze(1);
        y -= y.mean();
        double[] logs = ard ? [0.2, -0.3, 0.5, -1] : [0.2, -1], gradient = new double[logs.Length];
        double value = GaussianProcess.Evidence(kernel, x, y, logs, gradient);
        for (int i = 0; i < logs.Length; i++)
        {
            const double step = 1e-5;
            double[] up = [.. logs], down = [.. logs], unused = new double[logs.Length];
            (up[i], down[i]) = (up[i] + step, down[i] - step);
            Assert.Equal((GaussianProcess.Evidence(kernel, x, y, up, unused) - GaussianProcess.Evidence(kernel, x, y, down, unused)) / (2 * step), gradient[i], 1e-6);
        }
        // log N(y; 0, s²(K + rI)) with the s² that is likeliest
        var scaled = x / tensor([.. logs[..^1].Select(Math.Exp)], [logs.Length - 1]);
        IKernel unit = kernel == "rbf" ? new Rbf(0.5) : new Matern(kernel == "matern-3" ? 3 : 5, 1);
        var a = unit.Gram(scaled, scaled) + eye(12, dtype: ScalarType.Float64) * Math.Exp(-1);
        double Density(double s2) => -0.5 * (y.unsqueeze(0).mm(linalg.inv(a * s2)).mv(y).item<double>() + linalg.slogdet(a * s2).Item2.item<double>() + 12 * Math.Log(2 * Math.PI));
        double likeliest = y.unsqueeze(0).mm(linalg.inv(a)).mv(y).item<double>() / 12;
        Assert.Equal(Density(likeliest), value, 1e-8);
        Assert.True(Density(likeliest * 1.01) < value && Density(likeliest * 0.99) < value);
    }

    [Fact]
    public void A_posterior_is_that_of_conditioned_normal_numbers_and_better_steps_find_likelier_scales()
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Made(30), Rows.Normal(5, 2, 9));
        using var fitted = new GaussianProcess(new() { Noise = 0.1 }).Fit(rows, TestContext.Current.CancellationToken);
        double length = fitted.Report["length"], s2 = fitted.Report["variance"];
        Assert.Equal(0.1 * s2, fitted.Report["noise"], 1e-12);
        var k = new Rbf(0.5 / (length * length));
        var c = (k.Gram(rows.X, rows.X) + eye(30, dtype: ScalarType.Float64) * 0.1) * s2;
        var cross = k.Gram(asked, rows.X) * s2;
        var (mean, variance) = fitted.Predict(asked);
        Rows.Close(rows.Y.mean() + cross.mv(linalg.inv(c).mv(rows.Y - rows.Y.mean())), mean, 1e-9);
        Rows.Close(s2 * 1.1 - (cross.mm(linalg.inv(c)) * cross).sum(1), variance!, 1e-9);
        using var plain = new GaussianProcess(new() { Steps = 0 }).Fit(rows, TestContext.Current.CancellationToken);
        using var learned = new GaussianProcess(new()).Fit(rows, TestContext.Current.CancellationToken);
        using var each = new GaussianProcess(new() { Ard = true }).Fit(rows, TestContext.Current.CancellationToken);
        Assert.True(plain.Report["evidence"] < learned.Report["evidence"] && learned.Report["evidence"] < each.Report["evidence"]);
        Assert.True(each.Report["length_0"] < each.Report["length_1"]); // only the first feature matters
    }

    [Fact]
    public void Doubled_rows_without_noise_need_a_jitter_that_is_reported_and_without_doubles_targets_are_met()
    {
        using var scope = NewDisposeScope();
        var rows = Made(12);
        using var exact = new GaussianProcess(new() { Noise = 1e-10, Steps = 0 }).Fit(rows, TestContext.Current.CancellationToken);
        Rows.Close(rows.Y, exact.Predict(rows.X).Mean, 1e-6);
        Assert.Equal(0, exact.Report["jitter"]);
        using var doubled = new GaussianProcess(new() { Noise = 1e-18, Steps = 0 }).Fit(new(cat([rows.X, rows.X]), cat([rows.Y, rows.Y])), TestContext.Current.CancellationToken);
        Assert.InRange(doubled.Report["jitter"], 1e-12, 1e-6);
    }

    [Fact]
    public void Laplace_stands_where_the_gradient_of_the_posterior_vanishes_and_its_evidence_is_that_of_the_definition()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(11, 2);
        var t = x.select(1, 0).gt(0).to(ScalarType.Float64);
        var k = new Rbf(0.5).Gram(x, x) * 4;
        var found = GaussianProcessClassifier.Laplace.Of(k, t, 100, 1e-13, TestContext.Current.CancellationToken);
        Rows.Close(t - found.Mode.sigmoid(), linalg.inv(k).mv(found.Mode), 1e-5); // K⁻¹ f = t − π
        var w = found.Mode.sigmoid() * (1 - found.Mode.sigmoid());
        double prior = -0.5 * found.Mode.dot(linalg.inv(k).mv(found.Mode)).item<double>(), likely = (t * found.Mode.sigmoid().log() + (1 - t) * (1 - found.Mode.sigmoid()).log()).sum().item<double>();
        Assert.Equal(prior + likely - 0.5 * linalg.slogdet(eye(11, dtype: ScalarType.Float64) + k.mm(w.diag())).Item2.item<double>(), found.Evidence, 1e-6);
    }

    [Fact]
    public void Ridge_on_numbers_is_its_system_and_says_by_how_much_rows_left_out_are_missed()
    {
        using var scope = NewDisposeScope();
        var rows = Made(15);
        using var fitted = new LinearRidge(new() { Ridge = 0.1 }).Fit(rows, TestContext.Current.CancellationToken);
        var kernel = new Polynomial(1, 0.5);
        double missed = 0, ridge = 0.1 * kernel.Gram(rows.X, rows.X).diagonal().mean().item<double>(), mean = rows.Y.mean().item<double>();
        double Without(long[] others, Tensor asked)
        {
            var x = rows.X.index_select(0, tensor(others));
            var gram = kernel.Gram(x, x) + eye(others.Length, dtype: ScalarType.Float64) * ridge;
            return kernel.Gram(asked, x).mv(linalg.inv(gram).mv(rows.Y.index_select(0, tensor(others)) - mean)).item<double>() + mean;
        }
        for (int i = 0; i < 15; i++)
            missed += Math.Pow(Without([.. Enumerable.Range(0, 15).Where(j => j != i).Select(j => (long)j)], rows.X.narrow(0, i, 1)) - rows.Y[i].item<double>(), 2) / 15;
        var (expected, variance) = fitted.Predict(rows.X.narrow(0, 3, 1));
        Assert.Equal(Without([.. Enumerable.Range(0, 15).Select(j => (long)j)], rows.X.narrow(0, 3, 1)), expected.item<double>(), 1e-9);
        Assert.Equal(missed, variance!.item<double>(), 1e-9);
    }

    [Fact]
    public void Quasi_Newton_steps_find_the_bottom_of_a_curved_valley_and_rest_at_bounds()
    {
        static double Valley(double[] x, double[] g)
        {
            double a = 1 - x[0], b = x[1] - x[0] * x[0];
            (g[0], g[1]) = (-2 * a - 400 * x[0] * b, 200 * b);
            return a * a + 100 * b * b;
        }
        var (free, least) = Lbfgs.Minimise(Valley, [-1.2, 1], [-5, -5], [5, 5], 200, 1e-16, out _);
        Assert.Equal(0, least, 1e-10);
        Assert.Equal(1, free[0], 1e-4);
        var (bound, value) = Lbfgs.Minimise(Valley, [-1.2, 1], [-5, -5], [0.5, 5], 200, 1e-16, out _);
        Assert.Equal(0.5, bound[0], 1e-12);
        Assert.Equal(0.25, value, 1e-8); // at x₀ = ½, x₁ = ¼
        var (wall, _) = Lbfgs.Minimise((x, g) => (g[0] = 2 * (x[0] - 3)) is var _ && x[0] > 3.5 ? double.PositiveInfinity : (x[0] - 3) * (x[0] - 3), [0], [-10], [100], 50, 1e-16, out _);
        Assert.Equal(3, wall[0], 1e-6);
    }
}
