using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Puts the nodes of a graph into groups.</summary>
public interface IGraphClusterer : IKernelMethod
{
    /// <summary>Groups.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="groups">How many, at least 1 and no more than nodes.</param>
    /// <param name="cancellation">Stops.</param>
    Grouping Group(Graph graph, int groups, CancellationToken cancellation = default);
}

/// <summary>Groups of nodes.</summary>
/// <param name="Labels">The group of each node, from 0.</param>
/// <param name="Tried">The groups for each strength that was tried, among which these were chosen without knowing the truth.</param>
public sealed record Grouping(int[] Labels, IReadOnlyList<int[]> Tried)
{
    /// <summary>All unions to the last, of a method that unites two groups at a time; otherwise none.</summary>
    public IReadOnlyList<Union> Unions { get; init; } = [];

    /// <summary>How far nodes are apart by which they were put into groups, float64 [n, n]; null where there is no such thing. The current dispose scope owns it.</summary>
    public Tensor? Distances { get; init; }
}

/// <summary>A connected graph without direction.</summary>
public sealed class Graph : IDisposable
{
    /// <summary>A graph.</summary>
    /// <param name="adjacency">Weights, float64 [n, n], symmetric, not below zero, zero on the diagonal; copied.</param>
    /// <param name="names">A name a node; null for their numbers.</param>
    /// <exception cref="InputException">Not such a matrix, or not connected: the components are named.</exception>
    public Graph(Tensor adjacency, IReadOnlyList<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(adjacency);
        using var scope = NewDisposeScope();
        if (adjacency.dim() != 2 || adjacency.shape[0] != adjacency.shape[1] || adjacency.shape[0] == 0 || adjacency.dtype != ScalarType.Float64)
            throw InputException.At("graph", $"{adjacency.dtype} [{string.Join(", ", adjacency.shape)}]", "float64 [n, n]", "Give a square matrix of weights.");
        Finite.Require(adjacency, "graph");
        Nodes = (int)adjacency.shape[0];
        Names = names ?? [.. Enumerable.Range(0, Nodes).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        double[] a = adjacency.contiguous().data<double>().ToArray();
        for (int i = 0; i < Nodes; i++)
            for (int j = 0; j < Nodes; j++)
                if (a[i * Nodes + j] < 0 || a[i * Nodes + j] != a[j * Nodes + i] || i == j && a[i * Nodes + j] != 0)
                    throw InputException.At("graph", FormattableString.Invariant($"the weight {a[i * Nodes + j]} from {Names[i]} to {Names[j]}, {a[j * Nodes + i]} back"), i == j ? "no edge of a node with itself" : "the same weight both ways, not below 0", "Leave the direction, the sign or the loop out.");
        int[] component = Components(a, Nodes);
        if (component.Max() > 0)
            throw InputException.At("graph", $"{component.Max() + 1} parts without an edge between them, of {string.Join(", ", component.GroupBy(c => c).OrderBy(g => g.Key).Take(5).Select(g => $"{g.Count()}"))} nodes; {Names[Array.IndexOf(component, 1)]} is not in the first", "a connected graph", "Take one of the parts.");
        Adjacency = adjacency.clone().DetachFromDisposeScope();
    }

    /// <summary>Nodes.</summary>
    public int Nodes { get; }

    /// <summary>A name a node.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Weights, float64 [n, n].</summary>
    public Tensor Adjacency { get; }

    /// <summary>The part of each node, from 0.</summary>
    internal static int[] Components(double[] a, int nodes)
    {
        int[] part = new int[nodes];
        Array.Fill(part, -1);
        for (int start = 0, count = 0; start < nodes; start++)
        {
            if (part[start] >= 0)
                continue;
            var open = new Stack<int>([start]);
            part[start] = count;
            while (open.Count > 0)
                for (int j = 0, i = open.Pop(); j < nodes; j++)
                    if (a[i * nodes + j] > 0 && part[j] < 0)
                    {
                        part[j] = count;
                        open.Push(j);
                    }
            count++;
        }
        return part;
    }

    /// <summary>How much more weight lies within groups than at random with these degrees (Newman 2006): Σ (A_ij − d_i d_j / 2m) / 2m over pairs of a group.</summary>
    public double Modularity(IReadOnlyList<int> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        using var scope = NewDisposeScope();
        double[] a = Adjacency.data<double>().ToArray(), degree = Adjacency.sum(1).data<double>().ToArray();
        double total = degree.Sum(), sum = 0;
        for (int i = 0; i < Nodes; i++)
            for (int j = 0; j < Nodes; j++)
                if (labels[i] == labels[j])
                    sum += a[i * Nodes + j] - degree[i] * degree[j] / total;
        return sum / total;
    }

    /// <inheritdoc/>
    public void Dispose() => Adjacency.Dispose();
}
