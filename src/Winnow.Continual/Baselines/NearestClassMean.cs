using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Answers with the class whose mean is nearest: on the features of the pre-trained encoder, which stays as it is, where the stream has one;
/// otherwise on the standardised inputs. Learns each row once, in any order, without boundaries.
/// <para>Paper: Mensink et al., Distance-based image classification: generalizing to new classes at near-zero cost, TPAMI 2013.</para>
/// <para>Logits are −‖f − μ‖²/2. Cost: one addition a value of a row; memory: classes · features values of float64.</para>
/// </summary>
public sealed class NearestClassMean : IContinualLearner
{
    private readonly FeatureSpace _space;
    private readonly ClassMeans _classes;

    /// <summary>A learner that has seen nothing.</summary>
    public NearestClassMean(LearnerSetup setup)
    {
        _space = new(setup);
        _classes = new(setup.Classes, _space.Width);
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _space.State.Concat(_classes.State("ncm"));

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) { }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (!batch.FirstPass)
            return StepReport.None;
        using var scope = NewDisposeScope();
        _classes.Add(_space.Of(batch.X), batch.Y);
        return StepReport.None with { Forward = _space.Forwards(batch.Count) };
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var scope = NewDisposeScope();
        return _classes.Logits(cdist(_space.Of(x), _classes.Means).square() / -2).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _space.Dispose();
        _classes.Dispose();
    }
}
