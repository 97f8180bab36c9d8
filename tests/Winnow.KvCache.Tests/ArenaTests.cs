using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.KvCache.Tests;

/// <summary>The protocol, on a model of random weights.</summary>
public sealed class ArenaTests : IDisposable
{
    private static readonly KvCacheArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-kv").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (IReadOnlyDictionary<string, double> Metrics, List<TrialEvent> Events) Run(string method, JsonObject? task = null, JsonObject? options = null, string taskId = "continuation", string? data = null)
    {
        var card = Arena.Task(taskId);
        JsonObject all = new() { ["model"] = "random", ["prompts"] = 2, ["length"] = 96, ["calibration"] = 2 };
        foreach (var (name, value) in task ?? [])
            all[name] = value?.DeepClone();
        object bound = card.Options.Bind(all, "task");
        var summary = Arena.Inspect(data, card, bound, new(), TestContext.Current.CancellationToken);
        var methodCard = Arena.Method(method);
        var trial = new Trial(Arena.Id, taskId, card.Options.Canonical(bound), method, methodCard.Options.Canonical(methodCard.Options.Bind(options ?? [], method)), 1, summary.Reference, "code", 1);
        var events = new List<TrialEvent>();
        return (Arena.Run(trial, new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics, events);
    }

    public static TheoryData<string> Methods => [.. Arena.Methods.Select(m => m.Id), "windowkv+rtn"];

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_reports_every_metric_of_its_task(string id)
    {
        foreach (string task in (string[])["continuation", "turns"])
        {
            var (metrics, events) = Run(id, task == "turns" ? new() { ["turns"] = 2, ["turn-length"] = 5 } : new() { ["continue"] = 12 }, id.StartsWith("cskv", StringComparison.Ordinal) ? new() { ["epochs"] = 1 } : null, task);
            Assert.All(Arena.MetricsOf(task), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            Assert.InRange(metrics["kl"], -1e-9, 20);
            Assert.InRange(metrics["bytes"], 0.01, 4);
            Assert.InRange(metrics["mass"], 0, 1.0001);
            foreach (string series in (string[])["kl_token", "share/payload", "mass/1"])
                Assert.Contains(events, e => e is MetricEvent m && m.Name == series);
        }
    }

    [Fact]
    public void The_full_cache_differs_by_no_more_than_half_precision()
    {
        var metrics = Run("full").Metrics;
        Assert.InRange(metrics["kl"], 0, 1e-5);
        Assert.Equal((1, 1), (metrics["top1"], metrics["bytes"]));
    }

    [Theory, InlineData("snapkv", 0.3), InlineData("windowkv", 0.5), InlineData("windowkv+q8_0", 0.3), InlineData("kvmerger", 0.6), InlineData("xkv", 0.4), InlineData("mustafar", 0.8)]
    public void A_budget_of_bytes_is_kept_and_used(string id, double budget)
    {
        double bytes = Run(id, new() { ["bytes"] = budget, ["length"] = 400, ["continue"] = 4 }).Metrics["bytes"];
        Assert.InRange(bytes, 0.6 * budget, budget + 1e-9);
    }

    [Fact]
    public void A_budget_that_a_method_cannot_keep_is_refused_with_what_it_needs()
    {
        Assert.Contains("no knob", Assert.Throws<InputException>(() => Run("q8_0", new() { ["bytes"] = 0.2 })).Message, StringComparison.Ordinal);
        Assert.Contains("at the least", Assert.Throws<InputException>(() => Run("kivi", new() { ["bytes"] = 0.05 })).Message, StringComparison.Ordinal);
        Assert.Equal(1, Run("full", new() { ["bytes"] = 0.2 }).Metrics["bytes"]);
    }

    [Fact]
    public void Requests_start_from_the_prompt_and_turns_go_on()
    {
        JsonObject Turns(bool requests) => new() { ["turns"] = 3, ["turn-length"] = 4, ["requests"] = requests };
        double[] Of(bool requests) => [.. Run("snapkv", Turns(requests), taskId: "turns").Events.OfType<MetricEvent>().Where(e => e.Name == "kl_turn").Select(e => e.Value)];
        double[] requests = Of(true), turns = Of(false);
        Assert.Equal(turns[0], requests[0]);
        Assert.NotEqual(turns[1..], requests[1..]);
    }

    [Fact]
    public void Models_and_texts_that_are_not_there_or_do_not_fit_are_refused()
    {
        string empty = Path.Combine(_folder, "empty.txt"), text = Path.Combine(_folder, "text.txt");
        File.WriteAllText(empty, "");
        File.WriteAllText(text, "Once upon a time.");
        Assert.Contains("nothing at", Assert.Throws<InputException>(() => Run("full", new() { ["model"] = Path.Combine(_folder, "none") })).Message, StringComparison.Ordinal);
        Assert.Contains("nothing at", Assert.Throws<InputException>(() => Run("full", data: Path.Combine(_folder, "none.txt"))).Message, StringComparison.Ordinal);
        Assert.Contains("0 bytes", Assert.Throws<InputException>(() => Run("full", data: empty)).Message, StringComparison.Ordinal);
        Assert.Contains("no tokeniser", Assert.Throws<InputException>(() => Run("full", data: text)).Message, StringComparison.Ordinal);
        Assert.Contains("context", Assert.Throws<InputException>(() => Run("full", new() { ["length"] = 5000 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_hash_of_a_study_changes_with_model_text_and_options()
    {
        string a = Path.Combine(_folder, "a.txt");
        File.WriteAllText(a, "Once upon a time.");
        var card = Arena.Task("continuation");
        string Hash(string? source, int prompts) => Arena.Inspect(source, card, card.Options.Bind(new() { ["model"] = "random", ["prompts"] = prompts }, "task"), new(), TestContext.Current.CancellationToken).Reference.Hash;
        string first = Hash(a, 1);
        Assert.Equal(first, Hash(a, 1));
        Assert.NotEqual(first, Hash(a, 2));
        Assert.NotEqual(first, Hash(null, 1));
        File.WriteAllText(a, "Once upon a tim!.");
        Assert.NotEqual(first, Hash(a, 1));
    }

    [Fact]
    public void Numbers_beyond_half_precision_are_refused()
    {
        using var small = new Small(layers: 1);
        var prompt = new Prompt(small.Shape, 1, small.Rotary);
        float[] keys = new float[small.Shape.KeyValueHeads * small.Shape.HeadWidth];
        keys[3] = 70_000;
        prompt.Observe(new(0, 0, 1, new float[small.Shape.Width], new float[small.Shape.Width], keys, new float[keys.Length]));
        Assert.Contains("70000 in the keys of layer 0, token 0", Assert.Throws<InputException>(() => prompt.Checked()).Message, StringComparison.Ordinal);
        Assert.Contains("0 tokens read", Assert.Throws<InputException>(() => new Prompt(small.Shape, 1, small.Rotary).Checked()).Message, StringComparison.Ordinal);
    }
}
