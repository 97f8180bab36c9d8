using System.Text;
using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Language.Tests;

public sealed class HuggingFaceTokenizerTests : IDisposable
{
    private const int Count = 280;
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-tok").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The 256 bytes in the alphabet of byte-level encodings, then joined pieces, then a special one and a plain one.</summary>
    private static JsonObject Tokenizer()
    {
        var vocab = new JsonObject();
        int other = 256;
        for (int b = 0; b < 256; b++)
            vocab[((char)(b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? b : other++)).ToString()] = b;
        string[] merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "Ġw o", "Ã ¤"];
        foreach (string merge in merges)
            vocab[merge.Replace(" ", "", StringComparison.Ordinal)] = vocab.Count;
        return new()
        {
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocab, ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)m)]) },
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = true },
            ["added_tokens"] = new JsonArray(new JsonObject { ["id"] = 270, ["content"] = "<|end|>", ["special"] = true }, new JsonObject { ["id"] = 271, ["content"] = "<think>", ["special"] = false }),
        };
    }

    private HuggingFaceTokenizer Load(JsonObject json, int count = Count)
    {
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), json.ToJsonString());
        return HuggingFaceTokenizer.Load(_folder, count);
    }

    private static string Text(HuggingFaceTokenizer tokenizer, IEnumerable<int> tokens) => Encoding.UTF8.GetString([.. tokens.SelectMany(t => tokenizer.Bytes(t, false).ToArray())]);

    [Fact]
    public void Letters_are_joined_as_the_merges_say_and_every_text_comes_back()
    {
        var tokenizer = Load(Tokenizer());
        Assert.Equal("hello| wo|r|l|d", string.Join('|', tokenizer.Encode("hello world").Select(t => Text(tokenizer, [t]))));
        Assert.Equal([256 + 6], tokenizer.Encode("ä"));
        foreach (string text in (string[])["", "hello  world\n\tä€😀 don't 12", "<|end|> is text here", "\0\u007f"])
            Assert.Equal(text, Text(tokenizer, tokenizer.Encode(text)));
        Assert.DoesNotContain(270, tokenizer.Encode("<|end|>"));
        Assert.Equal((0, "<think>"), (tokenizer.Bytes(270, false).Length, Text(tokenizer, [271])));
        Assert.Equal(Count, tokenizer.Count);
        Assert.Null(tokenizer.Begin);
    }

    [Fact]
    public void The_pattern_of_the_file_cuts_the_text_and_merges_may_be_pairs()
    {
        var json = Tokenizer();
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = "hel|.+?" }, ["behavior"] = "Isolated" }, new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false }),
        };
        json["model"]!["merges"] = new JsonArray([.. json["model"]!["merges"]!.AsArray().Select(m => (JsonNode)new JsonArray([.. ((string)m!).Split(' ').Select(p => (JsonNode)p)]))]);
        var tokenizer = Load(json);
        Assert.Equal("he|l|l|o", string.Join('|', tokenizer.Encode("hello").Select(t => Text(tokenizer, [t])))); // "hel" and then one letter at a time
    }

    [Fact]
    public void Beginning_and_ends_come_from_the_configurations()
    {
        File.WriteAllText(Path.Combine(_folder, "tokenizer_config.json"), """{"bos_token": {"content": "<|end|>"}, "eos_token": "<think>"}""");
        File.WriteAllText(Path.Combine(_folder, "generation_config.json"), """{"eos_token_id": [270, 5]}""");
        var tokenizer = Load(Tokenizer());
        Assert.Equal(270, tokenizer.Begin);
        Assert.Equal([5, 270, 271], tokenizer.Ends);
        File.WriteAllText(Path.Combine(_folder, "tokenizer_config.json"), """{"bos_token": "<|end|>", "add_bos_token": false}""");
        Assert.Null(Load(Tokenizer()).Begin);
    }

    [Fact]
    public void What_is_no_byte_level_encoding_is_refused()
    {
        Assert.Contains("tokenizer.json: found nothing", Assert.Throws<InputException>(() => HuggingFaceTokenizer.Load(_folder, Count)).Message);
        Refused(j => j["model"]!["type"] = "Unigram", "type Unigram");
        Refused(j => j["model"]!["byte_fallback"] = true, "bytes for unknown letters");
        Refused(j => j["model"]!.AsObject().Remove("merges"), "no model with vocab and merges");
        Refused(j => j["model"]!["vocab"]!["h"] = 999, "the number 999 of 'h'", "0 to 279");
        Refused(j => j["model"]!["vocab"]!["h"] = "x", "the number \"x\"");
        Refused(j => j["model"]!["merges"]!.AsArray().Add(7), "the merge 7");
        Refused(j => j["model"]!["merges"]!.AsArray().Add("q z"), "do not fit");
        Refused(j => j.Remove("pre_tokenizer"), "no pre_tokenizer");
        Refused(j => j["pre_tokenizer"]!["type"] = "Metaspace", "Metaspace");
        Refused(j => j["pre_tokenizer"] = new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = "a" } }, "no step ByteLevel");
        Refused(j => j["pre_tokenizer"] = new JsonObject { ["pretokenizers"] = new JsonArray(new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = "(" } }, new JsonObject { ["type"] = "ByteLevel" }) }, "a pattern that is none");
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), "{\"model\":");
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => HuggingFaceTokenizer.Load(_folder, Count)).Message);

        void Refused(Action<JsonObject> damage, params string[] parts)
        {
            var json = Tokenizer();
            damage(json);
            var error = Assert.Throws<InputException>(() => Load(json));
            Assert.All(parts, p => Assert.Contains(p, error.Message));
        }
    }

    [Fact]
    public async Task A_folder_is_a_model_that_says_something()
    {
        using (var weights = LlamaWeights.Random(new() { Width = 32, Hidden = 64, Layers = 1, Heads = 4, KeyValueHeads = 2, HeadWidth = 8, Vocabulary = Count, Context = 64 }, new SeededRandom(1, "weights")))
            HuggingFaceFolder.Save(weights, _folder);
        Load(Tokenizer());
        using var model = LanguageModel.Load(_folder, cancellation: TestContext.Current.CancellationToken);
        using var session = new LlamaSession(model.Weights);
        var text = new StringBuilder();
        await foreach (string piece in new TextGenerator(session, model.Tokenizer).ContinueAsync("hello", new() { Tokens = 20, Sampling = new() { Temperature = 1 } }, new SeededRandom(1, "text"), TestContext.Current.CancellationToken))
            text.Append(piece);
        Assert.NotEmpty(text.ToString());
        // a model without a token that begins texts needs some
        await Assert.ThrowsAsync<InputException>(async () =>
        {
            await foreach (string _ in new TextGenerator(session, model.Tokenizer).ContinueAsync("", new(), new SeededRandom(1, "text"), TestContext.Current.CancellationToken))
                continue;
        });
    }
}
