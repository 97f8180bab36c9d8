using Winnow.Learning;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// A network trained by SGD on cross-entropy, with an ordered list of parts: <c>new Learner(setup)</c> is plain fine-tuning,
/// <c>new Learner(setup, new ExperienceReplay(...))</c> is replay, and parts stack.
/// </summary>
public sealed class Learner : IContinualLearner, IReportsSeries
{
    private readonly IReadOnlyList<IPart> _parts;
    private readonly ILossPart[] _terms;
    private readonly IObjectivePart? _objective;
    private readonly IUpdatePart? _update;
    private readonly Sgd? _optimizer;
    private readonly Tensor _steps = zeros(1, ScalarType.Int64).DetachFromDisposeScope();

    /// <summary>A learner with its parts; it owns them.</summary>
    /// <exception cref="ArgumentException">Two parts replace the loss, or two the optimiser.</exception>
    public Learner(LearnerSetup setup, params IReadOnlyList<IPart> parts)
    {
        _objective = Only<IObjectivePart>("loss");
        _update = Only<IUpdatePart>("optimiser");
        Network = setup.Network();
        _parts = parts;
        _terms = [.. parts.OfType<ILossPart>()];
        if (_update is null)
            _optimizer = new Sgd(Network, setup.Training.LearningRate, setup.Training.Momentum);
        else
            _update.Attach(Network);

        TPart? Only<TPart>(string what) where TPart : class, IPart
        {
            TPart[] found = [.. parts.OfType<TPart>()];
            return found.Length <= 1 ? found.FirstOrDefault()
                : throw new ArgumentException($"{string.Join(" and ", found.Select(o => o.GetType().Name))} each replace the {what}; a learner has one of them.", nameof(parts));
        }
    }

    /// <summary>The network.</summary>
    public Network Network { get; }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
        Network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value))
            .Concat(_parts.SelectMany(p => p.State))
            .Concat(_optimizer?.Velocity is { } velocity ? [new("velocity", StateKind.Statistics, velocity)] : [])
            .Append(new("steps", StateKind.Counter, _steps));

    /// <summary>What the parts measured.</summary>
    public IEnumerable<(string Name, double Value, long Step)> Series => _parts.OfType<IReportsSeries>().SelectMany(p => p.Series);

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        _optimizer?.Reset();
        foreach (var part in _parts)
            part.BeginTask(Network, task, train);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        using var scope = NewDisposeScope();
        var step = new Step { Network = Network, New = batch, Index = _steps.Values<long>()[0] };
        Network.Training = true;
        var objective = _objective?.Objective(step);
        Batch[] replays = [.. _parts.Select(p => p.Replay(step)).OfType<Batch>()];
        Func<Tensor, Tensor>[] terms = [.. _terms.Select(p => p.Loss(step)).OfType<Func<Tensor, Tensor>>()];

        // The rows of the one forward pass: new, those of the objective, those that other parts replay.
        Tensor[] inputs = [batch.X, .. objective?.Replayed is { } own ? [own] : Array.Empty<Tensor>(), .. replays.Select(r => r.X)];
        var x = Joined(inputs);
        long replayed = x.shape[0] - batch.Count;

        Network.ZeroGradient();
        double loss = objective is null && terms.Length == 0
            ? Network.AddCrossEntropyGradient(x, Joined([batch.Y, .. replays.Select(r => r.Y)]))
            : Network.AddGradient(x, Loss);
        foreach (var part in _parts)
            part.Gradient(step);
        if (_update is null)
            _optimizer!.Step();
        else
            _update.Update();
        _steps.Values<long>()[0]++;
        foreach (var part in _parts)
            part.AfterStep(step);
        return step.Report + new StepReport(loss, x.shape[0], x.shape[0], replayed);

        Tensor Loss(Tensor logits)
        {
            var fresh = logits.narrow(0, 0, batch.Count);
            step.Logits = fresh.detach().clone();
            scope.Attach(step.Logits);
            long ownRows = objective?.Replayed?.shape[0] ?? 0, others = replayed - ownRows;
            var loss = objective is null
                ? cross_entropy(logits, Joined([batch.Y, .. replays.Select(r => r.Y)]))
                : objective.Loss(fresh, logits.narrow(0, batch.Count, ownRows));
            if (objective is not null && others > 0)
                loss += cross_entropy(logits.narrow(0, batch.Count + ownRows, others), Joined([.. replays.Select(r => r.Y)]));
            foreach (var term in terms)
                loss += term(fresh);
            return loss;
        }
    }

    private static Tensor Joined(Tensor[] parts) => parts.Length == 1 ? parts[0] : cat(parts);

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
        _optimizer?.Dispose();
        _steps.Dispose();
        Network.Dispose();
    }
}
