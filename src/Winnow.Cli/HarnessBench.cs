using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
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

    /// <summary>The trial is run three times each way, in turn, after one of each that is not counted; medians of whole processes.</summary>
    private static BenchMeasurement Overhead(CancellationToken cancellation)
    {
        var trial = Plan("naive", cancellation, ("task.epochs", "1000"), ("task.hidden", "200"));
        using var folder = new Scratch();
        string request = Path.Combine(folder.Path, "trial.json");
        WholeFile.Write(request, JsonSerializer.Serialize(trial, WinnowJson.Options));
        var (harness, bare) = (new List<double>(), new List<double>());
        bool same = true;
        for (int i = 0; i < 4; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var (alone, printed) = Time(Beside("Winnow.Bare"), [request, folder.Path]);

            string study = Path.Combine(folder.Path, i.ToString(CultureInfo.InvariantCulture));
            long start = Stopwatch.GetTimestamp();
            using (var store = Store.Open(study))
            {
                store.SavePlan("{}", [trial]);
                new Runner(store, study, TimeProvider.System).RunAsync([trial], new(TrialVerb.Command, new(), 1), new QuietObserver(), cancellation).GetAwaiter().GetResult();
                double whole = Stopwatch.GetElapsedTime(start).TotalSeconds;
                same &= store.Finished()[0].Outcome.Metrics.TryGetValue("accuracy", out double accuracy) && accuracy.ToString("R", CultureInfo.InvariantCulture) == printed.Trim();
                if (i > 0)
                    harness.Add(whole);
            }
            if (i > 0)
                bare.Add(alone);
        }
        return new(Median(harness), "the same trial in a bare process, without parent, events and store", Median(bare), AccuracyOk: same);
    }

    private static BenchMeasurement TrialStart(CancellationToken cancellation)
    {
        var trial = Plan("naive", cancellation, ("task.epochs", "1"));
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
        var (ours, bare) = (new List<double>(), new List<double>());
        for (int i = 0; i < 11; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            ours.Add(Time(TrialVerb.Command.FileName, [.. TrialVerb.Command.Arguments.SkipLast(1), .. arguments]).Seconds);
            bare.Add(Time(Beside("Winnow.Hello"), []).Seconds);
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

    /// <summary>The first trial of a study of one method.</summary>
    internal static Trial Plan(string method, CancellationToken cancellation, params (string Option, string Value)[] set) => StudyPlan.Make(
        new Study { Arena = "continual", Methods = Study.ParseMethods(method), Seeds = [1], Set = [.. set.Select(s => KeyValuePair.Create(s.Option, s.Value))] }, Catalogue.Arena("continual"), cancellation).Trials[0];

    private static string Beside(string program) => Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? $"{program}.exe" : program);

    private static (double Seconds, string Output) Time(string file, IReadOnlyList<string> arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using var process = Start(file, arguments);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, output);
    }

    private static Process Start(string file, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true };
        foreach (string a in arguments)
            start.ArgumentList.Add(a);
        return Process.Start(start)!;
    }

    internal static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[sorted.Length / 2] + sorted[(sorted.Length - 1) / 2]) / 2;
    }

    /// <summary>A temporary folder.</summary>
    internal sealed class Scratch : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("winnow-bench-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
