using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>What <see cref="TaskFreeConsolidation"/> minimises.</summary>
public enum TaskFreeLoss
{
    /// <summary>Cross-entropy.</summary>
    CrossEntropy,

    /// <summary>Squared distance of the logits from one-hot labels, as in the authors' synthetic experiment.</summary>
    SquaredError,
}

/// <summary>Which loss <see cref="TaskFreeConsolidation"/> looks for plateaus in.</summary>
public enum PlateauLoss
{
    /// <summary>The paper: that of the rows.</summary>
    Data,

    /// <summary>The released code: with the anchor's penalty, which is added to the recorded value in place.</summary>
    Total,
}

/// <summary>
/// Task-free continual learning: a network that finds out by itself, from plateaus of its loss, when something has been learned that
/// should be held.
/// <para>Rows are gathered, one by one, in a recent buffer of R rows. When it is full, G steps of plain SGD are taken on
/// <c>Σ_{recent ∪ hard} ℓ + (λ/2) Σ_i Ω_i (θ_i − θ*_i)²</c> (a sum over rows, not a mean) and it is emptied. The loss of the rows in the first of these steps goes to a
/// <see cref="PlateauDetector"/>; at a plateau, the c-th, <c>g = Σ_{hard} |∂‖f(x)‖₂ / ∂θ|</c> (of the recent rows while no hard one is kept),
/// <c>Ω ← g/c + (1 − 1/c) Ω</c> and <c>θ* ← θ</c>. Then the hard buffer takes the H rows of recent ∪ hard with the largest losses in the last step.</para>
/// <para>Paper: Aljundi, Kelchtermans and Tuytelaars, Task-free continual learning, CVPR 2019 (arXiv 1812.03596); chapter of Aljundi's thesis
/// (arXiv 1910.02718); this is the authors' released loop, in which the penalty slips into the
/// losses that plateaus are looked for in: an option. It is told no boundaries. Rows that do not fill a round when the stream ends are
/// not learned. The thresholds are in units of the summed loss and grow with R + H.</para>
/// <para>Cost: G (R + H) / R rows forward and backward per new row; memory (R + H) rows and 2 P values.</para>
/// </summary>
public sealed class TaskFreeConsolidation : IContinualLearner, IReportsSeries
{
    private readonly LearnerSetup _setup;
    private readonly ContinualThesisOptions _options;
    private readonly QuadraticPenalty _penalty;
    private readonly ScoredRows _recent, _hard;
    private readonly Counter _consolidations = new("task-free.consolidations"), _rounds = new("task-free.rounds");

    /// <summary>A learner on the set-up's network.</summary>
    public TaskFreeConsolidation(LearnerSetup setup, ContinualThesisOptions options)
    {
        (_setup, _options, Network) = (setup, options, setup.Network());
        _penalty = new(Network.ParameterValues.Length);
        _recent = new("task-free.recent", options.RecentBuffer, setup.Width);
        _hard = new("task-free.hard", options.HardBuffer, setup.Width);
        Optimizer = new(Network, options.RoundLearningRate ?? setup.Training.LearningRate / (options.RecentBuffer + options.HardBuffer));
        Detector = new("task-free.window", options.Window, options.PlateauMean, options.PlateauVariance);
    }

    /// <summary>The network.</summary>
    public Network Network { get; }

    /// <summary>Its optimiser: parameters can be frozen in it.</summary>
    public Sgd Optimizer { get; }

    /// <summary>What looks for plateaus.</summary>
    public PlateauDetector Detector { get; }

    /// <summary>How often weights were consolidated, c.</summary>
    public long Consolidations => _consolidations.Value;

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. Network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        .. _recent.State, .. _hard.State, .. _penalty.State("task-free"), .. Detector.State, _consolidations.State, _rounds.State,
    ];

    /// <inheritdoc/>
    public IEnumerable<(string Name, double Value, long Step)> Series => [("consolidations", Consolidations, _rounds.Value)];

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) { }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        var report = StepReport.None;
        for (int i = 0; i < batch.Count; i++)
        {
            _recent.Set(_recent.Count, batch, i, 0);
            if (_recent.Count == _recent.Capacity)
                report += Round();
        }
        return report;
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    private StepReport Round()
    {
        using var scope = NewDisposeScope();
        var (recent, hard) = (_recent.Content, _hard.Content);
        var rows = new Batch(cat([recent.X, hard.X]), cat([recent.Y, hard.Y]));
        float[] losses = [];
        double first = double.NaN, rate = _options.AnchorStep == AnchorStep.Implicit ? Optimizer.LearningRate : 0;
        Network.Training = true;
        for (int step = 0; step < _options.RoundSteps; step++)
        {
            _setup.Cancellation.ThrowIfCancellationRequested();
            Network.ZeroGradient();
            double loss = Network.AddGradient(rows.X, logits =>
            {
                var each = RowLosses(logits, rows.Y);
                losses = each.detach().Values<float>().ToArray();
                return each.sum();
            });
            if (step == 0)
                first = loss + (_options.PlateauLoss == PlateauLoss.Total ? _penalty.Value(Network, _options.Anchor) : 0);
            _penalty.Apply(Network, _options.Anchor, rate);
            Optimizer.Step();
        }
        var report = new StepReport(first / rows.Count, (long)rows.Count * _options.RoundSteps, (long)rows.Count * _options.RoundSteps, (long)hard.Count * _options.RoundSteps);
        if (Detector.Observe(first))
            report += Consolidate(hard.Count > 0 ? hard : recent);
        int slot = 0;
        _hard.Clear();
        foreach (int i in Enumerable.Range(0, rows.Count).OrderByDescending(i => losses[i]).Take(_hard.Capacity))
            _hard.Set(slot++, rows, i, losses[i]);
        _recent.Clear();
        _rounds.Value++;
        return report;
    }

    private StepReport Consolidate(Batch held)
    {
        double c = ++_consolidations.Value;
        var g = OutputSensitivity.Sum(Network, held.X, 1, OutputSensitivity.Norms, _setup.Cancellation);
        _penalty.Importance.mul_(1 - 1 / c).add_(g, 1 / c);
        _penalty.Anchor.copy_(Network.Parameters);
        return new(double.NaN, held.Count, held.Count, held.Count);
    }

    private Tensor RowLosses(Tensor logits, Tensor labels) => _options.Loss == TaskFreeLoss.CrossEntropy
        ? F.cross_entropy(logits, labels, reduction: nn.Reduction.None)
        : (logits - F.one_hot(labels, logits.shape[1])).square().sum(1);

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Network.Training = false;
        return Network.Forward(x).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_penalty, _recent, _hard, Optimizer, Detector, _consolidations, _rounds, Network])
            owned.Dispose();
    }
}
