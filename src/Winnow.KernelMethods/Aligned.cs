using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Numbers in memory of the tensor library's own. What is made over an array of the program lies wherever the array does, and the library sums in another order at another alignment: its last bits would depend on the address.</summary>
internal static class Aligned
{
    /// <summary>Float64 of a shape; the current dispose scope owns it.</summary>
    public static Tensor Of(double[] values, params long[] shape)
    {
        using var here = tensor(values, shape);
        return here.clone();
    }
}
