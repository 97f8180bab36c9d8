using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>A learner that takes several steps on every mini-batch before it lets it go, as online methods do that may not see it again; a memory is offered its rows once.</summary>
/// <param name="inner">The learner, which this one owns.</param>
/// <param name="times">Steps on each mini-batch.</param>
internal sealed class RepeatedSteps(IContinualLearner inner, int times) : IContinualLearner
{
    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => inner.State;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) => inner.BeginTask(task, train);

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        var report = inner.Observe(batch);
        for (int i = 1; i < times; i++)
            report += inner.Observe(batch with { FirstPass = false });
        return report;
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => inner.EndTask(task, train);

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null) => inner.Predict(x, task);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
