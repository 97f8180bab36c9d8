using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="DecisionTree"/>.</summary>
public sealed record DecisionTreeOptions
{
    /// <summary>Depth.</summary>
    [Range(1, 10_000), Description("most questions one after the other")]
    public int Depth { get; init; } = 30;

    /// <summary>Rows of a leaf.</summary>
    [Range(1, 100_000), Description("fewest rows that a question leaves on each side")]
    public int Leaf { get; init; } = 1;

    /// <summary>What a leaf costs.</summary>
    [Range(0.0, 1.0), Description("α: what a leaf costs, in shares of wrong answers among the rows learned from; 0: chosen by five folds")]
    public double Alpha { get; init; }
}

/// <summary>
/// One tree of questions, each of one feature and the best in Gini's impurity, cut back to the subtree with the least <c>R(T) + α · leaves</c>, R the share of wrong answers among the rows learned from (Breiman, Friedman, Olshen and
/// Stone, Classification and regression trees, 1984). α is the geometric mean of two neighbours at which the tree gets smaller, that with the fewest wrong answers in five folds, of as many the one with fewest leaves; the rule of one
/// standard error is left out. Scores are the shares of the leaf. Cost O(d n log² n) a tree, six trees where α is chosen.
/// </summary>
/// <param name="setup">Draws the folds, and which of two features that split alike is taken.</param>
/// <param name="options">How large.</param>
public sealed class DecisionTree(KernelSetup setup, DecisionTreeOptions options) : IClassifier
{
    private const int Folds = 5, FewestRows = 2 * Folds;

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        int n = rows.Labels.Count, d = (int)rows.X.shape[1];
        float[] x = rows.X.contiguous().to(ScalarType.Float32).data<float>().ToArray();
        FeatureColumn[] columns = [.. Enumerable.Range(0, d).Select(j => new FeatureColumn([.. Enumerable.Range(0, n).Select(i => x[i * d + j])]))];
        int[] labels = [.. rows.Labels], all = [.. Enumerable.Range(0, n)];
        ClassificationTree Grown(int[] some) => new(columns, labels, rows.Classes, [.. some], setup.Random("tree"), d, options.Depth, options.Leaf);
        double alpha = options.Alpha > 0 || n < FewestRows ? options.Alpha : Chosen();
        var tree = Grown(all);
        tree.Prune(alpha);
        return new Fitted(tree, rows.Classes, d, alpha);

        double Chosen()
        {
            var whole = Grown(all);
            var alphas = new List<double> { 0 };
            while (whole.Weakest() is var next && double.IsFinite(next))
            {
                whole.Prune(next);
                alphas.Add(next);
            }
            double[] between = [.. alphas.Select((a, i) => i + 1 < alphas.Count ? Math.Sqrt(a * alphas[i + 1]) : a)];
            int[] wrong = new int[between.Length], order = [.. all];
            setup.Random("folds").Shuffle(order);
            double[] shares = new double[rows.Classes];
            for (int fold = 0; fold < Folds; fold++)
            {
                cancellation.ThrowIfCancellationRequested();
                var part = Grown([.. order.Where((_, i) => i % Folds != fold)]);
                int[] asked = [.. order.Where((_, i) => i % Folds == fold)];
                for (int a = 0; a < between.Length; a++) // trees of larger α are parts of those of smaller
                {
                    part.Prune(between[a]);
                    foreach (int i in asked)
                    {
                        shares.AsSpan().Clear();
                        part.AddTo(x.AsSpan(i * d, d), shares);
                        wrong[a] += Array.IndexOf(shares, shares.Max()) == labels[i] ? 0 : 1;
                    }
                }
            }
            return between[Array.LastIndexOf(wrong, wrong.Min())];
        }
    }

    private sealed class Fitted(ClassificationTree tree, int classes, int features, double alpha) : IFitted, IOnTree
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double> { ["splits"] = tree.Splits, ["alpha"] = alpha };

        public LearnedTree Tree(int depth) => new(tree.Nodes(depth));

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Require(x, "rows");
            if (x.shape[1] != features)
                throw InputException.At("rows", $"[{string.Join(", ", x.shape)}]", $"[n, {features}], as what was learned from", "Give the same features.");
            float[] rows = x.shape[0] == 0 ? [] : x.contiguous().to(ScalarType.Float32).data<float>().ToArray();
            int n = (int)x.shape[0];
            double[] scores = new double[(long)n * classes];
            for (int i = 0; i < n; i++)
                tree.AddTo(rows.AsSpan(i * features, features), scores.AsSpan(i * classes, classes));
            return Aligned.Of(scores, n, classes).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
        }
    }
}
