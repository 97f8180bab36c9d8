using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Trees drawn with equal probability among all on n named nodes (Prüfer 1918).</summary>
internal static class RandomTree
{
    /// <summary>The n − 1 edges of a tree. Cost O(n²).</summary>
    public static IReadOnlyList<(int From, int To)> Edges(int nodes, SeededRandom random)
    {
        int[] code = [.. Enumerable.Range(0, Math.Max(0, nodes - 2)).Select(_ => random.Next(nodes))], degree = [.. Enumerable.Repeat(1, nodes)];
        foreach (int node in code)
            degree[node]++;
        var edges = new List<(int, int)>();
        foreach (int node in code)
        {
            int leaf = Array.IndexOf(degree, 1);
            edges.Add((node, leaf));
            degree[leaf]--;
            degree[node]--;
        }
        if (nodes > 1)
            edges.Add((Array.IndexOf(degree, 1), Array.LastIndexOf(degree, 1)));
        return edges;
    }

    /// <summary>The same edges from a root outwards, each from a node already reached.</summary>
    public static IEnumerable<(int From, int To)> FromRoot(int nodes, IReadOnlyList<(int From, int To)> edges, int root = 0)
    {
        var near = edges.Concat(edges.Select(e => (From: e.To, To: e.From))).ToLookup(e => e.From, e => e.To);
        bool[] reached = new bool[nodes];
        reached[root] = true;
        var open = new Queue<int>([root]);
        while (open.TryDequeue(out int from))
            foreach (int to in near[from])
                if (!reached[to])
                {
                    reached[to] = true;
                    open.Enqueue(to);
                    yield return (from, to);
                }
    }
}
