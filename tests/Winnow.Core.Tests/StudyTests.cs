using System.Text.Json.Nodes;
using Winnow.FakeTrials;

namespace Winnow.Core.Tests;

public sealed class StudyTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_study_file_says_what_a_command_line_says()
    {
        var study = Study.Load(_folder.Write("study.yaml", """
            study: replay
            arena: fake
            task: only
            methods:
              - ok
              - artefact: { points: 5 }
            set: { "*.seconds": 0.5 }
            seeds: [3, 5]
            limits: { time: 2m, memory: 1.5GB }
            parallel: 2
            budget: 1h
            data: sales.csv
            label: kind
            header: true
            domain: shop
            """));
        Assert.Equal(new DataReading("kind", true, "shop"), study.Reading);
        Assert.Equal("replay", study.Name);
        Assert.Equal(["ok", "artefact"], study.Methods.Select(m => m.Id));
        Assert.Equal([3ul, 5ul], study.Seeds);
        Assert.Equal(new Limits(120, 1_500_000_000), study.Limits);
        Assert.Equal((2, 3600.0), (study.Parallel, study.TotalSeconds));
        var plan = StudyPlan.Make(study, new FakeArena(), TestContext.Current.CancellationToken);
        Assert.Equal(4, plan.Trials.Count);
        Assert.All(plan.Trials, t => Assert.Equal(0.5, (double)t.Options["seconds"]!));
        Assert.Equal(5, (int)plan.Trials.Single(t => t is { Method: "artefact", Seed: 3 }).Options["points"]!);
    }

    [Fact]
    public void Several_values_of_an_option_are_several_methods()
    {
        StudyPlan Plan(IReadOnlyList<MethodChoice> methods, params (string, string)[] set) =>
            StudyPlan.Make(new() { Arena = "fake", Seeds = [1], Methods = methods, Set = [.. set.Select(s => KeyValuePair.Create(s.Item1, s.Item2))] }, new FakeArena(), TestContext.Current.CancellationToken);
        Assert.Equal([0.1, 0.2], Plan(Study.ParseMethods("ok:seconds=0.1|0.2")).Trials.Select(t => (double)t.Options["seconds"]!));
        Assert.Equal([0.1, 0.1, 0.2, 0.2], Plan(Study.ParseMethods("ok,artefact"), ("*.seconds", "0.1 | 0.2")).Trials.Select(t => (double)t.Options["seconds"]!).Order());
        Assert.Equal([0.3], Plan(Study.ParseMethods("ok:seconds=0.3"), ("ok.seconds", "0.1|0.2")).Trials.Select(t => (double)t.Options["seconds"]!)); // what is beside the method counts
        Assert.Contains("'x'", Assert.Throws<InputException>(() => Plan(Study.ParseMethods("ok:seconds=0.1|x"))).Message, StringComparison.Ordinal);
        Assert.Contains("'x'", Assert.Throws<InputException>(() => Plan([], ("ok.seconds", "0.1|x"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "an empty file")]
    [InlineData("- a\n- b", "no mapping")]
    [InlineData("arena: fake\nmethdos: [ok]", "line 2: unknown key 'methdos'; did you mean 'methods'?")]
    [InlineData("study: x", "no key 'arena'")]
    [InlineData("arena: [fake", "not valid YAML")]
    [InlineData("arena: fake\nseeds: [1, 1]", "different seeds")]
    [InlineData("arena: fake\nseeds: -3", "a whole number from 1 to 10000")]
    [InlineData("arena: fake\nlimits: { time: 5 }", "a duration such as")]
    [InlineData("arena: fake\nlimits: { disk: 5GB }", "time=DURATION or memory=SIZE")]
    [InlineData("arena: fake\nset: 5", "line 2")]
    [InlineData("arena: fake\nmethods:\n  - ok: {points: 1}\n    artefact: {points: 2}", "found 2 keys in one entry")]
    [InlineData("arena: {a: b}", "found a list or mapping under 'arena'")]
    public void A_wrong_study_file_is_refused_with_its_place(string yaml, string expected) =>
        Assert.Contains(expected, Assert.Throws<InputException>(() => Study.Load(_folder.Write("study.yaml", yaml))).Message);

    [Fact]
    public void A_study_file_that_is_not_there_or_huge_is_refused()
    {
        Assert.Contains("Check the path", Assert.Throws<InputException>(() => Study.Load(_folder["none.yaml"])).Message);
        Assert.Contains("more than 1 MB", Assert.Throws<InputException>(() => Study.Load(_folder.Write("big.yaml", new string('#', 2 << 20)))).Message);
    }

    private static StudyPlan Plan(Study study) => StudyPlan.Make(study, new FakeArena(), TestContext.Current.CancellationToken);

    private static Study Fake(params (string Key, string Value)[] set) =>
        new() { Arena = "fake", Methods = Study.ParseMethods("ok"), Seeds = [1], Set = [.. set.Select(s => KeyValuePair.Create(s.Key, s.Value))] };

    [Theory]
    [InlineData("ok.point", "unknown option of ok 'point'; did you mean 'points'?")]
    [InlineData("okk.points", "unknown method 'okk'; did you mean 'ok'?")]
    [InlineData("*.pionts", "did you mean 'points'?")]
    [InlineData("task.secnds", "unknown option of task 'secnds'; did you mean 'seconds'?")]
    [InlineData("points", "OWNER.OPTION=VALUE")]
    public void A_wrong_set_is_refused_with_the_nearest_right_one(string key, string expected) =>
        Assert.Contains(expected, Assert.Throws<InputException>(() => Plan(Fake((key, "3")))).Message);

    [Fact]
    public void Unknown_methods_and_tasks_name_the_nearest_right_one()
    {
        Assert.Contains("did you mean 'hang'?", Assert.Throws<InputException>(() => Plan(Fake() with { Methods = Study.ParseMethods("hagn") })).Message);
        Assert.Contains("did you mean 'only'?", Assert.Throws<InputException>(() => Plan(Fake() with { Tasks = ["onyl"] })).Message);
    }

    [Fact]
    public void Options_beside_a_method_win_over_set_by_name_which_wins_over_the_wildcard()
    {
        Assert.Equal(2, Points(Fake(("*.points", "2"))));
        Assert.Equal(4, Points(Fake(("ok.points", "4"), ("*.points", "2"))));
        Assert.Equal(6, Points(Fake(("ok.points", "4")) with { Methods = Study.ParseMethods("ok:points=6") }));

        static int Points(Study study) => (int)Plan(study).Trials.Single().Options["points"]!;
    }

    [Fact]
    public void The_same_request_has_the_same_hash_and_a_different_one_another()
    {
        string hash = Plan(Fake()).Hash;
        Assert.Equal(hash, Plan(Fake(("ok.points", "3"))).Hash); // 3 is the default
        Assert.Equal(hash, Plan(Fake() with { Limits = new(5), Parallel = 7 }).Hash); // how it runs is not what it is
        Assert.NotEqual(hash, Plan(Fake(("ok.points", "4"))).Hash);
        Assert.NotEqual(hash, Plan(Fake() with { Seeds = [2] }).Hash);
        Assert.NotEqual(hash, Plan(Fake() with { Threads = 2 }).Hash);
    }

    [Fact]
    public void A_plan_survives_json() => Assert.Equal(Plan(Fake()).Trials.Select(t => t.Key), StudyPlan.FromJson(Plan(Fake()).ToJson()).Trials.Select(t => t.Key));

    [Fact]
    public void A_trials_key_depends_on_all_that_its_result_depends_on()
    {
        var trial = FakeArena.Trial("ok", 1);
        Trial[] others = [trial with { Seed = 2 }, trial with { Method = "nan" }, trial with { Task = "x" }, trial with { Code = "y" }, trial with { Data = trial.Data with { Hash = "z" } },
            trial with { Options = new JsonObject { ["seconds"] = 1 } }, trial with { TaskOptions = [] }, trial with { Data = trial.Data with { Reading = new("label") } }, trial with { Data = trial.Data with { Reading = new(Domain: "shop") } }];
        Assert.Equal(others.Length + 1, others.Append(trial).Select(t => t.Key).Distinct().Count());
        Assert.Equal(trial.Key, (trial with { Data = trial.Data with { Source = "/elsewhere/nothing" } }).Key);
    }

    [Theory]
    [InlineData("90s", 90)]
    [InlineData("1.5h", 5400)]
    [InlineData("10m", 600)]
    [InlineData("250ms", 0.25)]
    public void Durations_are_read(string text, double seconds) => Assert.Equal(seconds, Study.ParseTime("t", text), 12);

    [Theory, InlineData("5"), InlineData("-5s"), InlineData("0s"), InlineData("5 parsecs"), InlineData(""), InlineData("1e9s"), InlineData("NaNs")]
    public void A_wrong_duration_is_refused(string text) => Assert.Throws<InputException>(() => Study.ParseTime("t", text));

    [Theory]
    [InlineData("500MB", 500_000_000)]
    [InlineData("2GiB", 2L << 30)]
    public void Sizes_are_read(string text, long bytes) => Assert.Equal(bytes, Study.ParseBytes("m", text));

    [Fact]
    public void Methods_in_a_row_are_one_choice_with_the_options_of_each()
    {
        var (one, row, number) = (Study.ParseMethods("a:x=1,b:y=2+c:z=3:w=4,d:v=1e+5")[0], Study.ParseMethods("a:x=1,b:y=2+c:z=3:w=4,d:v=1e+5")[1], Study.ParseMethods("d:v=1e+5").Single());
        Assert.Equal(("a", """{"x":"1"}"""), (one.Id, one.Options.ToJsonString()));
        Assert.Equal(("b+c", """{"b.y":"2","c.z":"3","c.w":"4"}"""), (row.Id, row.Options.ToJsonString()));
        Assert.Equal("d", number.Id);
    }

    [Theory, InlineData("20%", 0.2), InlineData("0.2", 0.2), InlineData("100%", 1)]
    public void Shares_are_percent_or_parts_of_one(string text, double share) => Assert.Equal(share, Study.ParseShare("--budget", text), 12);

    [Theory, InlineData("0"), InlineData("120%"), InlineData("-1"), InlineData("a fifth"), InlineData("NaN"), InlineData("%"), InlineData("")]
    public void What_is_no_share_is_refused(string text) => Assert.Contains("20% or 0.2", Assert.Throws<InputException>(() => Study.ParseShare("--budget", text)).Message);
}
