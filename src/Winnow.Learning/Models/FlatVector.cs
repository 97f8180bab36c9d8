using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>A float32 vector in libtorch's memory that C# code reads and writes in place. Its address never changes.</summary>
internal sealed unsafe class FlatVector : IDisposable
{
    private readonly float* _data;

    public FlatVector(int length)
    {
        Length = length;
        Tensor = zeros(length, ScalarType.Float32).DetachFromDisposeScope();
        if (length > 0)
        {
            fixed (byte* data = Tensor.bytes)
                _data = (float*)data;
        }
    }

    public int Length { get; }

    public Tensor Tensor { get; }

    public Span<float> Values => new(_data, Length);

    /// <summary>The address of an element, for kernels; valid until the vector is disposed.</summary>
    public float* At(int offset) => _data + offset;

    /// <summary>A tensor that shares the memory of a range; the caller disposes of it.</summary>
    public Tensor View(FlatRange range)
    {
        using var _ = no_grad();
        using var part = Tensor.narrow(0, range.Offset, range.Length);
        return part.view([.. range.Shape]).DetachFromDisposeScope();
    }

    public void Dispose() => Tensor.Dispose();
}
