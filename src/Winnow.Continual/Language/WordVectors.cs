using System.Globalization;
using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.Continual;

/// <summary>A vector a word; a text is the mean of its words' vectors. Words are compared in lower case; whole numbers below a hundred are read as words.</summary>
public sealed class WordVectors : IClassNameEmbedding
{
    private readonly string _source;
    private readonly IReadOnlyDictionary<string, float[]> _vectors;

    /// <summary>Vectors by word, in lower case, all of one width.</summary>
    /// <param name="source">Where they come from, for errors.</param>
    /// <param name="vectors">The vectors.</param>
    public WordVectors(string source, IReadOnlyDictionary<string, float[]> vectors) => (_source, _vectors) = (source, vectors);

    /// <summary>The words.</summary>
    public IEnumerable<string> Words => _vectors.Keys;

    /// <summary>Reads text lines <c>word v1 v2 ...</c>, the format of word2vec and GloVe, with or without a first line of two counts. Cost: one pass.</summary>
    /// <exception cref="InputException">The file cannot be read, or a line differs in width or holds what is not a finite number.</exception>
    public static WordVectors Read(string path)
    {
        var vectors = new Dictionary<string, float[]>(StringComparer.Ordinal);
        int number = 0, width = 0;
        try
        {
            foreach (string line in File.ReadLines(path))
            {
                string[] cells = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
                number++;
                if (cells.Length == 0 || (number == 1 && cells.Length == 2 && cells.All(c => long.TryParse(c, NumberStyles.None, CultureInfo.InvariantCulture, out _))))
                    continue;
                width = width == 0 ? cells.Length - 1 : width;
                if (cells.Length - 1 != width || width == 0)
                    throw InputException.At($"{path}, line {number}", $"{cells.Length - 1} values after the word '{cells[0]}'", width == 0 ? "at least one" : $"{width}, as in the lines before", "Each line is a word and its vector, separated by blanks.");
                vectors[cells[0].ToLowerInvariant()] = [.. cells.Skip(1).Select(c => Value(c, path, number))];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw InputException.At(path, $"what cannot be read ({e.Message.TrimEnd('.')})", "a text file of word vectors", "Check the path.");
        }
        return vectors.Count > 0 ? new(path, vectors) : throw InputException.At(path, "no line with a vector", "lines of a word and its vector", "Choose another file.");
    }

    /// <summary>These vectors less their common mean: cosines then spread over [−1, 1].</summary>
    public WordVectors Centred()
    {
        var mean = new float[_vectors.Values.First().Length];
        foreach (float[] vector in _vectors.Values)
            TensorPrimitives.MultiplyAdd(vector, 1f / _vectors.Count, mean, mean);
        return new(_source, _vectors.ToDictionary(v => v.Key, v => v.Value.Zip(mean, (a, b) => a - b).ToArray(), StringComparer.Ordinal));
    }

    /// <inheritdoc/>
    public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts) => [.. texts.Select(Embed)];

    private float[] Embed(string text)
    {
        string[] words = [.. Tokens.Of(text)];
        if (words.Length == 0)
            throw InputException.At("class name", $"'{text}'", "at least one word", "Give the class a name.");
        var sum = new float[_vectors.Values.First().Length];
        foreach (string word in words)
        {
            if (!_vectors.TryGetValue(word, out float[]? vector))
                throw InputException.At("class name", $"the word '{word}' of '{text}', which has no vector in {_source}", "words that have one",
                    "Name the class with known words, give a file of vectors with --set language-guided-cl.vectors=FILE, or choose targets=orthogonal.");
            TensorPrimitives.Add(sum, vector, sum);
        }
        TensorPrimitives.Divide(sum, words.Length, sum);
        return sum;
    }

    private static float Value(string cell, string path, int line) =>
        float.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value)
            ? value
            : throw InputException.At($"{path}, line {line}", $"'{cell}'", "a finite number", "Each line is a word and its vector, separated by blanks.");
}
