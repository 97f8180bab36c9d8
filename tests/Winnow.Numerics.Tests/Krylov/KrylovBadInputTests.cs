using Winnow.Numerics.Krylov;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Tests.Krylov;

public sealed class KrylovBadInputTests
{
    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_matrix_or_right_side_that_is_not_finite_is_refused_with_its_row(double value)
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 6, 1);
        using var solver = new GcroDr(new());
        double[] poisoned = [.. a.Values];
        poisoned[a.Starts[17]] = value;
        var bad = new SparseMatrix<double>(a.Rows, a.Columns, a.Starts, a.Indices, poisoned);
        Assert.Contains("row 17", Assert.Throws<ArgumentException>(() => solver.Solve(bad, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        b[3] = value;
        Assert.Throws<ArgumentException>(() => solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_matrix_of_huge_finite_numbers_is_not_refused()
    {
        double[] x = new double[3];
        using var solver = new GcroDr(new());
        Assert.Equal(SolveStatus.Converged, solver.Solve(Dense.Diagonal(1e150, 2e150, 3e150), [1, 1, 1], x, cancellation: TestContext.Current.CancellationToken).Status);
        Assert.Equal(0.5e-150, x[1], 1e-157);
    }

    [Fact]
    public void A_singular_system_without_a_solution_is_reported()
    {
        // The second equation says 0 = 1.
        using var solver = new GcroDr(new());
        double[] x = new double[4];
        var report = solver.Solve(Dense.Diagonal(1, 0, 2, 3), [1, 1, 1, 1], x, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(SolveStatus.Stagnated, report.Status);
        Assert.Equal(0.5, report.Residual, 1e-12); // ‖(0, 1, 0, 0)‖ beside ‖(1, 1, 1, 1)‖: the least possible
        Assert.All(x, v => Assert.True(double.IsFinite(v)));
    }

    [Fact]
    public void A_singular_system_with_a_solution_is_solved()
    {
        using var solver = new GcroDr(new());
        double[] x = new double[4];
        Assert.Equal(SolveStatus.Converged, solver.Solve(Dense.Diagonal(1, 0, 2, 3), [1, 0, 1, 1], x, cancellation: TestContext.Current.CancellationToken).Status);
        Assert.Equal(0, x[1]);
    }

    [Fact]
    public void A_restart_that_is_too_short_is_reported_as_stagnation()
    {
        // A cyclic shift: GMRES makes no progress before step n.
        const int n = 12;
        var shift = SparseMatrix.FromEntries(n, n, Enumerable.Range(0, n).Select(i => (i, (i + 1) % n, 1.0)));
        double[] b = new double[n];
        b[0] = 1;
        using var gmres = new Gmres(new() { Restart = 5 });
        Assert.Equal(SolveStatus.Stagnated, gmres.Solve(shift, b, new double[n], cancellation: TestContext.Current.CancellationToken).Status);
        using var whole = new Gmres(new() { Restart = n });
        Assert.Equal(SolveStatus.Converged, whole.Solve(shift, b, new double[n], cancellation: TestContext.Current.CancellationToken).Status);
    }

    [Fact]
    public void A_tolerance_below_rounding_ends_as_stagnation_and_not_in_a_loop()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 12, 1);
        using var solver = new GcroDr(new() { Tolerance = 1e-30 });
        var report = solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(SolveStatus.Stagnated, report.Status);
        Assert.True(report.Residual < 1e-13);
    }

    [Theory]
    [InlineData(10, 10)]
    [InlineData(10, 11)]
    [InlineData(1, 1)]
    [InlineData(0, 0)]
    [InlineData(10, -1)]
    public void A_recycled_space_as_large_as_the_basis_is_refused(int restart, int recycled) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new GcroDr(new() { Restart = restart, Recycled = recycled }));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1e-3)]
    [InlineData(double.NaN)]
    public void A_tolerance_that_is_none_is_refused(double tolerance) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Gmres(new() { Tolerance = tolerance }));

    [Fact]
    public void Another_size_drops_the_space_and_goes_on()
    {
        using var solver = new GcroDr(new());
        foreach (int side in (int[])[12, 7, 2, 1, 12])
        {
            var (a, b) = Dense.System(ProblemFamily.Darcy, side, 1);
            double[] x = new double[b.Length];
            var report = solver.Solve(a, b, x, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(SolveStatus.Converged, report.Status);
            Assert.Equal(0, report.SpaceProducts);
            Assert.True(Dense.RelativeResidual(a, b, x) <= 1.0001e-8);
            Assert.InRange(solver.Dimension, 0, Math.Max(0, Math.Min(10, b.Length - 1)));
        }
    }

    [Fact]
    public void Dependent_images_are_dropped()
    {
        const int n = 20;
        // The image of the second unit vector is 0; the fourth vector is the sum of the first and the third.
        var a = Dense.Diagonal([.. Enumerable.Range(0, n).Select(i => i == 1 ? 0.0 : i + 1)]);
        double[] Unit(params int[] at) => [.. Enumerable.Range(0, n).Select(i => at.Contains(i) ? 1.0 : 0)];
        using var solver = new GcroDr(new() { Restart = 12, Recycled = 4 });
        solver.Recycle([Unit(0), Unit(1), Unit(2), Unit(0, 2)]);
        double[] b = Unit(0, 2);
        var report = solver.Solve(a, b, new double[n], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(SolveStatus.Converged, report.Status);
        Assert.Equal(2, solver.Dimension);
        Assert.Equal(4, report.SpaceProducts);
        Assert.Equal(2, report.History.Count);
    }

    [Fact]
    public void A_right_side_of_zeros_gives_zeros_and_leaves_the_space()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 12, 1);
        using var solver = new GcroDr(new());
        solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
        var before = solver.Space;
        double[] x = Dense.Normals(b.Length, 1);
        var report = solver.Solve(a, new double[b.Length], x, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((SolveStatus.Converged, 0, 0.0), (report.Status, report.Products, report.Residual));
        Assert.All(x, v => Assert.Equal(0, v));
        Assert.Equal(before, solver.Space);
        Assert.Equal(10, before.Count);
    }

    [Fact]
    public void The_limit_of_products_holds()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 16, 1);
        using var solver = new GcroDr(new() { MaximumProducts = 25 });
        for (int i = 0; i < 3; i++)
        {
            var report = solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(SolveStatus.ProductLimit, report.Status);
            Assert.InRange(report.Products, 25, 26); // the check of the result besides
            Assert.InRange(report.Residual, 1e-8, 1);
        }
    }

    [Fact]
    public void Sizes_that_do_not_fit_are_refused()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 4, 1);
        using var solver = new GcroDr(new());
        Assert.Throws<ArgumentException>(() => solver.Solve(a, b.AsSpan(1), new double[b.Length], cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => solver.Solve(a, b, new double[3], cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => solver.Solve(a, b, new double[b.Length], Preconditioner.Jacobi(Dense.Diagonal(1, 2)), cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => solver.Solve(SparseMatrix.FromEntries(2, 3, [(0, 0, 1.0)]), [1, 1], new double[2], cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => solver.Recycle([]));
        Assert.Throws<ArgumentException>(() => solver.Recycle([new double[3], new double[4]]));
        Assert.Throws<ArgumentException>(() => solver.Recycle([.. Enumerable.Range(0, 11).Select(_ => new double[100])]));
    }

    [Fact]
    public void Cancellation_leaves_the_solution_as_it_was()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 8, 1);
        double[] x = Dense.Normals(b.Length, 1), before = [.. x];
        using var solver = new GcroDr(new());
        Assert.Throws<OperationCanceledException>(() => solver.Solve(a, b, x, cancellation: new CancellationToken(true)));
        Assert.Equal(before, x);
    }
}
