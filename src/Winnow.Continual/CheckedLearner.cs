using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Winnow.Continual;

/// <summary>
/// What stands before every learner of the catalogue: refuses what no learner can use, with the row and the reason, and honours cancellation
/// at every call; so no method has to. Cost: one look at each value.
/// </summary>
internal sealed class CheckedLearner(IContinualLearner inner, LearnerSetup setup) : IContinualLearner
{
    /// <summary>The learner behind.</summary>
    public IContinualLearner Inner { get; } = inner;

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => Inner.State;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        Require(task);
        Require(train, nameof(train));
        Inner.BeginTask(task, train);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        Require(batch, nameof(batch));
        return Inner.Observe(batch);
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        Require(task);
        Require(train, nameof(train));
        return Inner.EndTask(task, train);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        if (task is not null)
            Require(task);
        Require(x, nameof(x));
        return Inner.Predict(x, task);
    }

    /// <inheritdoc/>
    public void Dispose() => Inner.Dispose();

    private void Require(TaskInfo task)
    {
        if (task.Classes.Count == 0 || task.Classes.Any(c => c < 0 || c >= setup.Classes))
            throw new ArgumentException($"Task {task.Id} has the classes [{string.Join(", ", task.Classes)}]; expected at least one, each from 0 to {setup.Classes - 1}.", nameof(task));
    }

    private void Require(Batch batch, string name)
    {
        Require(batch.X, name);
        if (setup.Frame is { } frame)
        {
            RequireFrames(batch, frame, name);
            return;
        }
        if (batch.Y.dtype != ScalarType.Int64 || batch.Y.dim() != 1 || batch.Y.shape[0] != batch.X.shape[0])
            throw new ArgumentException($"The labels are {Shape(batch.Y)}; expected Int64 [{batch.X.shape[0]}], one for each row.", name);
        using var labels = batch.Y.contiguous();
        var values = labels.Values<long>();
        int bad = values.IndexOfAnyExceptInRange(0, setup.Classes - 1);
        if (bad >= 0)
            throw new ArgumentException($"Row {bad} has the label {values[bad]}; expected 0 to {setup.Classes - 1}, the classes of the stream.", name);
    }

    private static void RequireFrames(Batch batch, IReadOnlyList<int> frame, string name)
    {
        int width = frame.Aggregate(1, (a, b) => a * b);
        if (batch.Y.dtype != ScalarType.Float32 || batch.Y.dim() != 2 || batch.Y.shape[0] != batch.X.shape[0] || batch.Y.shape[1] != width)
            throw new ArgumentException($"The frames are {Shape(batch.Y)}; expected Float32 [{batch.X.shape[0]}, {width}], {string.Join('x', frame)} values for each row.", name);
        using var frames = batch.Y.contiguous();
        var values = frames.Values<float>();
        // Comparisons with NaN are false, so it is caught too.
        if (TensorPrimitives.Min<float>(values) >= 0 && TensorPrimitives.Max<float>(values) <= 1)
            return;
        int bad = 0;
        while (values[bad] is >= 0 and <= 1)
            bad++;
        throw new ArgumentException($"Row {bad / width}, value {bad % width} of its frame is {values[bad]}; expected values in [0, 1]: divide bytes by 255.", name);
    }

    private void Require(Tensor x, string name)
    {
        setup.Cancellation.ThrowIfCancellationRequested();
        if (x.dtype != ScalarType.Float32 || x.dim() != 2 || x.shape[0] == 0 || x.shape[1] != setup.Width)
            throw new ArgumentException($"The inputs are {Shape(x)}; expected Float32 [rows, {setup.Width}] with at least one row.", name);
        using var contiguous = x.contiguous();
        var values = contiguous.Values<float>();
        if (TensorPrimitives.IsFiniteAll<float>(values))
            return;
        int bad = 0;
        while (float.IsFinite(values[bad]))
            bad++;
        throw new ArgumentException($"Row {bad / setup.Width}, column {bad % setup.Width} is {values[bad]}; expected finite numbers: clean the data.", name);
    }

    private static string Shape(Tensor tensor) => $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]";
}
