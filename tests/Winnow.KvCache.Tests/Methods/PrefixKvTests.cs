using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class PrefixKvTests
{
    private static float[] Peaked(int n, double sharpness, ulong seed)
    {
        var random = new SeededRandom(seed, "importance");
        return [.. Enumerable.Range(0, n).Select(_ => (float)Math.Exp(sharpness * random.NextNormal()))];
    }

    [Fact]
    public void Nothing_to_evict_leaves_all()
    {
        Assert.Equal([0, 0], PrefixKv.Profile([Peaked(40, 1, 1), Peaked(40, 2, 2)], 0, 4, 1).Evictions);
        using var small = new Small();
        var selection = new PrefixKv(new() { Keep = 1 }).Select(small.Read(small.Tokens(30)));
        Assert.All(selection.Kept, l => Assert.Equal(Enumerable.Range(0, 30), l[0]));
    }

    [Fact]
    public void Layers_that_are_alike_have_equal_budgets()
    {
        float[] one = Peaked(60, 1.5, 3);
        Assert.Single(PrefixKv.Profile([one, [.. one.Reverse()], one], 0.5, 4, 1).Evictions.Distinct());
    }

    [Fact]
    public void A_peaked_layer_evicts_most_and_a_flat_one_least()
    {
        int[] evictions = PrefixKv.Profile([Peaked(100, 1, 1), Peaked(100, 4, 2), [.. Enumerable.Repeat(1f, 100)]], 0.5, 1, 1).Evictions;
        Assert.Equal(evictions.Max(), evictions[1]);
        Assert.Equal(evictions.Min(), evictions[2]);
    }

    [Fact] // the fewest tokens that keep the level, in every layer
    public void At_the_level_every_layer_keeps_its_share_with_the_fewest_tokens()
    {
        float[][] importance = [Peaked(50, 0.5, 1), Peaked(50, 1.5, 2), Peaked(50, 3, 3)];
        var (raw, _, level) = PrefixKv.Profile(importance, 0.4, 0, 0);
        foreach (var (scores, evicted) in importance.Zip(raw))
        {
            double[] sorted = [.. scores.Select(v => (double)v).OrderDescending()];
            double Share(int kept) => sorted.Take(kept).Sum() / sorted.Sum();
            Assert.True(Share(50 - evicted) >= level - 1e-6);
            Assert.True(Share(50 - evicted - 1) < level + 1e-6);
        }
    }

    [Fact] // all ways to share a budget among three layers of eight tokens
    public void No_other_shares_of_the_budget_keep_more_in_the_worst_layer()
    {
        float[][] importance = [Peaked(8, 0.3, 4), Peaked(8, 1, 5), Peaked(8, 2, 6)];
        int[] raw = PrefixKv.Profile(importance, 0.45, 0, 0).Raw;
        int budget = raw.Sum();
        double Worst(int a, int b, int c) => new[] { a, b, c }.Select((e, l) => importance[l].Select(v => (double)v).OrderDescending().Take(8 - e).Sum() / importance[l].Sum(v => (double)v)).Min();
        double found = Worst(raw[0], raw[1], raw[2]);
        for (int a = 0; a <= 8; a++)
            for (int b = 0; b <= 8; b++)
                if (budget - a - b is var c and >= 0 and <= 8)
                    Assert.True(Worst(a, b, c) <= found + 1e-6);
    }

    [Fact]
    public void More_to_evict_evicts_more()
    {
        float[][] importance = [Peaked(80, 1, 1), Peaked(80, 2, 2)];
        int last = -1;
        foreach (double evict in (double[])[0.1, 0.3, 0.5, 0.7, 0.9])
        {
            int sum = PrefixKv.Profile(importance, evict, 4, 1).Evictions.Sum();
            Assert.True(sum > last);
            Assert.InRange(sum, evict * 160 - 2, evict * 160 + 1e-9); // cut to whole tokens: at most one a layer too few
            last = sum;
        }
    }

    [Fact]
    public void Protected_tokens_stay_and_the_others_go_by_their_importance()
    {
        float[] importance = [0.1f, 0.2f, 5, 1, 3, 2, 4, 0.3f];
        Assert.Equal([0, 1, 2, 4, 6, 7], PrefixKv.Kept(importance, 2, 2, 1));
        Assert.Equal([0, 1, 7], PrefixKv.Kept(importance, 99, 2, 1));
    }

    [Fact] // at most one entry a token, down to the layer's share
    public void While_text_is_generated_each_layer_keeps_its_share()
    {
        using var small = new Small();
        var cache = new KvPolicy(new PrefixKv(new() { Keep = 0.5 })).Prefill(small.Read(small.Tokens(100)));
        int[] start = [.. Enumerable.Range(0, small.Shape.Layers).Select(l => cache.Count(l, 0))], last = [.. start];
        for (int seen = 100; seen < 160; seen++)
        {
            small.Session.Step(5, seen, cache);
            for (int l = 0; l < start.Length; l++)
            {
                int now = cache.Count(l, 0);
                Assert.InRange(now - last[l], 0, 1);
                Assert.InRange(now, (seen + 1) * start[l] / 100.0 - 1, (seen + 1) * start[l] / 100.0 + 1);
                last[l] = now;
            }
        }
    }

    [Fact]
    public void A_profile_of_one_text_gives_the_budgets_that_text_would_have_had()
    {
        using var small = new Small();
        int[] text = small.Tokens(100);
        var learned = new PrefixKv(new() { Keep = 0.4, Budget = PrefixBudget.Profile, WhileDecoding = false });
        learned.Prepare(small.Weights, [text], TestContext.Current.CancellationToken);
        var prompt = small.Read(text);
        Assert.Equal(new PrefixKv(new() { Keep = 0.4, WhileDecoding = false }).Select(prompt).Kept.Select(l => l[0]), learned.Select(prompt).Kept.Select(l => l[0]));
    }

    [Fact]
    public void Equal_budgets_and_those_by_layer_keep_as_many_in_all()
    {
        using var small = new Small();
        var prompt = small.Read(small.Tokens(200));
        int Kept(PrefixBudget budget) => new PrefixKv(new() { Keep = 0.5, Budget = budget }).Select(prompt).Kept.Sum(l => l[0].Length);
        Assert.InRange(Kept(PrefixBudget.Prompt) - Kept(PrefixBudget.Uniform), 0, small.Shape.Layers);
    }

    [Fact]
    public void Shares_layers_and_profiles_that_do_not_fit_are_refused()
    {
        Assert.Throws<InputException>(() => PrefixKv.Profile([Peaked(9, 1, 1)], 1, 0, 0));
        Assert.Throws<InputException>(() => PrefixKv.Profile([Peaked(9, 1, 1), Peaked(8, 1, 1)], 0.5, 0, 0));
        using var small = new Small();
        Assert.Contains("Call Prepare", Assert.Throws<InputException>(() => new PrefixKv(new() { Budget = PrefixBudget.Profile }).Select(small.Read(small.Tokens(30)))).Message, StringComparison.Ordinal);
    }
}
