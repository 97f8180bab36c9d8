using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.KvCache.Tests;

/// <summary>What every policy must do, alone and in chains.</summary>
public sealed class ContractTests
{
    private static readonly KvCacheArena Arena = new();

    private static readonly string[] Chains = ["windowkv+kivi", "snapkv+q8_0", "kvmerger+kivi", "prefixkv+mustafar", "windowkv+xkv", "streaming-llm+xkv", "streaming-llm+cskv", "xkv+kivi", "cskv+kivi", "windowkv+kvmerger+mustafar", "streaming-llm+think+rtn"];

    public static TheoryData<string> Policies => [.. Arena.Methods.Select(m => m.Id), .. Chains];

    /// <summary>Every policy with every ratio of query heads to key-value heads.</summary>
    public static TheoryData<string, int> Ratios => [.. from id in Policies.Select(p => p.Data) from ratio in (int[])[1, 2, 4, 8] select (id, ratio)];

    private static KvPolicy Policy(string id, Small small, ulong seed = 1)
    {
        var options = new JsonObject();
        bool row = id.Contains('+', StringComparison.Ordinal);
        foreach (var (method, name, value) in new[]
        {
            ("kivi", "group-size", "8"), ("kivi", "residual", "16"), ("mustafar", "residual", "16"), ("cskv", "epochs", "2"), ("cskv", "window", "16"), ("prefixkv", "while-decoding", id is "prefixkv" ? "true" : "false"), ("windowkv", "shared-layers", "2"), ("xkv", "layers", "2"),
        })
            if (id.Split('+').Contains(method))
                options[row ? $"{method}.{name}" : name] = value;
        var policy = Arena.Policy(id, options, seed);
        policy.Prepare(small.Weights, [small.Tokens(96, 7), small.Tokens(80, 8)], TestContext.Current.CancellationToken);
        return policy;
    }

    [Theory, MemberData(nameof(Policies))]
    public void It_decides_the_same_twice_and_stays_finite(string id)
    {
        using var small = new Small();
        float[][][] runs = [.. Enumerable.Range(0, 2).Select(_ => small.Follow(Policy(id, small).Prefill(small.Read(small.Tokens(150))), small.Tokens(40, 2)))];
        Assert.Equal(runs[0], runs[1]);
        Assert.All(runs[0], logits => Assert.All(logits, v => Assert.True(float.IsFinite(v))));
    }

    [Theory, MemberData(nameof(Ratios))]
    public void It_comes_near_the_exact_cache_or_nearer_than_no_prompt_at_all(string id, int ratio)
    {
        using var small = new Small(heads: 8, keyHeads: 8 / ratio, layers: 2, scale: 3);
        int[] prompt = small.Tokens(120), next = small.Tokens(6, 2);
        float[][] kept = small.Follow(Policy(id, small).Prefill(small.Read(prompt)), next);
        float[][] exact = small.Exactly(prompt, next);
        // only the last token: what every cache should beat
        var nothing = new KvPolicy(new StreamingLlm(new() { Keep = 1e-9, Sinks = 0 })).Prefill(small.Read(prompt));
        double without = Small.Distance(small.Follow(nothing, next), exact), with = Small.Distance(kept, exact);
        Assert.True(with < 1.05 * without, FormattableString.Invariant($"{with} with the cache, {without} with one token"));
    }

    [Theory, MemberData(nameof(Policies))]
    public void Threads_change_nothing(string id)
    {
        using var small = new Small();
        using var crew = new Crew(2);
        float[][] one = small.Follow(Policy(id, small).Prefill(small.Read(small.Tokens(100))), small.Tokens(10, 2));
        float[][] two = small.Follow(Policy(id, small).Prefill(small.Read(small.Tokens(100)), crew), small.Tokens(10, 2));
        Assert.Equal(one, two);
    }

    [Theory, MemberData(nameof(Policies))]
    public void A_copy_goes_its_own_way_and_leaves_the_cache_as_it_was(string id)
    {
        using var small = new Small();
        var cache = Policy(id, small).Prefill(small.Read(small.Tokens(130)));
        var bytes = cache.Bytes;
        float[][] first = small.Follow(cache.Clone(), small.Tokens(40, 2));
        small.Follow(cache.Clone(), small.Tokens(40, 3));
        Assert.Equal(bytes, cache.Bytes);
        Assert.Equal(130, cache.Seen);
        Assert.Equal(first, small.Follow(cache, small.Tokens(40, 2)));
    }

    [Theory, MemberData(nameof(Policies))]
    public void Prompts_of_one_token_and_shorter_than_any_window_are_kept(string id)
    {
        using var small = new Small();
        foreach (int length in (int[])[1, 2, 5, 17])
        {
            if (length < 17 && id.Split('+').Any(p => p is "xkv" or "layer-svd"))
                continue; // a basis of one token is refused or trivial; tested apart
            var cache = Policy(id, small).Prefill(small.Read(small.Tokens(length)));
            Assert.All(small.Follow(cache, small.Tokens(3, 2)), logits => Assert.All(logits, v => Assert.True(float.IsFinite(v))));
            Assert.True(cache.Count(0, 0) >= 1);
            Assert.Equal(length + 3, cache.Seen);
        }
    }

    [Theory, MemberData(nameof(Policies))]
    public void Positions_that_the_session_has_not_are_refused(string id)
    {
        using var small = new Small();
        var cache = Policy(id, small).Prefill(small.Read(small.Tokens(64)));
        Assert.Throws<InputException>(() => small.Session.Step(1, small.Session.Capacity, cache));
    }

    [Theory, MemberData(nameof(Policies))] // every array of numbers that can be reached from the cache, to the byte
    public void The_bytes_it_states_are_the_bytes_it_holds(string id)
    {
        using var small = new Small(headWidth: 64, context: 700, layers: 2);
        var cache = Policy(id, small).Prefill(small.Read(small.Tokens(600)));
        small.Follow(cache, small.Tokens(70, 2));
        Assert.Equal(cache.Bytes.Total, Reachable(cache.Layers));
        Assert.Equal(cache.Bytes.Total, Reachable(cache.Clone().Layers));
    }

    /// <summary>Bytes of all arrays of numbers that an object holds on to, but for the model's rotations, which all caches share.</summary>
    private static long Reachable(object root)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Stack<object>([root]);
        long bytes = 0;
        while (open.TryPop(out var next))
        {
            if (next is string or Type or Winnow.Language.RotaryTable or Delegate || !seen.Add(next))
                continue;
            if (next is Array array)
            {
                var element = array.GetType().GetElementType()!;
                if (element.IsValueType)
                    bytes += array.LongLength * (element == typeof(Half) ? sizeof(ushort) : System.Runtime.InteropServices.Marshal.SizeOf(element));
                else
                    foreach (object? item in array)
                        if (item is not null)
                            open.Push(item);
                continue;
            }
            for (var type = next.GetType(); type is not null; type = type.BaseType)
                foreach (var field in type.GetFields(System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.DeclaredOnly))
                    if (!field.FieldType.IsValueType && field.GetValue(next) is { } value)
                        open.Push(value);
        }
        return bytes;
    }

    [Theory, MemberData(nameof(Policies))]
    public void Numbers_that_are_none_are_refused_with_their_place(string id)
    {
        using var small = new Small();
        var prompt = new Prompt(small.Shape, 3, small.Rotary);
        for (int l = 0; l < small.Shape.Layers; l++)
        {
            float[] keys = new float[3 * small.Shape.KeyValueHeads * small.Shape.HeadWidth];
            if (l == 2)
                keys[^1] = float.NaN;
            prompt.Observe(new(l, 0, 3, new float[3 * small.Shape.Width], new float[3 * small.Shape.Width], keys, new float[keys.Length]));
        }
        var e = Assert.Throws<InputException>(() => Policy(id, small).Prefill(prompt.Checked()));
        Assert.Contains("NaN in the keys of layer 2, token 2", e.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Policies))]
    public void A_smaller_share_never_holds_more(string id)
    {
        using var small = new Small(headWidth: 64, context: 600, layers: 2);
        var prompt = small.Read(small.Tokens(512));
        long last = long.MaxValue;
        foreach (double share in (double[])[1, 0.7, 0.4, 0.2, 0.1])
        {
            if (Policy(id, small).At(share) is not { } policy)
                return;
            policy.Prepare(small.Weights, [small.Tokens(96, 7)], TestContext.Current.CancellationToken);
            long bytes = policy.Prefill(prompt).Bytes.Total;
            Assert.True(bytes <= last, $"{bytes} at {share}, {last} before");
            last = bytes;
        }
    }

    [Fact]
    public void Of_two_texts_side_by_side_each_goes_on_as_alone()
    {
        using var small = new Small();
        var policy = new KvPolicy(new WindowKv(new() { SharedLayers = 2 }), new Kivi(new() { GroupSize = 8, Residual = 16 }));
        int[] a = small.Tokens(100, 3), b = small.Tokens(140, 4), next = small.Tokens(20, 5);
        float[][] alone = small.Follow(policy.Prefill(small.Read(a)), next);
        var (first, second) = (policy.Prefill(small.Read(a)), policy.Prefill(small.Read(b)));
        var together = new List<float[]>();
        for (int i = 0; i < next.Length; i++)
        {
            together.Add(small.Session.Step(next[i], a.Length + i, first).ToArray());
            small.Session.Step(next[i], b.Length + i, second);
        }
        Assert.Equal(alone, together);
    }

    [Fact]
    public void Stages_that_cannot_stand_together_are_refused_with_the_reason()
    {
        foreach (var (chain, reason) in new[] { ("kivi+mustafar", "both encode rows"), ("windowkv+snapkv", "both select tokens"), ("kvmerger+xkv", "no position of its own"), ("kivi+kivi", "each method once") })
            Assert.Contains(reason, Assert.Throws<InputException>(() => Arena.Policy(chain)).Message, StringComparison.Ordinal);
        using var small = new Small();
        Assert.Contains("while-decoding", Assert.Throws<InputException>(() => Arena.Policy("prefixkv+kivi", new() { ["kivi.group-size"] = 8, ["kivi.residual"] = 16 }).Prefill(small.Read(small.Tokens(40)))).Message, StringComparison.Ordinal);
        Assert.Contains("other tokens in each head", Assert.Throws<InputException>(() => Arena.Policy("snapkv+xkv").Prefill(small.Read(small.Tokens(200)))).Message, StringComparison.Ordinal);
        Assert.Contains("other tokens kept in layer", Assert.Throws<InputException>(() => Arena.Policy("windowkv+xkv", new() { ["windowkv.shared-layers"] = 1 }).Prefill(small.Read(small.Tokens(200)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_class_of_the_interface_is_in_the_catalogue()
    {
        var known = Arena.Methods.SelectMany(m => Arena.Policy(m.Id).Stages).Select(s => s.GetType()).ToHashSet();
        Assert.DoesNotContain(typeof(KvCacheArena).Assembly.GetTypes(), t => t is { IsClass: true, IsAbstract: false } && typeof(IKvStage).IsAssignableFrom(t) && !known.Contains(t) && t.Name != "ExactEncoder");
    }
}
