using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="LabelPropagation"/>.</summary>
public sealed record LabelPropagationOptions
{
    /// <summary>How far labels go.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true), Description("α: how much of a node's answer comes from its neighbours, the rest from its own label")]
    public double Alpha { get; init; } = 0.99;
}

/// <summary>
/// Labels spread along edges (Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with local and global consistency, NIPS 2003): <c>F ← α S F + (1 − α) Y</c>, S = D^-½ A D^-½, until no number changes by more than 1e-9 of what there is.
/// A node that no label reaches gets the shares of the known ones. Cost O(turns · edges · classes), turns about 20 / (1 − α).
/// </summary>
public sealed class LabelPropagation(LabelPropagationOptions options) : INodeClassifier
{
    private const double Tolerance = 1e-9;

    /// <inheritdoc/>
    public Answers Classify(LabelledNodes nodes, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        var (graph, classes) = (nodes.Graph, nodes.Classes);
        double[] root = [.. graph.Degrees.Select(d => d > 0 ? 1 / Math.Sqrt(d) : 1)], start = new double[graph.Nodes * classes], next = new double[start.Length];
        foreach (var (node, label) in nodes.Known.Zip(nodes.Labels))
            start[node * classes + label] = 1 - options.Alpha;
        double[] f = [.. start];
        int turns = 0;
        for (double change = double.PositiveInfinity; change > Tolerance * (1 - options.Alpha); turns++)
        {
            cancellation.ThrowIfCancellationRequested();
            graph.Multiply(f, next, classes, root, null);
            TensorPrimitives.MultiplyAdd(next, options.Alpha, start, next);
            change = TensorPrimitives.Distance<double>(f, next);
            (f, next) = (next, f);
        }
        double[] shares = Majority.Shares(nodes.Labels, classes);
        for (int i = 0; i < graph.Nodes; i++)
            if (!f.AsSpan(i * classes, classes).ContainsAnyExcept(0))
                shares.CopyTo(f, i * classes);
        return new(Aligned.Of(f, graph.Nodes, classes), new Dictionary<string, double> { ["turns"] = turns });
    }
}

/// <summary>Always the class that most known items have: what any method must beat.</summary>
public sealed class Majority : INodeClassifier, IGraphClassifier
{
    /// <inheritdoc/>
    public Answers Classify(LabelledNodes nodes, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        cancellation.ThrowIfCancellationRequested();
        return Of(nodes.Graph.Nodes, nodes.Labels, nodes.Classes);
    }

    /// <inheritdoc/>
    public Answers Classify(LabelledGraphs graphs, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        cancellation.ThrowIfCancellationRequested();
        return Of(graphs.Graphs.Count, graphs.Labels, graphs.Classes);
    }

    /// <summary>How often each class is known.</summary>
    internal static double[] Shares(IReadOnlyList<int> labels, int classes) => [.. Enumerable.Range(0, classes).Select(c => labels.Count(l => l == c) / (double)labels.Count)];

    private static Answers Of(int items, IReadOnlyList<int> labels, int classes) =>
        new(Aligned.Of([.. Enumerable.Repeat(Shares(labels, classes), items).SelectMany(s => s)], items, classes), new Dictionary<string, double>());
}
