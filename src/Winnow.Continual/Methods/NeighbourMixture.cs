using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// kNN-LM with classes as the vocabulary: the network is fixed after the first task, later tasks only store their features, and the answer mixes the
/// network's with that of the nearest stored ones.
/// <para>Paper: Khandelwal et al., Generalization through memorization: nearest neighbor language models, ICLR 2020 (arXiv 1911.00172), as the
/// survey describes it.</para>
/// <para><c>p = λ p_kNN + (1 − λ) p_net</c>, <c>p_kNN(c) ∝ Σ_{i among the k nearest, v_i = c} exp(−‖h − k_i‖² / τ)</c>, h the head's input. A datastore
/// smaller than the stream is a uniform sample of it. While it is empty the network answers alone.</para>
/// <para>Cost: O(N d) a prediction; memory N (d + 1) values.</para>
/// </summary>
public sealed class NeighbourMixture : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly LifelongLlmSurveyOptions _options;
    private readonly Learner _learner;
    private readonly Reservoir _store;
    private readonly Counter _tasks = new("retrieval.tasks");

    /// <summary>A learner with an empty datastore.</summary>
    public NeighbourMixture(LearnerSetup setup, LifelongLlmSurveyOptions options)
    {
        _setup = setup;
        _options = options;
        _learner = new(setup);
        _store = new(options.StoredRows ?? (int)setup.Training.Rows, _learner.Network.Architecture.Features, setup.Random("datastore"));
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _learner.State.Concat(_store.State("retrieval.store")).Append(_tasks.State);

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        _tasks.Value++;
        _learner.BeginTask(task, train);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch) => _tasks.Value <= 1 && !_setup.Pretrained ? _learner.Observe(batch) : StepReport.None;

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _store.Offer(Features(train.X), train.Y);
        return new(double.NaN, train.Count, 0, 0);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var features = Features(x);
        var p = _learner.Network.Head(features).softmax(1);
        if (_store.Count > 0 && _options.Mixture > 0)
        {
            var (rows, _) = _store.Content;
            p = _options.Mixture * Neighbours(features, rows.X, rows.Y, _setup.Classes, _options.Neighbours, _options.Temperature * features.shape[1]) + (1 - _options.Mixture) * p;
        }
        return p.clamp_min(1e-30).log().MoveToOuterDisposeScope();
    }

    /// <summary>p_kNN [B, classes].</summary>
    /// <param name="queries">h [B, d].</param>
    /// <param name="keys">k_i [N, d].</param>
    /// <param name="values">v_i [N], int64.</param>
    /// <param name="classes">Classes of the stream.</param>
    /// <param name="neighbours">k, at most N are taken.</param>
    /// <param name="temperature">τ, may be infinite.</param>
    /// <exception cref="ArgumentException">No keys.</exception>
    internal static Tensor Neighbours(Tensor queries, Tensor keys, Tensor values, int classes, int neighbours, double temperature)
    {
        if (keys.shape[0] == 0)
            throw new ArgumentException("an empty datastore has no neighbours; store rows first, or mix with a share of 0", nameof(keys));
        var squares = (queries.square().sum(1, keepdim: true) + keys.square().sum(1) - 2 * queries.matmul(keys.T)).clamp_min(0);
        var (distance, index) = squares.topk((int)Math.Min(neighbours, keys.shape[0]), 1, largest: false);
        return zeros(queries.shape[0], classes).scatter_add_(1, values.index_select(0, index.flatten()).view(index.shape), (-distance / temperature).softmax(1));
    }

    private Tensor Features(Tensor x)
    {
        _learner.Network.Training = false;
        return _learner.Network.Features(x);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _learner.Dispose();
        _store.Dispose();
        _tasks.Dispose();
    }
}
