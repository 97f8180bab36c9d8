namespace Winnow.Numerics;

/// <summary>
/// The linear cross-entropy in float64, row by row with plain loops: for finite differences and as a reference. Cost as
/// <see cref="LinearCrossEntropyKernel"/>'s, some tens of times slower; scratch one row of logits.
/// </summary>
public static class LinearCrossEntropyFloat64
{
    /// <summary>Computes every valid row's log-sum-exp and its target's logit.</summary>
    /// <param name="e">E [N, D].</param>
    /// <param name="c">C [V, D].</param>
    /// <param name="bias">[V], or empty.</param>
    /// <param name="depth">D.</param>
    /// <param name="rows">Which rows are scored against which targets.</param>
    /// <param name="softcap">The soft cap, or null.</param>
    /// <param name="logSumExp">Receives [n].</param>
    /// <param name="targetLogit">Receives [n].</param>
    /// <param name="scratch">Where the row of logits comes from.</param>
    public static void Forward(ReadOnlySpan<double> e, ReadOnlySpan<double> c, ReadOnlySpan<double> bias, int depth, TargetRows rows, double? softcap, Span<double> logSumExp, Span<double> targetLogit, Scratch scratch)
    {
        using var room = scratch.Take<double>(c.Length / depth);
        var z = room.Span;
        for (int i = 0; i < rows.Count; i++)
        {
            Logits(e.Slice(rows.Embeddings[i] * depth, depth), c, bias, softcap, z);
            double max = System.Numerics.Tensors.TensorPrimitives.Max<double>(z), sum = 0;
            foreach (double a in z)
                sum += Math.Exp(a - max);
            (logSumExp[i], targetLogit[i]) = (max + Math.Log(sum), z[rows.Targets[i]]);
            if (!double.IsFinite(logSumExp[i]))
                throw new ArgumentException($"the logits of row {rows.Embeddings[i]} are not finite (their log-sum-exp is {logSumExp[i]}); check embeddings, classifier and bias for infinities and NaN");
        }
    }

    /// <summary>Computes the gradients, which are overwritten.</summary>
    /// <param name="e">E [N, D].</param>
    /// <param name="c">C [V, D].</param>
    /// <param name="bias">[V], or empty.</param>
    /// <param name="depth">D.</param>
    /// <param name="rows">Which rows are scored against which targets.</param>
    /// <param name="softcap">The soft cap, or null.</param>
    /// <param name="logSumExp">Of the forward pass [n].</param>
    /// <param name="lossGradient">By every valid row's loss [n].</param>
    /// <param name="logSumExpGradient">By every valid row's log-sum-exp beyond that [n].</param>
    /// <param name="dE">Receives [N, D].</param>
    /// <param name="dC">Receives [V, D].</param>
    /// <param name="dBias">Receives [V], unless empty.</param>
    /// <param name="scratch">Where the row of logits comes from.</param>
    public static void Backward(ReadOnlySpan<double> e, ReadOnlySpan<double> c, ReadOnlySpan<double> bias, int depth, TargetRows rows, double? softcap, ReadOnlySpan<double> logSumExp,
        ReadOnlySpan<double> lossGradient, ReadOnlySpan<double> logSumExpGradient, Span<double> dE, Span<double> dC, Span<double> dBias, Scratch scratch)
    {
        using var room = scratch.Take<double>(c.Length / depth);
        var z = room.Span;
        dE.Clear();
        dC.Clear();
        dBias.Clear();
        for (int i = 0; i < rows.Count; i++)
        {
            int row = rows.Embeddings[i] * depth;
            Logits(e.Slice(row, depth), c, bias, softcap, z);
            for (int v = 0; v < z.Length; v++)
            {
                double g = Math.Exp(z[v] - logSumExp[i]) * (lossGradient[i] + logSumExpGradient[i]) - (v == rows.Targets[i] ? lossGradient[i] : 0);
                if (softcap is { } cap)
                    g *= 1 - z[v] * z[v] / (cap * cap);
                if (dBias.Length > 0)
                    dBias[v] += g;
                for (int k = 0; k < depth; k++)
                {
                    dE[row + k] += g * c[v * depth + k];
                    dC[v * depth + k] += g * e[row + k];
                }
            }
        }
    }

    private static void Logits(ReadOnlySpan<double> e, ReadOnlySpan<double> c, ReadOnlySpan<double> bias, double? softcap, Span<double> z)
    {
        for (int v = 0; v < z.Length; v++)
        {
            double a = bias.IsEmpty ? 0 : bias[v];
            for (int k = 0; k < e.Length; k++)
                a += e[k] * c[v * e.Length + k];
            z[v] = softcap is { } cap ? cap * Math.Tanh(a / cap) : a;
        }
    }
}
