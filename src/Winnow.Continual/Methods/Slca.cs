using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>Options of <see cref="Slca"/>.</summary>
public sealed record SlcaOptions
{
    /// <summary>Step size η of the head.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of the head in both stages")]
    public double LearningRate { get; init; } = 0.01;

    /// <summary>Factor s of the encoder's step size.</summary>
    [Range(0.0, 1.0), Description("step size of the encoder as a share of the head's: slow learner; 0 freezes the encoder")]
    public double EncoderScale { get; init; } = 0.01;

    /// <summary>SGD momentum.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of SGD in both stages")]
    public double Momentum { get; init; } = 0.9;

    /// <summary>SGD weight decay.</summary>
    [Range(0.0, 1.0), Description("weight decay of SGD in both stages")]
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>Where the step size is divided by ten.</summary>
    [Range(0.0, 1.0), Description("share of a task's steps after which the step size is divided by ten; 1 for never")]
    public double DecayAt { get; init; } = 0.9;

    /// <summary>Epochs of the alignment.</summary>
    [Range(0, 10_000), Description("epochs of classifier alignment after each task but the first; 0 for none")]
    public int AlignmentEpochs { get; init; } = 5;

    /// <summary>Samples drawn for each class in each epoch.</summary>
    [Range(1, 100_000), Description("rows drawn for each class in each epoch of the alignment")]
    public int SamplesPerClass { get; init; } = 256;

    /// <summary>Temperature τ of the logit normalisation.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true), Description("temperature of the logit normalisation in the alignment; null for none")]
    public double? LogitNorm { get; init; } = 0.1;

    /// <summary>How much of a class's covariance is kept.</summary>
    [Description("covariance kept for each class: full matrices as in the paper, variances only, or one matrix shared by all")]
    public CovarianceKind Covariance { get; init; } = CovarianceKind.Full;

    /// <summary>How the age of a class is found.</summary>
    [Description("age of a class in the alignment: its task, as in the paper, or its position divided by the size of the current task, as in the released code")]
    public TaskIndexRule TaskIndex { get; init; } = TaskIndexRule.Paper;
}

/// <summary>
/// Slow Learner with Classifier Alignment: fine-tunes a pre-trained encoder very slowly, each task's block of the head on its own classes only,
/// and after every task repairs the head with rows drawn from one normal distribution of features a class. No rows are stored.
/// <para>Paper: Zhang, Wang, Kang, Chen and Wei, SLCA: Slow Learner with Classifier Alignment for Continual Learning on a Pre-trained Model,
/// ICCV 2023 (arXiv 2303.05118). All of it is implemented; the released code's other way to find a class's task is an option. Normalisations of
/// the encoder keep the statistics of the pre-training. New blocks start from a normal distribution of deviation 0.02 (the released code's
/// truncation, a hundred deviations away, changes nothing) and zero biases.</para>
/// <para>With d features and K classes, stage one costs what fine-tuning costs, statistics O(n·d²), alignment O(E·K·S·(d² + d·K)), through the head
/// only; memory K·(d + d²) values of 8 bytes (K·2d or K·d + d² with the smaller covariances).</para>
/// </summary>
public sealed class Slca : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly SlcaOptions _options;
    private readonly Network _network;
    private readonly NetworkModule _head;
    private readonly ClassGaussians _gaussians;
    private readonly Tensor _rawHead, _taskOf;
    private readonly Counter _aligned = new("slca.aligned"), _step = new("slca.step"), _milestone = new("slca.milestone");
    private Sgd? _optimizer;
    private TaskInfo? _task;

    /// <summary>A learner on the set-up's encoder.</summary>
    /// <exception cref="ArgumentException">An option out of range.</exception>
    public Slca(LearnerSetup setup, SlcaOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.EncoderScale);
        _setup = setup;
        _options = options;
        _network = setup.Network();
        _head = _network.Modules[^1];
        _gaussians = new(options.Covariance, setup.Classes, _network.Architecture.Features);
        _rawHead = zeros(_head.Length).DetachFromDisposeScope();
        _taskOf = full(setup.Classes, -1, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "SLCA improves sequential fine-tuning of a pre-trained model by 40 to 50 points (here by at least 0.20).", Task = "pretrained", Metric = "accuracy", Baseline = "naive", Margin = 0.2 },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        .. _network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)),
        new("slca.raw-head", StateKind.Statistics, _rawHead), .. _gaussians.State("slca"),
        new("slca.task-of", StateKind.Counter, _taskOf), _aligned.State, _step.State, _milestone.State,
    ];

    /// <summary>The distributions of the classes learned so far.</summary>
    internal ClassGaussians Gaussians => _gaussians;

    /// <summary>The network; its head is the aligned one between tasks, the raw one within.</summary>
    internal Network Network => _network;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        var taskOf = _taskOf.Values<long>();
        foreach (int c in task.Classes)
            if (taskOf[c] >= 0)
                throw new ArgumentException($"class {c} comes back in task {task.Id}; SLCA needs tasks of new classes", nameof(task));
        Recall();
        long index = Tasks;
        var random = _setup.Random($"head/{index}");
        _optimizer?.Dispose();
        _optimizer = new(_network, _options.LearningRate, _options.Momentum, _options.WeightDecay);
        foreach (var module in _network.Modules)
            _optimizer.SetFactor(module, module == _head ? 0 : _options.EncoderScale);
        foreach (int c in task.Classes)
        {
            taskOf[c] = index;
            foreach (ref float w in _network.ParameterValues.Slice(WeightOf(c), Width))
                w = (float)(0.02 * random.NextNormal());
            _network.ParameterValues[BiasOf(c)] = 0;
            _optimizer.SetFactor(WeightOf(c), Width, 1);
            _optimizer.SetFactor(BiasOf(c), 1, 1);
        }
        _task = task;
        _step.Value = 0;
        _milestone.Value = (long)Math.Ceiling(_options.DecayAt * _setup.Training.Epochs * ContinualStream.BatchCount(train.Count, _setup.Training.BatchSize));
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (_optimizer is null || _task is null)
            throw new InvalidOperationException("SLCA needs task boundaries: begin a task first.");
        using var scope = NewDisposeScope();
        var classes = tensor(_task.Classes.Select(c => (long)c).ToArray());
        var matches = batch.Y.unsqueeze(1).eq(classes);
        if (!matches.any(1).all().item<bool>())
            throw new ArgumentException($"a label outside the classes {string.Join(", ", _task.Classes)} of task {_task.Id}: the loss over the task's block would ignore it", nameof(batch));
        _network.Training = false;
        _optimizer.LearningRate = _options.LearningRate * (_step.Value < _milestone.Value ? 1 : 0.1);
        _network.ZeroGradient();
        double loss = _network.AddGradient(batch.X, logits => F.cross_entropy(logits.index_select(1, classes), matches.to_type(ScalarType.Int64).argmax(1)));
        _optimizer.Step();
        _step.Value++;
        return new(loss, batch.Count, batch.Count, 0);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        using (no_grad())
        using (NewDisposeScope())
        {
            _network.Training = false;
            var features = _network.Features(train.X);
            foreach (int c in task.Classes)
                _gaussians.Fit(c, features.index_select(0, train.Y.eq(c).nonzero().flatten()));
        }
        _network.ParameterValues.Slice(_head.Offset, _head.Length).CopyTo(_rawHead.Values<float>());
        var report = new StepReport(double.NaN, train.Count, 0, 0);
        return Tasks < 2 || _options.AlignmentEpochs == 0 ? report : report + Align();
    }

    /// <summary>Stage two: the head is replaced by the aligned one.</summary>
    private StepReport Align()
    {
        using var scope = NewDisposeScope();
        long[] taskOf = _taskOf.Values<long>().ToArray();
        int[] classes = [.. Enumerable.Range(0, taskOf.Length).Where(c => taskOf[c] >= 0).OrderBy(c => taskOf[c]).ThenBy(c => c)];
        int[] sizes = [.. classes.GroupBy(c => taskOf[c]).Select(g => g.Count())];
        using var index = tensor(classes.Select(c => (long)c).ToArray());
        var weights = _network.Parameters.narrow(0, _head.Offset, _head.Parameters[0].Length).view(_setup.Classes, Width);
        var biases = _network.Parameters.narrow(0, BiasOf(0), _setup.Classes);
        var plan = new AlignmentPlan
        {
            LearningRate = _options.LearningRate,
            Momentum = _options.Momentum,
            WeightDecay = _options.WeightDecay,
            Epochs = _options.AlignmentEpochs,
            SamplesPerClass = _options.SamplesPerClass,
            BatchSize = _options.SamplesPerClass,
            LogitNorm = _options.LogitNorm,
            TaskIndex = _options.TaskIndex,
        };
        var random = _setup.Random($"alignment/{sizes.Length}");
        int rows = classes.Length * plan.SamplesPerClass;
        using var _ = no_grad();
        var (weight, bias) = ClassifierAlignment.Align(weights.index_select(0, index), biases.index_select(0, index), sizes, _gaussians, classes, plan, Draw, _setup.Cancellation);
        weights.index_copy_(0, index, weight);
        biases.index_copy_(0, index, bias);
        _aligned.Value = 1;
        long drawn = (long)plan.Epochs * rows;
        return new(double.NaN, drawn, drawn, 0);

        (Tensor, Tensor) Draw(int epoch)
        {
            double[] noise = new double[(long)rows * Width];
            foreach (ref double value in noise.AsSpan())
                value = random.NextNormal();
            long[] order = [.. Enumerable.Range(0, rows).Select(i => (long)i)];
            random.Shuffle(order);
            return (tensor(noise).reshape(classes.Length, plan.SamplesPerClass, Width), tensor(order));
        }
    }

    /// <summary>Drops the aligned head: the next task goes on from the raw one.</summary>
    private void Recall()
    {
        if (_aligned.Value == 0)
            return;
        _rawHead.Values<float>().CopyTo(_network.ParameterValues[_head.Offset..]);
        _aligned.Value = 0;
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _network.Training = false;
        return _network.Forward(x).MoveToOuterDisposeScope();
    }

    /// <summary>Tasks begun so far.</summary>
    private long Tasks => System.Numerics.Tensors.TensorPrimitives.Max<long>(_taskOf.Values<long>()) + 1;

    private int Width => _network.Architecture.Features;

    private int WeightOf(int label) => _head.Offset + label * Width;

    private int BiasOf(int label) => _head.Parameters[1].Offset + label;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_network, _gaussians, _rawHead, _taskOf, _aligned, _step, _milestone])
            owned.Dispose();
        _optimizer?.Dispose();
    }
}
