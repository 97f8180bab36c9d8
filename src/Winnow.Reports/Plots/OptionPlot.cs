using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>The primary metric over the values of an option, where rows of a method differ in nothing else: buffer size against accuracy.</summary>
internal static class OptionPlot
{
    private const int Fewest = 3;

    /// <summary>A figure for each numeric option of which some method has at least three values, everything else equal.</summary>
    public static IEnumerable<(string Option, string Description, Markup Drawn)> Draw(MetricCard metric, IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var measured = rows.Where(r => r.Metrics.TryGetValue(metric.Name, out var m) && double.IsFinite(m.Mean)).ToList();
        foreach (string option in measured.SelectMany(r => r.Row.Changed.Select(o => o.Key)).Distinct().ToList())
        {
            var curves = measured.Where(r => Number(r, option) is not null).GroupBy(r => (r.Row.Method.Id, Others: Others(r.Row.Options, option))).Where(g => g.Count() >= Fewest)
                .Select(g => (Label: Name(g.First(), option), First: g.First(), Points: g.Select(r => (X: Number(r, option)!.Value, Value: r.Metrics[metric.Name])).OrderBy(p => p.X).ToList())).ToList();
            if (curves.Count == 0)
                continue;
            double low = curves.Min(c => c.Points[0].X), high = curves.Max(c => c.Points[^1].X);
            // a line is several rows, so its number is none of theirs
            var lines = curves.OrderByDescending(c => c.Points[^1].Value.Mean).Select((c, i) => new NamedLine(c.Label, new(styles.Count + i, i < MethodStyles.Colours ? $"m{i}" : "rest"), c.Points)).ToList();
            lines.AddRange(measured.Where(r => Comparison.IsBound(r.Row)).Select(r => new NamedLine(r.Row.Label, styles[r], [(low, r.Metrics[metric.Name]), (high, r.Metrics[metric.Name])])));
            string description = curves[0].First.Row.Method.Options.Options.First(o => o.Name == option).Description;
            yield return (option, description, LinesPlot.Draw(lines, option, metric.Title,
                $"{metric.Title} over {option}: {string.Join("; ", lines.Select(l => $"{l.Label} from {Format.Of(l.Points[0].Value.Mean, metric.Unit)} to {Format.Of(l.Points[^1].Value.Mean, metric.Unit)}"))}", metric.Unit,
                (values, width) => PlotScale.Amounts(values, "", width > 500 ? 8 : 4)));
        }
    }

    private static double? Number(ComparisonRow row, string option) =>
        row.Row.Options[option] is { } value && value.GetValueKind() == JsonValueKind.Number ? double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture) : null;

    private static string Others(JsonObject options, string option) => new JsonObject(options.Where(o => o.Key != option).Select(o => KeyValuePair.Create(o.Key, o.Value?.DeepClone()))).ToJsonString();

    private static string Name(ComparisonRow row, string option)
    {
        var rest = row.Row.Changed.Where(o => o.Key != option).Select(o => $"{o.Key}={o.Value}").ToList();
        return rest.Count == 0 ? row.Row.Method.Id : $"{row.Row.Method.Id} ({string.Join(", ", rest)})";
    }
}
