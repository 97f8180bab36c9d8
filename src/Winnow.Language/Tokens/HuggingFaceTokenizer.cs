using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using Winnow.Core;
using static Winnow.Language.ModelJson;

namespace Winnow.Language;

/// <summary>
/// Tokenisers of Hugging Face folders: byte-level byte-pair encodings, as <c>tokenizer.json</c> holds them for Llama 3, Qwen and GPT-2. Texts are text: what looks like a
/// special token in a prompt is read letter by letter. Encoding by Microsoft.ML.Tokenizers.
/// </summary>
public sealed class HuggingFaceTokenizer : ITokenizer
{
    internal const string Name = "tokenizer.json";

    /// <summary>A pattern comes from a file; no text may keep it busy for long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly BpeTokenizer _tokenizer;
    private readonly byte[]?[] _bytes;

    private readonly Dictionary<string, int> _marks;

    private HuggingFaceTokenizer(BpeTokenizer tokenizer, byte[]?[] bytes, Dictionary<string, int> marks, int? begin, IReadOnlyList<int> ends) => (_tokenizer, _bytes, _marks, Begin, Ends) = (tokenizer, bytes, marks, begin, ends);

    /// <inheritdoc/>
    public int Count => _bytes.Length;

    /// <inheritdoc/>
    public int? Begin { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> Ends { get; }

    /// <summary>Reads the tokeniser of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="count">Tokens that the model has: at least as many as the tokeniser.</param>
    /// <exception cref="InputException">No tokeniser, a damaged one, or one of a kind that is not read.</exception>
    public static HuggingFaceTokenizer Load(string folder, int count)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string path = Path.Combine(folder, Name);
        using var json = ModelJson.ReadIfThere(path) ?? throw InputException.At(path, "nothing", "the model's tokeniser", "Get the whole folder of one model.");
        var root = json.RootElement;
        if (!Has(root, "model", JsonValueKind.Object, out var model) || !Has(model, "vocab", JsonValueKind.Object, out var vocab) || !Has(model, "merges", JsonValueKind.Array, out var merges))
            throw InputException.At(path, "no model with vocab and merges", "a byte-pair encoding", "Other kinds of tokenisers are not read.");
        if (Has(model, "type", JsonValueKind.String, out var type) && type.GetString() != "BPE" || Has(model, "byte_fallback", JsonValueKind.True, out _))
            throw InputException.At(path, $"a tokeniser of type {(type.ValueKind == JsonValueKind.String ? type.GetString() : "BPE")}{(Has(model, "byte_fallback", JsonValueKind.True, out _) ? " with bytes for unknown letters" : "")}", "a byte-level byte-pair encoding", "Other kinds of tokenisers are not read.");
        var pieces = new Dictionary<string, int>(StringComparer.Ordinal);
        var bytes = new byte[]?[count];
        var marks = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var piece in vocab.EnumerateObject())
        {
            int number = Number(piece.Value, piece.Name);
            bytes[number] = ByteLevel.Bytes(piece.Name);
            pieces[piece.Name] = number;
        }
        if (Has(root, "added_tokens", JsonValueKind.Array, out var added))
            foreach (var token in added.EnumerateArray())
                if (Has(token, "id", JsonValueKind.Number, out var id) && Has(token, "content", JsonValueKind.String, out var content))
                {
                    pieces.TryAdd(content.GetString()!, Number(id, content.GetString()!));
                    bool special = Has(token, "special", JsonValueKind.True, out _);
                    bytes[Number(id, content.GetString()!)] = special ? null : Encoding.UTF8.GetBytes(content.GetString()!);
                    if (special)
                        marks[content.GetString()!] = Number(id, content.GetString()!);
                }
        var pattern = Pattern(root, path);
        BpeTokenizer tokenizer;
        try
        {
            tokenizer = BpeTokenizer.Create(new BpeOptions(pieces) { Merges = [.. merges.EnumerateArray().Select(m => Merge(m, path))], ByteLevel = true, PreTokenizer = new RegexPreTokenizer(pattern, null) });
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or FormatException)
        {
            throw new InputException($"{path}: found pieces and merges that do not fit ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected a byte-pair encoding. Get the whole folder of one model.", e);
        }
        return new(tokenizer, bytes, marks, Beginning(folder, pieces), Endings(folder, pieces));

        int Number(JsonElement value, string piece) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int n) && n >= 0 && n < count ? n
            : throw InputException.At(path, $"the number {value.GetRawText()} of '{piece}'", $"0 to {count - 1}, as the model has tokens", "Give the tokeniser that belongs to the model.");
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        try
        {
            return _tokenizer.EncodeToIds(text);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InputException($"text: found {text.Length:N0} letters that the tokeniser's pattern does not get through in {Patience.TotalSeconds} s; expected a text. The pattern in {Name} is damaged.", e);
        }
    }

    /// <inheritdoc/>
    public int? Mark(string mark) => _marks.TryGetValue(mark, out int token) ? token : null;

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Bytes(int token, bool first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, Count);
        return _bytes[token];
    }

    private static string Merge(JsonElement merge, string path) => merge.ValueKind switch
    {
        JsonValueKind.String => merge.GetString()!,
        JsonValueKind.Array when merge.GetArrayLength() == 2 && merge.EnumerateArray().All(p => p.ValueKind == JsonValueKind.String) => $"{merge[0].GetString()} {merge[1].GetString()}",
        _ => throw InputException.At(path, $"the merge {merge.GetRawText()}", "two pieces", "The file is damaged: get it again."),
    };

    /// <summary>The one pattern of the file, or the default.</summary>
    private static Regex Pattern(JsonElement root, string path)
    {
        if (!Has(root, "pre_tokenizer", JsonValueKind.Object, out var step))
            throw InputException.At(path, "no pre_tokenizer", "ByteLevel, or a pattern before it", "Other kinds of tokenisers are not read.");
        JsonElement[] steps = Has(step, "pretokenizers", JsonValueKind.Array, out var list) ? [.. list.EnumerateArray()] : [step];
        string? pattern = null;
        bool bytes = false;
        foreach (var s in steps)
        {
            switch (Has(s, "type", JsonValueKind.String, out var type) ? type.GetString() : "none")
            {
                case "Split" when pattern is null && Has(s, "pattern", JsonValueKind.Object, out var p) && Has(p, "Regex", JsonValueKind.String, out var regex):
                    pattern = regex.GetString();
                    break;
                case "ByteLevel" when !Has(s, "add_prefix_space", JsonValueKind.True, out _):
                    bytes = true;
                    break;
                default:
                    throw InputException.At(path, $"the step {(s.GetRawText() is { Length: > 80 } text ? text[..80] + "…" : s.GetRawText())}", "one pattern and ByteLevel without a space before", "Other kinds of tokenisers are not read.");
            }
        }
        if (!bytes)
            throw InputException.At(path, "no step ByteLevel", "a byte-level encoding", "Other kinds of tokenisers are not read.");
        try
        {
            return new Regex(pattern ?? ByteLevel.Pattern, RegexOptions.CultureInvariant, Patience);
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{path}: found a pattern that is none ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected a regular expression. The file is damaged: get it again.", e);
        }
    }

    private static int? Beginning(string folder, Dictionary<string, int> pieces)
    {
        using var config = ModelJson.ReadIfThere(Path.Combine(folder, "tokenizer_config.json"));
        if (config is not null && Has(config.RootElement, "add_bos_token", JsonValueKind.False, out _))
            return null;
        if (config is not null && Special(config.RootElement, "bos_token") is { } name && pieces.TryGetValue(name, out int begin))
            return begin;
        return null;
    }

    private static int[] Endings(string folder, Dictionary<string, int> pieces)
    {
        var ends = new SortedSet<int>();
        foreach (string file in (string[])["generation_config.json", "config.json"])
        {
            using var config = ModelJson.ReadIfThere(Path.Combine(folder, file));
            if (config is null || !config.RootElement.TryGetProperty("eos_token_id", out var value))
                continue;
            foreach (var v in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value])
                if (v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out int n))
                    ends.Add(n);
        }
        using var names = ModelJson.ReadIfThere(Path.Combine(folder, "tokenizer_config.json"));
        if (names is not null && Special(names.RootElement, "eos_token") is { } name && pieces.TryGetValue(name, out int end))
            ends.Add(end);
        return [.. ends];
    }

    private static string? Special(JsonElement config, string key) => !config.TryGetProperty(key, out var v) ? null
        : v.ValueKind == JsonValueKind.String ? v.GetString() : Has(v, "content", JsonValueKind.String, out var content) ? content.GetString() : null;
}
