using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Golden arrays as tensors and back.</summary>
internal static class GoldenTensors
{
    /// <summary>An input of floats as a float64 tensor of its shape; the current dispose scope owns it.</summary>
    public static Tensor Tensor(this GoldenFile file, string name) => tensor(file.Input(name).Doubles).reshape([.. file.Input(name).Shape.Select(s => (long)s)]);

    /// <summary>A tensor as a float32 result.</summary>
    public static GoldenArray AsFloat32(this Tensor tensor) => new("float32", [.. tensor.shape.Select(s => (int)s)], tensor.AsFloat64().Doubles);

    /// <summary>A tensor as a float64 result.</summary>
    public static GoldenArray AsFloat64(this Tensor tensor)
    {
        using var dense = tensor.detach().to_type(ScalarType.Float64).contiguous();
        return GoldenArray.Float64([.. tensor.shape.Select(s => (int)s)], dense.data<double>().ToArray());
    }
}
