using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Numbers in memory of the tensor library's own. What is made over an array of the program lies wherever the array does, and the library sums in another order at another alignment: its last bits would depend on the address.</summary>
internal static unsafe class Aligned
{
    /// <summary>Float64 of a shape; the current dispose scope owns it.</summary>
    public static Tensor Of(double[] values, params long[] shape)
    {
        using var here = tensor(values, shape);
        return here.clone();
    }

    /// <summary>Where the numbers of a contiguous float64 tensor lie; valid as long as it lives.</summary>
    public static double* Address(Tensor a)
    {
        using var scope = NewDisposeScope();
        fixed (byte* first = a.narrow(0, 0, 1).bytes)
            return (double*)first;
    }
}
