using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Online prototype equilibrium: the classes' prototypes of the moment, computed in two views of the same rows, are drawn together and all
/// others apart (OPE of OnPro, arXiv 2308.00301).
/// </summary>
public static class OnlinePrototypes
{
    /// <summary>The mean of each class's projections [classes, d]; zero for a class without rows.</summary>
    /// <param name="z">Projections [B, d], on or off the tape.</param>
    /// <param name="y">Labels, int64 [B].</param>
    /// <param name="classes">Number of classes.</param>
    /// <exception cref="ArgumentException">A label that is no class.</exception>
    public static Tensor Means(Tensor z, Tensor y, int classes)
    {
        using var scope = NewDisposeScope();
        foreach (long label in y.contiguous().Values<long>())
            if (label < 0 || label >= classes)
                throw new ArgumentException($"the label {label}; expected 0 to {classes - 1}", nameof(y));
        var members = F.one_hot(y, classes).to_type(z.dtype).t(); // [classes, B]
        return (members.mm(z) / members.sum(1, keepdim: true).clamp_min(1)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The equilibrium loss: over the 2K normalised prototypes of the K classes that have rows, <c>−mean log (e^{p·p⁺/τ} / Σ_{q ≠ p} e^{p·q/τ})</c>, p⁺
    /// the same class's prototype in the other view. O((B + K) · K · d).
    /// </summary>
    /// <param name="first">Projections [B, d] in one view.</param>
    /// <param name="second">Projections [B, d] of the same rows in the other.</param>
    /// <param name="y">Labels, int64 [B].</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="temperature">τ.</param>
    /// <returns>The loss, and the prototypes [classes, d] in both views before they are normalised.</returns>
    /// <exception cref="ArgumentException">The views differ in shape, or a label is no class.</exception>
    public static (Tensor Loss, Tensor First, Tensor Second) Equilibrium(Tensor first, Tensor second, Tensor y, int classes, double temperature)
    {
        if (!first.shape.AsSpan().SequenceEqual(second.shape) || first.shape[0] != y.shape[0])
            throw new ArgumentException($"views [{string.Join(", ", first.shape)}] and [{string.Join(", ", second.shape)}] of {y.shape[0]} rows; expected equal shapes, a row each", nameof(second));
        using var scope = NewDisposeScope();
        var (p1, p2) = (Means(first, y, classes), Means(second, y, classes));
        var present = ClassMask.Of(y, classes).nonzero().flatten();
        long k = present.shape[0];
        var p = F.normalize(cat([p1.index_select(0, present), p2.index_select(0, present)]), dim: 1);
        var similarities = (p.mm(p.t()) / temperature).masked_fill(eye(2 * k, dtype: ScalarType.Bool), double.NegativeInfinity);
        var other = arange(2 * k, dtype: ScalarType.Int64).add(k).remainder(2 * k);
        return (F.cross_entropy(similarities, other).MoveToOuterDisposeScope(), p1.MoveToOuterDisposeScope(), p2.MoveToOuterDisposeScope());
    }
}
