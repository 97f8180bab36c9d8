using CsCheck;
using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class KvMergerTests
{
    private static readonly KvSetup Setup = new(purpose => new(1, purpose));

    private static double[] Numbers(int count, ulong seed = 1) => [.. Small.Rows(count, 1, seed, outliers: false).Select(v => (double)v)];

    [Fact]
    public void Sets_are_runs_that_cover_all_tokens_and_protected_ones_stand_alone() => Gen.Select(Gen.Int[1, 40], Gen.Double[-1, 1], Gen.Int[0, 10], Gen.Int[0, 10]).Sample((n, threshold, recent, heavy) =>
    {
        double[] keys = Numbers(n * 3, (ulong)n), attention = Numbers(n, 9);
        double[] cosine = KvMerger.AdjacentCosine(keys, 3);
        bool[] guarded = KvMerger.Protected(attention, recent, heavy);
        int[] sets = KvMerger.Sets(cosine, threshold, guarded);
        Assert.Equal(Math.Min(n, recent) + Math.Min(Math.Max(0, n - recent), heavy), guarded.Count(g => g));
        Assert.Equal(0, sets[0]);
        int links = 0;
        for (int i = 1; i < n; i++)
        {
            bool joined = cosine[i - 1] > threshold && !guarded[i - 1] && !guarded[i];
            links += joined ? 1 : 0;
            Assert.Equal(joined ? 0 : 1, sets[i] - sets[i - 1]);
        }
        Assert.Equal(n - links, sets[^1] + 1);
        // from the last token to the first: the same runs
        int[] backward = KvMerger.Sets([.. cosine.Reverse()], threshold, [.. guarded.Reverse()]);
        Assert.Equal(sets.Select(s => sets[^1] - s).Reverse(), backward);
    }, seed: "0000KOIKKiB1", iter: 300);

    [Fact]
    public void A_threshold_above_every_cosine_changes_nothing_and_one_below_all_leaves_one_entry()
    {
        double[] keys = Numbers(30 * 4), values = Numbers(30 * 4, 2), attention = Numbers(30, 3);
        double[] cosine = KvMerger.AdjacentCosine(keys, 4);
        var none = KvMerger.Merge(keys, values, 4, attention, KvMerger.Sets(cosine, 1, new bool[30]), new());
        Assert.Equal(keys, none.Keys);
        Assert.Equal(values, none.Values);
        Assert.Single(KvMerger.Merge(keys, values, 4, attention, KvMerger.Sets(cosine, -1.1, new bool[30]), new()).Pivots);
    }

    [Fact] // the closed form: equal keys, with log|S| added, are exact
    public void Equal_keys_are_merged_without_loss_when_the_mass_is_added_to_the_logit()
    {
        const int D = 4, N = 6;
        double[] key = Numbers(D), keys = [.. Enumerable.Repeat(key, N).SelectMany(k => k)], values = Numbers(N * D, 2), q = Numbers(D, 3);
        double[] other = Numbers(D, 5), otherValue = Numbers(D, 6);
        int[] sets = new int[N];
        double[] mean = [.. Enumerable.Range(0, D).Select(c => Enumerable.Range(0, N).Average(i => values[i * D + c]))];
        var merged = KvMerger.Merge(keys, values, D, Numbers(N, 4), sets, new() { Mass = MergedMass.Logit });
        Assert.All(merged.Keys.Zip(key), p => Assert.Equal(p.Second, p.First, 1e-12));
        Assert.All(merged.Values.Zip(mean), p => Assert.Equal(p.Second, p.First, 1e-12));
        var scaled = KvMerger.Merge(keys, values, D, Numbers(N, 4), sets, new());
        Assert.All(scaled.Values.Zip(mean), p => Assert.Equal(N * p.Second, p.First, 1e-12));

        double Dot(double[] a, double[] b) => a.Zip(b).Sum(p => p.First * p.Second);
        double set = Math.Exp(Dot(q, key)), alone = Math.Exp(Dot(q, other));
        for (int c = 0; c < D; c++)
        {
            double exact = (N * set * mean[c] + alone * otherValue[c]) / (N * set + alone);
            double corrected = (Math.Exp(Dot(q, key) + Math.Log(merged.Sizes[0])) * merged.Values[c] + alone * otherValue[c]) / (Math.Exp(Dot(q, key) + Math.Log(merged.Sizes[0])) + alone);
            Assert.Equal(exact, corrected, 1e-12);
        }
    }

    [Theory, InlineData(MergeWidth.MeanDistance), InlineData(MergeWidth.Rms), InlineData(MergeWidth.TwoPass)]
    public void Scaling_all_keys_leaves_the_weights_where_the_rule_has_no_scale(MergeWidth width)
    {
        double[] keys = Numbers(12 * 3), values = Numbers(12 * 3, 2), attention = Numbers(12, 3), large = [.. keys.Select(k => 10 * k)];
        int[] sets = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2];
        double[] a = KvMerger.Merge(keys, values, 3, attention, sets, new() { Width = width }).Values, b = KvMerger.Merge(large, values, 3, attention, sets, new() { Width = width }).Values;
        Assert.Equal(width != MergeWidth.TwoPass, a.Zip(b).All(p => Math.Abs(p.First - p.Second) < 1e-9));
    }

    [Fact]
    public void A_wide_sigma_is_the_mean_and_a_narrow_one_the_pivot()
    {
        double[] keys = Numbers(5 * 3), values = Numbers(5 * 3, 2), attention = [0, 1, 9, 2, 3];
        int[] sets = new int[5];
        var wide = KvMerger.Merge(keys, values, 3, attention, sets, new() { Width = MergeWidth.Fixed, Sigma = 1e6, Mass = MergedMass.None });
        var mean = KvMerger.Merge(keys, values, 3, attention, sets, new() { Width = MergeWidth.Uniform, Mass = MergedMass.None });
        Assert.All(wide.Keys.Zip(mean.Keys), p => Assert.Equal(p.Second, p.First, 1e-9));
        var narrow = KvMerger.Merge(keys, values, 3, attention, sets, new() { Width = MergeWidth.Fixed, Sigma = 1e-3, Mass = MergedMass.None });
        Assert.Equal(2, narrow.Pivots[0]);
        Assert.All(narrow.Keys.Zip(keys[6..9]), p => Assert.Equal(p.Second, p.First, 1e-9));
        Assert.Equal(keys[6..9], KvMerger.Merge(keys, values, 3, attention, sets, new() { Width = MergeWidth.Pivot, Mass = MergedMass.None }).Keys);
    }

    [Fact] // the printed formula with the distance in place of the weight
    public void Sigma_is_the_sum_of_distances_over_root_two_times_the_size()
    {
        double[] keys = [0, 0, 3, 4, 0, 1];
        Assert.Equal((5 + 1) / (Math.Sqrt(2) * 3), KvMerger.Merge(keys, keys, 2, [9, 0, 0], [0, 0, 0], new()).Sigmas[0], 1e-12);
    }

    [Theory, InlineData(0.3), InlineData(0.5), InlineData(0.8)]
    public void A_share_of_entries_is_met_by_a_threshold(double keep)
    {
        using var small = new Small();
        var cache = new KvPolicy(new KvMerger(Setup, new() { Keep = keep })).Prefill(small.Read(small.Tokens(200)));
        for (int l = 0; l < small.Shape.Layers; l++)
            Assert.InRange(cache.Count(l, 0), keep * 200 - 1, keep * 200 + 12); // ties of cosines cannot be split
    }

    [Fact]
    public void A_zero_key_is_like_no_other_and_wrong_lengths_are_refused()
    {
        Assert.Equal([0, 0], KvMerger.AdjacentCosine([1, 0, 0, 0, 1, 0], 2));
        Assert.Throws<InputException>(() => KvMerger.Merge([1, 2], [1, 2], 1, [1], [0, 0], new()));
    }
}
