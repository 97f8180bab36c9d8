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

/// <summary>A part that adds a term to the loss.</summary>
public interface ILossPart : IPart
{
    /// <summary>
    /// This step's further loss, as a function from the logits [B, classes] of the new rows to a scalar, both on the tape; null when
    /// there is none in this step. Asked for before the forward pass, so that steps without one keep off the tape.
    /// </summary>
    Func<torch.Tensor, torch.Tensor>? Loss(Step step);
}

/// <summary>
/// A part that scores the new rows, and rows it replays, in its own way instead of by their mean cross-entropy.
/// A <see cref="Learner"/> has at most one.
/// </summary>
public interface IObjectivePart : IPart
{
    /// <summary>What this step learns; null for plain cross-entropy.</summary>
    Objective? Objective(Step step);
}

/// <summary>A part that moves the weights in its own way instead of by the stream's SGD, forgotten at task boundaries. A <see cref="Learner"/> has at most one.</summary>
public interface IUpdatePart : IPart
{
    /// <summary>Takes the network whose weights it moves, once, before anything else is called.</summary>
    void Attach(Network network);

    /// <summary>Moves the weights by the gradient that the network holds.</summary>
    void Update();
}

/// <summary>What a step learns instead of the mean cross-entropy of its rows.</summary>
/// <param name="Replayed">Inputs [M, width] that pass forward together with the new rows, or null.</param>
/// <param name="Loss">
/// From the logits of the new rows [B, classes] and of the replayed rows [M, classes], on the tape, to a scalar.
/// </param>
public sealed record Objective(torch.Tensor? Replayed, Func<torch.Tensor, torch.Tensor, torch.Tensor> Loss);

/// <summary>One step of a <see cref="Learner"/>, as its parts see it.</summary>
public sealed class Step
{
    /// <summary>The network.</summary>
    public required Network Network { get; init; }

    /// <summary>The new rows.</summary>
    public required Batch New { get; init; }

    /// <summary>Zero-based number of the step in the stream.</summary>
    public required long Index { get; init; }

    /// <summary>
    /// From the backward pass on, the logits [B, classes] of the new rows before the weights moved; null in a step that kept off the tape.
    /// </summary>
    public torch.Tensor? Logits { get; set; }

    /// <summary>What the step has cost so far: a part adds the rows that it passes through the network.</summary>
    public StepReport Report { get; set; } = StepReport.None;
}
