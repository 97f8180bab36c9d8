using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using Winnow.Core;
using Winnow.Reports;

namespace Winnow.Cli.Verbs;

/// <summary>The main job: plan a study, run its trials, print the table, write the report. Also from a file, again, and later.</summary>
internal static class CompareVerb
{
    private static readonly Option<string?> Out = new("--out") { Description = "folder of the study; default ./winnow-runs/<study>-<hash>" };
    private static readonly Option<FileInfo?> Json = new("--json") { Description = "write the results to this file" };
    private static readonly Option<bool> Quiet = new("--quiet") { Description = "print only the table" };
    private static readonly Option<string?> Parallel = new("--parallel") { Description = "trials at a time; default cores / threads" };
    private static readonly Option<bool> RetryFailed = new("--retry-failed") { Description = "run failed trials again" };

    private const string Bytes = "bytes=";

    /// <summary><c>winnow compare ARENA</c>.</summary>
    public static Command Compare()
    {
        var arena = new Argument<string>("arena") { Description = "the arena: 'winnow arenas' lists them" };
        var task = new Option<string[]>("--task", "--problem") { Description = "task, or several; default the arena's first", AllowMultipleArgumentsPerToken = true };
        var methods = new Option<string?>("--methods") { Description = "methods with options, e.g. er,fpf:k=3:steps=50; default all that fit the task" };
        var data = new Option<string?>("--data", "--prompts") { Description = "data set by name or path (CSV, JSON lines, CoNLL-U, Parquet, IDX, CIFAR-10, folder of images); default the embedded digits" };
        var model = new Option<string?>("--model") { Description = "language model of the arena kv-cache: folder of Hugging Face, or file of llama2.c; short for --set task.model=PATH" };
        var label = new Option<string?>("--label") { Description = "label column, by name or zero-based position; default the last" };
        var header = new Option<bool?>("--header") { Description = "whether the file's first row is a header; default: found out" };
        var domain = new Option<string?>("--domain") { Description = "column that says where (text) or when (a number) a row comes from, by name or zero-based position; it is no feature" };
        var seeds = new Option<string>("--seeds") { Description = "how many seeds (5) or which (3,7,9)", DefaultValueFactory = _ => "5" };
        var set = new Option<string[]>("--set") { Description = "OWNER.OPTION=VALUE; the owner is a method, 'task' or '*'; a method's value may be several: er.buffer-size=50|200", Arity = ArgumentArity.ZeroOrMore };
        var budget = new Option<string?>("--budget") { Description = "time=DURATION for the whole study, memory=SIZE for each trial, e.g. time=10m,memory=2GB; in kv-cache also bytes=20%: what a policy may hold, of the full cache; bytes=10%|20%|40% takes each" };
        var limits = new Option<string?>("--limits") { Description = "of each trial, e.g. time=60s,memory=1GB" };
        var threads = new Option<string>("--threads") { Description = "threads of each trial", DefaultValueFactory = _ => "1" };
        var command = new Command("compare", "Compares methods on your data and writes a report.") { arena, task, methods, data, model, label, header, domain, seeds, set, budget, limits, threads, Parallel, Out, Json, Quiet, RetryFailed };
        command.SetAction((parsed, cancellation) =>
        {
            var settings = new List<KeyValuePair<string, string>>(Settings(parsed.GetValue(set)!));
            if (parsed.GetValue(model) is { } path)
                settings.Add(new("task.model", Path.Exists(path) ? Path.GetFullPath(path) : path));
            string[] amounts = parsed.GetValue(budget)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
            double[] shares = [.. amounts.Where(a => a.StartsWith(Bytes, StringComparison.Ordinal)).SelectMany(a => Study.ParseShares("--budget: bytes", a[Bytes.Length..]))];
            if (shares.Length > 0)
                settings.Add(new("*.bytes", string.Join('|', shares.Select(share => share.ToString("R", CultureInfo.InvariantCulture)))));
            var most = Study.ParseLimits(string.Join(',', amounts.Where(a => !a.StartsWith(Bytes, StringComparison.Ordinal))), "--budget");
            var each = parsed.GetValue(limits) is { } l ? Study.ParseLimits(l, "--limits") : new();
            return ExecuteAsync(new Study
            {
                Arena = parsed.GetValue(arena)!,
                Tasks = [.. parsed.GetValue(task)!.SelectMany(t => t.Split(',', StringSplitOptions.RemoveEmptyEntries))],
                Methods = Within(shares, Catalogue.Arena(parsed.GetValue(arena)!), parsed.GetValue(methods) is { } m ? Study.ParseMethods(m) : []),
                Data = parsed.GetValue(data),
                Reading = new(parsed.GetValue(label), parsed.GetValue(header), parsed.GetValue(domain)),
                Seeds = Study.ParseSeeds(parsed.GetValue(seeds)!),
                Threads = Study.ParseCount("--threads", parsed.GetValue(threads)!),
                Set = settings,
                TotalSeconds = most.Seconds,
                Limits = each with { MemoryBytes = each.MemoryBytes ?? most.MemoryBytes },
            }, Settings(parsed), cancellation);
        });
        return command;
    }

    /// <summary>The methods that can keep a budget of bytes; where there are several budgets, the others stand beside them as they are.</summary>
    private static IReadOnlyList<MethodChoice> Within(double[] shares, IArena arena, IReadOnlyList<MethodChoice> chosen)
    {
        if (shares.Length != 1)
            return chosen;
        if (chosen.FirstOrDefault(c => !Keeps(arena.Method(c.Id))) is { } wrong)
            throw InputException.At("--budget: bytes", $"'{wrong.Id}', which has no knob", "methods that can be made smaller", "Leave it out, or give several budgets: bytes=20%|40%.");
        return chosen.Count > 0 ? chosen : [.. arena.Methods.Where(Keeps).Select(m => new MethodChoice(m.Id, []))];

        static bool Keeps(MethodCard card) => card.Tags.Contains("upper-bound") || card.Options.Options.Any(o => o.Name.Split('.')[^1] == "bytes");
    }

    /// <summary><c>winnow run STUDY.yaml</c>.</summary>
    public static Command Run()
    {
        var file = new Argument<FileInfo>("study") { Description = "a study file in YAML" };
        var command = new Command("run", "Runs a study from a file.") { file, Parallel, Out, Json, Quiet, RetryFailed };
        command.SetAction((parsed, cancellation) => ExecuteAsync(Study.Load(parsed.GetValue(file)!.FullName), Settings(parsed), cancellation));
        return command;
    }

    /// <summary><c>winnow resume [FOLDER]</c>.</summary>
    public static Command Resume()
    {
        var folder = Folder();
        var command = new Command("resume", "Goes on with a study that was interrupted.") { folder, Parallel, Json, Quiet, RetryFailed };
        command.SetAction(async (parsed, cancellation) =>
        {
            var (path, request) = StudyRequest.Load(parsed.GetValue(folder));
            var settings = Settings(parsed) with { Out = path };
            var plan = request.Plan;
            var arena = Catalogue.Arena(plan.Trials[0].Arena);
            string code = CodeVersion.Of(arena.GetType().Assembly);
            if (plan.Trials[0].Code != code)
                throw InputException.At(path, $"a study planned with code version {plan.Trials[0].Code}", $"{code}, this program's", "The methods changed since: start it anew with 'winnow compare'.");
            return await ExecuteAsync(request, arena, settings, cancellation).ConfigureAwait(false);
        });
        return command;
    }

    /// <summary><c>winnow report [FOLDER]</c>.</summary>
    public static Command Report()
    {
        var folder = Folder();
        var command = new Command("report", "Prints a study's table and writes its report again, from its store.") { folder, Json, Quiet };
        command.SetAction(parsed =>
        {
            var (path, request) = StudyRequest.Load(parsed.GetValue(folder));
            using var store = Store.Open(path);
            return Conclude(request, Catalogue.Arena(request.Plan.Trials[0].Arena), store, path, Settings(parsed));
        });
        return command;
    }

    /// <summary>What <c>--set</c> gives.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Settings(IEnumerable<string> set) =>
        [.. set.Select(s => s.Split('=', 2) is [var k, var v] ? KeyValuePair.Create(k, v) : throw InputException.At("--set", $"'{s}'", "OWNER.OPTION=VALUE", "For instance --set task.epochs=2."))];

    private static Argument<string?> Folder() => new("folder") { Arity = ArgumentArity.ZeroOrOne, Description = "the study's folder; default the latest in ./winnow-runs" };

    private sealed record RunSettings(string? Out, FileInfo? Json, bool Quiet, int? Parallel, bool RetryFailed);

    private static RunSettings Settings(ParseResult parsed) => new(
        parsed.GetResult(Out) is null ? null : parsed.GetValue(Out), parsed.GetValue(Json), parsed.GetValue(Quiet),
        parsed.GetResult(Parallel) is null || parsed.GetValue(Parallel) is not { } n ? null : Study.ParseCount("--parallel", n),
        parsed.GetResult(RetryFailed) is not null && parsed.GetValue(RetryFailed));

    private static Task<int> ExecuteAsync(Study study, RunSettings settings, CancellationToken cancellation)
    {
        var arena = Catalogue.Arena(study.Arena);
        var plan = StudyPlan.Make(study, arena, cancellation);
        var request = new StudyRequest(plan, study.Limits, settings.Parallel ?? study.Parallel, study.TotalSeconds, CommandLine());
        return ExecuteAsync(request, arena, settings, cancellation);
    }

    private static async Task<int> ExecuteAsync(StudyRequest request, IArena arena, RunSettings settings, CancellationToken cancellation)
    {
        var plan = request.Plan;
        string folder = Path.GetFullPath(settings.Out ?? Path.Combine("winnow-runs", $"{plan.Name}-{plan.Hash}"));
        int parallel = settings.Parallel ?? request.Parallel ?? Math.Max(1, Environment.ProcessorCount / plan.Trials[0].Threads);

        using var held = await StudyLock.TakeAsync(folder, () => Console.Error.WriteLine($"winnow: another winnow runs this study ({folder}); waiting for it. Ctrl-C stops waiting."), cancellation).ConfigureAwait(false);
        using var store = Store.Open(folder);
        if (store.Plan is { } old && StudyRequest.FromJson(old).Plan.Hash != plan.Hash)
            throw InputException.At(folder, "another study", "an empty folder or the same study", "Choose another folder with --out.");
        store.SavePlan(request.ToJson(), plan.Trials);
        if (settings.RetryFailed)
            store.RetryFailed();
        int left = plan.Trials.Count - store.Finished().Count;
        if (!settings.Quiet)
        {
            Console.WriteLine($"{plan.Data.Title}: {plan.Data.Text}");
            foreach (string reason in plan.LeftOut)
                Console.WriteLine($"left out: {reason}");
            Console.WriteLine($"{plan.Trials.Count} trials ({plan.Trials.DistinctBy(t => (t.Task, t.Method, t.Options.ToJsonString())).Count()} methods, {plan.Trials.DistinctBy(t => t.Seed).Count()} seeds), {(left == plan.Trials.Count ? "" : $"{left} still to run, ")}{parallel} at a time, in {Path.GetRelativePath(Environment.CurrentDirectory, folder)}");
        }

        var options = new RunOptions(TrialVerb.Command, request.Limits, parallel, request.TotalSeconds);
        var runner = new Runner(store, folder, TimeProvider.System);
        bool whole = true;
        Task<bool> RunAsync(IRunObserver observer) => runner.RunAsync(plan.Trials, options, observer, cancellation);
        if (left > 0)
            whole = settings.Quiet ? await RunAsync(new QuietObserver()).ConfigureAwait(false)
                : Console.IsOutputRedirected ? await RunAsync(new PlainObserver(Console.Out, left, parallel, arena)).ConfigureAwait(false)
                : await AnsiConsole.Progress().HideCompleted(true).Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
                    .StartAsync(progress => RunAsync(new LiveObserver(progress, left, parallel, arena))).ConfigureAwait(false);
        if (!whole)
            Console.Error.WriteLine("winnow: the time budget is spent; 'winnow resume' runs the rest.");
        return Conclude(request, arena, store, folder, settings);
    }

    /// <summary>Prints the table and writes report, CSV and JSON.</summary>
    private static int Conclude(StudyRequest request, IArena arena, Store store, string folder, RunSettings settings)
    {
        var plan = request.Plan;
        var finished = store.Finished();
        if (finished.Count == 0)
            throw new InputException($"{folder}: no trial has finished. Run 'winnow resume'.");
        var info = new StudyInfo(plan.Name, folder, plan.Data, Machine.Here(), Catalogue.Commit, StudyRequest.Versions(), request.Command, TimeProvider.System.GetUtcNow());
        var comparison = Comparison.Of(info, arena, StudyRow.Of(arena, finished));
        string report = Path.Combine(folder, "report.html");
        HtmlReport.Write(report, comparison);
        ComparisonJson.Write(Path.Combine(folder, "results.json"), comparison);
        ComparisonCsv.Write(Path.Combine(folder, "results.csv"), comparison);
        if (settings.Json is { } json)
            ComparisonJson.Write(json.FullName, comparison);

        Console.WriteLine();
        Console.Write(comparison.ToText());
        int failed = finished.Count(f => f.Outcome.Failure is not null);
        if (failed > 0)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{failed} trials failed; the report lists the reasons."));
        Console.WriteLine();
        Console.WriteLine($"report: {report}");
        if (!settings.Quiet && comparison.Winner is { } winner)
        {
            Console.WriteLine($"keep the winner:   winnow keep {winner.Done[0].Trial.Key[..8]} --out winner");
            Console.WriteLine($"its options:       winnow show {winner.Method.Id}");
            if (arena.Task(winner.Task).Data is { } data)
                Console.WriteLine($"on your own data:  winnow compare {arena.Id} {(winner.Task == arena.Tasks[0].Id ? "" : $"--task {winner.Task} ")}--data {data}");
        }
        return failed > 0 ? ExitCode.SomeFailed : ExitCode.Done;
    }

    private static string CommandLine() => "winnow " + string.Join(' ', Environment.GetCommandLineArgs().Skip(1).Select(a => a.Any(char.IsWhiteSpace) ? $"\"{a}\"" : a));
}
