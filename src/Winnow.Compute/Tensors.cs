using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>Arrays as tensors, for the baselines that a library computes.</summary>
internal static class Tensors
{
    /// <summary>A tensor over the array itself, without a copy.</summary>
    public static Tensor View(float[] values, params long[] shape)
    {
        NativeTorch.Require();
        return frombuffer(values, ScalarType.Float32).view(shape);
    }

    /// <summary>The values of a tensor.</summary>
    public static float[] Values(Tensor tensor) => tensor.contiguous().data<float>().ToArray();

    /// <summary>Queries, keys and values [heads, rows, width].</summary>
    public static (Tensor Q, Tensor K, Tensor V) Of(AttentionProblem p) =>
        (View(p.Q, p.Heads, p.Queries, p.Width), View(p.K, p.Heads, p.Keys, p.Width), View(p.V, p.Heads, p.Keys, p.ValueWidth));
}
