using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Some of many rows.</summary>
internal static class Evenly
{
    /// <summary>So many rows at the most, evenly taken; the tensor itself where there are no more.</summary>
    public static Tensor Taken(Tensor x, int most)
    {
        using var scope = NewDisposeScope();
        return x.shape[0] <= most ? x : x.index_select(0, tensor([.. Enumerable.Range(0, most).Select(i => i * x.shape[0] / most)])).MoveToOuterDisposeScope();
    }
}
