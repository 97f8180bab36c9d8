using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Finding the task of a row when nobody tells it: the task whose classifier is surest, that is, whose softmax over the task's own classes has
/// the least entropy (von Oswald et al., Continual learning with hypernetworks, ICLR 2020). Ties go to the earlier task.
/// </summary>
internal static class TaskInference
{
    /// <summary>What the classes outside a task get: finite, below any logit.</summary>
    public const double Outside = -1e11;

    /// <summary>Logits [B, classes] in which all classes but the given ones are at <see cref="Outside"/>.</summary>
    public static Tensor Only(this Tensor logits, IReadOnlyList<int> classes)
    {
        using var scope = NewDisposeScope();
        var index = tensor(classes.Select(c => (long)c).ToArray());
        return full_like(logits, Outside, requires_grad: false).index_copy(1, index, logits.index_select(1, index)).MoveToOuterDisposeScope();
    }

    /// <summary>For each row the logits of its surest task.</summary>
    /// <param name="logits">For each task the logits [B, classes], those of other classes at <see cref="Outside"/>.</param>
    public static Tensor Surest(IReadOnlyList<Tensor> logits)
    {
        if (logits.Count == 0)
            throw new ArgumentException("there are no tasks to choose from: learn one first", nameof(logits));
        using var scope = NewDisposeScope();
        var all = stack(logits); // [tasks, B, classes]
        var log = all.log_softmax(2);
        var entropy = -(log.exp() * log).sum(2);
        var best = zeros(entropy.shape[1], ScalarType.Int64);
        var least = entropy[0];
        for (int t = 1; t < logits.Count; t++) // strictly less, so that ties go to the earlier task whatever argmin would do
        {
            var surer = entropy[t].less(least);
            best = best.masked_fill(surer, t);
            least = entropy[t].minimum(least);
        }
        return all.gather(0, best.view(1, -1, 1).expand(1, -1, all.shape[2])).squeeze(0).MoveToOuterDisposeScope();
    }
}
