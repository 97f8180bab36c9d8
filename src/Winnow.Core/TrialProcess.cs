using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Winnow.Core;

/// <summary>How to start this program again to run a trial.</summary>
/// <param name="FileName">The program.</param>
/// <param name="Arguments">Its arguments.</param>
public sealed record TrialCommand(string FileName, IReadOnlyList<string> Arguments);

/// <summary>
/// One trial in a child process of the same program. The parent writes the request on the child's standard input and keeps it open:
/// when the parent dies, however it dies, the child reads the end of it and ends itself. The child writes events on standard output.
/// </summary>
public static class TrialProcess
{
    private sealed record Request(Trial Trial, string Artefacts);

    /// <summary>Runs a trial in a child process; enforces its limits; never throws for what the child does.</summary>
    /// <param name="command">The program that calls <see cref="Serve"/>.</param>
    /// <param name="trial">The trial.</param>
    /// <param name="limits">Time and memory at most.</param>
    /// <param name="artefacts">Folder for its artefacts.</param>
    /// <param name="observe">Receives every event as it comes.</param>
    /// <param name="cancellation">Kills the child.</param>
    /// <exception cref="OperationCanceledException">Cancelled; the child has been killed.</exception>
    /// <exception cref="InputException">The program cannot be started.</exception>
    public static async Task<TrialOutcome> RunAsync(TrialCommand command, Trial trial, Limits limits, string artefacts, Action<TrialEvent> observe, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(command.FileName)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardInputEncoding = new UTF8Encoding(false),
        };
        foreach (string argument in command.Arguments)
            start.ArgumentList.Add(argument);
        // Numerical libraries make one thread per core unless told otherwise; trials run side by side.
        foreach (string variable in (string[])["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
            start.Environment[variable] = trial.Threads.ToString(CultureInfo.InvariantCulture);

        long started = Stopwatch.GetTimestamp();
        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new InputException($"cannot start a trial with '{command.FileName}': {e.Message}. Check that the program may be executed and that the system has free processes.", e);
        }
        PreferForOutOfMemory(process);

        var series = new List<MetricEvent>();
        var names = new List<string>();
        ResultEvent? result = null;
        FailureEvent? failure = null;
        var errors = new Tail(20);
        using var reading = new CancellationTokenSource();
        var output = ReadAsync(process.StandardOutput, line =>
        {
            var told = TrialEvent.Parse(line);
            switch (told)
            {
                case MetricEvent m: series.Add(m); break;
                case ArtefactEvent a: names.Add(a.Name); break;
                case ResultEvent r: result = r; break;
                case FailureEvent f: failure = f; break;
            }
            observe(told);
        }, reading.Token);
        var error = ReadAsync(process.StandardError, errors.Add, reading.Token);

        string? broken = null;
        var watch = new Watch(process, started);
        try
        {
            await WriteRequestAsync(process, trial, artefacts).ConfigureAwait(false);
            broken = await watch.UntilExitAsync(limits, cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Kill(process);
            throw;
        }
        // A grandchild could hold the pipes open after the child's end: what is not read by then is not waited for.
        reading.CancelAfter(TimeSpan.FromSeconds(5));
        await Task.WhenAll(output, error).ConfigureAwait(false);

        var usage = new Usage(
            Math.Max(watch.PeakMemory, result?.Usage.PeakMemoryBytes ?? 0),
            Math.Max(watch.CpuSeconds, result?.Usage.CpuSeconds ?? 0),
            Stopwatch.GetElapsedTime(started).TotalSeconds);
        broken ??= usage.PeakMemoryBytes > limits.MemoryBytes ? MemoryReason(usage.PeakMemoryBytes, limits) : null;
        if (broken is not null || failure is not null || result is null || process.ExitCode != 0)
            return new(broken ?? failure?.Message ?? Describe(process.ExitCode, errors), new Dictionary<string, double>(), new Dictionary<string, double>(), series, names, usage);
        return new(null, result.Metrics, result.Account, series, names, usage);
    }

    /// <summary>The child's side: reads the request, runs the trial, writes its events.</summary>
    /// <returns>The exit code: 0 done, 1 failed.</returns>
    public static int Serve(TextReader input, TextWriter output, Func<string, IArena> arena, Action<int> setThreads)
    {
        var request = JsonSerializer.Deserialize<Request>(input.ReadLine() ?? "", WinnowJson.Options)
            ?? throw new InputException("no trial on standard input; this command is started by 'winnow compare', not by hand.");
        using var cancellation = new CancellationTokenSource();
        var watcher = new Thread(() =>
        {
            while (input.ReadLine() is not null) { }
            // The parent is gone. Whatever the trial is doing, even inside native code, ends here.
            Process.GetCurrentProcess().Kill();
        })
        { IsBackground = true, Name = "parent watcher" };
        watcher.Start();

        var gate = new Lock();
        void Emit(TrialEvent told)
        {
            lock (gate)
            {
                output.WriteLine(told.ToLine());
                output.Flush();
            }
        }

        var context = new TrialContext(request.Trial.Seed, request.Artefacts, Emit, cancellation.Token);
        try
        {
            setThreads(request.Trial.Threads);
            var result = arena(request.Trial.Arena).Run(request.Trial, context);
            using var self = Process.GetCurrentProcess();
            // The wall time is the parent's to measure: it includes the start and the end of this process.
            Emit(new ResultEvent(result.Metrics, context.Account.Entries, new(Memory.PeakResident(self), self.TotalProcessorTime.TotalSeconds, 0)));
            return 0;
        }
        catch (Exception e)
        {
            if (e is InputException)
            {
                Emit(new FailureEvent(e.Message));
                return 1;
            }
            // A fault of the method: the stack trace stays beside the trial, for whoever mends it.
            using (var trace = new StreamWriter(context.Artefact("failure.txt")))
                trace.WriteLine(e.ToString());
            Emit(new FailureEvent($"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}"));
            return 1;
        }
    }

    private static async Task WriteRequestAsync(Process process, Trial trial, string artefacts)
    {
        try
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new Request(trial, artefacts), WinnowJson.Options)).ConfigureAwait(false);
            await process.StandardInput.FlushAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // The child died before it read: its exit code and its errors tell why.
        }
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> line, CancellationToken cancellation)
    {
        try
        {
            while (await reader.ReadLineAsync(cancellation).ConfigureAwait(false) is { } text)
                line(text);
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>When memory runs out, the kernel should end a trial, not the study.</summary>
    private static void PreferForOutOfMemory(Process process)
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            File.WriteAllText($"/proc/{process.Id}/oom_score_adj", "900");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The child has already ended, or the system forbids it: only a preference.
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit(TimeSpan.FromSeconds(1));
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It ended by itself meanwhile.
        }
    }

    private static string MemoryReason(long peak, Limits limits) =>
        string.Create(CultureInfo.InvariantCulture, $"over its memory limit: {peak / 1e6:F0} MB used, {limits.MemoryBytes / 1e6:F0} MB allowed");

    private static string Describe(int exitCode, Tail errors)
    {
        string said = errors.Text is { Length: > 0 } text ? $"; it last said: {text}" : "";
        string how = exitCode switch
        {
            0 => "the trial's process ended without a result",
            128 + 9 or -9 => "the trial's process was killed (SIGKILL; perhaps the system ran out of memory)",
            128 + 6 or -6 => "the trial's process aborted in native code (SIGABRT)",
            128 + 11 or -11 => "the trial's process crashed in native code (SIGSEGV)",
            128 + 15 or -15 => "the trial's process was terminated (SIGTERM)",
            _ => $"the trial's process ended with exit code {exitCode}",
        };
        return how + said;
    }

    /// <summary>Samples what the child uses, and ends it at its limits.</summary>
    private sealed class Watch(Process process, long started)
    {
        private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

        public long PeakMemory { get; private set; }

        public double CpuSeconds { get; private set; }

        /// <summary>Waits for the end of the child; returns the limit it broke, or null.</summary>
        public async Task<string?> UntilExitAsync(Limits limits, CancellationToken cancellation)
        {
            var exit = process.WaitForExitAsync(CancellationToken.None);
            while (!exit.IsCompleted)
            {
                await Task.WhenAny(exit, Task.Delay(Interval, cancellation)).ConfigureAwait(false);
                cancellation.ThrowIfCancellationRequested();
                Sample();
                double elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
                string? broken = PeakMemory > limits.MemoryBytes ? MemoryReason(PeakMemory, limits)
                    : elapsed > limits.Seconds && !exit.IsCompleted ? string.Create(CultureInfo.InvariantCulture, $"over its time limit: {elapsed:F1} s used, {limits.Seconds:F1} s allowed")
                    : null;
                if (broken is not null)
                {
                    Kill(process);
                    return broken;
                }
            }
            return null;
        }

        private void Sample()
        {
            try
            {
                process.Refresh();
                PeakMemory = Math.Max(PeakMemory, Memory.PeakResident(process));
                CpuSeconds = Math.Max(CpuSeconds, process.TotalProcessorTime.TotalSeconds);
            }
            catch (Exception e) when (e is InvalidOperationException or Win32Exception or IOException or NotSupportedException)
            {
                // It ended between the question and the answer.
            }
        }
    }

    /// <summary>The last lines of a stream.</summary>
    private sealed class Tail(int lines)
    {
        private readonly Queue<string> _lines = new();

        public string Text
        {
            get
            {
                lock (_lines)
                    return string.Join(" | ", _lines.Where(l => l.Length > 0));
            }
        }

        public void Add(string line)
        {
            lock (_lines)
            {
                _lines.Enqueue(line.Length > 500 ? line[..500] : line);
                if (_lines.Count > lines)
                    _lines.Dequeue();
            }
        }
    }
}

/// <summary>What the operating system says about the memory of processes.</summary>
public static class Memory
{
    /// <summary>Peak resident set in bytes; the current one where the system keeps no peak.</summary>
    public static long PeakResident(Process process) => Math.Max(process.PeakWorkingSet64, process.WorkingSet64);
}
