using System.Runtime.InteropServices;
using System.Security.Cryptography;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Keeps every row and trains on all of them: what could be had if nothing had to be left behind. Each mini-batch of a task brings its share
/// of the rows of earlier tasks, drawn at random and learned with it in mini-batches of the usual size, so that a pass over the task is, on
/// average, a pass over everything seen. One network goes on (the "cumulative" form of joint training); it is not trained anew.
/// Where no task is announced, the past is all rows before the mini-batch, and its share is reckoned as if tasks were equally long. Rows that
/// come back are kept once.
/// <para>Cost: the t-th of equal tasks takes t times its own steps; memory: all rows of the stream, width + 2 values each.</para>
/// </summary>
public sealed class JointTraining : IContinualLearner
{
    private readonly LearnerSetup _setup;
    private readonly Learner _learner;
    private readonly Tensor _x, _y, _counts;
    private readonly HashSet<string>? _known;

    /// <summary>A learner with room for all rows of the stream.</summary>
    public JointTraining(LearnerSetup setup)
    {
        _setup = setup;
        _learner = new(setup);
        _x = zeros(setup.Training.DistinctRows, setup.Width).DetachFromDisposeScope();
        _y = zeros(setup.Training.DistinctRows, ScalarType.Int64).DetachFromDisposeScope();
        _known = setup.Training.DistinctRows < setup.Training.Rows ? [] : null;
        _counts = zeros(5, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _learner.State.Concat(
    [
        new("joint.x", StateKind.Memory, _x),
        new("joint.y", StateKind.Memory, _y),
        new("joint.counts", StateKind.Counter, _counts),
    ]);

    private ref long Kept => ref _counts.Values<long>()[0];

    /// <summary>Rows kept before the current task.</summary>
    private ref long Past => ref _counts.Values<long>()[1];

    /// <summary>Rows of the current task; 0 when none was announced.</summary>
    private ref long TaskRows => ref _counts.Values<long>()[2];

    /// <summary>Rows observed in the current task, every pass counted.</summary>
    private ref long Observed => ref _counts.Values<long>()[3];

    private ref long Steps => ref _counts.Values<long>()[4];

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        _learner.BeginTask(task, train);
        (Past, TaskRows, Observed) = (Kept, train.Count, 0);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        using var scope = NewDisposeScope();
        if (TaskRows == 0)
            Past = Kept;
        double share = (double)Past / (TaskRows > 0 ? TaskRows : (double)_setup.Training.Rows / _setup.Training.Tasks);
        int replayed = (int)(Math.Floor((Observed + batch.Count) * share) - Math.Floor(Observed * share));
        Observed += batch.Count;
        if (batch.FirstPass)
            Keep(batch);
        Steps++;
        return replayed == 0 ? _learner.Observe(batch) : Learn(batch, replayed);
    }

    private StepReport Learn(Batch batch, int replayed)
    {
        var random = _setup.Random($"joint/{Steps}");
        var index = tensor([.. Enumerable.Range(0, replayed).Select(_ => random.NextInt64(Past))]);
        var all = batch with { X = cat([batch.X, _x.index_select(0, index)]), Y = cat([batch.Y, _y.index_select(0, index)]) };
        var report = StepReport.None with { Replayed = replayed };
        foreach (long[] rows in ContinualStream.MiniBatches(all.Count, _setup.Training.BatchSize, random))
        {
            _setup.Cancellation.ThrowIfCancellationRequested();
            report += _learner.Observe(all.Rows(tensor(rows)));
        }
        return report;
    }

    private void Keep(Batch batch)
    {
        if (_known is not null)
            batch = Unknown(batch, _known);
        if (Kept + batch.Count > _x.shape[0])
            throw new InvalidOperationException($"The stream was planned with {_x.shape[0]} rows and has more.");
        _x.narrow(0, Kept, batch.Count).copy_(batch.X);
        _y.narrow(0, Kept, batch.Count).copy_(batch.Y);
        Kept += batch.Count;
    }

    /// <summary>The rows that are not kept yet. What is kept is told by its digests, which are made anew for a learner that was loaded.</summary>
    private Batch Unknown(Batch batch, HashSet<string> known)
    {
        if (known.Count != Kept)
        {
            known.Clear();
            for (int i = 0; i < Kept; i++)
                known.Add(Digest(_x, i));
        }
        using var x = batch.X.contiguous();
        long[] fresh = [.. Enumerable.Range(0, batch.Count).Where(i => known.Add(Digest(x, i))).Select(i => (long)i)];
        return batch.Rows(tensor(fresh));

        static string Digest(Tensor rows, int i) => Convert.ToBase64String(SHA256.HashData(MemoryMarshal.AsBytes(rows.Values<float>().Slice(i * (int)rows.shape[1], (int)rows.shape[1]))));
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => _learner.EndTask(task, train);

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null) => _learner.Predict(x, task);

    /// <inheritdoc/>
    public void Dispose()
    {
        _learner.Dispose();
        _x.Dispose();
        _y.Dispose();
        _counts.Dispose();
    }
}
