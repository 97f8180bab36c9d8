using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Orthonormal Jacobi polynomials: under the probability measure ∝ (1 − x)^a (1 + x)^b on [−1, 1] (Szegő 1939). Cost O(degree) a point.</summary>
public static class Jacobi
{
    /// <summary>p_0 to p_k at x, by the recurrence <c>√β_{k+1} p_{k+1} = (x − α_k) p_k − √β_k p_{k−1}</c>.</summary>
    /// <param name="x">Where.</param>
    /// <param name="a">Above −1.</param>
    /// <param name="b">Above −1; with a = b = 0 Legendre's polynomials under dx / 2.</param>
    /// <param name="values">Receives as many as it holds.</param>
    public static void Values(double x, double a, double b, Span<double> values)
    {
        if (!(a > -1 && b > -1))
            throw new ArgumentOutOfRangeException(nameof(a), (a, b), "expected a and b above -1");
        for (int k = 0; k < values.Length; k++)
            values[k] = k == 0 ? 1 : ((x - Alpha(k - 1, a, b)) * values[k - 1] - (k > 1 ? Math.Sqrt(Beta(k - 1, a, b)) * values[k - 2] : 0)) / Math.Sqrt(Beta(k, a, b));
    }

    /// <summary>Nodes and weights that integrate polynomials below degree 2n exactly (Golub and Welsch 1969); weights have the sum 1.</summary>
    public static (double[] Nodes, double[] Weights) Quadrature(int n, double a, double b)
    {
        using var scope = NewDisposeScope();
        double[] matrix = new double[n * n];
        for (int k = 0; k < n; k++)
        {
            matrix[k * n + k] = Alpha(k, a, b);
            if (k > 0)
                matrix[k * n + k - 1] = matrix[(k - 1) * n + k] = Math.Sqrt(Beta(k, a, b));
        }
        var (values, vectors) = linalg.eigh(Aligned.Of(matrix, n, n));
        return (values.data<double>().ToArray(), vectors[0].square().contiguous().data<double>().ToArray());
    }

    private static double Alpha(int k, double a, double b) => k == 0 ? (b - a) / (a + b + 2) : (b * b - a * a) / ((2 * k + a + b) * (2 * k + a + b + 2));

    private static double Beta(int k, double a, double b) => k == 1 ? 4 * (a + 1) * (b + 1) / ((a + b + 2) * (a + b + 2) * (a + b + 3))
        : 4 * k * (k + a) * (k + b) * (k + a + b) / ((2 * k + a + b) * (2 * k + a + b) * (2 * k + a + b + 1) * (2 * k + a + b - 1));
}

/// <summary>
/// Products of Legendre polynomials on [−1, 1]^d under the uniform measure. Draws from ν by a function k drawn at random and then each coordinate from p_k² dx / 2, by rejection of draws from the arcsine law,
/// which is nowhere below half of it (Bernstein's bound). Cost O(m d) a point.
/// </summary>
public sealed class LegendreBasis : IBasis
{
    private readonly int[][] _degrees;
    private readonly int _most;

    /// <summary>The functions of these degrees.</summary>
    /// <param name="degrees">[m][d], not below 0.</param>
    public LegendreBasis(IReadOnlyList<int[]> degrees)
    {
        ArgumentNullException.ThrowIfNull(degrees);
        if (degrees.Count == 0 || degrees[0].Length == 0 || degrees.Any(g => g.Length != degrees[0].Length || g.Any(k => k < 0)))
            throw new ArgumentException("expected at least one function, a degree of 0 or more a coordinate", nameof(degrees));
        (_degrees, _most) = ([.. degrees], degrees.Max(g => g.Max()));
    }

    /// <summary>The first m functions by their largest degree, and of as many by the degrees in turn.</summary>
    public LegendreBasis(int size, int dimensions) : this(Layers(size, dimensions))
    {
    }

    /// <inheritdoc/>
    public int Size => _degrees.Length;

    /// <inheritdoc/>
    public int Width => _degrees[0].Length;

    /// <summary>Degrees by layers of their maximum: (0, 0), (0, 1), (1, 0), (1, 1), (0, 2), ….</summary>
    public static IReadOnlyList<int[]> Layers(int size, int dimensions)
    {
        var degrees = new List<int[]>();
        for (int layer = 0; degrees.Count < size; layer++)
        {
            int[] own = new int[dimensions];
            while (true)
            {
                if (own.Max() == layer)
                    degrees.Add([.. own]);
                int i = dimensions - 1;
                while (i >= 0 && own[i] == layer)
                    own[i--] = 0;
                if (i < 0)
                    break;
                own[i]++;
            }
        }
        return degrees[..size];
    }

    /// <inheritdoc/>
    public void Values(ReadOnlySpan<double> point, Span<double> phi)
    {
        Span<double> own = stackalloc double[_most + 1];
        for (int c = 0; c < Width; c++)
        {
            Jacobi.Values(point[c], 0, 0, own);
            for (int k = 0; k < Size; k++)
                phi[k] = (c == 0 ? 1 : phi[k]) * own[_degrees[k][c]];
        }
    }

    /// <inheritdoc/>
    public void DrawUniform(SeededRandom random, Span<double> point)
    {
        ArgumentNullException.ThrowIfNull(random);
        for (int c = 0; c < Width; c++)
            point[c] = 2 * random.NextDouble() - 1;
    }

    /// <inheritdoc/>
    public void DrawLeverage(SeededRandom random, Span<double> point)
    {
        ArgumentNullException.ThrowIfNull(random);
        Span<double> own = stackalloc double[_most + 1];
        int[] degrees = _degrees[random.Next(Size)];
        for (int c = 0; c < Width; c++)
            do
            {
                point[c] = Math.Cos(Math.PI * random.NextDouble());
                Jacobi.Values(point[c], 0, 0, own[..(degrees[c] + 1)]);
            }
            while (random.NextDouble() * 4 / Math.PI >= Math.Sqrt(1 - point[c] * point[c]) * own[degrees[c]] * own[degrees[c]]);
    }
}

/// <summary>Functions known at n candidates, each with a probability: such as features of rows, of which some are to be labelled. A point is the number of its candidate.</summary>
public sealed class CandidateBasis : IBasis
{
    private readonly double[] _phi, _until;
    private readonly ProjectionDpp _process;

    /// <summary>Functions at candidates.</summary>
    /// <param name="phi">φ, float64 [n, m], orthonormal: Σ μⱼ φⱼφⱼᵀ = I; copied.</param>
    /// <param name="mu">μ [n], not below 0, of sum 1; null for 1 / n.</param>
    /// <exception cref="InputException">Not orthonormal, with by how much; or no probabilities.</exception>
    public CandidateBasis(Tensor phi, IReadOnlyList<double>? mu = null)
    {
        ArgumentNullException.ThrowIfNull(phi);
        using var scope = NewDisposeScope();
        Finite.Require(phi, "functions");
        int n = (int)phi.shape[0];
        double[] own = mu is null ? [.. Enumerable.Repeat(1.0 / n, n)] : [.. mu];
        if (own.Length != n || own.Any(p => !(p >= 0)) || !(Math.Abs(own.Sum() - 1) < 1e-9))
            throw InputException.At("probabilities", FormattableString.Invariant($"{own.Length} of sum {own.Sum():G6}, the least {own.Min():G3}"), $"{n} of sum 1, none below 0", "Divide them by their sum.");
        _process = new(phi * Aligned.Of([.. own.Select(Math.Sqrt)], n, 1));
        (Size, Candidates) = ((int)phi.shape[1], n);
        _phi = phi.contiguous().data<double>().ToArray();
        double sum = 0;
        _until = [.. own.Select(p => sum += p)];
    }

    /// <summary>Orthonormal functions that span the same as these, under 1 / n each: QR. Cost O(n m²).</summary>
    /// <param name="features">Float64 [n, m], of full rank.</param>
    /// <exception cref="InputException">Not of full rank.</exception>
    public static CandidateBasis Orthonormalised(Tensor features)
    {
        ArgumentNullException.ThrowIfNull(features);
        using var scope = NewDisposeScope();
        Finite.Require(features, "features");
        if (features.shape[0] < features.shape[1])
            throw InputException.At("features", $"{features.shape[1]} of {features.shape[0]} candidates", "no more than candidates", "Take fewer features.");
        var (q, r) = linalg.qr(features);
        var sizes = r.diagonal().abs();
        if (!(sizes.min().item<double>() > 1e-10 * sizes.max().item<double>()))
            throw InputException.At("features", $"column {sizes.argmin().item<long>()} that those before it give", "columns none of which follows from others", "Leave it out.");
        return new(q * Math.Sqrt(features.shape[0]));
    }

    /// <summary>The constant and the first functions of kernel PCA on rows, with the rbf kernel of the median distance. Cost that of <see cref="KernelMethods.KernelPca"/> and O(n m²).</summary>
    /// <param name="x">Rows, float64 [n, d].</param>
    /// <param name="size">m, the constant included.</param>
    /// <exception cref="InputException">More functions than the rows give.</exception>
    public static CandidateBasis KernelPca(Tensor x, int size)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        Finite.Require(x, "rows");
        long n = x.shape[0];
        if (size < 1 || size > n)
            throw InputException.At("functions", $"{size} of {n} rows", $"1 to {n}", "Take fewer functions or more rows.");
        var constant = ones(n, 1, dtype: ScalarType.Float64);
        if (size == 1)
            return Orthonormalised(constant);
        using var components = KernelMethods.KernelPca.Fit(new Rbf(Rbf.Median(x)), x, size - 1);
        return Orthonormalised(cat([constant, components.Embedding / components.Values.sqrt()], 1));
    }

    /// <inheritdoc/>
    public int Size { get; }

    /// <inheritdoc/>
    public int Width => 1;

    /// <summary>How many candidates.</summary>
    public int Candidates { get; }

    /// <summary>The process that draws as many candidates as functions.</summary>
    public ProjectionDpp Process => _process;

    /// <inheritdoc/>
    public void Values(ReadOnlySpan<double> point, Span<double> phi) => _phi.AsSpan((int)point[0] * Size, Size).CopyTo(phi);

    /// <inheritdoc/>
    public void DrawUniform(SeededRandom random, Span<double> point)
    {
        ArgumentNullException.ThrowIfNull(random);
        int j = Array.BinarySearch(_until, random.NextDouble() * _until[^1]);
        point[0] = Math.Min(j < 0 ? ~j : j + 1, Candidates - 1);
    }

    /// <inheritdoc/>
    public void DrawLeverage(SeededRandom random, Span<double> point) => point[0] = _process.Proposed(random);
}
