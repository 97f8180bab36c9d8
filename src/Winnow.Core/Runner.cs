namespace Winnow.Core;

/// <summary>Watches a study run: a live table, plain lines, or nothing. Calls come from several threads, one at a time.</summary>
public interface IRunObserver
{
    /// <summary>A trial's process starts.</summary>
    void Started(Trial trial);

    /// <summary>A trial told something.</summary>
    void Told(Trial trial, TrialEvent what);

    /// <summary>A trial ended and is stored.</summary>
    void Ended(Trial trial, TrialOutcome outcome);
}

/// <summary>How a study's trials are run.</summary>
/// <param name="Command">The program that serves trials.</param>
/// <param name="Limits">What each trial may use.</param>
/// <param name="Parallel">How many trials at a time.</param>
/// <param name="TotalSeconds">No trial starts after this time; null for no limit.</param>
public sealed record RunOptions(TrialCommand Command, Limits Limits, int Parallel, double? TotalSeconds = null);

/// <summary>Runs the trials of a study that are not finished yet, each in its own process, and stores each as it ends.</summary>
public sealed class Runner(Store store, string folder, TimeProvider time)
{
    /// <summary>Runs what is left of a plan.</summary>
    /// <returns>True when every trial of the plan is finished; false when the time budget ended first.</returns>
    /// <exception cref="OperationCanceledException">Cancelled: running trials were ended, finished ones are stored.</exception>
    /// <exception cref="InputException">The store cannot be written any more, or no process can be started.</exception>
    public async Task<bool> RunAsync(IReadOnlyList<Trial> trials, RunOptions options, IRunObserver observer, CancellationToken cancellation)
    {
        var finished = store.Finished().Select(f => f.Trial.Key).ToHashSet();
        var waiting = new Queue<Trial>(trials.Where(t => !finished.Contains(t.Key)).DistinctBy(t => t.Key));
        var gate = new Lock();
        long started = time.GetTimestamp();
        bool InTime() => options.TotalSeconds is not { } most || time.GetElapsedTime(started).TotalSeconds < most;

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        async Task WorkAsync()
        {
            while (true)
            {
                Trial trial;
                lock (gate)
                {
                    if (!InTime() || !waiting.TryDequeue(out trial!))
                        return;
                    observer.Started(trial);
                }
                try
                {
                    var outcome = await RunOneAsync(trial, options, told => { lock (gate) observer.Told(trial, told); }, stop.Token).ConfigureAwait(false);
                    lock (gate)
                        observer.Ended(trial, outcome);
                }
                catch
                {
                    // Cancelled, or the study cannot go on (full disk): the trials beside this one end too.
                    await stop.CancelAsync().ConfigureAwait(false);
                    throw;
                }
            }
        }

        var workers = Enumerable.Range(0, Math.Max(1, options.Parallel)).Select(_ => Task.Run(WorkAsync, CancellationToken.None)).ToArray();
        try
        {
            await Task.WhenAll(workers).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Another worker's error stopped this one: show that error.
            throw workers.Select(w => w.Exception?.InnerException).OfType<InputException>().FirstOrDefault() ?? workers.Select(w => w.Exception?.InnerException).First(e => e is not null)!;
        }
        return waiting.Count == 0;
    }

    private async Task<TrialOutcome> RunOneAsync(Trial trial, RunOptions options, Action<TrialEvent> told, CancellationToken cancellation)
    {
        string artefacts = ArtefactFolder(folder, trial);
        if (Directory.Exists(artefacts))
            Directory.Delete(artefacts, recursive: true); // left by an interrupted run
        var outcome = await TrialProcess.RunAsync(options.Command, trial, options.Limits, artefacts, told, cancellation).ConfigureAwait(false);
        store.Finish(trial, outcome, time.GetUtcNow());
        return outcome;
    }

    /// <summary>Where a trial's artefacts are.</summary>
    public static string ArtefactFolder(string studyFolder, Trial trial) => Path.Combine(studyFolder, "artefacts", trial.Key);
}
