using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Task-Agnostic continual learning using Multiple Experts: a network for each kind of data, switched when the active one's loss jumps, and a
/// selector, trained on a few rows kept, that says which of them answers a row.
/// <para>Paper: Zhu, Majzoubi, Jain and Choromanska, TAME: Task Agnostic Continual Learning using Multiple Experts, CVPR workshops 2024 (arXiv 2210.03869). Implemented:
/// detection and choice (<see cref="LossJumpDetector"/>, <see cref="ExpertSwitch"/>), the selector and its rows, pruning of experts and selector by magnitude
/// with training afterwards. Labels are those of the stream, not of the task, so an expert has an output for every class; the selector is trained
/// several times over the stream, since it may be asked at any time; rows are kept by expert and class. Left out: the selector's augmentation, Nesterov's form of the
/// momentum and step-size schedules.</para>
/// <para>Never told of tasks. Cost: a forward pass and a step a mini-batch (with watch-all a forward pass of every expert), the selector's training; memory: max-experts
/// networks, the selector, and the rows kept.</para>
/// </summary>
public sealed class Tame : IContinualLearner, IReportsSeries, IReportsBoundaries
{
    private const int Points = 200, MostSwitches = 1024;
    private readonly LearnerSetup _setup;
    private readonly TameOptions _options;
    private readonly ExpertSwitch _switch;
    private readonly Network[] _experts;
    private readonly Sgd[] _optimizers;
    private readonly Network _selector;
    private readonly PriorityReservoir _rows;
    private readonly Reservoir? _segment;
    private readonly Tensor? _masks; // with pruning, a row an expert
    private readonly Tensor _timeline, _switches;
    private readonly Counter _steps = new("tame.steps"), _selected = new("tame.selector-runs");

    /// <summary>A learner with one expert.</summary>
    /// <exception cref="InputException">More runs of the selector than steps.</exception>
    public Tame(LearnerSetup setup, TameOptions options)
    {
        (_setup, _options) = (setup, options);
        _experts = [.. Enumerable.Range(0, options.MaxExperts).Select(_ => setup.Network())];
        _optimizers = [.. _experts.Select(e => new Sgd(e, options.LearningRate ?? setup.Training.LearningRate, options.Momentum, options.WeightDecay))];
        _switch = new(options.MaxExperts, () => new(setup.Classes, options.Window, options.Smoothing, options.Deviations, options.MinimumAge), options.WatchAll);
        _selector = Network.Mlp(setup.Width, [options.SelectorHidden], options.MaxExperts, batchNorm: false, setup.Random("tame/selector"));
        _rows = new(options.SelectorBuffer, setup.Width, options.MaxExperts * setup.Classes, setup.Random("tame/rows"));
        _segment = options.Pruning == 0 ? null : new(options.PruningBuffer, setup.Width, setup.Random("tame/segment"));
        _masks = _segment is null ? null : ones(options.MaxExperts, _experts[0].ParameterValues.Length).DetachFromDisposeScope();
        _timeline = full(Points, -1, ScalarType.Int64).DetachFromDisposeScope();
        _switches = zeros(1 + MostSwitches, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Without being told of tasks, experts and a selector beat one network by far on permuted inputs (here: fine-tuning by at least 0.25 on five permutations of which two return).", Task = "returning", Metric = "accuracy",
            Baseline = "naive", Margin = 0.25, TaskOptions = new() { ["steps"] = 5, ["returns"] = 2, ["epochs"] = 10 } },
        new() { Text = "It also beats methods that are told of the tasks (here: online EWC, which is told, by at least 0.05 on five permutations).", Task = "permuted", Metric = "accuracy", Baseline = "ewc", Margin = 0.05 },
    ];

    /// <summary>Experts so far.</summary>
    public int Experts => _switch.Count;

    /// <inheritdoc/>
    public IReadOnlyList<long> Boundaries => _switches.Values<long>().Slice(1, (int)Math.Min(MostSwitches, _switches.Values<long>()[0])).ToArray();

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _experts.SelectMany((e, i) => e.LiveState.Select(s => new StateEntry($"expert{i}.{s.Key}", StateKind.Model, s.Value))),
        .. _optimizers.SelectMany((o, i) => o.Velocity is { } v ? (StateEntry[])[new($"expert{i}.velocity", StateKind.Statistics, v)] : []),
        .. _selector.LiveState.Select(s => new StateEntry($"selector.{s.Key}", StateKind.Model, s.Value)),
        .. _switch.State, .. _rows.State("tame"), .. _segment?.State("tame.segment") ?? [],
        .. _masks is null ? (StateEntry[])[] : [new("tame.masks", StateKind.Statistics, _masks)], new("tame.timeline", StateKind.Counter, _timeline), new("tame.switches", StateKind.Counter, _switches), _steps.State, _selected.State,
    ];

    /// <inheritdoc/>
    public IEnumerable<(string Name, double Value, long Step)> Series =>
    [
        .. _timeline.Values<long>().ToArray().Index().Where(p => p.Item >= 0).Select(p => ("expert", (double)p.Item + 1, p.Index * Every + 1)),
        ("experts", Experts, _steps.Value),
    ];

    private long Every => Math.Max(1, (_setup.Training.Steps + Points - 1) / Points);

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) { }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        using var scope = NewDisposeScope();
        var report = StepReport.None;
        int before = _switch.Active, active = _switch.Choose(Loss);
        if (active != before)
        {
            var switches = _switches.Values<long>();
            if (switches[0]++ < MostSwitches)
                switches[(int)switches[0]] = _steps.Value;
            report += Prune(before);
        }
        report += Train(_experts[active], _optimizers[active], batch, active);
        if (batch.FirstPass)
        {
            _rows.Offer(batch.X, [.. batch.Y.contiguous().Values<long>().ToArray().Select(y => (active * _setup.Classes) + y)]);
            _segment?.Offer(batch.X, batch.Y);
        }
        if (_steps.Value % Every == 0 && _steps.Value / Every < Points)
            _timeline.Values<long>()[(int)(_steps.Value / Every)] = active;
        long done = ++_steps.Value, all = _setup.Training.Steps;
        if (done == all)
            report += Prune(active);
        if (done <= all && done * _options.SelectorRuns / all != (done - 1) * _options.SelectorRuns / all)
            report += Select(prune: done == all);
        return report;

        double Loss(int expert)
        {
            using var _ = no_grad();
            report += StepReport.None with { Forward = batch.Count };
            _experts[expert].Training = false;
            return Criterion(_experts[expert].Forward(batch.X), batch.Y).item<float>();
        }
    }

    private Tensor Criterion(Tensor logits, Tensor labels) => F.cross_entropy(_options.Sigmoid ? logits.sigmoid() : logits, labels);

    private StepReport Train(Network network, Sgd optimizer, Batch batch, int expert)
    {
        network.Training = true;
        network.ZeroGradient();
        double loss = _options.Sigmoid ? network.AddGradient(batch.X, z => Criterion(z, batch.Y)) : network.AddCrossEntropyGradient(batch.X, batch.Y);
        if (_masks is not null)
            optimizer.SetFactors(_masks[expert].Values<float>());
        optimizer.Step();
        return new(loss, batch.Count, batch.Count, 0);
    }

    /// <summary>Prunes an expert that is left, trains what remains on the rows of its segment, and forgets these.</summary>
    private StepReport Prune(int expert)
    {
        if (_segment is null || _masks is null)
            return StepReport.None;
        var mask = _masks[expert].Values<float>();
        MagnitudePruning.Prune(_experts[expert], _options.Pruning).CopyTo(mask);
        using var optimizer = new Sgd(_experts[expert], _options.LearningRate ?? _setup.Training.LearningRate, _options.Momentum, 1e-4);
        var report = _segment.Count < 2 ? StepReport.None
            : Passes(_segment.Content.Rows, _options.PruningEpochs, $"tame/pruning/{_steps.Value}", rows => Train(_experts[expert], optimizer, rows, expert));
        _segment.Clear();
        return report;
    }

    /// <summary>Trains the selector on the rows kept, from where it stands.</summary>
    private StepReport Select(bool prune)
    {
        var kept = _rows.Content;
        var rows = kept with { Y = kept.Y.div(_setup.Classes, rounding_mode: RoundingMode.floor) };
        using var optimizer = new Sgd(_selector, _options.SelectorRate, momentum: 0.9);
        var report = Passes(rows, _options.SelectorEpochs, $"tame/selector/{_selected.Value}", Step);
        if (prune && _options.SelectorPruning > 0)
        {
            optimizer.SetFactors(MagnitudePruning.Prune(_selector, _options.SelectorPruning));
            optimizer.Reset();
            report += Passes(rows, _options.SelectorEpochs, "tame/selector/pruned", Step);
        }
        _selected.Value++;
        return report;

        StepReport Step(Batch part)
        {
            _selector.ZeroGradient();
            double loss = _selector.AddCrossEntropyGradient(part.X, part.Y);
            optimizer.Step();
            return new(loss, part.Count, part.Count, 0);
        }
    }

    /// <summary>Passes over stored rows in mini-batches.</summary>
    private StepReport Passes(Batch rows, int passes, string purpose, Func<Batch, StepReport> step)
    {
        var random = _setup.Random(purpose);
        var report = StepReport.None;
        for (int pass = 0; pass < passes; pass++)
            foreach (var part in rows.MiniBatches(32, random))
            {
                _setup.Cancellation.ThrowIfCancellationRequested();
                report += step(part);
            }
        return report with { Replayed = report.Forward, Loss = double.NaN };
    }

    /// <summary>The expert that answers each of some rows, int64 [B]: the selector's choice, or the active one while there is no choice.</summary>
    public Tensor ExpertOf(Tensor x)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        return (Experts == 1 || _selected.Value == 0 ? full(x.shape[0], _switch.Active, ScalarType.Int64) : _selector.Forward(x).narrow(1, 0, Experts).argmax(1)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits [B, classes] of one expert.</summary>
    public Tensor PredictWith(int expert, Tensor x)
    {
        using var _ = no_grad();
        _experts[expert].Training = false;
        return _experts[expert].Forward(x);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var experts = ExpertOf(x);
        var logits = zeros(x.shape[0], _setup.Classes);
        for (int e = 0; e < Experts; e++)
        {
            var index = experts.eq(e).nonzero().flatten();
            if (index.shape[0] > 0)
                logits.index_copy_(0, index, PredictWith(e, x.index_select(0, index)));
        }
        return logits.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable?[])[.. _experts, .. _optimizers, _selector, _switch, _rows, _segment, _masks, _timeline, _switches, _steps, _selected])
            owned?.Dispose();
    }
}
