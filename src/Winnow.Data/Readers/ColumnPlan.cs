using System.Globalization;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Which columns of a table are features, in which order, which is the label, and which says where or when a row comes from.</summary>
/// <param name="Features">Positions of the features.</param>
/// <param name="Label">Position of the label; −1 for none.</param>
/// <param name="Names">Names of all columns; null without a header.</param>
internal sealed record ColumnPlan(int[] Features, int Label, string[]? Names)
{
    /// <summary>Position of the domain; −1 for none.</summary>
    public int Domain { get; init; } = -1;

    /// <summary>Whether the features are hashed text.</summary>
    public bool Text { get; init; }

    /// <summary>A name for messages: position, and name where there is one.</summary>
    public string Show(int column) => Names is null ? $"column {column}" : $"column {column} ({Excerpt.Of(Names[column])})";

    /// <summary>Names of the features, or null without a header.</summary>
    public string[]? FeatureNames => Names is null ? null : Array.ConvertAll(Features, f => Names[f]);

    /// <summary>
    /// For training: the label column is the named one or the last; all others but the domain column are features. A table in which all of them
    /// but one are text and no label is named has that one as its label, wherever it stands.
    /// </summary>
    /// <param name="where">File, for errors.</param>
    /// <param name="names">Column names, or null without a header.</param>
    /// <param name="count">Number of columns.</param>
    /// <param name="reading">What the user said.</param>
    /// <param name="text">Which columns hold text.</param>
    public static ColumnPlan ForTraining(string where, string[]? names, int count, DataReading reading, bool[] text)
    {
        RequireUnique(where, names);
        int domain = DomainColumn(where, names, count, reading);
        int[] others = [.. Enumerable.Range(0, count).Where(c => c != domain)];
        if (reading.Label is null && others.Length > 2 && text[others[^1]] && others.Count(c => !text[c]) == 1)
            reading = reading with { Label = $"{others.Single(c => !text[c])}" };
        var plan = ForTraining(where, names, count, reading);
        return plan with { Text = plan.Features.All(f => text[f]) };
    }

    /// <summary>For training: the label column is the named one or the last; all others but the domain column are features.</summary>
    public static ColumnPlan ForTraining(string where, string[]? names, int count, DataReading reading)
    {
        RequireUnique(where, names);
        if (count < 2)
            throw InputException.At(where, "a single column", "feature columns and a label column", "Check the file, and the separator of a CSV (comma, semicolon, tab or |).");
        int domain = DomainColumn(where, names, count, reading);
        int label = LabelColumn(where, names, count, domain, reading);
        if (label == domain)
            throw InputException.At(where, $"label and domain both in {new ColumnPlan([], label, names).Show(label)}", "a column for each", "Name another column with --label or --domain.");
        int[] features = [.. Enumerable.Range(0, count).Where(c => c != label && c != domain)];
        return features.Length > 0 ? new(features, label, names) { Domain = domain }
            : throw InputException.At(where, "a label and a domain column alone", "feature columns beside them", "Check the file, and the separator of a CSV (comma, semicolon, tab or |).");
    }

    /// <summary>
    /// For prediction: by name where header and model have names, in the model's order, other columns ignored; else by position,
    /// with or without one label column, which is ignored, as is a domain column that is named.
    /// </summary>
    public static ColumnPlan ForPrediction(string where, string[]? names, int count, DataReading reading, ExampleLayout layout)
    {
        RequireUnique(where, names);
        if (names is not null && layout.FeatureNames is { } wanted && wanted.Any(names.Contains))
        {
            int[] features = [.. wanted.Select(w => Array.IndexOf(names, w))];
            int missing = Array.IndexOf(features, -1);
            return missing < 0 ? new(features, -1, names)
                : throw InputException.At(where, $"no column {Excerpt.Of(wanted[missing])}", $"the {wanted.Count} columns the model was trained on",
                    Nearest.To(wanted[missing], names.Except(wanted)) is { } near ? $"Rename column '{near}'?" : "Add it.");
        }
        int domain = DomainColumn(where, names, count, reading);
        int[] others = [.. Enumerable.Range(0, count).Where(c => c != domain)];
        if (others.Length == layout.Columns)
            return new(others, -1, names);
        if (others.Length == layout.Columns + 1)
        {
            int label = LabelColumn(where, names, count, domain, reading);
            return new([.. others.Where(c => c != label)], -1, names);
        }
        throw InputException.At(where, $"{count} columns", $"{layout.Columns} {(layout.TextColumns is null ? "features" : "columns of text")} as the model was trained on, or one more for a label column, which is ignored", "Give the same columns as for training.");
    }

    /// <summary>The label column: the one that is named, else the last that is not the domain's.</summary>
    private static int LabelColumn(string where, string[]? names, int count, int domain, DataReading reading) =>
        reading.Label is { } label ? Find(where, names, count, label, "label") : domain == count - 1 ? count - 2 : count - 1;

    private static int DomainColumn(string where, string[]? names, int count, DataReading reading) =>
        reading.Domain is { } domain ? Find(where, names, count, domain, "domain") : -1;

    /// <summary>A column by name or zero-based position.</summary>
    private static int Find(string where, string[]? names, int count, string column, string role)
    {
        int byName = names is null ? -1 : Array.IndexOf(names, column);
        if (byName >= 0)
            return byName;
        if (int.TryParse(column, NumberStyles.None, CultureInfo.InvariantCulture, out int position))
            return position < count ? position
                : throw InputException.At(where, $"{count} columns", $"a {role} column at position {position}", $"Positions count from 0: the last is {count - 1}.");
        if (names is null)
            throw InputException.At(where, "no header", $"a {role} column named {Excerpt.Of(column)}", $"Give its position instead (0 to {count - 1}), or say that the first line is a header.");
        throw InputException.At(where, $"no column {Excerpt.Of(column)}", $"the {role} column",
            Nearest.To(column, names) is { } near ? $"Did you mean '{near}'?" : $"Columns: {string.Join(", ", names.Take(20).Select(Excerpt.Of))}{(names.Length > 20 ? ", ..." : "")}.");
    }

    private static void RequireUnique(string where, string[]? names)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int c = 0; c < (names?.Length ?? 0); c++)
            if (!seen.TryAdd(names![c], c))
                throw InputException.At(where, $"two columns named {Excerpt.Of(names[c])} (positions {seen[names[c]]} and {c})", "a different name for every column", "Rename or remove one of them.");
    }
}
