using System.Diagnostics;
using System.Text.Json.Nodes;
using Winnow.FakeTrials;

namespace Winnow.Core.Tests;

public sealed class RunnerTests : IDisposable
{
    private readonly TestFolder _folder = new();

    internal static TrialCommand Fake { get; } = new(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Winnow.FakeTrials.exe" : "Winnow.FakeTrials"), ["trial"]);

    public void Dispose() => _folder.Dispose();

    private async Task<TrialOutcome> RunAsync(string method, Limits? limits = null, JsonObject? options = null, List<TrialEvent>? told = null, CancellationTokenSource? stop = null) =>
        await TrialProcess.RunAsync(Fake, FakeArena.Trial(method, 1, options), limits ?? new(), _folder["artefacts"], e => told?.Add(e), stop?.Token ?? TestContext.Current.CancellationToken);

    [Fact]
    public async Task A_trial_gives_its_metrics_series_account_and_what_the_system_counted()
    {
        var told = new List<TrialEvent>();
        var outcome = await RunAsync("ok", told: told);
        Assert.Null(outcome.Failure);
        Assert.InRange(outcome.Metrics["value"], 0, 1);
        Assert.Equal(10, outcome.Account["rows"]);
        Assert.Equal([0L, 1, 2], outcome.Series.Select(s => s.Step));
        Assert.InRange(outcome.Usage.PeakMemoryBytes, 10_000_000, 500_000_000);
        Assert.InRange(outcome.Usage.CpuSeconds, 0.001, outcome.Usage.WallSeconds * Environment.ProcessorCount);
        Assert.Contains(told, e => e is ProgressEvent { Fraction: 1 });
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_bits()
    {
        var (one, two) = (await RunAsync("ok"), await RunAsync("ok"));
        Assert.Equal(one.Metrics["value"], two.Metrics["value"]);
        Assert.Equal(one.Series, two.Series);
    }

    [Fact]
    public async Task A_trial_that_hangs_is_ended_at_its_time_limit()
    {
        var watch = Stopwatch.StartNew();
        var outcome = await RunAsync("hang", new(Seconds: 1));
        Assert.Contains("over its time limit", outcome.Failure);
        Assert.Contains("1.0 s allowed", outcome.Failure);
        Assert.InRange(watch.Elapsed.TotalSeconds, 1, 10);
    }

    [Fact]
    public async Task A_trial_that_eats_memory_is_ended_at_its_memory_limit()
    {
        var outcome = await RunAsync("memory", new(Seconds: 60, MemoryBytes: 200_000_000));
        Assert.Contains("over its memory limit", outcome.Failure);
        Assert.Contains("200 MB allowed", outcome.Failure);
        Assert.InRange(outcome.Usage.PeakMemoryBytes, 200_000_000, 2_000_000_000);
    }

    [Theory]
    [InlineData("throw", "InvalidOperationException: a bug in the method")]
    [InlineData("refuse", "rows.csv, line 3: found 'x'; expected a number. Mend the line.")]
    [InlineData("silent", "ended without a result")]
    public async Task A_trial_that_fails_is_told_with_its_reason(string method, string reason) => Assert.Contains(reason, (await RunAsync(method)).Failure);

    [Fact]
    public async Task A_native_abort_and_a_kill_are_told_apart()
    {
        Assert.SkipUnless(!OperatingSystem.IsWindows(), "signals are told apart on Unix");
        Assert.Contains("SIGABRT", (await RunAsync("abort")).Failure);
        Assert.Contains("SIGKILL", (await RunAsync("kill")).Failure);
    }

    [Fact]
    public async Task What_a_native_library_prints_does_not_disturb_the_events()
    {
        var told = new List<TrialEvent>();
        var outcome = await RunAsync("noisy", told: told);
        Assert.Null(outcome.Failure);
        Assert.Contains(told, e => e is LogEvent { Text: "a native library greets" });
        Assert.Contains(told, e => e is LogEvent l && l.Text.StartsWith("{\"event\":\"metric\",\"na", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_artefact_is_where_the_outcome_says()
    {
        var outcome = await RunAsync("artefact");
        Assert.Equal(["notes.txt"], outcome.Artefacts);
        Assert.Equal("seed 1", await File.ReadAllTextAsync(Path.Combine(_folder["artefacts"], "notes.txt"), TestContext.Current.CancellationToken));
    }

    [Theory, InlineData(""), InlineData(".."), InlineData("a/b"), InlineData("/etc/x")]
    public void An_artefact_name_that_leaves_the_folder_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => new TrialContext(1, _folder.Path, _ => { }, default).Artefact(name));

    [Fact]
    public async Task Cancelling_ends_the_child_within_two_seconds()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(0.7));
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync("hang", stop: stop));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.5, 2.7);
        Assert.Empty(FakeProcesses("trial"));
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_an_input_error() => await Assert.ThrowsAsync<InputException>(() =>
        TrialProcess.RunAsync(new("no-such-program", []), FakeArena.Trial("ok", 1), new(), _folder.Path, _ => { }, TestContext.Current.CancellationToken));

    [Fact]
    public async Task The_runner_stores_every_trial_once_failed_ones_too_and_runs_none_twice()
    {
        Trial[] trials = [FakeArena.Trial("ok", 1), FakeArena.Trial("throw", 1), FakeArena.Trial("ok", 2), FakeArena.Trial("ok", 1), FakeArena.Trial("nan", 1)];
        using var store = Store.Open(_folder.Path);
        store.SavePlan("{}", trials);
        var first = await RunStudyAsync(store, trials);
        Assert.Equal(4, first.Count);
        Assert.Equal(3, store.Finished().Count(f => f.Outcome.Failure is null));
        Assert.True(double.IsNaN(store.Finished().Single(f => f.Trial.Method == "nan").Outcome.Metrics["value"]));
        Assert.Empty(await RunStudyAsync(store, trials));
        store.RetryFailed();
        Assert.Equal(["throw"], (await RunStudyAsync(store, trials)).Select(t => t.Method));
    }

    [Fact]
    public async Task No_trial_starts_after_the_time_budget()
    {
        Trial[] trials = [.. Enumerable.Range(1, 20).Select(i => FakeArena.Trial("ok", (ulong)i, new() { ["seconds"] = 0.3 }))];
        using var store = Store.Open(_folder.Path);
        store.SavePlan("{}", trials);
        var observer = new Recorder();
        Assert.False(await new Runner(store, _folder.Path, TimeProvider.System).RunAsync(trials, new(Fake, new(), 1, TotalSeconds: 1), observer, TestContext.Current.CancellationToken));
        Assert.InRange(observer.Ended.Count, 1, 10);
        Assert.Equal(observer.Ended.Count, store.Finished().Count);
    }

    [Fact]
    public async Task A_store_that_can_no_longer_be_written_stops_the_study_and_keeps_what_was_finished()
    {
        Trial[] trials = [.. Enumerable.Range(1, 6).Select(i => FakeArena.Trial("ok", (ulong)i, new() { ["seconds"] = 0.2 }))];
        using (var store = Store.Open(_folder.Path))
        {
            store.SavePlan("{}", trials);
            var observer = new Recorder { WhenEnded = n => { if (n == 2) store.Dispose(); } };
            await Assert.ThrowsAnyAsync<Exception>(() => RunStudyAsync(store, trials, observer));
        }
        using var again = Store.Open(_folder.Path);
        Assert.InRange(again.Finished().Count, 2, 3);
        Assert.Empty(FakeProcesses("trial"));
    }

    [Fact]
    public async Task A_full_disk_is_told_with_a_remedy_and_nothing_finished_is_lost()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root" && Sh($"mount -t tmpfs -o size=400k tmpfs {_folder.Path}") == 0, "needs the right to mount a small tmpfs");
        try
        {
            Trial[] trials = [.. Enumerable.Range(1, 60).Select(i => FakeArena.Trial("ok", (ulong)i, new() { ["points"] = 100 }))];
            int finished;
            using (var store = Store.Open(_folder.Path))
            {
                store.SavePlan("{}", trials);
                File.WriteAllBytes(_folder["ballast"], new byte[60_000]);
                var error = await Assert.ThrowsAsync<InputException>(() => RunStudyAsync(store, trials));
                Assert.Contains("full", error.Message);
                finished = store.Finished().Count;
            }
            Assert.InRange(finished, 1, 59);
            File.Delete(_folder["ballast"]);
            Sh($"mount -o remount,size=20m {_folder.Path}");
            using var again = Store.Open(_folder.Path);
            Assert.Equal(finished, again.Finished().Count);
            await RunStudyAsync(again, trials);
            Assert.Equal(60, again.Finished().Count);
        }
        finally
        {
            Sh($"umount -l {_folder.Path}");
        }
    }

    [Fact]
    public async Task A_read_only_folder_is_told_with_a_remedy()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root" && Sh($"mount -t tmpfs -o ro,size=1m tmpfs {_folder.Path}") == 0, "needs the right to mount a read-only tmpfs");
        try
        {
            Assert.Contains("--out", Assert.Throws<InputException>(() => Store.Open(_folder.Path)).Message);
            Assert.Contains("--out", (await Assert.ThrowsAsync<InputException>(() => StudyLock.TakeAsync(_folder.Path, () => { }, TestContext.Current.CancellationToken))).Message);
        }
        finally
        {
            Sh($"umount -l {_folder.Path}");
        }
    }

    [Fact]
    public async Task A_second_process_waits_for_the_first()
    {
        var first = await StudyLock.TakeAsync(_folder.Path, () => Assert.Fail("nobody holds it"), TestContext.Current.CancellationToken);
        bool told = false;
        var second = StudyLock.TakeAsync(_folder.Path, () => told = true, TestContext.Current.CancellationToken);
        Assert.False(second.IsCompleted);
        Assert.True(told);
        first.Dispose();
        (await second).Dispose();
    }

    [Fact]
    public async Task Two_processes_on_one_study_run_each_trial_once()
    {
        using var one = Start("study", _folder["study"], "3", "0.2");
        using var two = Start("study", _folder["study"], "3", "0.2");
        await Task.WhenAll(one.WaitForExitAsync(TestContext.Current.CancellationToken), two.WaitForExitAsync(TestContext.Current.CancellationToken));
        Assert.Equal((0, 0), (one.ExitCode, two.ExitCode));
        using var store = Store.Open(_folder["study"]);
        Assert.Equal(6, store.Finished().Count);
    }

    [Fact]
    public async Task Killed_at_twenty_random_moments_and_resumed_a_study_ends_with_the_same_results_and_no_orphans()
    {
        using (var whole = Start("study", _folder["whole"], "10", "0.1"))
            await whole.WaitForExitAsync(TestContext.Current.CancellationToken);
        var random = new SeededRandom(20, "kill");
        for (int i = 0; i < 20; i++)
        {
            using var process = Start("study", _folder["killed"], "10", "0.1");
            await Task.Delay(random.Next(20, 500), TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        using (var last = Start("study", _folder["killed"], "10", "0.1"))
            await last.WaitForExitAsync(TestContext.Current.CancellationToken);
        using var expected = Store.Open(_folder["whole"]);
        using var actual = Store.Open(_folder["killed"]);
        Assert.Equal(20, actual.Finished().Count);
        Assert.Equal(expected.Finished().Select(Results), actual.Finished().Select(Results));
        await Task.Delay(500, TestContext.Current.CancellationToken);
        Assert.Empty(FakeProcesses(_folder.Path));

        static string Results(FinishedTrial f) => $"{f.Trial.Key} {f.Outcome.Failure} {BitConverter.DoubleToInt64Bits(f.Outcome.Metrics["value"])} {string.Join(',', f.Outcome.Series)}";
    }

    private async Task<List<Trial>> RunStudyAsync(Store store, Trial[] trials, Recorder? observer = null)
    {
        observer ??= new();
        await new Runner(store, _folder.Path, TimeProvider.System).RunAsync(trials, new(Fake, new(Seconds: 30), 2), observer, TestContext.Current.CancellationToken);
        return observer.Ended;
    }

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Fake.FileName);
        foreach (string a in arguments)
            start.ArgumentList.Add(a);
        return Process.Start(start)!;
    }

    private static int Sh(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>Command lines of running fake programs that contain a word; on systems with /proc.</summary>
    private static IEnumerable<string> FakeProcesses(string word)
    {
        if (!OperatingSystem.IsLinux())
            yield break;
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(d => char.IsDigit(Path.GetFileName(d)[0])))
        {
            string line, environment;
            try
            {
                line = File.ReadAllText($"{folder}/cmdline").Replace('\0', ' ');
                environment = File.ReadAllText($"{folder}/status");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }
            if (line.Contains("Winnow.FakeTrials", StringComparison.Ordinal) && line.Contains(word, StringComparison.Ordinal) && !environment.Contains("State:\tZ", StringComparison.Ordinal))
                yield return line;
        }
    }

    private sealed class Recorder : IRunObserver
    {
        public List<Trial> Ended { get; } = [];

        public Action<int>? WhenEnded { get; init; }

        public void Started(Trial trial) { }

        public void Told(Trial trial, TrialEvent what) { }

        void IRunObserver.Ended(Trial trial, TrialOutcome outcome)
        {
            Ended.Add(trial);
            WhenEnded?.Invoke(Ended.Count);
        }
    }
}
