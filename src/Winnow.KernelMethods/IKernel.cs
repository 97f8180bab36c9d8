using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// A kernel: similarities of rows whose matrices are symmetric and have no negative eigenvalue. Rows are float64 [n, d]. What solvers take and kernels give is the Gram matrix, so that any kernel
/// serves any solver.
/// <code>
/// using var gram = new Rbf(gamma: 0.1).Gram(x, x); // [n, n]
/// </code>
/// </summary>
public interface IKernel
{
    /// <summary>The similarities of all rows of one matrix with all of another: float64 [n, m]. Symmetric to the bit where both are the same tensor. The current dispose scope owns it.</summary>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="y">Rows [m, d].</param>
    Tensor Gram(Tensor x, Tensor y);

    /// <summary>The similarity of each row with itself: float64 [n], without the whole matrix.</summary>
    Tensor Diagonal(Tensor x);
}
