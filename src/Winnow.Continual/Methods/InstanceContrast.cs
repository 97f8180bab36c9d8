using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// The supervised contrastive losses on a similarity matrix of two views that OnPro takes from OCM (Guo, Liu and Zhao, ICML 2022):
/// <c>E = e^{(S − max S)/τ}</c>, <c>ℓ_ij = −log (E_ij / (Σ_j E_ij + ε) + ε)</c>, and <c>m_ij</c> the mask of equal labels whose rows sum to 1.
/// </summary>
public static class InstanceContrast
{
    private const double Epsilon = 1e-8;

    /// <summary>
    /// That of new rows: no row is compared with itself, and the views of a row count once more: <c>(2 Σ m ∘ ℓ + Σ over pairs of views ℓ) / 2B</c>.
    /// As in the released code m keeps its diagonal, which adds a constant without gradient.
    /// </summary>
    /// <param name="similarities">S [2B, 2B], the second view behind the first.</param>
    /// <param name="y">Labels [B] of any numeric type; rows are of one class when these are equal.</param>
    /// <param name="temperature">τ.</param>
    /// <param name="epsilon">ε.</param>
    /// <exception cref="ArgumentException">S is not [2B, 2B].</exception>
    public static Tensor OfNew(Tensor similarities, Tensor y, double temperature, double epsilon = Epsilon)
    {
        using var scope = NewDisposeScope();
        long b = y.shape[0];
        var losses = Losses(similarities, y, temperature, epsilon, withSelf: false);
        var pairs = losses.diagonal(offset: b).sum() + losses.diagonal(offset: -b).sum();
        return ((2 * (Mask(y, losses, epsilon) * losses).sum() + pairs) / (2 * b)).MoveToOuterDisposeScope();
    }

    /// <summary>That of replayed rows: each row is compared with itself too: <c>Σ m ∘ ℓ / 2B</c>.</summary>
    /// <inheritdoc cref="OfNew"/>
    public static Tensor OfReplayed(Tensor similarities, Tensor y, double temperature, double epsilon = Epsilon)
    {
        using var scope = NewDisposeScope();
        var losses = Losses(similarities, y, temperature, epsilon, withSelf: true);
        return ((Mask(y, losses, epsilon) * losses).sum() / losses.shape[0]).MoveToOuterDisposeScope();
    }

    private static Tensor Losses(Tensor similarities, Tensor y, double temperature, double epsilon, bool withSelf)
    {
        long rows = 2 * y.shape[0];
        if (!similarities.shape.AsSpan().SequenceEqual([rows, rows]))
            throw new ArgumentException($"similarities [{string.Join(", ", similarities.shape)}]; expected [{rows}, {rows}], two views of {y.shape[0]} rows", nameof(similarities));
        var e = ((similarities - similarities.amax([1], keepdim: true).detach()) / temperature).exp();
        if (!withSelf)
            e = e * (1 - eye(rows, dtype: e.dtype));
        return -(e / (e.sum(1, keepdim: true) + epsilon) + epsilon).log();
    }

    private static Tensor Mask(Tensor y, Tensor like, double epsilon)
    {
        var labels = y.repeat(2);
        var equal = labels.unsqueeze(1).eq(labels).to_type(like.dtype);
        return equal / (equal.sum(1, keepdim: true) + epsilon);
    }
}
