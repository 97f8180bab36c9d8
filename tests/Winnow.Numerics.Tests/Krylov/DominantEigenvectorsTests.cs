using System.Numerics;
using Winnow.Numerics.Krylov;
using DenseMatrix = MathNet.Numerics.LinearAlgebra.Double.DenseMatrix;

namespace Winnow.Numerics.Tests.Krylov;

public sealed class DominantEigenvectorsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(30)]
    [InlineData(60)]
    public void All_vectors_of_a_random_matrix_span_invariant_spaces_of_falling_values(int n)
    {
        for (ulong seed = 1; seed <= 5; seed++)
        {
            double[] a = Dense.Normals(n * n, seed);
            var matrix = new DenseMatrix(n, n, [.. a]);
            Complex[] expected = [.. matrix.Evd().EigenValues.OrderByDescending(v => v.Magnitude)];
            var vectors = DominantEigenvectors.Of([.. a], n, n);
            Assert.Equal(n, vectors.Count);
            for (int i = 0, width; i < n; i += width)
            {
                width = expected[i].Imaginary == 0 ? 1 : 2;
                var v = DenseMatrix.OfColumns(vectors.Skip(i).Take(width));
                var image = matrix * v;
                var restricted = v.QR().Solve(image);
                // Backward stable: the residual is rounding beside ‖A‖, for unit vectors that are not near-parallel.
                Assert.True((image - v * restricted).FrobeniusNorm() <= 1e3 * n * Dense.Epsilon * matrix.FrobeniusNorm() * v.ConditionNumber(), $"{n} {seed} {i}");
                Assert.Equal(width == 1 ? expected[i].Real : 2 * expected[i].Real, restricted.Trace(), 1e-8 * matrix.FrobeniusNorm());
            }
        }
    }

    [Fact]
    public void A_pair_without_room_is_passed_over_and_the_next_real_vector_takes_the_place()
    {
        // Eigenvalues 5 ± 5i, 4 ± i, 1.
        double[] a = new double[25];
        (a[0], a[6], a[1], a[5]) = (5, 5, 5, -5);
        (a[12], a[18], a[13], a[17]) = (4, 4, 1, -1);
        a[24] = 1;
        var three = DominantEigenvectors.Of([.. a], 5, 3);
        Assert.Equal(3, three.Count);
        Assert.All(three.Take(2), v => Assert.Equal(0, Dense.Norm(v.Skip(2)), 1e-13));
        Assert.Equal(1, Math.Abs(three[2][4]), 1e-13);
        Assert.Equal([1, 2, 3, 4, 5], Enumerable.Range(1, 5).Select(most => DominantEigenvectors.Of([.. a], 5, most).Count));
        Assert.Equal(1, Math.Abs(DominantEigenvectors.Of([.. a], 5, 1)[0][4]), 1e-13); // neither pair has room
    }

    [Fact]
    public void Special_matrices_are_taken()
    {
        Assert.Empty(DominantEigenvectors.Of(new double[9], 3, 2));
        // A cyclic shift, whose QR steps stand still without an exceptional shift.
        double[] shift = new double[36];
        for (int i = 0; i < 6; i++)
            shift[i * 6 + (i + 1) % 6] = 1;
        Assert.Equal(6, DominantEigenvectors.Of(shift, 6, 6).Count);
        // Huge and tiny entries.
        double[] scaled = [.. Dense.Normals(16, 1).Select(v => v * 1e200)];
        Assert.All(DominantEigenvectors.Of(scaled, 4, 4), v => Assert.Equal(1, Dense.Norm(v), 1e-12));
        // A Jordan block has one eigenvector.
        Assert.All(DominantEigenvectors.Of([2, 0, 1, 2], 2, 2), v => Assert.Equal(1, Math.Abs(v[0]), 1e-7));
    }
}
