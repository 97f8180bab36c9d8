using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.RegularExpressions;
using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>Options of <see cref="ScBench"/>.</summary>
public sealed record ScBenchOptions : KeepOptions
{
    /// <summary>Queries that vote.</summary>
    [Range(1, 4096), Description("last queries that vote; their tokens are kept")]
    public int Window { get; init; } = 32;

    /// <summary>Width of the averages.</summary>
    [Range(1, 255), Description("neighbouring tokens whose votes are averaged")]
    public int Kernel { get; init; } = 5;
}

/// <summary>
/// SCBench: one context, several questions. A cache that was chosen while the first question was read may be useless for the next; the benchmark's protocol is the task <c>turns</c>, its scorers are here,
/// and as a method it is the query-aware eviction it measures, SnapKV with the benchmark's window and kernel.
/// <para>Paper: Li, Jiang, Wu, Luo, Ahn, Zhang, Abdi, Li, Gao, Yang and Qiu, SCBench: a KV cache-centric analysis of long-context methods, ICLR 2025 (arXiv 2412.10319).
/// Scorers follow the released code; <c>corrected</c> mends what it gets wrong: signs and thousands of numbers, and a choice that is not the text's first letter.
/// Left out: the scorers of summaries (ROUGE) and of code, and the model-bound tasks.</para>
/// </summary>
public sealed partial class ScBench(ScBenchOptions options) : ISelector, IScaled
{
    private static readonly string[] Prefixes = ["answer is:", "answer:", "answer is", "option is"];

    /// <inheritdoc/>
    public Selection Select(Prompt prompt) => new SnapKv(new() { Keep = options.Keep, Window = options.Window, Pool = options.Kernel }).Select(prompt);

    /// <inheritdoc/>
    public IKvStage At(double share) => new ScBench(options with { Keep = share });

    /// <summary>Retrieval: whether the label occurs.</summary>
    /// <exception cref="InputException">An empty label, which occurs in every text.</exception>
    public static double Retrieval(string prediction, string label)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        return prediction.Contains(Label(label), StringComparison.Ordinal) ? 1 : 0;
    }

    /// <summary>Tracing: the share of the labels that occur, whatever their case, to two decimals.</summary>
    public static double AllOf(string prediction, IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        return Math.Round(Labels(labels).Average(l => prediction.Contains(l, StringComparison.OrdinalIgnoreCase) ? 1.0 : 0), 2);
    }

    /// <summary>Dialogue: whether any label occurs, whatever their case.</summary>
    public static double AnyOf(string prediction, IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        return Labels(labels).Any(l => prediction.Contains(l, StringComparison.OrdinalIgnoreCase)) ? 1 : 0;
    }

    /// <summary>Pass key: whether the first run of digits is the label, leading zeros included.</summary>
    public static double PassKey(string prediction, string label) => Digits().Match(prediction).Value == Label(label) ? 1 : 0;

    /// <summary>Numbers: whether the first number is the label, cut to a whole one where the label is whole.</summary>
    /// <param name="prediction">The answer.</param>
    /// <param name="label">The number.</param>
    /// <param name="whole">Whether the label is a whole number.</param>
    /// <param name="corrected">Reads signs and thousands; released code ignores the one and stops at the other.</param>
    public static double Number(string prediction, double label, bool whole, bool corrected = false)
    {
        var match = (corrected ? SignedNumber() : UnsignedNumber()).Match(prediction);
        if (!match.Success)
            return 0;
        double found = double.Parse(match.Value.Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        return (whole ? Math.Truncate(found) : found) == label ? 1 : 0;
    }

    /// <summary>Multiple choice: the text's first letter if it is A to D (also of another word, in released code), else what follows "answer is", else the first such word.</summary>
    /// <param name="prediction">The answer.</param>
    /// <param name="labels">The letters that are right.</param>
    /// <param name="corrected">Only a letter that stands alone counts.</param>
    public static double Choice(string prediction, IReadOnlyList<string> labels, bool corrected = false)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        Labels(labels);
        string text = prediction.Trim();
        if (text.Length == 0)
            return 0;
        if (corrected)
            return LoneLetter().Matches(text) is { Count: > 0 } letters && labels.Contains((Says().Match(text) is { Success: true } said ? said.Groups[1] : letters[0]).Value) ? 1 : 0;
        if ("ABCD".Contains(text[0], StringComparison.Ordinal))
            return labels.Contains(text[..1]) ? 1 : 0;
        if (labels.Contains(text))
            return 1;
        text = Spaces().Replace(Marks().Replace(text, " "), " ");
        foreach (string prefix in Prefixes)
            if (text.IndexOf(prefix, StringComparison.Ordinal) is var at and >= 0)
                return text.Length > at + prefix.Length && labels.Any(l => text[(at + prefix.Length + 1)..].StartsWith(l, StringComparison.Ordinal)) ? 1 : 0;
        return text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(w => "ABCD".Contains(w, StringComparison.Ordinal)) is { } word && labels.Contains(word) ? 1 : 0;
    }

    /// <summary>Questions: F1 of the words, without case, punctuation and articles; the best of the labels.</summary>
    public static double TokenF1(string prediction, IReadOnlyList<string> labels)
    {
        string[] words = Words(prediction);
        return Labels(labels).Max(label =>
        {
            string[] wanted = Words(label);
            var left = wanted.GroupBy(w => w).ToDictionary(g => g.Key, g => g.Count());
            int same = words.Count(w => left.TryGetValue(w, out int n) && n > 0 && (left[w] = n - 1) >= 0);
            return same == 0 ? 0 : 2.0 * same / (words.Length + wanted.Length);
        });
    }

    private static string[] Words(string text) =>
        Articles().Replace(string.Concat(text.ToLowerInvariant().Where(c => !"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".Contains(c, StringComparison.Ordinal))), " ").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static string Label(string label) => string.IsNullOrEmpty(label) ? throw InputException.At("label", "an empty one", "some text", "Every answer would be right.") : label;

    private static IReadOnlyList<string> Labels(IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        if (labels.Count == 0)
            throw InputException.At("labels", "none", "at least one", "There is nothing to compare with.");
        foreach (string label in labels)
            Label(label);
        return labels;
    }

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();

    [GeneratedRegex(@"[0-9]+\.[0-9]+|[0-9]+")]
    private static partial Regex UnsignedNumber();

    [GeneratedRegex(@"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|-?[0-9]+(\.[0-9]+)?")]
    private static partial Regex SignedNumber();

    [GeneratedRegex(@"\b[A-D]\b")]
    private static partial Regex LoneLetter();

    [GeneratedRegex(@"(?:answer|option)(?:\s+is)?\s*:?\s*\(?\b([A-D])\b", RegexOptions.IgnoreCase)]
    private static partial Regex Says();

    [GeneratedRegex("""[\n"'.,?!{}]""")]
    private static partial Regex Marks();

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"\b(a|an|the)\b")]
    private static partial Regex Articles();
}
