using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>One-shot pruning by magnitude, within each weight of linear and convolutional modules; biases and normalisations stay.</summary>
public static class MagnitudePruning
{
    /// <summary>
    /// Sets the weights of smallest magnitude to zero: of a tensor of n weights the nearest whole number to amount · n (of two as near, the
    /// even one).
    /// </summary>
    /// <param name="network">Its parameters are changed.</param>
    /// <param name="amount">Share that is pruned, in [0, 1].</param>
    /// <returns>Factors for <see cref="Sgd.SetFactors"/>: 0 for pruned weights, 1 for all others.</returns>
    public static float[] Prune(Network network, double amount)
    {
        if (!(amount is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(amount), amount, "The share to prune lies in [0, 1].");
        float[] mask = new float[network.ParameterValues.Length];
        mask.AsSpan().Fill(1);
        foreach (var module in network.Modules.Where(m => m.Kind != ModuleKind.BatchNorm))
        {
            var weight = module.Parameters[0];
            float[] size = [.. network.ParameterValues.Slice(weight.Offset, weight.Length).ToArray().Select(MathF.Abs)];
            int[] order = [.. Enumerable.Range(0, size.Length)];
            Array.Sort(size, order);
            foreach (int i in order.Take((int)Math.Round(amount * order.Length)))
            {
                mask[weight.Offset + i] = 0;
                network.ParameterValues[weight.Offset + i] = 0;
            }
        }
        return mask;
    }
}
