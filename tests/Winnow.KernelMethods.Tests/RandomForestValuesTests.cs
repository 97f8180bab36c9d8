using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class RandomForestValuesTests
{
    private static KernelSetup Setup(ulong seed = 1) => new(purpose => new SeededRandom(seed, purpose));

    [Fact] // a naive twin of one split: every place of every feature
    public void A_split_leaves_the_least_squares()
    {
        var random = new SeededRandom(3, "rows");
        for (int round = 0; round < 40; round++)
        {
            const int n = 30, d = 3;
            double[] x = [.. Enumerable.Range(0, n * d).Select(_ => (double)random.Next(round % 2 == 0 ? 6 : 1000))], y = [.. Enumerable.Range(0, n).Select(_ => random.NextNormal())];
            var tree = new RegressionTree(x, y, d, [.. Enumerable.Range(0, n)], random, tried: d, leaf: n - 1);
            double Squares(IEnumerable<int> rows) => rows.Select(i => y[i]).ToArray() is { Length: > 0 } some ? some.Sum(v => (v - some.Average()) * (v - some.Average())) : 0;
            double least = (from f in Enumerable.Range(0, d) from at in Enumerable.Range(0, n) select Squares(Enumerable.Range(0, n).Where(i => x[i * d + f] <= x[at * d + f])) + Squares(Enumerable.Range(0, n).Where(i => x[i * d + f] > x[at * d + f]))).Min();
            // its first split: what a tree of one split would say; trees go on where a side is still as large as that
            Assert.True(tree.Splits >= 1);
            double own = Enumerable.Range(0, n).Sum(i => Math.Pow(y[i] - tree.Of(x.AsSpan(i * d, d)), 2));
            if (tree.Splits == 1)
                Assert.Equal(least, own, 1e-9);
            else
                Assert.True(own <= least + 1e-9);
        }
    }

    [Fact]
    public void A_tree_with_leaves_of_one_row_says_what_it_saw_and_never_more_than_that()
    {
        var random = new SeededRandom(4, "rows");
        double[] x = [.. Enumerable.Range(0, 100).Select(_ => random.NextDouble())], y = [.. Enumerable.Range(0, 50).Select(_ => random.NextNormal())];
        var tree = new RegressionTree(x, y, 2, [.. Enumerable.Range(0, 50)], random, tried: 1, leaf: 1);
        for (int i = 0; i < 50; i++)
            Assert.Equal(y[i], tree.Of(x.AsSpan(2 * i, 2)), 1e-12);
        Assert.InRange(tree.Of([1e9, -1e9]), y.Min(), y.Max());
        Assert.Equal(0, new RegressionTree([1, 1, 1], [1, 2, 3], 1, [0, 1, 2], random, 1, 1).Splits); // rows that are the same share a leaf
    }

    [Fact] // the noise has a variance of 0.04 and the function of 1/2; of rows that no tree saw the forest misses by both noise and what it smooths away
    public void Its_variance_is_by_how_much_it_misses_new_rows()
    {
        using var scope = NewDisposeScope();
        (Tensor X, Tensor Y) Made(ulong seed, int n)
        {
            var x = Rows.Normal(n, 3, seed);
            return (x, (x.select(1, 1) * 2).sin() + Rows.Normal(n, 1, seed + 50).squeeze(1) * 0.2);
        }
        var (train, test) = (Made(1, 400), Made(2, 2000));
        using var fitted = new RandomForestValues(Setup(), new()).Fit(new(train.X, train.Y), TestContext.Current.CancellationToken);
        var (mean, variance) = fitted.Predict(test.X);
        double missed = (mean - test.Y).square().mean().item<double>(), told = variance![0].item<double>();
        Assert.InRange(missed, 0.04, 0.2);
        Assert.InRange(told / missed, 0.7, 1.4);
    }
}
