using Winnow.Numerics.Krylov;
using Winnow.Numerics.Sparse;
using DenseVector = MathNet.Numerics.LinearAlgebra.Double.DenseVector;

namespace Winnow.Numerics.Tests.Krylov;

public sealed class KrylovSolverTests
{
    public static TheoryData<string, string, PreconditionerSide> Systems()
    {
        var data = new TheoryData<string, string, PreconditionerSide>();
        foreach (string family in (string[])["darcy", "darcy-released", "helmholtz", "thermal"])
        {
            foreach (string preconditioner in (string[])["none", "jacobi", "ilu", "ssor"])
            {
                data.Add(family, preconditioner, PreconditionerSide.Right);
                data.Add(family, preconditioner, PreconditionerSide.Left);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Systems))]
    public void True_residuals_are_within_the_tolerance_and_solutions_those_of_the_direct_solver(string name, string preconditioner, PreconditionerSide side)
    {
        const double tolerance = 1e-9;
        using var solver = new GcroDr(new() { Restart = 20, Recycled = 6, Tolerance = tolerance, Side = side });
        for (ulong seed = 1; seed <= 3; seed++)
        {
            var (a, b) = Dense.System(Family(name), 8, seed);
            var x = new double[b.Length];
            var report = solver.Solve(a, b, x, Make(preconditioner, a), TestContext.Current.CancellationToken);
            Assert.Equal(SolveStatus.Converged, report.Status);
            double residual = Dense.RelativeResidual(a, b, x);
            Assert.True(residual <= tolerance * (1 + 1e-4), $"{residual}");
            Assert.Equal(residual, report.Residual, 1e-13);
            using var direct = new BandedLu(a);
            var exact = new double[b.Length];
            direct.Solve(b, exact);
            // ‖x - x*‖ ≤ ‖A⁻¹‖·‖r‖ for each of the two, the direct one's residual being rounding.
            double inverse = 1 / Dense.Of(a).Svd().S.Minimum();
            Assert.True(Dense.RelativeResidual(a, b, exact) < 1e-12);
            Assert.True(Dense.Norm(Dense.Minus(x, exact)) <= inverse * Dense.Norm(b) * (tolerance * (1 + 1e-4) + 1e-12));
        }
    }

    [Theory]
    [InlineData(10)]
    [InlineData(25)]
    public void Gmres_has_the_residuals_of_a_textbook_one(int restart)
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 9, 1);
        using var gmres = new Gmres(new() { Restart = restart, Tolerance = 1e-6 });
        var report = gmres.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
        var expected = Dense.Gmres(Dense.Of(a), DenseVector.OfArray(b), restart, 1e-6, 400);
        Assert.Equal(expected.Count, report.History.Count);
        // Rounding errors are amplified by at most the condition number, below 1e3 here.
        Assert.All(expected.Zip(report.History), p => Assert.Equal(p.First, p.Second, 1e-12));
        Assert.Equal(report.History.Count, report.Products);
    }

    [Fact]
    public void Without_a_recycled_space_gcrodr_is_gmres()
    {
        var (a, b) = Dense.System(ProblemFamily.DarcyReleased, 10, 2);
        double[] x = new double[b.Length], y = new double[b.Length];
        using var gmres = new Gmres(new() { Restart = 12 });
        using var recycling = new GcroDr(new() { Restart = 12, Recycled = 0 });
        var expected = gmres.Solve(a, b, x, cancellation: TestContext.Current.CancellationToken);
        var report = recycling.Solve(a, b, y, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(expected.History, report.History);
        Assert.Equal(x, y);
        Assert.Equal(0, recycling.Dimension);
    }

    [Theory]
    [InlineData(30)]
    [InlineData(1000)]
    public void A_basis_as_long_as_the_unknowns_solves_in_as_many_steps(int restart)
    {
        var a = Dense.Unsymmetric(30, 3);
        double[] b = Dense.Normals(30, 4), x = new double[30];
        using var solver = new GcroDr(new() { Restart = restart, Recycled = 5, Tolerance = 1e-12 });
        var report = solver.Solve(a, b, x, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(SolveStatus.Converged, report.Status);
        Assert.InRange(report.History.Count, 2, 31);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("ilu")]
    public void After_every_cycle_C_is_orthonormal_AU_is_C_and_the_residual_is_orthogonal_to_C(string preconditioner)
    {
        const double tolerance = 1e-10;
        int cycles = 0;
        LinearSystem system = null!;
        IPreconditioner? m = null;
        using var solver = new GcroDr(new() { Restart = 14, Recycled = 5, Tolerance = 1e-9 }, null, s =>
        {
            cycles++;
            double[] r = s.Residual();
            for (int i = 0; i < s.Dimension; i++)
            {
                double[] c = s.C(i);
                for (int j = 0; j <= i; j++)
                    Assert.Equal(i == j ? 1 : 0, Dot(c, s.C(j)), tolerance);
                Assert.Equal(0, Dot(c, r) / Dense.Norm(system.RightSide), tolerance);
                double[] u = s.U(i), z = new double[u.Length];
                m?.Apply(u, z);
                Assert.True(Dense.Norm(Dense.Minus(Dense.Product(system.Matrix, m is null ? u : z), c)) < tolerance);
            }
        });
        for (ulong seed = 1; seed <= 3; seed++)
        {
            system = Dense.System(ProblemFamily.DarcyReleased, 14, seed);
            m = Make(preconditioner, system.Matrix);
            solver.Solve(system.Matrix, system.RightSide, new double[system.RightSide.Length], m, TestContext.Current.CancellationToken);
            Assert.Equal(5, solver.Dimension);
        }
        Assert.InRange(cycles, 6, 200);
    }

    [Fact]
    public void The_same_system_again_takes_far_fewer_steps()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 16, 5);
        using var solver = new GcroDr(new() { Restart = 20, Recycled = 8 });
        var first = solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
        var second = solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(8, second.SpaceProducts);
        Assert.True(second.Products - second.SpaceProducts < 0.7 * first.Products, $"{first.Products}, {second.Products}");
    }

    [Fact]
    public void A_space_that_holds_the_solution_needs_no_steps()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 12, 5);
        using var direct = new BandedLu(a);
        double[] exact = new double[b.Length], x = new double[b.Length];
        direct.Solve(b, exact);
        using var solver = new GcroDr(new() { Restart = 20, Recycled = 4 });
        solver.Recycle([Dense.Normals(b.Length, 1), exact]);
        var report = solver.Solve(a, b, x, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(SolveStatus.Converged, report.Status);
        Assert.Equal(3, report.Products); // two images, and the check
        Assert.Equal(2, report.History.Count);
        Assert.Equal(2, solver.Dimension);
    }

    [Fact]
    public void The_space_converges_to_the_eigenvectors_of_the_smallest_values_and_solves_as_if_they_were_not_there()
    {
        const int tiny = 4, n = 300;
        double[] spectrum = [.. Enumerable.Range(0, n).Select(i => i < tiny ? 1e-3 * (i + 1) : 1 + 2.0 * i / n)];
        using var solver = new GcroDr(new() { Restart = 30, Recycled = tiny, Tolerance = 1e-10 });
        solver.Solve(Dense.Diagonal(spectrum), Dense.Normals(n, 1), new double[n], cancellation: TestContext.Current.CancellationToken);
        double[][] eigenvectors = [.. Enumerable.Range(0, tiny).Select(i => Enumerable.Range(0, n).Select(j => i == j ? 1.0 : 0).ToArray())];
        double sine = Dense.Sine(solver.Space, eigenvectors);
        Assert.True(sine < 1e-3, $"{sine}");
        double[] b = Dense.Normals(n, 2);
        var recycled = solver.Solve(Dense.Diagonal(spectrum), b, new double[n], cancellation: TestContext.Current.CancellationToken);
        using var gmres = new Gmres(new() { Restart = 30, Tolerance = 1e-10 });
        double ratio = Dense.Norm(b) / Dense.Norm(b[tiny..]);
        Assert.InRange(ratio, 1, 1.1);
        var deflated = gmres.Solve(Dense.Diagonal(spectrum[tiny..]), b.AsSpan(tiny), new double[n - tiny], cancellation: TestContext.Current.CancellationToken);
        var whole = gmres.Solve(Dense.Diagonal(spectrum), b, new double[n], cancellation: TestContext.Current.CancellationToken);
        // A residual more in the history of the recycling one: that after the space was used.
        Assert.InRange(recycled.History.Count - 1, 5, deflated.History.Count + 1);
        Assert.True(whole.History.Count > 2 * deflated.History.Count);
    }

    [Fact]
    public void Complex_pairs_stay_together()
    {
        // Rotations scaled by 0.01 and 0.02 are the smallest eigenvalues: two pairs, of which three vectors hold only one.
        const int n = 120;
        var entries = new List<(int, int, double)>();
        for (int i = 0; i < n; i += 2)
        {
            double modulus = i switch { 0 => 0.01, 2 => 0.02, _ => 1 + i / (double)n }, angle = i <= 2 ? 0.7 : 0;
            entries.AddRange([(i, i, modulus * Math.Cos(angle)), (i + 1, i + 1, modulus * Math.Cos(angle)), (i, i + 1, -modulus * Math.Sin(angle)), (i + 1, i, modulus * Math.Sin(angle))]);
        }
        using var solver = new GcroDr(new() { Restart = 24, Recycled = 3, Tolerance = 1e-10 });
        var report = solver.Solve(SparseMatrix.FromEntries(n, n, entries), Dense.Normals(n, 1), new double[n], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(SolveStatus.Converged, report.Status);
        double[][] pair = [.. Enumerable.Range(0, 2).Select(i => Enumerable.Range(0, n).Select(j => i == j ? 1.0 : 0).ToArray())];
        Assert.Equal(3, solver.Dimension); // one pair, and a real vector in the place that a second pair would not fit into
        Assert.True(Dense.Sine(pair, solver.Space) < 1e-3);
    }

    [Fact]
    public void A_recycled_space_helps_the_next_system_with_left_preconditioning_too()
    {
        using var solver = new GcroDr(new() { Restart = 20, Recycled = 6, Side = PreconditionerSide.Left });
        var products = new List<int>();
        for (ulong seed = 1; seed <= 2; seed++)
        {
            var (a, b) = Dense.System(ProblemFamily.Darcy, 20, 1);
            products.Add(solver.Solve(a, b, new double[b.Length], Preconditioner.Jacobi(a), TestContext.Current.CancellationToken).Products);
        }
        Assert.True(products[1] < products[0], string.Join(" ", products));
    }

    [Fact]
    public void A_first_guess_is_used()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 10, 1);
        double[] x = new double[b.Length];
        using var solver = new GcroDr(new());
        solver.Solve(a, b, x, cancellation: TestContext.Current.CancellationToken);
        double[] again = [.. x];
        var report = solver.Solve(a, b, again, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(1, report.Products);
        Assert.Equal(x, again);
    }

    [Fact]
    public void Scratch_memory_is_what_is_promised_and_given_back()
    {
        var scratch = new Scratch();
        var (a, b) = Dense.System(ProblemFamily.Darcy, 32, 1);
        using (var solver = new GcroDr(new(), scratch))
        {
            solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
            // 8·n·(m + 2k + 6), with a line more between columns, and the small problem.
            Assert.Equal(8 * ((1024 + 8) * (30 + 20 + 6) + 2 * 31 * 30 + 6 * 31), scratch.PeakBytes);
            solver.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(scratch.PeakBytes, scratch.LiveBytes);
        }
        Assert.Equal(0, scratch.LiveBytes);
        using var cramped = new GcroDr(new(), new Scratch(1000));
        Assert.Throws<ScratchLimitException>(() => cramped.Solve(a, b, new double[b.Length], cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Conjugate_gradients_solve_and_refuse_what_is_not_positive_definite()
    {
        var (a, b) = Dense.System(ProblemFamily.Darcy, 12, 1);
        foreach (var preconditioner in (IPreconditioner?[])[null, Preconditioner.Jacobi(a), Preconditioner.Ssor(a, 1.2)])
        {
            var x = new double[b.Length];
            var report = ConjugateGradient.Solve(a, b, x, new() { Tolerance = 1e-10 }, preconditioner, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(SolveStatus.Converged, report.Status);
            Assert.True(Dense.RelativeResidual(a, b, x) <= 1.0001e-10);
            Assert.Equal(report.History.Count, report.Products);
        }
        var indefinite = Dense.Diagonal(1, 2, -3);
        Assert.Contains("positive definite", Assert.Throws<ArgumentException>(() => ConjugateGradient.Solve(indefinite, [1, 1, 1], new double[3], new(), cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Equal(SolveStatus.ProductLimit, ConjugateGradient.Solve(a, b, new double[b.Length], new() { MaximumProducts = 4 }, cancellation: TestContext.Current.CancellationToken).Status);
    }

    internal static IPreconditioner? Make(string name, SparseMatrix<double> a) => name switch
    {
        "jacobi" => Preconditioner.Jacobi(a),
        "ilu" => Preconditioner.Ilu0(a),
        "ssor" => Preconditioner.Ssor(a, 1.3),
        _ => null,
    };

    internal static ProblemFamily Family(string name) => name switch
    {
        "darcy" => ProblemFamily.Darcy,
        "darcy-released" => ProblemFamily.DarcyReleased,
        "helmholtz" => ProblemFamily.Helmholtz(),
        "poisson" => ProblemFamily.Poisson,
        _ => ProblemFamily.Thermal(),
    };

    private static double Dot(double[] x, double[] y) => x.Zip(y, (a, b) => a * b).Sum();
}
