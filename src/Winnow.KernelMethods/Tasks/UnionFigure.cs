using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>What the report draws of groups that were united two by two.</summary>
internal static class UnionFigure
{
    private const string Series = "unions";

    public static FigureCard Card { get; } = new("unions", FigureKind.Dendrogram, "Which groups were united", Series, "", "distance at which two are united",
        "Of methods that unite two groups at a time, of the first seed. Colours are the true groups, or those found where none are known; a branch has one where all below it are of one group. Long lines above the dashed one, where as many groups are left as were asked for, say that the groups are there.");

    /// <summary>Records unions of the first seed.</summary>
    /// <param name="trial">The trial.</param>
    /// <param name="unions">The unions, to the last.</param>
    /// <param name="truth">The true group of each.</param>
    /// <param name="group">What a group is called.</param>
    /// <param name="groups">Groups that were asked for.</param>
    /// <param name="names">What each is called; null for nothing.</param>
    public static void Record(KernelTrial trial, IReadOnlyList<Union> unions, IReadOnlyList<int> truth, Func<int, string> group, int groups, IReadOnlyList<string>? names = null)
    {
        if (trial.Trial.Seed != 1 || unions.Count == 0)
            return;
        var context = trial.Context;
        for (int i = 0; i < unions.Count; i++)
        {
            context.Metric($"{Series}/left", unions[i].Left, i);
            context.Metric($"{Series}/right", unions[i].Right, i);
            context.Metric($"{Series}/height", unions[i].Height, i);
        }
        foreach (int i in Enumerable.Range(0, truth.Count).OrderBy(i => truth[i])) // the legend is in the order of the groups
        {
            context.Metric($"{Series}-leaf/{group(truth[i])}", 1, i);
            if (names is not null)
                context.Metric($"{Series}-name/{names[i]}", 1, i);
        }
        context.Metric($"{Series}-cut/groups", groups, 0);
    }
}
