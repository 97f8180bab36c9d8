using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Rows that stay where they are, and the weights under which they are likeliest: <c>l(θ) = yᵀC⁻¹y + log det C</c>, C = Σ θᵢKᵢ + σ²I.</summary>
internal sealed class SpectralAgent : IDisposable
{
    private readonly SpectralGrid _grid;
    private readonly Tensor _y;
    private const double Floor = 1e-3;
    private readonly bool _learnsNoise;
    private readonly double _floor;

    /// <param name="x">Rows [n, P].</param>
    /// <param name="y">Targets [n].</param>
    /// <param name="frequencies">μ.</param>
    /// <param name="deviations">s.</param>
    /// <param name="noise">σ²; null where it is learned, down to a thousandth of the targets' variance: more terms than rows could leave none.</param>
    /// <param name="start">The weight of every term at first.</param>
    public SpectralAgent(Tensor x, Tensor y, IReadOnlyList<double[]> frequencies, IReadOnlyList<double[]> deviations, double? noise, double start)
    {
        if (!(start > 0))
            throw new ArgumentOutOfRangeException(nameof(start), start, "expected a weight above 0: a step multiplies it");
        _grid = new(x, frequencies, deviations);
        _y = y.clone().DetachFromDisposeScope();
        _floor = Floor * y.var(unbiased: false).item<double>();
        (Noise, _learnsNoise) = (noise ?? 100 * _floor, noise is null);
        Weights = [.. Enumerable.Repeat(start, frequencies.Count)];
        Multipliers = new double[frequencies.Count];
    }

    /// <summary>Its own weights.</summary>
    public double[] Weights { get; set; }

    /// <summary>λ: what pulls them to those of all.</summary>
    public double[] Multipliers { get; }

    /// <summary>σ².</summary>
    public double Noise { get; private set; }

    /// <summary>The largest jitter that was needed.</summary>
    public double Jitter { get; private set; }

    /// <summary>l, and what a step needs: αᵀKᵢα, tr(C⁻¹Kᵢ), and the same of the noise.</summary>
    private (double Objective, double[] A, double[] B, double NoiseA, double NoiseB) Measured(bool forms)
    {
        using var scope = NewDisposeScope();
        var c = _grid.Mixture(Weights);
        c.diagonal().add_(Noise);
        var factor = PositiveSolve.Factor(c, out double jitter);
        Jitter = Math.Max(Jitter, jitter);
        var alpha = PositiveSolve.Back(factor, _y.unsqueeze(1)).squeeze(1);
        double objective = _y.dot(alpha).item<double>() + GramKernels.LogDeterminant(factor).item<double>();
        if (!forms)
            return (objective, [], [], 0, 0);
        var inverse = factor.cholesky_inverse();
        return (objective, _grid.Forms(alpha.outer(alpha)), _grid.Forms(inverse), alpha.square().sum().item<double>(), inverse.trace().item<double>());
    }

    /// <summary>l at the weights.</summary>
    public double Objective => Measured(false).Objective;

    /// <summary>∂l/∂θ: <c>−yᵀC⁻¹KᵢC⁻¹y + tr(C⁻¹Kᵢ)</c>.</summary>
    public double[] Gradient => Measured(true) is var m ? [.. m.A.Zip(m.B, (a, b) => b - a)] : [];

    /// <summary>
    /// Steps that never increase <c>l + λᵀ(ζ − θ) + ρ/2 ‖ζ − θ‖²</c>: log det is bounded by its tangent and yᵀC⁻¹y by <c>Σ aᵢ/ζᵢ</c>, aᵢ = ζᵢ² αᵀKᵢα, so that every weight is the one positive root of
    /// <c>ρζ³ + (bᵢ + λᵢ − ρθᵢ)ζ² − aᵢ = 0</c>; without the pull √(aᵢ/bᵢ).
    /// </summary>
    /// <param name="consensus">θ.</param>
    /// <param name="pull">ρ.</param>
    /// <param name="steps">Most steps.</param>
    /// <param name="tolerance">Stops where l changes by less than this share.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>Steps taken.</returns>
    public int Climb(double[] consensus, double pull, int steps, double tolerance, CancellationToken cancellation)
    {
        double last = double.NaN;
        for (int step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var (objective, a, b, noiseA, noiseB) = Measured(true);
            if (Math.Abs(objective - last) < tolerance * Math.Abs(objective))
                return step;
            last = objective;
            for (int i = 0; i < Weights.Length; i++)
                Weights[i] = Root(pull, b[i] + Multipliers[i] - pull * consensus[i], Weights[i] * Weights[i] * Math.Max(a[i], 0));
            if (_learnsNoise)
                Noise = Math.Max(_floor, Noise * Math.Sqrt(noiseA / noiseB));
        }
        return steps;
    }

    /// <summary>The one positive root of <c>ρz³ + pz² − a</c>, a not below 0; 0 where there is none. Newton's steps from above, where the cubic is convex, come down to it.</summary>
    internal static double Root(double rho, double p, double a)
    {
        if (rho == 0)
            return p > 0 ? Math.Sqrt(a / p) : throw InputException.At("weights", FormattableString.Invariant($"a slope of {p} that lets a weight grow without end"), "a pull or a positive trace", "Take a larger rho.");
        double z = p > 0 ? Math.Min(Math.Sqrt(a / p), Math.Cbrt(a / rho)) : -p / rho + Math.Cbrt(a / rho);
        for (int turn = 0; turn < 100 && z > 0; turn++)
        {
            double move = (z * z * (rho * z + p) - a) / (z * (3 * rho * z + 2 * p));
            z -= move;
            if (!(Math.Abs(move) > 1e-15 * z))
                break;
        }
        return Math.Max(z, 0);
    }

    public void Dispose()
    {
        _grid.Dispose();
        _y.Dispose();
    }
}
