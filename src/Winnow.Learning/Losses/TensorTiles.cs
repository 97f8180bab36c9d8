using System.Runtime.InteropServices;
using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>Tensors as the operands of tiled kernels: contiguous, on the CPU, of at most 2 GiB.</summary>
internal static class TensorTiles
{
    public static Span<T> Values<T>(this Tensor tensor) where T : unmanaged => MemoryMarshal.Cast<byte, T>(tensor.bytes);

    /// <summary>A contiguous tensor as a matrix of its last dimension's width; valid as long as the tensor is.</summary>
    public static unsafe TileMatrix Matrix(this Tensor tensor)
    {
        int columns = checked((int)tensor.shape[^1]);
        fixed (byte* data = tensor.bytes)
            return new(data, checked((int)(tensor.numel() / columns)), columns, tensor.dtype == ScalarType.BFloat16 ? TileType.BFloat16 : TileType.Float32);
    }

    public static void Check(Tensor tensor, string name, params ReadOnlySpan<ScalarType> types)
    {
        if (tensor.device_type != TorchSharp.DeviceType.CPU)
            throw new ArgumentException($"{name} is on {tensor.device}; the tiled losses run on the CPU: move it there", name);
        if (!types.Contains(tensor.dtype))
            throw new ArgumentException($"{name} is {tensor.dtype}; expected {string.Join(" or ", types.ToArray())}", name);
        if (tensor.dim() < 1 || tensor.numel() == 0)
            throw new ArgumentException($"{name} has the shape [{string.Join(", ", tensor.shape)}]; expected at least one row", name);
    }
}
