using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A network trained by SGD on cross-entropy, with an ordered list of parts: <c>new Learner(setup)</c> is plain fine-tuning,
/// <c>new Learner(setup, new ExperienceReplay(...))</c> is replay, and parts stack.
/// </summary>
public sealed class Learner : IContinualLearner
{
    private readonly IReadOnlyList<IPart> _parts;
    private readonly Sgd _optimizer;
    private readonly Tensor _steps = zeros(1, ScalarType.Int64).DetachFromDisposeScope();

    /// <summary>A learner with its parts; it owns them.</summary>
    public Learner(LearnerSetup setup, params IReadOnlyList<IPart> parts)
    {
        Network = setup.Network();
        _parts = parts;
        _optimizer = new Sgd(Network, setup.Training.LearningRate, setup.Training.Momentum);
    }

    /// <summary>The network.</summary>
    public Network Network { get; }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
        Network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value))
            .Concat(_parts.SelectMany(p => p.State))
            .Append(new("steps", StateKind.Counter, _steps));

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        _optimizer.Reset();
        foreach (var part in _parts)
            part.BeginTask(Network, task, train);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        using var scope = NewDisposeScope();
        var step = new Step { Network = Network, New = batch, Index = _steps.Values<long>()[0] };
        Network.Training = true;
        Batch[] replays = [.. _parts.Select(p => p.Replay(step)).OfType<Batch>()];
        int replayed = replays.Sum(r => r.Count);
        var (x, y) = replayed == 0 ? (batch.X, batch.Y) : (cat([batch.X, .. replays.Select(r => r.X)]), cat([batch.Y, .. replays.Select(r => r.Y)]));

        Network.ZeroGradient();
        double loss = _parts.Any(p => p is ILossPart)
            ? Network.AddGradient(x, logits => Loss(step, logits, y))
            : Network.AddCrossEntropyGradient(x, y);
        foreach (var part in _parts)
            part.Gradient(step);
        _optimizer.Step();
        _steps.Values<long>()[0]++;
        foreach (var part in _parts)
            part.AfterStep(step);
        long rows = batch.Count + replayed;
        return step.Report + new StepReport(loss, rows, rows, replayed);
    }

    private Tensor Loss(Step step, Tensor logits, Tensor y)
    {
        var loss = nn.functional.cross_entropy(logits, y);
        foreach (var part in _parts.OfType<ILossPart>())
            if (part.Loss(step, logits.narrow(0, 0, step.New.Count)) is { } term)
                loss += term;
        return loss;
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) =>
        _parts.Aggregate(StepReport.None, (report, part) => report + part.EndTask(Network, task, train));

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
        foreach (var part in _parts)
            part.Dispose();
        _steps.Dispose();
        Network.Dispose();
    }
}
