using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Language;

namespace Winnow.KvCache.Tests;

/// <summary>The protocol, on a model of random weights.</summary>
public sealed class ArenaTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-kv").FullName;
    private readonly KvCacheArena _arena;

    public ArenaTests()
    {
        string recall = Path.Combine(_folder, "recall");
        _arena = new(TimeProvider.System, _ =>
        {
            if (!Directory.Exists(recall))
            {
                // random weights that attend: what they answer is not right, but depends on what is kept
                using var small = new Small(layers: 2, vocabulary: RecallText.Vocabulary);
                HuggingFaceFolder.Save(small.Weights, recall);
            }
            return recall;
        });
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (IReadOnlyDictionary<string, double> Metrics, List<TrialEvent> Events) Run(string method, JsonObject? task = null, JsonObject? options = null, string taskId = "continuation", string? data = null)
    {
        var card = _arena.Task(taskId);
        JsonObject all = taskId is "recall" or "needle" ? new() { ["prompts"] = 2, ["calibration"] = 2 } : new() { ["model"] = "random", ["prompts"] = 2, ["length"] = 96, ["calibration"] = 2 };
        foreach (var (name, value) in task ?? [])
            all[name] = value?.DeepClone();
        object bound = card.Options.Bind(all, "task");
        var summary = _arena.Inspect(data, card, bound, new(), TestContext.Current.CancellationToken);
        var methodCard = _arena.Method(method);
        var trial = new Trial(_arena.Id, taskId, card.Options.Canonical(bound), method, methodCard.Options.Canonical(methodCard.Options.Bind(options ?? [], method)), 1, summary.Reference, "code", 1);
        var events = new List<TrialEvent>();
        return (_arena.Run(trial, new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics, events);
    }

    public static TheoryData<string> Methods => [.. new KvCacheArena().Methods.Select(m => m.Id), "windowkv+rtn"];

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_reports_every_metric_of_its_task(string id)
    {
        foreach (string task in (string[])["continuation", "turns", "recall", "needle"])
        {
            var (metrics, events) = Run(id, task switch
            {
                "turns" => new() { ["turns"] = 2, ["turn-length"] = 5 },
                "recall" => new() { ["pairs"] = 20, ["noise"] = 20, ["turns"] = 3 },
                "needle" => new() { ["longest"] = 128, ["depths"] = 2, ["prompts"] = 1 },
                _ => new() { ["continue"] = 12 },
            }, id.StartsWith("cskv", StringComparison.Ordinal) ? new() { ["epochs"] = 1 } : null, task);
            Assert.All(_arena.MetricsOf(task), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            Assert.InRange(metrics["kl"], -1e-9, 20);
            Assert.InRange(metrics["bytes"], 0.01, 4);
            Assert.InRange(metrics["mass"], 0, 1.0001);
            foreach (string series in (string[])[task switch { "recall" => "accuracy_turn", "needle" => "found/64", _ => "kl_token" }, "share/payload", "mass/1"])
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
        double bytes = Run(id, new() { ["length"] = 400, ["continue"] = 4 }, new() { [id.Contains('+', StringComparison.Ordinal) ? $"{id.Split('+')[0]}.bytes" : "bytes"] = budget }).Metrics["bytes"];
        Assert.InRange(bytes, 0.6 * budget, budget + 1e-9);
    }

    [Fact]
    public void A_budget_that_a_method_cannot_keep_is_refused_with_what_it_needs()
    {
        Assert.Contains("at the least", Assert.Throws<InputException>(() => Run("kivi", options: new() { ["bytes"] = 0.05 })).Message, StringComparison.Ordinal);
        using var small = new Small();
        var fixedOne = new KvPolicy(new BlockQuantised(8)) { Budget = 0.2 };
        Assert.Contains("without a knob", Assert.Throws<InputException>(() => fixedOne.Fitted(small.Read(small.Tokens(20)), small.Weights, [], TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
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

    [Fact] // oracle: what the full cache answers is what the session answers, in whatever order and however often it is asked
    public void Requests_do_not_depend_on_one_another()
    {
        double[] Of(string method) => [.. Run(method, new() { ["pairs"] = 24, ["noise"] = 8, ["turns"] = 24, ["requests"] = true, ["prompts"] = 1 }, taskId: "recall").Events.OfType<MetricEvent>().Where(e => e.Name == "kl_turn").Select(e => e.Value)];
        Assert.All(Of("full"), kl => Assert.InRange(kl, -1e-9, 1e-5));
        Assert.Contains(Of("streaming-llm"), kl => kl > 1e-3);
    }

    [Fact] // a prompt that ends with a question is longer by its two tokens, which the policy has seen
    public void The_first_question_is_announced_unless_each_comes_by_request()
    {
        JsonObject Task(bool requests) => new() { ["pairs"] = 10, ["noise"] = 0, ["turns"] = 2, ["requests"] = requests, ["prompts"] = 1 };
        double Share(bool requests) => Run("streaming-llm", Task(requests), new() { ["keep"] = 0.5 }, "recall").Metrics["bytes"];
        Assert.Equal((10.0 / 21, 12.0 / 23), (Share(true), Share(false)));
    }

    [Fact]
    public void Made_contexts_that_cannot_be_or_do_not_fit_are_refused()
    {
        string Of(JsonObject task, string id = "recall") => Assert.Throws<InputException>(() => Run("full", task, taskId: id)).Message;
        Assert.Contains("5 questions about 4 pairs", Of(new() { ["pairs"] = 4 }), StringComparison.Ordinal);
        Assert.Contains("the model's context", Of(new() { ["noise"] = 5000 }), StringComparison.Ordinal);
        Assert.Contains("the model's context", Of(new() { ["longest"] = 5000 }, "needle"), StringComparison.Ordinal);
        Assert.Contains("cannot train it", Assert.Throws<InputException>(() => new KvCacheArena().Inspect(null, _arena.Task("recall"), new RecallOptions(), new(), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        using var other = new Small();
        HuggingFaceFolder.Save(other.Weights, Path.Combine(_folder, "other"));
        Assert.Contains("a vocabulary of 97", Of(new() { ["model"] = Path.Combine(_folder, "other") }), StringComparison.Ordinal);
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
        var card = _arena.Task("continuation");
        string Hash(string? source, int prompts) => _arena.Inspect(source, card, card.Options.Bind(new() { ["model"] = "random", ["prompts"] = prompts }, "task"), new(), TestContext.Current.CancellationToken).Reference.Hash;
        string first = Hash(a, 1);
        Assert.Equal(first, Hash(a, 1));
        Assert.NotEqual(first, Hash(a, 2));
        Assert.NotEqual(first, Hash(null, 1));
        File.WriteAllText(a, "Once upon a tim!.");
        Assert.NotEqual(first, Hash(a, 1));
        object options = card.Options.Bind(new() { ["model"] = "random", ["prompts"] = 1 }, "task");
        var full = _arena.Method("full");
        var trial = new Trial(_arena.Id, "continuation", card.Options.Canonical(options), "full", full.Options.Canonical(full.Options.Bind([], "full")), 1, new(a, first, new()), "code", 1);
        Assert.Contains("The file changed", Assert.Throws<InputException>(() => _arena.Run(trial, new(1, _folder, _ => { }, TestContext.Current.CancellationToken))).Message);
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
