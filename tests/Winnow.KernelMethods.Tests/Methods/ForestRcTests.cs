using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class ForestRcTests
{
    private static KernelSetup Setup(ulong seed = 1) => new(purpose => new SeededRandom(seed, purpose));

    private static double[] Scores(TrainingRows rows, Tensor asked, ForestRcOptions options, ulong seed = 1)
    {
        using var scope = NewDisposeScope();
        using var fitted = new ForestRc(Setup(seed), options).Fit(rows, TestContext.Current.CancellationToken);
        return Rows.Values(fitted.Scores(asked));
    }

    [Theory, InlineData(6), InlineData(1000)] // a naive twin of one split: every place of every feature; few values are counted, many are sorted
    public void A_split_is_the_purest_of_all(int values)
    {
        var random = new SeededRandom(3, "rows");
        for (int round = 0; round < 20; round++)
        {
            int n = 30;
            float[][] columns = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, n).Select(_ => (float)random.Next(values)).ToArray())];
            int[] labels = [.. Enumerable.Range(0, n).Select(_ => random.Next(3))];
            var tree = new ClassificationTree([.. columns.Select(c => new FeatureColumn(c))], labels, 3, [.. Enumerable.Range(0, n)], random, tried: 3, depth: 1);
            double best = (from f in Enumerable.Range(0, 3) from t in columns[f].Distinct().Order().SkipLast(1) select Impurity(i => columns[f][i] <= t)).Min();
            var leaf = new double[n][];
            for (int i = 0; i < n; i++)
                tree.AddTo([columns[0][i], columns[1][i], columns[2][i]], leaf[i] = new double[3]);
            Assert.Equal(best, Impurity(i => leaf[i].SequenceEqual(leaf[0])), 1e-12);

            double Impurity(Func<int, bool> left) => Enumerable.Range(0, n).GroupBy(left).Sum(side => side.Count() * (1 - Enumerable.Range(0, 3).Sum(c => Math.Pow(side.Count(i => labels[i] == c) / (double)side.Count(), 2))));
        }
    }

    [Fact]
    public void A_tree_grows_until_rows_that_can_be_told_apart_are()
    {
        var random = new SeededRandom(3, "rows");
        float[][] columns = [.. Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, 50).Select(_ => random.NextSingle()).ToArray())];
        int[] labels = [.. Enumerable.Range(0, 50).Select(_ => random.Next(3))];
        var tree = new ClassificationTree([.. columns.Select(c => new FeatureColumn(c))], labels, 3, [.. Enumerable.Range(0, 50)], random, tried: 2);
        for (int i = 0; i < 50; i++)
        {
            var shares = new double[3];
            tree.AddTo([columns[0][i], columns[1][i], columns[2][i], columns[3][i]], shares);
            Assert.Equal(1, shares[labels[i]]);
        }
        // rows that are the same and of two classes share a leaf
        var same = new ClassificationTree([new([1, 1, 1])], [0, 1, 1], 2, [0, 1, 2], random, 1);
        var both = new double[2];
        same.AddTo([1], both);
        Assert.Equal((0, 1.0 / 3), (same.Splits, both[0]), (a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-6);
    }

    [Fact]
    public void Without_rotations_it_is_a_plain_forest_and_scores_are_shares()
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Rows.Clusters(60, 5, 3, spread: 3), Rows.Normal(20, 5, 4) * 3);
        using var plain = new RandomForest(Setup(), new() { Trees = 12 }).Fit(rows, TestContext.Current.CancellationToken);
        Assert.Equal(Rows.Values(plain.Scores(asked)), Scores(rows, asked, new() { Rotation = "none", Forests = 1, Trees = 12 }));
        foreach (string rotation in (string[])["complete", "sparse", "pca"])
            foreach (string vote in (string[])["mean", "majority"])
                Assert.All(Scores(rows, asked, new() { Rotation = rotation, Vote = vote, Augment = vote == "mean" }).Chunk(3), s => Assert.Equal(1, s.Sum(), 1e-6));
    }

    [Fact]
    public void Complete_rotations_keep_distances_sparse_ones_on_average_and_principal_axes_are_uncorrelated()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(30, 6);
        var random = new SeededRandom(2, "rotation");
        var r = ForestRc.Rotation("complete", x, random);
        Rows.Close(eye(6, dtype: ScalarType.Float64), r.t().mm(r), 1e-12);
        double first = 0;
        var sum = zeros(6, 6, dtype: ScalarType.Float64);
        int zeroes = 0;
        for (int i = 0; i < 2000; i++)
        {
            using var step = NewDisposeScope();
            first += Math.Pow(ForestRc.Rotation("complete", x, random)[0, 0].item<double>(), 2) / 2000;
            var sparse = ForestRc.Rotation("sparse", x, random);
            sum.add_(sparse.mm(sparse.t()) / 2000);
            zeroes += (int)sparse.eq(0).sum().item<long>();
        }
        Assert.Equal(1.0 / 6, first, 0.03); // deviation below 0.005
        // a column of zeros, (2/3)⁶ of them, is drawn again
        double kept = 1 - Math.Pow(2.0 / 3, 6);
        Rows.Close(eye(6, dtype: ScalarType.Float64) / kept, sum, 0.1); // deviation below 0.02
        Assert.Equal((kept - 1.0 / 3) / kept, zeroes / 72_000.0, 0.01); // deviation below 0.002
        var loadings = PrincipalAxes.Of(x, out var variances);
        var turned = x.mm(loadings);
        turned = turned - turned.mean([0], keepdim: true);
        Rows.Close(variances.diag(), turned.t().mm(turned) / 29, 1e-10);
        Assert.Equal(Rows.Values(variances).OrderDescending(), Rows.Values(variances));
        Assert.Throws<ArgumentException>(() => ForestRc.Rotation("other", x, random));
    }

    [Fact] // an oblique border is one split where the features are turned by it, and many along the axes
    public void Turned_features_make_an_oblique_border_easy()
    {
        using var scope = NewDisposeScope();
        var (x, test) = (Rows.Normal(200, 2), Rows.Normal(1000, 2, 2));
        TrainingRows Of(Tensor rows) => new(rows, [.. Rows.Values(rows).Chunk(2).Select(p => p[0] + p[1] > 0 ? 1 : 0)], 2);
        double Right(ForestRcOptions o, ulong seed)
        {
            double[][] scores = [.. Scores(Of(x), test, o, seed).Chunk(2)];
            return scores.Zip(Of(test).Labels, (s, l) => (s[1] > s[0] ? 1 : 0) == l ? 1.0 : 0).Average();
        }
        double plain = Enumerable.Range(1, 3).Average(s => Right(new() { Rotation = "none" }, (ulong)s)), turned = Enumerable.Range(1, 3).Average(s => Right(new() { Rotation = "complete", Forests = 20, Trees = 5 }, (ulong)s));
        Assert.True(turned > plain + 0.01, $"{turned} beside {plain}");
    }

    [Fact]
    public void Fusion_gives_optical_bands_back_where_the_other_counts_nothing_or_says_nothing_new()
    {
        using var scope = NewDisposeScope();
        var (optical, finer) = (Rows.Normal(60, 3), Rows.Normal(40, 3, 2));
        var band = optical.mv(tensor(new double[] { 1, -2, 0.5 })) + Rows.Normal(60, 1, 3).squeeze(1) * 0.1 + 4;
        var there = Rows.Normal(40, 1, 5).squeeze(1);
        Rows.Close(finer, ForestRc.Fuse(optical, band, finer, there, 0).Fused, 1e-9);
        var (_, fit) = ForestRc.Fuse(optical, band, finer, there, 0.5);
        Rows.Close(finer, ForestRc.Fuse(optical, band, finer, finer.mv(fit.Beta) + fit.Alpha, 0.9).Fused, 1e-8); // the band is what the fit says
        var strong = ForestRc.Fuse(optical, band, finer, there, 1 - 1e-9).Fused;
        Rows.Close(there, strong.mv(fit.Beta) + fit.Alpha, 1e-4); // the fused pixels give the band
        Assert.Contains("more than 4", Assert.Throws<InputException>(() => ForestRc.Fuse(optical.narrow(0, 0, 4), band.narrow(0, 0, 4), finer, there, 0.5)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => ForestRc.Fuse(optical, band, finer, there, 1.5));
    }

    [Fact] // by hand, and independent answers
    public void Kappa_is_one_for_right_answers_and_nothing_for_answers_without_regard()
    {
        Assert.Equal(1, Metrics.Kappa(Metrics.Table([0, 1, 2], [0, 1, 2], 3)));
        Assert.Equal(0, Metrics.Kappa(Metrics.Table([0, 1, 0, 1], [0, 0, 1, 1], 2)), 12);
        Assert.Equal(0.4, Metrics.Kappa(Metrics.Table([.. Enumerable.Repeat(0, 25), .. Enumerable.Repeat(1, 25)], [.. Enumerable.Repeat(0, 20), .. Enumerable.Repeat(1, 5), .. Enumerable.Repeat(0, 10), .. Enumerable.Repeat(1, 15)], 2)), 12);
        Assert.Equal([1.0, 1.0], Metrics.ConditionalKappa(Metrics.Table([0, 1, 1], [0, 1, 1], 2)));
        Assert.Equal((0, 1), (ForestRc.Majority([2, 0, 0, 2], 3), ForestRc.Majority([1, 1, 0], 2)));
    }
}
