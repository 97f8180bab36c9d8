using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Language;

/// <summary>A model with its tokeniser, as a path on disk holds them.</summary>
/// <param name="Name">The name of its file or folder.</param>
/// <param name="Weights">The weights.</param>
/// <param name="Tokenizer">The tokeniser.</param>
public sealed record LanguageModel(string Name, LlamaWeights Weights, ITokenizer Tokenizer) : IDisposable
{
    /// <summary>Loads a folder of Hugging Face, or a model of llama2.c: its file, with the tokeniser's beside it, or a folder of both. Weights are mapped.</summary>
    /// <param name="path">A file or a folder.</param>
    /// <param name="type">Keeps the weights in another type, in memory; null as they are.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">No model there, or a damaged one.</exception>
    public static LanguageModel Load(string path, WeightType? type = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (HuggingFaceFolder.Is(path))
            return Make(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))), HuggingFaceFolder.Load(path), count => !File.Exists(Path.Combine(path, HuggingFaceTokenizer.Name)) && File.Exists(Path.Combine(path, SentencePieceFile.Name)) ? SentencePieceFile.Load(path, count) : HuggingFaceTokenizer.Load(path, count), type, cancellation);
        string[] files = Directory.Exists(path) ? [.. Directory.EnumerateFiles(path, "*.bin").Order(StringComparer.Ordinal)]
            : File.Exists(path) ? [path] : throw InputException.At(path, "nothing", "a model", "Give the path of a model's file or folder.");
        string[] models = [.. files.Where(Llama2cFile.Is)];
        if (models.Length != 1)
            throw InputException.At(path, files.Length == 1 ? "a file that is no model of llama2.c" : $"{models.Length} models among {files.Length} files NAME.bin", "one model", "Give the model's own file.");
        return Make(Path.GetFileNameWithoutExtension(models[0]), Llama2cFile.Load(models[0]), count => Beside(models[0], count), type, cancellation);
    }

    private static LanguageModel Make(string name, LlamaWeights weights, Func<int, ITokenizer> tokenizer, WeightType? type, CancellationToken cancellation)
    {
        try
        {
            var made = tokenizer(weights.Shape.Vocabulary);
            if (type is { } wanted && weights.Embedding.Type != wanted)
            {
                var mapped = weights;
                weights = mapped.As(wanted, cancellation);
                mapped.Dispose();
            }
            return new(name, weights, made);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private static Llama2cTokenizer Beside(string model, int count)
    {
        InputException? last = null;
        foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(Path.GetFullPath(model))!, "*.bin").Where(f => Path.GetFileName(f).StartsWith("tok", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal))
        {
            try
            {
                return Llama2cTokenizer.Load(file, count);
            }
            catch (InputException e)
            {
                last = e;
            }
        }
        throw last ?? InputException.At(model, "no tokeniser beside it", $"a file tok*.bin of {count} pieces", "Put the model's tokeniser there.");
    }

    /// <inheritdoc/>
    public void Dispose() => Weights.Dispose();
}
