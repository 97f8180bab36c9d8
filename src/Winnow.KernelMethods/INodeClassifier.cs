using System.Numerics.Tensors;
using Winnow.Core;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>Says the classes of a graph's nodes from those of some; all nodes and edges are there from the beginning.</summary>
public interface INodeClassifier : IKernelMethod
{
    /// <summary>Answers.</summary>
    /// <param name="nodes">The graph, and the classes that are known.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">A graph that the method cannot learn from, with the remedy.</exception>
    Answers Classify(LabelledNodes nodes, CancellationToken cancellation = default);
}

/// <summary>What is answered of all items at once.</summary>
/// <param name="Scores">How well each class fits each item, float64 [n, classes]; the largest is the answer. The current dispose scope owns it.</param>
/// <param name="Report">What was found on the way.</param>
public sealed record Answers(Tensor Scores, IReadOnlyDictionary<string, double> Report)
{
    internal Answers ToOuterScope() => this with { Scores = Scores.MoveToOuterDisposeScope() };
}

/// <summary>A graph some of whose nodes have a class.</summary>
public sealed class LabelledNodes
{
    /// <summary>Labels.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="known">Nodes whose class is known, each once.</param>
    /// <param name="labels">Their classes, from 0.</param>
    /// <param name="classes">Classes, those that no known node has included.</param>
    /// <exception cref="InputException">None, a node twice or that is not there, or a label that is no class.</exception>
    public LabelledNodes(NodeGraph graph, IReadOnlyList<int> known, IReadOnlyList<int> labels, int classes)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(known);
        ArgumentNullException.ThrowIfNull(labels);
        if (known.Count == 0 || known.Count != labels.Count || known.Distinct().Count() < known.Count || known.Any(k => k < 0 || k >= graph.Nodes))
            throw InputException.At("known nodes", $"{known.Count} nodes and {labels.Count} labels", $"at least one of the {graph.Nodes} nodes, each once, with a label each", "Check them.");
        if (classes < 1 || labels.Any(l => l < 0 || l >= classes))
            throw InputException.At("labels", $"{labels.Min()} to {labels.Max()}", $"0 to {classes - 1}", "Number the classes from 0.");
        (Graph, Known, Labels, Classes) = (graph, known, labels, classes);
    }

    /// <summary>The graph.</summary>
    public NodeGraph Graph { get; }

    /// <summary>Nodes whose class is known.</summary>
    public IReadOnlyList<int> Known { get; }

    /// <summary>Their classes.</summary>
    public IReadOnlyList<int> Labels { get; }

    /// <summary>Classes.</summary>
    public int Classes { get; }
}

/// <summary>A graph without direction, of any number of parts; nodes without an edge are parts of their own.</summary>
public sealed class NodeGraph
{
    private readonly int[] _first, _ends;
    private readonly double[] _weights;

    /// <summary>A graph.</summary>
    /// <param name="nodes">How many.</param>
    /// <param name="edges">From and to, from 0, and weights above 0; of an edge given twice the weights add up.</param>
    /// <param name="words">Of each node the numbers of the words it has; null where there are none.</param>
    /// <exception cref="InputException">No node, an edge of a node with itself or with none, or a weight that is not above 0.</exception>
    public NodeGraph(int nodes, IReadOnlyList<(int From, int To, double Weight)> edges, IReadOnlyList<IReadOnlyList<int>>? words = null)
    {
        ArgumentNullException.ThrowIfNull(edges);
        if (nodes < 1 || words is not null && words.Count != nodes)
            throw InputException.At("graph", $"{nodes} nodes, words of {words?.Count}", "at least one node, and words of each", "Check them.");
        foreach (var (from, to, weight) in edges)
            if (from < 0 || to < 0 || from >= nodes || to >= nodes || from == to || !(weight > 0) || double.IsInfinity(weight))
                throw InputException.At("graph", FormattableString.Invariant($"the weight {weight} from {from} to {to}"), $"different nodes from 0 to {nodes - 1} and a weight above 0", "Leave the edge out.");
        var both = edges.SelectMany(e => ((int From, int To, double Weight)[])[(e.From, e.To, e.Weight), (e.To, e.From, e.Weight)]).GroupBy(e => (e.From, e.To)).Select(g => (g.Key.From, g.Key.To, Weight: g.Sum(e => e.Weight))).OrderBy(e => e.From).ThenBy(e => e.To).ToList();
        (Nodes, Words, Edges) = (nodes, words, both.Count / 2);
        (_first, _ends, _weights) = (new int[nodes + 1], [.. both.Select(e => e.To)], [.. both.Select(e => e.Weight)]);
        foreach (var (start, _, _) in both)
            _first[start + 1]++;
        for (int i = 0; i < nodes; i++)
            _first[i + 1] += _first[i];
        Degrees = [.. Enumerable.Range(0, nodes).Select(i => TensorPrimitives.Sum<double>(_weights.AsSpan(_first[i], _first[i + 1] - _first[i])))];
        int[] part = new int[nodes];
        Array.Fill(part, -1);
        for (int start = 0; start < nodes; start++)
        {
            if (part[start] >= 0)
                continue;
            var open = new Stack<int>([start]);
            part[start] = Parts;
            while (open.Count > 0)
                foreach (int j in Neighbours(open.Pop()))
                    if (part[j] < 0)
                    {
                        part[j] = Parts;
                        open.Push(j);
                    }
            Parts++;
        }
        Part = part;
    }

    /// <summary>Nodes.</summary>
    public int Nodes { get; }

    /// <summary>Edges.</summary>
    public int Edges { get; }

    /// <summary>Of each node the numbers of the words it has; null where there are none.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? Words { get; }

    /// <summary>The sum of the weights of each node's edges; 0 where it has none.</summary>
    public IReadOnlyList<double> Degrees { get; }

    /// <summary>The part of each node, from 0: between parts there is no edge.</summary>
    public IReadOnlyList<int> Part { get; }

    /// <summary>How many parts.</summary>
    public int Parts { get; }

    /// <summary>The nodes that a node has an edge with.</summary>
    internal ReadOnlySpan<int> Neighbours(int node) => _ends.AsSpan(_first[node], _first[node + 1] - _first[node]);

    /// <summary>The weights of these edges.</summary>
    internal ReadOnlySpan<double> Weights(int node) => _weights.AsSpan(_first[node], _first[node + 1] - _first[node]);

    /// <summary><c>S X</c> of the graph's weights times something of both ends, and something of each node: <c>Y_i = own_i X_i + Σ_j a_ij s_i s_j X_j</c>.</summary>
    /// <param name="x">[n, columns], row after row.</param>
    /// <param name="y">The product, overwritten.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="scale">s, one a node.</param>
    /// <param name="own">One a node; null for none.</param>
    internal void Multiply(double[] x, double[] y, int columns, double[] scale, double[]? own)
    {
        for (int i = 0; i < Nodes; i++)
        {
            var to = y.AsSpan(i * columns, columns);
            if (own is null)
                to.Clear();
            else
                TensorPrimitives.Multiply(x.AsSpan(i * columns, columns), own[i], to);
            var ends = Neighbours(i);
            var weights = Weights(i);
            for (int e = 0; e < ends.Length; e++)
                TensorPrimitives.MultiplyAdd(x.AsSpan(ends[e] * columns, columns), weights[e] * scale[i] * scale[ends[e]], to, to);
        }
    }
}
