using System.Globalization;

namespace Winnow.Data;

/// <summary>What one example looks like to a model: kept with the model, so that new rows are read the same way.</summary>
/// <param name="Shape">[features] of a table, or [channels, height, width] of an image.</param>
/// <param name="Divisor">What raw values are divided by: 255 for byte images, 16 for the embedded digits, 1 for tables.</param>
/// <param name="FeatureNames">Names of the columns of a table with a header; null otherwise.</param>
/// <param name="TextColumns">Of how many columns of text the features are hashed; null when they are numbers, 0 for words in their sentence.</param>
public sealed record ExampleLayout(IReadOnlyList<int> Shape, float Divisor, IReadOnlyList<string>? FeatureNames = null, int? TextColumns = null)
{
    /// <summary>Columns that a table of such examples has, the label aside.</summary>
    public int Columns => TextColumns ?? Width;

    /// <summary>Numbers per example: the product of the shape.</summary>
    public int Width => Shape.Aggregate(1, (a, b) => checked(a * b));

    /// <summary>Whether an example is an image.</summary>
    public bool IsImage => Shape.Count == 3;

    /// <summary>The shape as people write it, e.g. <c>1x28x28</c> or <c>13 features</c>.</summary>
    public string ShapeText => IsImage ? string.Join('x', Shape)
        : string.Create(CultureInfo.InvariantCulture, $"{(TextColumns is null ? $"{Width}" : $"{Width:N0} hashed")} features{TextColumns switch { null => "", 0 => " of words in their sentence", 1 => " of a column of text", { } n => $" of {n} columns of text" }}");
}
