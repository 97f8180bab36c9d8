using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// How well a ridge answers each row from all others, for every ridge at once: with an orthonormal basis U of what is fitted and its energies e, fitted values are <c>U diag(e / (e + λ)) Uᵀ y</c>, and
/// a row left out is missed by <c>(y − f) / (1 − h)</c>, h its share in its own fitted value (Allen 1974). Cost O(n · r · outputs) a ridge.
/// </summary>
internal static class LeaveOneOut
{
    /// <summary>The ridges that are tried, as shares of a mean size.</summary>
    public static IReadOnlyList<double> Ridges { get; } = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];

    /// <summary>The mean squared error for each ridge.</summary>
    /// <param name="basis">U [n, r], columns orthonormal.</param>
    /// <param name="energies">e [r], not below 0.</param>
    /// <param name="targets">y [n, outputs].</param>
    /// <param name="ridges">λ.</param>
    public static double[] Errors(Tensor basis, Tensor energies, Tensor targets, IEnumerable<double> ridges)
    {
        using var scope = NewDisposeScope();
        // 1 − h and y − f from what a ridge takes away, λ / (e + λ), which keeps its digits where h is near 1
        var (squares, turned) = (basis.square(), basis.t().mm(targets));
        bool whole = basis.shape[0] == basis.shape[1];
        var (outside, beyond) = whole ? (zeros_like(targets), zeros_like(squares.sum(1))) : (targets - basis.mm(turned), (1 - squares.sum(1)).clamp_min(0));
        return [.. ridges.Select(ridge =>
        {
            var taken = ridge / (energies + ridge);
            return ((outside + basis.mm(taken.unsqueeze(1) * turned)) / (beyond + squares.mv(taken)).unsqueeze(1)).square().mean().item<double>();
        })];
    }
}
