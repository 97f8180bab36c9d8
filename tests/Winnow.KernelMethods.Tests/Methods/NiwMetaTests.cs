using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class NiwMetaTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-episodes").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Func<string, SeededRandom> Random(ulong seed = 1) => purpose => new(seed, purpose);

    private static NiwMeta Method(NiwMetaOptions options, ulong seed = 1) => new(new(Random(seed)), options);

    private static Tensor Of(params double[] values) => tensor(values, [values.Length]);

    private static Tensor Scalar(double value) => tensor(value, ScalarType.Float64);

    private static NormalInverseWishart Made(bool full = false, double n0 = 8, double l0 = 3) => new(Of(0.5, -1, 0.2), Of(1.2, 2.4, 0.7), Scalar(l0), Scalar(n0), full);

    [Fact]
    public void Shrinking_keeps_the_prior_where_nothing_is_known_and_the_task_where_the_prior_says_nothing()
    {
        using var scope = NewDisposeScope();
        var (q, mean, precision) = (Made(), Of(2, 1, -3), Of(0.5, 4, 1e-9));
        var (m, v) = (q with { N0 = Scalar(1e14) }).Posterior(mean, precision);
        Rows.Close(q.M0, m, 1e-9);
        Rows.Close(zeros(3, ScalarType.Float64), v, 1e-9);
        (m, v) = (q with { V0 = q.V0 * 1e14 }).Posterior(mean, Of(0.5, 4, 1));
        Rows.Close(mean, m, 1e-9);
        Rows.Close(1 / Of(0.5, 4, 1), v, 1e-9);
        (m, v) = q.Posterior(mean, zeros(3, ScalarType.Float64));
        Rows.Close(q.M0, m, 1e-12);
        Rows.Close(q.V0 / q.N0, v, 1e-12);
    }

    [Theory, InlineData(true), InlineData(false)] // 5 standard errors: false alarms below one in a million
    public void The_expected_divergence_is_the_mean_over_draws_of_mean_and_covariance(bool full)
    {
        using var scope = NewDisposeScope();
        const int draws = 20_000, n0 = 8;
        var q = Made(full, n0);
        var (m, v) = (Of(0.1, -0.4, 0.9), Of(0.3, 0.2, 0.1));
        // a precision is a sum of n₀ squares of N(0, 1 / v₀)
        var z = Rows.Normal(draws * n0, 3, 7).reshape(draws, n0, 3) / q.V0.sqrt();
        var precision = full ? z.transpose(1, 2).bmm(z) : z.square().sum(1).diag_embed();
        var covariance = linalg.inv(precision);
        var mu = q.M0 + linalg.cholesky(covariance / q.L0).matmul(Rows.Normal(draws, 3, 8).unsqueeze(2)).squeeze(2);
        var away = (m - mu).unsqueeze(2);
        var each = ((precision.diagonal(0, 1, 2) * v).sum(1) + away.transpose(1, 2).bmm(precision).bmm(away).flatten() - 3 - 2 * linalg.cholesky(precision).diagonal(0, 1, 2).log().sum(1) - v.log().sum()) / 2;
        Assert.Equal(q.ExpectedDivergence(m, v).item<double>(), each.mean().item<double>(), 5 * each.std().item<double>() / Math.Sqrt(draws));
    }

    [Fact]
    public void The_divergence_is_zero_of_the_same_positive_of_others_and_a_sum_over_coordinates_when_factorised()
    {
        using var scope = NewDisposeScope();
        foreach (bool full in (bool[])[true, false])
        {
            var (q, prior) = (Made(full), new NormalInverseWishart(zeros(3, ScalarType.Float64), ones(3, ScalarType.Float64), Scalar(1), Scalar(4), full));
            Assert.Equal(0, q.Divergence(Made(full)).item<double>(), 1e-12);
            foreach (var other in (NormalInverseWishart[])[prior, Made(full, n0: 8.1), Made(full, l0: 3.1), q with { M0 = q.M0 + 0.1 }, q with { V0 = q.V0 * 1.1 }])
                Assert.True(q.Divergence(other).item<double>() > 1e-5);
        }
        double Single(int j) => new NormalInverseWishart(Made().M0.narrow(0, j, 1), Made().V0.narrow(0, j, 1), Scalar(3), Scalar(8), Full: true)
            .Divergence(new(zeros(1, ScalarType.Float64), ones(1, ScalarType.Float64), Scalar(1), Scalar(4), true)).item<double>();
        Assert.Equal(Single(0) + Single(1) + Single(2), Made().Divergence(new(zeros(3, ScalarType.Float64), ones(3, ScalarType.Float64), Scalar(1), Scalar(4), false)).item<double>(), 1e-10);
    }

    [Fact] // a design with orthogonal columns has a diagonal precision, and one step of size 1 reaches the least squares
    public void A_linear_tasks_step_is_its_conjugate_posterior()
    {
        using var scope = NewDisposeScope();
        var problem = EpisodeProblem.Of(new LinearEpisodesOptions(), Random());
        var tasks = problem.Stream.Draw(3);
        var method = Method(new() { Surrogate = "fisher", Steps = 1, InnerRate = 1, Cap = 1e9 });
        var q = new NormalInverseWishart(Of(1, 0, -1, 2), Of(1, 2, 3, 4), Scalar(1), Scalar(5), false);
        var (mean, precision) = method.Parabola(problem.Stream, tasks, q.M0, new(1, "noise"));
        var (m, v) = q.Posterior(mean, precision);
        for (int t = 0; t < 3; t++)
        {
            var (exact, covariance) = LinearGaussian.Posterior(tasks.SupportX[t], tasks.SupportY[t].squeeze(1), 0.25, q.M0, q.V0 / q.N0);
            Rows.Close(exact, m[t], 1e-9);
            Rows.Close(covariance, v[t].diag(), 1e-9);
        }
    }

    [Fact]
    public void Nothing_leads_back_through_the_steps_and_gradients_are_those_of_differences()
    {
        using var scope = NewDisposeScope();
        var problem = EpisodeProblem.Of(new CurveEpisodesOptions { Hidden = 3, Queries = 4 }, Random());
        var (method, tasks) = (Method(new() { Surrogate = "fisher", InnerRate = 0.05 }), problem.Stream.Draw(2));
        double[] start = problem.Stream.Network.Start(new(3, "weights"));
        int d = start.Length;
        var m0 = Of(start).requires_grad_();
        var (mean, precision) = method.Parabola(problem.Stream, tasks, m0, new(1, "noise"));
        Assert.False(mean.requires_grad || precision.requires_grad);
        var prior = new NormalInverseWishart(zeros(d, ScalarType.Float64), ones(d, ScalarType.Float64), Scalar(1), Scalar(1), false);
        var epsilon = Rows.Normal(2, d, 4);
        Tensor Energy(Tensor m, Tensor logV, Tensor logN) => method.Energy(problem.Stream, tasks, new(m, logV.exp(), Scalar(50), logN.exp(), false), prior, mean, precision, epsilon, 40);
        var (logV, logN) = (full(d, -3.0, ScalarType.Float64).requires_grad_(), Scalar(1.5).requires_grad_());
        var gradients = autograd.grad([Energy(m0, logV, logN)], [m0, logV, logN]);
        using var untracked = no_grad();
        const double h = 1e-6;
        for (int i = 0; i < d; i += 3)
        {
            var unit = zeros(d, ScalarType.Float64);
            unit[i] = h;
            Assert.Equal(((Energy(m0 + unit, logV, logN) - Energy(m0 - unit, logV, logN)) / (2 * h)).item<double>(), gradients[0][i].item<double>(), 1e-4 * (1 + Math.Abs(gradients[0][i].item<double>())));
            Assert.Equal(((Energy(m0, logV + unit, logN) - Energy(m0, logV - unit, logN)) / (2 * h)).item<double>(), gradients[1][i].item<double>(), 1e-4 * (1 + Math.Abs(gradients[1][i].item<double>())));
        }
        Assert.Equal(((Energy(m0, logV, logN + h) - Energy(m0, logV, logN - h)) / (2 * h)).item<double>(), gradients[2].item<double>(), 1e-4 * (1 + Math.Abs(gradients[2].item<double>())));
    }

    [Fact]
    public void The_Fisher_diagonal_is_that_of_its_definition_for_numbers_and_classes()
    {
        using var scope = NewDisposeScope();
        foreach (bool classes in (bool[])[false, true])
        {
            var network = new EpisodeNetwork(2, [3], classes ? 3 : 2);
            var y = classes ? eye(3, dtype: ScalarType.Float64).unsqueeze(0) : Rows.Normal(3, 2, 3).unsqueeze(0);
            var tasks = new Episodes(Rows.Normal(3, 2).unsqueeze(0), y, Rows.Normal(3, 2, 2).unsqueeze(0), y);
            var stream = new EpisodeStream(network, _ => tasks, classes ? 0 : 0.5);
            var theta = Of(network.Start(new(1, "weights"))).unsqueeze(0);
            var expected = zeros_like(theta);
            for (int row = 0; row < 3; row++)
                for (int o = 0; o < network.Outputs; o++)
                {
                    var at = theta.clone().requires_grad_();
                    var f = network.Forward(at, tasks.SupportX)[0, row];
                    var own = classes ? nn.functional.log_softmax(f, 0)[o] : f[o];
                    expected += autograd.grad([own], [at])[0].square() * (classes ? own.exp().item<double>() : 4);
                }
            Rows.Close(expected, NiwMeta.Fisher(stream, tasks, theta), 1e-10);
        }
    }

    [Fact]
    public void The_fit_of_a_new_task_ends_at_the_nearest_diagonal_Gaussian()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(6, 3), Rows.Normal(6, 1, 2));
        var tasks = new Episodes(x.unsqueeze(0), y.unsqueeze(0), x.unsqueeze(0), y.unsqueeze(0));
        var stream = new EpisodeStream(new(3, [], 1, bias: false), _ => tasks, 0.8);
        var (mean, variance) = (Of(0.3, -0.2, 0.5), Of(1, 0.5, 2));
        var (m, v) = Method(new() { FitSteps = 1500, FitRate = 0.05 }).Fit(stream, tasks, mean, variance, new(1, "noise"), TestContext.Current.CancellationToken);
        var (exact, spread) = LinearGaussian.Diagonal(x, y.squeeze(1), 0.64, mean, variance);
        Rows.Close(exact, m[0], 1e-2); // the mean of a pair around it has the gradient of the mean: only the step size is left
        Rows.Close(ones(3, ScalarType.Float64), v[0] / spread, 0.15); // a curvature of 1,500 samples is known to 3%
    }

    [Fact] // the variance of 2,000 draws is known to 3% (one standard error)
    public void Two_thousand_linear_tasks_tell_their_prior_to_a_tenth()
    {
        using var scope = NewDisposeScope();
        var problem = EpisodeProblem.Of(new LinearEpisodesOptions(), Random(5));
        using var learned = Method(Exact with { Adapt = "closed" }).Learn(problem.Stream, TestContext.Current.CancellationToken);
        Assert.Equal(2000, problem.Stream.Drawn);
        Assert.InRange(learned.Report["mean_error"], 0, 0.1);
        Assert.InRange(learned.Report["variance_error"], 0, 0.1);
        using var known = new KnownPrior(new(Random()), new()).Learn(problem.Stream, TestContext.Current.CancellationToken);
        var tasks = problem.New(200);
        double Error(IAdapter adapter) => (adapter.Answer(tasks).mean([0]) - tasks.QueryY).square().mean().item<double>();
        Assert.InRange(Error(learned) / Error(known), 0.98, 1.02);
    }

    internal static NiwMetaOptions Exact { get; } = new() { Steps = 1, InnerRate = 1, Rows = "support", Variance = 1, Degrees = 10, Rate = 0.1, ScaleRate = 0.1, Updates = 250, Tasks = 8 };

    [Fact]
    public void Second_order_gradients_go_through_the_steps_and_first_order_ones_do_not()
    {
        using var scope = NewDisposeScope();
        var problem = EpisodeProblem.Of(new CurveEpisodesOptions { Hidden = 3, Queries = 4 }, Random());
        var (stream, tasks) = (problem.Stream, problem.Stream.Draw(2));
        var theta = Of(stream.Network.Start(new(3, "weights"))).unsqueeze(0).expand(2, -1).contiguous();
        Tensor After(Tensor at) => stream.Loss(stream.Network.Forward(stream.Descend(at, tasks, 2, 0.05), tasks.QueryX), tasks.QueryY).sum();
        Tensor Through(Tensor at)
        {
            for (int s = 0; s < 2; s++)
                at -= stream.Gradient(at, tasks, graph: true) * (0.05 * stream.Scale(5));
            return at;
        }
        var asked = theta.clone().requires_grad_();
        var gradient = autograd.grad([stream.Loss(stream.Network.Forward(Through(asked), tasks.QueryX), tasks.QueryY).sum()], [asked])[0];
        for (int i = 0; i < theta.shape[1]; i += 4)
        {
            var unit = zeros_like(theta);
            unit[0, i] = 1e-6;
            double difference = ((After(theta + unit) - After(theta - unit)) / 2e-6).item<double>();
            Assert.Equal(difference, gradient[0, i].item<double>(), 1e-4 * (1 + Math.Abs(difference)));
        }
    }

    [Theory, InlineData("episodes"), InlineData("linear-episodes"), InlineData("image-episodes")]
    public void Every_method_of_a_task_reports_every_metric_twice_the_same_leaks_nothing_and_stops(string task)
    {
        var card = Arena.Task(task);
        object options = card.Options.Bind(task == "image-episodes" ? new JsonObject { ["test"] = 4, ["queries"] = 2, ["hidden"] = 5 } : new JsonObject { ["test"] = 4 }, "task");
        var data = Arena.Inspect(null, card, options, new(), TestContext.Current.CancellationToken);
        foreach (var method in Arena.DefaultMethods(card))
        {
            var few = method.Options.Bind(method.Id == "known-prior" ? [] : new JsonObject { ["updates"] = 3, ["tasks"] = 2 }, method.Id);
            var trial = new Trial(Arena.Id, task, card.Options.Canonical(options), method.Id, method.Options.Canonical(few), 1, data.Reference, "code", 1);
            IReadOnlyDictionary<string, double> Run(CancellationToken cancellation) => Arena.Run(trial, new(1, _folder, _ => { }, cancellation)).Metrics;
            var first = Run(TestContext.Current.CancellationToken);
            long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            var second = Run(TestContext.Current.CancellationToken);
            Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            Assert.All(Arena.MetricsOf(task), m => Assert.True(double.IsFinite(first[m.Name]), $"{method.Id} {m.Name}"));
            Assert.All(first.Where(m => !m.Key.EndsWith("_ms", StringComparison.Ordinal)), m => Assert.Equal(m.Value, second[m.Key]));
            using var stop = new CancellationTokenSource();
            stop.Cancel();
            Assert.ThrowsAny<OperationCanceledException>(() => Run(stop.Token));
        }
    }

    [Fact]
    public void What_is_no_distribution_no_episode_or_no_number_is_refused()
    {
        using var scope = NewDisposeScope();
        string Refused(Func<object?> act) => Assert.Throws<InputException>(() => act()).Message;
        Assert.Contains("0 in coordinate 1", Refused(() => (Made() with { V0 = Of(1, 0, 1) }).Checked()));
        Assert.Contains("more than 2", Refused(() => Made(full: true, n0: 2).Checked()));
        Assert.Contains("degrees of freedom", Refused(() => Made(n0: 0).Checked()));
        Assert.Contains("strength of the mean", Refused(() => Made(l0: 0).Checked()));
        Assert.Contains("niw-meta.prior-degrees", Refused(() => Arena.Build("niw-meta", new() { ["prior-degrees"] = 0 })));
        Tensor X(int tasks, int rows, int width) => Rows.Normal(tasks * rows, width).reshape(tasks, rows, width);
        Assert.Contains("support rows", Refused(() => new Episodes(zeros(1, 0, 2, ScalarType.Float64), X(1, 1, 1), X(1, 1, 2), X(1, 1, 1))));
        Assert.Contains("of the same tasks", Refused(() => new Episodes(X(1, 2, 2), X(1, 1, 1), X(1, 1, 2), X(1, 1, 1))));
        var bad = X(1, 2, 2);
        bad[0, 1, 0] = double.NaN;
        Assert.Contains("NaN in row 1, column 0", Refused(() => new Episodes(bad, X(1, 2, 1), X(1, 1, 2), X(1, 1, 1))));
        var missing = new EpisodeStream(new(2, [], 2), _ => new(X(1, 2, 2), Of(1, 0, 1, 0).reshape(1, 2, 2), X(1, 1, 2), Of(0, 1).reshape(1, 1, 2)), 0);
        Assert.Contains("none of class 1 in task 0", Refused(() => missing.Draw(1)));
        Assert.Contains("2 and 2, as the network has", Refused(() => new EpisodeStream(new(2, [], 2), _ => new(X(1, 2, 3), X(1, 2, 2), X(1, 1, 3), X(1, 1, 2)), 1).Draw(1)));
        var problem = EpisodeProblem.Of(new CurveEpisodesOptions { Hidden = 5 }, Random());
        Assert.Contains("smaller step size", Refused(() => Method(new() { InnerRate = 10, Steps = 200, Updates = 1 }).Learn(problem.Stream, TestContext.Current.CancellationToken)));
        Assert.Contains("full Wishart", Refused(() => Method(new() { Form = "full", PriorDegrees = 1000 }).Learn(problem.Stream, TestContext.Current.CancellationToken)));
        Assert.Contains("at most the cap, 10", Refused(() => Method(new() { Floor = 20, Cap = 10 }).Learn(problem.Stream, TestContext.Current.CancellationToken)));
        Assert.Contains("forget fewer", Refused(() => Method(new() { Surrogate = "sgld", Steps = 2, BurnIn = 1 }).Learn(problem.Stream, TestContext.Current.CancellationToken)));
        Assert.Contains("orthogonal", Refused(() => EpisodeProblem.Of(new LinearEpisodesOptions { Shots = 3 }, Random())));
        Assert.Contains("answers by numbers", Refused(() => new Prototypes(new(Random()), new()).Learn(problem.Stream, TestContext.Current.CancellationToken)));
        Assert.Contains("linear-episodes", Refused(() => new KnownPrior(new(Random()), new()).Learn(problem.Stream, TestContext.Current.CancellationToken)));
        Assert.Throws<ArgumentException>(() => new EpisodeNetwork(2, [0], 1));
    }

    [Fact]
    public void A_users_tasks_are_learned_from_and_too_few_rows_or_classes_refused()
    {
        string file = Path.Combine(_folder, "tasks.csv");
        File.WriteAllText(file, "x,y,task\n" + string.Concat(Enumerable.Range(0, 80).Select(i => FormattableString.Invariant($"{i % 16},{i / 16 * (i % 16) + 1},t{i / 16}\n"))));
        IReadOnlyDictionary<string, double> Run(string task, JsonObject given)
        {
            var card = Arena.Task(task);
            object options = card.Options.Bind(given, "task");
            var data = Arena.Inspect(file, card, options, new(), TestContext.Current.CancellationToken);
            return Arena.Run(new(Arena.Id, task, card.Options.Canonical(options), "maml", Arena.Method("maml").Options.Canonical(new MamlOptions { Updates = 2 }), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
        }
        Assert.True(double.IsFinite(Run("episodes", [])["mse"]));
        Assert.InRange(Run("image-episodes", new() { ["ways"] = 2, ["queries"] = 3 })["accuracy"], 0, 1);
        Assert.Contains("at least 25", Assert.Throws<InputException>(() => Run("episodes", new() { ["shots"] = 15 })).Message);
        Assert.Contains("5 classes, 3 of them new", Assert.Throws<InputException>(() => Run("image-episodes", [])).Message);
    }
}
