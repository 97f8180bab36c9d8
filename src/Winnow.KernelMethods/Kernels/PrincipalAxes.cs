using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Principal components (Pearson 1901).</summary>
public static class PrincipalAxes
{
    /// <summary>Principal axes of rows as columns [d, d], variances descending; the largest entry of each is positive.</summary>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="variances">Of the rows along them [d], over n − 1.</param>
    public static Tensor Of(Tensor x, out Tensor variances)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        var centred = x - x.mean([0], keepdim: true);
        var (values, vectors) = linalg.eigh(centred.t().mm(centred) / (x.shape[0] - 1));
        variances = values.flip(0).clamp_min(0).MoveToOuterDisposeScope();
        var axes = vectors.flip(1);
        var largest = axes.gather(0, axes.abs().argmax(0, keepdim: true));
        return (axes * largest.sign()).MoveToOuterDisposeScope();
    }
}
