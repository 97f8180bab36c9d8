using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Four layers of 3×3 convolutions, each scaled to mean 0 and deviation 1 over an image, the first of every second pixel, the last two over wider neighbourhoods, so that a feature sees 31 pixels each way: float32 [n, channels, height/2, width/2] of images, of length 1 each.
/// Cost of an image: about 25 channels² operations a feature pixel.
/// </summary>
internal sealed class SceneNetwork : IDisposable
{
    private static readonly (int Stride, int Dilation)[] Layers = [(2, 1), (1, 1), (1, 2), (1, 4)];

    /// <summary>Random layers.</summary>
    public SceneNetwork(int inputs, int channels, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        int[] widths = [inputs, Math.Max(1, channels / 2), channels, channels, channels];
        Parameters = [.. Enumerable.Range(0, Layers.Length).SelectMany(l => new[] { Normal(random, Math.Sqrt(2.0 / (9 * widths[l])), widths[l + 1], widths[l], 3, 3), zeros(widths[l + 1]) }).Select(p => p.requires_grad_().DetachFromDisposeScope())];
    }

    /// <summary>Weights and offsets of the layers.</summary>
    public IReadOnlyList<Tensor> Parameters { get; }

    /// <summary>Features.</summary>
    public Tensor Forward(Tensor images)
    {
        var h = (images - 0.4f) * 3;
        for (int l = 0; l < Layers.Length; l++)
        {
            var (stride, d) = Layers[l];
            h = nn.functional.conv2d(h, Parameters[2 * l], Parameters[2 * l + 1], [stride, stride], [d, d], [d, d]);
            if (l < Layers.Length - 1)
                h = ((h - h.mean([2, 3], keepdim: true)) / (h.var([2, 3], unbiased: false, keepdim: true) + 1e-5f).sqrt()).relu();
        }
        return h / h.norm(1, keepdim: true).clamp_min(1e-12);
    }

    /// <summary>Normal numbers, float32.</summary>
    public static Tensor Normal(SeededRandom random, double scale, params long[] shape)
    {
        float[] values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(scale * random.NextNormal());
        using var here = tensor(values, shape);
        return here.clone();
    }

    public void Dispose()
    {
        foreach (var parameter in Parameters)
            parameter.Dispose();
    }
}
