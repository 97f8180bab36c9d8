using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using TorchSharp;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>What writes the weights.</summary>
public enum GeneratorKind
{
    /// <summary>An LSTM, in which a chunk depends on those before it.</summary>
    Lstm,

    /// <summary>A feed-forward network of as many parameters, each chunk by itself: the paper's baseline.</summary>
    FeedForward,
}

/// <summary>How the weights of earlier tasks are kept.</summary>
public enum HypernetProtection
{
    /// <summary>Their squared change is penalised.</summary>
    Plain,

    /// <summary>Their squared change is penalised, weighted with their Fisher information.</summary>
    Importance,

    /// <summary>The recurrent weights are frozen after the first task and all others kept for each task: nothing is forgotten, memory grows.</summary>
    Growth,
}

/// <summary>Options of <see cref="DependencyHypernet"/>.</summary>
public sealed record DependencyHypernetOptions
{
    /// <summary>Generator.</summary>
    [Description("what writes the weights: an LSTM, chunk after chunk, or a feed-forward network of as many parameters, each chunk by itself")]
    public GeneratorKind Generator { get; init; } = GeneratorKind.Lstm;

    /// <summary>Protection of earlier tasks.</summary>
    [Description("what keeps the weights of earlier tasks: a penalty on their change, one weighted with their importance, or growth, which freezes the recurrent weights after the first task and stores the rest for each task")]
    public HypernetProtection Protection { get; init; } = HypernetProtection.Plain;

    /// <summary>Weight β of the regulariser.</summary>
    [Range(0.0, 1e9), Description("weight of the penalty; not used with growth")]
    public double Beta { get; init; } = 1;

    /// <summary>Two-step variant.</summary>
    [Description("whether the penalty is taken where the task's step alone would lead, not where it starts")]
    public bool LookAhead { get; init; }

    /// <summary>Earlier tasks regularised in a step.</summary>
    [Range(1, 1000), Description("earlier tasks, drawn at random, that the penalty looks at in a step; by default all")]
    public int? RegularisedTasks { get; init; }

    /// <summary>Rows for the importance.</summary>
    [Range(1, 1_000_000), Description("rows of each task on which the importance of its weights is measured")]
    public int FisherRows { get; init; } = 200;

    /// <summary>Adam step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("step size of Adam")]
    public double LearningRate { get; init; } = 0.005;

    /// <summary>State of the LSTM.</summary>
    [Range(1, 4096), Description("state of the LSTM; the feed-forward generator's width follows from it; the released code has 96")]
    public int Hidden { get; init; } = 64;

    /// <summary>Numbers written in a step.</summary>
    [Range(1, 1_000_000), Description("weights written in one step; the released code has 2586")]
    public int Chunk { get; init; } = 512;

    /// <summary>Size of e.</summary>
    [Range(1, 4096), Description("size of a task's embedding")]
    public int TaskEmbedding { get; init; } = 32;

    /// <summary>Size of l.</summary>
    [Range(1, 4096), Description("size of a chunk's embedding")]
    public int ChunkEmbedding { get; init; } = 32;
}

/// <summary>
/// Dependency preserving hypernetwork: an LSTM writes the weights of the main network chunk by chunk from a task's embedding; a task is remembered
/// as its embedding, and a penalty keeps what is written for earlier tasks.
/// <para><c>L = CE(θ_t) + β/(t−1) Σ_{j&lt;t} Σ_i I_ji (h_i(e_j; φ*) − h_i(e_j; φ))²</c>, θ_t = h(e_t; φ), with φ* the generator before the task; the cross-entropy
/// and the penalty look at the rows of the head that belong to the task's classes. With look-ahead the penalty is taken at φ + Δφ, Δφ
/// being the step that Adam would take on the cross-entropy alone, and treated as constant. The importance I_j is the mean squared gradient of
/// log p(y|x) by θ_j at the end of task j, divided by its mean.</para>
/// <para>Paper: Chandra, Varshney, Srijith and Gupta, Continual Learning with Dependency Preserving Hypernetworks, WACV 2023 (arXiv 2209.07712), after
/// von Oswald et al., Continual learning with hypernetworks, ICLR 2020 (arXiv 1906.00695), with the latter's choice of the surest task where none is
/// told. All of it is implemented; task and chunk embedding are joined to one input, where the released code makes them two rows of a batch. Statistics of
/// batch normalisations are kept for each task. Adam's moments start anew with each task. The weight β = 1 is the better of 1 and 10 on permuted digits
/// (hypercl: 0.01 to 0.1), the step size fits a few hundred steps a task instead of thousands at 1e-4 to 1e-3.</para>
/// <para>Shapes: embeddings [n, e], θ [n, P]. Cost: O(S·(h² + h(e + l) + h·c)) a step and earlier task, for S = P/c chunks; memory P values a task for the
/// targets, P more for the importance, or the generator without its recurrent weights for growth.</para>
/// </summary>
public sealed class DependencyHypernet : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly DependencyHypernetOptions _options;
    private readonly Network _network;
    private readonly Hypernetwork _hyper;
    private readonly TaskClasses _tasks;
    private readonly Tensor _statistics;
    private readonly Tensor? _targets, _importance, _kept;
    private readonly Counter _steps = new("hypernet.steps"), _ended = new("hypernet.ended");

    /// <summary>A learner whose main network is the set-up's.</summary>
    /// <exception cref="ArgumentException">An option out of range.</exception>
    public DependencyHypernet(LearnerSetup setup, DependencyHypernetOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.Beta);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Chunk, 1);
        _setup = setup;
        _options = options;
        int tasks = setup.Training.Tasks;
        _network = setup.Network();
        _hyper = new(_network, options, tasks, setup.Random("hypernetwork"));
        _tasks = new("hypernet.classes", setup);
        using (NewDisposeScope())
            _statistics = _network.Buffers.unsqueeze(0).repeat(tasks, 1).DetachFromDisposeScope();
        _targets = Grows ? null : zeros(tasks, _hyper.Size).DetachFromDisposeScope();
        _importance = options.Protection == HypernetProtection.Importance ? zeros(tasks, _hyper.Size).DetachFromDisposeScope() : null;
        _kept = Grows ? zeros(tasks, _hyper.Grown).DetachFromDisposeScope() : null;
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "LSTM hypernetworks outperform feed-forward ones in all settings (here: with as many parameters, at most 0.01 worse).", Task = "permuted-told", Metric = "accuracy", Baseline = "dependency-hypernet", Margin = -0.01, BaselineOptions = new() { ["generator"] = "feed-forward" }, TaskOptions = new() { ["epochs"] = 2 } },
        new() { Text = "The regulariser prevents forgetting (here: accuracy at least 0.20 above that without it).", Task = "permuted-told", Metric = "accuracy", Baseline = "dependency-hypernet", Margin = 0.2, BaselineOptions = new() { ["beta"] = 0 }, TaskOptions = new() { ["epochs"] = 2 } },
        new() { Text = "The regulariser prevents forgetting (here: it is at most 0.01).", Task = "permuted-told", Metric = "forgetting", Baseline = "naive", BaselineFactor = 0, Margin = -0.01, TaskOptions = new() { ["epochs"] = 2 } },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _hyper.Parameters.State, new("hypernet.norm-statistics", StateKind.Model, _statistics), .. _tasks.State, _steps.State, _ended.State,
        .. new (string Name, StateKind Kind, Tensor? Value)[] { ("targets", StateKind.Statistics, _targets), ("importance", StateKind.Statistics, _importance), ("kept", StateKind.Model, _kept) }
            .Where(e => e.Value is not null).Select(e => new StateEntry($"hypernet.{e.Name}", e.Kind, e.Value!)),
    ];

    /// <summary>The generator.</summary>
    internal Hypernetwork Hyper => _hyper;

    private bool Grows => _options.Protection == HypernetProtection.Growth;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        _tasks.Begin(task);
        _hyper.Parameters.Reset();
        if (Earlier is not { Length: > 0 } earlier || _targets is null)
            return;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _targets.index_copy_(0, Index(earlier), _hyper.Generate(_hyper.Embeddings(earlier)));
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        var task = _tasks.Current;
        ClassMask.Require(batch.Y, task);
        using var scope = NewDisposeScope();
        var phi = _hyper.Parameters;
        phi.ZeroGradient();
        _network.Training = true;
        _statistics[task.Id].Values<float>().CopyTo(_network.BufferValues);
        var theta = _hyper.Generate(_hyper.Embeddings(task.Id))[0];
        var loss = F.cross_entropy(_network.Forward(batch.X, _hyper.Weights(theta)).Only(task.Classes), batch.Y);
        loss.backward();
        _network.BufferValues.CopyTo(_statistics[task.Id].Values<float>());

        if (_options.Beta > 0 && !Grows && Regularised() is { Length: > 0 } earlier)
            phi.With(_options.LookAhead ? phi.Values + phi.Candidate(_options.LearningRate) : phi.Values, () =>
            {
                (_options.Beta * Regulariser(earlier)).backward();
                return 0;
            });
        if (Grows && Earlier.Length > 0)
            phi.Gradient.Values<float>()[.._hyper.Recurrent].Clear();
        phi.AdamStep(_options.LearningRate);
        _steps.Value++;
        return new(loss.ToDouble(), batch.Count, batch.Count, 0);
    }

    /// <summary>The penalty for earlier tasks at the generator's parameters of now, on the graph; their embeddings are held.</summary>
    internal Tensor Regulariser(int[] earlier)
    {
        var index = Index(earlier);
        var generated = _hyper.Generate(_hyper.Embeddings(earlier).detach());
        var importance = _importance?.index_select(0, index) ?? stack([.. earlier.Select(Rows)]);
        return WeightGenerators.OutputRegulariser(_targets!.index_select(0, index), generated, importance);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        _ended.Value = task.Id + 1;
        _kept?[task.Id].copy_(_hyper.Parameters.Values.narrow(0, _hyper.Recurrent, _hyper.Grown));
        if (_importance is null)
            return StepReport.None;
        long rows = Math.Min(_options.FisherRows, train.Count);
        var index = tensor([.. Enumerable.Range(0, (int)rows).Select(i => i * (long)train.Count / rows)]);
        _importance[task.Id].copy_(Importance(task, train.Rows(index)));
        return new(double.NaN, rows, rows, 0);
    }

    /// <summary>The mean over rows of (∂ log p(y|x) / ∂θ)², divided by its mean over the task's parameters [P].</summary>
    internal Tensor Importance(TaskInfo task, Batch rows)
    {
        using var scope = NewDisposeScope();
        Load(task.Id);
        var sum = zeros(_hyper.Size);
        for (int i = 0; i < rows.Count; i++)
        {
            _setup.Cancellation.ThrowIfCancellationRequested();
            using var label = rows.Y.narrow(0, i, 1);
            using var x = rows.X.narrow(0, i, 1);
            _network.ZeroGradient();
            _network.AddGradient(x, logits => F.cross_entropy(logits.Only(task.Classes), label));
            sum.addcmul_(_network.Gradient, _network.Gradient, 1.0 / rows.Count);
        }
        var own = Rows(task.Id);
        double mean = ((sum * own).sum() / own.sum()).ToDouble();
        return (mean > 0 ? own * sum / mean : own).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (task is not null)
            _tasks.Require(task);
        int[] among = task is not null ? [task.Id] : _tasks.Learned is { Length: > 0 } learned ? learned : [0];
        return TaskInference.Surest([.. among.Select(Logits)]).MoveToOuterDisposeScope();

        Tensor Logits(int t)
        {
            Load(t);
            return _network.Forward(x).Only(_tasks.Of(t) is { Length: > 0 } classes ? classes : [.. Enumerable.Range(0, _setup.Classes)]);
        }
    }

    /// <summary>θ [P] of a task, off the graph; from the parameters kept for it where they grow.</summary>
    internal Tensor Generated(int task)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var values = _hyper.Parameters.Values.clone();
        if (_kept is not null && task < _ended.Value)
            values.narrow(0, _hyper.Recurrent, _hyper.Grown).copy_(_kept[task]);
        return _hyper.Parameters.With(values, () => _hyper.Generate(_hyper.Embeddings(task))[0]).MoveToOuterDisposeScope();
    }

    /// <summary>Makes the main network that of a task, ready to predict.</summary>
    private void Load(int task)
    {
        using var scope = NewDisposeScope();
        Generated(task).Values<float>().CopyTo(_network.ParameterValues);
        _statistics[task].Values<float>().CopyTo(_network.BufferValues);
        _network.Training = false;
    }

    private int[] Earlier => [.. _tasks.Learned.Where(t => t != _tasks.Current.Id)];

    private int[] Regularised()
    {
        int[] earlier = Earlier;
        if (_options.RegularisedTasks is not { } count || count >= earlier.Length)
            return earlier;
        _setup.Random($"regularised/{_steps.Value}").Shuffle(earlier);
        return earlier[..count];
    }

    /// <summary>1 for the parameters that a task's answers depend on, 0 for the rows of the head of other classes [P].</summary>
    private Tensor Rows(int task)
    {
        var mask = ones(_hyper.Size);
        foreach (var parameter in _network.Modules[^1].Parameters)
        {
            var rows = mask.narrow(0, parameter.Offset, parameter.Length).view(_setup.Classes, -1);
            foreach (int c in Enumerable.Range(0, _setup.Classes).Except(_tasks.Of(task)))
                rows[c].zero_();
        }
        return mask;
    }

    private static Tensor Index(int[] tasks) => tensor(tasks.Select(t => (long)t).ToArray());

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable?[])[_network, _hyper, _tasks, _statistics, _targets, _importance, _kept, _steps, _ended])
            owned?.Dispose();
    }
}
