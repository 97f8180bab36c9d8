using CsCheck;
using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class WindowKvTests
{
    [Fact]
    public void Budgets_fall_evenly_around_their_mean() => Gen.Select(Gen.Int[1, 8], Gen.Int[2, 8], Gen.Int[8, 3000], Gen.Int[8, 30]).Sample((shared, groups, mean, beta) =>
    {
        int[] budgets = WindowKv.Budgets(groups * shared, shared, mean, beta);
        Assert.Equal(budgets.OrderDescending(), budgets);
        Assert.InRange(budgets.Sum(), shared * groups * (mean - 1) - groups * shared, shared * groups * mean + groups * groups * shared);
        Assert.All(Enumerable.Range(0, budgets.Length), l => Assert.Equal(budgets[l / shared * shared], budgets[l]));
    }, seed: "0000KOIKKiB1", iter: 300);

    [Fact] // the paper's: 2,048 tokens, 8 shared layers of 32, β 14
    public void The_papers_budgets_are_2926_to_1170() =>
        Assert.Equal((2926, 1170), (WindowKv.Budgets(32, 8, 2048, 14)[0], WindowKv.Budgets(32, 8, 2048, 14)[^1]));

    [Fact]
    public void One_group_has_the_mean_and_a_beta_that_leaves_less_than_nothing_is_refused()
    {
        Assert.Equal([50, 50, 50], WindowKv.Budgets(3, 8, 50, 14));
        Assert.Contains("windowkv.beta", Assert.Throws<InputException>(() => WindowKv.Budgets(16, 8, 50, 3)).Message, StringComparison.Ordinal);
    }

    [Fact] // windows of one token by their mean are the best tokens
    public void Windows_of_one_token_are_plain_selection() => Gen.Select(Gen.Int[1, 60], Gen.Int[1, 60]).Sample((before, budget) =>
    {
        float[] attention = Small.Rows(1, before, (ulong)before, outliers: false);
        int[] kept = WindowKv.Keep([attention], budget, 1, max: false, before + 5);
        int[] expected = [.. Ranking.Top(attention, budget), .. Enumerable.Range(before, 5)];
        Assert.Equal(expected, kept.Order());
    }, seed: "0000KOIKKiB1", iter: 100);

    [Fact]
    public void What_is_kept_is_whole_windows_and_at_most_a_window_less_than_the_budget()
    {
        float[] attention = Small.Rows(1, 61, 3, outliers: false);
        int[] kept = WindowKv.Keep([attention], 20, 8, max: true, 70);
        int[] before = [.. kept.Where(t => t < 61)];
        Assert.InRange(before.Length, 20 - 7, 20);
        Assert.All(before.GroupBy(t => t / 8), g => Assert.Equal(Math.Min(8, 61 - g.Key * 8), g.Count()));
        Assert.Equal(Enumerable.Range(61, 9), kept[^9..]);
    }

    [Fact] // by the best half of its tokens, or by all
    public void A_window_with_one_tall_token_wins_by_maximum_and_loses_by_average()
    {
        float[] attention = [9, 0, 0, 0, 4, 4, 4, 4];
        Assert.Equal([0, 1, 2, 3, 8], WindowKv.Keep([attention], 4, 4, max: true, 9));
        Assert.Equal([4, 5, 6, 7, 8], WindowKv.Keep([attention], 4, 4, max: false, 9));
    }

    [Fact]
    public void A_budget_for_all_tokens_keeps_them_in_their_order()
    {
        using var small = new Small();
        var selection = new WindowKv(new() { Keep = 1, SharedLayers = 2, Beta = 2, Suffix = 4 }).Select(small.Read(small.Tokens(60)));
        Assert.Equal(Enumerable.Range(0, 60), selection.Kept[0][0]);
    }

    [Fact] // keys of one window along the mean query of the suffix
    public void A_window_the_suffix_looks_for_is_kept_in_every_layer_of_the_group()
    {
        using var small = new Small(heads: 2, keyHeads: 2, layers: 4);
        var s = small.Shape;
        int n = 80, d = s.HeadWidth;
        var prompt = new Prompt(s, n, small.Rotary);
        for (int l = 0; l < s.Layers; l++)
        {
            float[] queries = Small.Rows(n, s.Width, (ulong)l + 1, outliers: false), keys = Small.Rows(n, s.Width, 50, outliers: false);
            for (int h = 0; h < 2; h++)
            {
                float[] mean = [.. Enumerable.Range(0, d).Select(c => Enumerable.Range(n - 8, 8).Average(t => queries[(t * 2 + h) * d + c]))];
                for (int t = 0; t < n; t++)
                {
                    var key = keys.AsSpan((t * 2 + h) * d, d);
                    if (t is >= 24 and < 32)
                        for (int c = 0; c < d; c++)
                            key[c] = 40 * mean[c];
                    small.Rotary.TurnBack(key, t);
                }
            }
            prompt.Observe(new(l, 0, n, new float[n * s.Width], queries, keys, new float[keys.Length]));
        }
        var kept = new WindowKv(new() { SharedLayers = 2, Capacity = 16, Suffix = 8, Beta = 4, Score = WindowScore.Average }).Select(prompt.Checked()).Kept;
        Assert.All(kept, layer => Assert.Subset(layer[0].ToHashSet(), Enumerable.Range(24, 8).ToHashSet()));
    }

    [Fact]
    public void Followers_keep_what_their_leader_keeps_and_nothing_is_left_from_another_prompt()
    {
        using var small = new Small();
        var window = new WindowKv(new() { SharedLayers = 2, Keep = 0.3 });
        var kept = window.Select(small.Read(small.Tokens(120))).Kept;
        Assert.Equal(kept[0][0], kept[1][0]);
        Assert.Equal(kept[2][0], kept[3][0]);
        window.Select(small.Read(small.Tokens(120, 9)));
        Assert.Equal(kept[0][0], window.Select(small.Read(small.Tokens(120))).Kept[0][0]);
    }

    [Fact]
    public void The_order_of_kept_windows_changes_no_answer()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(120), next = small.Tokens(5, 2);
        var read = small.Read(prompt);
        var window = new WindowKv(new() { SharedLayers = 2, Keep = 0.3 });
        float[][] given = small.Follow(new KvPolicy(window).Prefill(read), next);
        float[][] sorted = small.Follow(new KvPolicy(new Sorted(window)).Prefill(read), next);
        Assert.InRange(Small.Distance(given, sorted), 0, 1e-5);
    }

    private sealed class Sorted(ISelector inner) : ISelector
    {
        public Selection Select(Prompt prompt) => new([.. inner.Select(prompt).Kept.Select(l => l.Select(h => h.Order().ToArray()).ToArray())]);
    }
}
