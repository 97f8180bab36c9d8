using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Continual learning by dynamic sparse training: every task has a sparse subnetwork of its own inside one dense network, found while
/// training by dropping weak weights and growing others; weights that an earlier task uses are read, never changed, so nothing is forgotten.
/// <para>Paper: Yildirim, Gok, Sokar, Mocanu and Vanschoren, Continual learning with dynamic sparse training: exploring algorithms for effective
/// model updates, CPAL 2024 (arXiv 2308.14831). All of its layouts, drop and growth rules are implemented. Masks M_t [P] are drawn with the layers'
/// densities d_l; a task runs on <c>θ ⊙ M_t</c>; every <see cref="ClDstOptions.UpdateEvery"/> steps ⌈r·n⌉ of a layer's n active weights are dropped and as many grown at
/// 0, with r falling along a cosine; at the end the active weights are merged into θ.</para>
/// <para>Other than the released code: biases and batch normalisations, affine and statistics, which no mask covers, are kept for each task
/// (there old tasks drift); an earlier task's weight that is grown has its value at once (there 0 until the merge); random growth is exact in
/// number; where tasks bring new classes, a task's mask has only its own rows of the head (a dense head would leave later tasks none to
/// learn). A layer all of whose weights are taken is read as it is. Rows of a task not learned yet are answered by the latest task.</para>
/// <para>Cost: dense computation; O(n log n) per layer and round; memory P + 4 (biases and normalisations) bytes a task. While a task is learned the
/// working copy, Adam's means and the best epoch take 5 P values more.</para>
/// </summary>
public sealed class ClDst : IContinualLearner, IReportsSeries
{
    private readonly LearnerSetup _setup;
    private readonly Network _network, _answer;
    private readonly SparseTraining _training;
    private readonly Tensor _masks, _own, _statistics;
    private readonly Counter _tasks = new("cl-dst.tasks");
    private readonly FlatRange[] _unmasked;
    private TaskInfo? _task;

    /// <summary>A learner on the set-up's network.</summary>
    /// <exception cref="InputException">Growth by momentum without Adam.</exception>
    public ClDst(LearnerSetup setup, ClDstOptions options)
    {
        if (options is { Grow: GrowRule.Momentum, Optimizer: not SparseOptimizer.Adam })
            throw InputException.At("cl-dst.grow", "momentum with optimizer=sgd, whose momentum of inactive weights is 0", "optimizer=adam", "Set optimizer=adam, or grow=gradient.");
        _setup = setup;
        _network = setup.Network();
        _answer = _network.Clone();
        _training = new(_network, setup, options);
        int tasks = setup.Training.Tasks;
        _unmasked = [.. _network.Modules.SelectMany(m => m.Kind == ModuleKind.BatchNorm ? m.Parameters : m.Parameters.Skip(1))];
        _masks = zeros(tasks, _network.ParameterValues.Length, ScalarType.Byte).DetachFromDisposeScope();
        _own = zeros(tasks, _unmasked.Sum(r => r.Length)).DetachFromDisposeScope();
        _statistics = zeros(tasks, _network.BufferValues.Length).DetachFromDisposeScope();
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Tasks with subnetworks of their own forget nothing (backward transfer is exactly 0).", Task = "task-incremental", Metric = "backward_transfer", Baseline = "naive", BaselineFactor = 0, Margin = -1e-9 },
        new() { Text = "Drop and grow finds better subnetworks than keeping random ones, at 5% of the weights (here by at least 0.01).", Task = "permuted-told", Metric = "accuracy", Baseline = "cl-dst", Margin = 0.01, MethodOptions = new() { ["density"] = 0.05 }, BaselineOptions = new() { ["density"] = 0.05, ["drop-rate"] = 0 } },
        new() { Text = "At low sparsity the ERK layout is better than the uniform one (here at 50%).", Task = "permuted-told", Metric = "accuracy", Baseline = "cl-dst", Margin = 0, MethodOptions = new() { ["density"] = 0.5, ["init"] = "erk" }, BaselineOptions = new() { ["density"] = 0.5 } },
        new() { Text = "At very high sparsity the uniform layout is better than ERK (here at 99%).", Task = "permuted-told", Metric = "accuracy", Baseline = "cl-dst", Margin = 0, MethodOptions = new() { ["density"] = 0.01 }, BaselineOptions = new() { ["density"] = 0.01, ["init"] = "erk" } },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        new("cl-dst.masks", StateKind.Statistics, _masks), new("cl-dst.own", StateKind.Statistics, _own),
        new("cl-dst.statistics", StateKind.Statistics, _statistics), _tasks.State,
    ];

    /// <summary>Which weights tasks share.</summary>
    public IEnumerable<(string Name, double Value, long Step)> Series => MaskOverlap.Series(_masks, (int)_tasks.Value);

    /// <summary>All weights, those of every task merged.</summary>
    internal Network Network => _network;

    /// <summary>The subnetwork in training.</summary>
    internal SparseTraining Training => _training;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        if (task.Id != _tasks.Value || task.Id >= _setup.Training.Tasks)
            throw new ArgumentException($"task {task.Id} begins after {_tasks.Value} tasks; expected the tasks 0 to {_setup.Training.Tasks - 1} in order, each once", nameof(task));
        _task = task;
        byte[] taken = new byte[_network.ParameterValues.Length];
        for (int j = 0; j < task.Id; j++)
            System.Numerics.Tensors.TensorPrimitives.BitwiseOr(taken, Mask(j), taken);
        _training.Begin(task, taken, ContinualStream.BatchCount(train.Count, _setup.Training.BatchSize));
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (_task is null)
            throw new InvalidOperationException("CL-DST needs task boundaries: begin a task first.");
        using var scope = NewDisposeScope();
        return new(_training.Step(batch), batch.Count, batch.Count, 0);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        var working = _training.End();
        var mask = Mask(task.Id);
        _training.Mask.CopyTo(mask);
        Span<float> merged = _network.ParameterValues, trained = working.ParameterValues;
        for (int i = 0; i < merged.Length; i++)
            if (mask[i] != 0)
                merged[i] = trained[i];
        foreach (var range in _unmasked)
            trained.Slice(range.Offset, range.Length).CopyTo(merged[range.Offset..]);
        working.BufferValues.CopyTo(_network.BufferValues);
        Copy(toOwn: true, _network, task.Id);
        _tasks.Value++;
        return StepReport.None;
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        int latest = (int)_tasks.Value - 1, j = Math.Min(task?.Id ?? latest, latest);
        _answer.CopyStateFrom(_network);
        if (j >= 0)
        {
            var weights = _answer.ParameterValues;
            var mask = Mask(j);
            for (int i = 0; i < weights.Length; i++)
                weights[i] = mask[i] != 0 ? weights[i] : 0;
            Copy(toOwn: false, _answer, j);
        }
        _answer.Training = false;
        return _answer.Forward(x).MoveToOuterDisposeScope();
    }

    private Span<byte> Mask(int task) => _masks.Values<byte>().Slice(task * _network.ParameterValues.Length, _network.ParameterValues.Length);

    /// <summary>Stores what no mask covers as a task's own, or takes it from there.</summary>
    private void Copy(bool toOwn, Network network, int task)
    {
        var own = _own.Values<float>()[(task * (int)_own.shape[1])..];
        foreach (var range in _unmasked)
        {
            Move(network.ParameterValues.Slice(range.Offset, range.Length), own);
            own = own[range.Length..];
        }
        Move(network.BufferValues, _statistics.Values<float>()[(task * network.BufferValues.Length)..]);

        void Move(Span<float> values, Span<float> stored)
        {
            if (toOwn)
                values.CopyTo(stored);
            else
                stored[..values.Length].CopyTo(values);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_network, _answer, _training, _masks, _own, _statistics, _tasks])
            owned.Dispose();
    }
}
