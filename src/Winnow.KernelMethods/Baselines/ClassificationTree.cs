using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>A feature of all rows, and, where it has few different values, which of them each row has.</summary>
internal sealed class FeatureColumn
{
    private const int MostLevels = 256;

    /// <summary>A feature.</summary>
    /// <param name="values">One a row; kept.</param>
    public FeatureColumn(float[] values)
    {
        Values = values;
        float[] levels = [.. new SortedSet<float>(values)];
        if (levels.Length <= MostLevels)
            (Levels, Codes) = (levels, [.. values.Select(v => (byte)Array.BinarySearch(levels, v))]);
    }

    /// <summary>One a row.</summary>
    public float[] Values { get; }

    /// <summary>The different values in order; empty where they are many.</summary>
    public float[] Levels { get; } = [];

    /// <summary>The place of each row's value among them.</summary>
    public byte[] Codes { get; } = [];
}

/// <summary>
/// A tree that splits rows by one feature at a time, each split the best in Gini's impurity of some features drawn for it. A feature of few different values is split by a count of classes at each value, in
/// O(rows + values · classes); others by sorting. Both find the same splits.
/// </summary>
internal sealed class ClassificationTree
{
    private const double Tie = 1e-12;

    private readonly List<int> _feature = [], _left = [], _right = [], _rows = [];
    private readonly List<float> _threshold = [];
    private readonly List<float[]?> _shares = [];

    /// <summary>Grows a tree to pure leaves.</summary>
    /// <param name="columns">Features [d].</param>
    /// <param name="labels">One a row.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="rows">The rows it learns from, with repetitions; reordered.</param>
    /// <param name="random">Draws features.</param>
    /// <param name="tried">Features drawn for a split.</param>
    /// <param name="depth">Most splits on a way; for pure leaves more than there are rows.</param>
    /// <param name="leaf">Fewest rows on each side of a split.</param>
    public ClassificationTree(IReadOnlyList<FeatureColumn> columns, int[] labels, int classes, int[] rows, SeededRandom random, int tried, int depth = int.MaxValue, int leaf = 1)
    {
        int[] features = [.. Enumerable.Range(0, columns.Count)];
        var search = new SplitSearch(labels, classes, rows.Length, leaf);
        var open = new Stack<(int Node, int First, int Count, int Depth)>();
        open.Push((Node(rows.Length), 0, rows.Length, 0));
        while (open.Count > 0)
        {
            var (node, first, count, at) = open.Pop();
            var own = rows.AsSpan(first, count);
            search.Begin(own);
            if (search.Pure || at >= depth || !Split(own, out int feature, out float threshold))
            {
                _shares[node] = search.Shares();
                continue;
            }
            float[] column = columns[feature].Values;
            int below = 0;
            for (int i = 0; i < count; i++)
                if (column[own[i]] <= threshold)
                {
                    (own[below], own[i]) = (own[i], own[below]);
                    below++;
                }
            (_feature[node], _threshold[node], _left[node], _right[node]) = (feature, threshold, Node(below), Node(count - below));
            open.Push((_left[node], first, below, at + 1));
            open.Push((_right[node], first + below, count - below, at + 1));
        }

        int Node(int count)
        {
            _rows.Add(count);
            _feature.Add(-1);
            _left.Add(-1);
            _right.Add(-1);
            _threshold.Add(0);
            _shares.Add(null);
            return _feature.Count - 1;
        }

        // features that are constant here do not count as tried
        bool Split(ReadOnlySpan<int> own, out int feature, out float threshold)
        {
            (feature, threshold) = (-1, 0);
            for (int drawn = 0, useful = 0; drawn < features.Length && useful < tried; drawn++)
            {
                int pick = random.Next(drawn, features.Length);
                (features[drawn], features[pick]) = (features[pick], features[drawn]);
                if (search.Try(columns[features[drawn]], own, out bool better))
                    useful++;
                if (better)
                    (feature, threshold) = (features[drawn], search.Threshold);
            }
            return feature >= 0;
        }
    }

    /// <summary>Splits.</summary>
    public int Splits => Below()[0];

    /// <summary>Splits of each node and all below it.</summary>
    private int[] Below()
    {
        int[] splits = new int[_feature.Count];
        for (int node = splits.Length - 1; node >= 0; node--) // children come after their parent
            splits[node] = _shares[node] is null ? 1 + splits[_left[node]] + splits[_right[node]] : 0;
        return splits;
    }

    /// <summary>Nodes that have this many splits above them or fewer, each before those below it, those to the left first.</summary>
    public IReadOnlyList<TreeNode> Nodes(int depth)
    {
        double[][] shares = Shares();
        int[] splits = Below();
        var nodes = new List<TreeNode>();
        var open = new Stack<(int Node, int Parent, int Depth)>([(0, -1, 0)]);
        while (open.TryPop(out var at))
        {
            int node = at.Node;
            bool asks = _shares[node] is null && at.Depth < depth;
            nodes.Add(new(at.Parent, asks ? _feature[node] : -1, _threshold[node], _rows[node], shares[node], asks ? 0 : splits[node]));
            if (!asks)
                continue;
            open.Push((_right[node], nodes.Count - 1, at.Depth + 1));
            open.Push((_left[node], nodes.Count - 1, at.Depth + 1));
        }
        return nodes;
    }

    /// <summary>Cuts the tree back to the smallest of those with the least share of wrong answers among the rows it learned from, and α for each leaf. Cost O(nodes · classes).</summary>
    public void Prune(double alpha)
    {
        double[][] shares = Shares();
        double[] cost = new double[shares.Length];
        for (int node = cost.Length - 1; node >= 0; node--)
        {
            double alone = (double)Wrong(node, shares) / _rows[0] + alpha;
            cost[node] = _shares[node] is null ? Math.Min(alone, cost[_left[node]] + cost[_right[node]]) : alone;
            if (_shares[node] is null && alone <= cost[node] + Tie)
                _shares[node] = [.. shares[node].Select(s => (float)s)];
        }
    }

    /// <summary>The least α at which <see cref="Prune"/> would cut; infinite for a tree without splits.</summary>
    public double Weakest()
    {
        double[][] shares = Shares();
        var (wrong, leaves) = (new int[shares.Length], new int[shares.Length]);
        bool[] there = new bool[shares.Length];
        there[0] = true;
        for (int node = 0; node < there.Length; node++)
            if (_shares[node] is null && there[node])
                there[_left[node]] = there[_right[node]] = true;
        double weakest = double.PositiveInfinity;
        for (int node = shares.Length - 1; node >= 0; node--)
        {
            int alone = Wrong(node, shares);
            (wrong[node], leaves[node]) = _shares[node] is null ? (wrong[_left[node]] + wrong[_right[node]], leaves[_left[node]] + leaves[_right[node]]) : (alone, 1);
            if (leaves[node] > 1 && there[node])
                weakest = Math.Min(weakest, (double)(alone - wrong[node]) / _rows[0] / (leaves[node] - 1));
        }
        return weakest;
    }

    private int Wrong(int node, double[][] shares) => (int)Math.Round(_rows[node] * (1 - shares[node].Max()));

    /// <summary>The shares of each node, those that split of those below them.</summary>
    private double[][] Shares()
    {
        var shares = new double[_feature.Count][];
        for (int node = shares.Length - 1; node >= 0; node--)
            shares[node] = _shares[node] is { } own ? [.. own.Select(s => (double)s)]
                : [.. shares[_left[node]].Zip(shares[_right[node]], (l, r) => (l * _rows[_left[node]] + r * _rows[_right[node]]) / _rows[node])];
        return shares;
    }

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

/// <summary>Finds where to split the rows of a node: the largest <c>Σ left² / left + Σ right² / right</c>, classes counted, is the least impurity.</summary>
internal sealed class SplitSearch(int[] labels, int classes, int most, int leaf = 1)
{
    private const double Slight = 1e-12;

    private readonly float[] _keys = new float[most];
    private readonly int[] _order = new int[most], _table = new int[256 * classes], _left = new int[classes], _right = new int[classes], _all = new int[classes];
    private double _best, _squares;
    private int _count;

    /// <summary>Whether all rows of the node are of one class.</summary>
    public bool Pure => Array.IndexOf(_all, _count) >= 0;

    /// <summary>The best split so far: what is not above it goes to the left.</summary>
    public float Threshold { get; private set; }

    /// <summary>Begins with a node.</summary>
    public void Begin(ReadOnlySpan<int> own)
    {
        _all.AsSpan().Clear();
        foreach (int row in own)
            _all[labels[row]]++;
        (_count, _squares) = (own.Length, 0);
        foreach (int c in _all)
            _squares += (double)c * c;
        _best = _squares / _count * (1 + Slight);
    }

    /// <summary>The share of each class.</summary>
    public float[] Shares() => [.. _all.Select(c => (float)c / _count)];

    /// <summary>Looks for a better split by a feature.</summary>
    /// <param name="column">The feature.</param>
    /// <param name="own">The rows of the node.</param>
    /// <param name="better">Whether there is one.</param>
    /// <returns>Whether the feature has different values here.</returns>
    public bool Try(FeatureColumn column, ReadOnlySpan<int> own, out bool better)
    {
        _left.AsSpan().Clear();
        _all.CopyTo(_right, 0);
        return column.Levels.Length > 0 && column.Levels.Length * 2 <= own.Length ? ByCount(column, own, out better) : BySorting(column.Values, own, out better);
    }

    private bool ByCount(FeatureColumn column, ReadOnlySpan<int> own, out bool better)
    {
        byte[] codes = column.Codes;
        int levels = column.Levels.Length;
        var table = _table.AsSpan(0, levels * classes);
        table.Clear();
        foreach (int row in own)
            table[codes[row] * classes + labels[row]]++;
        double leftSquares = 0, rightSquares = _squares, found = -1;
        int passed = 0, place = -1, next = -1, last = -1;
        for (int level = 0; level < levels; level++)
        {
            int here = passed;
            var counts = table.Slice(level * classes, classes);
            // the gap before this level is looked at when the level is known to be there
            double pure = passed >= leaf && _count - passed >= leaf ? leftSquares / passed + rightSquares / (_count - passed) : -1;
            for (int c = 0; c < counts.Length; c++)
            {
                int k = counts[c];
                if (k == 0)
                    continue;
                leftSquares += (double)k * (2 * _left[c] + k);
                rightSquares -= (double)k * (2 * _right[c] - k);
                _left[c] += k;
                _right[c] -= k;
                passed += k;
            }
            if (passed == here)
                continue;
            if (pure > found)
                (found, place, next) = (pure, last, level);
            last = level;
        }
        better = found > _best;
        if (better)
            (_best, Threshold) = (found, Between(column.Levels[place], column.Levels[next]));
        return found >= 0;
    }

    private bool BySorting(float[] column, ReadOnlySpan<int> own, out bool better)
    {
        better = false;
        for (int i = 0; i < own.Length; i++)
            (_keys[i], _order[i]) = (column[own[i]], labels[own[i]]);
        _keys.AsSpan(0, own.Length).Sort(_order.AsSpan(0, own.Length));
        if (_keys[0] == _keys[own.Length - 1])
            return false;
        double leftSquares = 0, rightSquares = _squares, found = -1;
        int place = 0;
        for (int i = 0; i < own.Length - 1; i++)
        {
            int c = _order[i];
            leftSquares += 2 * _left[c]++ + 1;
            rightSquares -= 2 * _right[c]-- - 1;
            if (_keys[i] < _keys[i + 1] && i + 1 >= leaf && own.Length - i - 1 >= leaf && leftSquares / (i + 1) + rightSquares / (own.Length - i - 1) is var pure && pure > found)
                (found, place) = (pure, i + 1);
        }
        better = found > _best;
        if (better)
            (_best, Threshold) = (found, Between(_keys[place - 1], _keys[place]));
        return true;
    }

    /// <summary>Halfway, and the lower one where nothing is between them.</summary>
    private static float Between(float low, float high) => low + (high - low) / 2 is var middle && middle < high ? middle : low;
}
