using System.Globalization;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>What was learned and is a tree, or has one to show.</summary>
internal interface IOnTree
{
    /// <summary>The tree, or the first of many, down to a depth.</summary>
    LearnedTree Tree(int depth);
}

/// <summary>A tree of decisions.</summary>
/// <param name="Nodes">Nodes, each before those below it, those to the left first.</param>
/// <param name="Turned">So many features come first that are turned, in deviations; those after them are the rows' own.</param>
internal sealed record LearnedTree(IReadOnlyList<TreeNode> Nodes, int Turned = 0);

/// <summary>A node of a tree.</summary>
/// <param name="Parent">The place of the node above it; −1 for none.</param>
/// <param name="Feature">What it asks; −1 where it answers.</param>
/// <param name="Threshold">Rows whose feature is not above it go to the left.</param>
/// <param name="Rows">Rows that come by, of those that the tree learned from.</param>
/// <param name="Shares">The share of each class among them.</param>
/// <param name="Below">Decisions below it that are left out.</param>
internal readonly record struct TreeNode(int Parent, int Feature, double Threshold, int Rows, double[] Shares, int Below);

/// <summary>What features are called and how a user's numbers became those learned from: less the mean, over the scale.</summary>
internal sealed record Features(IReadOnlyList<string> Names, IReadOnlyList<double> Mean, IReadOnlyList<double> Scale);

/// <summary>Records trees for <see cref="FigureKind.Tree"/>.</summary>
internal static class TreeFigure
{
    private const string Series = "tree";

    /// <summary>Questions one after the other that are shown.</summary>
    public const int Depth = 4;

    public static FigureCard Card { get; } = new("tree", FigureKind.Tree, "What a tree asks", Series, "", "",
        "The tree of the first seed, or the first tree of a forest, to its fourth question: upwards is yes, downwards no. The bar has the classes of the rows that come by. A forest whose features are turned asks for sums of them, which are numbered.");

    /// <summary>Records a tree.</summary>
    public static void Record(TrialContext context, LearnedTree tree, Problem problem)
    {
        for (int c = 0; c < problem.Names.Count; c++)
            context.Metric($"{Series}-class/{problem.Names[c]}", tree.Nodes[0].Shares[c], 0);
        for (int i = 0; i < tree.Nodes.Count; i++)
        {
            var node = tree.Nodes[i];
            context.Metric($"{Series}/parent", node.Parent, i);
            context.Metric($"{Series}/share", (double)node.Rows / tree.Nodes[0].Rows, i);
            if (node.Below > 0)
                context.Metric($"{Series}/below", node.Below, i);
            for (int c = 0; c < node.Shares.Length && i > 0; c++)
                if (node.Shares[c] > 0)
                    context.Metric($"{Series}-class/{problem.Names[c]}", node.Shares[c], i);
            if (node.Feature < 0)
                continue;
            var (name, at) = Asked(node, tree.Turned, problem.Features);
            context.Metric($"{Series}-asks/{name}", at, i);
        }
    }

    private static (string Name, double At) Asked(TreeNode node, int turned, Features? features)
    {
        if (node.Feature < turned)
            return (string.Create(CultureInfo.InvariantCulture, $"turned {node.Feature + 1}"), node.Threshold);
        int own = node.Feature - turned;
        return features is null ? (string.Create(CultureInfo.InvariantCulture, $"feature {own + 1}"), node.Threshold) : (features.Names[own], node.Threshold * features.Scale[own] + features.Mean[own]);
    }
}
