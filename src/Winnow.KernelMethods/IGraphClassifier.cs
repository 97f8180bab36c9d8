using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Says the classes of whole graphs from those of some.</summary>
public interface IGraphClassifier : IKernelMethod
{
    /// <summary>Answers.</summary>
    /// <param name="graphs">The graphs, and the classes that are known.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Graphs that the method cannot learn from, with the remedy.</exception>
    Answers Classify(LabelledGraphs graphs, CancellationToken cancellation = default);
}

/// <summary>Graphs some of which have a class.</summary>
public sealed class LabelledGraphs
{
    /// <summary>Labels.</summary>
    /// <param name="graphs">All graphs, each of at least one node.</param>
    /// <param name="known">Graphs whose class is known, each once.</param>
    /// <param name="labels">Their classes, from 0.</param>
    /// <param name="classes">Classes, those that no known graph has included.</param>
    /// <exception cref="InputException">None, a graph twice, without a node or that is not there, an edge of a node that is not, or a label that is no class.</exception>
    public LabelledGraphs(IReadOnlyList<TuGraph> graphs, IReadOnlyList<int> known, IReadOnlyList<int> labels, int classes)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        ArgumentNullException.ThrowIfNull(known);
        ArgumentNullException.ThrowIfNull(labels);
        foreach (var (i, graph) in graphs.Index())
            if (graph.Labels.Count == 0 || graph.Labels.Any(l => l < 0) || graph.Edges.Any(e => e.From < 0 || e.To < 0 || e.From >= graph.Labels.Count || e.To >= graph.Labels.Count || e.From == e.To))
                throw InputException.At($"graph {i}", $"{graph.Labels.Count} nodes, {graph.Edges.Count} edges, of which one is none or a label below 0", "at least one node, edges of different nodes, and labels from 0", "Mend it or leave it out.");
        if (known.Count == 0 || known.Count != labels.Count || known.Distinct().Count() < known.Count || known.Any(k => k < 0 || k >= graphs.Count))
            throw InputException.At("known graphs", $"{known.Count} graphs and {labels.Count} labels", $"at least one of the {graphs.Count} graphs, each once, with a label each", "Check them.");
        if (classes < 1 || labels.Any(l => l < 0 || l >= classes))
            throw InputException.At("labels", $"{labels.Min()} to {labels.Max()}", $"0 to {classes - 1}", "Number the classes from 0.");
        (Graphs, Known, Labels, Classes) = (graphs, known, labels, classes);
    }

    /// <summary>All graphs.</summary>
    public IReadOnlyList<TuGraph> Graphs { get; }

    /// <summary>Graphs whose class is known.</summary>
    public IReadOnlyList<int> Known { get; }

    /// <summary>Their classes.</summary>
    public IReadOnlyList<int> Labels { get; }

    /// <summary>Classes.</summary>
    public int Classes { get; }
}
