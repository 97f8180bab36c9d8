using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// The input spaces of all layers that tasks share, and what is held fixed beside them, for methods that keep updates out of the spaces
/// of earlier tasks.
/// <para>An update protects <c>W x</c> only; so biases stay where they were initially, at zero unless the network is pre-trained, and
/// normalisations learn in the first task and are frozen, with their statistics, from then on. Where each task brings classes of its own
/// the head is not shared: a row of it learns in its own task only, from a loss among that task's classes.</para>
/// </summary>
internal sealed class InputSpaces : IDisposable
{
    private readonly GpmOptions _options;
    private readonly bool _joint, _pretrained;
    private readonly Counter _tasks;
    private readonly int _most;

    /// <summary>Empty spaces.</summary>
    /// <param name="setup">What the arena gives.</param>
    /// <param name="options">How much of the inputs is kept.</param>
    /// <param name="name">Prefix of the names of the state.</param>
    /// <param name="joint">Whether a task's directions are chosen among old and new ones (<see cref="Subspace.Joint"/>) or added to all old ones (<see cref="Subspace.Residual"/>).</param>
    public InputSpaces(LearnerSetup setup, GpmOptions options, string name, bool joint)
    {
        foreach (double threshold in (double[])[options.FirstThreshold, options.Threshold])
            if (threshold is not (> 0 and <= 1))
                throw new ArgumentException(FormattableString.Invariant($"a threshold of {threshold}; expected a share of energy above 0 and at most 1"), nameof(options));
        (_options, _joint, _pretrained, _most) = (options, joint, setup.Pretrained, setup.Training.Tasks);
        _tasks = new($"{name}.tasks");
        using var network = setup.Network();
        Layers = [.. network.Modules.Select((module, i) => (module, i)).Where(m => m.module.Kind != ModuleKind.BatchNorm && !(setup.NewClasses && m.i == network.Modules.Count - 1))
            .Select(m => new InputSpace(name, m.module, m.i, _most))];
    }

    /// <summary>The layers whose inputs are protected, first to last.</summary>
    public IReadOnlyList<InputSpace> Layers { get; }

    /// <summary>Tasks learned.</summary>
    public int Tasks => (int)_tasks.Value;

    /// <summary>The pieces of state.</summary>
    public IEnumerable<StateEntry> State => Layers.SelectMany(l => l.State).Append(_tasks.State);

    /// <summary>The share of directions of each layer that no task has: at 0 the layer can learn no more.</summary>
    public IEnumerable<(string Name, double Value, long Step)> Series =>
        from task in Enumerable.Range(0, Tasks) from layer in Layers select ($"free/{layer.Module}", 1 - layer.Ranks[task] / (double)layer.Inputs, task + 1L);

    /// <summary>A task begins: sees that it is the next one, and before the first sets biases to zero.</summary>
    /// <exception cref="ArgumentException">Another task is due.</exception>
    public void Begin(Network network, TaskInfo task)
    {
        if (task.Id != Tasks || Tasks == _most)
            throw new ArgumentException($"task {task.Id} begins after {Tasks} tasks; expected the tasks 0 to {_most - 1} in order, each once", nameof(task));
        if (Tasks == 0 && !_pretrained)
            foreach (var module in network.Modules.Where(m => m.Kind != ModuleKind.BatchNorm))
                Of(network.ParameterValues, module.Parameters[1]).Clear();
    }

    /// <summary>Sets the gradient of what is frozen to zero.</summary>
    public void Hold(Network network)
    {
        foreach (var module in network.Modules)
            if (module.Kind != ModuleKind.BatchNorm)
                Of(network.GradientValues, module.Parameters[1]).Clear();
            else if (Tasks > 0)
                network.GradientValues.Slice(module.Offset, module.Length).Clear();
    }

    /// <summary>A task is over: its inputs join the spaces.</summary>
    /// <param name="network">The network that the task uses.</param>
    /// <param name="train">The task's rows.</param>
    /// <returns>Rows passed forward.</returns>
    public StepReport Extend(Network network, Batch train)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        network.Training = false;
        var rows = train.Spread(_options.Rows);
        var inputs = network.ModuleInputs(rows.X);
        for (int i = 0; i < Layers.Count; i++)
        {
            double threshold = Math.Min(1, (i == 0 ? _options.FirstThreshold : _options.Threshold) + _options.ThresholdGrowth * Tasks);
            var (columns, union) = (Layers[i].Columns(inputs), Layers[i].Union(Tasks));
            var (old, fresh) = _joint ? Subspace.Joint(columns, union, threshold, _options.Rank)
                : ([.. Enumerable.Repeat(true, (int)union.shape[1])], Subspace.Residual(columns, union, threshold, _options.Rank));
            Layers[i].Add(Tasks, old, fresh);
        }
        _tasks.Value++;
        return new(double.NaN, rows.Count, 0, 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in Layers)
            layer.Dispose();
        _tasks.Dispose();
    }

    private static Span<float> Of(Span<float> flat, FlatRange range) => flat.Slice(range.Offset, range.Length);
}
