using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>Numbers made of a function by hand: how often each operation occurs, also inside fused ones, and the logarithms of its operations, bytes and values.</summary>
internal static class FunctionFeatures
{
    private static readonly int Kinds = Enum.GetValues<TensorOp>().Length;

    public static double[] Counts(string text) => Counts(TensorFunctionParser.Parse(text));

    public static double[] All(string text)
    {
        var f = TensorFunctionParser.Parse(text);
        var lines = Enumerable.Range(0, f.Operations.Count);
        return [.. Counts(f), f.Operations.Count, f.Arguments.Count, Math.Log(1 + lines.Sum(i => FunctionCosts.Flops(f, i))), Math.Log(1 + lines.Sum(i => FunctionCosts.Bytes(f, i))),
            Math.Log(lines.Max(i => (double)f.Elements(f.ResultOf(i)))), lines.Max(i => f.Operations[i].Operands.Count)];
    }

    private static double[] Counts(TensorFunction f)
    {
        var counts = new double[Kinds];
        foreach (var op in f.Operations.SelectMany(o => o.Steps.Append(o.Op)))
            counts[(int)op]++;
        return counts;
    }
}

/// <summary>Options of <see cref="LinearCost"/>.</summary>
public sealed record LinearCostOptions
{
    /// <summary>Whether the logarithm of the cost is learned.</summary>
    [Description("true: learns the logarithm of the cost; false: the cost itself")]
    public bool Log { get; init; }

    /// <summary>Ridge.</summary>
    [Range(0.0, 1e6), Description("weight of the squared coefficients, of standardised features, for each function")]
    public double Ridge { get; init; } = 1e-3;
}

/// <summary>The mean of the training costs for every function.</summary>
public sealed class MeanCost : ICostModel
{
    /// <inheritdoc/>
    public ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context)
    {
        FunctionCosts.Check(functions, costs);
        double mean = costs.Average();
        return new FeaturePredictor(f => [TensorFunctionParser.Parse(f).Values], _ => mean);
    }
}

/// <summary>Ridge regression on features made by hand. Cost O(functions · features²).</summary>
/// <param name="options">How.</param>
/// <param name="counts">Whether the features are the counts of operations alone, or all.</param>
public sealed class LinearCost(LinearCostOptions options, bool counts) : ICostModel
{
    /// <inheritdoc/>
    public ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context)
    {
        FunctionCosts.Check(functions, costs);
        Func<string, double[]> features = counts ? FunctionFeatures.Counts : FunctionFeatures.All;
        double[][] rows = [.. functions.Select(features)];
        int width = rows[0].Length;
        var scale = CostScale.Of(costs, options.Log);
        double[] mean = [.. Enumerable.Range(0, width).Select(j => rows.Average(r => r[j]))];
        double[] spread = [.. Enumerable.Range(0, width).Select(j => Math.Sqrt(rows.Average(r => (r[j] - mean[j]) * (r[j] - mean[j]))) is > 0 and var s ? s : 1)];
        using var scope = NewDisposeScope();
        var x = tensor([.. rows.SelectMany(Standardised)], [rows.Length, width]);
        var y = tensor(costs.Select(scale.In).ToArray());
        double[] weights = linalg.solve(x.t().matmul(x) + rows.Length * options.Ridge * eye(width, dtype: ScalarType.Float64), x.t().mv(y)).data<double>().ToArray();
        return new FeaturePredictor(features, f => scale.Out(Standardised(f).Zip(weights, (a, b) => a * b).Sum()));

        IEnumerable<double> Standardised(double[] row) => row.Select((v, j) => (v - mean[j]) / spread[j]);
    }
}

/// <summary>Options of <see cref="BoostedTreesCost"/>.</summary>
public sealed record BoostedTreesOptions
{
    /// <summary>Whether the logarithm of the cost is learned.</summary>
    [Description("true: learns the logarithm of the cost; false: the cost itself")]
    public bool Log { get; init; } = true;

    /// <summary>Trees.</summary>
    [Range(1, 10_000), Description("trees")]
    public int Trees { get; init; } = 300;

    /// <summary>Depth.</summary>
    [Range(1, 16), Description("splits from the root to a leaf")]
    public int Depth { get; init; } = 5;

    /// <summary>Shrinkage.</summary>
    [Range(1e-4, 1.0), Description("share of each tree's prediction that is added")]
    public double Shrinkage { get; init; } = 0.1;

    /// <summary>Functions in a leaf.</summary>
    [Range(1, 100_000), Description("fewest functions in a leaf")]
    public int Leaf { get; init; } = 5;
}

/// <summary>
/// Gradient-boosted regression trees on features made by hand (Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 29, 2001): each tree is fitted to what the
/// ones before left of the squared error, by exact splits. Cost O(trees · depth · functions · features).
/// </summary>
public sealed class BoostedTreesCost(BoostedTreesOptions options) : ICostModel
{
    /// <inheritdoc/>
    public ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context)
    {
        FunctionCosts.Check(functions, costs);
        ArgumentNullException.ThrowIfNull(context);
        double[][] rows = [.. functions.Select(FunctionFeatures.All)];
        var scale = CostScale.Of(costs, options.Log);
        double[] left = [.. costs.Select(scale.In)];
        int[][] sorted = [.. Enumerable.Range(0, rows[0].Length).Select(j => Enumerable.Range(0, rows.Length).OrderBy(i => rows[i][j]).ToArray())];
        var trees = new List<Node>();
        for (int t = 0; t < options.Trees; t++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var tree = Grow(sorted, options.Depth);
            trees.Add(tree);
            for (int i = 0; i < rows.Length; i++)
                left[i] -= options.Shrinkage * tree.Of(rows[i]);
        }
        return new FeaturePredictor(FunctionFeatures.All, f => scale.Out(options.Shrinkage * trees.Sum(t => t.Of(f))));

        // members of a node, sorted by each feature
        Node Grow(int[][] order, int depth)
        {
            int count = order[0].Length;
            double sum = order[0].Sum(i => left[i]), best = sum * sum / count + 1e-12;
            int feature = -1;
            double threshold = 0;
            for (int j = 0; j < order.Length && depth > 0; j++)
            {
                double below = 0;
                for (int k = 0; k < count - 1; k++)
                {
                    below += left[order[j][k]];
                    double here = rows[order[j][k]][j], next = rows[order[j][k + 1]][j];
                    if (here == next || k + 1 < options.Leaf || count - k - 1 < options.Leaf)
                        continue;
                    double gain = below * below / (k + 1) + (sum - below) * (sum - below) / (count - k - 1);
                    if (gain > best)
                        (best, feature, threshold) = (gain, j, (here + next) / 2);
                }
            }
            return feature < 0 ? new(-1, 0, sum / count, null, null)
                : new(feature, threshold, 0, Grow([.. order.Select(o => o.Where(i => rows[i][feature] < threshold).ToArray())], depth - 1), Grow([.. order.Select(o => o.Where(i => rows[i][feature] >= threshold).ToArray())], depth - 1));
        }
    }

    private sealed record Node(int Feature, double Threshold, double Value, Node? Below, Node? Above)
    {
        public double Of(double[] row)
        {
            var node = this;
            while (node.Feature >= 0)
                node = row[node.Feature] < node.Threshold ? node.Below! : node.Above!;
            return node.Value;
        }
    }
}

/// <summary>Predicts from features.</summary>
internal sealed class FeaturePredictor(Func<string, double[]> features, Func<double[], double> predict) : ICostPredictor
{
    public double[] Predict(IReadOnlyList<string> functions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(functions);
        cancellation.ThrowIfCancellationRequested();
        return [.. functions.Select(f => predict(features(f)))];
    }

    public void Dispose()
    {
    }
}
