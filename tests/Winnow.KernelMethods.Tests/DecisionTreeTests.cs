using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class DecisionTreeTests
{
    private static KernelSetup Setup(ulong seed = 1) => new(purpose => new SeededRandom(seed, purpose));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static (ClassificationTree Tree, int[] Labels) Grown(SeededRandom random, int n, int depth = int.MaxValue, int leaf = 1, int values = 1000)
    {
        FeatureColumn[] columns = [.. Enumerable.Range(0, 2).Select(_ => new FeatureColumn([.. Enumerable.Range(0, n).Select(_ => (float)random.Next(values))]))];
        int[] labels = [.. Enumerable.Range(0, n).Select(_ => random.Next(3))];
        return (new(columns, labels, 3, [.. Enumerable.Range(0, n)], random, tried: 2, depth, leaf), labels);
    }

    /// <summary>Wrong answers and leaves of every subtree with the same root.</summary>
    private static List<(int Wrong, int Leaves)> Subtrees(IReadOnlyList<TreeNode> nodes, int node = 0)
    {
        List<(int Wrong, int Leaves)> all = [((int)Math.Round(nodes[node].Rows * (1 - nodes[node].Shares.Max())), 1)];
        int[] children = [.. Enumerable.Range(0, nodes.Count).Where(i => nodes[i].Parent == node)];
        if (children.Length > 0)
            all.AddRange(from l in Subtrees(nodes, children[0]) from r in Subtrees(nodes, children[1]) select (l.Wrong + r.Wrong, l.Leaves + r.Leaves));
        return all;
    }

    [Fact] // a naive twin: all subtrees, one by one
    public void Pruning_finds_the_smallest_of_the_cheapest_subtrees()
    {
        var random = new SeededRandom(5, "rows");
        for (int round = 0; round < 60; round++)
        {
            var (tree, labels) = Grown(random, 24, depth: 4);
            var all = Subtrees(tree.Nodes(10));
            double alpha = round % 3 == 0 ? tree.Weakest() : 0.15 * random.NextDouble();
            tree.Prune(alpha);
            var (wrong, leaves) = Subtrees(tree.Nodes(10)).MaxBy(s => s.Leaves);
            double Cost((int Wrong, int Leaves) s) => (double)s.Wrong / labels.Length + alpha * s.Leaves;
            double least = all.Min(Cost);
            Assert.Equal(least, Cost((wrong, leaves)), 1e-9);
            Assert.Equal(all.Where(s => Cost(s) <= least + 1e-9).Min(s => s.Leaves), leaves);
            Assert.Equal(leaves - 1, tree.Splits);
        }
    }

    [Fact]
    public void The_weakest_link_is_the_least_cost_of_a_leaf_that_cuts()
    {
        var random = new SeededRandom(6, "rows");
        for (int round = 0; round < 20; round++)
        {
            var (tree, _) = Grown(random, 40);
            tree.Prune(0);
            while (tree.Weakest() is var alpha && double.IsFinite(alpha))
            {
                int before = tree.Splits;
                tree.Prune(alpha * 0.999);
                Assert.Equal(before, tree.Splits);
                tree.Prune(alpha);
                Assert.True(tree.Splits < before);
            }
            Assert.Equal(0, tree.Splits);
        }
    }

    [Theory, InlineData(7), InlineData(1000)] // few values are counted, many sorted
    public void No_leaf_has_fewer_rows_than_told_and_shares_are_those_of_the_rows(int values)
    {
        var random = new SeededRandom(7, "rows");
        for (int leaf = 1; leaf < 12; leaf += 2)
        {
            var (tree, labels) = Grown(random, 60, leaf: leaf, values: values);
            var nodes = tree.Nodes(100);
            Assert.All(nodes, n => Assert.True(n.Rows >= leaf));
            Assert.Equal(60, nodes.Where(n => n.Feature < 0).Sum(n => n.Rows));
            for (int c = 0; c < 3; c++)
                Assert.Equal(labels.Count(l => l == c) / 60.0, nodes[0].Shares[c], 1e-6);
        }
    }

    [Fact]
    public void A_view_to_a_depth_counts_what_it_leaves_out()
    {
        var (tree, _) = Grown(new SeededRandom(8, "rows"), 80);
        for (int depth = 0; depth < 6; depth++)
        {
            var nodes = tree.Nodes(depth);
            Assert.Equal(tree.Splits, nodes.Count(n => n.Feature >= 0) + nodes.Sum(n => n.Below));
            Assert.All(nodes.Select((n, i) => (n, i)).Skip(1), p => Assert.InRange(p.n.Parent, 0, p.i - 1));
        }
    }

    [Fact] // labels that are chance: any question is one too many
    public void Folds_cut_back_what_is_chance_and_keep_what_holds()
    {
        using var scope = NewDisposeScope();
        var random = new SeededRandom(9, "labels");
        var x = Rows.Normal(300, 4, 9);
        double[] values = Rows.Values(x);
        int[] noisy = [.. Enumerable.Range(0, 300).Select(i => random.NextDouble() < 0.2 ? random.Next(2) : values[4 * i + 2] > 0.3 ? 1 : 0)];
        using var fitted = new DecisionTree(Setup(), new()).Fit(new(x, noisy, 2), Cancellation);
        var nodes = ((IOnTree)fitted).Tree(10).Nodes;
        Assert.InRange(fitted.Report["splits"], 1, 3);
        Assert.Equal(2, nodes[0].Feature);
        Assert.InRange(nodes[0].Threshold, 0.1, 0.5);
        using var whole = new DecisionTree(Setup(), new() { Alpha = 1e-9 }).Fit(new(x, noisy, 2), Cancellation);
        Assert.True(whole.Report["splits"] > 20);
        using var stump = new DecisionTree(Setup(), new() { Alpha = 1e-9, Depth = 1 }).Fit(new(x, noisy, 2), Cancellation);
        Assert.Equal(1, stump.Report["splits"]);
        using var root = new DecisionTree(Setup(), new() { Alpha = 1 }).Fit(new(x, noisy, 2), Cancellation);
        Assert.Equal(0, root.Report["splits"]);
        Assert.Equal([0, 2], root.Scores(Rows.Normal(2, 4).narrow(0, 0, 0)).shape);
        Assert.Contains("[n, 4]", Assert.Throws<InputException>(() => root.Scores(Rows.Normal(2, 3))).Message);
    }
}
