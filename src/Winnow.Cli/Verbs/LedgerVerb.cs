using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Reports;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow ledger [METHOD]</c>: each paper's claim beside what this code measured.</summary>
internal static class LedgerVerb
{
    private const int Fewest = 5;

    public static Command Make()
    {
        var method = new Argument<string?>("method") { Arity = ArgumentArity.ZeroOrOne, Description = "only this method" };
        var rerun = new Option<bool>("--rerun") { Description = "measure again and write the results" };
        var results = new Option<DirectoryInfo?>("--results") { Description = "folder of the results; default results/ledger here, else the one that came with the program" };
        var json = new Option<FileInfo?>("--json") { Description = "write the rows to this file" };
        var seeds = new Option<string>("--seeds") { Description = "how many seeds (5) or which (3,7,9), at least five; with --rerun", DefaultValueFactory = _ => "5" };
        var command = new Command("ledger", "Prints each paper's claim beside what was measured; --rerun measures again.") { method, rerun, seeds, results, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            var cards = parsed.GetValue(method) is { } id ? [Catalogue.Method(id)]
                : Catalogue.Arenas.SelectMany(a => a.Methods.Where(m => m.Kind == MethodKind.Seed).Select(m => (Arena: a, Card: m))).ToArray();
            var chosen = Study.ParseSeeds(parsed.GetValue(seeds)!);
            if (parsed.GetResult(seeds) is { Implicit: false } && !parsed.GetValue(rerun))
                throw InputException.At("--seeds", "seeds without --rerun", "both", "Results are only read without --rerun.");
            if (chosen.Count < Fewest)
                throw InputException.At("--seeds", $"{chosen.Count}", $"at least {Fewest}", "Fewer do not carry a verdict.");
            string folder = parsed.GetValue(results)?.FullName ?? Folder(parsed.GetValue(rerun));
            var entries = new List<LedgerEntry>();
            foreach (var (arena, card) in cards)
            {
                if (card.Claims.Count == 0)
                    throw InputException.At($"method '{card.Id}'", "no claim on its card", "a method with a claim", "Baselines make none; 'winnow methods' lists the methods.");
                string path = Path.Combine(folder, $"{card.Id}.json");
                if (parsed.GetValue(rerun))
                    (await MeasureAsync(arena, card, chosen, cancellation).ConfigureAwait(false)).Save(path);
                if (!File.Exists(path))
                    throw InputException.At(path, "no results", "the method's ledger", $"Measure it with 'winnow ledger {card.Id} --rerun'.");
                entries.Add(LedgerEntry.Load(path));
                Print(entries[^1]);
            }
            if (parsed.GetValue(json) is { } file)
                WholeFile.Write(file.FullName, new JsonObject
                {
                    ["schema"] = 1,
                    ["machine"] = JsonSerializer.SerializeToNode(entries.Count == 1 ? entries[0].Machine : Machine.Here(), WinnowJson.Options),
                    ["commit"] = Catalogue.Commit,
                    ["rows"] = new JsonArray([.. entries.SelectMany(e => e.ToJsonRows())]),
                }.ToJsonString(WinnowJson.Indented) + "\n");
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>The repository's results when standing in it, otherwise those that came with the program.</summary>
    private static string Folder(bool rerun)
    {
        string here = Path.GetFullPath(Path.Combine("results", "ledger"));
        return rerun || Directory.Exists(here) ? here : Path.Combine(AppContext.BaseDirectory, "results", "ledger");
    }

    private static void Print(LedgerEntry entry)
    {
        foreach (var row in entry.Rows)
        {
            var unit = Catalogue.Method(entry.Method).Arena.MetricsOf(row.Task).First(m => m.Name == row.Metric).Unit;
            Console.WriteLine($"{entry.Method}: {row.Claim}");
            Console.WriteLine($"  {row.Task}, {row.Metric}: {Format.Of(Statistics.TInterval(row.Method.Values), unit)}, {row.Baseline.Method} {Format.Of(Statistics.TInterval(row.Baseline.Values), unit)}, {row.Seeds.Count} seeds");
            Console.WriteLine($"  {row.Verdict} ({row.Rule})");
        }
    }

    private static async Task<LedgerEntry> MeasureAsync(IArena arena, MethodCard card, IReadOnlyList<ulong> seeds, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        string folder = Directory.CreateTempSubdirectory("winnow-ledger-").FullName;
        try
        {
            var sides = card.Claims.Select(c => (Claim: c, Method: Plan(arena, c, card.Id, c.MethodOptions, seeds, cancellation), Baseline: Plan(arena, c, c.Baseline, c.BaselineOptions, seeds, cancellation))).ToList();
            Trial[] trials = [.. sides.SelectMany(s => s.Method.Trials.Concat(s.Baseline.Trials)).DistinctBy(t => t.Key)];
            using var store = Store.Open(folder);
            store.SavePlan("{}", trials);
            await new Runner(store, folder, TimeProvider.System).RunAsync(trials, new(TrialVerb.Command, new(), Environment.ProcessorCount), new QuietObserver(), cancellation).ConfigureAwait(false);
            var outcomes = store.Finished().ToDictionary(f => f.Trial.Key, f => f);
            LedgerSide Side(StudyPlan plan, string metric) => new(plan.Trials[0].Method, plan.Trials[0].Options, [.. plan.Trials.Select(t => Value(outcomes[t.Key], metric))]);
            return new(1, card.Id, Machine.Here(), Catalogue.Commit, StudyRequest.Versions(), sides[0].Method.Data, Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 1),
                [.. sides.Select(s => new LedgerRow(s.Claim.Text, s.Claim.Task, s.Method.Trials[0].TaskOptions, s.Claim.Metric, s.Claim.Wants ?? arena.MetricsOf(s.Claim.Task).First(m => m.Name == s.Claim.Metric).Better,
                    s.Claim.Margin, s.Claim.BaselineFactor, seeds, Side(s.Method, s.Claim.Metric), Side(s.Baseline, s.Claim.Metric)))]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Value(FinishedTrial trial, string metric) => trial.Outcome.Failure is { } reason
        ? throw new InputException(string.Create(CultureInfo.InvariantCulture, $"ledger: {trial.Trial.Method} seed {trial.Trial.Seed} failed ({reason}); a verdict needs every seed. Mend the method and measure again."))
        : trial.Outcome.Metrics[metric];

    private static StudyPlan Plan(IArena arena, Claim claim, string method, JsonObject options, IReadOnlyList<ulong> seeds, CancellationToken cancellation) => StudyPlan.Make(new Study
    {
        Arena = arena.Id,
        Tasks = [claim.Task],
        Data = claim.Data,
        Reading = new(claim.Label),
        Methods = [new(method, options)],
        Seeds = seeds,
        Set = [.. claim.TaskOptions.Select(o => KeyValuePair.Create($"task.{o.Key}", o.Value!.ToString()))],
    }, arena, cancellation);
}
