using System.Numerics.Tensors;

namespace Winnow.Numerics.Krylov;

/// <summary>Harmonic Ritz vectors of a cycle, as coefficients of [U·D, V], with their images under A as coefficients of W.</summary>
/// <param name="Count">How many.</param>
/// <param name="Vectors">P·R⁻¹, by columns of n.</param>
/// <param name="Images">Q of Q·R = G·P, by columns of n + 1: orthonormal.</param>
internal readonly unsafe record struct HarmonicRitz(int Count, double[] Vectors, double[] Images)
{
    private const double Dependent = 1e-10;

    /// <summary>
    /// The eigenvectors of <c>GᵀG·z = θ·Gᵀ(Wᵀ[U·D, V])·z</c> with the smallest |θ|, taken from the ordinary problem
    /// <c>G⁺(Wᵀ[U·D, V])·z = θ⁻¹·z</c>, which does not square G and which the rotations of the least-squares problem have all but solved.
    /// A complex pair becomes its real and its imaginary part; where only one of them would have room, the pair is passed over.
    /// None, where G is singular to rounding. Cost: O(n³).
    /// </summary>
    /// <param name="cycle">G and its triangular factor.</param>
    /// <param name="cosines">The rotations that make it triangular.</param>
    /// <param name="sines">Their sines.</param>
    /// <param name="overlap">Wᵀ[U·D, V], by columns of n + 1; overwritten.</param>
    /// <param name="most">How many are wanted at most.</param>
    public static HarmonicRitz Smallest(Cycle cycle, double* cosines, double* sines, double* overlap, int most)
    {
        int n = cycle.Columns, rows = n + 1;
        double largest = 0, smallest = double.PositiveInfinity;
        for (int i = 0; i < n; i++)
            (largest, smallest) = (Math.Max(largest, cycle.R(i, i)), Math.Min(smallest, cycle.R(i, i)));
        if (!(smallest > 1e-14 * largest) || !double.IsFinite(largest))
            return new(0, [], []);
        var inverse = new double[n * n];
        for (int j = 0; j < n; j++)
        {
            double* s = overlap + j * rows;
            for (int i = cycle.Recycled; i < n; i++)
                (s[i], s[i + 1]) = (cosines[i] * s[i] + sines[i] * s[i + 1], cosines[i] * s[i + 1] - sines[i] * s[i]);
            for (int i = n - 1; i >= 0; i--)
            {
                double value = s[i] /= cycle.R(i, i);
                for (int l = 0; l < i; l++)
                    s[l] -= cycle.R(l, i) * value;
                inverse[j * n + i] = value;
            }
        }
        if (Array.Exists(inverse, v => !double.IsFinite(v)))
            return new(0, [], []);
        return WithImages(cycle, DominantEigenvectors.Of(inverse, n, most), n);
    }

    /// <summary>Q·R = G·P by Gram–Schmidt, twice, with P along; a column that depends on those before it is dropped.</summary>
    private static HarmonicRitz WithImages(Cycle cycle, List<double[]> p, int n)
    {
        int rows = n + 1, kept = 0;
        double[] vectors = new double[p.Count * n], images = new double[p.Count * rows];
        foreach (double[] column in p)
        {
            var z = vectors.AsSpan(kept * n, n);
            var q = images.AsSpan(kept * rows, rows);
            column.CopyTo(z);
            cycle.Multiply(z, q);
            double before = Norm(q);
            for (int pass = 0; pass < 2; pass++)
            {
                for (int i = 0; i < kept; i++)
                {
                    var other = images.AsSpan(i * rows, rows);
                    double h = TensorPrimitives.Dot<double>(other, q);
                    TensorPrimitives.MultiplyAdd(other, -h, q, q);
                    TensorPrimitives.MultiplyAdd(vectors.AsSpan(i * n, n), -h, z, z);
                }
            }
            double norm = Norm(q);
            if (!(norm > Dependent * before) || !double.IsFinite(1 / norm))
                continue;
            TensorPrimitives.Multiply(q, 1 / norm, q);
            TensorPrimitives.Multiply(z, 1 / norm, z);
            kept++;
        }
        return new(kept, vectors, images);

        static double Norm(ReadOnlySpan<double> x) => TensorPrimitives.Norm(x);
    }

    /// <summary>G of a cycle, n + 1 by n, with n = recycled + steps, and its triangular factor; both by columns.</summary>
    internal readonly struct Cycle(double* g, double* triangle, int stride, int recycled, int columns)
    {
        public int Columns { get; } = columns;

        public int Recycled { get; } = recycled;

        public double R(int row, int column) => triangle[column * stride + row];

        /// <summary>q = G·z.</summary>
        public void Multiply(ReadOnlySpan<double> z, Span<double> q)
        {
            q.Clear();
            for (int j = 0; j < Columns; j++)
            {
                double* column = g + j * stride;
                for (int i = 0; i <= j + 1 && i <= Columns; i++)
                    q[i] += column[i] * z[j];
            }
        }
    }
}
