using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Trees, each grown on rows drawn with replacement, every split the one of a third of the features, drawn for it, after which the squared distances from the means are least; what is expected is the mean of the trees (Breiman, Random
/// forests, Machine Learning 45, 2001). Every observation has the variance by which rows are missed by the trees that did not see them. Cost O(trees · d n log² n).
/// </summary>
/// <param name="setup">Draws rows and features.</param>
/// <param name="options">How many.</param>
/// <param name="leaf">Nodes of as many rows or fewer are not split.</param>
public sealed class RandomForestValues(KernelSetup setup, RandomForestOptions options, int leaf = 5) : IRegressor
{
    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var random = setup.Random("forest");
        int n = (int)rows.X.shape[0], d = (int)rows.X.shape[1];
        double[] x = rows.X.contiguous().data<double>().ToArray(), y = rows.Y.contiguous().data<double>().ToArray();
        var trees = new RegressionTree[options.Trees];
        var drawn = new int[options.Trees][];
        ulong[] seeds = [.. trees.Select(_ => (ulong)random.NextInt64())]; // a tree is the same on any number of threads
        Parallel.For(0, trees.Length, new() { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = cancellation }, t =>
        {
            var own = new SeededRandom(seeds[t], "tree");
            drawn[t] = [.. Enumerable.Range(0, n).Select(_ => own.Next(n))];
            trees[t] = new(x, y, d, [.. drawn[t]], own, Math.Max(1, d / 3), leaf);
        });
        double[] sum = new double[n];
        int[] votes = new int[n];
        for (int t = 0; t < trees.Length; t++)
        {
            var seen = drawn[t].ToHashSet();
            for (int i = 0; i < n; i++)
                if (!seen.Contains(i))
                {
                    sum[i] += trees[t].Of(x.AsSpan(i * d, d));
                    votes[i]++;
                }
        }
        double mean = y.Average(), missed = Enumerable.Range(0, n).Where(i => votes[i] > 0).Select(i => Math.Pow(y[i] - sum[i] / votes[i], 2)).DefaultIfEmpty(y.Average(v => (v - mean) * (v - mean))).Average();
        return new Fitted(trees, d, Math.Max(missed, double.Epsilon));
    }

    private sealed class Fitted(RegressionTree[] trees, int features, double missed) : IFittedRegressor
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double> { ["splits"] = trees.Average(t => t.Splits) };

        public Prediction Predict(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, features);
            double[] rows = x.shape[0] == 0 ? [] : x.contiguous().data<double>().ToArray(), means = new double[x.shape[0]];
            for (int i = 0; i < means.Length; i++)
                foreach (var tree in trees)
                    means[i] += tree.Of(rows.AsSpan(i * features, features)) / trees.Length;
            var mean = Aligned.Of(means, means.Length);
            return new Prediction(mean, full_like(mean, missed)).ToOuterScope();
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>A tree that splits rows by one feature at a time, each split the one that leaves the least squared distances from the means of both sides, of some features drawn for it.</summary>
internal sealed class RegressionTree
{
    private const double Slight = 1e-12;
    private readonly List<int> _feature = [], _left = [], _right = [];
    private readonly List<double> _value = []; // the threshold, or what a leaf says

    /// <summary>Grows a tree.</summary>
    /// <param name="x">Rows, row after row.</param>
    /// <param name="y">A number a row.</param>
    /// <param name="width">Features.</param>
    /// <param name="rows">The rows it learns from, with repetitions; reordered.</param>
    /// <param name="random">Draws features.</param>
    /// <param name="tried">Features drawn for a split.</param>
    /// <param name="leaf">Nodes of as many rows or fewer are not split.</param>
    public RegressionTree(double[] x, double[] y, int width, int[] rows, SeededRandom random, int tried, int leaf)
    {
        int[] features = [.. Enumerable.Range(0, width)];
        double[] keys = new double[rows.Length], targets = new double[rows.Length];
        var open = new Stack<(int Node, int First, int Count)>();
        open.Push((Node(), 0, rows.Length));
        while (open.TryPop(out var at))
        {
            var own = rows.AsSpan(at.First, at.Count);
            if (own.Length <= leaf || !Split(own, out int feature, out double threshold))
            {
                foreach (int row in own)
                    _value[at.Node] += y[row] / own.Length;
                continue;
            }
            int below = 0;
            for (int i = 0; i < own.Length; i++)
                if (x[own[i] * width + feature] <= threshold)
                {
                    (own[below], own[i]) = (own[i], own[below]);
                    below++;
                }
            (_feature[at.Node], _value[at.Node], _left[at.Node], _right[at.Node]) = (feature, threshold, Node(), Node());
            open.Push((_left[at.Node], at.First, below));
            open.Push((_right[at.Node], at.First + below, at.Count - below));
        }

        int Node()
        {
            _feature.Add(-1);
            _left.Add(-1);
            _right.Add(-1);
            _value.Add(0);
            return _feature.Count - 1;
        }

        // the sum of squares about the means is least where Σ left² / left + Σ right² / right is largest; features that are constant here do not count as tried
        bool Split(ReadOnlySpan<int> own, out int feature, out double threshold)
        {
            (feature, threshold) = (-1, 0);
            double mean = 0, squares = 0;
            foreach (int row in own)
                mean += y[row] / own.Length;
            foreach (int row in own)
                squares += (y[row] - mean) * (y[row] - mean);
            double best = Slight * squares;
            for (int drawn = 0, useful = 0; drawn < features.Length && useful < tried; drawn++)
            {
                int pick = random.Next(drawn, features.Length);
                (features[drawn], features[pick]) = (features[pick], features[drawn]);
                for (int i = 0; i < own.Length; i++)
                    (keys[i], targets[i]) = (x[own[i] * width + features[drawn]], y[own[i]] - mean);
                keys.AsSpan(0, own.Length).Sort(targets.AsSpan(0, own.Length));
                if (keys[0] == keys[own.Length - 1])
                    continue;
                useful++;
                double left = 0;
                for (int i = 0; i < own.Length - 1; i++)
                {
                    left += targets[i]; // the sum of all is 0, so that of the others is −left
                    double less = left * left / (i + 1) + left * left / (own.Length - i - 1);
                    if (keys[i] < keys[i + 1] && less > best)
                        (best, feature, threshold) = (less, features[drawn], keys[i] + (keys[i + 1] - keys[i]) / 2 is var middle && middle < keys[i + 1] ? middle : keys[i]);
                }
            }
            return feature >= 0;
        }
    }

    /// <summary>Splits.</summary>
    public int Splits => _feature.Count(f => f >= 0);

    /// <summary>What the leaf of a row says.</summary>
    public double Of(ReadOnlySpan<double> row)
    {
        int node = 0;
        while (_feature[node] >= 0)
            node = row[_feature[node]] <= _value[node] ? _left[node] : _right[node];
        return _value[node];
    }
}
