using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class ProsperTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-parts").FullName;

    public static TheoryData<string> Models => ["bsc", "mca", "mmca", "tsc", "dsc", "gsc"];

    public static TheoryData<string> Methods => [.. Arena.Methods.Where(m => m.Needs.Contains("signals")).Select(m => m.Id)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Prosper Of(ProsperOptions options, ulong seed = 1) => new(new(purpose => new SeededRandom(seed, purpose)), options);

    private static SparseParameters Drawn(string model, int h, int d, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "parameters");
        double[] values = Of(new() { Model = model }).Model().Values;
        return Of(new() { Model = model }).Model().Allowed(new()
        {
            W = [.. Enumerable.Range(0, h * d).Select(_ => 2 * random.NextNormal())],
            Pi = [.. Enumerable.Repeat(0.3, h)],
            Sigma = 0.7,
            Mean = new double[d],
            Shares = [.. values.Select(_ => 1.0 / values.Length)],
            SlabMean = [.. Enumerable.Range(0, h).Select(_ => random.NextNormal())],
            SlabVariance = [.. Enumerable.Range(0, h).Select(_ => 0.5 + random.NextDouble())],
        });
    }

    private static Tensor Images(int count, string superposition = "sum", double present = 1.5, int side = 3, ulong seed = 1) =>
        BarsTask.Images(new() { Side = side, Superposition = superposition, Present = present, Noise = 1 }, count, new SeededRandom(seed, "bars"));

    [Theory, MemberData(nameof(Models))] // the sum over a fine grid of rows of one number
    public void The_density_of_rows_is_one(string model)
    {
        using var scope = NewDisposeScope();
        var p = Drawn(model, 3, 1);
        const double step = 0.02;
        var grid = arange(-60.0, 60.0, step, dtype: ScalarType.Float64).unsqueeze(1);
        using var parts = new SparseParts(Of(new() { Model = model }).Model(), Of(new() { Model = model, Candidates = 3, Gamma = 3 }).States(3, 1), p, new Dictionary<string, double>());
        Assert.Equal(1, parts.LogLikelihood(grid).exp().sum().item<double>() * step, 1e-3);
        // and one state of all is sure to be there
        Assert.Equal(1, parts.Likeliest(grid[3000], 1000).Sum(s => s.Probability), 1e-12);
    }

    [Fact] // over all states, each by the whole covariance
    public void With_all_states_the_likelihood_is_that_of_the_definition()
    {
        using var scope = NewDisposeScope();
        var y = Rows.Normal(5, 4) * 3;
        foreach (string model in (string[])["bsc", "gsc"])
        {
            var p = Drawn(model, 3, 4);
            var w = Aligned.Of(p.W, 3, 4);
            var each = new List<Tensor>();
            for (int bits = 0; bits < 8; bits++)
            {
                double[] s = [.. Enumerable.Range(0, 3).Select(h => (double)(bits >> h & 1))];
                double[] mean = [.. s.Select((v, h) => v * (model == "gsc" ? p.SlabMean[h] : 1))], variance = [.. s.Select((v, h) => model == "gsc" ? v * p.SlabVariance[h] : 0)];
                var covariance = w.t().mm(tensor(variance).diag()).mm(w) + eye(4, dtype: ScalarType.Float64) * p.Sigma * p.Sigma;
                var apart = y - tensor(mean).unsqueeze(0).mm(w);
                var log = -0.5 * (apart.mm(linalg.inv(covariance)) * apart).sum(1) - 0.5 * linalg.slogdet(covariance).Item2 - 2 * Math.Log(2 * Math.PI);
                each.Add(log + s.Sum(v => Math.Log(v > 0 ? 0.3 : 0.7)));
            }
            using var parts = new SparseParts(Of(new() { Model = model }).Model(), Of(new() { Candidates = 3, Gamma = 3 }).States(3, 1), p, new Dictionary<string, double>());
            Rows.Close(stack(each).logsumexp(0), parts.LogLikelihood(y), 1e-9);
        }
    }

    [Theory, InlineData("bsc"), InlineData("tsc"), InlineData("dsc"), InlineData("gsc")]
    public void With_all_states_and_without_heat_the_likelihood_never_falls(string model)
    {
        using var scope = NewDisposeScope();
        var method = Of(new() { Model = model, Candidates = 4, Gamma = 4, Mean = true });
        var y = Images(80, side: 2);
        var expectation = new TruncatedExpectation(method.Model(), method.States(4, 80), Rows.Values(y), 4);
        var p = Drawn(model, 4, 4) with { Sigma = 3 };
        double before = double.NegativeInfinity;
        for (int step = 0; step < 30; step++)
        {
            expectation.Weigh(p, 1, TestContext.Current.CancellationToken);
            double now = expectation.LogLikelihoods(p).Average();
            Assert.InRange(now, before - 1e-7, double.PositiveInfinity);
            before = now;
            p = expectation.Next(p, 1, 0, TestContext.Current.CancellationToken);
            Assert.All(p.Pi, r => Assert.InRange(r, 1e-5, 1 - 1e-5));
        }
        Assert.InRange(p.Shares.Sum(), 1 - 1e-4, 1 + 1e-4);
    }

    [Fact]
    public void Of_one_part_and_little_noise_the_part_is_the_mean_of_rows_that_have_it()
    {
        using var scope = NewDisposeScope();
        var there = tensor([.. Enumerable.Range(0, 60).Select(i => i % 3 == 0 ? 1.0 : 0)], [60, 1]);
        var y = there.mm(tensor([5.0, -3, 2], [1, 3])) + Rows.Normal(60, 3) * 0.05;
        using var learned = Of(new() { Gamma = 1, Steps = 40 }).Learn(y, 1, TestContext.Current.CancellationToken);
        Rows.Close(y.masked_select(there.to(ScalarType.Bool)).reshape(20, 3).mean([0]), learned.Dictionary.squeeze(1), 1e-6);
        Assert.Equal(1.0 / 3, learned.Report["pi"], 1e-6);
        Rows.Close(there, learned.Codes(y), 1e-6);
        Rows.Close(there.mm(learned.Dictionary.t()), learned.Reconstruct(y), 1e-5);
        var likeliest = ((SparseParts)learned).Likeliest(y[0]);
        Assert.Equal(1, likeliest[0].Causes[0]);
        Assert.Equal(1, likeliest[0].Probability, 1e-6);
    }

    [Fact]
    public void Truncation_is_that_of_the_binomial_and_nothing_where_all_causes_may_be()
    {
        double Choose(int n, int k) => Enumerable.Range(1, k).Aggregate(1.0, (c, i) => c * (n - i + 1) / i);
        double[] rates = [.. Enumerable.Repeat(0.2, 7)];
        var (within, causes) = TruncatedExpectation.Truncation(rates, 3);
        Assert.Equal(Enumerable.Range(0, 4).Sum(g => Choose(7, g) * Math.Pow(0.2, g) * Math.Pow(0.8, 7 - g)), within, 1e-12);
        Assert.Equal(Enumerable.Range(0, 4).Sum(g => g * Choose(7, g) * Math.Pow(0.2, g) * Math.Pow(0.8, 7 - g)), causes, 1e-12);
        (within, causes) = TruncatedExpectation.Truncation(rates, 7);
        Assert.Equal((1, 1.4), (Math.Round(within, 12), Math.Round(causes, 12)));
    }

    [Theory, MemberData(nameof(Models))]
    public void States_are_counted_as_they_are_and_called_by_their_causes(string model)
    {
        var method = Of(new() { Model = model, Candidates = 4, Gamma = 3 });
        double[] values = method.Model().Values;
        var states = method.States(6, 10);
        Assert.Equal(SparseStates.CountOf(6, 4, 3, values.Length), states.Count);
        int[] causes = new int[3], at = new int[3];
        var seen = new HashSet<string>();
        for (int s = 0; s < states.Count; s++)
        {
            int count = states.Read(s, [5, 0, 3, 2], causes, at);
            Assert.InRange(count, 0, 3);
            Assert.Equal(count, causes.Take(count).Distinct().Count());
            Assert.True(seen.Add(string.Join(" ", causes.Take(count).Zip(at))));
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void Causes_in_another_order_make_the_same_step_in_that_order(string model)
    {
        using var scope = NewDisposeScope();
        var method = Of(new() { Model = model, Candidates = 3, Gamma = 2 });
        double[] y = Rows.Values(Images(40));
        var p = Drawn(model, 5, 9) with { Sigma = 4 };
        int[] order = [3, 0, 4, 1, 2];
        double[] Turned(double[] of, int width) => [.. order.SelectMany(h => of.Skip(h * width).Take(width))];
        var turned = p with { W = Turned(p.W, 9), SlabMean = Turned(p.SlabMean, 1), SlabVariance = Turned(p.SlabVariance, 1) };
        SparseParameters Next(SparseParameters from) => new TruncatedExpectation(method.Model(), method.States(5, 40), y, 9).Next(from, 1.5, 0.5, TestContext.Current.CancellationToken);
        var (plain, other) = (Next(p), Next(turned));
        Assert.All(Turned(plain.W, 9).Zip(other.W), q => Assert.Equal(q.First, q.Second, 1e-7 * (1 + Math.Abs(q.First))));
        Assert.Equal(plain.Sigma, other.Sigma, 1e-9);
    }

    [Fact]
    public void Maxima_are_nearly_that_when_cold_one_part_is_itself_and_of_magnitudes_the_sign_stays()
    {
        var p = Drawn("mca", 3, 4) with { W = [1, 5, 2, 9, 8, 1, 1, 3, 0.5, 0.5, 0.5, 0.5], Sigma = 1 };
        var states = new SparseStates(3, 3, 3, [1]);
        double[] Rows(ISparseModel model, SparseParameters of, int state, double temperature)
        {
            double[] probability = new double[states.Count], codes = new double[3], row = new double[4];
            probability[state] = 1;
            model.At(of, temperature, states).Expect(new double[4], probability, [0, 1, 2], codes, row);
            return row;
        }
        Assert.All(Rows(new MaximalCauses(false, false), p, states.Count - 1, 1).Zip([8.0, 5, 2, 9]), q => Assert.InRange(q.First / q.Second, 1, Math.Pow(3, 1.0 / 20)));
        Assert.All(Rows(new MaximalCauses(false, false), p, states.Count - 1, 1e9).Zip([9.5, 6.5, 3.5, 12.5]), q => Assert.Equal(q.First, q.Second, 1e-6)); // when hot, sums
        Assert.Equal([8, 1, 1, 3], Rows(new MaximalCauses(false, false), p, 2, 1));
        Assert.Equal([-8, 5, 2, 9], Rows(new MaximalCauses(true, false), p with { W = [1, 5, 2, 9, -8, 1, 1, 3, 0.5, 0.5, 0.5, -0.5] }, states.Count - 1, 1));
    }

    [Fact]
    public void Bars_are_found_in_sums_and_in_maxima_with_their_rate_and_noise()
    {
        using var scope = NewDisposeScope();
        var bars = BarsTask.Bars(new() { Side = 3 });
        using (var sums = Of(new() { Steps = 60, Candidates = 5, Gamma = 3 }).Learn(Images(250), 6, TestContext.Current.CancellationToken))
        {
            Assert.Equal(1, BarsTask.Found(sums.Dictionary, bars, 2));
            Assert.Equal(0.25, sums.Report["pi"], 0.05); // √(0.25 · 0.75 / 1500) = 0.011
            Assert.Equal(1, sums.Report["sigma"], 0.1);
        }
        using var maxima = Of(new() { Model = "mca", Steps = 60, Candidates = 5, Gamma = 3 }).Learn(Images(250, "max"), 6, TestContext.Current.CancellationToken);
        Assert.InRange(BarsTask.Found(maxima.Dictionary, bars, 2), 0.8, 1);
        Assert.Equal(0, BarsTask.Found(eye(9, 6, dtype: ScalarType.Float64), bars, 2));
    }

    [Theory, MemberData(nameof(Models))]
    public async Task One_processor_learns_what_many_do(string model)
    {
        double[] Learned()
        {
            using var scope = NewDisposeScope();
            var y = Images(100);
            using var learned = Of(new() { Model = model, Steps = 6, Candidates = 3, Gamma = 2, Noise = 0.1 }).Learn(y, 5);
            return Rows.Values(learned.Dictionary);
        }
        var alone = new TaskFactory(new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, 1).ConcurrentScheduler);
        double[] one = await alone.StartNew(Learned, TestContext.Current.CancellationToken);
        Assert.Equal(one, Learned());
    }

    [Fact]
    public void What_cannot_be_looked_at_is_refused()
    {
        using var scope = NewDisposeScope();
        var y = Images(40);
        string Refused(ProsperOptions options, int parts = 6, Tensor? rows = null) => Assert.Throws<InputException>(() => Of(options).Learn(rows ?? y, parts, TestContext.Current.CancellationToken)).Message;
        Assert.Contains("at most 6, the parts", Refused(new() { Candidates = 7 }));
        Assert.Contains("at most 3, the candidates", Refused(new() { Candidates = 3, Gamma = 4 }));
        Assert.Contains("states of each of 40 rows", Refused(new() { Candidates = 40, Gamma = 10 }, 40));
        Assert.Contains("states of each", Refused(new() { Model = "dsc", Values = "1 2 3 4 5 6 7 8 9 10", Gamma = 6, Candidates = 6 }));
        Assert.Contains("a mean of", Refused(new() { Model = "mca" }, rows: -y));
        Assert.Contains("finite numbers that differ", Refused(new() { Model = "dsc", Values = "1 0" }));
        Assert.Contains("finite numbers that differ", Refused(new() { Model = "dsc", Values = "1 x" }));
        Assert.Contains("rows that differ", Refused(new(), rows: ones(20, 4, dtype: ScalarType.Float64)));
        // a row of zeros has no direction, and is looked at all the same
        var zero = y.clone();
        zero[3].zero_();
        using var learned = Of(new() { Steps = 5 }).Learn(zero, 6, TestContext.Current.CancellationToken);
        Assert.All(Rows.Values(learned.Codes(zero)), c => Assert.True(double.IsFinite(c)));
    }

    [Fact]
    public void The_density_along_principal_components_is_the_closed_form()
    {
        using var scope = NewDisposeScope();
        var y = Rows.Normal(60, 5) * tensor([3.0, 2, 1, 0.5, 0.4]);
        using var learned = new PcaDictionary().Learn(y, 2, TestContext.Current.CancellationToken);
        var centred = y - y.mean([0], keepdim: true);
        double[] variances = Rows.Values(linalg.eigvalsh(centred.t().mm(centred) / 60).flip(0));
        double noise = variances.Skip(2).Average();
        double expected = -0.5 * (5 * Math.Log(2 * Math.PI) + Math.Log(variances[0]) + Math.Log(variances[1]) + 3 * Math.Log(noise) + 5);
        Assert.Equal(expected, learned.LogLikelihood(y).mean().item<double>(), 1e-6);
        Assert.Equal(Math.Sqrt(noise), learned.Report["sigma"], 1e-6);
    }

    [Fact]
    public void Independent_components_unmix_what_is_independent_and_factors_are_not_negative()
    {
        using var scope = NewDisposeScope();
        var random = new SeededRandom(2, "sources");
        var sources = tensor([.. Enumerable.Range(0, 4000).Select(_ => random.NextDouble() - 0.5)], [2000, 2]);
        var mixing = tensor([2.0, 1, -1, 1, 0.5, 3], [2, 3]);
        using var learned = ((IDictionaryLearner)Arena.Build("ica")).Learn(sources.mm(mixing), 2, TestContext.Current.CancellationToken);
        Assert.Equal(1, BarsTask.Found(learned.Dictionary, mixing, 0.15)); // of a length of 2.4 a twentieth
        using var factors = ((IDictionaryLearner)Arena.Build("nmf")).Learn(Images(50), 4, TestContext.Current.CancellationToken);
        Assert.InRange(factors.Dictionary.min().item<double>(), 0, 10);
        Assert.InRange(factors.Codes(Images(5, seed: 2)).min().item<double>(), 0, 10);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Two_runs_are_equal_nothing_outlives_them_and_what_is_wrong_is_refused(string method)
    {
        using var scope = NewDisposeScope();
        var (y, asked) = (Images(60), Images(9, seed: 2));
        double[] Run()
        {
            using var inner = NewDisposeScope();
            using var learned = ((IDictionaryLearner)Arena.Build(method, seed: 3)).Learn(y, 4, TestContext.Current.CancellationToken);
            Assert.Equal([9, 4], learned.Dictionary.shape);
            Assert.Contains("row 2, column 1", Assert.Throws<InputException>(() => learned.Codes(Bad(asked))).Message);
            Assert.Throws<ArgumentException>(() => learned.LogLikelihood(asked.narrow(1, 0, 4)));
            return [.. Rows.Values(learned.Dictionary), .. Rows.Values(learned.Codes(asked)), .. Rows.Values(learned.Reconstruct(asked)), .. Rows.Values(learned.LogLikelihood(asked)), learned.Report["sigma"]];
        }
        double[] first = Run();
        Assert.Equal(36 + 36 + 81 + 9 + 1, first.Length);
        Assert.All(first, v => Assert.True(double.IsFinite(v)));
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(first, Run());
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        var learner = (IDictionaryLearner)Arena.Build(method);
        string Refused(Tensor rows, int parts) => Assert.Throws<InputException>(() => learner.Learn(rows, parts, TestContext.Current.CancellationToken)).Message;
        Assert.Contains("row 2, column 1", Refused(Bad(y), 4));
        Assert.Contains("1 to 60", Refused(y, 61));
        Assert.Contains("1 to 60", Refused(y, 0));
        Assert.Contains("at least one row", Refused(zeros(0, 3, dtype: ScalarType.Float64), 1));
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => learner.Learn(y, 4, stop.Token));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_reports_every_metric_of_bars_of_digits_and_of_a_users_table(string method)
    {
        string file = Path.Combine(_folder, "rows.csv");
        var random = new SeededRandom(1, "table");
        File.WriteAllLines(file, ["a,b,c,kind", .. Enumerable.Range(0, 30).Select(i => FormattableString.Invariant($"{random.NextNormal() + 3},{random.NextNormal()},{random.NextNormal()},{"xy"[i % 2]}"))]);
        foreach (var (task, source, given) in new (string, string?, JsonObject)[] { ("bars", null, new() { ["rows"] = 60, ["test"] = 20, ["side"] = 3, ["superposition"] = "max" }), ("dictionary", null, new() { ["rows"] = 60, ["test"] = 20, ["patch"] = 5, ["parts"] = 4 }), ("dictionary", file, new() { ["parts"] = 3 }) })
        {
            var drawn = new List<string>();
            var metrics = Run(task, method, source, given, e => drawn.Add(e is MetricEvent m ? m.Name : ""));
            Assert.All(Arena.MetricsOf(task), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            Assert.Contains(drawn, n => n.StartsWith("part/", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Problems_that_cannot_be_are_refused()
    {
        string Refused(string task, string? source, JsonObject given) => Assert.Throws<InputException>(() => Run(task, "pca", source, given, _ => { })).Message;
        Assert.Contains("makes its images", Refused("bars", "digits", []));
        Assert.Contains("at most 8, the bars", Refused("bars", null, new() { ["present"] = 9 }));
        Assert.Contains("at most 50", Refused("dictionary", null, new() { ["parts"] = 51, ["rows"] = 50 }));
        Assert.Contains("at most 64 parts", Refused("dictionary", null, new() { ["parts"] = 65, ["rows"] = 100 }));
    }

    private static Tensor Bad(Tensor y)
    {
        var bad = y.clone();
        bad[2, 1] = double.PositiveInfinity;
        return bad;
    }

    private IReadOnlyDictionary<string, double> Run(string task, string method, string? source, JsonObject given, Action<TrialEvent> report)
    {
        var card = Arena.Task(task);
        object options = card.Options.Bind(given, "task");
        var data = Arena.Inspect(source, card, options, new(), TestContext.Current.CancellationToken);
        var own = Arena.Method(method).Options.Bind(method == "prosper" ? new JsonObject { ["steps"] = 10 } : [], method);
        return Arena.Run(new(Arena.Id, task, card.Options.Canonical(options), method, Arena.Method(method).Options.Canonical(own), 1, data.Reference, "code", 1), new(1, _folder, report, TestContext.Current.CancellationToken)).Metrics;
    }
}
