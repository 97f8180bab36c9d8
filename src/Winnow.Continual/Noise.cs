using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Random tensors from a seeded source.</summary>
internal static class Noise
{
    /// <summary>Standard normal values, float32 [rows, width]; the current dispose scope owns them.</summary>
    public static Tensor Normal(this SeededRandom random, long rows, long width) => Filled(rows, width, () => (float)random.NextNormal());

    /// <summary>Dropout's factors, float32 [rows, width]: 0 with a probability, else 1 / (1 − probability).</summary>
    public static Tensor Dropout(this SeededRandom random, double probability, long rows, long width) =>
        Filled(rows, width, () => random.NextDouble() < probability ? 0 : (float)(1 / (1 - probability)));

    private static Tensor Filled(long rows, long width, Func<float> next)
    {
        float[] values = new float[rows * width];
        foreach (ref float value in values.AsSpan())
            value = next();
        return tensor(values).reshape(rows, width);
    }
}
