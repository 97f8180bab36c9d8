using System.Numerics;
using MathNet.Numerics.IntegralTransforms;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// A periodic Gaussian random field on a square grid, with covariance <c>2·τ^(2α-2)·(-Δ + τ²)^-α</c> over the waves other than the constant,
/// as the paper's published code has it: <c>√2·τ^(α-1)·Σₖ (4π²|k|² + τ²)^(-α/2)·Re(ξₖ·exp(2πi·k·x))</c> with independent complex normal ξ of
/// variance 1.
/// </summary>
public sealed class GaussianField
{
    private readonly double[] _amplitudes;

    /// <summary>A distribution of fields.</summary>
    /// <param name="side">Rows and columns.</param>
    /// <param name="alpha">Smoothness; above 1, so that the variance is finite on every grid.</param>
    /// <param name="tau">Inverse length scale, positive.</param>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of its range.</exception>
    public GaussianField(int side, double alpha = 2.5, double tau = 7)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(alpha, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(tau);
        Side = side;
        _amplitudes = new double[side * side];
        for (int i = 0; i < _amplitudes.Length; i++)
        {
            double x = Wave(i / side), y = Wave(i % side);
            _amplitudes[i] = i == 0 ? 0 : Math.Sqrt(2) * Math.Pow(tau, alpha - 1) * Math.Pow(4 * Math.PI * Math.PI * (x * x + y * y) + tau * tau, -alpha / 2);
        }

        int Wave(int k) => k < (side + 1) / 2 ? k : k - side;
    }

    /// <summary>Rows and columns.</summary>
    public int Side { get; }

    /// <summary>The variance of a field at any point.</summary>
    public double Variance => _amplitudes.Sum(a => a * a) / 2;

    /// <summary>Draws a field, row by row. Cost: O(side²·log side).</summary>
    /// <param name="random">Where the normal numbers come from.</param>
    public double[] Sample(Random random)
    {
        ArgumentNullException.ThrowIfNull(random);
        int n = Side;
        var waves = new Complex[n * n];
        for (int i = 0; i < waves.Length; i++)
        {
            // Box and Muller: radius and angle are those of a complex normal number of variance 1.
            double radius = Math.Sqrt(-Math.Log(1 - random.NextDouble()));
            waves[i] = Complex.FromPolarCoordinates(radius * _amplitudes[i], 2 * Math.PI * random.NextDouble());
        }
        var line = new Complex[n];
        for (int i = 0; i < n; i++)
            Transform(i * n, 1);
        for (int j = 0; j < n; j++)
            Transform(j, n);
        return [.. waves.Select(w => w.Real)];

        void Transform(int first, int step)
        {
            for (int i = 0; i < n; i++)
                line[i] = waves[first + i * step];
            Fourier.Inverse(line, FourierOptions.NoScaling);
            for (int i = 0; i < n; i++)
                waves[first + i * step] = line[i];
        }
    }

    /// <summary>Independent lognormal coefficients, the exponentials of fields.</summary>
    /// <param name="count">How many.</param>
    /// <param name="random">Where the normal numbers come from.</param>
    public double[][] Coefficients(int count, Random random) =>
        [.. Enumerable.Range(0, count).Select(_ => Array.ConvertAll(Sample(random), Math.Exp))];

    /// <summary>
    /// Lognormal coefficients along a smooth path of one parameter: the exponentials of <c>g·cos φ + h·sin φ</c> for φ from 0 to a quarter
    /// turn and two fields g and h, so that each is distributed as an independent one is. In the order of φ.
    /// </summary>
    /// <param name="count">How many.</param>
    /// <param name="random">Where the normal numbers come from.</param>
    public double[][] SmoothPath(int count, Random random)
    {
        double[] g = Sample(random), h = Sample(random);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var (sine, cosine) = Math.SinCos(Math.PI / 2 * i / Math.Max(1, count - 1));
            return g.Zip(h, (x, y) => Math.Exp(cosine * x + sine * y)).ToArray();
        })];
    }
}
