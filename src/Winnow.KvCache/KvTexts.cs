using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Winnow.Core;
using Winnow.Data;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>Where the model is that has learned <see cref="RecallText"/>; trains it if it is nowhere.</summary>
/// <param name="cancellation">Stops.</param>
/// <returns>Its folder, as of Hugging Face.</returns>
public delegate string RecallModels(CancellationToken cancellation);

/// <summary>Models and texts of the tasks.</summary>
internal static class KvTexts
{
    public const string RecallName = "recall";
    private const string RandomName = "random", StoriesName = "stories260k";
    private const long LongestText = 256L << 20, HashedWhole = 64L << 20;

    private static readonly LlamaShape Small = new() { Width = 64, Hidden = 128, Layers = 4, Heads = 4, KeyValueHeads = 2, HeadWidth = 16, Vocabulary = 256, Context = 4096 };

    /// <summary>What a study would use, and a hash of it.</summary>
    public static DataSummary Inspect(string? source, KvTaskOptions options, DataReading reading, RecallModels? recall, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string model = options.Model;
        if (model != RandomName)
        {
            string path = PathOf(model, recall, cancellation);
            string[] files = File.Exists(path) ? [path] : Directory.Exists(path) ? [.. Directory.EnumerateFiles(path).Order(StringComparer.Ordinal)]
                : throw InputException.At("task.model", $"nothing at {path}", "a model", "Give the path of its file or folder.");
            foreach (string file in files)
                Hash(file);
            model = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        }
        string what = options is KvTextOptions ? "texts that the model itself makes, from the seed" : "contexts and questions made from the seed";
        if (source is not null)
        {
            if (!File.Exists(source))
                throw InputException.At("--data", $"nothing at {source}", "a text file", "Give its path; without it the model makes texts.");
            if (new FileInfo(source).Length is var length && length is 0 or > LongestText)
                throw InputException.At(source, $"{length:N0} bytes", $"1 to {LongestText:N0}", length == 0 ? "Give a file with text in it." : "Give a part of it.");
            Hash(source);
            what = $"{Path.GetFileName(source)}: {new FileInfo(source).Length:N0} bytes of text";
        }
        hash.AppendData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(options, options.GetType(), WinnowJson.Options)));
        return new(new(source is null ? "generated" : Path.GetFullPath(source), Convert.ToHexStringLower(hash.GetHashAndReset()), reading), source is not null ? Path.GetFileName(source) : options is KvTextOptions ? "Texts of the model" : "Made contexts",
            FormattableString.Invariant($"model {model}; {what}; {options.Prompts} prompts{(options is KvTextOptions t ? FormattableString.Invariant($" of {t.Length:N0} tokens") : options is NeedleOptions ? " a cell" : "")}"), null);

        // of what is longer, its length, its beginning and its end
        void Hash(string file)
        {
            cancellation.ThrowIfCancellationRequested();
            using var stream = File.OpenRead(file);
            hash.AppendData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{Path.GetFileName(file)} {stream.Length}\n")));
            byte[] part = new byte[1 << 20];
            for (int read; (read = stream.Read(part)) > 0;)
            {
                hash.AppendData(part, 0, read);
                if (stream.Length > HashedWhole && stream.Position >= HashedWhole / 2 && stream.Position < stream.Length - HashedWhole / 2)
                    stream.Position = stream.Length - HashedWhole / 2;
            }
        }
    }

    /// <summary>The model; of random weights without a tokeniser.</summary>
    public static (LlamaWeights Weights, ITokenizer? Tokenizer) Model(KvTaskOptions options, Func<string, SeededRandom> random, RecallModels? recall, CancellationToken cancellation)
    {
        if (options.Model == RandomName)
            return (LlamaWeights.Random(Small, random("model")), null);
        string path = PathOf(options.Model, recall, cancellation);
        if (options is not KvTextOptions)
        {
            var weights = HuggingFaceFolder.Load(path);
            return weights.Shape.Vocabulary == RecallText.Vocabulary ? (weights, null)
                : throw InputException.At("task.model", $"a vocabulary of {weights.Shape.Vocabulary:N0}", $"{RecallText.Vocabulary:N0}, that of the made language", $"Leave --model out: this task has a model of its own, '{RecallName}'.");
        }
        var loaded = LanguageModel.Load(path, cancellation: cancellation);
        return (loaded.Weights, loaded.Tokenizer);
    }

    /// <summary>Texts of a length in tokens, each beginning as a text does: stretches of a file that do not overlap, or what the model says at temperature 1.</summary>
    public static IReadOnlyList<int[]> Take(string? file, LlamaWeights weights, ITokenizer? tokenizer, int count, int length, Func<string, SeededRandom> random, CancellationToken cancellation)
    {
        if (length > weights.Shape.Context)
            throw InputException.At("task.length", $"{length:N0} tokens in all", $"at most {weights.Shape.Context:N0}, the model's context", "Take shorter prompts, or another model.");
        int[] begin = tokenizer?.Begin is { } b ? [b] : [];
        if (file is null)
            return [.. Enumerable.Range(0, count).Select(i => Said(i))];
        if (tokenizer is null)
            throw InputException.At("--data", "a text", "none: random weights have no tokeniser", "Choose a model with --set task.model=PATH.");
        IReadOnlyList<int> all = tokenizer.Encode(File.ReadAllText(file));
        int own = length - begin.Length, stretches = own < 1 ? 0 : all.Count / own;
        if (stretches < count)
            throw InputException.At(file, $"{all.Count:N0} tokens, {stretches} stretches of {length:N0}", $"at least {count} stretches", "Give more text, or take fewer or shorter prompts (task.prompts, task.length, task.calibration).");
        int[] order = [.. Enumerable.Range(0, stretches)];
        random("texts").Shuffle(order);
        return [.. order[..count].Select(i => (int[])[.. begin, .. all.Skip(i * own).Take(own)])];

        int[] Said(int index)
        {
            var sampler = new Sampler(new() { Temperature = 1 }, weights.Shape.Vocabulary, random($"text/{index}"));
            using var session = new LlamaSession(weights, length);
            int[] text = new int[length];
            text[0] = begin is [var first] ? first : random($"text/{index}/first").Next(weights.Shape.Vocabulary);
            for (int t = 1; t < length; t++)
            {
                cancellation.ThrowIfCancellationRequested();
                text[t] = sampler.Next(session.Read(text.AsSpan(t - 1, 1), cancellation));
            }
            return text;
        }
    }

    private static string PathOf(string model, RecallModels? recall, CancellationToken cancellation)
    {
        if (model == RecallName && !Directory.Exists(model))
            return recall?.Invoke(cancellation) ?? throw InputException.At("task.model", $"'{RecallName}' in a program that cannot train it", "a model", "Give the arena what makes it, or the path of one that 'winnow compare kv-cache --task recall' made.");
        if (model != StoriesName || Directory.Exists(model))
            return Path.GetFullPath(model);
        return DataFolders.FromEnvironment().Data is { } data ? Path.Combine(data, StoriesName)
            : throw InputException.At("task.model", $"'{StoriesName}' with WINNOW_DATA not set", "a model", "Set WINNOW_DATA to the folder that holds stories260k, or give a model's path with --model PATH.");
    }
}
