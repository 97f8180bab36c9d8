using Winnow.Core;
using Winnow.Numerics.Krylov;

namespace Winnow.Numerics.Tests.Krylov;

public sealed class ProblemFamilyTests
{
    [Fact]
    public void A_constant_medium_has_the_waves_of_the_square_as_eigenvectors()
    {
        const int side = 12;
        const double k = 3, stiffness = 2;
        double[] constant = [.. Enumerable.Repeat(stiffness, side * side)];
        foreach (var (family, reaction) in ((ProblemFamily, double)[])[(ProblemFamily.Darcy, 0), (ProblemFamily.Helmholtz(k), k * k)])
        {
            var (a, b) = family.Build(constant, side);
            double h = 1.0 / side;
            double[] wave = [.. Enumerable.Range(0, side * side).Select(i => Math.Sin(Math.PI * (i / side + 0.5) * h) * Math.Sin(2 * Math.PI * (i % side + 0.5) * h))];
            double value = 4 * stiffness * (Squared(Math.Sin(Math.PI * h / 2)) + Squared(Math.Sin(Math.PI * h))) - reaction * h * h;
            Assert.All(Dense.Product(a, wave).Zip(wave), p => Assert.Equal(value * p.Second, p.First, 1e-14 * 16 * stiffness));
            Assert.All(b, v => Assert.Equal(h * h, v));
        }

        static double Squared(double x) => x * x;
    }

    [Fact]
    public void The_flux_form_is_symmetric_and_conserves_between_cells()
    {
        var (a, _) = Dense.System(ProblemFamily.Darcy, 9, 1);
        var dense = Dense.Of(a);
        Assert.Equal(0, (dense - dense.Transpose()).L2Norm());
        // The fluxes out of inner cells cancel: only cells on the boundary have a row sum.
        for (int i = 0; i < 81; i++)
        {
            double sum = dense.Row(i).Sum();
            bool boundary = i / 9 is 0 or 8 || i % 9 is 0 or 8;
            Assert.Equal(boundary, sum > 1e-12);
        }
    }

    [Fact]
    public void Heat_through_layers_is_exact()
    {
        // One dimension, layers of conductivity a(x): T falls by q·h/a in each, with q of the resistances in series.
        const int side = 10;
        const double convection = 5;
        double[] layers = [.. Enumerable.Range(0, side).Select(i => i % 3 == 0 ? 10.0 : 0.1 + i)];
        var (a, b) = ProblemFamily.Thermal(convection).Build([.. Enumerable.Range(0, side * side).Select(i => layers[i % side])], side);
        double q = 1 / (layers.Sum(l => 1.0 / side / l) + 1 / convection);
        var x = new double[b.Length];
        using var direct = new BandedLu(a);
        direct.Solve(b, x);
        for (int row = 0; row < side; row++)
        {
            double before = 0;
            for (int column = 0; column < side; column++)
            {
                Assert.Equal(1 - q * (before + 0.5 / side / layers[column]), x[row * side + column], 1e-12);
                before += 1.0 / side / layers[column];
            }
        }
    }

    [Fact]
    public void A_wave_of_the_default_number_has_six_unstable_modes_in_an_even_medium()
    {
        var (a, _) = ProblemFamily.Helmholtz().Build([.. Enumerable.Repeat(1.0, 400)], 20);
        Assert.Equal(6, Dense.Of(a).Evd(MathNet.Numerics.LinearAlgebra.Symmetricity.Symmetric).EigenValues.Count(v => v.Real < 0));
    }

    [Fact]
    public void Charges_share_one_matrix()
    {
        var random = new SeededRandom(1, "poisson");
        double[][] fields = [.. Enumerable.Range(0, 2).Select(_ => new GaussianField(6).Sample(random))];
        LinearSystem[] systems = [.. fields.Select(f => ProblemFamily.Poisson.Build(f, 6))];
        Assert.Equal(systems[0].Matrix.Values, systems[1].Matrix.Values);
        Assert.All(fields[1].Zip(systems[1].RightSide), p => Assert.Equal(p.First / 36, p.Second, 1e-16));
    }

    [Fact]
    public void The_released_darcy_matrix_is_not_symmetric_and_leaves_its_field_alone()
    {
        double[] field = new GaussianField(8).Coefficients(1, new SeededRandom(1, "released"))[0], before = [.. field];
        var (a, b) = ProblemFamily.DarcyReleased.Build(field, 8);
        Assert.Equal(before, field);
        Assert.Equal(36, a.Rows);
        Assert.All(b, v => Assert.Equal(0.04, v, 1e-16));
        var dense = Dense.Of(a);
        Assert.Equal(-field[8 + 1], dense[8, 2]); // unknown (1, 2) couples upwards with the coefficient at (1, 1), not with that at (1, 3)
        Assert.True((dense - dense.Transpose()).L2Norm() > 0.01);
    }

    [Fact]
    public void Fields_that_are_no_coefficients_are_refused()
    {
        double[] field = [1, 2, 3, 0];
        Assert.Contains("row 1, column 1", Assert.Throws<ArgumentException>(() => ProblemFamily.Darcy.Build(field, 2)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ProblemFamily.Darcy.Build(field, 3));
        Assert.Throws<ArgumentException>(() => ProblemFamily.Thermal().Build([1, double.NaN, 1, 1], 2));
    }

    [Fact]
    public void Gaussian_fields_have_the_variance_and_correlation_of_their_spectrum()
    {
        // 2000 fields of 64 points: each point's mean square is χ² with 2000 degrees of freedom over 2000, of deviation √(2/2000) = 3.2 %;
        // the mean over points deviates less. Six deviations: a false alarm in 5·10⁸. The correlation of neighbours likewise.
        const int side = 8, count = 2000;
        var distribution = new GaussianField(side);
        var random = new SeededRandom(1, "field");
        double[][] fields = [.. Enumerable.Range(0, count).Select(_ => distribution.Sample(random))];
        double variance = fields.Average(f => f.Average(v => v * v));
        Assert.InRange(variance / distribution.Variance, 1 - 6 * 0.032, 1 + 6 * 0.032);
        Assert.All(fields, f => Assert.Equal(0, f.Average(), 1e-12)); // the constant wave has no part in it
        double spectrum = 0, total = 0;
        for (int i = 0; i < side; i++)
        {
            for (int j = 0; j < side; j++)
            {
                double x = i < 4 ? i : i - 8, y = j < 4 ? j : j - 8, power = i + j == 0 ? 0 : Math.Pow(4 * Math.PI * Math.PI * (x * x + y * y) + 49, -2.5);
                spectrum += power * Math.Cos(2 * Math.PI * y / side);
                total += power;
            }
        }
        double correlation = fields.Average(f => Enumerable.Range(0, 64).Average(i => f[i] * f[i / side * side + (i + 1) % side])) / variance;
        Assert.Equal(spectrum / total, correlation, 6 * 0.032);
        Assert.Equal(Math.Pow(7, 3) * total, distribution.Variance, 1e-12); // 2·τ³·Σ/2
    }

    [Fact]
    public void A_smooth_path_moves_in_even_small_steps()
    {
        double[][] path = new GaussianField(16).SmoothPath(50, new SeededRandom(1, "path"));
        double[][] logarithms = [.. path.Select(f => Array.ConvertAll(f, Math.Log))];
        double[] steps = [.. Enumerable.Range(1, 49).Select(i => Dense.Norm(Dense.Minus(logarithms[i], logarithms[i - 1])))];
        double across = Dense.Norm(Dense.Minus(logarithms[^1], logarithms[0]));
        Assert.All(steps, s => Assert.InRange(s, across / 200, across / 20));
    }
}
