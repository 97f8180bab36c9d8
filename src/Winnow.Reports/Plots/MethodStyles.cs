namespace Winnow.Reports.Plots;

/// <summary>How a row is drawn in every plot of the report.</summary>
/// <param name="Index">Number of the row's label in the report: what marks of the same method share.</param>
/// <param name="Ink">Style-sheet colour: <c>m0</c> to <c>m6</c> for highlighted rows, <c>bound</c>, or <c>rest</c>.</param>
internal readonly record struct MethodStyle(int Index, string Ink)
{
    /// <summary>Whether the row has a colour of its own.</summary>
    public bool Highlighted => Ink[0] == 'm';

    /// <summary>Whether the row is an upper or lower bound.</summary>
    public bool Bound => Ink == "bound";
}

/// <summary>
/// Gives seven rows a colour of their own, the same in all plots: the three best, then the published methods, then the next best.
/// Twenty colours cannot be told apart; the others are grey and named at their marks. A method with three rows or more is a family, whose rows share a colour.
/// </summary>
internal sealed class MethodStyles
{
    public const int Colours = 7;
    private const int Many = 3;
    private readonly Dictionary<string, MethodStyle> _styles = [];
    private readonly HashSet<string> _families;

    public MethodStyles(Comparison comparison)
    {
        var labels = comparison.Rows.DistinctBy(r => r.Row.Label).ToList();
        _families = [.. labels.GroupBy(r => r.Row.Method.Id).Where(g => g.Count() >= Many).Select(g => g.Key)];
        var competitors = labels.Where(r => !Comparison.IsBound(r.Row) && r.Row.Done.Count > 0).ToList();
        var chosen = competitors.Take(3).Concat(competitors.Where(r => r.Row.Method.Kind == Core.MethodKind.Seed)).Concat(competitors)
            .Select(Key).Distinct().Take(Colours).ToList();
        for (int i = 0; i < labels.Count; i++)
        {
            string label = labels[i].Row.Label;
            _styles[label] = new(i, Comparison.IsBound(labels[i].Row) ? "bound" : chosen.IndexOf(Key(labels[i])) is var colour and >= 0 ? $"m{colour}" : "rest");
        }
    }

    /// <summary>How many numbers are given to rows.</summary>
    public int Count => _styles.Count;

    /// <summary>The method of a family's row; null for a row alone.</summary>
    public string? Family(ComparisonRow row) => _families.Contains(row.Row.Method.Id) ? row.Row.Method.Id : null;

    private string Key(ComparisonRow row) => Family(row) ?? row.Row.Label;

    public MethodStyle this[ComparisonRow row] => _styles[row.Row.Label];
}
