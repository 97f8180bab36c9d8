using System.Globalization;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Turns label texts into class indices: classes in numeric order when all are numbers, else in ordinal order.</summary>
internal sealed class LabelEncoder(string where, ReadLimits limits)
{
    private readonly Dictionary<string, int> _codes = new(StringComparer.Ordinal);
    private readonly GrowingArray<int> _labels = new(where, limits);

    /// <summary>Adds the label of the next row.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        var codes = _codes.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!codes.TryGetValue(text, out int code))
        {
            code = _codes.Count;
            _codes.Add(text.ToString(), code);
        }
        _labels.Add(code);
    }

    /// <summary>The labels and the class names.</summary>
    /// <exception cref="InputException">The labels look like a measured quantity or an identifier, not like classes.</exception>
    public (int[] Labels, string[] Names) Finish()
    {
        int rows = _labels.Count;
        if (_codes.Count > 20 && _codes.Count > rows / 2)
            throw InputException.At(where, $"{Excerpt.Of(_codes.Count)} different labels in {Excerpt.Of(rows)} rows", "classes with several rows each", "Name the label column (by name or position).");
        string[] names = [.. _codes.Keys];
        bool numeric = names.All(n => double.TryParse(n, NumberStyles.Float, CultureInfo.InvariantCulture, out _));
        string[] sorted = numeric
            ? [.. names.OrderBy(n => double.Parse(n, NumberStyles.Float, CultureInfo.InvariantCulture)).ThenBy(n => n, StringComparer.Ordinal)]
            : [.. names.Order(StringComparer.Ordinal)];
        var place = new int[names.Length];
        for (int i = 0; i < sorted.Length; i++)
            place[_codes[sorted[i]]] = i;
        int[] labels = _labels.ToArray();
        for (int i = 0; i < labels.Length; i++)
            labels[i] = place[labels[i]];
        return (labels, sorted);
    }
}
