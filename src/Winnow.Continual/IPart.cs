using TorchSharp;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>
/// One idea that changes how a network learns from a stream: most papers are exactly one part. A <see cref="Learner"/> is a network,
/// SGD, cross-entropy and an ordered list of parts; every hook is optional. Tensors made inside a hook belong to the step's dispose scope.
/// </summary>
public interface IPart : IDisposable
{
    /// <summary>A task begins.</summary>
    void BeginTask(Network network, TaskInfo task, Batch train) { }

    /// <summary>Rows to be learned together with the new ones (one forward pass over both), or null.</summary>
    Batch? Replay(Step step) => null;

    /// <summary>After the backward pass: the flat gradient may be changed.</summary>
    void Gradient(Step step) { }

    /// <summary>After the weights have moved.</summary>
    void AfterStep(Step step) { }

    /// <summary>A task is over.</summary>
    StepReport EndTask(Network network, TaskInfo task, Batch train) => StepReport.None;

    /// <summary>What the part remembers; see <see cref="IContinualLearner.State"/>.</summary>
    IEnumerable<StateEntry> State => [];
}

/// <summary>A part that adds a term to the loss. Steps with such a part go over the autograd tape.</summary>
public interface ILossPart : IPart
{
    /// <summary>A further loss (scalar, on the tape), or null when there is none in this step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="logits">Logits [B, classes] of the new rows, on the tape.</param>
    torch.Tensor? Loss(Step step, torch.Tensor logits);
}

/// <summary>One step of a <see cref="Learner"/>, as its parts see it.</summary>
public sealed class Step
{
    /// <summary>The network.</summary>
    public required Network Network { get; init; }

    /// <summary>The new rows.</summary>
    public required Batch New { get; init; }

    /// <summary>Zero-based number of the step in the stream.</summary>
    public required long Index { get; init; }

    /// <summary>What the step has cost so far: a part adds the rows that it passes through the network.</summary>
    public StepReport Report { get; set; } = StepReport.None;
}
