using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>How wide the weights of a merged set are.</summary>
public enum MergeWidth
{
    /// <summary>σ = Σ ‖k_p - k_i‖ / (√2 |S|): the printed formula with the distance in place of the weight, for it is circular as printed.</summary>
    MeanDistance,

    /// <summary>A constant.</summary>
    Fixed,

    /// <summary>σ² = mean of ‖k_p - k_i‖².</summary>
    Rms,

    /// <summary>First from Rms, then σ = Σ g_i / (√2 |S|), as a re-implementation reads it. Not scale-free.</summary>
    TwoPass,

    /// <summary>All members weigh the same.</summary>
    Uniform,

    /// <summary>The pivot alone stays: eviction within sets.</summary>
    Pivot,
}

/// <summary>What becomes of a set's share of attention.</summary>
public enum MergedMass
{
    /// <summary>The merged value is multiplied by the set's size.</summary>
    SetSize,

    /// <summary>Nothing.</summary>
    None,

    /// <summary>The logarithm of the set's size is added to the merged entry's logit: exact for equal keys.</summary>
    Logit,
}

/// <summary>Which member of a set is its pivot.</summary>
public enum MergePivot
{
    /// <summary>The one with most attention.</summary>
    Attention,

    /// <summary>A random one.</summary>
    Random,
}

/// <summary>Options of <see cref="KvMerger"/>.</summary>
public sealed record KvMergerOptions : BudgetOptions
{
    /// <summary>How alike neighbours must be.</summary>
    [Range(-1.0, 1.0), Description("ε: neighbours whose keys' cosine is above it are merged")]
    public double Threshold { get; init; } = 0.75;

    /// <summary>Last tokens never merged.</summary>
    [Range(0.0, 1.0), Description("share of the tokens, the last ones, that is never merged")]
    public double Recent { get; init; } = 0.17;

    /// <summary>Heavy hitters never merged.</summary>
    [Range(0.0, 1.0), Description("share of the tokens, those with most attention, that is never merged")]
    public double Heavy { get; init; } = 0.12;

    /// <summary>How wide the weights are.</summary>
    [Description("σ of the Gaussian weights of a set's members")]
    public MergeWidth Width { get; init; } = MergeWidth.MeanDistance;

    /// <summary>σ where it is fixed.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("σ where it is fixed")]
    public double Sigma { get; init; } = 5;

    /// <summary>What becomes of the set's mass.</summary>
    [Description("what makes up for the entries that are gone")]
    public MergedMass Mass { get; init; } = MergedMass.SetSize;

    /// <summary>Which member is the pivot.</summary>
    [Description("which member of a set the others are weighed against")]
    public MergePivot Pivot { get; init; } = MergePivot.Attention;

    /// <summary>Share of entries to keep.</summary>
    [Range(0.0, 1.0), Description("share of the entries each head keeps, for which ε is found by bisection; 0: ε as given")]
    public double Keep { get; init; }
}

/// <summary>
/// KVMerger: runs of neighbouring tokens whose keys point the same way become one entry, each member weighed by its distance to the one with most attention.
/// <para>Paper: Wang, Jin, Li and Zhang, Model tells you where to merge: adaptive KV cache merging for LLMs on long-context tasks, arXiv 2407.08454 (2024). No official code; where the paper
/// leaves a choice it is an option. Sets are runs of rotated keys in each head; attention comes from all queries of the prompt. A zero key is like no other.</para>
/// <para>Cost O(heads · tokens² · head width) for the attention, O(tokens · head width) for the rest.</para>
/// </summary>
public sealed class KvMerger(KvSetup setup, KvMergerOptions options) : IMerger, IScaled
{
    private const int Turns = 30;

    /// <inheritdoc/>
    public HeadEntries Merge(Prompt prompt, int layer, int head, HeadEntries entries)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(entries);
        int n = entries.Count, d = prompt.Shape.HeadWidth;
        float[] all = Prompt.OfGroup(prompt.ColumnAttention(layer, prompt.Count), head, prompt.Shape.GroupSize);
        double[] attention = [.. entries.Positions.Select(p => (double)all[p])];
        double[] k = [.. entries.Keys.Select(x => (double)x)], v = [.. entries.Values.Select(x => (double)x)];
        int recent = (int)(options.Recent * n), heavy = (int)(options.Heavy * n);
        if (options.Keep > 0)
            (recent, heavy) = (Math.Min(recent, (int)(0.34 * options.Keep * n)), Math.Min(heavy, (int)(0.24 * options.Keep * n)));
        bool[] guarded = Protected(attention, recent, heavy);
        double[] cosine = AdjacentCosine(k, d);
        double threshold = options.Threshold;
        if (options.Keep > 0)
        {
            // fewer sets the lower ε: the lowest with which at least the wanted entries stay
            double low = -1.001, high = 1;
            int wanted = Ranking.Share(options.Keep, n);
            for (int turn = 0; turn < Turns; turn++)
            {
                threshold = (low + high) / 2;
                (low, high) = Sets(cosine, threshold, guarded)[^1] + 1 < wanted ? (threshold, high) : (low, threshold);
            }
            threshold = high;
        }
        var random = options.Pivot == MergePivot.Random ? setup.Random($"kvmerger/{layer}/{head}") : null;
        var merged = Merge(k, v, d, attention, Sets(cosine, threshold, guarded), options, random);
        return new([.. merged.Keys.Select(x => (float)x)], [.. merged.Values.Select(x => (float)x)], [.. merged.Pivots.Select(p => entries.Positions[p])],
            options.Mass == MergedMass.Logit ? [.. merged.Sizes.Select(s => MathF.Log(s))] : entries.LogMass is null ? null : throw new InvalidOperationException("Entries were merged before."));
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new KvMerger(setup, options with { Keep = share });

    /// <summary>The cosine of each key with the next one [n - 1]; 0 where one is zero.</summary>
    public static double[] AdjacentCosine(ReadOnlySpan<double> keys, int width)
    {
        var cosine = new double[Math.Max(0, keys.Length / width - 1)];
        for (int i = 0; i < cosine.Length; i++)
        {
            ReadOnlySpan<double> a = keys.Slice(i * width, width), b = keys.Slice((i + 1) * width, width);
            double norms = TensorPrimitives.Norm(a) * TensorPrimitives.Norm(b);
            cosine[i] = norms == 0 ? 0 : TensorPrimitives.Dot(a, b) / norms;
        }
        return cosine;
    }

    /// <summary>The last tokens, and those with most attention among the others.</summary>
    public static bool[] Protected(ReadOnlySpan<double> attention, int recent, int heavy)
    {
        int n = attention.Length, before = Math.Max(0, n - recent);
        double[] a = attention.ToArray();
        var guarded = new bool[n];
        Array.Fill(guarded, true, before, n - before);
        foreach (int i in Enumerable.Range(0, before).OrderByDescending(i => a[i]).Take(heavy))
            guarded[i] = true;
        return guarded;
    }

    /// <summary>The set of each token: maximal runs of unprotected neighbours whose cosine is above the threshold, numbered from 0.</summary>
    public static int[] Sets(ReadOnlySpan<double> cosine, double threshold, ReadOnlySpan<bool> guarded)
    {
        var sets = new int[guarded.Length];
        for (int i = 1; i < sets.Length; i++)
            sets[i] = sets[i - 1] + (cosine[i - 1] > threshold && !guarded[i - 1] && !guarded[i] ? 0 : 1);
        return sets;
    }

    /// <summary>Merges sets.</summary>
    /// <param name="keys">[n, width].</param>
    /// <param name="values">[n, width].</param>
    /// <param name="width">Numbers of a key, and of a value.</param>
    /// <param name="attention">[n].</param>
    /// <param name="sets">Of each token, from <see cref="Sets"/>.</param>
    /// <param name="options">Width of the weights, and what becomes of the mass.</param>
    /// <param name="random">Chooses pivots where they are random.</param>
    public static (double[] Keys, double[] Values, int[] Pivots, int[] Sizes, double[] Sigmas) Merge(ReadOnlySpan<double> keys, ReadOnlySpan<double> values, int width, ReadOnlySpan<double> attention, ReadOnlySpan<int> sets,
        KvMergerOptions options, SeededRandom? random = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (attention.Length != sets.Length || keys.Length != sets.Length * width)
            throw InputException.At("entries", $"{keys.Length / width} keys, {attention.Length} attentions, {sets.Length} sets", "as many of each", "Give those of one head.");
        int count = sets.Length == 0 ? 0 : sets[^1] + 1;
        var (k, v) = (new double[count * width], new double[count * width]);
        var (pivots, sizes, sigmas) = (new int[count], new int[count], new double[count]);
        for (int first = 0, end; first < sets.Length; first = end)
        {
            end = first;
            while (end < sets.Length && sets[end] == sets[first])
                end++;
            int set = sets[first], size = end - first, pivot = first;
            for (int i = first; i < end; i++)
                pivot = attention[i] > attention[pivot] ? i : pivot;
            pivot = random is null ? pivot : first + random.Next(size);
            var distances = new double[size];
            for (int i = 0; i < size; i++)
                distances[i] = TensorPrimitives.Distance(keys.Slice(pivot * width, width), keys.Slice((first + i) * width, width));
            double sigma = size == 1 ? 0 : Sigma(distances, options);
            double[] weights = [.. distances.Select((r, i) => options.Width switch
            {
                MergeWidth.Uniform => 1,
                MergeWidth.Pivot => first + i == pivot ? 1.0 : 0,
                _ => sigma == 0 ? 1 : Math.Exp(-r * r / (2 * sigma * sigma)),
            })];
            double total = weights.Sum(), mass = options.Mass == MergedMass.SetSize ? size : 1;
            for (int i = 0; i < size; i++)
            {
                TensorPrimitives.MultiplyAdd(keys.Slice((first + i) * width, width), weights[i] / total, k.AsSpan(set * width, width), k.AsSpan(set * width, width));
                TensorPrimitives.MultiplyAdd(values.Slice((first + i) * width, width), mass * weights[i] / total, v.AsSpan(set * width, width), v.AsSpan(set * width, width));
            }
            (pivots[set], sizes[set], sigmas[set]) = (pivot, size, sigma);
        }
        return (k, v, pivots, sizes, sigmas);
    }

    private static double Sigma(double[] distances, KvMergerOptions options)
    {
        int n = distances.Length;
        double rms = Math.Sqrt(distances.Sum(r => r * r) / n);
        return options.Width switch
        {
            MergeWidth.MeanDistance => distances.Sum() / (Math.Sqrt(2) * n),
            MergeWidth.Fixed => options.Sigma,
            MergeWidth.Rms => rms,
            MergeWidth.TwoPass => rms == 0 ? 0 : distances.Sum(r => Math.Exp(-r * r / (2 * rms * rms))) / (Math.Sqrt(2) * n),
            _ => 0,
        };
    }
}
