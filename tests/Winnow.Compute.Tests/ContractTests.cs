using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Compute.Tests;

/// <summary>What every method of the arena must do, on a small problem of each kind it solves.</summary>
public sealed class ContractTests : IDisposable
{
    private static readonly ComputeArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-compute").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Small sizes, not multiples of any tile.</summary>
    private static readonly Dictionary<string, JsonObject> Small = new()
    {
        ["loss-head"] = new() { ["rows"] = 37, ["width"] = 19, ["vocabulary"] = 101 },
        ["contrastive"] = new() { ["pairs"] = 43, ["width"] = 17 },
        ["attention"] = new() { ["heads"] = 3, ["length"] = 53, ["width"] = 24 },
        ["spgemm"] = new() { ["scale"] = 6, ["edges"] = 5 },
        ["systems"] = new() { ["systems"] = 5, ["side"] = 11 },
    };

    /// <summary>Every method that computes, with every task it can run on; those that predict have contracts of their own.</summary>
    public static TheoryData<string, string> Pairs => [.. from task in Arena.Tasks where Small.ContainsKey(task.Id) from method in Arena.DefaultMethods(task) select (task.Id, method.Id)];

    private (Dictionary<string, double> Metrics, List<TrialEvent> Events) Run(string task, string method, JsonObject? options = null, CancellationToken? cancellation = null, JsonObject? methodOptions = null)
    {
        var card = Arena.Task(task);
        var bound = (ComputeOptions)card.Options.Bind(Merge(Small[task], new() { ["repeats"] = 1, ["warm-ups"] = 0 }, options ?? []), "task");
        var data = Arena.Inspect(null, card, bound, new(), TestContext.Current.CancellationToken);
        var methodCard = Arena.Method(method);
        var trial = new Trial(Arena.Id, task, card.Options.Canonical(bound), method, methodCard.Options.Canonical(methodCard.Options.Bind(methodOptions ?? [], method)), 1, data.Reference, "code", 1);
        var events = new List<TrialEvent>();
        var result = Arena.Run(trial, new(1, _folder, events.Add, cancellation ?? TestContext.Current.CancellationToken));
        return (new(result.Metrics), events);
    }

    private static JsonObject Merge(params JsonObject[] parts)
    {
        var all = new JsonObject();
        foreach (var (name, value) in parts.SelectMany(p => p))
            all[name] = value?.DeepClone();
        return all;
    }

    [Theory, MemberData(nameof(Pairs))]
    public void It_is_right_and_says_what_it_cost(string task, string method)
    {
        var (metrics, events) = Run(task, method);
        Assert.InRange(metrics["error"], 0, task == "systems" ? 1e-6 : 1e-5); // a residual of 1e-8 times a condition of about 100; float32
        Assert.True(metrics["flops"] > 0 && metrics["traffic_bytes"] > 0 && metrics["seconds"] > 0, string.Join(", ", metrics));
        Assert.True(double.IsFinite(metrics["scratch_bytes"]));
        Assert.Contains(events, e => e is MetricEvent { Name: "roof/flops_per_second", Value: > 0 });
    }

    [Theory, MemberData(nameof(Pairs))]
    public void Its_answer_is_the_same_twice(string task, string method) => Assert.Equal(Run(task, method).Metrics["error"], Run(task, method).Metrics["error"]);

    [Theory, MemberData(nameof(Pairs))]
    public void What_it_predicts_is_what_it_counts(string task, string method)
    {
        var (metrics, _) = Run(task, method);
        if (Predicted(task, method) is not { } predicted)
            return;
        Assert.Equal(predicted.Flops, metrics["flops"], 1e-9 * predicted.Flops);
        if (predicted.ScratchBytes is { } bytes)
            Assert.Equal(bytes, metrics["scratch_bytes"], 1e-9 * bytes);
    }

    private static CostEstimate? Predicted(string task, string method)
    {
        var card = (MethodCard<ComputeSetup, IComputeMethod>)Arena.Method(method);
        var made = card.Create(new(purpose => new SeededRandom(1, purpose)), card.Options.Bind([], method));
        var options = (ComputeOptions)Arena.Task(task).Options.Bind(Small[task], "task");
        return ProblemKinds.Of(task).Predict(made, options, new SeededRandom(1, "problem"));
    }

    public static TheoryData<string, string> AllPairs => [.. from task in Arena.Tasks from method in Arena.DefaultMethods(task) select (task.Id, method.Id)];

    [Theory, MemberData(nameof(AllPairs))]
    public void The_program_that_is_kept_makes_the_method_and_names_its_types(string task, string method)
    {
        var card = Arena.Method(method);
        var data = new DataRef("generated", "", new());
        string program = Arena.Program(new(Arena.Id, task, [], method, card.Options.Canonical(card.Options.Bind([], method)), 1, data, "code", 2), "1.2.3");
        Assert.Contains("#:package Winnow.Compute@1.2.3", program);
        Assert.Contains("Threads: 2", program);
        string interfaceName = program.Split("var method = (")[1].Split(")new")[0];
        var made = Arena.Create(method, card.Options.Canonical(card.Options.Bind([], method)));
        Assert.Contains(made.GetType().GetInterfaces(), i => i.IsGenericType ? interfaceName.StartsWith($"IComputeMethod<{i.GetGenericArguments()[0].Name}, ", StringComparison.Ordinal) : interfaceName == i.Name);
    }

    [Theory, MemberData(nameof(Pairs))]
    public void A_stopped_trial_ends(string task, string method) =>
        Assert.ThrowsAny<OperationCanceledException>(() => Run(task, method, cancellation: new CancellationToken(canceled: true)));

    [Theory, MemberData(nameof(Pairs))]
    public void A_limit_of_scratch_memory_is_kept_and_named(string task, string method)
    {
        double scratch = Run(task, method).Metrics["scratch_bytes"];
        if (scratch < 2000) // the smallest limit that can be given is 1 kB
            return;
        var error = Assert.Throws<Numerics.ScratchLimitException>(() => Run(task, method, new() { ["scratch-megabytes"] = 0.001 }));
        Assert.Contains("the limit is 1,000", error.Message);
        foreach (double share in (double[])[0.25, 0.5, 0.75, 0.99]) // met halfway, everything is given back: the protocol looks
            Assert.Throws<Numerics.ScratchLimitException>(() => Run(task, method, new() { ["scratch-megabytes"] = Math.Max(0.001, share * scratch / 1e6) }));
        Run(task, method, new() { ["scratch-megabytes"] = scratch / 1e6 * (1 + 1e-9) });
    }

    [Fact] // a head that is sure: with bfloat16's filter tiles are left out, with none none
    public void Cce_skips_tiles_by_its_filter_only()
    {
        JsonObject sure = new() { ["rows"] = 64, ["width"] = 256, ["vocabulary"] = 4096, ["peak"] = 14, ["tolerance"] = 1.0 };
        Assert.Equal(0, Run("loss-head", "cce", sure).Metrics["skip_rate"]);
        Assert.Equal(0, Run("loss-head", "cce", sure, methodOptions: new() { ["filter-epsilon"] = 0.000244 }).Metrics["skip_rate"]); // exact filters nothing
        double rate = Run("loss-head", "cce", sure, methodOptions: new() { ["preset"] = "cce", ["filter-epsilon"] = 0.000244 }).Metrics["skip_rate"];
        Assert.True(rate > 0 && rate < 1, $"{rate} of the tiles were left out; expected some, not those that hold a target");
    }

    [Fact]
    public void An_answer_beyond_the_tolerance_is_given_no_time()
    {
        var error = Assert.Throws<InputException>(() => Run("attention", "sdpa", new() { ["tolerance"] = 1e-12 }));
        Assert.Contains("relative error", error.Message);
        Assert.Contains("task.tolerance", error.Message);
    }

    [Fact]
    public void Data_for_a_generated_problem_are_refused()
    {
        var card = Arena.Task("attention");
        var error = Assert.Throws<InputException>(() => Arena.Inspect("file.csv", card, card.Options.Bind([], "task"), new(), TestContext.Current.CancellationToken));
        Assert.Contains("generated", error.Message);
    }
}
