using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// GCRO-DR(m, k): GMRES with deflated restarting that hands a subspace of k vectors from one cycle to the next, and from one system to the
/// next (Parks, de Sturler, Mackey, Johnson and Maiti, "Recycling Krylov subspaces for sequences of linear systems", 2006). The subspace
/// follows the harmonic Ritz vectors of the smallest values. Memory: 8·n·(m + 2k + 6) bytes, kept from one system to the next. Cost of a
/// step: a product with the matrix and O(n·m); of a cycle besides: O(n·m·k + m³); of a system besides: k products, which are counted.
/// Not for several threads at once.
/// </summary>
public sealed class GcroDr : IDisposable
{
    private readonly SubspaceSolver _solver;

    /// <summary>A solver without a recycled space as yet.</summary>
    /// <param name="options">How it runs.</param>
    /// <param name="scratch">Where the memory comes from.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range, or k is not below m.</exception>
    public GcroDr(KrylovOptions options, Scratch? scratch = null) : this(options, scratch, null) { }

    internal GcroDr(KrylovOptions options, Scratch? scratch, Action<SubspaceSolver>? afterCycle) =>
        _solver = new(options.Checked(recycles: true), options.Recycled, scratch, afterCycle);

    /// <summary>Vectors in the recycled space, at most k.</summary>
    public int Dimension => _solver.Dimension;

    /// <summary>A copy of the recycled space U, in the variable of the preconditioned system: vectors of the length of the unknowns, not orthogonal.</summary>
    public IReadOnlyList<double[]> Space => [.. Enumerable.Range(0, Dimension).Select(_solver.U)];

    /// <summary>
    /// Solves A·x = b, starting from the recycled space where there is one of this size, and leaves the space for the next system. A space
    /// of another size is dropped; where b is 0 it stays as it is.
    /// </summary>
    /// <param name="a">A square matrix of finite numbers.</param>
    /// <param name="b">The right side.</param>
    /// <param name="x">The first guess, zeros for none; the solution when the method returns, converged or not.</param>
    /// <param name="preconditioner">None, when null.</param>
    /// <param name="cancellation">Looked at in every step; x is then as it was.</param>
    /// <exception cref="ArgumentException">Sizes differ, or a number is not finite.</exception>
    public SolveReport Solve(SparseMatrix<double> a, ReadOnlySpan<double> b, Span<double> x, IPreconditioner? preconditioner = null, CancellationToken cancellation = default) =>
        _solver.Solve(a, b, x, preconditioner, cancellation);

    /// <summary>Takes vectors over as the recycled space, e.g. those of <see cref="Space"/> of another solver.</summary>
    /// <param name="vectors">At least one and at most k, of the length of the unknowns; copied.</param>
    /// <exception cref="ArgumentException">None, too many, or of different lengths.</exception>
    public void Recycle(IReadOnlyList<double[]> vectors) => _solver.Recycle(vectors);

    /// <summary>Drops the recycled space: the next system starts without one.</summary>
    public void Forget() => _solver.Forget();

    /// <inheritdoc/>
    public void Dispose() => _solver.Dispose();
}
