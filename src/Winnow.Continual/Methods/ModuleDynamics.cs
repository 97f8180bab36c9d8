using System.Numerics;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>What a module's change at task boundaries is measured against.</summary>
public enum SensitivityReference
{
    /// <summary>The mean change of all modules at boundaries.</summary>
    AllModules,

    /// <summary>The module's own mean change inside tasks.</summary>
    WithinTask,
}

/// <summary>
/// Measures how much each module of a network changes: Δ_ℓ(n) = ‖θ_ℓ(n) − θ_ℓ(n−1)‖₁ / |θ_ℓ| between checkpoints n, of which there is one
/// after every epoch. A module's sensitivity is its mean change over the first epochs of new tasks, relative to a reference; where no task
/// is announced, over all checkpoints. For batch normalisation the changes of weight, bias, running mean and running variance are recorded one by one, too.
/// <para>Cost: one pass over the parameters per checkpoint; memory one copy of the network.</para>
/// </summary>
public sealed class ModuleDynamics : IPart, IReportsSeries
{
    private readonly TrainingPlan _training;
    private readonly int? _every;
    private readonly SensitivityReference _reference;
    private readonly Quantity[] _quantities;
    private readonly int _modules;
    private readonly Tensor _parameters, _buffers, _changes, _atBoundary;
    private readonly Counter _checkpoints = new("dynamics.checkpoints"), _sinceLast = new("dynamics.since"), _interval = new("dynamics.interval"), _newTask = new("dynamics.new-task");

    /// <summary>Follows the modules of a set-up's network.</summary>
    /// <param name="setup">The set-up.</param>
    /// <param name="every">Steps between checkpoints; null for one epoch.</param>
    /// <param name="reference">What <see cref="Sensitivity"/> is relative to.</param>
    public ModuleDynamics(LearnerSetup setup, int? every = null, SensitivityReference reference = SensitivityReference.AllModules)
    {
        _training = setup.Training;
        _every = every;
        _reference = reference;
        using var network = setup.Network();
        _quantities = [.. network.Modules.Select(m => new Quantity(m.Name, false, m.Offset, m.Length)),
            .. network.Modules.Where(m => m.Kind == ModuleKind.BatchNorm).SelectMany(m =>
                m.Parameters.Select(p => new Quantity(p.Name, false, p.Offset, p.Length)).Concat(m.Buffers.Select(b => new Quantity(b.Name, true, b.Offset, b.Length))))];
        _modules = network.Modules.Count;
        long capacity = Math.Max(1, every is { } steps ? _training.Steps / steps : _training.Tasks * _training.Epochs);
        _parameters = network.Parameters.clone().DetachFromDisposeScope();
        _buffers = network.Buffers.clone().DetachFromDisposeScope();
        _changes = zeros(capacity * _quantities.Length, ScalarType.Float64).DetachFromDisposeScope();
        _atBoundary = zeros(capacity, ScalarType.Int64).DetachFromDisposeScope();
        _interval.Value = every ?? Math.Max(1, (_training.Steps + capacity - 1) / capacity);
    }

    /// <summary>The mean absolute change Δ between two states of a module.</summary>
    public static double Change<T>(ReadOnlySpan<T> before, ReadOnlySpan<T> after) where T : INumber<T>
    {
        if (before.Length != after.Length || before.Length == 0)
            throw new ArgumentException($"states of {before.Length} and {after.Length} parameters; expected equal numbers, not zero", nameof(after));
        double sum = 0;
        for (int i = 0; i < before.Length; i++)
            sum += Math.Abs(double.CreateChecked(after[i]) - double.CreateChecked(before[i]));
        return sum / before.Length;
    }

    /// <summary>The changes of a module between consecutive checkpoints, whose parameters lie behind one another.</summary>
    public static double[] Changes(ReadOnlySpan<double> states, int checkpoints)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(checkpoints, 1);
        if (states.Length % checkpoints != 0)
            throw new ArgumentException($"{states.Length} values are not {checkpoints} equal states", nameof(states));
        int length = states.Length / checkpoints;
        var changes = new double[checkpoints - 1];
        for (int n = 0; n < changes.Length; n++)
            changes[n] = Change(states.Slice(n * length, length), states.Slice((n + 1) * length, length));
        return changes;
    }

    /// <summary>Positions from the largest value to the smallest; equal ones keep their order.</summary>
    public static int[] Ranking(IReadOnlyList<double> values) => [.. Enumerable.Range(0, values.Count).OrderByDescending(i => values[i])];

    /// <summary>Checkpoints taken so far.</summary>
    public int Checkpoints => (int)_checkpoints.Value;

    /// <summary>The sensitivity of each module, in the network's order; null before the first checkpoint.</summary>
    public double[]? Sensitivity()
    {
        if (Checkpoints == 0)
            return null;
        double[] changes = _changes.Values<double>().ToArray();
        long[] atBoundary = _atBoundary.Values<long>().ToArray();
        int[] all = [.. Enumerable.Range(0, Checkpoints)];
        int[] boundaries = [.. all.Where(n => atBoundary[n] == 1)], inside = [.. all.Where(n => atBoundary[n] == 0)];
        double[] jump = Mean(boundaries.Length == 0 ? all : boundaries);
        double[] reference = _reference == SensitivityReference.WithinTask && inside.Length > 0 ? Mean(inside) : [.. Enumerable.Repeat(jump.Average(), _modules)];
        return [.. jump.Zip(reference, (j, r) => r == 0 ? 0 : j / r)];

        double[] Mean(int[] checkpoints) => [.. Enumerable.Range(0, _modules).Select(q => checkpoints.Average(n => changes[n * _quantities.Length + q]))];
    }

    /// <inheritdoc/>
    public IEnumerable<(string Name, double Value, long Step)> Series
    {
        get
        {
            double[] changes = _changes.Values<double>().ToArray();
            for (int n = 0; n < Checkpoints; n++)
                for (int q = 0; q < _quantities.Length; q++)
                    yield return ($"change/{_quantities[q].Name}", changes[n * _quantities.Length + q], n + 1);
            if (Sensitivity() is { } scores)
                for (int q = 0; q < scores.Length; q++)
                    yield return ($"sensitivity/{_quantities[q].Name}", scores[q], Checkpoints);
        }
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        new("dynamics.parameters", StateKind.Statistics, _parameters), new("dynamics.buffers", StateKind.Statistics, _buffers),
        new("dynamics.changes", StateKind.Statistics, _changes), new("dynamics.boundary", StateKind.Counter, _atBoundary),
        _checkpoints.State, _sinceLast.State, _interval.State, _newTask.State,
    ];

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        Remember(network);
        _sinceLast.Value = 0;
        _newTask.Value = task.Id > 0 ? 1 : 0;
        if (_every is null)
            _interval.Value = ContinualStream.BatchCount(train.Count, _training.BatchSize);
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (++_sinceLast.Value < _interval.Value || Checkpoints == _atBoundary.shape[0])
            return;
        Span<float> parameters = _parameters.Values<float>(), buffers = _buffers.Values<float>();
        var row = _changes.Values<double>().Slice(Checkpoints * _quantities.Length, _quantities.Length);
        for (int q = 0; q < _quantities.Length; q++)
        {
            var (_, isBuffer, offset, length) = _quantities[q];
            row[q] = isBuffer
                ? Change<float>(buffers.Slice(offset, length), step.Network.BufferValues.Slice(offset, length))
                : Change<float>(parameters.Slice(offset, length), step.Network.ParameterValues.Slice(offset, length));
        }
        _atBoundary.Values<long>()[Checkpoints] = _newTask.Value;
        _checkpoints.Value++;
        _sinceLast.Value = _newTask.Value = 0;
        Remember(step.Network);
    }

    /// <summary>Runs something that changes the network and leaves its changes out of the measurement.</summary>
    internal StepReport Exclude(Network network, Func<StepReport> repair)
    {
        using var scope = NewDisposeScope();
        var (parameters, buffers) = (network.Parameters.clone(), network.Buffers.clone());
        var report = repair();
        using var _ = no_grad();
        _parameters.add_(network.Parameters - parameters);
        _buffers.add_(network.Buffers - buffers);
        return report;
    }

    private void Remember(Network network)
    {
        using var _ = no_grad();
        _parameters.copy_(network.Parameters);
        _buffers.copy_(network.Buffers);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[_parameters, _buffers, _changes, _atBoundary])
            tensor.Dispose();
        foreach (var counter in (Counter[])[_checkpoints, _sinceLast, _interval, _newTask])
            counter.Dispose();
    }

    /// <summary>Something that is followed: a range of the parameters or of the normalisation statistics.</summary>
    private sealed record Quantity(string Name, bool IsBuffer, int Offset, int Length);
}
