using System.Text.Json;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class SlimKlTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private static readonly KernelSetup Setup = new(purpose => new SeededRandom(1, purpose));
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-series").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static double[][] Drawn(int count, int features, double scale, ulong seed) => [.. Rows.Values(Rows.Normal(count, features, seed).abs() * scale).Chunk(features)];

    private static Tensor Times(int n) => arange(0, n, dtype: ScalarType.Float64).unsqueeze(1);

    [Fact]
    public void Mixtures_are_their_formula_the_same_of_one_feature_and_the_rbf_kernel_at_frequency_0()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(5, 2), Rows.Normal(4, 2, 2));
        double[][] mu = Drawn(3, 2, 0.2, 3), s = Drawn(3, 2, 0.1, 4);
        double[] weights = [0.5, 0, 1.5], xs = Rows.Values(x), ys = Rows.Values(y);
        var (product, mixture) = (new SpectralProduct(weights, mu, s).Gram(x, y), new SpectralMixture(weights, mu, s).Gram(x, y));
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 4; j++)
            {
                double[] tau = [xs[2 * i] - ys[2 * j], xs[2 * i + 1] - ys[2 * j + 1]];
                double Decay(int a) => weights[a] * Math.Exp(-2 * Math.PI * Math.PI * (s[a][0] * s[a][0] * tau[0] * tau[0] + s[a][1] * s[a][1] * tau[1] * tau[1]));
                Assert.Equal(Enumerable.Range(0, 3).Sum(a => Decay(a) * Math.Cos(2 * Math.PI * mu[a][0] * tau[0]) * Math.Cos(2 * Math.PI * mu[a][1] * tau[1])), product[i, j].item<double>(), 1e-12);
                Assert.Equal(Enumerable.Range(0, 3).Sum(a => Decay(a) * Math.Cos(2 * Math.PI * (mu[a][0] * tau[0] + mu[a][1] * tau[1]))), mixture[i, j].item<double>(), 1e-12);
            }
        double[][] one = [[0.2], [0.4]], width = [[0.1], [0.3]];
        Rows.Close(new SpectralMixture([1, 2], one, width).Gram(Times(6), Times(4)), new SpectralProduct([1, 2], one, width).Gram(Times(6), Times(4)), 1e-12);
        Rows.Close(new Rbf(2 * Math.PI * Math.PI * 0.09).Gram(x, y), new SpectralProduct([1], [[0, 0]], [[0.3, 0.3]]).Gram(x, y), 1e-12); // length scale 1 / 2πs
        var cosine = linalg.eigvalsh(new SpectralProduct([1], [[0.3]], [[0]]).Gram(Times(9), Times(9)));
        Assert.True(cosine[0].item<double>() > -1e-12 && cosine[6].item<double>() < 1e-12 && cosine[7].item<double>() > 0.1); // rank 2
    }

    [Theory, InlineData(1, true), InlineData(1, false), InlineData(2, false)]
    public void The_grid_is_its_kernels_and_the_gradient_is_that_of_finite_differences(int features, bool shared)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(7, features), Rows.Normal(7, 1, 3).squeeze(1));
        double[][] mu = Drawn(4, features, 0.2, 5), s = shared ? [.. mu.Select(_ => (double[])[0.05])] : Drawn(4, features, 0.1, 6);
        double[] weights = [0.3, 0.7, 0.2, 0.5];
        using var grid = new SpectralGrid(x, mu, s);
        Rows.Close(new SpectralProduct(weights, mu, s).Gram(x, x), grid.Mixture(weights), 1e-12);
        var half = Rows.Normal(7, 7, 8);
        var m = half + half.t();
        Assert.All(grid.Forms(m).Zip(mu.Zip(s)), p => Assert.Equal((m * new SpectralProduct([1], [p.Second.First], [p.Second.Second]).Gram(x, x)).sum().item<double>(), p.First, 1e-10));
        using var agent = new SpectralAgent(x, y, mu, s, 0.2, 0.4);
        double[] gradient = agent.Gradient;
        for (int i = 0; i < 4; i++)
        {
            double At(double by)
            {
                agent.Weights[i] += by;
                double value = agent.Objective;
                agent.Weights[i] -= by;
                return value;
            }
            Assert.Equal((At(1e-5) - At(-1e-5)) / 2e-5, gradient[i], 1e-6);
        }
    }

    [Fact]
    public void A_step_never_increases_the_objective_and_one_weight_alone_is_the_best_there_is()
    {
        using var scope = NewDisposeScope();
        var x = Times(30);
        var y = (x * 0.7).sin().squeeze(1) + 0.2 * Rows.Normal(30, 1).squeeze(1);
        double[][] mu = [.. Enumerable.Range(0, 40).Select(i => (double[])[i / 80.0])], s = [.. mu.Select(_ => (double[])[0.001])];
        using var agent = new SpectralAgent(x, y, mu, s, null, 0.05);
        double last = agent.Objective;
        for (int step = 0; step < 15; step++)
        {
            agent.Climb(agent.Weights, 0, 1, 0, TestContext.Current.CancellationToken);
            Assert.True(agent.Objective <= last + 1e-9);
            last = agent.Objective;
        }
        using var single = new SpectralAgent(x, y, [[0.7 / (2 * Math.PI)]], [[0.001]], 0.04, 0.05);
        single.Climb(single.Weights, 0, 200, 0, TestContext.Current.CancellationToken);
        double best = single.Objective;
        foreach (double times in (double[])[0.5, 0.9, 0.99, 1.01, 1.1, 2])
        {
            using var other = new SpectralAgent(x, y, [[0.7 / (2 * Math.PI)]], [[0.001]], 0.04, single.Weights[0] * times);
            Assert.True(other.Objective >= best - 1e-9);
        }
    }

    [Theory, InlineData(0, 2, 3), InlineData(1e-10, 2, 3), InlineData(2, 3, 4), InlineData(2, -3, 4), InlineData(1e-3, -5, 1e-4), InlineData(5, 0, 2), InlineData(1, 2, 0)]
    public void The_root_of_a_step_is_one(double rho, double p, double a)
    {
        double z = SpectralAgent.Root(rho, p, a);
        Assert.True(z >= 0);
        Assert.Equal(a, rho * z * z * z + p * z * z, 1e-12 * (a + rho * z * z * z + Math.Abs(p) * z * z)); // what is left is rounding
    }

    [Fact]
    public void Rounded_numbers_are_right_on_average_multiples_stay_and_messages_are_counted()
    {
        var random = new SeededRandom(1, "rounding");
        // five standard errors of 20,000 draws of deviation at most Δ/2
        foreach (double x in (double[])[0.1, 0.9, -1.3])
            Assert.Equal(x, Enumerable.Range(0, 20_000).Average(_ => RoundedExchange.Round(x, 0.25, random.NextDouble())), 5 * 0.125 / Math.Sqrt(20_000));
        Assert.Equal(0.75, RoundedExchange.Round(0.75, 0.25, 0));
        Assert.Equal(0.123, RoundedExchange.Round(0.123, 1e-12, 0.5), 1e-11);
        var exchange = new RoundedExchange(0.5, random);
        Assert.All(exchange.Send([0, 0.3, 1], 3), w => Assert.Equal(Math.Round(w * 2), w * 2));
        Assert.Equal((3 * 3 * Math.Log2(3), 3 * 3 * 64.0), (exchange.Bits, exchange.PlainBits));
        var whole = new RoundedExchange(0, random);
        Assert.Equal([0.123, 4], whole.Send([0.123, 4], 1));
        Assert.Equal(whole.PlainBits, whole.Bits);
        Assert.Contains("at least 0", Assert.Throws<ArgumentOutOfRangeException>(() => new RoundedExchange(-1, random)).Message);
    }

    [Fact]
    public void Noise_of_a_smooth_series_is_found_and_cosines_keep_lengths()
    {
        var random = new SeededRandom(3, "noise");
        double[] y = [.. Enumerable.Range(0, 400).Select(i => Math.Sin(i / 25.0) + 0.3 * random.NextNormal())];
        Assert.Equal(y.Sum(v => v * v), SlimKl.Cosines(y).Sum(v => v * v), 1e-9);
        Assert.InRange(SlimKl.NoiseVariance(y), 0.07, 0.11); // 0.09, of 400 draws
    }

    private static RegressionRows Wave(int n)
    {
        var x = Times(n);
        return new(x, ((x * 0.9).sin() + 0.7 * (x * 0.31).cos()).squeeze(1) + 0.1 * Rows.Normal(n, 1).squeeze(1));
    }

    [Fact]
    public void Periods_go_on_whatever_the_unit_and_the_order_of_times()
    {
        using var scope = NewDisposeScope();
        var rows = Wave(100);
        var ahead = arange(100, 120, dtype: ScalarType.Float64).unsqueeze(1);
        var truth = ((ahead * 0.9).sin() + 0.7 * (ahead * 0.31).cos()).squeeze(1);
        using var plain = new SlimKl(Setup, new() { Components = 200 }).Fit(rows, TestContext.Current.CancellationToken);
        var mean = plain.Predict(ahead).Mean;
        Assert.InRange((mean - truth).square().mean().sqrt().item<double>(), 0, 0.15);
        Assert.InRange(plain.Report["active"], 1, 20);
        var order = tensor(Enumerable.Range(0, 100).Select(i => (long)(i * 37 % 100)).ToArray());
        using var other = new SlimKl(Setup, new() { Components = 200 }).Fit(new(rows.X.index_select(0, order) * 7, rows.Y.index_select(0, order)), TestContext.Current.CancellationToken);
        Assert.Equal(7, other.Report["unit"], 1e-9);
        Rows.Close(mean, other.Predict(ahead * 7).Mean, 1e-6);
    }

    [Fact]
    public void Agents_with_the_same_rows_agree_at_once_and_two_stretches_come_near_to_all_rows_with_fewer_bits()
    {
        using var scope = NewDisposeScope();
        var rows = Wave(80);
        var ahead = arange(80, 95, dtype: ScalarType.Float64).unsqueeze(1);
        var truth = ((ahead * 0.9).sin() + 0.7 * (ahead * 0.31).cos()).squeeze(1);
        double Error(SlimKlOptions o, out IReadOnlyDictionary<string, double> report)
        {
            using var fitted = new SlimKl(Setup, o).Fit(rows, TestContext.Current.CancellationToken);
            report = fitted.Report;
            return (fitted.Predict(ahead).Mean - truth).square().mean().sqrt().item<double>();
        }
        Assert.InRange(Error(new() { Components = 200, Agents = 2 }, out var whole), 0, 1);
        Assert.Equal(whole["plain_bits"], whole["bits"]);
        Assert.InRange(Error(new() { Components = 200, Agents = 2, Resolution = 1e-4 }, out var rounded), 0, 1);
        Assert.True(4 * rounded["bits"] <= rounded["plain_bits"]);
        Assert.InRange(Error(new() { Components = 200, Agents = 2, Answer = "fused" }, out _), 0, 1);
        var wire = new Recorded();
        using var recorded = new SlimKl(Setup, new() { Components = 20, Agents = 4, Rounds = 3 }, wire).Fit(rows, TestContext.Current.CancellationToken);
        Assert.Equal([4, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4], wire.Receivers); // the mean to all, theirs back, the new mean to all: nothing else travels
        Assert.All(wire.Sizes, size => Assert.Equal(20, size));
        double[][] mu = [.. Enumerable.Range(0, 30).Select(i => (double[])[i / 60.0])], s = [.. mu.Select(_ => (double[])[0.001])];
        using SpectralAgent free = new(rows.X, rows.Y, mu, s, 0.01, 0.1), barely = new(rows.X, rows.Y, mu, s, 0.01, 0.1);
        free.Climb(free.Weights, 0, 20, 0, TestContext.Current.CancellationToken);
        barely.Climb([.. barely.Weights], 1e-9, 20, 0, TestContext.Current.CancellationToken);
        Assert.All(free.Weights.Zip(barely.Weights), p => Assert.Equal(p.First, p.Second, 1e-6)); // an agent alone, hardly pulled, is the central one
        using SpectralAgent a = new(rows.X, rows.Y, mu, s, 0.01, 0.1), b = new(rows.X, rows.Y, mu, s, 0.01, 0.1);
        foreach (var agent in (SpectralAgent[])[a, b])
            agent.Climb(agent.Weights, 0.5, 20, 0, TestContext.Current.CancellationToken);
        Assert.Equal(a.Weights, b.Weights);
        Assert.All(SlimKl.Global([a.Weights, b.Weights], [a.Multipliers, b.Multipliers], 0.5).Zip(a.Weights), p => Assert.Equal(p.Second, p.First, 1e-12));
    }

    private sealed class Recorded : IWeightExchange
    {
        public List<int> Receivers { get; } = [];

        public List<int> Sizes { get; } = [];

        public double Bits => PlainBits;

        public double PlainBits => 64.0 * Sizes.Sum();

        public double[] Send(double[] weights, int receivers)
        {
            Receivers.Add(receivers);
            Sizes.Add(weights.Length);
            return [.. weights];
        }
    }

    [Theory, InlineData("electricity", 0.6), InlineData("unemployment", 0.6)]
    public void Real_series_are_continued_better_than_by_a_Gaussian_process_with_the_rbf_kernel(string series, double most)
    {
        using var scope = NewDisposeScope();
        Assert.SkipWhen(series == "unemployment" && Environment.GetEnvironmentVariable("WINNOW_SLOW") != "1", "380 values: set WINNOW_SLOW=1");
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Winnow.slnx")))
            root = Path.GetDirectoryName(root);
        Assert.SkipWhen(root is null, "the sources are not here");
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(root, "tests", "golden", $"slim-kl-{series}-series.json")));
        Tensor Of(string name)
        {
            double[] values = [.. file.RootElement.GetProperty("inputs").GetProperty(name).GetProperty("data").EnumerateArray().Select(v => v.GetDouble())];
            return tensor(values, [values.Length, 1]);
        }
        var (rows, numbers) = (new RegressionRows(Of("xtrain"), Of("ytrain").squeeze(1)), Of("ytest").squeeze(1));
        double Error(IRegressor method, out IReadOnlyDictionary<string, double> report)
        {
            using var fitted = method.Fit(rows, TestContext.Current.CancellationToken);
            report = fitted.Report;
            return (fitted.Predict(Of("xtest")).Mean - numbers).square().mean().item<double>();
        }
        double own = Error(new SlimKl(Setup, new() { Components = 200 }), out var report), plain = Error(new GaussianProcess(new()), out _);
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant($"{series}: {own:F0} beside {plain:F0}, {report["active"]} active, noise {report["noise"]:F0}"));
        Assert.True(own <= most * plain, FormattableString.Invariant($"{own} beside {plain}"));
        Assert.InRange(report["active"], 1, 20);
    }

    [Fact]
    public void What_it_cannot_learn_from_is_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("at most 5", Assert.Throws<InputException>(() => new SlimKl(Setup, new() { Agents = 6 }).Fit(Wave(10), TestContext.Current.CancellationToken)).Message);
        Assert.Contains("GB", Assert.Throws<InputException>(() => new SpectralGrid(zeros(1000, 2, dtype: ScalarType.Float64), Drawn(1000, 2, 1, 1), Drawn(1000, 2, 1, 2))).Message);
        Assert.Contains("as many of each", Assert.Throws<ArgumentException>(() => new SpectralProduct([1], [[1], [2]], [[1]])).Message);
        Assert.Contains("at least 0", Assert.Throws<ArgumentException>(() => new SpectralProduct([-1], [[1]], [[1]])).Message);
        Assert.Contains("above 0", Assert.Throws<ArgumentOutOfRangeException>(() => new SpectralAgent(Times(3), ones(3, dtype: ScalarType.Float64), [[0.1]], [[0]], 0, 0)).Message);
        using var bare = new SpectralAgent(Times(6), Times(6).squeeze(1), [[0.1]], [[0]], 0, 1);
        Assert.True(double.IsFinite(bare.Objective));
        Assert.InRange(bare.Jitter, 1e-13, 1e-5); // rank 2 and no noise
        Assert.Contains("Resolution", Assert.Throws<InputException>(() => Arena.Build("slim-kl", new() { ["resolution"] = -1 })).Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_users_series_is_continued_and_one_that_is_none_is_refused()
    {
        string File(string name, params IEnumerable<string> lines)
        {
            string path = Path.Combine(_folder, name);
            System.IO.File.WriteAllLines(path, lines);
            return path;
        }
        var card = Arena.Task("series");
        var options = (SeriesOptions)card.Options.Bind(new() { ["ahead"] = 10 }, "task");
        DataSummary Of(string path) => Arena.Inspect(path, card, options, new(), TestContext.Current.CancellationToken);
        string Refused(string path) => Assert.Throws<InputException>(() => Of(path)).Message;
        string good = File("good.csv", ["t,v", .. Enumerable.Range(0, 60).Select(i => FormattableString.Invariant($"{(i * 7) % 60},{Math.Sin((i * 7) % 60 * 0.5)}"))]);
        var trial = new Trial(Arena.Id, "series", card.Options.Canonical(options), "slim-kl", Arena.Method("slim-kl").Options.Canonical(new SlimKlOptions { Components = 100 }), 1, Of(good).Reference, "code", 1);
        var events = new List<TrialEvent>();
        Assert.InRange(Arena.Run(trial, new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics["rmse"], 0, 0.2);
        Assert.Contains(events, e => e is MetricEvent { Name: "curve/rows" });
        Assert.Contains("one column of times", Refused(File("wide.csv", "t,u,v", "1,2,3", "2,3,4")));
        Assert.Contains("at least 18", Refused(File("short.csv", "t,v", "1,2", "2,3")));
        Assert.Contains("the time 3 in rows", Refused(File("twice.csv", ["t,v", .. Enumerable.Range(0, 30).Select(i => $"{Math.Max(i, 3)},{i}")])));
    }
}
