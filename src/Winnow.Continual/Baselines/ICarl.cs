using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>Options of <see cref="ICarl"/>.</summary>
public sealed record ICarlOptions
{
    /// <summary>Exemplars in all.</summary>
    [Range(1, 1_000_000), Description("exemplars kept, shared evenly by the classes seen")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Exemplars beside each mini-batch.</summary>
    [Range(1, 4096), Description("exemplars drawn beside every mini-batch of new rows")]
    public int ReplaySize { get; init; } = 32;

    /// <summary>Weight of the old answers.</summary>
    [Range(0.0, 1000.0), Description("weight of the distillation from the network of the tasks before")]
    public double Alpha { get; init; } = 1;
}

/// <summary>
/// Incremental classifier and representation learning: keeps a few exemplars of each class whose mean feature is nearest to the class's, learns new classes beside them while it is
/// held to its old answers, and answers with the class whose exemplars' mean feature is nearest.
/// <para>Paper: Rebuffi, Kolesnikov, Sperl and Lampert, iCaRL: incremental classifier and representation learning, CVPR 2017 (arXiv 1611.07725). One sigmoid a class as there:
/// <c>Σ_new BCE(g_c, 1[y = c]) + α Σ_old BCE(g_c, g_c of the old network)</c>, mean over rows, new and exemplars alike. Features have length one. Left out: augmentation and weight decay.
/// The paper passes over new rows and exemplars together; here each mini-batch of the stream brings some drawn exemplars.</para>
/// <para>Cost: one forward pass of the old network for every row passed; at the end of a task n rows forward and O(n · exemplars · features) to choose.
/// Memory: BufferSize · (width + 1) values and a second network.</para>
/// </summary>
public sealed class ICarl : IContinualLearner
{
    private readonly Learner _learner;
    private readonly Exemplars _exemplars;

    /// <summary>A learner that has seen nothing.</summary>
    public ICarl(LearnerSetup setup, ICarlOptions options)
    {
        _exemplars = new(setup, options);
        _learner = new(setup, _exemplars);
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _learner.State;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) => _learner.BeginTask(task, train);

    /// <inheritdoc/>
    public StepReport Observe(Batch batch) => _learner.Observe(batch);

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => _learner.EndTask(task, train);

    /// <summary>−‖f − μ‖² of the exemplars' means, of features of length one; before the first exemplars, the network's own logits.</summary>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        if (!_exemplars.Any)
            return _learner.Predict(x, task);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        _learner.Network.Training = false;
        using var means = _exemplars.Means(_learner.Network);
        return means.Logits(cdist(Features(_learner.Network, x), means.Means).square().neg()).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();

    /// <summary>
    /// Herding: the rows, in the order of choice, of which each brings the mean of those chosen nearest to the mean of all.
    /// </summary>
    /// <param name="features">Rows [n, width].</param>
    /// <param name="count">How many, at most n.</param>
    public static long[] Herd(Tensor features, int count)
    {
        using var scope = NewDisposeScope();
        var mean = features.mean([0]);
        var sum = zeros_like(mean);
        var taken = zeros(features.shape[0], ScalarType.Bool);
        long[] order = new long[Math.Min(count, features.shape[0])];
        for (int k = 0; k < order.Length; k++)
        {
            using var step = NewDisposeScope();
            var distance = (mean - (sum + features) / (k + 1)).square().sum(1);
            order[k] = distance.masked_fill(taken, double.PositiveInfinity).argmin().item<long>();
            taken[order[k]] = true;
            sum.add_(features[order[k]]);
        }
        return order;
    }

    private static Tensor Features(Network network, Tensor x)
    {
        using var features = network.Features(x);
        return normalize(features.to_type(ScalarType.Float64), p: 2, dim: 1);
    }

    private sealed class Exemplars : IObjectivePart
    {
        private readonly LearnerSetup _setup;
        private readonly ICarlOptions _options;
        private readonly Network _teacher;
        private readonly Tensor _x, _y, _count, _old; // rows in the order of classes and within a class of choice; how many; classes the teacher knows

        public Exemplars(LearnerSetup setup, ICarlOptions options)
        {
            (_setup, _options, _teacher) = (setup, options, setup.Network());
            _x = zeros(options.BufferSize, setup.Width).DetachFromDisposeScope();
            _y = zeros(options.BufferSize, ScalarType.Int64).DetachFromDisposeScope();
            _count = zeros(1, ScalarType.Int64).DetachFromDisposeScope();
            _old = zeros(setup.Classes, ScalarType.Bool).DetachFromDisposeScope();
        }

        public bool Any => Count > 0;

        private int Count => (int)_count.Values<long>()[0];

        public IEnumerable<StateEntry> State =>
        [
            .. _teacher.LiveState.Select(s => new StateEntry($"icarl.teacher.{s.Key}", StateKind.Statistics, s.Value)),
            new("icarl.x", StateKind.Memory, _x), new("icarl.y", StateKind.Memory, _y),
            new("icarl.count", StateKind.Counter, _count), new("icarl.old", StateKind.Statistics, _old),
        ];

        public ClassMeans Means(Network network)
        {
            var means = new ClassMeans(_setup.Classes, network.Architecture.Features);
            means.Add(Features(network, _x.narrow(0, 0, Count)), _y.narrow(0, 0, Count));
            return means;
        }

        public Objective? Objective(Step step)
        {
            var x = step.New.X;
            var labels = step.New.Y;
            Tensor? replayed = null;
            if (Any)
            {
                var random = _setup.Random($"icarl/{step.Index}");
                var rows = tensor([.. Enumerable.Range(0, Math.Min(_options.ReplaySize, Count)).Select(_ => (long)random.Next(Count))]);
                replayed = _x.index_select(0, rows);
                x = cat([x, replayed]);
                labels = cat([labels, _y.index_select(0, rows)]);
            }
            var targets = one_hot(labels, _setup.Classes).to_type(ScalarType.Float32);
            var weights = ones(_setup.Classes);
            if (Any)
            {
                using var _ = no_grad();
                _teacher.Training = false;
                targets = where(_old, _teacher.Forward(x).sigmoid(), targets);
                weights = weights.masked_fill(_old, _options.Alpha);
                step.Report += new StepReport(double.NaN, x.shape[0], 0, 0);
            }
            return new(replayed, (fresh, old) =>
                (binary_cross_entropy_with_logits(replayed is null ? fresh : cat([fresh, old]), targets, reduction: nn.Reduction.None) * weights).sum(1).mean());
        }

        public StepReport EndTask(Network network, TaskInfo task, Batch train)
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            network.Training = false;
            long[] seen = [.. Of(_y.narrow(0, 0, Count)).Union(Of(train.Y)).Order()];
            int share = Math.Max(1, _options.BufferSize / seen.Length);
            var features = Features(network, train.X);
            var kept = new List<(Tensor X, Tensor Y)>();
            foreach (long c in seen.Take(_options.BufferSize))
            {
                var fresh = train.Y.eq(c).nonzero().flatten();
                var stored = _y.narrow(0, 0, Count).eq(c).nonzero().flatten();
                kept.Add(fresh.shape[0] > 0 ? Rows(train.X, train.Y, fresh.index_select(0, tensor(Herd(features.index_select(0, fresh), share))))
                    : Rows(_x, _y, stored.narrow(0, 0, Math.Min(share, stored.shape[0]))));
            }
            var (x, y) = (cat([.. kept.Select(k => k.X)]), cat([.. kept.Select(k => k.Y)]));
            _count.Values<long>()[0] = x.shape[0];
            _x.zero_().narrow(0, 0, x.shape[0]).copy_(x);
            _y.zero_().narrow(0, 0, x.shape[0]).copy_(y);
            foreach (long c in seen)
                _old[c] = true;
            _teacher.CopyStateFrom(network);
            return StepReport.None with { Forward = train.Count };

            static (Tensor, Tensor) Rows(Tensor x, Tensor y, Tensor index) => (x.index_select(0, index), y.index_select(0, index));
            static IEnumerable<long> Of(Tensor labels) => labels.contiguous().data<long>().ToArray();
        }

        public void Dispose()
        {
            _teacher.Dispose();
            foreach (var tensor in (Tensor[])[_x, _y, _count, _old])
                tensor.Dispose();
        }
    }
}
