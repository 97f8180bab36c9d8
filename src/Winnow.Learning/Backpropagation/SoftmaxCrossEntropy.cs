using System.Numerics.Tensors;

namespace Winnow.Learning;

/// <summary>The mean cross-entropy of softmax outputs.</summary>
internal static class SoftmaxCrossEntropy
{
    /// <summary>Writes the derivatives by the logits, <c>(softmax − onehot)/batch</c>, and returns the loss.</summary>
    /// <exception cref="ArgumentException">A label that is no class.</exception>
    public static double Backward(Rows logits, ReadOnlySpan<long> labels, Rows derivatives)
    {
        double loss = 0;
        for (int i = 0; i < logits.Count; i++)
        {
            long label = labels[i];
            if (label < 0 || label >= logits.Length)
                throw new ArgumentException($"label {label} in row {i}; expected 0 to {logits.Length - 1}", nameof(labels));
            Span<float> z = logits[i], d = derivatives[i];
            float max = TensorPrimitives.Max(z);
            TensorPrimitives.Subtract(z, max, d);
            TensorPrimitives.Exp(d, d);
            float sum = TensorPrimitives.Sum(d);
            loss += Math.Log(sum) + max - z[(int)label];
            TensorPrimitives.Multiply(d, 1 / (sum * logits.Count), d);
            d[(int)label] -= 1f / logits.Count;
        }
        return loss / logits.Count;
    }
}
