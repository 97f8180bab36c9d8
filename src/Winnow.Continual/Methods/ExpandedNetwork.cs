using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Model expansion: each task after the first adds a block behind the features that changes nothing at first, and new classes begin as mixtures of
/// old ones; the new parameters learn, the old ones slowly or not at all.
/// <para>Survey: depth growth with a zero output projection, and vocabulary growth from the mean of known embeddings (arXiv 2406.06391, section on
/// model expansion).</para>
/// <para>Features: <c>h ← h + U_i relu(V_i h)</c> for each task i in turn, V random [w, d], U zero [d, w]. A new class's row of the head is the mean of
/// the old rows, weighted by the probabilities that the network gives them on its training rows: what its name's known pieces are to a new
/// token. Loss: cross-entropy among the task's classes; only their rows of the head count as new. Normalisations keep the statistics of the first task.</para>
/// <para>Cost: O(T w d) values and operations a row; allocated at once.</para>
/// </summary>
public sealed class ExpandedNetwork : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly LifelongLlmSurveyOptions _options;
    private readonly Network _network;
    private readonly NetworkModule _head;
    private readonly Sgd _optimizer;
    private readonly Tensor _v, _u, _velocityV, _velocityU, _seen, _current;
    private readonly Counter _tasks = new("expansion.tasks");

    /// <summary>A learner on the set-up's network.</summary>
    public ExpandedNetwork(LearnerSetup setup, LifelongLlmSurveyOptions options)
    {
        (_setup, _options, _network) = (setup, options, setup.Network());
        _head = _network.Modules[^1];
        _optimizer = new(_network, setup.Training.LearningRate, setup.Training.Momentum);
        long tasks = setup.Training.Tasks, width = options.BlockWidth, features = _network.Architecture.Features;
        Tensor New(ScalarType type, params long[] shape) => zeros(shape, type).DetachFromDisposeScope();
        (_v, _u) = (New(ScalarType.Float32, tasks, width, features), New(ScalarType.Float32, tasks, features, width));
        (_velocityV, _velocityU) = (New(ScalarType.Float32, width, features), New(ScalarType.Float32, features, width));
        (_seen, _current) = (New(ScalarType.Bool, setup.Classes), New(ScalarType.Bool, setup.Classes));
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        new("expansion.v", StateKind.Model, _v), new("expansion.u", StateKind.Model, _u),
        new("expansion.velocity-v", StateKind.Statistics, _velocityV), new("expansion.velocity-u", StateKind.Statistics, _velocityU),
        .. _optimizer.Velocity is { } velocity ? [new StateEntry("velocity", StateKind.Statistics, velocity)] : Array.Empty<StateEntry>(),
        new("expansion.seen", StateKind.Counter, _seen), new("expansion.current", StateKind.Counter, _current), _tasks.State,
    ];

    private int Slot => (int)_tasks.Value - 1;

    private bool First => _tasks.Value <= 1 && !_setup.Pretrained;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        if (_tasks.Value == _setup.Training.Tasks)
            throw new ArgumentException($"a task beyond the {_setup.Training.Tasks} of the plan; blocks are allocated for these: say more tasks in the training plan", nameof(task));
        using var scope = NewDisposeScope();
        if (_seen.any().item<bool>())
            GrowVocabulary([.. task.Classes.Where(c => !_seen[c].item<bool>() && train.Y.eq(c).any().item<bool>())], train);
        _tasks.Value++;
        var classes = tensor(task.Classes.Select(c => (long)c).ToArray());
        _current.fill_(false).index_fill_(0, classes, true);
        _seen.index_fill_(0, classes, true);
        _optimizer.Reset();
        _velocityV.zero_();
        _velocityU.zero_();
        var random = _setup.Random($"block/{_tasks.Value}");
        float bound = (float)(1 / Math.Sqrt(_v.shape[2]));
        int block = (int)(_v.shape[1] * _v.shape[2]);
        foreach (ref float w in _v.Values<float>().Slice(Slot * block, block))
            w = bound * (2 * random.NextSingle() - 1);
    }

    /// <summary>The rows of new classes become the means of the old ones, weighted by what the network takes their rows for.</summary>
    private void GrowVocabulary(int[] fresh, Batch train)
    {
        using var _ = no_grad();
        var old = _seen.nonzero().flatten();
        var p = Predict(train.X).index_select(1, old).softmax(1);
        var (weights, biases) = (_network.Parameters.narrow(0, _head.Offset, _head.Parameters[0].Length).view(_setup.Classes, -1), _network.Parameters.narrow(0, _head.Parameters[1].Offset, _setup.Classes));
        foreach (int c in fresh)
        {
            var share = p.index_select(0, train.Y.eq(c).nonzero().flatten()).mean([0L]);
            weights[c].copy_(share.matmul(weights.index_select(0, old)));
            biases[c].copy_(share.dot(biases.index_select(0, old)));
        }
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        using var scope = NewDisposeScope();
        _network.Training = First;
        _network.ZeroGradient();
        Tensor Loss(Tensor logits) => F.cross_entropy(_tasks.Value == 0 ? logits : logits.Among(_current), batch.Y);
        var report = new StepReport(double.NaN, batch.Count, batch.Count, 0);
        if (First)
        {
            double value = _network.AddGradient(batch.X, Loss);
            _optimizer.Step();
            return report with { Loss = value };
        }
        SetFactors();
        var (v, u) = (_v[Slot].clone().requires_grad_(true), _u[Slot].clone().requires_grad_(true));
        var h = _network.Features(batch.X);
        for (int i = 0; i < Slot; i++)
            h = Block(h, _v[i], _u[i]);
        var loss = Loss(_network.Head(Block(h, v, u)));
        loss.backward();
        _optimizer.Step();
        using var _ = no_grad();
        _v[Slot].sub_(_velocityV.mul_(_setup.Training.Momentum).add_(v.grad!) * _setup.Training.LearningRate);
        _u[Slot].sub_(_velocityU.mul_(_setup.Training.Momentum).add_(u.grad!) * _setup.Training.LearningRate);
        return report with { Loss = loss.item<float>() };
    }

    private void SetFactors()
    {
        _optimizer.SetFactor(0, _network.ParameterValues.Length, _options.OldScale);
        int width = _head.Parameters[0].Length / _setup.Classes;
        for (int c = 0; c < _setup.Classes; c++)
            if (_current.Values<bool>()[c])
            {
                _optimizer.SetFactor(_head.Offset + c * width, width, 1);
                _optimizer.SetFactor(_head.Parameters[1].Offset + c, 1, 1);
            }
    }

    /// <summary>h + U relu(V h), for rows h [B, d].</summary>
    internal static Tensor Block(Tensor h, Tensor v, Tensor u) => h + F.linear(F.linear(h, v).relu(), u);

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _network.Training = false;
        var h = _network.Features(x);
        for (int i = 0; i <= Slot; i++)
            h = Block(h, _v[i], _u[i]);
        return _network.Head(h).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_optimizer, _network, _v, _u, _velocityV, _velocityU, _seen, _current, _tasks])
            owned.Dispose();
    }
}
