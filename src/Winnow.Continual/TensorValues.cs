using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>The memory of a tensor as a span.</summary>
internal static class TensorValues
{
    /// <summary>The elements in place, row-major: what is written is the tensor's. Valid while the tensor lives.</summary>
    /// <exception cref="ArgumentException">The tensor is not contiguous.</exception>
    public static Span<T> Values<T>(this Tensor tensor) where T : unmanaged =>
        tensor.is_contiguous() ? MemoryMarshal.Cast<byte, T>(tensor.bytes) : throw new ArgumentException("The elements do not lie next to each other.", nameof(tensor));
}
