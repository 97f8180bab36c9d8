using Winnow.Core;

namespace Winnow.Reports.Plots;

/// <summary>A rooted tree as trials record it: a parent for each node, −1 for the root.</summary>
internal sealed class Branches
{
    private readonly ILookup<int, int> _children;

    private Branches(int[] nodes, ILookup<int, int> children, Dictionary<int, int> depth) => (Nodes, _children, Depth) = (nodes, children, depth);

    /// <summary>Nodes, each before its children, and those of one parent in the order in which they were recorded.</summary>
    public IReadOnlyList<int> Nodes { get; }

    /// <summary>Steps from the root.</summary>
    public IReadOnlyDictionary<int, int> Depth { get; }

    /// <summary>Children in the order in which they were recorded.</summary>
    public IEnumerable<int> Children(int node) => _children[node];

    /// <summary>What a row's first seed recorded; null where there is none, or no tree: nodes that the root does not reach.</summary>
    public static Branches? Of(StudyRow row, string series)
    {
        var parents = SeriesData.First(row, series).Where(p => p.Member == "parent").DistinctBy(p => p.Step).ToList();
        var children = parents.ToLookup(p => (int)p.Value, p => (int)p.Step);
        if (children[-1].Count() != 1)
            return null;
        var (nodes, depth) = (new List<int>(), new Dictionary<int, int>());
        var open = new Stack<(int Node, int Depth)>([(children[-1].First(), 0)]);
        while (open.TryPop(out var at))
        {
            nodes.Add(at.Node);
            depth[at.Node] = at.Depth;
            foreach (int child in children[at.Node].Reverse())
                open.Push((child, at.Depth + 1));
        }
        return nodes.Count == parents.Count ? new([.. nodes], children, depth) : null;
    }

    /// <summary>The tree down to a depth, and for each node how many below it are left out.</summary>
    public Branches Above(int depth, out IReadOnlyDictionary<int, int[]> hidden)
    {
        var below = Nodes.ToDictionary(n => n, n => new List<int>());
        int end = -1; // nodes after one at the last depth are below it until the next that is not deeper
        foreach (int node in Nodes)
            if (Depth[node] <= depth)
                end = node;
            else
                below[end].Add(node);
        hidden = below.Where(b => b.Value.Count > 0).ToDictionary(b => b.Key, b => b.Value.ToArray());
        int[] kept = [.. Nodes.Where(n => Depth[n] <= depth)];
        var set = kept.ToHashSet();
        return new(kept, kept.SelectMany(n => _children[n].Where(set.Contains).Select(c => (Parent: n, Child: c))).ToLookup(p => p.Parent, p => p.Child), kept.ToDictionary(n => n, n => Depth[n]));
    }
}
