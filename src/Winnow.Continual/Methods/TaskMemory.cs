using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Rows of every finished task, of all tasks equally many: after task t each has room for capacity / t rows. A new task's rows are a random
/// draw; older tasks keep the first of theirs. All memory is taken at construction.
/// </summary>
public sealed class TaskMemory : IDisposable
{
    private readonly Tensor _x, _y, _counts; // rows of each task, then tasks finished

    /// <summary>An empty memory.</summary>
    /// <param name="capacity">Rows kept at most.</param>
    /// <param name="width">Values a row.</param>
    /// <param name="tasks">Tasks of the stream.</param>
    /// <exception cref="ArgumentException">Fewer rows than tasks.</exception>
    public TaskMemory(int capacity, int width, int tasks)
    {
        if (capacity < tasks)
            throw new ArgumentException($"a buffer size of {capacity} for {tasks} tasks; expected at least one row a task: enlarge it", nameof(capacity));
        Capacity = capacity;
        _x = zeros(capacity, width).DetachFromDisposeScope();
        _y = zeros(capacity, ScalarType.Int64).DetachFromDisposeScope();
        _counts = zeros(tasks + 1, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>Rows kept at most.</summary>
    public int Capacity { get; }

    /// <summary>Tasks finished.</summary>
    public int Tasks => (int)_counts.Values<long>()[^1];

    /// <summary>Rows kept of each finished task.</summary>
    public IReadOnlyList<long> CountPerTask => _counts.Values<long>()[..Tasks].ToArray();

    /// <summary>Rows kept.</summary>
    public int Count => (int)CountPerTask.Sum();

    /// <summary>Whether every task of the stream is finished.</summary>
    public bool IsFull => Tasks == _counts.numel() - 1;

    /// <summary>All rows kept, oldest task first, as views; the current dispose scope owns them.</summary>
    public Batch Content => new(_x.narrow(0, 0, Count), _y.narrow(0, 0, Count), false);

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
        [new($"{prefix}.x", StateKind.Memory, _x), new($"{prefix}.y", StateKind.Memory, _y), new($"{prefix}.counts", StateKind.Counter, _counts)];

    /// <summary>Takes rows of a finished task, in place of some of the older tasks'.</summary>
    /// <param name="rows">Rows [n, width].</param>
    /// <param name="random">Which of them are kept, in which order.</param>
    /// <exception cref="InvalidOperationException">More tasks than the stream has.</exception>
    public void Finish(Batch rows, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        int quota = Capacity / (Tasks + 1), start = 0;
        var counts = _counts.Values<long>();
        if (IsFull)
            throw new InvalidOperationException($"task {Tasks + 1} of a stream of {Tasks}");
        var kept = new List<Batch>();
        foreach (int count in CountPerTask)
        {
            var index = arange(start, start + Math.Min(count, quota), dtype: ScalarType.Int64);
            kept.Add(new(_x.index_select(0, index), _y.index_select(0, index)));
            start += count;
        }
        long[] order = [.. Enumerable.Range(0, rows.Count).Select(i => (long)i)];
        random.Shuffle(order);
        kept.Add(rows.Rows(tensor(order[..Math.Min(rows.Count, quota)])));
        int at = 0;
        for (int task = 0; task < kept.Count; task++)
        {
            _x.narrow(0, at, kept[task].Count).copy_(kept[task].X);
            _y.narrow(0, at, kept[task].Count).copy_(kept[task].Y);
            counts[task] = kept[task].Count;
            at += kept[task].Count;
        }
        counts[^1]++;
    }

    /// <summary>Rows drawn without replacement, all of them when fewer are kept; the current dispose scope owns them.</summary>
    public Batch Draw(int count, SeededRandom random)
    {
        long[] order = [.. Enumerable.Range(0, Count).Select(i => (long)i)];
        random.Shuffle(order);
        using var index = tensor(order[..Math.Min(count, order.Length)]);
        return Content.Rows(index);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _x.Dispose();
        _y.Dispose();
        _counts.Dispose();
    }
}
