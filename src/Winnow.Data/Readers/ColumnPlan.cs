using System.Globalization;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Which columns of a table are features, in which order, and which is the label.</summary>
/// <param name="Features">Positions of the features.</param>
/// <param name="Label">Position of the label; −1 for none.</param>
/// <param name="Names">Names of all columns; null without a header.</param>
internal sealed record ColumnPlan(int[] Features, int Label, string[]? Names)
{
    /// <summary>Whether the features are hashed text.</summary>
    public bool Text { get; init; }

    /// <summary>A name for messages: position, and name where there is one.</summary>
    public string Show(int column) => Names is null ? $"column {column}" : $"column {column} ({Excerpt.Of(Names[column])})";

    /// <summary>Names of the features, or null without a header.</summary>
    public string[]? FeatureNames => Names is null ? null : Array.ConvertAll(Features, f => Names[f]);

    /// <summary>
    /// For training: the label column is the named one or the last; all others are features. A table in which all columns but one are text
    /// and no label is named has that one as its label, wherever it stands.
    /// </summary>
    /// <param name="where">File, for errors.</param>
    /// <param name="names">Column names, or null without a header.</param>
    /// <param name="count">Number of columns.</param>
    /// <param name="reading">What the user said.</param>
    /// <param name="text">Which columns hold text.</param>
    public static ColumnPlan ForTraining(string where, string[]? names, int count, DataReading reading, bool[] text)
    {
        if (reading.Label is null && count > 2 && text[^1] && text.Count(t => !t) == 1)
            reading = reading with { Label = $"{Array.IndexOf(text, false)}" };
        var plan = ForTraining(where, names, count, reading);
        return plan with { Text = plan.Features.All(f => text[f]) };
    }

    /// <summary>For training: the label column is the named one or the last; all others are features.</summary>
    public static ColumnPlan ForTraining(string where, string[]? names, int count, DataReading reading)
    {
        RequireUnique(where, names);
        if (count < 2)
            throw InputException.At(where, "a single column", "feature columns and a label column", "Check the file, and the separator of a CSV (comma, semicolon, tab or |).");
        int label = LabelColumn(where, names, count, reading);
        return new([.. Enumerable.Range(0, count).Where(c => c != label)], label, names);
    }

    /// <summary>
    /// For prediction: by name where header and model have names, in the model's order, other columns ignored; else by position,
    /// with or without one label column, which is ignored.
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
        if (count == layout.Columns)
            return new([.. Enumerable.Range(0, count)], -1, names);
        if (count == layout.Columns + 1)
        {
            int label = LabelColumn(where, names, count, reading);
            return new([.. Enumerable.Range(0, count).Where(c => c != label)], -1, names);
        }
        throw InputException.At(where, $"{count} columns", $"{layout.Columns} {(layout.TextColumns is null ? "features" : "columns of text")} as the model was trained on, or one more for a label column, which is ignored", "Give the same columns as for training.");
    }

    private static int LabelColumn(string where, string[]? names, int count, DataReading reading)
    {
        if (reading.Label is not { } label)
            return count - 1;
        int byName = names is null ? -1 : Array.IndexOf(names, label);
        if (byName >= 0)
            return byName;
        if (int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int position))
            return position < count ? position
                : throw InputException.At(where, $"{count} columns", $"a label column at position {position}", $"Positions count from 0: the last is {count - 1}.");
        if (names is null)
            throw InputException.At(where, "no header", $"a label column named {Excerpt.Of(label)}", $"Give its position instead (0 to {count - 1}), or say that the first line is a header.");
        throw InputException.At(where, $"no column {Excerpt.Of(label)}", "the label column",
            Nearest.To(label, names) is { } near ? $"Did you mean '{near}'?" : $"Columns: {string.Join(", ", names.Take(20).Select(Excerpt.Of))}{(names.Length > 20 ? ", ..." : "")}.");
    }

    private static void RequireUnique(string where, string[]? names)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int c = 0; c < (names?.Length ?? 0); c++)
            if (!seen.TryAdd(names![c], c))
                throw InputException.At(where, $"two columns named {Excerpt.Of(names[c])} (positions {seen[names[c]]} and {c})", "a different name for every column", "Rename or remove one of them.");
    }
}
