using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Learning.Tests;

internal static class TestData
{
    public static Tensor Uniform(int rows, int columns, ulong seed)
    {
        var random = new SeededRandom(seed, "uniform");
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
            values[i] = random.NextSingle();
        return tensor(values, [rows, columns]);
    }

    public static Tensor Labels(int rows, int classes, ulong seed)
    {
        var random = new SeededRandom(seed, "labels");
        return tensor(Enumerable.Range(0, rows).Select(_ => (long)random.Next(classes)).ToArray());
    }

    /// <summary>Moves every weight and statistic away from its initial value, so that an identity cannot hide a mistake.</summary>
    public static void Shake(Network network, ulong seed)
    {
        var random = new SeededRandom(seed, "shake");
        foreach (ref float value in network.ParameterValues)
            value += 0.2f * (random.NextSingle() - 0.5f);
        foreach (ref float value in network.BufferValues)
            value += 0.5f * random.NextSingle();
    }
}
