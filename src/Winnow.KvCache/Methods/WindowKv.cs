using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>How <see cref="WindowKv"/> scores a window.</summary>
public enum WindowScore
{
    /// <summary>From the prompt: maximum where it ends with a question, average elsewhere.</summary>
    Adaptive,

    /// <summary>Mean of its tokens' attention: to gather what is spread over the text. The last 16 tokens vote.</summary>
    Average,

    /// <summary>Mean of the better half of its tokens: to find one place in the text. The last 32 tokens vote.</summary>
    Max,
}

/// <summary>Options of <see cref="WindowKv"/>.</summary>
public sealed record WindowKvOptions : KeepOptions
{
    /// <summary>Tokens of a window.</summary>
    [Range(1, 4096), Description("tokens in a row that stay or go together")]
    public int Window { get; init; } = 8;

    /// <summary>Layers that share a choice.</summary>
    [Range(1, 1024), Description("layers in a row that share a choice; the last group may be smaller")]
    public int SharedLayers { get; init; } = 8;

    /// <summary>How the budgets fall.</summary>
    [Range(1, 10_000), Description("β: the last group of layers keeps mean · shared layers / β tokens, earlier ones more in even steps")]
    public int Beta { get; init; } = 14;

    /// <summary>Mean budget in tokens.</summary>
    [Range(0, int.MaxValue), Description("mean tokens kept before the last ones, as the paper counts; 0: from the share")]
    public int Capacity { get; init; }

    /// <summary>Last tokens that vote.</summary>
    [Range(0, 4096), Description("last tokens that vote and stay; 0: 16 or 32, by the score")]
    public int Suffix { get; init; }

    /// <summary>How a window is scored.</summary>
    [Description("how a window is scored from the attention of the last tokens")]
    public WindowScore Score { get; init; } = WindowScore.Adaptive;
}

/// <summary>
/// WindowKV: keeps whole windows of tokens in a row, those to which the last tokens attend; neighbouring layers share the choice of the first of them.
/// <para>Paper: Zuo, Huang, Xu, Xu, Yin, Sun, Zeng and Liu, WindowKV: task-adaptive group-wise KV cache window selection for efficient LLM inference, arXiv 2503.17922 (2025).
/// The paper's task classifier is a fine-tuned BERT; here <see cref="WindowScore.Adaptive"/> asks only how concentrated the last tokens' attention is: where a tenth of the tokens holds
/// more than half of it, the prompt looks for a place. Groups need not divide the layers; budgets never exceed the prompt; nothing is kept between prompts, as released code does by mistake.</para>
/// <para>Cost: O(suffix · tokens · heads · head width) in the first layer of each group, a copy in the others.</para>
/// </summary>
public sealed class WindowKv(WindowKvOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int layers = prompt.Shape.Layers, n = prompt.Count, shared = Math.Min(options.SharedLayers, layers);
        var score = options.Score == WindowScore.Adaptive ? Asks(prompt) ? WindowScore.Max : WindowScore.Average : options.Score;
        int suffix = options.Suffix > 0 ? options.Suffix : score == WindowScore.Max ? 32 : 16;
        if (options.Capacity == 0)
            suffix = Math.Min(suffix, Math.Max(1, Ranking.Share(options.Keep, n) / 2)); // a share counts all that is kept
        int mean = options.Capacity > 0 ? options.Capacity : Math.Max(1, Ranking.Share(options.Keep, n) - suffix);
        int[] budgets = Budgets(layers, shared, mean, options.Beta);
        int[] leader = [];
        return Selection.Shared(prompt, l =>
        {
            if (l % shared == 0)
                leader = Keep(Attention(prompt, l, suffix), budgets[l], options.Window, score == WindowScore.Max, n);
            return leader;
        });
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new WindowKv(options with { Keep = share, Capacity = 0 });

    /// <summary>Tokens for each layer: falling in even steps from group to group around the mean. One group alone has the mean.</summary>
    /// <exception cref="InputException">The last group would keep more than twice the mean.</exception>
    public static int[] Budgets(int layers, int shared, int mean, int beta)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(shared, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(mean, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(beta, 1);
        int groups = (layers + shared - 1) / shared;
        if (groups == 1)
            return [.. Enumerable.Repeat(mean, layers)];
        int last = (int)((long)mean * shared / beta), first = 2 * mean - last;
        if (first < 0)
            throw InputException.At("windowkv.beta", $"{beta} with {shared} shared layers", $"at least half of the shared layers, {(shared + 1) / 2}", "The first layers would keep less than nothing.");
        int step = (int)Math.Floor((double)(first - last) / (groups - 1));
        return [.. Enumerable.Range(0, layers).Select(l => l / shared == groups - 1 ? last : first - l / shared * step)];
    }

    /// <summary>The tokens kept, windows by falling score and then the suffix.</summary>
    /// <param name="attention">What the suffix pays to each token before it, on average over heads [n - suffix].</param>
    /// <param name="budget">Tokens kept of them.</param>
    /// <param name="window">Tokens of a window.</param>
    /// <param name="max">Whether a window is scored by its better half; the attention is then given for each head in turn.</param>
    /// <param name="n">Tokens in all.</param>
    public static int[] Keep(IReadOnlyList<float[]> attention, int budget, int window, bool max, int n)
    {
        ArgumentNullException.ThrowIfNull(attention);
        int before = attention[0].Length;
        int[] all = [.. Enumerable.Range(0, n)];
        if (before <= budget)
            return all;
        int count = (before + window - 1) / window, dropped = (before - budget + window - 1) / window;
        if ((long)dropped * window >= before)
            return all[before..];
        float[] scores = [.. Enumerable.Range(0, count).Select(w => attention.Average(head => Score(head.AsSpan(w * window, Math.Min(window, before - w * window)))))];
        return [.. Ranking.Descending(scores)[..(count - dropped)].SelectMany(w => Enumerable.Range(w * window, Math.Min(window, before - w * window))), .. all[before..]];

        float Score(ReadOnlySpan<float> tokens)
        {
            if (!max || window == 1)
                return System.Numerics.Tensors.TensorPrimitives.Sum(tokens) / tokens.Length;
            float[] sorted = tokens.ToArray();
            Array.Sort(sorted);
            int best = Math.Min(window / 2, sorted.Length);
            return sorted[^best..].Sum() / best;
        }
    }

    private static float[][] Attention(Prompt prompt, int layer, int suffix)
    {
        int before = Math.Max(0, prompt.Count - suffix);
        return [.. prompt.ColumnAttention(layer, suffix).Select(head => head[..before])];
    }

    /// <summary>Whether a tenth of the tokens holds more than half of what the last 16 attend to, in the middle layer.</summary>
    private static bool Asks(Prompt prompt)
    {
        float[] attention = prompt.MeanColumnAttention(prompt.Shape.Layers / 2, 16);
        Array.Sort(attention);
        int tenth = Math.Max(1, attention.Length / 10);
        return attention[^tenth..].Sum() > 0.5f * attention.Sum();
    }
}
