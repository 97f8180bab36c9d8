using System.Text.Json;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>What a checkpoint of a classifier says beside its tensors.</summary>
internal sealed record ClassifierCard(int Schema, ContinualClassifierOptions Options, Architecture? Encoder, string? Standardiser, IReadOnlyList<string> Labels,
    IReadOnlyList<IReadOnlyList<int>> Tasks, long Updates, long Rows, double RightRows, double CountedRows, IReadOnlyList<double> Detector)
{
    public const string Format = "winnow continual classifier";

    /// <exception cref="InputException">No checkpoint, or a damaged one.</exception>
    public static ClassifierCard Read(string path)
    {
        const string remedy = "Load a file that ContinualClassifier.Save wrote.";
        using var file = SafetensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault("format") is not Format || !file.Metadata.TryGetValue("card", out string? json))
            throw InputException.At(path, $"the format '{file.Metadata.GetValueOrDefault("format") ?? "none"}'", $"'{Format}'", remedy);
        ClassifierCard? card;
        try
        {
            card = JsonSerializer.Deserialize<ClassifierCard>(json, WinnowJson.Options);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw InputException.At(path, $"a card that cannot be read ({e.Message.TrimEnd('.')})", "the JSON that Save wrote", remedy);
        }
        if (card is not { Options: { Shape: not null, Method: not null }, Labels: not null, Tasks: not null, Detector.Count: > 5 })
            throw InputException.At(path, "a card with missing entries", "the JSON that Save wrote", remedy);
        if (card.Schema != 1)
            throw InputException.At(path, $"schema {card.Schema}", "schema 1", "A newer version wrote it: use that one.");
        if (card.Labels.Count > card.Options.MaxClasses || card.Labels.Distinct().Count() != card.Labels.Count || card.Tasks.Any(t => t is null || t.Any(c => c < 0 || c >= card.Labels.Count)))
            throw InputException.At(path, "class names or tasks that do not fit together", "what Save wrote", remedy);
        return card;
    }
}
