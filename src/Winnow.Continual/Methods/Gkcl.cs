using TorchSharp;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Generative kernel continual learning: a shared encoder, for each task a classifier in closed form by kernel ridge regression on a few support
/// rows, and a generator, trained on all tasks in turn, that makes those rows instead of storing them.
/// <para><c>scores = γ_t K_qs (K_ss + (|λ_t| + 0.01) I)⁻¹ Y + β_t</c> on features of length one, with γ, λ, β learned for each task; cross-entropy
/// over the task's classes, whose gradient passes through the kernel, the solve and the features of query and support. A task keeps nothing but
/// its three numbers: its support is drawn anew with a fixed seed and encoded by the encoder of today.</para>
/// <para>Paper: Derakhshani, Zhen, Shao and Snoek, Generative Kernel Continual Learning, 2021 (arXiv 2112.13410), on Kernel Continual Learning, ICML
/// 2021 (arXiv 2107.05757). Implemented: the four kernels with variational bases, the autoencoder with a learned prior a class, its replay of
/// what it generated and its contrastive term; stored rows and class Gaussians in its place. Features are divided by their length, not by the range of
/// their batch, which would make a prediction depend on its neighbours. Encoder and decoder of the autoencoder are perceptrons with a linear
/// output, for standardised inputs; its β = 0.1 is the best of 0.03, 0.1 and 1 on split digits, the paper's being unknown. Momentum starts anew with each task. Where the task of a row is not told, the task whose softmax has the least entropy answers.</para>
/// <para>Shapes: rows [B, width], features [B, d], support [N, d], K_ss [N, N], scores [B, classes]. Cost of a step: O(N²·d + N³) for the solve and
/// N more rows through the encoder; the autoencoder's steps see B/k rows of each of the k classes of the task and of every earlier class.</para>
/// </summary>
public sealed class Gkcl : IContinualLearner, IReportsSeries
{
    private readonly LearnerSetup _setup;
    private readonly GkclOptions _options;
    private readonly Network _network;
    private readonly Sgd _optimizer;
    private readonly TrainableTensors _scalars;
    private readonly VariationalBases? _bases;
    private readonly ISupportSource _support;
    private readonly TaskClasses _tasks;
    private readonly Counter _steps = new("gkcl.steps");
    private readonly Tensor _jitter;

    /// <summary>A learner on the set-up's network; its head is not used.</summary>
    public Gkcl(LearnerSetup setup, GkclOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SupportPerClass, 1);
        _setup = setup;
        _options = options;
        _network = setup.Network();
        _optimizer = new(_network, options.LearningRate, options.Momentum);
        _scalars = new("gkcl.scalars", [.. Enumerable.Range(0, setup.Training.Tasks).Select(t => ($"task{t}", new long[] { 3 }, Initial()))]);
        _bases = options.Kernel == KernelKind.Rff ? new(options.Bases, _network.Architecture.Features, setup.Random("bases")) : null;
        _support = options.Generator switch
        {
            SupportKind.Stored => new StoredSupport(setup, options.SupportPerClass),
            SupportKind.Gaussians => new GaussianSupport(setup, options.Covariance),
            _ => new GenerativeSupport(setup, options),
        };
        _tasks = new("gkcl.classes", setup);
        _jitter = zeros(setup.Training.Tasks, ScalarType.Float64).DetachFromDisposeScope();

        static Func<double> Initial() // λ, γ, β
        {
            int i = 0;
            return () => ((double[])[0.1, 1, 0])[i++];
        }
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "At a tenth of the memory, generated support does as well as stored support, and better at the same memory (here 20 generated rows a class against 2 stored ones, by at least 0.02).", Task = "task-incremental", Metric = "accuracy", Baseline = "gkcl", Margin = 0.02, BaselineOptions = new() { ["generator"] = "stored", ["support-per-class"] = 2 } },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        .. _optimizer.Velocity is { } velocity ? [new StateEntry("velocity", StateKind.Statistics, velocity)] : Array.Empty<StateEntry>(),
        .. _scalars.State, .. _bases?.State ?? [], .. _support.State, .. _tasks.State, _steps.State, new("gkcl.jitter", StateKind.Statistics, _jitter),
    ];

    /// <summary>The largest jitter that each task's solves needed.</summary>
    public IEnumerable<(string Name, double Value, long Step)> Series => _tasks.Learned.Select(t => ("kernel-jitter", _jitter.Values<double>()[t], t + 1L));

    /// <summary>Makes the support rows.</summary>
    internal ISupportSource Source => _support;

    /// <summary>The encoder.</summary>
    internal Network Network => _network;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        // A class without rows, as a domain may have one, has no support: the task's head does not know it.
        int[] present = [.. task.Classes.Where(label => train.Y.contiguous().Values<long>().Contains(label))];
        task = present.Length > 0 ? task with { Classes = present }
            : throw new ArgumentException($"task {task.Id} has no training row of its classes, so no support; expected at least one", nameof(train));
        _tasks.Begin(task);
        _support.BeginTask(task, train);
        _optimizer.Reset();
        _scalars.Reset();
        _bases?.Parameters.Reset();
        _optimizer.LearningRate = Math.Max(_options.LearningRate * Math.Pow(_options.LearningRateDecay, task.Id), 5e-5);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        var task = _tasks.Current;
        ClassMask.Require(batch.Y, task);
        var report = _support.Learn(task, batch);
        using var scope = NewDisposeScope();
        var random = _setup.Random($"support/step/{_steps.Value++}");
        var support = Support(task.Id, random);
        _network.Training = true;
        _network.ZeroGradient();
        _scalars.ZeroGradient();
        _bases?.Parameters.ZeroGradient();
        var features = Features(cat([support.X, batch.X]));
        if (_options.Dropout > 0)
            features = features * random.Dropout(_options.Dropout, features.shape[0], features.shape[1]);
        var (s, q) = (features.narrow(0, 0, support.Count), features.narrow(0, support.Count, batch.Count));
        var loss = F.cross_entropy(Scores(task.Id, s, support.Y, q, random, note: true).Only(task.Classes), batch.Y);
        if (_bases is not null)
            loss += _options.BasesWeight * _bases.Divergence(s, q);
        loss.backward();
        double rate = _optimizer.LearningRate;
        _optimizer.Step();
        _scalars.SgdStep(rate, _options.Momentum);
        _bases?.Parameters.SgdStep(rate, _options.Momentum);
        return report + new StepReport(loss.ToDouble(), features.shape[0], features.shape[0], 0);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (task is not null)
            _tasks.Require(task);
        int[] among = task is null ? _tasks.Learned : [.. _tasks.Learned.Where(t => t == task.Id)];
        if (among.Length == 0)
            return zeros(x.shape[0], _setup.Classes).MoveToOuterDisposeScope();
        _network.Training = false;
        var query = Features(x);
        return TaskInference.Surest([.. among.Select(Logits)]).MoveToOuterDisposeScope();

        Tensor Logits(int t)
        {
            var random = _setup.Random($"support/{t}"); // the same rows each time
            var support = Support(t, random);
            return Scores(t, Features(support.X), support.Y, query, random, note: false).Only(_tasks.Of(t));
        }
    }

    /// <summary>The support rows of a task.</summary>
    internal Batch Support(int task, SeededRandom random)
    {
        Tensor[] rows = [.. _tasks.Of(task).Select(c => _support.Rows(task, c, _options.SupportPerClass, random))];
        long[] labels = [.. _tasks.Of(task).Zip(rows).SelectMany(p => Enumerable.Repeat((long)p.First, (int)p.Second.shape[0]))];
        return new(cat(rows), tensor(labels));
    }

    /// <summary>Scores [B, classes] in float32 of query features [B, d] by a task's head on support features [N, d].</summary>
    private Tensor Scores(int task, Tensor support, Tensor labels, Tensor query, SeededRandom random, bool note)
    {
        var (s, q) = _bases?.Map(support, query, random) ?? (support.to_type(ScalarType.Float64), query.to_type(ScalarType.Float64));
        var (scores, jitter) = KernelRidge.Predict(_options.Kernel, s, labels, q, _setup.Classes, _scalars[$"task{task}"].to_type(ScalarType.Float64));
        if (note)
            _jitter.Values<double>()[task] = Math.Max(_jitter.Values<double>()[task], jitter);
        return scores.to_type(ScalarType.Float32);
    }

    private Tensor Features(Tensor x) => F.normalize(_network.Features(x), dim: 1);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable?[])[_network, _optimizer, _scalars, _bases, _support, _tasks, _steps, _jitter])
            owned?.Dispose();
    }
}
