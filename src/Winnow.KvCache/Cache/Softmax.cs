using System.Numerics.Tensors;

namespace Winnow.KvCache;

/// <summary>e^(x - largest) over their sum, in place.</summary>
internal static class Softmax
{
    public static void Over(Span<float> x)
    {
        TensorPrimitives.Subtract(x, TensorPrimitives.Max<float>(x), x);
        TensorPrimitives.Exp(x, x);
        TensorPrimitives.Divide(x, TensorPrimitives.Sum<float>(x), x);
    }
}
