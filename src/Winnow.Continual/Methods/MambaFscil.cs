using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Mamba-FSCIL: adds classes from a few examples each without growing: between a frozen encoder and a fixed simplex of class directions
/// (<see cref="SimplexEtf"/>) a base branch, frozen after the first session, and one added branch (<see cref="ScanBranch"/>) that starts silent.
/// <para>Paper: Li, Yang, Wu, Yu, Yang, Nie and Zhang, Mamba-FSCIL: Dynamic Adaptation with Selective State Space Model for Few-Shot Class-Incremental Learning, 2024
/// (arXiv 2407.06136). Implemented: both branches with four scan directions, dot regression plain and balanced, suppression and separation
/// (<see cref="ClassSensitiveScan"/>), replay of mean maps and shots, mix-up and cut-mix of base batches, mix-up of maps. The features are as wide as the
/// map has channels, d = C, so that the pooled map can be added without a projection. The encoder arrives pre-trained and is only tuned in the base session.
/// Pairs of a base and a new map are left out of suppression and separation, as they belong to neither.</para>
/// <para>Maps [B, C, H, W] are the last ones of the cnn; an mlp gives maps of 1×1, on which the scan is a gated map without memory.
/// The base session learns from the stream's mini-batches; a later session takes its rows at the end and makes
/// <see cref="MambaFscilOptions.SessionSteps"/> steps on their maps and the memory.</para>
/// <para>Cost: a base row once through encoder and branch; a session n rows through the encoder and steps · batch through both branches.
/// Memory: classes · shots maps; the added branch does not grow with the sessions.</para>
/// </summary>
public sealed class MambaFscil : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly MambaFscilOptions _options;
    private readonly Network _encoder;
    private readonly (int Channels, int Height, int Width) _map;
    private readonly Tensor _frame; // [d, K]
    private readonly ScanBranch _base;
    private readonly ScanBranch? _added;
    private readonly MapMemory _memory;
    private readonly Counter _step = new("mamba-fscil.step"), _steps = new("mamba-fscil.steps");
    private TensorSgd? _optimizer; // of the base session, while it lasts

    /// <summary>A learner on the set-up's encoder.</summary>
    /// <exception cref="ArgumentException">More classes than the feature map has channels.</exception>
    public MambaFscil(LearnerSetup setup, MambaFscilOptions options)
    {
        _setup = setup;
        _options = options;
        _encoder = setup.Network();
        _encoder.Training = false; // normalisations keep the statistics of the pre-training
        _map = _encoder.Architecture is CnnArchitecture cnn ? (cnn.Filters[^1], cnn.Height / 4, cnn.Width / 4) : (_encoder.Architecture.Features, 1, 1);
        if (_map.Channels < setup.Classes)
        {
            _encoder.Dispose();
            throw new ArgumentException($"{setup.Classes} classes and feature maps of {_map.Channels} channels; a simplex needs at least as many dimensions as classes: use a wider encoder, or fewer classes", nameof(setup));
        }
        _frame = SimplexEtf.Random(_map.Channels, setup.Classes, setup.Random("frame")).DetachFromDisposeScope();
        _base = new(_map, options, setup.Random("base"), silent: false);
        _added = options.Branch == SessionBranch.Added ? new(_map, options, setup.Random("added"), options.ZeroInit) : null;
        _memory = new(setup.Classes, options.Shots, _encoder.Architecture.Features);
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Last-session accuracy 57.51 on CIFAR-100 (here at least that of prototypes on the frozen encoder).", Task = "few-shot", Metric = "accuracy", Baseline = "ncm", Margin = 0, TaskOptions = new() { ["model"] = "cnn" } },
        new() { Text = "The selective scan adapts better than a static projector.", Task = "few-shot", Metric = "accuracy", Baseline = "mamba-fscil", Margin = 0, BaselineOptions = new() { ["projector"] = "linear" }, TaskOptions = new() { ["model"] = "cnn" } },
        new() { Text = "Two branches keep the base classes where one forgets (here at least 3 points less forgetting).", Task = "few-shot", Metric = "forgetting", Baseline = "mamba-fscil", Margin = 0.03, BaselineOptions = new() { ["branch"] = "single" }, TaskOptions = new() { ["model"] = "cnn" } },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. Encoder.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        new("mamba-fscil.frame", StateKind.Model, _frame), .. Of(_base, "base"), .. Of(_added, "added"),
        .. _memory.State("mamba-fscil"), _step.State, _steps.State,
    ];

    private static IEnumerable<StateEntry> Of(ScanBranch? branch, string name) =>
        branch?.Parameters.Select(p => new StateEntry($"mamba-fscil.{name}.{p.Key}", StateKind.Model, p.Value)) ?? [];

    /// <summary>The encoder's weights and statistics; its linear head is not used.</summary>
    private IEnumerable<KeyValuePair<string, Tensor>> Encoder => _encoder.LiveState.Where(s => !s.Key.StartsWith("head.", StringComparison.Ordinal));

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        foreach (int c in task.Classes)
            if (_memory.Has(c))
                throw new ArgumentException($"class {c} comes back in task {task.Id}; expected new classes in each session: leave out what was learned", nameof(task));
        if (!_memory.IsEmpty)
            return;
        _step.Value = 0;
        _steps.Value = (long)_setup.Training.Epochs * ContinualStream.BatchCount(train.Count, _setup.Training.BatchSize);
        _optimizer?.Dispose();
        var encoder = Encoder.Select(s => s.Value).Where(v => _options.EncoderScale > 0 && v.requires_grad).Select(v => (v, _options.EncoderScale));
        _optimizer = new([.. _base.Parameters.Values.Select(v => (v, 1.0)), .. encoder], _options.Momentum, _options.WeightDecay, _options.GradientClip);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (_optimizer is null)
            return _memory.IsEmpty ? throw new InvalidOperationException("Mamba-FSCIL needs task boundaries: begin a task first.") : StepReport.None;
        using var scope = NewDisposeScope();
        var rows = Mixed(batch, _setup.Random($"base/{_step.Value}"));
        var maps = _options.EncoderScale > 0 ? Map(_encoder.Features(rows.X)) : Maps(rows.X);
        var features = Pooled(maps) + _base.Forward(maps).Output;
        double loss = _optimizer.Step(rows.Loss(y => SimplexEtf.DotRegression(features, y, _frame, _options.LossWeight, balanced: false)), Rate());
        _step.Value++;
        return new(loss, batch.Count, batch.Count, 0);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        bool first = _memory.IsEmpty;
        var maps = Maps(train.X).flatten(1);
        var report = new StepReport(double.NaN, train.Count, 0, 0);
        if (first)
        {
            _optimizer?.Dispose();
            _optimizer = null;
        }
        else
            report += Session(task, maps, train.Y);
        using var _ = no_grad();
        foreach (int c in task.Classes)
            if (train.Y.eq(c).nonzero().flatten() is { } rows && rows.numel() > 0)
                _memory.Keep(c, maps.index_select(0, rows), first);
        return report;
    }

    /// <summary>A session after the first: steps on the new maps and the memory.</summary>
    private StepReport Session(TaskInfo task, Tensor maps, Tensor labels)
    {
        var random = _setup.Random($"session/{string.Join(',', task.Classes)}");
        var (kept, keptLabels) = _memory.Content;
        var pool = cat([maps, .. Enumerable.Repeat(kept, _options.Copies)]);
        var poolLabels = cat([labels, .. Enumerable.Repeat(keptLabels, _options.Copies)]);
        long[] order = [.. Enumerable.Range(0, (int)pool.shape[0]).Select(i => (long)i)];
        int count = Math.Min(_options.SessionBatch, order.Length);
        using var optimizer = new TensorSgd([.. (_added ?? _base).Parameters.Values.Select(v => (v, 1.0))], _options.Momentum, _options.WeightDecay, _options.GradientClip);
        var report = StepReport.None;
        for (int step = 0; step < _options.SessionSteps; step++)
        {
            _setup.Cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            random.Shuffle(order);
            long[] drawn = order[..count];
            var index = tensor(drawn);
            var x = pool.index_select(0, index).reshape(count, _map.Channels, _map.Height, _map.Width);
            var y = poolLabels.index_select(0, index);
            var rows = random.NextDouble() < _options.FeatureMixUp ? MixedRows.Average(x, y, 0.5, random) : MixedRows.Plain(x, y);
            double rate = _options.SessionLearningRate * (1 + Math.Cos(Math.PI * step / _options.SessionSteps)) / 2;
            report += new StepReport(optimizer.Step(Loss(rows), rate), count, count, drawn.Count(i => i >= maps.shape[0]));
        }
        return report;
    }

    /// <summary>The loss of a session's step.</summary>
    internal Tensor Loss(MixedRows rows)
    {
        var known = _added is null ? null : Fixed(rows.X);
        var branch = (_added ?? _base).Forward(rows.X);
        var features = (known ?? Pooled(rows.X)) + branch.Output;
        var loss = rows.Loss(y => SimplexEtf.DotRegression(features, y, _frame, _options.LossWeight, balanced: true));
        if (_added is null || branch.Gate is not { } gate)
            return loss;
        Tensor ofBase = _memory.IsBase(rows.Y), partnerOfBase = _memory.IsBase(rows.Partner);
        var pure = ofBase.eq(partnerOfBase).nonzero().flatten();
        gate = gate.index_select(0, pure);
        var isBase = ofBase.index_select(0, pure);
        var isNovel = isBase.logical_not();
        List<Tensor?> terms = [ClassSensitiveScan.Suppression(gate, isBase, _options.SuppressBase), ClassSensitiveScan.Suppression(gate, isNovel, -_options.EncourageNovel)];
        if (_options.Separation > 0)
            terms.AddRange(branch.Selective.Select(p => ClassSensitiveScan.Separation(p.index_select(0, pure), isNovel, 0, 1, 3) is { } s ? _options.Separation * s : null));
        return terms.OfType<Tensor>().Aggregate(loss, (sum, term) => sum + term);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var maps = Maps(x);
        var features = Fixed(maps);
        if (_added is not null)
            features += _added.Forward(maps).Output;
        return SimplexEtf.Cosines(features, _frame).MoveToOuterDisposeScope();
    }

    /// <summary>Pooled map plus base branch, off the graph.</summary>
    private Tensor Fixed(Tensor maps)
    {
        using var _ = no_grad();
        return Pooled(maps) + _base.Forward(maps).Output;
    }

    private static Tensor Pooled(Tensor maps) => maps.mean([2, 3]);

    private Tensor Maps(Tensor x)
    {
        using var _ = no_grad();
        return Map(_encoder.Features(x));
    }

    private Tensor Map(Tensor features) => features.reshape(-1, _map.Channels, _map.Height, _map.Width);

    private MixedRows Mixed(Batch batch, SeededRandom random)
    {
        double u = random.NextDouble();
        if (u < _options.MixUp)
            return MixedRows.Average(batch.X, batch.Y, MixedRows.Beta(0.8, random), random);
        return u < _options.MixUp + _options.CutMix && _encoder.Architecture is CnnArchitecture image ? MixedRows.Boxes(batch.X, batch.Y, image, random) : MixedRows.Plain(batch.X, batch.Y);
    }

    /// <summary>Step size of the base session: a linear rise, then a cosine to zero.</summary>
    private double Rate()
    {
        double warm = _options.WarmUp == 0 ? 1 : Math.Min(1, (_step.Value + 1.0) / _options.WarmUp);
        return _options.LearningRate * warm * (1 + Math.Cos(Math.PI * Math.Min(_step.Value, _steps.Value) / Math.Max(1, _steps.Value))) / 2;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable?[])[_encoder, _frame, _base, _added, _memory, _step, _steps, _optimizer])
            owned?.Dispose();
    }
}
