using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Solves systems of Gram matrices by Cholesky in float64. A matrix that is not positive definite to rounding gets jitter on its diagonal, ten times as much each time, from 1e-12 to 1e-6 of its mean
/// diagonal; what was needed is told, and beyond that it is refused with the rows that are the same. Cost O(n³ / 3 + n² · right sides).
/// </summary>
public static class PositiveSolve
{
    private const double First = 1e-12, Last = 1e-6;

    /// <summary>Solves <c>A X = B</c>.</summary>
    /// <param name="a">Symmetric float64 [n, n]; unchanged.</param>
    /// <param name="b">Float64 [n, k].</param>
    /// <param name="jitter">What was added to the diagonal: 0 as a rule.</param>
    /// <returns>X, float64 [n, k]; the current dispose scope owns it.</returns>
    /// <exception cref="InputException">The matrix has negative eigenvalues, or several rows that are the same and nothing on the diagonal.</exception>
    public static Tensor Solve(Tensor a, Tensor b, out double jitter)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        using var scope = NewDisposeScope();
        var factor = Factor(a, out jitter);
        return Back(factor, b).MoveToOuterDisposeScope();
    }

    /// <summary>Solves <c>L Lᵀ X = B</c>; two triangular systems, for the library's own call copies the factor first.</summary>
    internal static Tensor Back(Tensor factor, Tensor b)
    {
        using var scope = NewDisposeScope();
        return linalg.solve_triangular(factor.t(), linalg.solve_triangular(factor, b, upper: false), upper: true).MoveToOuterDisposeScope();
    }

    /// <summary>The lower factor L, A + jitter·I = L Lᵀ.</summary>
    /// <inheritdoc cref="Solve"/>
    public static Tensor Factor(Tensor a, out double jitter)
    {
        ArgumentNullException.ThrowIfNull(a);
        using var scope = NewDisposeScope();
        double mean = a.diagonal().mean().item<double>();
        if (!(mean > 0))
            throw InputException.At("Gram matrix", FormattableString.Invariant($"a mean diagonal of {mean}"), "a positive one", "Give a kernel under which rows resemble themselves.");
        for (jitter = 0; jitter <= Last * mean * 1.5; jitter = jitter == 0 ? First * mean : jitter * 10)
        {
            var (factor, info) = linalg.cholesky_ex(jitter == 0 ? a : a + eye(a.shape[0], dtype: ScalarType.Float64) * jitter);
            if (info.item<int>() == 0)
                return factor.MoveToOuterDisposeScope();
        }
        var same = (a - a.t()).abs().max().item<double>() > 1e-8 * mean ? "it is not symmetric" : SameRows(a) is var (i, j) && j > 0 ? $"rows {i} and {j} are the same" : "no two rows are the same: the kernel is not positive";
        throw InputException.At("Gram matrix", FormattableString.Invariant($"a smallest eigenvalue of {linalg.eigvalsh(a)[0].item<double>():G3} beside a mean diagonal of {mean:G3}; {same}"), FormattableString.Invariant($"no eigenvalue below -{Last:G1} of the mean diagonal"), "Leave doubled rows out, or add a ridge.");
    }

    private static (long, long) SameRows(Tensor a)
    {
        var d = a.diagonal();
        var near = ((a * 2 - d.unsqueeze(1) - d).abs() <= 1e-12 * d.mean()).triu(1).nonzero();
        return near.shape[0] == 0 ? (0, 0) : (near[0, 0].item<long>(), near[0, 1].item<long>());
    }

    /// <summary>The nearest matrix without negative eigenvalues (in the sum of squares), and the smallest eigenvalue there was. Cost O(n³).</summary>
    /// <param name="a">Symmetric float64 [n, n].</param>
    /// <param name="smallest">Its smallest eigenvalue.</param>
    /// <exception cref="ArgumentException">Not square, or not symmetric.</exception>
    public static Tensor Nearest(Tensor a, out double smallest)
    {
        ArgumentNullException.ThrowIfNull(a);
        using var scope = NewDisposeScope();
        if (a.dim() != 2 || a.shape[0] != a.shape[1] || (a - a.t()).abs().max().item<double>() > 1e-10 * a.abs().max().item<double>())
            throw new ArgumentException($"[{string.Join(", ", a.shape)}], or not symmetric; expected the symmetric matrix of some rows with themselves", nameof(a));
        var (values, vectors) = linalg.eigh(a);
        smallest = values[0].item<double>();
        return (smallest >= 0 ? a.clone() : Products.Symmetric((vectors * values.clamp_min(0)).mm(vectors.t()))).MoveToOuterDisposeScope();
    }
}
