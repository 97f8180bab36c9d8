using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Restricting a classifier's answer to some classes.</summary>
internal static class ClassMask
{
    /// <summary>Logits [B, classes] with those of all other classes at −∞: softmax gives them probability 0 and no gradient.</summary>
    /// <param name="logits">Logits, on or off the tape.</param>
    /// <param name="classes">Booleans [classes]: true for the classes that take part.</param>
    public static Tensor Among(this Tensor logits, Tensor classes) => logits.masked_fill(classes.logical_not(), float.NegativeInfinity);

    /// <summary>Refuses labels [B] that are not of the task: a loss over the task's classes cannot score them.</summary>
    /// <exception cref="ArgumentException">Such a label.</exception>
    public static void Require(Tensor labels, TaskInfo task)
    {
        using var dense = labels.contiguous();
        foreach (long label in dense.Values<long>())
            if (!task.Classes.Contains((int)label))
                throw new ArgumentException($"label {label} is outside the classes {string.Join(", ", task.Classes)} of task {task.Id}: begin its task first", nameof(labels));
    }

    /// <summary>The classes that occur among labels [B], as booleans [classes].</summary>
    public static Tensor Of(Tensor labels, int classes)
    {
        var present = zeros(classes, ScalarType.Bool);
        return present.index_fill_(0, labels, true);
    }
}
