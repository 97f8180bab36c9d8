using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Winnow.Golden.Tests;

/// <summary>One recorded call: what a probe is given and what it must return.</summary>
public sealed partial record GoldenFile(string Probe, JsonObject Params, IReadOnlyDictionary<string, GoldenArray> Inputs, IReadOnlyDictionary<string, GoldenArray> Outputs, double Rtol, double Atol)
{
    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not a golden file; the message names it and says why.</exception>
    public static GoldenFile Read(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{path} is not a golden file: {e.Message}", e);
        }
    }

    /// <summary>Reads the text of a file.</summary>
    public static GoldenFile Parse(string text)
    {
        var root = JsonNode.Parse(QuoteNamedNumbers(text)) as JsonObject ?? throw new InvalidDataException("the root is not an object.");
        return new((string?)root["probe"] ?? throw new InvalidDataException("it names no 'probe'."),
            root["params"] as JsonObject ?? [],
            Arrays("inputs"), Arrays("outputs"),
            (double?)root["rtol"] ?? throw new InvalidDataException("it has no 'rtol'."),
            (double?)root["atol"] ?? throw new InvalidDataException("it has no 'atol'."));

        Dictionary<string, GoldenArray> Arrays(string key) => root[key] switch
        {
            null => [],
            JsonObject arrays => arrays.ToDictionary(a => a.Key, a => GoldenArray.Parse(a.Key, a.Value)),
            _ => throw new InvalidDataException($"'{key}' is not an object."),
        };
    }

    /// <summary>Some writers put NaN and Infinity bare into JSON, which its grammar does not have: they become text.</summary>
    private static string QuoteNamedNumbers(string text) =>
        StringsAndNamedNumbers().Replace(text, m => m.Value[0] == '"' ? m.Value : $"\"{m.Value}\"");

    [GeneratedRegex("""
        "(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b
        """, RegexOptions.Singleline | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex StringsAndNamedNumbers();

    /// <summary>An input by name.</summary>
    public GoldenArray Input(string name) => Inputs.TryGetValue(name, out var array) ? array : throw new InvalidDataException($"the file has no input '{name}'; it has {string.Join(", ", Inputs.Keys)}.");

    /// <summary>Inputs <c>name0, name1, ...</c>, as many as there are.</summary>
    public IReadOnlyList<GoldenArray> Numbered(string name) => [.. Enumerable.Range(0, Inputs.Count).Select(i => $"{name}{i}").TakeWhile(Inputs.ContainsKey).Select(n => Inputs[n])];

    /// <summary>A parameter by name.</summary>
    public T Param<T>(string name) => Params.ContainsKey(name) ? Params[name].Deserialize<T>()! : throw new InvalidDataException($"the file has no parameter '{name}'; it has {string.Join(", ", Params.Select(p => p.Key))}.");

    /// <summary>What differs between a probe's results and the file's outputs; empty when all agree.</summary>
    public IReadOnlyList<string> Differences(IReadOnlyDictionary<string, GoldenArray> results) =>
    [
        .. Outputs.Keys.Except(results.Keys).Select(name => $"{name}: missing"),
        .. results.Keys.Except(Outputs.Keys).Select(name => $"{name}: not an output of the file"),
        .. Outputs.Where(o => results.ContainsKey(o.Key)).Select(o => GoldenArray.Difference(o.Key, results[o.Key], o.Value, Rtol, Atol)).OfType<string>(),
    ];
}
