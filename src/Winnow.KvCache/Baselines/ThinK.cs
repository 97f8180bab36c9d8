using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>Options of <see cref="ThinK"/>.</summary>
public sealed record ThinKOptions : BudgetOptions
{
    /// <summary>Share of channels.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of the channels of keys that is kept")]
    public double Keep { get; init; } = 0.5;

    /// <summary>Last queries looked at, and tokens whose keys stay whole.</summary>
    [Range(1, 4096), Description("last queries that decide; the keys of their tokens stay whole")]
    public int Window { get; init; } = 32;
}

/// <summary>
/// Drops the channels of each head's keys that matter least to the last queries: those of smallest ‖q_c‖·‖k_c‖. Values stay.
/// <para>Paper: Xu et al., ThinK: thinner key cache by query-driven pruning, ICLR 2025 (arXiv 2407.21018).</para>
/// </summary>
public sealed class ThinK(ThinKOptions options) : IProjector, IScaled
{
    /// <inheritdoc/>
    public IReadOnlyList<LayerCache> Project(Prompt prompt, IReadOnlyList<int[]> positions, IEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(positions);
        ArgumentNullException.ThrowIfNull(encoder);
        var s = prompt.Shape;
        return [.. positions.Select((tokens, l) =>
        {
            int thin = Math.Max(0, tokens.Length - options.Window);
            var tail = new HeadCache(s.KeyValueHeads, s.HeadWidth, ExactEncoder.Instance);
            var heads = new ThinHead[s.KeyValueHeads];
            for (int h = 0; h < heads.Length; h++)
            {
                int d = s.HeadWidth;
                float[] keys = prompt.Keys(l, h), values = prompt.Values(l, h), energy = new float[d];
                float[] queries = prompt.QueryMagnitude(l, h, options.Window);
                for (int c = 0; c < d; c++)
                    energy[c] = queries[c] * MathF.Sqrt(tokens.Sum(t => keys[t * d + c] * keys[t * d + c]));
                int[] channels = Ranking.Top(energy, Ranking.Share(options.Keep, d));
                var (thinKeys, thinValues) = (encoder.Keys(channels.Length), encoder.Values(d));
                thinKeys.Fill([.. tokens[..thin].SelectMany(t => channels.Select(c => keys[t * d + c]))]);
                thinValues.Fill([.. tokens[..thin].SelectMany(t => values.Skip(t * d).Take(d))]);
                heads[h] = new(channels, thinKeys, thinValues);
                tail.Fill(h, new([.. tokens[thin..].SelectMany(t => keys.Skip(t * d).Take(d))], [.. tokens[thin..].SelectMany(t => values.Skip(t * d).Take(d))], tokens[thin..]));
            }
            return new TailedCache(new ThinCache(heads, s, thin), tail);
        })];
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new ThinK(options with { Keep = Math.Clamp(2 * share - 1, 0.01, 1) });

    private sealed record ThinHead(int[] Channels, IRows Keys, IRows Values);

    private sealed class ThinCache(ThinHead[] heads, LlamaShape s, int count) : PromptCache
    {
        public override int Count => count;

        public override void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
        {
            int[] channels = heads[head].Channels;
            float[] thin = new float[groups * channels.Length];
            for (int g = 0; g < groups; g++)
                for (int i = 0; i < channels.Length; i++)
                    thin[g * channels.Length + i] = queries[g * s.HeadWidth + channels[i]];
            heads[head].Keys.Dot(thin, groups, scores, stride);
        }

        public override void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs) => heads[head].Values.AddWeighted(weights, groups, stride, outputs);

        public override KvBytes Bytes => heads.Aggregate(default(KvBytes), (sum, h) => sum + h.Keys.Bytes + h.Values.Bytes + new KvBytes(0, Indices: sizeof(int) * h.Channels.Length));
    }
}
