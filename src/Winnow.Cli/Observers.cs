using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Winnow.Core;

namespace Winnow.Cli;

/// <summary>Says nothing.</summary>
internal sealed class QuietObserver : IRunObserver
{
    public void Started(Trial trial) { }

    public void Told(Trial trial, TrialEvent what) { }

    public void Ended(Trial trial, TrialOutcome outcome) { }
}

/// <summary>One line for each trial that ends, and an estimate when it can first be made: for logs and pipes.</summary>
internal sealed class PlainObserver(TextWriter output, int total, int parallel, IArena arena) : IRunObserver
{
    private int _ended;

    public void Started(Trial trial) { }

    public void Told(Trial trial, TrialEvent what) { }

    public void Ended(Trial trial, TrialOutcome outcome)
    {
        var metric = arena.MetricsOf(trial.Task).FirstOrDefault(m => outcome.Metrics.ContainsKey(m.Name)) ?? arena.MetricsOf(trial.Task)[0];
        string result = outcome.Failure is { } reason ? $"FAILED, {reason}" : string.Create(CultureInfo.InvariantCulture, $"{metric.Title} {outcome.Metrics.GetValueOrDefault(metric.Name):F3}");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{++_ended}/{total}] {trial.Task} {trial.Method} seed {trial.Seed}: {result}, {outcome.Usage.WallSeconds:F1} s, {outcome.Usage.PeakMemoryBytes / 1e6:F0} MB"));
        if (_ended == 1 && total > parallel)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"at this pace about {outcome.Usage.WallSeconds * total / parallel:F0} s in all"));
    }
}

/// <summary>A progress bar for the study and one for each running trial, on a terminal.</summary>
internal sealed class LiveObserver(ProgressContext progress, int total, int parallel, IArena arena) : IRunObserver
{
    private readonly ProgressTask _all = progress.AddTask("study", maxValue: total);
    private readonly Dictionary<string, ProgressTask> _running = [];
    private readonly Dictionary<(string Task, string Method), List<double>> _results = [];
    private readonly long _started = Stopwatch.GetTimestamp();
    private int _failed;

    public void Started(Trial trial)
    {
        var bar = progress.AddTask(Markup.Escape($"{trial.Method} seed {trial.Seed}"), maxValue: 1);
        _running[trial.Key] = bar;
    }

    public void Told(Trial trial, TrialEvent what)
    {
        if (what is ProgressEvent p && _running.TryGetValue(trial.Key, out var bar))
        {
            bar.Value = p.Fraction;
            bar.Description = Markup.Escape($"{trial.Method} seed {trial.Seed}: {p.What}");
        }
    }

    public void Ended(Trial trial, TrialOutcome outcome)
    {
        if (_running.Remove(trial.Key, out var bar))
            progress.RemoveTask(bar);
        if (outcome.Failure is null)
        {
            if (!_results.TryGetValue((trial.Task, trial.Method), out var values))
                _results[(trial.Task, trial.Method)] = values = [];
            values.Add(arena.MetricsOf(trial.Task).Where(m => outcome.Metrics.ContainsKey(m.Name)).Select(m => outcome.Metrics[m.Name]).FirstOrDefault());
        }
        else
            _failed++;
        _all.Increment(1);
        var (best, value) = Best(trial.Task);
        double left = Stopwatch.GetElapsedTime(_started).TotalSeconds / _all.Value * (total - _all.Value);
        _all.Description = Markup.Escape(string.Create(CultureInfo.InvariantCulture,
            $"{_all.Value:F0} of {total} trials, {parallel} at a time, {left:F0} s left; best so far {best} {value:F3}{(_failed > 0 ? $"; {_failed} failed" : "")}"));
    }

    private (string, double) Best(string task)
    {
        bool higher = arena.MetricsOf(task)[0].Better == Better.Higher;
        var means = _results.Where(r => r.Key.Task == task).Select(r => (r.Key.Method, Value: r.Value.Average())).ToList();
        return means.Count == 0 ? ("none yet", double.NaN) : means.MinBy(r => higher ? -r.Value : r.Value);
    }
}
