using System.Text.Json;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>The JSON files of a model's folder: other people's, and so bounded and checked.</summary>
internal static class ModelJson
{
    private const long Longest = 256L << 20;

    /// <exception cref="InputException">The file cannot be read, is too large, or is no JSON.</exception>
    public static JsonDocument Read(string path)
    {
        try
        {
            return new FileInfo(path).Length is var length && length > Longest ? throw InputException.At(path, $"{length:N0} bytes", $"at most {Longest:N0}", "This is no such file.")
                : JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 64 });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}). Get the whole folder of one model.", e);
        }
    }

    /// <summary>Null where there is no file.</summary>
    public static JsonDocument? ReadIfThere(string path) => File.Exists(path) ? Read(path) : null;

    /// <summary>Whether an object has a member of a kind.</summary>
    public static bool Has(JsonElement from, string name, JsonValueKind kind, out JsonElement value)
    {
        value = default;
        return from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out value) && value.ValueKind == kind;
    }
}
