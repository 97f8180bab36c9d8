using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>A graph, and its groups where they are known.</summary>
/// <param name="Graph">The graph.</param>
/// <param name="Truth">The group of each node; null where it is not known.</param>
internal sealed record GraphProblem(Graph Graph, int[]? Truth)
{
    private const int MostDraws = 1000, MostNodes = 5000;

    /// <summary>What the groups are called; null for their numbers.</summary>
    public IReadOnlyList<string>? Named { get; init; }

    /// <summary>Groups to find.</summary>
    public int Groups(GraphOptions o) => o.Groups == 0 ? Truth!.Distinct().Count() : o.Groups;

    /// <summary>Reads a user's graph, whose nodes say their group by <c>value</c>, or which is told how many groups to find; loads no tensor library.</summary>
    /// <exception cref="InputException">No values and no number of groups, a direction, or too few or many nodes.</exception>
    public static GmlGraph Read(string path, GraphOptions o)
    {
        var file = GmlFile.Read(path);
        int n = file.Names.Count;
        if (file.Directed)
            throw InputException.At(path, "a directed graph", "one without direction", "Leave 'directed 1' out if edges go both ways.");
        if (n is < 2 or > MostNodes)
            throw InputException.At(path, $"{n:N0} nodes", $"2 to {MostNodes:N0}", "Take a part of the graph.");
        if (file.Values is null && o.Groups == 0)
            throw InputException.At(path, "nodes without value", "a value for every node: the group that it is in", "Add them, or say how many groups to find (task.groups): then methods are compared by modularity.");
        return file;
    }

    /// <summary>A user's graph.</summary>
    /// <exception cref="InputException">As <see cref="Read"/>; loops, negative weights, or several parts.</exception>
    public static GraphProblem Of(string path, GraphOptions o)
    {
        var file = Read(path, o);
        int n = file.Names.Count;
        double[] a = new double[n * n];
        foreach (var (from, to, weight) in file.Edges)
            (a[from * n + to], a[to * n + from]) = (a[from * n + to] + weight, from == to ? a[to * n + from] + weight : a[to * n + from] + weight);
        string[] groups = [.. (file.Values ?? []).Distinct()];
        return new(new(Aligned.Of(a, n, n), file.Names), file.Values is null ? null : [.. file.Values.Select(v => Array.IndexOf(groups, v))]) { Named = file.Values is null ? null : groups };
    }

    /// <summary>A graph of groups, drawn until it is connected.</summary>
    public static GraphProblem Of(GraphOptions o, SeededRandom random)
    {
        int n = o.Made * o.Nodes;
        for (int draw = 0; draw < MostDraws && n <= MostNodes; draw++)
        {
            double[] a = new double[n * n];
            for (int i = 0; i < n; i++)
                for (int j = i + 1; j < n; j++)
                    a[i * n + j] = a[j * n + i] = random.NextDouble() < (i / o.Nodes == j / o.Nodes ? o.Inside : o.Across) ? 1 : 0;
            if (Graph.Components(a, n).Max() == 0)
                return new(new(Aligned.Of(a, n, n)), [.. Enumerable.Range(0, n).Select(i => i / o.Nodes)]);
        }
        throw InputException.At("task", $"{n:N0} nodes that are not connected in {MostDraws:N0} draws, or more than {MostNodes:N0}", "a connected graph", "Take more edges (task.inside, task.across) or other sizes.");
    }
}
