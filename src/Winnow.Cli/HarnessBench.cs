using System.Diagnostics;
using System.Globalization;
using Winnow.Cli.Verbs;
using Winnow.Core;

namespace Winnow.Cli;

/// <summary>What the harness costs: child process, events and store beside the same training done bare; start-up; memory of the parent.</summary>
internal static class HarnessBench
{
    public static IReadOnlyList<BenchCase> Cases { get; } =
    [
        new("harness", "a trial of 10 s or more, with child process, events and store, beside the same loop bare", "s", Better.Lower, 1.05, Overhead),
        new("start", "start of a trial until it trains", "s", Better.Lower, 1, TrialStart),
        new("start", "winnow --help beyond a bare hello world", "s", Better.Lower, 1, c => ProgramStart(c, "--help")),
        new("start", "winnow methods beyond a bare hello world", "s", Better.Lower, 1, c => ProgramStart(c, "methods")),
        new("start", "winnow show er beyond a bare hello world", "s", Better.Lower, 1, c => ProgramStart(c, "show", "er")),
        new("memory", "peak resident set of the parent of a whole default study", "MB", Better.Lower, 1, ParentMemory),
    ];

    /// <summary>The trial is run three times each way, in turn, after one of each that is not counted; medians.</summary>
    private static BenchMeasurement Overhead(CancellationToken cancellation)
    {
        var arena = Catalogue.Arena("continual");
        var trial = Plan("naive", "task.epochs", "1000", cancellation);
        using var folder = new Scratch();
        var (harness, bare) = (new List<double>(), new List<double>());
        for (int i = 0; i < 4; i++)
        {
            long start = Stopwatch.GetTimestamp();
            arena.Run(trial, new(trial.Seed, folder.Path, _ => { }, cancellation));
            double alone = Stopwatch.GetElapsedTime(start).TotalSeconds;

            string study = Path.Combine(folder.Path, i.ToString(CultureInfo.InvariantCulture));
            start = Stopwatch.GetTimestamp();
            using (var store = Store.Open(study))
            {
                store.SavePlan("{}", [trial]);
                new Runner(store, study, TimeProvider.System).RunAsync([trial], new(TrialVerb.Command, new(), 1), new QuietObserver(), cancellation).GetAwaiter().GetResult();
                if (store.Finished()[0].Outcome.Failure is { } reason)
                    throw new InvalidOperationException(reason);
            }
            double whole = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (i > 0)
            {
                bare.Add(alone);
                harness.Add(whole);
            }
        }
        return new(Median(harness), "the same trial without process, events and store, in this process", Median(bare), AccuracyOk: true);
    }

    private static BenchMeasurement TrialStart(CancellationToken cancellation)
    {
        var trial = Plan("naive", "task.epochs", "1", cancellation);
        using var folder = new Scratch();
        var seconds = new List<double>();
        for (int i = 0; i < 6; i++)
        {
            long start = Stopwatch.GetTimestamp();
            double? first = null;
            TrialProcess.RunAsync(TrialVerb.Command, trial, new(), folder.Path, told => first ??= told is ProgressEvent ? Stopwatch.GetElapsedTime(start).TotalSeconds : null, cancellation).GetAwaiter().GetResult();
            if (i > 0)
                seconds.Add(first ?? throw new InvalidOperationException("The trial told no progress."));
        }
        return new(Median(seconds), "limit of 1.5 s", 1.5, AccuracyOk: true);
    }

    private static BenchMeasurement ProgramStart(CancellationToken cancellation, params string[] arguments)
    {
        string hello = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Winnow.Hello.exe" : "Winnow.Hello");
        var (ours, bare) = (new List<double>(), new List<double>());
        for (int i = 0; i < 11; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            ours.Add(Time(TrialVerb.Command.FileName, [.. TrialVerb.Command.Arguments.SkipLast(1), .. arguments]));
            bare.Add(Time(hello, []));
        }
        return new(Math.Max(0, Median(ours[1..]) - Median(bare[1..])), "limit of 0.3 s", 0.3, AccuracyOk: true);
    }

    private static BenchMeasurement ParentMemory(CancellationToken cancellation)
    {
        using var folder = new Scratch();
        using var process = Start(TrialVerb.Command.FileName, [.. TrialVerb.Command.Arguments.SkipLast(1), "compare", "continual", "--out", folder.Path]);
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        long peak = 0;
        while (!process.WaitForExit(50))
        {
            cancellation.ThrowIfCancellationRequested();
            process.Refresh();
            peak = Math.Max(peak, Memory.PeakResident(process));
        }
        output.GetAwaiter().GetResult();
        return new(peak / 1e6, "limit of 150 MB", 150, AccuracyOk: process.ExitCode == 0);
    }

    private static Trial Plan(string method, string option, string value, CancellationToken cancellation) => StudyPlan.Make(
        new Study { Arena = "continual", Methods = Study.ParseMethods(method), Seeds = [1], Set = [KeyValuePair.Create(option, value)] }, Catalogue.Arena("continual"), cancellation).Trials[0];

    private static double Time(string file, IReadOnlyList<string> arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using var process = Start(file, arguments);
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static Process Start(string file, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true };
        foreach (string a in arguments)
            start.ArgumentList.Add(a);
        return Process.Start(start)!;
    }

    private static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }

    /// <summary>A temporary folder.</summary>
    private sealed class Scratch : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("winnow-bench-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
