using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;

namespace Winnow.KvCache;

/// <summary>Options of selectors that keep a share of the tokens.</summary>
public record KeepOptions : BudgetOptions
{
    /// <summary>Share of the tokens.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of the prompt's tokens that is kept")]
    public double Keep { get; init; } = 0.25;
}

/// <summary>Keeps tokens at random: what any rule must beat. Cost O(tokens).</summary>
public sealed class RandomTokens(KvSetup setup, KeepOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt)
    {
        var random = setup.Random("random-tokens");
        float[] scores = [.. Enumerable.Range(0, prompt.Count).Select(_ => random.NextSingle())];
        int[] kept = Ranking.Top(scores, Ranking.Share(options.Keep, prompt.Count));
        return Selection.Shared(prompt, _ => kept);
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new RandomTokens(setup, options with { Keep = share });
}

/// <summary>Options of <see cref="StreamingLlm"/>.</summary>
public sealed record StreamingLlmOptions : KeepOptions
{
    /// <summary>First tokens kept.</summary>
    [Range(0, 4096), Description("first tokens kept: the sinks of attention")]
    public int Sinks { get; init; } = 4;
}

/// <summary>
/// The first tokens, to which much attention goes whatever they say, and the last ones.
/// <para>Paper: Xiao, Tian, Chen, Han and Lewis, Efficient streaming language models with attention sinks, ICLR 2024 (arXiv 2309.17453). Positions stay those of the text.</para>
/// </summary>
public sealed class StreamingLlm(StreamingLlmOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt)
    {
        int kept = Ranking.Share(options.Keep, prompt.Count), sinks = Math.Min(options.Sinks, kept - 1);
        int[] tokens = [.. Enumerable.Range(0, sinks), .. Enumerable.Range(prompt.Count - (kept - sinks), kept - sinks)];
        return Selection.Shared(prompt, _ => tokens);
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new StreamingLlm(options with { Keep = share });
}

/// <summary>
/// Keeps in each head the tokens whose keys are short: those tend to get much attention.
/// <para>Paper: Devoto, Zhao, Scardapane and Minervini, A simple and effective L2 norm-based strategy for KV cache compression, EMNLP 2024 (arXiv 2406.11430).</para>
/// </summary>
public sealed class KeyNorm(KeepOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt) => Selection.Each(prompt, (l, h) =>
    {
        float[] keys = prompt.Keys(l, h), scores = new float[prompt.Count];
        int d = prompt.Shape.HeadWidth;
        for (int t = 0; t < scores.Length; t++)
            scores[t] = -TensorPrimitives.SumOfSquares(keys.AsSpan(t * d, d));
        return Ranking.Top(scores, Ranking.Share(options.Keep, prompt.Count));
    });

    /// <inheritdoc/>
    public IKvStage At(double share) => new KeyNorm(options with { Keep = share });
}

/// <summary>Options of <see cref="HeavyHitters"/>.</summary>
public sealed record HeavyHitterOptions : KeepOptions
{
    /// <summary>Share of what is kept that is the last tokens.</summary>
    [Range(0.0, 1.0), Description("share of the kept tokens that are simply the last ones")]
    public double Recent { get; init; } = 0.5;
}

/// <summary>
/// H2O: in each head the tokens that got most attention from all queries of the prompt, and the last ones.
/// <para>Paper: Zhang et al., H2O: heavy-hitter oracle for efficient generative inference of large language models, NeurIPS 2023 (arXiv 2306.14048). Chosen once, after the prompt; nothing is evicted later.</para>
/// <para>Cost O(heads · tokens² · head width).</para>
/// </summary>
public sealed class HeavyHitters(HeavyHitterOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt)
    {
        int kept = Ranking.Share(options.Keep, prompt.Count), recent = (int)Math.Round(options.Recent * kept);
        float[][][] attention = [.. Enumerable.Range(0, prompt.Shape.Layers).Select(l => prompt.ColumnAttention(l, prompt.Count))];
        return Selection.Each(prompt, (l, h) => Ranking.TopAndLast(Prompt.OfGroup(attention[l], h, prompt.Shape.GroupSize), kept - recent, recent));
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new HeavyHitters(options with { Keep = share });
}

/// <summary>
/// TOVA: the tokens to which the last query attends most, on average over the heads of a layer.
/// <para>Paper: Oren, Hassid, Yarden, Adi and Schwartz, Transformers are multi-state RNNs, EMNLP 2024 (arXiv 2401.06104). Chosen once, after the prompt.</para>
/// </summary>
public sealed class Tova(KeepOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt) => Selection.Shared(prompt, l => Ranking.Top(prompt.MeanColumnAttention(l, 1), Ranking.Share(options.Keep, prompt.Count)));

    /// <inheritdoc/>
    public IKvStage At(double share) => new Tova(options with { Keep = share });
}

/// <summary>Options of <see cref="SnapKv"/>.</summary>
public sealed record SnapKvOptions : KeepOptions
{
    /// <summary>Queries that vote.</summary>
    [Range(1, 4096), Description("last queries that vote; their tokens are kept")]
    public int Window { get; init; } = 32;

    /// <summary>Width of the averages.</summary>
    [Range(1, 255), Description("neighbouring tokens whose votes are averaged")]
    public int Pool { get; init; } = 5;

    /// <summary>How much more the first layer keeps than the last.</summary>
    [Range(1.0, 100.0), Description("how many times as many tokens the first layer keeps as the last, falling in even steps; 1: all the same")]
    public double Taper { get; init; } = 1;
}

/// <summary>
/// SnapKV: in each head the tokens to which the last queries attend, their votes averaged over neighbours, and the last tokens.
/// <para>Paper: Li et al., SnapKV: LLM knows what you are looking for before generation, NeurIPS 2024 (arXiv 2404.14469). With a taper it is PyramidKV (Cai et al., arXiv 2406.02069): early
/// layers keep more, later ones less, the same in all.</para>
/// <para>Cost O(heads · window · tokens · head width).</para>
/// </summary>
public sealed class SnapKv(SnapKvOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt)
    {
        int layers = prompt.Shape.Layers, kept = Ranking.Share(options.Keep, prompt.Count), window = Math.Min(options.Window, kept);
        float[][][] attention = [.. Enumerable.Range(0, layers).Select(l => prompt.ColumnAttention(l, window))];
        return Selection.Each(prompt, (l, h) =>
        {
            double even = layers == 1 ? 0 : 1 - 2.0 * l / (layers - 1); // from 1 to -1
            int more = (int)Math.Round((kept - window) * (1 + even * (options.Taper - 1) / (options.Taper + 1)));
            return Ranking.TopAndLast(Pooled(Prompt.OfGroup(attention[l], h, prompt.Shape.GroupSize), options.Pool), more, window);
        });
    }

    /// <summary>Averages over neighbours, of which those beyond the ends are zero.</summary>
    internal static float[] Pooled(float[] x, int width)
    {
        int before = width / 2;
        return [.. Enumerable.Range(0, x.Length).Select(i => Enumerable.Range(i - before, width).Where(j => j >= 0 && j < x.Length).Sum(j => x[j]) / width)];
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new SnapKv(options with { Keep = share });
}

/// <summary>Options of <see cref="ExpectedAttention"/>.</summary>
public sealed record ExpectedAttentionOptions : KeepOptions
{
    /// <summary>Positions ahead.</summary>
    [Range(1, 65536), Description("positions after the prompt over which the rotation of queries is averaged")]
    public int Ahead { get; init; } = 512;

    /// <summary>First tokens kept.</summary>
    [Range(0, 4096), Description("first tokens that are always kept")]
    public int Sinks { get; init; } = 4;
}

/// <summary>
/// Keeps the tokens that queries to come are expected to attend to, if queries are normal: <c>log score = μ·k/√d + kᵀΣk/(2d) + log ‖v‖</c>.
/// <para>Devoto, Jeblick and Jégou, Expected attention: KV cache compression by estimating attention from future queries distribution, arXiv 2510.00636 (2025). μ and Σ are those of the
/// prompt's unrotated queries, rotated by the mean rotation of the positions ahead. Cost O(heads · tokens · head width²).</para>
/// </summary>
public sealed class ExpectedAttention(ExpectedAttentionOptions options) : ISelector, IScaled
{
    /// <inheritdoc/>
    public Selection Select(Prompt prompt) => Selection.Each(prompt, (l, h) =>
    {
        var s = prompt.Shape;
        int d = s.HeadWidth, n = prompt.Count;
        float[] keys = prompt.Keys(l, h), values = prompt.Values(l, h), scores = new float[n];
        for (int g = 0; g < s.GroupSize; g++)
        {
            var (mean, covariance) = Queries(prompt, l, h * s.GroupSize + g);
            for (int t = 0; t < n; t++)
            {
                double along = 0, spread = 0;
                for (int i = 0; i < d; i++)
                {
                    double row = 0;
                    for (int j = 0; j < d; j++)
                        row += covariance[i, j] * keys[t * d + j];
                    (along, spread) = (along + mean[i] * keys[t * d + i], spread + row * keys[t * d + i]);
                }
                scores[t] += (float)Math.Exp(Math.Min(700, along / Math.Sqrt(d) + spread / (2 * d))) / s.GroupSize;
            }
        }
        for (int t = 0; t < n; t++)
            scores[t] = t < options.Sinks ? float.PositiveInfinity : scores[t] * TensorPrimitives.Norm(values.AsSpan(t * d, d));
        return Ranking.Top(scores, Ranking.Share(options.Keep, n));
    });

    private (double[] Mean, double[,] Covariance) Queries(Prompt prompt, int layer, int head)
    {
        var s = prompt.Shape;
        int d = s.HeadWidth, n = prompt.Count, ahead = Math.Max(1, Math.Min(options.Ahead, prompt.Rotary.Positions - n));
        float[] own = new float[n * d], unit = new float[d];
        for (int t = 0; t < n; t++)
        {
            prompt.Queries(layer).Slice((t * s.Heads + head) * d, d).CopyTo(own.AsSpan(t * d));
            prompt.Rotary.TurnBack(own.AsSpan(t * d, d), t);
        }
        double[,] mixed = new double[d, d]; // the mean rotation
        for (int c = 0; c < d; c++)
            for (int p = 0; p < ahead; p++)
            {
                Array.Clear(unit);
                unit[c] = 1;
                prompt.Rotary.Turn(unit, Math.Min(n + p, prompt.Rotary.Positions - 1));
                for (int i = 0; i < d; i++)
                    mixed[i, c] += unit[i] / ahead;
            }
        var mean = new double[d];
        for (int t = 0; t < n; t++)
            for (int i = 0; i < d; i++)
                mean[i] += own[t * d + i] / n;
        var covariance = new double[d, d];
        for (int t = 0; t < n; t++)
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                    covariance[i, j] += (own[t * d + i] - mean[i]) * (own[t * d + j] - mean[j]) / n;
        return ([.. Enumerable.Range(0, d).Select(i => Enumerable.Range(0, d).Sum(j => mixed[i, j] * mean[j]))], Product(Product(mixed, covariance, false), mixed, true));

        double[,] Product(double[,] a, double[,] b, bool transposed)
        {
            var c = new double[d, d];
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                    for (int k = 0; k < d; k++)
                        c[i, j] += a[i, k] * (transposed ? b[j, k] : b[k, j]);
            return c;
        }
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new ExpectedAttention(options with { Keep = share });
}
