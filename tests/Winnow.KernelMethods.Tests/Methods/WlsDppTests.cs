using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class WlsDppTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-designs").FullName;

    public static TheoryData<string, string> Samplers => new()
    {
        { "wls-dpp", "{}" }, { "wls-dpp", "{\"sampler\":\"volume\"}" }, { "wls-dpp", "{\"sampler\":\"generalised-volume\",\"stable\":0.02}" },
        { "leverage-sampling", "{}" }, { "leverage-sampling", "{\"stable\":0.02}" }, { "uniform-sampling", "{}" },
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IDesigner Of(string method, string options = "{}") => (IDesigner)Arena.Build(method, (JsonObject)JsonNode.Parse(options)!);

    /// <summary>Orthonormal columns [n, m].</summary>
    private static Tensor Orthonormal(int n, int m, ulong seed = 1) => linalg.qr(Rows.Normal(n, m, seed)).Q;

    private static double Determinant(Tensor k, params int[] s)
    {
        var some = tensor(s.Select(i => (long)i).ToArray());
        return linalg.det(k.index_select(0, some).index_select(1, some)).item<double>();
    }

    [Fact] // all sets of 3 of 6: their probabilities are det K_S and sum to 1, and 20,000 draws are as often each. False alarm: a χ² of 19 degrees above 60 has probability 4e-6
    public void Sets_are_drawn_with_the_determinant_of_their_kernel_and_the_order_of_a_draw_is_the_chain_rules()
    {
        using var scope = NewDisposeScope();
        const int draws = 20_000;
        var v = Orthonormal(6, 3);
        var k = v.mm(v.t());
        var process = new ProjectionDpp(v);
        var random = new SeededRandom(1, "draws");
        var counts = new Dictionary<string, int>();
        int[] first = new int[6];
        for (int i = 0; i < draws; i++)
        {
            int[] picks = process.Sample(random);
            Assert.Equal(3, picks.Distinct().Count());
            first[picks[0]]++;
            string set = string.Join(' ', picks.Order());
            counts[set] = counts.GetValueOrDefault(set) + 1;
        }
        double square = 0, sum = 0;
        for (int a = 0; a < 6; a++)
            for (int b = a + 1; b < 6; b++)
                for (int c = b + 1; c < 6; c++)
                {
                    double p = process.Probability([a, b, c]);
                    Assert.Equal(Determinant(k, a, b, c), p, 1e-12);
                    Assert.Equal(p, process.Probability([c, a, b]), 1e-12);
                    sum += p;
                    square += Math.Pow(counts.GetValueOrDefault($"{a} {b} {c}") - draws * p, 2) / (draws * p);
                }
        Assert.Equal(1, sum, 1e-12);
        Assert.InRange(square, 0, 60);
        // the first follows ‖v‖² / m: χ² of 5 degrees above 35 has probability 1.5e-6
        Assert.InRange(first.Select((count, j) => Math.Pow(count - draws * process.Inclusion[j] / 3, 2) / (draws * process.Inclusion[j] / 3)).Sum(), 0, 35);
        Assert.Equal(Determinant(k, 1, 4), process.Probability([1, 4]), 1e-12);
        Assert.Equal(0, process.Probability([2, 2]));
        Assert.Equal(0, process.Probability([0, 1, 2, 3]));
        Assert.Equal(process.Inclusion, Enumerable.Range(0, 6).Select(j => k[j, j].item<double>()), (x, y) => Math.Abs(x - y) < 1e-12);
    }

    [Fact]
    public void Conditional_probabilities_sum_to_one_leave_out_what_was_picked_and_multiply_to_the_probability_of_the_order()
    {
        using var scope = NewDisposeScope();
        var v = Orthonormal(9, 4, 3);
        var process = ProjectionDpp.OfKernel(v.mm(v.t()));
        Assert.Equal(4, process.Rank);
        int[] picks = [3, 0, 8, 5];
        double[][] steps = process.Conditionals(picks);
        for (int t = 0; t < 4; t++)
        {
            Assert.Equal(1, steps[t].Sum(), 1e-12);
            Assert.All(steps[t], p => Assert.True(p >= 0));
            Assert.All(picks[..t], j => Assert.Equal(0, steps[t][j]));
        }
        // of the 24 orders of a set all are as likely
        Assert.Equal(process.Probability(picks) / 24, Enumerable.Range(0, 4).Aggregate(1.0, (p, t) => p * steps[t][picks[t]]), 1e-12);
        Assert.Contains("possible", Assert.Throws<ArgumentException>(() => process.Conditionals([3, 3])).Message);
        // every candidate is drawn where there are as many
        Assert.Equal(Enumerable.Range(0, 5), new ProjectionDpp(Orthonormal(5, 5)).Sample(new SeededRandom(2, "all")).Order());
    }

    [Fact] // E[G] = I for ν, volume and repeated draws; each entry of the mean is within 6 of its standard errors: false alarm below 3 · 10 · 2e-9 (Bonferroni, normal)
    public void Gram_matrices_are_the_identity_on_average_on_a_cube_and_on_candidates()
    {
        using var scope = NewDisposeScope();
        foreach (IBasis basis in (IBasis[])[new LegendreBasis(4, 2), new CandidateBasis(Orthonormal(30, 4) * Math.Sqrt(30))])
            foreach (var designer in (IDesigner[])[Of("wls-dpp"), Of("wls-dpp", "{\"sampler\":\"volume\"}"), Of("leverage-sampling")])
            {
                var random = new SeededRandom(5, "gram");
                const int draws = 1500;
                double[] sum = new double[16], squares = new double[16];
                for (int i = 0; i < draws; i++)
                {
                    double[] g = Rows.Values(WeightedLeastSquares.Gram(designer.Choose(basis, 8, random, TestContext.Current.CancellationToken)));
                    for (int e = 0; e < 16; e++)
                        (sum[e], squares[e]) = (sum[e] + g[e], squares[e] + g[e] * g[e]);
                }
                for (int e = 0; e < 16; e++)
                {
                    double mean = sum[e] / draws, error = Math.Sqrt((squares[e] / draws - mean * mean) / draws);
                    Assert.InRange(mean - (e % 5 == 0 ? 1 : 0), -6 * error - 1e-12, 6 * error + 1e-12);
                }
            }
    }

    [Theory, MemberData(nameof(Samplers))]
    public void A_function_of_the_space_is_recovered_by_every_way_of_choosing_points(string method, string options)
    {
        using var scope = NewDisposeScope();
        var truth = Rows.Normal(6, 2, 9);
        foreach (IBasis basis in (IBasis[])[new LegendreBasis(6, 1), new LegendreBasis(6, 2), new CandidateBasis(Orthonormal(40, 6) * Math.Sqrt(40))])
        {
            var design = Of(method, options).Choose(basis, 18, new SeededRandom(3, "points"), TestContext.Current.CancellationToken);
            Assert.Equal(18, design.Count);
            var values = tensor(design.Features, [18, 6]).mm(truth);
            Rows.Close(truth, WeightedLeastSquares.Fit(design, values), 1e-8);
            Assert.All(design.Weights, w => Assert.InRange(w, 1e-6, 6 + 1e-9));
            var again = Of(method, options).Choose(basis, 18, new SeededRandom(3, "points"), TestContext.Current.CancellationToken);
            Assert.Equal(design.Points, again.Points);
        }
    }

    [Fact] // by quadrature: what draws are taken from
    public void Legendre_functions_are_orthonormal_and_their_leverage_draws_have_its_moments()
    {
        using var scope = NewDisposeScope();
        var basis = new LegendreBasis(7, 2);
        var (nodes, weights) = Jacobi.Quadrature(12, 0, 0);
        double[] gram = new double[49], phi = new double[7];
        double second = 0;
        for (int i = 0; i < 144; i++)
        {
            double w = weights[i % 12] * weights[i / 12];
            basis.Values([nodes[i % 12], nodes[i / 12]], phi);
            second += w * nodes[i % 12] * nodes[i % 12] * phi.Sum(p => p * p) / 7;
            for (int e = 0; e < 49; e++)
                gram[e] += w * phi[e / 7] * phi[e % 7];
        }
        Rows.Close(eye(7, dtype: ScalarType.Float64), tensor(gram, [7, 7]), 1e-12);
        const int draws = 40_000;
        var random = new SeededRandom(4, "moments");
        double sum = 0, squares = 0;
        double[] point = new double[2];
        for (int i = 0; i < draws; i++)
        {
            basis.DrawLeverage(random, point);
            double x = point[0] * point[0];
            (sum, squares) = (sum + x, squares + x * x);
        }
        double error = Math.Sqrt((squares / draws - Math.Pow(sum / draws, 2)) / draws);
        Assert.InRange(sum / draws - second, -6 * error, 6 * error); // false alarm 2e-9
        // a Jacobi weight that is not even
        var (x2, w2) = Jacobi.Quadrature(8, 0.5, -0.3);
        double[] own = new double[5], products = new double[25];
        for (int i = 0; i < 8; i++)
        {
            Jacobi.Values(x2[i], 0.5, -0.3, own);
            for (int e = 0; e < 25; e++)
                products[e] += w2[i] * own[e / 5] * own[e % 5];
        }
        Rows.Close(eye(5, dtype: ScalarType.Float64), tensor(products, [5, 5]), 1e-12);
    }

    [Fact] // n = m: the fit interpolates, whatever points count; one function: a draw of φ² μ
    public void As_many_points_as_functions_are_interpolated_and_one_function_is_one_draw()
    {
        using var scope = NewDisposeScope();
        var basis = new LegendreBasis(5, 1);
        var design = Of("wls-dpp").Choose(basis, 5, new SeededRandom(1, "points"), TestContext.Current.CancellationToken);
        var values = tensor(design.Points.Select(x => Math.Exp(x)).ToArray(), [5, 1]);
        var weighted = WeightedLeastSquares.Fit(design, values);
        Rows.Close(weighted, WeightedLeastSquares.Fit(design with { Weights = [1, 1, 1, 1, 1] }, values), 1e-9);
        Rows.Close(values, tensor(design.Features, [5, 5]).mm(weighted), 1e-9);
        var one = new CandidateBasis(tensor(new double[] { 2, 0, 0, 0 }, [4, 1]), [0.25, 0.25, 0.25, 0.25]);
        for (ulong seed = 0; seed < 5; seed++)
            Assert.Equal([0.0], Of("wls-dpp").Choose(one, 1, new SeededRandom(seed, "one"), TestContext.Current.CancellationToken).Points); // where φ is 0 nothing is drawn
    }

    [Fact]
    public void Conditioned_draws_are_stable_and_draws_are_added_until_they_are()
    {
        var basis = new LegendreBasis(5, 1);
        foreach (var (method, options) in ((string, string)[])[("wls-dpp", "{\"sampler\":\"generalised-volume\"}"), ("leverage-sampling", "{\"stable\":0.5}")])
            Assert.InRange(Of(method, options).Choose(basis, 40, new SeededRandom(2, "points"), TestContext.Current.CancellationToken).SmallestEigenvalue, 0.5, 1);
        var design = new WlsDpp(new()).UntilStable(basis, new SeededRandom(2, "points"), cancellation: TestContext.Current.CancellationToken);
        Assert.InRange(design.SmallestEigenvalue, 0.5, 1);
        Assert.Equal(5 * design.Tries, design.Count);
    }

    [Fact]
    public void What_cannot_be_chosen_from_or_fitted_is_refused_with_the_numbers()
    {
        using var scope = NewDisposeScope();
        string Refused(Func<object> action) => Assert.Throws<InputException>(action).Message;
        var basis = new LegendreBasis(5, 1);
        var random = new SeededRandom(1, "points");
        var stop = TestContext.Current.CancellationToken;
        foreach (string method in (string[])["wls-dpp", "leverage-sampling", "uniform-sampling"])
            Assert.Contains("at least 5", Refused(() => Of(method).Choose(basis, 4, random, stop)));
        Assert.Contains("a multiple of 5", Refused(() => Of("wls-dpp").Choose(basis, 7, random, stop)));
        Assert.Contains("in 3 draws", Refused(() => Of("wls-dpp", "{\"sampler\":\"generalised-volume\",\"stable\":0.99,\"tries\":3}").Choose(basis, 6, random, stop)));
        Assert.Contains("in 3 draws", Refused(() => Of("leverage-sampling", "{\"stable\":0.99,\"tries\":3}").Choose(basis, 6, random, stop)));
        Assert.Contains("3 away", Refused(() => new CandidateBasis(Orthonormal(8, 2) * Math.Sqrt(32)))); // twice too long
        Assert.Contains("of sum 2", Refused(() => new CandidateBasis(Orthonormal(4, 2) * 2, [0.5, 0.5, 0.5, 0.5])));
        Assert.Contains("eigenvalue of 2", Refused(() => ProjectionDpp.OfKernel(eye(3, dtype: ScalarType.Float64) * 2)));
        Assert.Contains("column 1", Refused(() => CandidateBasis.Orthonormalised(ones(4, 2, dtype: ScalarType.Float64))));
        Assert.Contains("the rank of the centred", Refused(() => CandidateBasis.KernelPca(cat([ones(4, 2, dtype: ScalarType.Float64), zeros(1, 2, dtype: ScalarType.Float64)]), 3)));
        var design = Of("wls-dpp").Choose(basis, 10, random, stop);
        var values = zeros(10, 1, dtype: ScalarType.Float64);
        values[3, 0] = double.NaN;
        Assert.Contains("row 3", Refused(() => WeightedLeastSquares.Fit(design, values)));
        Assert.Contains("[10, k]", Refused(() => WeightedLeastSquares.Fit(design, values.narrow(0, 0, 9))));
        var same = new Design([.. Enumerable.Repeat(0.3, 6)], [.. Enumerable.Range(0, 6).SelectMany(_ => design.At(0).ToArray())], [1, 1, 1, 1, 1, 1], 5);
        Assert.Contains("smallest eigenvalue", Refused(() => WeightedLeastSquares.Fit(same, zeros(6, 1, dtype: ScalarType.Float64))));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        foreach (string method in (string[])["wls-dpp", "leverage-sampling", "uniform-sampling"])
            Assert.ThrowsAny<OperationCanceledException>(() => Of(method).Choose(basis, 10, random, cancelled.Token));
    }

    [Fact]
    public void Every_method_of_the_task_reports_every_metric_and_leaves_no_tensor()
    {
        var card = Arena.Task("design");
        foreach (string? source in (string?[])[null, "digits"])
        {
            object options = card.Options.Bind(new() { ["functions"] = 4, ["points"] = 8, ["draws"] = 5, ["candidates"] = 60 }, "task");
            var data = Arena.Inspect(source, card, options, new(), TestContext.Current.CancellationToken);
            foreach (var method in Arena.DefaultMethods(card))
            {
                IReadOnlyDictionary<string, double> Run() => Arena.Run(new(Arena.Id, "design", card.Options.Canonical(options), method.Id, method.Options.Canonical(method.Options.Bind([], method.Id)), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
                var metrics = Run();
                long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
                Assert.All(card.Metrics!, m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
                Assert.True(metrics["rms_error_ratio"] >= 1);
                Assert.Equal(metrics["rms_error_ratio"], Run()["rms_error_ratio"]);
                Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            }
        }
        string Refused(string? source, JsonObject given) => Assert.Throws<InputException>(() => Arena.Inspect(source, card, card.Options.Bind(given, "task"), new(), TestContext.Current.CancellationToken)).Message;
        Assert.Contains("task.points", Refused(null, new() { ["points"] = 3 }));
        Assert.Contains("100 candidates", Refused("digits", new() { ["functions"] = 101, ["points"] = 200, ["candidates"] = 100 }));
    }

    [Fact]
    public void Functions_of_the_space_leave_no_error_to_be_a_multiple_of() =>
        Assert.Contains("in whose span", Assert.Throws<InputException>(() => DesignTask.OnCube(new() { Functions = 200, Points = 200, Function = "wave" })).Message);

    // means of 6,000 draws, five deviations of them each, of 12 numbers: false alarm below 1e-5
    [Theory, InlineData("leverage"), InlineData("uniform"), InlineData("mixture")]
    public void Whatever_the_base_law_coefficients_are_those_of_the_projection_on_average(string law)
    {
        using var scope = NewDisposeScope();
        const int draws = 6000, n = 12, m = 3;
        var phi = Orthonormal(n, m) * Math.Sqrt(n);
        var basis = new CandidateBasis(phi);
        var f = Rows.Normal(n, 1, 7);
        var projection = phi.t().mm(f) / n;
        var random = new SeededRandom(4, "draws");
        var designer = new WlsDpp(new() { Sampler = "volume", Law = law });
        double[,] found = new double[draws, m];
        double[] leverage = Rows.Values(phi.square().sum(1) / m);
        for (int i = 0; i < draws; i++)
        {
            using var one = NewDisposeScope();
            var design = designer.Choose(basis, 5, random, TestContext.Current.CancellationToken);
            for (int p = 0; p < 5; p++)
            {
                double l = leverage[(int)design.Points[p]];
                Assert.Equal(law == "leverage" ? 1 / l : law == "uniform" ? 1 : 1 / (0.5 + 0.5 * l), design.Weights[p], 1e-10);
            }
            double[] c = Rows.Values(WeightedLeastSquares.Fit(design, f.index_select(0, tensor(design.Points.Select(p => (long)p).ToArray()))));
            for (int k = 0; k < m; k++)
                found[i, k] = c[k];
        }
        var all = tensor(found.Cast<double>().ToArray(), [draws, m]);
        var (mean, deviation) = (all.mean([0]), all.std(0) / Math.Sqrt(draws));
        Assert.InRange(((mean - projection.squeeze(1)) / deviation).abs().max().item<double>(), 0, 5);
    }

    [Fact] // oracle: every removal tried
    public void Points_too_many_are_removed_each_the_one_that_is_missed_least_and_boosting_keeps_the_best_draw()
    {
        using var scope = NewDisposeScope();
        var basis = new LegendreBasis(5, 1);
        var whole = new WlsDpp(new() { Sampler = "volume" }).Choose(basis, 14, new SeededRandom(3, "points"), TestContext.Current.CancellationToken);
        var removed = new WlsDpp(new() { Sampler = "volume", Surplus = 4 }).Choose(basis, 10, new SeededRandom(3, "points"), TestContext.Current.CancellationToken);
        List<int> left = [.. Enumerable.Range(0, 14)];
        double Smallest(IEnumerable<int> points)
        {
            var phi = stack([.. points.Select(i => tensor(whole.At(i).ToArray()) * Math.Sqrt(whole.Weights[i]))]);
            return linalg.eigvalsh(phi.t().mm(phi))[0].item<double>();
        }
        for (int step = 0; step < 4; step++)
            left.Remove(left.MaxBy(i => Smallest(left.Where(j => j != i))));
        Assert.Equal(left.Select(i => whole.Points[i]), removed.Points);
        Assert.Equal(left.Select(i => whole.Weights[i]), removed.Weights);
        Assert.Equal(Smallest(left) / 10, removed.SmallestEigenvalue, 1e-12);

        var random = new SeededRandom(5, "points");
        double best = Enumerable.Range(0, 6).Max(_ => new WlsDpp(new()).Choose(basis, 10, random, TestContext.Current.CancellationToken).SmallestEigenvalue);
        Assert.Equal(best, new WlsDpp(new() { Boost = 6 }).Choose(basis, 10, new SeededRandom(5, "points"), TestContext.Current.CancellationToken).SmallestEigenvalue);
        Assert.Contains("a multiple of 5", Assert.Throws<InputException>(() => new WlsDpp(new() { Surplus = 3 }).Choose(basis, 10, random, TestContext.Current.CancellationToken)).Message);
    }
}
