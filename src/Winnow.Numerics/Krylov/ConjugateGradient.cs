using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>Preconditioned conjugate gradients (Hestenes and Stiefel, 1952), for symmetric positive definite matrices. Cost of a step: a product with the matrix and O(n).</summary>
public static unsafe class ConjugateGradient
{
    /// <summary>Solves A·x = b.</summary>
    /// <param name="a">A symmetric positive definite matrix; symmetry is not checked.</param>
    /// <param name="b">The right side.</param>
    /// <param name="x">The first guess, zeros for none; the solution when the method returns, converged or not.</param>
    /// <param name="options">Tolerance and most products; the rest is not looked at.</param>
    /// <param name="preconditioner">Symmetric positive definite; none, when null.</param>
    /// <param name="scratch">Where the memory, five vectors, comes from.</param>
    /// <param name="cancellation">Looked at in every step; x is then as it was.</param>
    /// <exception cref="ArgumentException">Sizes differ, a number is not finite, or A or M is found not to be positive definite.</exception>
    public static SolveReport Solve(SparseMatrix<double> a, ReadOnlySpan<double> b, Span<double> x, KrylovOptions options, IPreconditioner? preconditioner = null, Scratch? scratch = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Checked(recycles: false);
        SystemCheck.Throw(a, b, x, preconditioner);
        int n = a.Rows, padded = Columns.PaddedRows(n);
        using var block = (scratch ?? new Scratch()).Take<double>(5 * Columns.StrideOf(n));
        var vectors = new Columns(block.Data, padded, Columns.StrideOf(n));
        double* u = vectors[0], r = vectors[1], z = vectors[2], p = vectors[3], ap = vectors[4];
        var history = new List<double>();
        x.CopyTo(new Span<double>(u, n));
        b.CopyTo(new Span<double>(r, n));
        double scale = Columns.Norm(r, padded), goal = options.Tolerance * scale;
        if (scale == 0)
        {
            x.Clear();
            return new(SolveStatus.Converged, 0, 0, 0, [0]);
        }
        var product = new KrylovOperator(a, null, PreconditionerSide.Right, null);
        if (x.ContainsAnyExcept(0))
        {
            product.Multiply(u, ap);
            Columns.Add(-1, ap, r, padded);
        }
        double norm = Columns.Norm(r, padded), rz = 0, truth = double.PositiveInfinity;
        history.Add(norm / scale);
        SolveStatus? status = null;
        for (bool first = true; status is null; first = false)
        {
            cancellation.ThrowIfCancellationRequested();
            if (norm <= goal || product.Products >= options.MaximumProducts)
            {
                double last = truth;
                b.CopyTo(new Span<double>(r, n));
                product.Multiply(u, ap);
                Columns.Add(-1, ap, r, padded);
                truth = norm = Columns.Norm(r, padded);
                status = truth <= goal ? SolveStatus.Converged : product.Products >= options.MaximumProducts ? SolveStatus.ProductLimit : truth < last / 2 ? null : SolveStatus.Stagnated;
                if (status is not null)
                    break;
                first = true;
            }
            if (preconditioner is null)
                Columns.Scale(1, r, z, padded);
            else
                preconditioner.Apply(new(r, n), new Span<double>(z, n));
            double old = rz;
            rz = Positive(Columns.Dot(r, z, padded), "the preconditioner");
            Columns.Scale(first ? 0 : rz / old, p, p, padded);
            Columns.Add(1, z, p, padded);
            product.Multiply(p, ap);
            double alpha = rz / Positive(Columns.Dot(p, ap, padded), "the matrix");
            Columns.Add(alpha, p, u, padded);
            Columns.Add(-alpha, ap, r, padded);
            norm = Columns.Norm(r, padded);
            history.Add(norm / scale);
        }
        new ReadOnlySpan<double>(u, n).CopyTo(x);
        return new(status.Value, product.Products, 0, truth / scale, history);
    }

    private static double Positive(double value, string what) => value > 0 ? value
        : throw new ArgumentException($"a direction of curvature {value}: {what} is not positive definite, which conjugate gradients need; use GMRES or GCRO-DR", nameof(value));
}
