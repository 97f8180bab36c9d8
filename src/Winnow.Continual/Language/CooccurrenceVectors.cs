using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Word vectors from a text without a language model: how often words stand near each other, as positive pointwise mutual information, reduced by a
/// truncated singular value decomposition.
/// <para>PPMI(w, c) = max(0, log p(w, c) / (p(w) p_α(c))) with p_α(c) ∝ #(c)^0.75; vectors are U_k √Σ_k. Levy, Goldberg and Dagan, Improving
/// distributional similarity with lessons learned from word embeddings, TACL 2015.</para>
/// <para>Cost: O(words · window + V³) for V different words.</para>
/// </summary>
public static class CooccurrenceVectors
{
    private const double Smoothing = 0.75;
    private const string BuiltInSource = "the text that comes with the library";
    private static readonly Lazy<Factors> BuiltInFactors = new(() =>
    {
        using var stream = typeof(CooccurrenceVectors).Assembly.GetManifestResourceStream("words.txt")!;
        using var reader = new StreamReader(stream);
        return Decompose(reader.ReadToEnd().Split('\n').Where(line => !line.StartsWith('#')), window: 5);
    });

    /// <summary>Vectors from the text that comes with the library: about 140 sentences on digits, letters, clothes, vehicles and animals, written for it.</summary>
    /// <param name="width">Values of a vector.</param>
    public static WordVectors BuiltIn(int width) => Truncated(BuiltInSource, BuiltInFactors.Value, width);

    /// <summary>Vectors from sentences.</summary>
    /// <param name="source">Name of the text, for errors.</param>
    /// <param name="sentences">A sentence each; words beyond its ends are not near.</param>
    /// <param name="width">Values k of a vector; at most the number of different words.</param>
    /// <param name="window">Words to either side that are near, each counted by the inverse of its distance.</param>
    /// <exception cref="InputException">The text has fewer different words than the vectors have values.</exception>
    public static WordVectors Of(string source, IEnumerable<string> sentences, int width, int window)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 1);
        return Truncated(source, Decompose(sentences, window), width);
    }

    private static WordVectors Truncated(string source, Factors factors, int width)
    {
        var (words, values) = factors;
        if (words.Length < width)
            throw InputException.At(source, $"{words.Length} different words", $"at least the {width} values of a vector", "Lower the width, or give more text.");
        return new(source, words.Index().ToDictionary(w => w.Item, w => values.AsSpan(w.Index * words.Length, width).ToArray(), StringComparer.Ordinal));
    }

    /// <summary>The words in order, and U √Σ [words, words].</summary>
    private sealed record Factors(string[] Words, float[] Values);

    private static Factors Decompose(IEnumerable<string> sentences, int window)
    {
        string[][] texts = [.. sentences.Select(s => Tokens.Of(s).ToArray())];
        string[] words = [.. texts.SelectMany(t => t).Distinct().Order(StringComparer.Ordinal)];
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (u, s, _) = linalg.svd(tensor(Ppmi(texts, words, window)).reshape(words.Length, words.Length), fullMatrices: false);
        // The sign of a singular vector is arbitrary: its largest entry is made positive.
        u *= u.gather(0, u.abs().argmax(0).unsqueeze(0)).sign();
        return new(words, (u * s.sqrt()).to_type(ScalarType.Float32).contiguous().data<float>().ToArray());
    }

    private static double[] Ppmi(string[][] texts, string[] words, int window)
    {
        int n = words.Length;
        var index = words.Index().ToDictionary(w => w.Item, w => w.Index, StringComparer.Ordinal);
        var near = new double[n * n];
        foreach (string[] text in texts)
            for (int i = 0; i < text.Length; i++)
                for (int j = Math.Max(0, i - window); j < Math.Min(text.Length, i + window + 1); j++)
                    if (i != j)
                        near[index[text[i]] * n + index[text[j]]] += 1.0 / Math.Abs(i - j);
        double[] row = [.. Enumerable.Range(0, n).Select(i => near.AsSpan(i * n, n).ToArray().Sum())];
        double total = row.Sum(), smooth = row.Sum(r => Math.Pow(r, Smoothing));
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                near[i * n + j] = near[i * n + j] == 0 ? 0 : Math.Max(0, Math.Log(near[i * n + j] / total / (row[i] / total * (Math.Pow(row[j], Smoothing) / smooth))));
        return near;
    }
}
