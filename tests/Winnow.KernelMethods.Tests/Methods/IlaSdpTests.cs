using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class IlaSdpTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-groups").FullName;

    public static TheoryData<string> Methods => [.. Arena.Methods.Where(m => m.Needs.Contains("points")).Select(m => m.Id)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Clusters Group(string method, Tensor x, int groups, JsonObject? options = null, ulong seed = 3) => ((IClusterer)Arena.Build(method, options, seed)).Group(x, groups, TestContext.Current.CancellationToken);

    private static (Tensor X, int[] Truth) Made(ulong seed = 1, int groups = 3, int each = 8, int features = 3, double separation = 12, string shape = "own") =>
        ClusterTask.Made(new() { Made = groups, Each = each, Features = features, Separation = separation, Shape = shape }, new SeededRandom(seed, "groups"));

    private static int[] Labels(int n, int groups, ulong seed)
    {
        var random = new SeededRandom(seed, "labels");
        return [.. Enumerable.Range(0, n).Select(i => i < groups ? i : random.Next(groups))];
    }

    private static Tensor Spread(int groups, int d, ulong seed) => stack([.. Enumerable.Range(0, groups).Select(g => Rows.Normal(d + 2, d, seed + (ulong)g)).Select(a => a.t().mm(a) / (d + 2))]);

    [Fact]
    public void The_objective_of_a_grouping_is_its_likelihood_without_means()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(11, 3);
        int[] labels = Labels(11, 3, 1);
        var sigma = Spread(3, 3, 5);
        double expected = 0;
        for (int g = 0; g < 3; g++)
        {
            var own = x.index_select(0, tensor(Enumerable.Range(0, 11).Where(i => labels[i] == g).Select(i => (long)i).ToArray()));
            var apart = own - own.mean([0], keepdim: true);
            expected -= (apart.mm(linalg.inv(sigma[g])) * apart).sum().item<double>() + own.shape[0] * linalg.slogdet(sigma[g]).Item2.item<double>();
        }
        Assert.Equal(expected, IlaSdp.Hard(IlaSdp.Affinities(x, sigma), labels, 3), 1e-9);
        // moved and turned with its covariances nothing changes
        var (turn, _) = linalg.qr(Rows.Normal(3, 3, 9));
        Rows.Close(IlaSdp.Affinities(x, sigma), IlaSdp.Affinities((x + 5).mm(turn), turn.t().matmul(sigma).matmul(turn)), 1e-8);
    }

    [Fact]
    public void The_covariance_of_a_grouping_is_that_of_its_rows()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(12, 2);
        int[] labels = Labels(12, 2, 4);
        var sigma = IlaSdp.Covariances(x, SdpKMeans.Indicators(labels, 2), 0);
        for (int g = 0; g < 2; g++)
        {
            var own = x.index_select(0, tensor(Enumerable.Range(0, 12).Where(i => labels[i] == g).Select(i => (long)i).ToArray()));
            var apart = own - own.mean([0], keepdim: true);
            Rows.Close(apart.t().mm(apart) / own.shape[0], sigma[g], 1e-10);
        }
    }

    [Theory, InlineData(1), InlineData(3)]
    public void The_projection_meets_the_equations_is_the_nearest_and_stays(int m)
    {
        using var scope = NewDisposeScope();
        var random = new SeededRandom(2, "matrices");
        double[] start = new double[m * 49], other = new double[m * 49];
        foreach (double[] of in new[] { start, other })
            for (int k = 0; k < m; k++)
                for (int i = 0; i < 7; i++)
                    for (int j = 0; j <= i; j++)
                        of[(k * 7 + i) * 7 + j] = of[(k * 7 + j) * 7 + i] = random.NextNormal();
        double[] met = [.. start], again, elsewhere = [.. other];
        MembershipSdp.Meet(met, m, 7, 2);
        MembershipSdp.Meet(elsewhere, m, 7, 2);
        var sum = Aligned.Of(met, m, 7, 7).sum([0]);
        Rows.Close(ones(7, dtype: ScalarType.Float64), sum.sum(1), 1e-12);
        Assert.Equal(2, sum.trace().item<double>(), 1e-12);
        MembershipSdp.Meet(again = [.. met], m, 7, 2);
        Assert.All(met.Zip(again), p => Assert.Equal(p.First, p.Second, 1e-12));
        // what was taken away is orthogonal to all ways within the equations
        Assert.Equal(0, Enumerable.Range(0, met.Length).Sum(i => (start[i] - met[i]) * (elsewhere[i] - met[i])), 1e-9);
    }

    [Fact]
    public void The_bound_is_above_every_grouping_and_meets_the_best_where_groups_are_clear()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(8, 2);
        foreach (bool single in new[] { true, false })
        {
            var a = single ? RowGram.Centred(x).unsqueeze(0) : IlaSdp.Affinities(x, Spread(2, 2, 7));
            double best = double.NegativeInfinity;
            for (int bits = 1; bits < 255; bits++)
            {
                int[] labels = [.. Enumerable.Range(0, 8).Select(i => bits >> i & 1)];
                var z = SdpKMeans.Indicators(labels, 2);
                best = Math.Max(best, ((single ? z.sum([0], keepdim: true) : z) * a).sum().item<double>());
            }
            var found = MembershipSdp.Solve(a, 2, 1e-7, 20_000, null, TestContext.Current.CancellationToken);
            Assert.InRange(found.Bound, best - 1e-6, double.PositiveInfinity);
            Assert.InRange(found.Objective, best - 1e-4, found.Bound + 1e-3);
            Assert.Equal(found.Objective, found.Bound, 1e-3 * Math.Abs(found.Objective));
            // early, and of any prices whatever, the bound is one
            Assert.InRange(MembershipSdp.Solve(a, 2, 1e-7, 5, null, TestContext.Current.CancellationToken).Bound, best - 1e-6, double.PositiveInfinity);
            Assert.InRange(MembershipSdp.Bound(a, Rows.Normal(8, 1).squeeze(1), Rows.Normal(8, 8).abs() is var noise ? noise + noise.t() : null!, 2), best - 1e-6, double.PositiveInfinity);
        }
    }

    [Fact]
    public void Of_clear_groups_the_program_is_solved_by_their_matrices_and_is_feasible()
    {
        using var scope = NewDisposeScope();
        var (x, truth) = Made();
        var sigma = IlaSdp.Covariances(x, SdpKMeans.Indicators(truth, 3), 1e-3);
        var a = IlaSdp.Affinities(x, sigma);
        var found = MembershipSdp.Solve(a, 3, 1e-8, 20_000, null, TestContext.Current.CancellationToken);
        Rows.Close(SdpKMeans.Indicators(truth, 3), found.Z(), 1e-4);
        Assert.Equal(IlaSdp.Hard(a, truth, 3), found.Objective, 1e-4 * Math.Abs(found.Objective));
        Assert.Equal(found.Objective, found.Bound, 1e-4 * Math.Abs(found.Objective));
        Assert.InRange(found.X.Min(), -1e-6, 1);
        Assert.InRange(linalg.eigvalsh(found.Z()).min().item<double>(), -1e-6, 1);
        Rows.Close(ones(24, dtype: ScalarType.Float64), found.Z().sum([0]).sum(1), 1e-10);
    }

    [Fact]
    public void With_one_covariance_for_all_it_is_the_program_of_k_means()
    {
        using var scope = NewDisposeScope();
        var (x, _) = Made(4, 2, 6, 2, 3);
        var one = Spread(1, 2, 3);
        var both = MembershipSdp.Solve(IlaSdp.Affinities(x, cat([one, one])), 2, 1e-8, 20_000, null, TestContext.Current.CancellationToken);
        var single = MembershipSdp.Solve(IlaSdp.Affinities(x, one), 2, 1e-8, 20_000, null, TestContext.Current.CancellationToken);
        Assert.Equal(single.Objective, both.Objective, 1e-4);
        Rows.Close(single.Z()[0], both.Z().sum([0]), 1e-3);
    }

    [Fact]
    public void Assignments_are_the_cheapest_of_all()
    {
        var random = new SeededRandom(5, "costs");
        for (int draw = 0; draw < 20; draw++)
        {
            double[,] cost = new double[4, 5];
            for (int i = 0; i < 20; i++)
                cost[i / 5, i % 5] = random.NextNormal();
            IEnumerable<int[]> Ways(int[] so) => so.Length == 4 ? [so] : Enumerable.Range(0, 5).Except(so).SelectMany(j => Ways([.. so, j]));
            double Cost(int[] way) => Enumerable.Range(0, 4).Sum(i => cost[i, way[i]]);
            Assert.Equal(Ways([]).Min(Cost), Cost(Assignment.Of(cost)), 1e-12);
        }
        Assert.Equal(0.25, Assignment.Misclustered([1, 1, 0, 0], [0, 0, 0, 1]));
        Assert.Equal(0.5, Assignment.Misclustered([0, 1, 2, 3], [0, 0, 1, 1])); // groups in excess match none
        Assert.Throws<ArgumentException>(() => Assignment.Of(new double[2, 1]));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Clear_groups_are_found_in_any_order_the_same_twice_and_without_a_tensor_left(string method)
    {
        using var scope = NewDisposeScope();
        var (x, truth) = Made(shape: "round");
        var found = Group(method, x, 3);
        Assert.Equal(0, Assignment.Misclustered(found.Labels, truth));
        Assert.All(found.Report.Values, v => Assert.True(double.IsFinite(v)));
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(found.Labels, Group(method, x, 3).Labels);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        int[] order = [.. Enumerable.Range(0, 24).Select(i => i * 5 % 24)];
        Assert.Equal(0, Assignment.Misclustered(Group(method, x.index_select(0, tensor(order.Select(i => (long)i).ToArray())), 3).Labels, [.. order.Select(i => truth[i])]));
        Assert.All(Group(method, x, 1).Labels, l => Assert.Equal(0, l));
        // doubled rows and a constant feature
        var odd = cat([cat([x, x]), ones(48, 1, dtype: ScalarType.Float64)], 1);
        Assert.Equal(0, Assignment.Misclustered(Group(method, odd, 3).Labels, [.. truth, .. truth]));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Rows_that_are_none_and_groups_that_cannot_be_are_refused_and_a_cancelled_run_stops(string method)
    {
        using var scope = NewDisposeScope();
        var (x, _) = Made();
        string Refused(Tensor rows, int groups) => Assert.Throws<InputException>(() => Group(method, rows, groups)).Message;
        var bad = x.clone();
        bad[7, 2] = double.NaN;
        Assert.Contains("row 7, column 2", Refused(bad, 3));
        Assert.Contains("1 to 24", Refused(x, 0));
        Assert.Contains("1 to 24", Refused(x, 25));
        Assert.Contains("at least one row", Refused(zeros(0, 3, dtype: ScalarType.Float64), 1));
        Assert.Contains("Float32", Refused(zeros(4, 3), 1));
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => ((IClusterer)Arena.Build(method)).Group(x, 3, stop.Token));
    }

    [Fact]
    public void What_memberships_cannot_hold_is_refused()
    {
        using var scope = NewDisposeScope();
        var (x, truth) = Made();
        string Refused(Func<Clusters> group) => Assert.Throws<InputException>(group).Message;
        Assert.Contains("at most 12, two rows a group", Refused(() => Group("ila-sdp", x, 13)));
        Assert.Contains("GB of memberships", Refused(() => Group("ila-sdp", Rows.Normal(1001, 2), 2)));
        Assert.Contains("GB of memberships", Refused(() => Group("sdp-k-means", Rows.Normal(1001, 2), 2)));
        Assert.Contains("ridge above 0", Refused(() => Group("ila-sdp", cat([x, ones(24, 1, dtype: ScalarType.Float64)], 1), 3, new() { ["ridge"] = 0 })));
        Assert.Contains("ridge above 0", Refused(() => Group("ila-sdp", ones(8, 2, dtype: ScalarType.Float64), 2)));
        Assert.Contains("ridge", Refused(() => Group("gaussian-mixture", ones(8, 2, dtype: ScalarType.Float64), 2)));
        var method = (IlaSdp)Arena.Build("ila-sdp");
        Assert.Contains("no row in group 2", Refused(() => method.From(x, [.. truth.Select(l => Math.Min(l, 1))], 3, TestContext.Current.CancellationToken)));
        Assert.Contains("from 0 to 2", Refused(() => method.From(x, [0, 1, 2], 3, TestContext.Current.CancellationToken)));
        Assert.Equal(truth, method.From(x, truth, 3, TestContext.Current.CancellationToken).Labels);
        Assert.Equal(1, method.From(cat([x, x.narrow(0, 0, 2) + 40]), [.. truth, 3, 3], 4, TestContext.Current.CancellationToken).Report["flat"]); // two rows in three dimensions
    }

    [Fact]
    public void Made_groups_have_means_at_one_distance_and_the_stated_variances()
    {
        using var scope = NewDisposeScope();
        var (x, truth) = ClusterTask.Made(new() { Each = 4000, Made = 5, Separation = 7 }, new SeededRandom(3, "groups"));
        var means = stack([.. Enumerable.Range(0, 5).Select(g => x.narrow(0, g * 4000, 4000).mean([0]))]);
        for (int a = 0; a < 5; a++)
        {
            for (int b = 0; b < a; b++)
                Assert.Equal(7, (means[a] - means[b]).norm().item<double>(), 0.2); // deviation of a mean at most √(6/4000) = 0.04, of a distance √2 of that
            PrincipalAxes.Of(x.narrow(0, a * 4000, 4000), out var variances);
            Rows.Close(tensor([1.0, 1, 1, 1]), variances / tensor([6, 1, 0.3, 0.1]), 0.15); // each 1 ± √(2/4000) = 0.022
        }
        Assert.Equal(4000, truth.Count(l => l == 4));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_reports_every_metric_of_made_groups_and_of_a_users_table(string method)
    {
        string file = Path.Combine(_folder, "groups.csv");
        var random = new SeededRandom(1, "table");
        File.WriteAllLines(file, ["a,b,kind", .. Enumerable.Range(0, 20).Select(i => FormattableString.Invariant($"{(i % 2) * 9 + random.NextNormal()},{100 * random.NextNormal()},{"xy"[i % 2]}"))]);
        foreach (var (source, given) in new (string?, JsonObject)[] { (file, []), (null, new() { ["each"] = 8, ["separation"] = 20, ["shape"] = "same" }) })
        {
            var metrics = Run(method, source, given);
            Assert.All(Arena.MetricsOf("cluster"), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            if (source is null)
                Assert.Equal((0, 1, 1), (metrics["misclustered"], metrics["ari"], metrics["exact"]));
        }
    }

    [Fact]
    public void Tables_without_groups_and_problems_that_cannot_be_made_are_refused()
    {
        string file = Path.Combine(_folder, "one.csv");
        File.WriteAllText(file, "a,b,kind\n1,2,x\n2,1,x\n3,3,x\n4,1,x\n");
        Assert.Contains("one class", Assert.Throws<InputException>(() => Run("k-means", file, [])).Message);
        Assert.Contains("at most 5", Assert.Throws<InputException>(() => Run("k-means", null, new() { ["made"] = 6 })).Message);
        Assert.Contains("at most 90", Assert.Throws<InputException>(() => Run("k-means", null, new() { ["groups"] = 91 })).Message);
    }

    private IReadOnlyDictionary<string, double> Run(string method, string? source, JsonObject given)
    {
        var card = Arena.Task("cluster");
        object options = card.Options.Bind(given, "task");
        var data = Arena.Inspect(source, card, options, new(), TestContext.Current.CancellationToken);
        return Arena.Run(new(Arena.Id, "cluster", card.Options.Canonical(options), method, Arena.Method(method).Options.Canonical(Arena.Method(method).Options.Bind([], method)), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
    }
}
