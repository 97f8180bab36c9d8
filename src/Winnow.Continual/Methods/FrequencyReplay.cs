using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Replay of the classes that come neither too rarely nor often: with n_c the tasks in which class c was trained, replays included, and T the
/// tasks done, those with <c>low &lt; n_c / T ≤ high</c> and n_c ≥ 3 come back with the next task, rarest first, at most as many as the task
/// has classes itself. All their stored rows are spread over the task's mini-batches.
/// <para>Memory: rows · classes · (width + 1) values; a class that comes again has some of its rows replaced. Cost: the replayed rows.</para>
/// </summary>
public sealed class FrequencyReplay : IPart
{
    /// <summary>A class trained in fewer tasks is not replayed.</summary>
    public const int Least = 3;
    private const int LeastReplaced = 10;
    private readonly LearnerSetup _setup;
    private readonly ScoleOptions _options;
    private readonly Tensor _x, _stored, _trained, _chosen;
    private readonly Counter _tasks = new("scole.tasks"), _step = new("scole.step"), _steps = new("scole.steps");

    /// <summary>A part that has seen nothing.</summary>
    public FrequencyReplay(LearnerSetup setup, ScoleOptions options)
    {
        (_setup, _options) = (setup, options);
        _x = zeros(setup.Classes * options.RowsPerClass, setup.Width).DetachFromDisposeScope();
        _stored = zeros(setup.Classes, ScalarType.Int64).DetachFromDisposeScope();
        _trained = zeros(setup.Classes, ScalarType.Int64).DetachFromDisposeScope();
        _chosen = zeros(setup.Classes, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        new("scole.x", StateKind.Memory, _x), new("scole.stored", StateKind.Counter, _stored), new("scole.trained", StateKind.Counter, _trained),
        new("scole.chosen", StateKind.Counter, _chosen), _tasks.State, _step.State, _steps.State,
    ];

    /// <summary>The classes to replay, in the order in which they are taken: by n_c, then by number.</summary>
    /// <param name="trained">n_c.</param>
    /// <param name="tasks">T.</param>
    /// <param name="task">The classes of the task to come.</param>
    /// <param name="low">Rarer classes are not worth it.</param>
    /// <param name="high">More frequent ones come by themselves.</param>
    /// <param name="least">n_c of a class that is worth it at least.</param>
    public static IReadOnlyList<int> Choose(IReadOnlyList<long> trained, long tasks, IReadOnlyCollection<int> task, double low, double high, int least = Least) =>
    [
        .. Enumerable.Range(0, trained.Count).OrderBy(c => trained[c]).Where(c => !task.Contains(c) && trained[c] >= least)
            .TakeWhile(c => (double)trained[c] / tasks <= high).Where(c => (double)trained[c] / tasks > low).Take(task.Count),
    ];

    /// <summary>Counts a task: n_c grows by one for each class that was trained, new or replayed.</summary>
    public static void Count(Span<long> trained, IEnumerable<int> classes)
    {
        foreach (int c in classes.Distinct())
            trained[c]++;
    }

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        long[] trained = _trained.Values<long>().ToArray();
        var random = _setup.Random($"scole/choice/{_tasks.Value}");
        int[] seen = [.. Enumerable.Range(0, trained.Length).Where(c => trained[c] > 0)];
        IEnumerable<int> chosen = _options.Replay == ScoleReplay.Frequency ? Choose(trained, _tasks.Value, [.. task.Classes], _options.Low, _options.High)
            : seen.Length == 0 ? [] : [.. task.Classes.Where(_ => random.NextDouble() < _options.Budget).Select(_ => seen[random.Next(seen.Length)])];
        _chosen.zero_().Dispose();
        foreach (int c in chosen)
            _chosen.Values<long>()[c] = 1;
        (_step.Value, _steps.Value) = (0, ContinualStream.BatchCount(train.Count, _setup.Training.BatchSize));
    }

    /// <inheritdoc/>
    public Batch? Replay(Step step)
    {
        if (_steps.Value == 0)
            throw new InvalidOperationException("This replay counts tasks, and none was announced: use replay=none on this stream.");
        long pass = _step.Value / _steps.Value, at = _step.Value++ % _steps.Value;
        var rows = new List<long>();
        for (int c = 0; c < _setup.Classes; c++)
            for (long i = 0; _chosen.Values<long>()[c] == 1 && i < _stored.Values<long>()[c]; i++)
                rows.Add((long)c * _options.RowsPerClass + i);
        long[] order = [.. rows];
        _setup.Random($"scole/order/{_tasks.Value}/{pass}").Shuffle(order);
        long[] share = order[(int)(at * order.Length / _steps.Value)..(int)((at + 1) * order.Length / _steps.Value)];
        return share.Length == 0 ? null : new(_x.index_select(0, tensor(share)), tensor([.. share.Select(r => r / _options.RowsPerClass)]), FirstPass: false);
    }

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        var random = _setup.Random($"scole/memory/{_tasks.Value}");
        long[] labels = train.Y.contiguous().Values<long>().ToArray();
        foreach (int c in task.Classes)
            Store(c, train.X, [.. Enumerable.Range(0, labels.Length).Where(i => labels[i] == c)], random);
        long[] chosen = _chosen.Values<long>().ToArray();
        Count(_trained.Values<long>(), task.Classes.Concat(Enumerable.Range(0, chosen.Length).Where(c => chosen[c] == 1)));
        _tasks.Value++;
        return StepReport.None;
    }

    /// <summary>Fills the memory of a class that is new; of one that has come before, replaces max(rows / (n_c + 1), 10) random rows.</summary>
    private void Store(int c, Tensor x, int[] fresh, SeededRandom random)
    {
        random.Shuffle(fresh);
        ref long stored = ref _stored.Values<long>()[c];
        int[] slots = [.. Enumerable.Range(0, _options.RowsPerClass)];
        if (stored > 0)
        {
            slots = [.. Enumerable.Range(0, (int)stored)];
            random.Shuffle(slots);
            slots = slots[..(int)Math.Min(stored, Math.Max(_options.RowsPerClass / (_trained.Values<long>()[c] + 1), LeastReplaced))];
        }
        int count = Math.Min(slots.Length, fresh.Length);
        for (int i = 0; i < count; i++)
            _x[(long)c * _options.RowsPerClass + slots[i]].copy_(x[fresh[i]]);
        stored = Math.Max(stored, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_x, _stored, _trained, _chosen, _tasks, _step, _steps])
            owned.Dispose();
    }
}
