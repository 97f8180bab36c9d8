using Winnow.Learning;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>Cross-entropy among the classes of one task: the rows of the head that belong to other tasks get no gradient.</summary>
internal static class TaskLoss
{
    /// <summary>The loss of logits [B, classes], as a scalar.</summary>
    /// <exception cref="ArgumentException">A label is not one of the task's classes.</exception>
    public static Tensor Of(Tensor logits, Tensor labels, TaskInfo task)
    {
        using var scope = NewDisposeScope();
        var among = ClassMask.Of(tensor([.. task.Classes.Select(c => (long)c)]), (int)logits.shape[1]);
        if (!among.index_select(0, labels).all().item<bool>())
            throw new ArgumentException($"a label outside the classes {string.Join(", ", task.Classes)} of task {task.Id}; expected rows of the task that began last", nameof(labels));
        return cross_entropy(logits.Among(among), labels).MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradient of a batch's mean loss to the network's.</summary>
    /// <param name="network">The network.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="among">The task whose classes compete; null for all.</param>
    /// <returns>The loss.</returns>
    public static double AddGradient(Network network, Batch batch, TaskInfo? among) =>
        among is null ? network.AddCrossEntropyGradient(batch.X, batch.Y) : network.AddGradient(batch.X, logits => Of(logits, batch.Y, among));
}
