using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>How <see cref="PrefixKv"/> shares a budget among layers.</summary>
public enum PrefixBudget
{
    /// <summary>From this prompt.</summary>
    Prompt,

    /// <summary>From texts read before: the mean of what they would have had.</summary>
    Profile,

    /// <summary>The same for all layers, with the same scores: what the method's own part is worth.</summary>
    Uniform,
}

/// <summary>Options of <see cref="PrefixKv"/>.</summary>
public sealed record PrefixKvOptions : KeepOptions
{
    /// <summary>First tokens kept.</summary>
    [Range(0, 4096), Description("first tokens that are always kept")]
    public int Start { get; init; } = 4;

    /// <summary>Where the layers' budgets come from.</summary>
    [Description("where the layers' budgets come from")]
    public PrefixBudget Budget { get; init; } = PrefixBudget.Prompt;

    /// <summary>Whether the cache keeps its share while text is generated.</summary>
    [Description("true: while text is generated, at most one entry a token is taken out so that each layer keeps its share")]
    public bool WhileDecoding { get; init; } = true;

    /// <summary>Which entry goes while text is generated.</summary>
    [Range(-4096, 4096), Description("entry that goes while text is generated: this one, or, if negative, so far from the end of what was kept of the prompt")]
    public int Distance { get; init; } = -25;
}

/// <summary>
/// PrefixKV: cuts every layer's importance, sorted and summed up, at one common level, found by bisection so that all layers together keep what the budget allows.
/// <para>Paper: Wang, Lin, Sun, Li, Wang, Chen, Han and Ding, PrefixKV: adaptive prefix KV cache is what vision instruction-following models need for efficient generation, arXiv 2412.03409 (2024).
/// A token's importance is the attention it gets from all queries, averaged over heads; it favours early tokens, and is left so. As released, protected tokens take part in the level and are
/// subtracted after; counts are then scaled to the budget and cut to whole tokens, so that up to one token a layer too many stays.</para>
/// <para>Cost O(heads · tokens² · head width) for the scores, O(layers · tokens · log tokens) for the rest.</para>
/// </summary>
public sealed class PrefixKv(PrefixKvOptions options) : ISelector, IPrepared, IScaled
{
    private const int ProtectedLast = 1, Turns = 64;
    private double[]? _profile;

    /// <inheritdoc/>
    public void Prepare(LlamaWeights model, IReadOnlyList<int[]> texts, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(texts);
        if (options.Budget != PrefixBudget.Profile)
            return;
        int longest = texts.Max(t => t.Length);
        var rotary = new RotaryTable(model.Shape, longest);
        using var session = new LlamaSession(model, longest);
        var ratios = new List<double[]>();
        foreach (int[] text in texts)
        {
            session.Rewind(0);
            var prompt = Prompt.Read(session, model.Shape, text, rotary, cancellation);
            ratios.Add([.. Profile(Importance(prompt), 1 - options.Keep, options.Start, ProtectedLast).Evictions.Select(e => (double)e / text.Length)]);
        }
        _profile = [.. Enumerable.Range(0, model.Shape.Layers).Select(l => ratios.Average(r => r[l]))];
    }

    /// <inheritdoc/>
    public Selection Select(Prompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int n = prompt.Count, layers = prompt.Shape.Layers, start = Math.Min(options.Start, Math.Max(0, n - ProtectedLast - 1));
        if (n <= start + ProtectedLast)
            return Selection.All(prompt);
        float[][] importance = Importance(prompt);
        int[] evictions = options.Budget switch
        {
            PrefixBudget.Prompt => Profile(importance, 1 - options.Keep, start, ProtectedLast).Evictions,
            PrefixBudget.Uniform => [.. Enumerable.Repeat((int)((1 - options.Keep) * n), layers)],
            _ when _profile is null => throw InputException.At("prefixkv.budget", "a profile that was not learned", "texts to learn it from", "Call Prepare first, or take budget=prompt."),
            _ when _profile.Length != layers => throw InputException.At("prefixkv.budget", $"a profile of {_profile.Length} layers", $"{layers}", "Prepare it with this model."),
            _ => [.. _profile.Select(r => (int)Math.Round(r * n))],
        };
        evictions = [.. evictions.Select(e => Math.Clamp(e, 0, n - start - ProtectedLast))];
        var selection = Selection.Shared(prompt, l => Kept(importance[l], evictions[l], start, ProtectedLast));
        if (!options.WhileDecoding)
            return selection;
        double[] share = [.. evictions.Select(e => 1 - (double)e / n)];
        return selection with
        {
            Evict = (layer, entries, seen) =>
            {
                if (Math.Floor(entries - seen * share[layer]) < 1)
                    return -1;
                int kept = n - evictions[layer], at = options.Distance > 0 ? options.Distance : kept + options.Distance;
                return Math.Min(at < 1 ? kept / 2 : at, entries - 1);
            },
        };
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new PrefixKv(options with { Keep = share });

    private static float[][] Importance(Prompt prompt) => [.. Enumerable.Range(0, prompt.Shape.Layers).Select(l => prompt.MeanColumnAttention(l, prompt.Count))];

    /// <summary>How many tokens each layer evicts.</summary>
    /// <param name="importance">Of each token in each layer [layers][n].</param>
    /// <param name="evict">Share of all entries to evict.</param>
    /// <param name="start">First tokens protected.</param>
    /// <param name="last">Last tokens protected.</param>
    /// <returns>The counts at the level found, those scaled to the budget, and the level.</returns>
    public static (int[] Raw, int[] Evictions, double Level) Profile(IReadOnlyList<float[]> importance, double evict, int start, int last)
    {
        ArgumentNullException.ThrowIfNull(importance);
        if (!(evict is >= 0 and < 1))
            throw InputException.At("evict", FormattableString.Invariant($"{evict}"), "at least 0 and less than 1", "It is the share that goes.");
        int n = importance[0].Length;
        float[][] cumulative = [.. importance.Select(Cumulative)];
        double target = evict * n * importance.Count, low = 0, high = 1, level = 0;
        int[] raw = [];
        for (int turn = 0; turn < Turns; turn++)
        {
            level = (low + high) / 2;
            raw = [.. cumulative.Select(c => Evicted(c, level))];
            double difference = raw.Sum() - target;
            if (Math.Abs(difference) < 5)
                break;
            (low, high) = difference < 0 ? (low, level) : (level, high);
        }
        int sum = raw.Sum();
        return (raw, [.. raw.Select(e => sum == 0 ? 0 : (int)(e * target / sum))], level);

        float[] Cumulative(float[] scores)
        {
            if (scores.Length != n)
                throw InputException.At("importance", $"{scores.Length} and {n} tokens", "as many in every layer", "Give one prompt.");
            float[] sorted = [.. scores.OrderDescending()];
            float total = sorted.Sum(), running = 0;
            return [.. sorted.Select(s => running += s / total)];
        }

        int Evicted(float[] cumulative, double level)
        {
            int first = Array.FindIndex(cumulative, c => c >= level);
            return Math.Max(0, n - (first < 0 ? 0 : first) - 1 - (start + last));
        }
    }

    /// <summary>The tokens that stay when the least important of the unprotected go, in the order of the text.</summary>
    public static int[] Kept(float[] importance, int evictions, int start, int last)
    {
        ArgumentNullException.ThrowIfNull(importance);
        int n = importance.Length;
        var gone = Enumerable.Range(start, Math.Max(0, n - start - last)).OrderBy(i => importance[i]).Take(evictions).ToHashSet();
        return [.. Enumerable.Range(0, n).Where(i => !gone.Contains(i))];
    }
}
