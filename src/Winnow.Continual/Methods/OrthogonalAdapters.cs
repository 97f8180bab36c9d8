using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// O-LoRA: each task learns low-rank adapters of the linear layers, in directions orthogonal to those of earlier tasks; nothing else moves.
/// <para>Paper: Wang et al., Orthogonal Subspace Learning for Language Model Continual Learning, EMNLP findings 2023 (arXiv 2310.14152), as the
/// survey describes it.</para>
/// <para>Layer: <c>W + Σ_{i≤t} B_i A_i</c>, A_i [r, inputs] random, B_i [outputs, r] zero at first. <c>L = CE(new, among the task's classes) + λ₁ Σ |A_old A_tᵀ| +
/// λ₂ Σ ‖·‖₂</c>, sums over layers, entries and the new factors. What a language model brings from its pre-training the network
/// learns here in the first task (or from the pre-trained encoder): all weights then, adapters from the next task on. Merged adapters stay
/// as the reference of orthogonality. SGD of the stream. Where all classes come in every task the loss is plain cross-entropy.</para>
/// <para>Cost: O(T r (inputs + outputs)) values a layer, allocated at once; a step makes the layers' weights, O(T r · inputs · outputs).</para>
/// </summary>
public sealed class OrthogonalAdapters : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly LifelongLlmSurveyOptions _options;
    private readonly Network _network;
    private readonly Sgd _optimizer;
    private readonly List<Adapter> _adapters = [];
    private readonly Tensor _current; // the classes of the task
    private readonly Counter _tasks = new("o-lora.tasks");

    private sealed record Adapter(FlatRange Weight, int Rank, Tensor A, Tensor B, Tensor VelocityA, Tensor VelocityB);

    /// <summary>A learner on the set-up's network.</summary>
    public OrthogonalAdapters(LearnerSetup setup, LifelongLlmSurveyOptions options)
    {
        _setup = setup;
        _options = options;
        _network = setup.Network();
        _optimizer = new(_network, setup.Training.LearningRate, setup.Training.Momentum);
        _current = zeros(setup.Classes, ScalarType.Bool).DetachFromDisposeScope();
        foreach (var module in _network.Modules.Where(m => m.Kind == ModuleKind.Linear))
        {
            var weight = module.Parameters[0];
            long rank = RankOf(weight.Shape[0], weight.Shape[1], options.Rank), all = rank * setup.Training.Tasks;
            Tensor New(params long[] shape) => zeros(shape).DetachFromDisposeScope();
            _adapters.Add(new(weight, (int)rank, New(all, weight.Shape[1]), New(weight.Shape[0], all), New(rank, weight.Shape[1]), New(weight.Shape[0], rank)));
        }
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        .. _adapters.SelectMany(a => (StateEntry[])
        [
            new($"o-lora.{a.Weight.Name}.a", StateKind.Model, a.A), new($"o-lora.{a.Weight.Name}.b", StateKind.Model, a.B),
            new($"o-lora.{a.Weight.Name}.velocity-a", StateKind.Statistics, a.VelocityA), new($"o-lora.{a.Weight.Name}.velocity-b", StateKind.Statistics, a.VelocityB),
        ]),
        .. _optimizer.Velocity is { } velocity ? [new StateEntry("velocity", StateKind.Statistics, velocity)] : Array.Empty<StateEntry>(),
        new("o-lora.current", StateKind.Counter, _current), _tasks.State,
    ];

    /// <summary>The adapters of a layer: all A [T r, inputs] and B [outputs, T r], by the name of its weight.</summary>
    internal (Tensor A, Tensor B) Adapters(string weight) => _adapters.Single(a => a.Weight.Name == weight) is var found ? (found.A, found.B) : default;

    /// <summary>Σ |A_old A_newᵀ|: 0 exactly when the new rows are orthogonal to all old ones. O(r² T · inputs).</summary>
    /// <param name="old">A of earlier tasks, [rows, inputs].</param>
    /// <param name="fresh">A of the new task, [r, inputs].</param>
    public static Tensor Overlap(Tensor old, Tensor fresh) => old.matmul(fresh.T).abs().sum();

    /// <summary>The rank of a layer's adapters: r, or less where the layer has fewer inputs or outputs.</summary>
    internal static long RankOf(long outputs, long inputs, int rank) => Math.Min(rank, Math.Min(outputs, inputs));

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        if (_tasks.Value == _setup.Training.Tasks)
            throw new ArgumentException($"a task beyond the {_setup.Training.Tasks} of the plan; adapters are allocated for these: say more tasks in the training plan", nameof(task));
        _tasks.Value++;
        _optimizer.Reset();
        using var classes = tensor(task.Classes.Select(c => (long)c).ToArray());
        _current.fill_(false).index_fill_(0, classes, true);
        var random = _setup.Random($"adapters/{_tasks.Value}");
        foreach (var a in _adapters)
        {
            a.VelocityA.zero_();
            a.VelocityB.zero_();
            float bound = (float)(1 / Math.Sqrt(a.A.shape[1]));
            foreach (ref float w in a.A.Values<float>().Slice(Slot * a.Rank * (int)a.A.shape[1], a.Rank * (int)a.A.shape[1]))
                w = bound * (2 * random.NextSingle() - 1);
        }
    }

    private int Slot => (int)_tasks.Value - 1;

    private bool TrainsAll => _tasks.Value <= 1 && !_setup.Pretrained;

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        using var scope = NewDisposeScope();
        _network.Training = TrainsAll;
        var report = new StepReport(double.NaN, batch.Count, batch.Count, 0);
        Tensor Loss(Tensor logits) => F.cross_entropy(_tasks.Value == 0 ? logits : logits.Among(_current), batch.Y);
        if (TrainsAll)
        {
            _network.ZeroGradient();
            double value = _network.AddGradient(batch.X, Loss);
            _optimizer.Step();
            return report with { Loss = value };
        }
        var factors = _adapters.Select(a => (A: Fresh(a).A.clone().requires_grad_(true), B: Fresh(a).B.clone().requires_grad_(true))).ToArray();
        var weights = Effective((a, i) => Base(a, Slot * a.Rank) + factors[i].B.matmul(factors[i].A));
        var loss = Loss(_network.Forward(batch.X, weights));
        for (int i = 0; i < factors.Length; i++)
        {
            if (Slot > 0 && _options.Orthogonality > 0)
                loss += _options.Orthogonality * Overlap(_adapters[i].A.narrow(0, 0, Slot * _adapters[i].Rank), factors[i].A);
            if (_options.Norm > 0)
                loss += _options.Norm * (factors[i].A.norm() + factors[i].B.norm());
        }
        loss.backward();
        using (no_grad())
            for (int i = 0; i < factors.Length; i++)
            {
                var (a, b) = Fresh(_adapters[i]);
                Move(a, _adapters[i].VelocityA, factors[i].A.grad!);
                Move(b, _adapters[i].VelocityB, factors[i].B.grad!);
            }
        return report with { Loss = loss.item<float>() };

        void Move(Tensor w, Tensor velocity, Tensor gradient)
        {
            velocity.mul_(_setup.Training.Momentum).add_(gradient);
            w.sub_(velocity * _setup.Training.LearningRate);
        }
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        if (!_options.Merge)
            return StepReport.None;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        foreach (var a in _adapters)
        {
            _network.Parameters.narrow(0, a.Weight.Offset, a.Weight.Length).add_(a.B.matmul(a.A).flatten());
            a.B.zero_();
        }
        return StepReport.None;
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _network.Training = false;
        return _network.Forward(x, Effective((a, _) => Base(a, (int)a.A.shape[0]))).MoveToOuterDisposeScope();
    }

    /// <summary>W + Σ B A over the first rows of a layer's adapters; those of tasks to come are 0.</summary>
    private Tensor Base(Adapter a, int rows)
    {
        using var _ = no_grad();
        var w = _network.Parameters.narrow(0, a.Weight.Offset, a.Weight.Length).view([.. a.Weight.Shape]);
        return rows == 0 ? w : w + a.B.narrow(1, 0, rows).matmul(a.A.narrow(0, 0, rows));
    }

    private (Tensor A, Tensor B) Fresh(Adapter a) => (a.A.narrow(0, Slot * a.Rank, a.Rank), a.B.narrow(1, Slot * a.Rank, a.Rank));

    private Dictionary<string, Tensor> Effective(Func<Adapter, int, Tensor> weight) =>
        _adapters.Select((a, i) => (a.Weight.Name, Value: weight(a, i))).ToDictionary(w => w.Name, w => w.Value);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in _adapters.SelectMany(a => (IDisposable[])[a.A, a.B, a.VelocityA, a.VelocityB]).Concat([_optimizer, _network, _current, _tasks]))
            owned.Dispose();
    }
}
