using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>The tree that classes stand in.</summary>
/// <param name="Names">Of its nodes.</param>
/// <param name="Edges">From nodes to those below them.</param>
/// <param name="Classes">The node of each class.</param>
internal sealed record Hierarchy(IReadOnlyList<string> Names, IReadOnlyList<(int From, int To)> Edges, IReadOnlyList<int> Classes)
{
    /// <summary>The edges from the root outwards, and the root: the first that is below none. Null for what is no tree.</summary>
    public IReadOnlyList<(int From, int To)>? FromRoot(out int root)
    {
        bool[] below = new bool[Names.Count];
        foreach (var (_, to) in Edges)
            below[to] = true;
        root = Math.Max(0, Array.IndexOf(below, false));
        return Edges.Count == Names.Count - 1 ? [.. RandomTree.FromRoot(Names.Count, Edges, root)] : null;
    }
}

/// <summary>What the report draws of answers about classes that stand in a tree.</summary>
internal static class HierarchyFigure
{
    private const string Series = "hierarchy";

    public static FigureCard Card { get; } = new("hierarchy", FigureKind.Outline, "Answers in the hierarchy", Series, "", "",
        "Rows of each class, of the first seed: answered with it rightly, answered with it wrongly, missed. Filled circles are classes with rows to learn from, rings those between two of them, which their distances can lead to (the locus), dashed ones out of reach.");

    /// <summary>Records the answers of the first seed.</summary>
    public static void Record(KernelTrial trial, UnseenProblem problem, IReadOnlyCollection<int> seen, IReadOnlyList<(int Answer, int Label)> pairs)
    {
        if (trial.Trial.Seed != 1 || problem.Hierarchy is not { } hierarchy || hierarchy.FromRoot(out int root) is not { } edges)
            return;
        var context = trial.Context;
        Node(root, -1);
        foreach (var (from, to) in edges)
            Node(to, from);
        int[] locus = problem.Metric.Locus(seen);
        for (int c = 0; c < hierarchy.Classes.Count; c++)
            context.Metric($"{Series}/mark", seen.Contains(c) ? 2 : locus.Contains(c) ? 1 : 0, hierarchy.Classes[c]);
        Bar("answered rightly", pairs.Where(p => p.Answer == p.Label).Select(p => p.Label));
        Bar("answered wrongly", pairs.Where(p => p.Answer != p.Label).Select(p => p.Answer));
        Bar("missed", pairs.Where(p => p.Answer != p.Label).Select(p => p.Label));

        void Node(int node, int parent)
        {
            context.Metric($"{Series}/parent", parent, node);
            context.Metric($"{Series}-name/{hierarchy.Names[node]}", 1, node);
        }

        void Bar(string kind, IEnumerable<int> of)
        {
            var counts = of.CountBy(c => c).ToDictionary();
            for (int c = 0; c < hierarchy.Classes.Count; c++)
                context.Metric($"{Series}-bar/{kind}", counts.GetValueOrDefault(c), hierarchy.Classes[c]);
        }
    }
}
