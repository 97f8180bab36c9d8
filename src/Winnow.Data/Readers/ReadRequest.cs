using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>What every reader needs to know.</summary>
/// <param name="Where">File or folder, for errors.</param>
/// <param name="Reading">What the user said about it.</param>
/// <param name="Layout">For prediction: what the model was trained on, labels are ignored. Null for training.</param>
/// <param name="Limits">What may be held.</param>
/// <param name="Cancellation">Stops the reading.</param>
internal sealed record ReadRequest(string Where, DataReading Reading, ExampleLayout? Layout, ReadLimits Limits, CancellationToken Cancellation)
{
    /// <summary>Whether the label column holds a number to be learned, not a class.</summary>
    public bool Targets { get; init; }

    /// <summary>The roles of the columns of a table.</summary>
    /// <param name="names">Column names, or null without a header.</param>
    /// <param name="count">Number of columns.</param>
    /// <param name="text">Which columns hold text, where that was found out.</param>
    public ColumnPlan Columns(string[]? names, int count, bool[]? text = null) => Layout is not null
        ? ColumnPlan.ForPrediction(Where, names, count, Reading, Layout) with { Text = Layout.TextColumns > 0 }
        : text is null ? ColumnPlan.ForTraining(Where, names, count, Reading) : ColumnPlan.ForTraining(Where, names, count, Reading, text);
}
