using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Winnow.Continual;

/// <summary>
/// One mechanism, a stiffness b for each group of weights in a quadratic anchor, that a small policy sets: frozen, elastic or free weights give
/// no forgetting, transfer in both directions, less confusion, rehearsal or graceful forgetting.
/// <para>Paper: Ling and Bohn, A Deep Learning Framework for Lifelong Machine Learning, 2021 (arXiv 2105.00157; earlier: A Conceptual Framework for
/// Lifelong Learning, arXiv 1911.09704).</para>
/// <para><c>L_t(θ) + Σ_i b_i (θ_i − θ*_i)²</c>, θ* the weights at the last consolidation, taken as a proximal step (<see cref="Consolidation"/>).
/// Each task recruits free units of the network, which is made at full size: whatever leads out of a free unit is 0 and frozen, so that
/// outputs are those of the grown network. Weights form groups by the tasks of the units they lead from and to; links from new to old units
/// begin at 0, and each task's classes are a head of their own, trained against each other only. The abilities are <see cref="ConsolidationPolicy"/>; their schedules and strengths are this code's, the paper has toy
/// examples only. A class is similar to the one that the network takes it for. With a pre-trained encoder all its units are old. Left out:
/// moving free units between layers, and pruning links within a task.</para>
/// <para>Where anything is frozen, normalisations keep the statistics of the first task, and gradients are cut to length 1.</para>
/// <para>Cost: one operation per weight and step; after a task Epochs passes over the stored rows, or a Fisher information; memory 2 P
/// values (the framework needs one number a group; one a weight is simpler), P more for importance, and the stored rows.</para>
/// </summary>
public sealed class LifelongFramework : IObjectivePart
{
    private readonly LearnerSetup _setup;
    private readonly LifelongFrameworkOptions _options;
    private readonly Consolidation _consolidation;
    private readonly UnitTags _tags;
    private readonly ClassBalancedMemory? _memory;
    private readonly Tensor? _fisher;
    private readonly long _first; // number of the first task: 1 when the encoder counts as an earlier one

    /// <summary>A part that has learned nothing.</summary>
    /// <exception cref="ArgumentException">The network has fewer units than the tasks would recruit.</exception>
    public LifelongFramework(LearnerSetup setup, LifelongFrameworkOptions options)
    {
        using var network = setup.Network();
        _setup = setup;
        _options = options;
        _first = setup.Pretrained ? 1 : 0;
        _consolidation = new(network.ParameterValues.Length);
        _tags = new(network);
        Grows = options.Grow && !setup.Pretrained;
        for (int l = 0; l < _tags.HiddenLayers; l++)
        {
            int units = _tags.Hidden(l).Length, wanted = (options.UnitsPerTask ?? 1) * setup.Training.Tasks;
            if (Grows && wanted > units && options.Policy != ConsolidationPolicy.GracefulForgetting)
                throw new ArgumentException($"hidden layer {l + 1} has {units} units; {setup.Training.Tasks} tasks would recruit {wanted} and the last ones none: make it wider, recruit fewer (units-per-task), or choose graceful-forgetting, which takes those of old tasks", nameof(options));
            if (!Grows)
                _tags.Hidden(l).Clear(); // all are the first task's
        }
        if (options.Policy is ConsolidationPolicy.ConfusionReduction or ConsolidationPolicy.BackwardTransfer or ConsolidationPolicy.Sleep)
            _memory = new(options.BufferSize, setup.Width, setup.Classes, setup.Random);
        if (options.Policy == ConsolidationPolicy.Importance)
            _fisher = zeros(network.ParameterValues.Length).DetachFromDisposeScope();
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new()
        {
            Text = "Non-forgetting: with infinite stiffness nothing is lost (backward transfer of exactly 0 when the task is told).",
            Task = "task-incremental", Metric = "backward_transfer", Baseline = "naive", BaselineFactor = 0, Margin = -1e-9, MethodOptions = new() { ["policy"] = "non-forgetting" },
        },
        new()
        {
            Text = "Backward transfer: with rehearsal, learning later tasks does not harm earlier ones (at least 0, to within 0.005, when the task is told).",
            Task = "task-incremental", Metric = "backward_transfer", Baseline = "naive", BaselineFactor = 0, Margin = -0.005, MethodOptions = new() { ["policy"] = "backward-transfer" },
        },
        new()
        {
            Text = "Rehearsal: short sleep with few stored rows and a little stiffness everywhere keeps all tasks (here at least 0.3 above EWC among all classes).",
            Task = "class-incremental", Metric = "accuracy", Baseline = "ewc", Margin = 0.3, MethodOptions = new() { ["policy"] = "sleep" },
        },
        new()
        {
            Text = "Confusion reduction: unlocking only the most confused classes raises the accuracy among all classes above that of non-forgetting alone.",
            Task = "class-incremental", Metric = "accuracy", Baseline = "lifelong-framework", Margin = 0.02, MethodOptions = new() { ["policy"] = "confusion-reduction" }, BaselineOptions = new() { ["policy"] = "non-forgetting" },
        },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _consolidation.State("lifelong"), .. _tags.State("lifelong"), .. _memory?.State("lifelong.memory") ?? [],
        .. _fisher is null ? Array.Empty<StateEntry>() : [new("lifelong.fisher", StateKind.Statistics, _fisher)],
    ];

    /// <summary>Whether tasks recruit units.</summary>
    internal bool Grows { get; }

    /// <summary>The tasks of units and classes.</summary>
    internal UnitTags Tags => _tags;

    /// <summary>The task that is being learned, or was learned last; before the first, one less.</summary>
    private long Current => Math.Max(_first - 1, TensorPrimitives.Max<long>(_tags.Classes));

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        foreach (int c in task.Classes)
            if (_tags.Classes[c] != UnitTags.Free)
                throw new ArgumentException($"class {c} comes back in task {task.Id}; this method needs tasks of new classes", nameof(task));
        long t = Current + 1;
        foreach (int c in task.Classes)
            _tags.Classes[c] = t;
        if (Grows)
            Growth.Recruit(network, _tags, t, _options.UnitsPerTask, _setup);
        if (_options.Policy == ConsolidationPolicy.ForwardTransfer && t > 0)
            ForwardTransfer.Copy(network, _tags, t, task.Classes, train);
        Assign(network, link => During(link, t));
    }

    /// <inheritdoc/>
    public Objective? Objective(Step step)
    {
        if (Fixed)
            step.Network.Training = false;
        if (!Grows || Current < 0)
            return null;
        long t = Current;
        var own = tensor(Array.ConvertAll(_tags.Classes.ToArray(), tag => tag == t));
        return new(null, (logits, _) => nn.functional.cross_entropy(logits.Among(own), step.New.Y));
    }

    /// <inheritdoc/>
    public void Gradient(Step step) => Clip(step.Network);

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        _consolidation.Apply(step.Network);
        if (step.New.FirstPass)
            _memory?.Offer(step.New.X, step.New.Y);
    }

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        if (_fisher is not null)
        {
            var (fisher, report) = FisherInformation.Of(network, train, FisherKind.Expected, _options.FisherRows, _setup.Random($"fisher/{task.Id}"), _setup);
            _fisher.add_(fisher);
            return report;
        }
        return _memory is null || Current == _first || _options.Epochs == 0 ? StepReport.None : Rehearse(network);
    }

    /// <summary>The stiffness of a group while task t is learned.</summary>
    private double During(Link link, long t) =>
        link.To == UnitTags.Free || link.From == UnitTags.Free ? Grows ? double.PositiveInfinity : 0
        : link.To == t ? _options.Policy == ConsolidationPolicy.ForwardTransfer && t > _first ? _options.Elasticity : 0
        : _options.Policy == ConsolidationPolicy.GracefulForgetting ? Faded(t - 1 - Math.Max(link.To, link.From == t ? link.To : link.From))
        : link.From == t ? double.PositiveInfinity : Learned;

    /// <summary>The stiffness of a group while stored rows are learned after task t.</summary>
    private double After(Link link, long t, (int, int) pair) => link.To == UnitTags.Free || link.From == UnitTags.Free ? double.PositiveInfinity : _options.Policy switch
    {
        ConsolidationPolicy.Sleep => _options.Elasticity,
        ConsolidationPolicy.BackwardTransfer => link.To < t && (link.From == t || IsHead(link)) ? _options.Elasticity : double.PositiveInfinity,
        _ => IsHead(link) && (link.Unit == pair.Item1 || link.Unit == pair.Item2) ? _options.Elasticity : double.PositiveInfinity,
    };

    private StepReport Rehearse(Network network)
    {
        var rows = _memory!.Content;
        long t = Current;
        network.Training = !Fixed;
        var (a, b, cost) = (-1, -1, StepReport.None);
        Tensor? pair = null;
        if (_options.Policy == ConsolidationPolicy.ConfusionReduction)
        {
            if (rows.Y.max().item<long>() == rows.Y.min().item<long>())
                return cost; // the stored rows are of one class: nothing is confused
            (a, b) = Confusion.MostConfused(network, rows, _setup.Classes);
            cost = new(double.NaN, rows.Count, 0, 0);
            pair = tensor(new long[] { a, b });
            rows = rows.Rows(isin(rows.Y, pair).nonzero().flatten());
        }
        Assign(network, link => After(link, t, (a, b)));
        using var optimizer = new Sgd(network, _setup.Training.LearningRate, _setup.Training.Momentum);
        var order = _setup.Random($"rehearsal/{t}");
        for (int epoch = 0; epoch < _options.Epochs; epoch++)
            foreach (var batch in rows.MiniBatches(_setup.Training.BatchSize, order))
            {
                _setup.Cancellation.ThrowIfCancellationRequested();
                network.ZeroGradient();
                double loss = pair is null ? network.AddCrossEntropyGradient(batch.X, batch.Y)
                    : network.AddGradient(batch.X, z => nn.functional.cross_entropy(z.index_select(1, pair), batch.Y.eq(b).to_type(ScalarType.Int64)));
                Clip(network);
                optimizer.Step();
                _consolidation.Apply(network);
                cost += new StepReport(loss, batch.Count, batch.Count, batch.Count);
            }
        return cost;
    }

    private void Assign(Network network, Func<Link, double> stiffness)
    {
        var links = _tags.Links(network);
        _consolidation.Assign(network, _fisher is null ? links.Select(k => (k.Offset, k.Length, stiffness(k))) : links.SelectMany(ByImportance), _setup.Training.LearningRate);

        // Free units stay out of it; of all others each weight has a stiffness of its own.
        IEnumerable<(int, int, double)> ByImportance(Link k) => Grows && (k.To == UnitTags.Free || k.From == UnitTags.Free)
            ? [(k.Offset, k.Length, double.PositiveInfinity)]
            : Enumerable.Range(k.Offset, k.Length).Select(i => (i, 1, _fisher.Values<float>()[i] is > 0 and var f ? Learned * f : 0));
    }

    /// <summary>What is left of a task's stiffness when some more have followed it.</summary>
    private double Faded(long tasks) => Math.Pow(_options.Decay, tasks) is > 0 and var left ? Learned * left : 0;

    private double Learned => _options.Stiffness ?? double.PositiveInfinity;

    private bool Fixed => _setup.Pretrained || Current > 0 && (Grows || _options.Stiffness is null);

    /// <summary>Fixed statistics of other data can make activations large: gradients are then cut to a length of 1.</summary>
    private void Clip(Network network)
    {
        if (Fixed && network.Architecture.BatchNorm && TensorPrimitives.Norm(network.GradientValues) is > 1 and var length)
            TensorPrimitives.Divide(network.GradientValues, length, network.GradientValues);
    }

    private bool IsHead(Link link) => link.Layer == _tags.HiddenLayers;

    /// <inheritdoc/>
    public void Dispose()
    {
        _consolidation.Dispose();
        _tags.Dispose();
        _memory?.Dispose();
        _fisher?.Dispose();
    }
}
