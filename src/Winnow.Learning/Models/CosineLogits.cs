using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>The logits of a head whose classes have frozen target vectors.</summary>
public static class CosineLogits
{
    /// <summary>A vector shorter than this has no direction: its cosines are 0 and it gets no gradient.</summary>
    internal const float Least = 1e-12f;

    /// <summary>
    /// <c>z_c = η · f/‖f‖ · e_c/‖e_c‖</c>, on the graph. A feature's gradient is at right angles to it. Cost: O(B·C·d).
    /// </summary>
    /// <param name="features">Features f, <c>[B, d]</c>.</param>
    /// <param name="targets">Targets e_c, <c>[C, d]</c>; a row of zeros has the logit 0.</param>
    /// <param name="scale">η, <c>[1]</c> or a scalar.</param>
    /// <returns>Logits <c>[B, C]</c>.</returns>
    public static Tensor Of(Tensor features, Tensor targets, Tensor scale) => scale * Direction(features).matmul(Direction(targets).t());

    private static Tensor Direction(Tensor rows)
    {
        var length = rows.norm(1, keepdim: true);
        return rows / length.masked_fill(length < Least, float.PositiveInfinity);
    }
}
