using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Cross-entropy in which only the classes of the present mini-batch compete, replayed rows included: the rows of the head that belong to
/// absent classes receive a gradient of exactly zero. When predicting all classes compete.
/// <para>The mask is taken from the labels of the mini-batch, as in the paper's code, not from the task's classes; the two differ when a
/// mini-batch misses a class of its task. Among one class the loss is zero, so an announced task of one class with nothing replayed is learned
/// among all classes. Cost: none.</para>
/// </summary>
/// <param name="inner">A part that replays rows, which then compete under the same mask; this part owns it. Null for none.</param>
public sealed class GroupMask(IPart? inner = null) : IObjectivePart
{
    private readonly Counter _alone = new("mask.alone");

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => [.. inner?.State ?? [], _alone.State];

    /// <summary>The masked cross-entropy of rows.</summary>
    /// <param name="logits">[B, classes], on or off the tape.</param>
    /// <param name="labels">int64 [B].</param>
    public static Tensor Loss(Tensor logits, Tensor labels) => F.cross_entropy(logits.Among(Allowed(labels, (int)logits.shape[1])), labels);

    /// <summary>The classes that compete, booleans [classes].</summary>
    public static Tensor Allowed(Tensor labels, int classes) => ClassMask.Of(labels, classes);

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        _alone.Value = task.Classes.Count == 1 ? 1 : 0;
        inner?.BeginTask(network, task, train);
    }

    /// <inheritdoc/>
    public Objective? Objective(Step step) => inner?.Replay(step) is { } past
        ? new(past.X, (fresh, replayed) => Loss(cat([fresh, replayed]), cat([step.New.Y, past.Y])))
        : _alone.Value == 1 ? null : new(null, (fresh, _) => Loss(fresh, step.New.Y));

    /// <inheritdoc/>
    public void AfterStep(Step step) => inner?.AfterStep(step);

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train) => inner?.EndTask(network, task, train) ?? StepReport.None;

    /// <inheritdoc/>
    public void Dispose()
    {
        inner?.Dispose();
        _alone.Dispose();
    }
}
