using Winnow.Cli.Verbs;
using Winnow.Core;

namespace Winnow.Cli;

/// <summary>
/// What each method of an arena costs relative to the arena's plainest: time per example and peak memory, each in processes of their own,
/// in turn, on the first task that both can run on.
/// </summary>
internal static class MethodCostBench
{
    private const int Repetitions = 3;

    public static IReadOnlyList<BenchCase> Cases { get; } = [.. Of("continual", "naive")];

    private static IEnumerable<BenchCase> Of(string arenaId, string plain)
    {
        var arena = Catalogue.Arena(arenaId);
        foreach (var method in arena.Methods.Where(m => m.Id != plain))
        {
            if (arena.Tasks.FirstOrDefault(t => method.Refusal(t) is null && arena.Method(plain).Refusal(t) is null) is not { } task)
                continue;
            Costs? measured = null;
            Costs Once(CancellationToken cancellation) => measured ??= Measure(arena, task.Id, method.Id, plain, cancellation);
            yield return new($"{arenaId}.time", $"{method.Id}, training time of an example, on {task.Id}", "ms", Better.Lower, null,
                c => new(1e3 * Once(c).Seconds, plain, 1e3 * Once(c).PlainSeconds, AccuracyOk: null));
            yield return new($"{arenaId}.memory", $"{method.Id}, peak memory of a trial, on {task.Id}", "MB", Better.Lower, null,
                c => new(Once(c).Bytes / 1e6, plain, Once(c).PlainBytes / 1e6, AccuracyOk: null));
        }
    }

    private sealed record Costs(double Seconds, double PlainSeconds, double Bytes, double PlainBytes);

    private static Costs Measure(IArena arena, string task, string method, string plain, CancellationToken cancellation)
    {
        var trials = StudyPlan.Make(new Study { Arena = arena.Id, Tasks = [task], Methods = Study.ParseMethods($"{method},{plain}"), Seeds = [1] }, arena, cancellation).Trials;
        using var folder = new HarnessBench.Scratch();
        var seconds = trials.ToDictionary(t => t.Method, _ => new List<double>());
        var bytes = trials.ToDictionary(t => t.Method, _ => new List<double>());
        for (int i = 0; i < Repetitions; i++)
            foreach (var trial in trials)
            {
                var outcome = TrialProcess.RunAsync(TrialVerb.Command, trial, new(), folder.Path, _ => { }, cancellation).GetAwaiter().GetResult();
                if (outcome.Failure is { } reason)
                    throw new InvalidOperationException($"{trial.Method} failed: {reason}");
                seconds[trial.Method].Add(outcome.Account["seconds_per_example"]);
                bytes[trial.Method].Add(outcome.Usage.PeakMemoryBytes);
            }
        return new(HarnessBench.Median(seconds[method]), HarnessBench.Median(seconds[plain]), HarnessBench.Median(bytes[method]), HarnessBench.Median(bytes[plain]));
    }
}
