using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// Restarted GMRES (Saad and Schultz, 1986), with Arnoldi by classical Gram–Schmidt applied twice. A solver keeps its memory, 8·n·(m + 6)
/// bytes, from one system to the next. Cost of a step: a product with the matrix and O(n·m). Not for several threads at once.
/// </summary>
/// <param name="options">How it runs; <see cref="KrylovOptions.Recycled"/> is not looked at.</param>
/// <param name="scratch">Where the memory comes from.</param>
/// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
public sealed class Gmres(KrylovOptions options, Scratch? scratch = null) : IDisposable
{
    private readonly SubspaceSolver _solver = new(options.Checked(recycles: false), 0, scratch, null);

    /// <summary>Solves A·x = b.</summary>
    /// <param name="a">A square matrix of finite numbers.</param>
    /// <param name="b">The right side.</param>
    /// <param name="x">The first guess, zeros for none; the solution when the method returns, converged or not.</param>
    /// <param name="preconditioner">None, when null.</param>
    /// <param name="cancellation">Looked at in every step; x is then as it was.</param>
    /// <exception cref="ArgumentException">Sizes differ, or a number is not finite.</exception>
    public SolveReport Solve(SparseMatrix<double> a, ReadOnlySpan<double> b, Span<double> x, IPreconditioner? preconditioner = null, CancellationToken cancellation = default) =>
        _solver.Solve(a, b, x, preconditioner, cancellation);

    /// <inheritdoc/>
    public void Dispose() => _solver.Dispose();
}
