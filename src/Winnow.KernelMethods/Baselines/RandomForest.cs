using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="RandomForest"/>.</summary>
public sealed record RandomForestOptions
{
    /// <summary>Trees.</summary>
    [Range(1, 100_000), Description("trees")]
    public int Trees { get; init; } = 100;
}

/// <summary>
/// Trees, each grown on rows drawn with replacement, every split the best in Gini's impurity of √d features drawn for it, to pure leaves; scores are the mean of the leaves' shares (Breiman, Random
/// forests, Machine Learning 45, 2001). Cost O(trees · √d · n log² n).
/// </summary>
/// <param name="setup">Draws rows and features.</param>
/// <param name="options">How many.</param>
public sealed class RandomForest(KernelSetup setup, RandomForestOptions options) : IClassifier
{
    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return new ForestRc(setup, new() { Rotation = "none", Forests = 1, Trees = options.Trees }).Fit(rows, cancellation);
    }
}

/// <summary>A tree that splits rows by one feature at a time.</summary>
internal sealed class ClassificationTree
{
    private readonly List<int> _feature = [], _left = [], _right = [];
    private readonly List<float> _threshold = [];
    private readonly List<float[]?> _shares = [];

    /// <summary>Grows a tree to pure leaves.</summary>
    /// <param name="columns">Features [d][n].</param>
    /// <param name="labels">One a row.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="rows">The rows it learns from, with repetitions.</param>
    /// <param name="random">Draws features.</param>
    /// <param name="tried">Features drawn for a split.</param>
    /// <param name="depth">Most splits on a way; for pure leaves more than there are rows.</param>
    public ClassificationTree(float[][] columns, int[] labels, int classes, int[] rows, SeededRandom random, int tried, int depth = int.MaxValue)
    {
        int d = columns.Length;
        int[] features = [.. Enumerable.Range(0, d)];
        float[] keys = new float[rows.Length], bestKeys = new float[rows.Length];
        int[] order = new int[rows.Length], bestOrder = new int[rows.Length];
        long[] left = new long[classes], right = new long[classes];
        var open = new Stack<(int Node, int First, int Count, int Depth)>();
        open.Push((Node(), 0, rows.Length, 0));
        while (open.Count > 0)
        {
            var (node, first, count, at) = open.Pop();
            var own = rows.AsSpan(first, count);
            long[] all = new long[classes];
            foreach (int row in own)
                all[labels[row]]++;
            if (all.Max() == count || at >= depth || !Split(own, all, out int feature, out float threshold, out int below))
            {
                _shares[node] = [.. all.Select(c => (float)c / count)];
                continue;
            }
            bestOrder.AsSpan(0, count).CopyTo(own);
            (_feature[node], _threshold[node], _left[node], _right[node]) = (feature, threshold, Node(), Node());
            open.Push((_left[node], first, below, at + 1));
            open.Push((_right[node], first + below, count - below, at + 1));
        }

        int Node()
        {
            _feature.Add(-1);
            _left.Add(-1);
            _right.Add(-1);
            _threshold.Add(0);
            _shares.Add(null);
            return _feature.Count - 1;
        }

        // the largest Σ left² / left + Σ right² / right is the least impurity; features that are constant here do not count as tried
        bool Split(ReadOnlySpan<int> own, long[] all, out int feature, out float threshold, out int below)
        {
            (feature, threshold, below) = (-1, 0, 0);
            int count = own.Length;
            double best = all.Sum(c => (double)c * c) / count * (1 + 1e-12);
            for (int drawn = 0, useful = 0; drawn < d && useful < tried; drawn++)
            {
                int pick = random.Next(drawn, d);
                (features[drawn], features[pick]) = (features[pick], features[drawn]);
                float[] column = columns[features[drawn]];
                for (int i = 0; i < count; i++)
                    (keys[i], order[i]) = (column[own[i]], own[i]);
                keys.AsSpan(0, count).Sort(order.AsSpan(0, count));
                if (keys[0] == keys[count - 1])
                    continue;
                useful++;
                left.AsSpan().Clear();
                all.CopyTo(right, 0);
                double leftSquares = 0, rightSquares = all.Sum(c => (double)c * c), found = -1;
                int place = 0;
                for (int i = 0; i < count - 1; i++)
                {
                    int c = labels[order[i]];
                    leftSquares += 2 * left[c]++ + 1;
                    rightSquares -= 2 * right[c]-- - 1;
                    if (keys[i] < keys[i + 1] && leftSquares / (i + 1) + rightSquares / (count - i - 1) is var pure && pure > found)
                        (found, place) = (pure, i + 1);
                }
                if (found > best)
                {
                    best = found;
                    float middle = keys[place - 1] + (keys[place] - keys[place - 1]) / 2;
                    (feature, threshold, below) = (features[drawn], middle < keys[place] ? middle : keys[place - 1], place);
                    order.AsSpan(0, count).CopyTo(bestOrder);
                }
            }
            return feature >= 0;
        }
    }

    /// <summary>Splits.</summary>
    public int Splits => _feature.Count(f => f >= 0);

    /// <summary>Adds the shares of the leaf of a row.</summary>
    /// <param name="row">Its features.</param>
    /// <param name="to">One number a class.</param>
    public void AddTo(ReadOnlySpan<float> row, Span<double> to)
    {
        int node = 0;
        while (_shares[node] is null)
            node = row[_feature[node]] <= _threshold[node] ? _left[node] : _right[node];
        float[] shares = _shares[node]!;
        for (int c = 0; c < shares.Length; c++)
            to[c] += shares[c];
    }
}
