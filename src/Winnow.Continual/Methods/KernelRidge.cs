using TorchSharp;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>A kernel on features.</summary>
public enum KernelKind
{
    /// <summary>xᵀy.</summary>
    Linear,

    /// <summary>exp(−¼ ‖x − y‖₁): the distance is the sum of absolute differences, not the squared one of the usual Gaussian kernel.</summary>
    Rbf,

    /// <summary>(xᵀy + 1)³.</summary>
    Poly,

    /// <summary>Random Fourier features φ(x) = √(2/L) cos(Rx + b), kernel φ(x)ᵀφ(y).</summary>
    Rff,
}

/// <summary>
/// Kernel ridge regression on one-hot labels as a classifier: <c>α = (K_ss + ρI)⁻¹ Y</c>, scores <c>K_qs α</c>. The factorisation is Cholesky's,
/// in float64; gradients flow through it. Cost: O(N²(d + C) + N³) for N support rows of width d, O(M·N·d) for M queries.
/// </summary>
public static class KernelRidge
{
    /// <summary>What is added to |λ|: the ridge is never below it.</summary>
    public const double RidgeFloor = 0.01;

    /// <summary>φ(x) = √(2/L) cos(x Rᵀ + b) of rows [n, d]: [n, L].</summary>
    /// <param name="x">Rows.</param>
    /// <param name="bases">R [L, d].</param>
    /// <param name="phases">b [L].</param>
    public static Tensor RandomFeatures(Tensor x, Tensor bases, Tensor phases)
    {
        using var scope = NewDisposeScope();
        return (Math.Sqrt(2.0 / bases.shape[0]) * (x.matmul(bases.t()) + phases).cos()).MoveToOuterDisposeScope();
    }

    /// <summary>The kernel matrix [n, m] of rows [n, d] and [m, d]; for <see cref="KernelKind.Rff"/> the rows are random features.</summary>
    /// <exception cref="ArgumentException">A value that is not finite.</exception>
    public static Tensor Matrix(KernelKind kind, Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        var kernel = kind switch
        {
            KernelKind.Rbf => (-0.25 * (a.unsqueeze(1) - b.unsqueeze(0)).abs().sum(2)).exp(),
            KernelKind.Poly => (a.matmul(b.t()) + 1).pow(3),
            _ => a.matmul(b.t()),
        };
        if (!kernel.isfinite().all().item<bool>())
            throw new ArgumentException($"the {kind} kernel has NaN or infinite values: the features diverged, lower the learning rate", nameof(a));
        return kernel.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// α [N, C] with <c>(K + ρI) α = Y</c>. Where rounding leaves K + ρI without a Cholesky factor, the least of 1e-12, 1e-10, ... 1e-4 times the
    /// mean of the diagonal that mends it is added, and returned as jitter.
    /// </summary>
    /// <param name="kernel">K [N, N], symmetric.</param>
    /// <param name="ridge">ρ, a scalar, not negative.</param>
    /// <param name="targets">Y [N, C].</param>
    /// <exception cref="ArgumentException">No support rows, or a matrix that is singular in spite of the jitter.</exception>
    public static (Tensor Alpha, double Jitter) Solve(Tensor kernel, Tensor ridge, Tensor targets)
    {
        long n = kernel.shape[0];
        if (n == 0)
            throw new ArgumentException("kernel ridge regression was given no support rows; expected at least one a class", nameof(kernel));
        using var scope = NewDisposeScope();
        var identity = eye(n, dtype: kernel.dtype);
        var matrix = kernel + ridge * identity;
        double jitter = 0, scale = matrix.detach().diagonal().mean().ToDouble();
        while (true)
        {
            var (factor, info) = linalg.cholesky_ex(jitter == 0 ? matrix : matrix + jitter * identity);
            // A pivot of rounding errors is no factorisation either: its square is compared with the diagonal.
            if (info.item<int>() == 0 && factor.detach().diagonal().min().ToDouble() is var least && least * least > 1e-13 * scale)
                return (Backward(factor, Forward(factor, targets)).MoveToOuterDisposeScope(), jitter);
            jitter = jitter == 0 ? 1e-12 * scale : 100 * jitter;
            if (!(jitter <= 1.01e-4 * scale))
                throw new ArgumentException($"K + ρI of {n} support rows is singular with ρ = {ridge.ToDouble()}: duplicate support rows need a ridge above 0", nameof(kernel));
        }

        static Tensor Forward(Tensor factor, Tensor b) => linalg.solve_triangular(factor, b, upper: false);
        static Tensor Backward(Tensor factor, Tensor b) => linalg.solve_triangular(factor.t(), b, upper: true);
    }

    /// <summary>The whole head: <c>γ K_qs (K_ss + (|λ| + floor) I)⁻¹ Y + β</c> [M, C], with Y the one-hot labels.</summary>
    /// <param name="kind">Kernel.</param>
    /// <param name="support">Support rows [N, d].</param>
    /// <param name="labels">Their labels [N].</param>
    /// <param name="query">Query rows [M, d].</param>
    /// <param name="classes">C.</param>
    /// <param name="scalars">λ, γ and β [3].</param>
    /// <param name="floor">Least ridge.</param>
    public static (Tensor Scores, double Jitter) Predict(KernelKind kind, Tensor support, Tensor labels, Tensor query, int classes, Tensor scalars, double floor = RidgeFloor)
    {
        using var scope = NewDisposeScope();
        var targets = nn.functional.one_hot(labels, classes).to_type(support.dtype);
        var (alpha, jitter) = Solve(Matrix(kind, support, support), scalars[0].abs() + floor, targets);
        return ((scalars[1] * Matrix(kind, query, support).matmul(alpha) + scalars[2]).MoveToOuterDisposeScope(), jitter);
    }
}
