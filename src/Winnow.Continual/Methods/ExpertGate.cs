using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Expert Gate: one expert network for each task, and for each an auto-encoder that knows the task's inputs by sight; a row is answered by
/// the expert whose auto-encoder gives it back best. Nothing is forgotten; memory grows with the tasks.
/// <para>Gate: <c>p_t = softmax(−er_t / T)</c> of the auto-encoders' errors (<see cref="GateAutoencoder"/>); the k most probable experts answer
/// with <c>log Σ p_t softmax(z_t among the task's classes)</c>, k = 1 by default. A told task is believed.
/// A new task k looks for the most related expert, <c>Rel(a) = 1 − (er_a − er_k) / er_k</c> with errors on a fifth of its rows that is held out
/// from the auto-encoder, and starts from its weights; if Rel exceeds 0.85 the old expert's answers are distilled into the new one
/// (<see cref="LearningWithoutForgetting"/>), otherwise it is fine-tuned. Each expert learns among its task's classes only.</para>
/// <para>Paper: Aljundi, Chakravarty and Tuytelaars, Expert Gate: lifelong learning with a network of experts, CVPR 2017 (arXiv 1611.06194);
/// chapter of Aljundi's thesis (arXiv 1910.02718). The gate looks at the pre-trained encoder's features, or at the inputs where there is none, standardised by
/// each task's own rows. The third-party code's choice of the smallest error is k = 1 at any temperature.</para>
/// <para>Cost: E epochs of the auto-encoder per task; one pass through every auto-encoder and k experts per prediction; memory: tasks · (P + 2·d·code) values, taken at construction.</para>
/// </summary>
public sealed class ExpertGate : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly ContinualThesisOptions _options;
    private readonly FeatureSpace _features;
    private readonly Network[] _experts;
    private readonly GateAutoencoder[] _gates;
    private readonly Tensor _classes; // which classes each expert knows, [tasks, classes]
    private readonly Counter _tasks = new("expert-gate.tasks"), _teacher = new("expert-gate.teacher");
    private Sgd? _optimizer;
    private StepReport _pending; // what beginning a task cost, reported with its first step

    /// <summary>A learner with an expert for every task of the plan.</summary>
    public ExpertGate(LearnerSetup setup, ContinualThesisOptions options)
    {
        (_setup, _options, _features) = (setup, options, new(setup));
        int tasks = setup.Training.Tasks;
        _gates = [.. Enumerable.Range(1, tasks).Select(t => new GateAutoencoder($"gate{t}", _features.Width, options.CodeSize, setup.Random($"gate/{t}")))];
        _experts = [.. Enumerable.Range(1, tasks).Select(_ => setup.Network())];
        _classes = zeros(tasks, setup.Classes, ScalarType.Bool).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _experts.SelectMany((expert, t) => expert.LiveState.Select(s => new StateEntry($"expert{t + 1}.{s.Key}", StateKind.Model, s.Value))),
        .. _gates.SelectMany(g => g.State), .. _features.State.Select(s => s with { Name = $"gate.encoder.{s.Name}" }),
        new("expert-gate.classes", StateKind.Model, _classes), _tasks.State, _teacher.State,
    ];

    private int Tasks => (int)_tasks.Value;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        if (Tasks == _experts.Length)
            throw new ArgumentException($"Task {task.Id} comes after {Tasks} others; the plan has {_experts.Length} tasks, and an expert for each.", nameof(task));
        using var scope = NewDisposeScope();
        int k = Tasks;
        var features = _features.Of(train.X);
        var held = arange(features.shape[0]).remainder(5).eq(4);
        var (rest, validation) = (features.index_select(0, held.logical_not().nonzero().flatten()), features.index_select(0, held.nonzero().flatten()));
        if (validation.shape[0] == 0)
            validation = rest;
        long fitted = _gates[k].Fit(rest, _options, _setup.Random($"gate/{k + 1}/batches"), _setup.Cancellation);
        _pending = new(double.NaN, _features.Forwards(train.Count) + fitted + validation.shape[0] * (k + 1), fitted, 0);

        using var classes = tensor([.. task.Classes.Select(c => (long)c)]);
        _classes[k].index_fill_(0, classes, true);
        _teacher.Value = -1;
        if (k > 0)
        {
            double own = Error(k);
            var (related, relatedness) = Enumerable.Range(0, k).Select(a => (Expert: a, Relatedness: Relatedness(Error(a), own))).MaxBy(r => r.Relatedness);
            _experts[k].CopyStateFrom(_experts[related]);
            if (relatedness > _options.Relatedness)
                _teacher.Value = related;
        }
        _tasks.Value++;
        _optimizer?.Dispose();
        _optimizer = new(_experts[k], _setup.Training.LearningRate, _setup.Training.Momentum);

        double Error(int gate) => _gates[gate].Errors(validation).mean().item<float>();
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (_optimizer is null)
            throw new InvalidOperationException("Expert Gate needs task boundaries: begin a task first.");
        using var scope = NewDisposeScope();
        var (expert, classes) = (_experts[Tasks - 1], _classes[Tasks - 1]);
        if (!classes.index_select(0, batch.Y).all().item<bool>())
            throw new ArgumentException($"A label is not among the classes of task {Tasks - 1}, which its expert tells apart; begin the task it belongs to.", nameof(batch));
        int teacher = (int)_teacher.Value;
        var then = teacher < 0 ? null : Answers(_experts[teacher], batch.X);
        var report = _pending + new StepReport(double.NaN, then is null ? 0 : batch.Count, 0, 0);
        _pending = StepReport.None;
        expert.Training = true;
        expert.ZeroGradient();
        double loss = expert.AddGradient(batch.X, logits =>
        {
            var value = F.cross_entropy(logits.Among(classes), batch.Y);
            return then is null ? value : value + _options.Distillation * LearningWithoutForgetting.Distillation(logits, then, _classes[teacher], temperature: 2);
        });
        _optimizer.Step();
        return report + new StepReport(loss, batch.Count, batch.Count, 0);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    /// <summary>How related a task is to an old one, from the errors of the old task's auto-encoder and of its own on its rows: 1 for itself, less for others.</summary>
    public static double Relatedness(double other, double own) => 1 - (other - own) / own;

    /// <summary>p [n, tasks] = softmax(−er / T) from errors [n, tasks].</summary>
    public static Tensor Confidence(Tensor errors, double temperature) => (-errors / temperature).softmax(1);

    /// <summary>The most probable expert of each row [n], int64.</summary>
    /// <exception cref="InvalidOperationException">No task has begun.</exception>
    public Tensor Route(Tensor x)
    {
        if (Tasks == 0)
            throw new InvalidOperationException("There is no expert before the first task.");
        using var scope = NewDisposeScope();
        return Gate(x).argmax(1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (Tasks == 0)
            return Answers(_experts[0], x).MoveToOuterDisposeScope();
        var shares = zeros(x.shape[0], Tasks);
        if (task is not null && task.Id < Tasks)
            shares.select(1, task.Id).fill_(1);
        else
        {
            var (p, experts) = Gate(x).topk(Math.Min(_options.Experts, Tasks), 1);
            shares.scatter_(1, experts, (p / p.sum(1, keepdim: true)).to_type(ScalarType.Float32));
        }
        var mixture = full(x.shape[0], _setup.Classes, 1e-12f); // keeps the logarithm finite
        for (int t = 0; t < Tasks; t++)
        {
            var share = shares.select(1, t);
            var rows = share.nonzero().flatten();
            if (rows.shape[0] > 0)
                mixture.index_add_(0, rows, Answers(_experts[t], x.index_select(0, rows)).Among(_classes[t]).softmax(1) * share.index_select(0, rows).unsqueeze(1), 1);
        }
        return mixture.log().MoveToOuterDisposeScope();
    }

    private Tensor Gate(Tensor x)
    {
        var features = _features.Of(x);
        return Confidence(stack(_gates.Take(Tasks).Select(g => g.Errors(features)), 1).to_type(ScalarType.Float64), _options.Temperature);
    }

    private static Tensor Answers(Network expert, Tensor x)
    {
        using var _ = no_grad();
        expert.Training = false;
        return expert.Forward(x);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[.. _experts, .. _gates, _features, _classes, _tasks, _teacher])
            owned.Dispose();
        _optimizer?.Dispose();
    }
}
