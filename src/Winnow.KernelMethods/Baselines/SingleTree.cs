using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>One tree of all rows and features, every split the best in Gini's impurity, to pure leaves; scores are the shares of the leaf (Breiman et al., Classification and regression trees, 1984). Cost O(d n log² n).</summary>
/// <param name="setup">Draws the order of features, of which the first is taken of as good ones.</param>
internal sealed class SingleTree(KernelSetup setup) : IClassifier
{
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        FeatureColumn[] columns = [.. rows.X.t().contiguous().to(ScalarType.Float32).data<float>().ToArray().Chunk(rows.Labels.Count).Select(c => new FeatureColumn(c))];
        return new Fitted(new(columns, [.. rows.Labels], rows.Classes, [.. Enumerable.Range(0, rows.Labels.Count)], setup.Random("tree"), columns.Length), columns.Length, rows.Classes);
    }

    private sealed class Fitted(ClassificationTree tree, int features, int classes) : IFitted
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double> { ["splits"] = tree.Splits };

        public Tensor Scores(Tensor x)
        {
            RegressionRows.Require(x, features);
            using var scope = NewDisposeScope();
            float[] values = x.contiguous().to(ScalarType.Float32).data<float>().ToArray();
            double[] scores = new double[x.shape[0] * classes];
            for (int i = 0; i < x.shape[0]; i++)
                tree.AddTo(values.AsSpan(i * features, features), scores.AsSpan(i * classes, classes));
            return Aligned.Of(scores, x.shape[0], classes).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
        }
    }
}
