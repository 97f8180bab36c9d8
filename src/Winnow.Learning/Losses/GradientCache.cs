using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>
/// Trains encoders on a batch that is too large to encode with its graph: encode it in chunks without a graph, take the gradient of the loss by
/// all features, then encode every chunk once more and send its part of that gradient through. The result is the
/// gradient of the whole batch, exactly, if encoding is a function of the chunk alone: no dropout, no batch statistics.
/// <para>Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (2021), arXiv 2101.06983. Cost: a second encoding.</para>
/// </summary>
public static class GradientCache
{
    /// <summary>Adds the gradients of all that the encoders and the loss depend on.</summary>
    /// <param name="encoders">One per tower: inputs [b, ...] to features [b, d].</param>
    /// <param name="inputs">One batch per tower, [n, ...].</param>
    /// <param name="loss">The loss of all towers' features [n, d].</param>
    /// <param name="chunk">Rows that are encoded together.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>The loss.</returns>
    public static float Backward(IReadOnlyList<Func<Tensor, Tensor>> encoders, IReadOnlyList<Tensor> inputs, Func<IReadOnlyList<Tensor>, Tensor> loss, int chunk, CancellationToken cancellation = default)
    {
        if (encoders.Count == 0 || encoders.Count != inputs.Count)
            throw new ArgumentException($"{encoders.Count} encoders and {inputs.Count} batches; expected one batch per encoder");
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        using var scope = NewDisposeScope();
        var features = new List<Tensor>();
        using (no_grad())
        {
            for (int tower = 0; tower < encoders.Count; tower++)
                features.Add(cat([.. Chunks(inputs[tower]).Select(encoders[tower])]));
        }
        foreach (var feature in features)
            feature.requires_grad_(true);
        var value = loss(features);
        value.backward();
        for (int tower = 0; tower < encoders.Count; tower++)
        {
            var gradients = Chunks(features[tower].grad ?? zeros_like(features[tower])).GetEnumerator();
            foreach (var rows in Chunks(inputs[tower]))
            {
                cancellation.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                gradients.MoveNext();
                encoders[tower](rows).backward([gradients.Current]);
            }
        }
        return value.item<float>();

        IEnumerable<Tensor> Chunks(Tensor all)
        {
            for (long start = 0; start < all.shape[0]; start += chunk)
                yield return all.narrow(0, start, Math.Min(chunk, all.shape[0] - start));
        }
    }
}
