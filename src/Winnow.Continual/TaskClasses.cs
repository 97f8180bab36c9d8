using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Which tasks were begun, and their classes, for learners that keep something of their own for each task; kept as state.</summary>
internal sealed class TaskClasses(string name, LearnerSetup setup) : IDisposable
{
    private readonly Tensor _classes = zeros(setup.Training.Tasks, setup.Classes, ScalarType.Int64).DetachFromDisposeScope();
    private readonly Counter _current = new($"{name}.current") { Value = -1 };

    /// <summary>What is remembered.</summary>
    public IEnumerable<StateEntry> State => [new(name, StateKind.Counter, _classes), _current.State];

    /// <summary>The task begun last.</summary>
    /// <exception cref="InvalidOperationException">None was.</exception>
    public TaskInfo Current => _current.Value >= 0
        ? new((int)_current.Value, Of((int)_current.Value))
        : throw new InvalidOperationException("The method needs task boundaries: begin a task first.");

    /// <summary>Ids of the tasks begun so far, ascending.</summary>
    public int[] Learned => [.. Enumerable.Range(0, setup.Training.Tasks).Where(t => Row(t).Contains(1))];

    /// <summary>The classes of a task, ascending; empty before it begins.</summary>
    public int[] Of(int task)
    {
        var row = Row(task);
        var classes = new List<int>();
        for (int c = 0; c < row.Length; c++)
            if (row[c] == 1)
                classes.Add(c);
        return [.. classes];
    }

    /// <summary>A task begins.</summary>
    public void Begin(TaskInfo task)
    {
        Require(task);
        var row = Row(task.Id);
        row.Clear();
        foreach (int c in task.Classes)
            row[c] = 1;
        _current.Value = task.Id;
    }

    /// <summary>Refuses a task that the stream does not have.</summary>
    /// <exception cref="ArgumentException">Such a task.</exception>
    public void Require(TaskInfo task)
    {
        if (task.Id < 0 || task.Id >= setup.Training.Tasks)
            throw new ArgumentException($"task {task.Id} is unknown; expected 0 to {setup.Training.Tasks - 1}, the tasks of the stream", nameof(task));
    }

    private Span<long> Row(int task) => _classes.Values<long>().Slice(task * setup.Classes, setup.Classes);

    /// <inheritdoc/>
    public void Dispose()
    {
        _classes.Dispose();
        _current.Dispose();
    }
}
