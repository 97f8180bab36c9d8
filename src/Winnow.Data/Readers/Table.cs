using System.Globalization;
using System.Text;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>What a table reader found.</summary>
/// <param name="Values">Row-major features.</param>
/// <param name="Columns">Features per row.</param>
/// <param name="FeatureNames">Names of the features, or null.</param>
/// <param name="Labels">Class per row; empty when read without labels.</param>
/// <param name="LabelNames">Class names.</param>
/// <param name="Text">The hashed features where the columns are text; <paramref name="Values"/> is empty then.</param>
internal sealed record Table(float[] Values, int Columns, string[]? FeatureNames, int[] Labels, IReadOnlyList<string> LabelNames, SparseRows? Text = null)
{
    /// <summary>Where or when each row comes from, where that is known.</summary>
    public Domains? Domains { get; init; }

    /// <summary>The number of each row and the column it stands in, where numbers were asked for instead of labels.</summary>
    public (string Column, double[] Values)? Targets { get; init; }

    /// <summary>What an example of it looks like.</summary>
    public ExampleLayout Layout => Text is null ? new([Columns], 1, FeatureNames) : new([TextDimensions], 1, FeatureNames, Columns);

    /// <summary>Features that text is hashed to.</summary>
    public const int TextDimensions = 4096;

    /// <summary>The examples, in a layout.</summary>
    public RowData Rows(string name, string format, ExampleLayout layout) => Text is null ? new(name, format, layout, Values) : new(name, format, layout, Text);

    /// <summary>A field as a number.</summary>
    /// <param name="text">The field, UTF-8.</param>
    /// <param name="where">File, line and column, asked for only when the field is bad.</param>
    /// <exception cref="InputException">Not a finite number that fits a float.</exception>
    public static float Number(ReadOnlySpan<byte> text, Func<string> where)
    {
        if (float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value))
            return float.IsFinite(value) ? value : throw NotFinite(where(), Encoding.UTF8.GetString(text));
        throw text.IsEmpty
            ? InputException.At(where(), "an empty field", "a number", "Fill in the missing value or remove the row.")
            : InputException.At(where(), Excerpt.Of(Encoding.UTF8.GetString(text)), "a number", "Encode text columns as numbers or remove them; if this line is a header, say so.");
    }

    /// <summary>A field as a number to be learned.</summary>
    /// <inheritdoc cref="Number"/>
    public static double Target(ReadOnlySpan<byte> text, Func<string> where)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
            return double.IsFinite(value) ? value : throw NotFinite(where(), Encoding.UTF8.GetString(text));
        throw InputException.At(where(), text.IsEmpty ? "an empty field" : Excerpt.Of(Encoding.UTF8.GetString(text)), "a number, for this is what is learned", text.IsEmpty ? "Fill in the missing value or remove the row." : "Name another column with --label, or learn classes instead.");
    }

    /// <summary>The error for NaN, infinity and numbers beyond the range of float.</summary>
    public static InputException NotFinite(string where, string text) =>
        InputException.At(where, Excerpt.Of(text), "a finite number within ±3.4e38", "Fill in the missing value or remove the row.");
}
