using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The function in a space that is nearest to values at points: <c>min_c (1/n) Σ wᵢ (fᵢ − φᵢᵀc)²</c>, by QR of √w φ. Cost O(n m²).</summary>
public static class WeightedLeastSquares
{
    private const double Singular = 1e-12;

    /// <summary>The coefficients [m, k].</summary>
    /// <param name="design">Points and what each counts.</param>
    /// <param name="values">f at them, float64 [n, k].</param>
    /// <returns>Float64 [m, k]; the current dispose scope owns it.</returns>
    /// <exception cref="InputException">A value that is no number, or points that leave coefficients open.</exception>
    public static Tensor Fit(Design design, Tensor values)
    {
        ArgumentNullException.ThrowIfNull(design);
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        if (values.dim() != 2 || values.shape[0] != design.Count)
            throw InputException.At("values", $"[{string.Join(", ", values.shape)}]", $"[{design.Count}, k], a row a point", "Give the function at every point of the design.");
        Finite.Require(values, "values");
        double smallest = design.SmallestEigenvalue;
        if (!(smallest > Singular))
            throw InputException.At("points", FormattableString.Invariant($"a smallest eigenvalue of {smallest:G3} of their {design.Size} functions"), FormattableString.Invariant($"above {Singular:G1}"), "Take more points, or choose them by wls-dpp: these leave coefficients open.");
        var root = Aligned.Of([.. design.Weights.Select(Math.Sqrt)], design.Count, 1);
        var (q, r) = linalg.qr(Aligned.Of(design.Features, design.Count, design.Size) * root);
        return linalg.solve(r, q.t().mm(values * root)).MoveToOuterDisposeScope();
    }

    /// <summary>G = (1/n) Σ wᵢ φᵢφᵢᵀ [m, m].</summary>
    public static Tensor Gram(Design design)
    {
        ArgumentNullException.ThrowIfNull(design);
        using var scope = NewDisposeScope();
        var phi = Aligned.Of(design.Features, design.Count, design.Size);
        return phi.t().mm(phi * Aligned.Of(design.Weights, design.Count, 1)).div_(design.Count).MoveToOuterDisposeScope();
    }

    internal static double SmallestEigenvalue(Design design)
    {
        using var scope = NewDisposeScope();
        return linalg.eigvalsh(Products.Symmetric(Gram(design)))[0].item<double>();
    }
}
