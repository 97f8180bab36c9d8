using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>What the papers claim, in a form that a small model can be asked.</summary>
internal static class KvClaims
{
    public static IReadOnlyList<Claim> Kivi { get; } =
    [
        Kl("Keys by channel and values by token, not the other way round: at 2 bits at most 0.7 of the divergence.", "kivi", factor: 0.7, method: new() { ["bits"] = 2, ["group-size"] = 16, ["residual"] = 32 },
            baseline: new() { ["bits"] = 2, ["group-size"] = 16, ["residual"] = 32, ["swapped"] = true }),
        Kl("Better than rounding to nearest with codes of the same bits.", "rtn", method: new() { ["bits"] = 2, ["group-size"] = 16, ["residual"] = 32 }, baseline: new() { ["bits"] = 2 }),
        new() { Text = "4 bits are almost the same as the full cache: added surprise of less than 1 %, which is 0.01 nats.", Task = "continuation", Metric = "surprise", Baseline = "full", BaselineFactor = 0, Margin = -0.01, MethodOptions = new() { ["bits"] = 4, ["group-size"] = 16, ["residual"] = 32 } },
    ];

    public static IReadOnlyList<Claim> Mustafar { get; } =
    [
        Kl("Single numbers, not whole channels: at half of them at most 0.5 of the divergence.", "mustafar", factor: 0.5, baseline: new() { ["rule"] = "structured" }),
        new() { Text = "Half of the numbers cost less than 2 % of perplexity, 0.02 nats.", Task = "continuation", Metric = "surprise", Baseline = "full", BaselineFactor = 0, Margin = -0.02 },
        new() { Text = "At 70 % the cache is 45 % of the dense one.", Task = "continuation", Metric = "bytes", Baseline = "full", BaselineFactor = 0.45, Margin = 0, MethodOptions = new() { ["key-sparsity"] = 0.7, ["value-sparsity"] = 0.7 } },
    ];

    public static IReadOnlyList<Claim> Xkv { get; } =
    [
        // ranks are whole numbers: with this share both store the same number of numbers, 4,320 a layer for 256 tokens and 32 channels
        Kl("A basis shared by four layers is better than one for each, at the same number of stored numbers.", "layer-svd", method: new() { ["keep"] = 0.27 }, baseline: new() { ["keep"] = 0.27 }),
    ];

    public static IReadOnlyList<Claim> Cskv { get; } =
    [
        Kl("Training the narrow projections helps: less divergence than the decomposition they begin with.", "cskv", baseline: new() { ["epochs"] = 0 }),
        Kl("A window of exact tokens helps.", "cskv", baseline: new() { ["window"] = 0 }),
    ];

    public static IReadOnlyList<Claim> WindowKv { get; } =
    [
        Kl("Whole windows are better than single tokens with the same scores.", "windowkv", baseline: new() { ["window"] = 1 }),
        Kl("Sharing a choice among layers costs less than 10 %.", "windowkv", factor: 1.1, method: new() { ["shared-layers"] = 2 }, baseline: new() { ["shared-layers"] = 1 }),
    ];

    public static IReadOnlyList<Claim> PrefixKv { get; } =
    [
        Kl("Budgets by layer are better than equal ones with the same scores, half of the tokens kept.", "prefixkv", method: new() { ["keep"] = 0.5 }, baseline: new() { ["keep"] = 0.5, ["budget"] = "uniform" }),
        Kl("The same with 30 % kept.", "prefixkv", method: new() { ["keep"] = 0.3 }, baseline: new() { ["keep"] = 0.3, ["budget"] = "uniform" }),
        Kl("A profile of other texts does nearly as well: less than 10 % more divergence.", "prefixkv", factor: 1.1, method: new() { ["keep"] = 0.5, ["budget"] = "profile" }, baseline: new() { ["keep"] = 0.5 }),
    ];

    public static IReadOnlyList<Claim> KvMerger { get; } =
    [
        Kl("Merging is better than evicting with H2O, half of the entries kept.", "h2o", method: new() { ["keep"] = 0.5 }, baseline: new() { ["keep"] = 0.5 }),
        Kl("Gaussian weights are better than equal ones.", "kvmerger", method: new() { ["keep"] = 0.5 }, baseline: new() { ["keep"] = 0.5, ["width"] = "uniform" }),
        Kl("A pivot with most attention is better than a random one.", "kvmerger", method: new() { ["keep"] = 0.5 }, baseline: new() { ["keep"] = 0.5, ["pivot"] = "random" }),
        Kl("Multiplying values by the set's size is better than not (the paper's rule).", "kvmerger", method: new() { ["keep"] = 0.5 }, baseline: new() { ["keep"] = 0.5, ["mass"] = "none" }),
    ];

    public static IReadOnlyList<Claim> ScBench { get; } =
    [
        new() { Text = "Eviction that saw the first question loses at least 15 points on the others, what keeps all tokens does not: loss after question 1 larger than KIVI's at about the same bytes.", Task = "recall", Metric = "lost", Wants = Better.Higher, Baseline = "kivi", Margin = 0.15,
            BaselineOptions = new() { ["residual"] = 32 } },
        new() { Text = "Where nobody knows the question when the cache is made, eviction answers at least 15 points fewer of them than KIVI at about the same bytes.", Task = "recall", Metric = "accuracy", Wants = Better.Lower, Baseline = "kivi", Margin = 0.15,
            BaselineOptions = new() { ["residual"] = 32 }, TaskOptions = new() { ["requests"] = true } },
        new() { Text = "The same on text that the model of stories goes on with: the divergence grows more after the first turn.", Task = "turns", Metric = "drop", Wants = Better.Higher, Baseline = "kivi", Margin = 0,
            MethodOptions = new() { ["keep"] = 0.5 }, BaselineOptions = new() { ["bits"] = 4, ["group-size"] = 16, ["residual"] = 32 } },
    ];

    private static Claim Kl(string text, string against, double factor = 1, System.Text.Json.Nodes.JsonObject? method = null, System.Text.Json.Nodes.JsonObject? baseline = null) =>
        new() { Text = text, Task = "continuation", Metric = "kl", Baseline = against, BaselineFactor = factor, Margin = 0, MethodOptions = method ?? [], BaselineOptions = baseline ?? [] };
}
