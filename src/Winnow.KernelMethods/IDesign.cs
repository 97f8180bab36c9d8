using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Functions φ_1 … φ_m that are orthonormal under a probability measure μ, and draws of points.</summary>
public interface IBasis
{
    /// <summary>m: functions.</summary>
    int Size { get; }

    /// <summary>Numbers a point has.</summary>
    int Width { get; }

    /// <summary>The functions at a point.</summary>
    /// <param name="point">A point [width].</param>
    /// <param name="phi">Receives φ [m].</param>
    void Values(ReadOnlySpan<double> point, Span<double> phi);

    /// <summary>Draws a point from μ.</summary>
    void DrawUniform(SeededRandom random, Span<double> point);

    /// <summary>Draws a point from ν = ‖φ(x)‖² / m · μ: by how much the functions depend on it (Christoffel function, leverage).</summary>
    void DrawLeverage(SeededRandom random, Span<double> point);
}

/// <summary>Chooses the points at which a function is to be asked, and what each counts.</summary>
public interface IDesigner : IKernelMethod
{
    /// <summary>Chooses.</summary>
    /// <param name="basis">What the function will be approximated by.</param>
    /// <param name="points">n: points, at least as many as functions.</param>
    /// <param name="random">The draw.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Too few points for the functions, or a number of points that the method cannot choose.</exception>
    Design Choose(IBasis basis, int points, SeededRandom random, CancellationToken cancellation = default);
}

/// <summary>Points and what each counts.</summary>
/// <param name="Points">Row after row [n, width].</param>
/// <param name="Features">φ at them, row after row [n, m].</param>
/// <param name="Weights">w [n], above 0.</param>
/// <param name="Size">m.</param>
public sealed record Design(double[] Points, double[] Features, double[] Weights, int Size)
{
    /// <summary>n.</summary>
    public int Count => Weights.Length;

    /// <summary>How often was drawn until it was good enough.</summary>
    public int Tries { get; init; } = 1;

    /// <summary>φ at point i.</summary>
    public ReadOnlySpan<double> At(int i) => Features.AsSpan(i * Size, Size);

    /// <summary>The smallest eigenvalue of G = (1/n) Σ wᵢ φᵢφᵢᵀ, which is I on average of good draws. Cost O(n m² + m³).</summary>
    public double SmallestEigenvalue => WeightedLeastSquares.SmallestEigenvalue(this);

    /// <summary>A design of n points, each drawn alone.</summary>
    internal static Design Of(IBasis basis, int points, Action<int, Memory<double>> draw, bool weighted)
    {
        Require(basis, points);
        int m = basis.Size, width = basis.Width;
        double[] x = new double[points * width], phi = new double[points * m], weights = new double[points];
        for (int i = 0; i < points; i++)
        {
            draw(i, x.AsMemory(i * width, width));
            var own = phi.AsSpan(i * m, m);
            basis.Values(x.AsSpan(i * width, width), own);
            weights[i] = weighted ? m / TensorPrimitives.Dot<double>(own, own) : 1;
        }
        return new(x, phi, weights, m);
    }

    internal static void Require(IBasis basis, int points)
    {
        ArgumentNullException.ThrowIfNull(basis);
        if (points < basis.Size)
            throw InputException.At("points", $"{points}", $"at least {basis.Size}, one for each function", "Take more points or fewer functions.");
    }
}
