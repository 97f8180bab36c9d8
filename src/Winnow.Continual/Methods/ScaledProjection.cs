using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A weight W [out, in] used with its part inside some subspaces B_j [in, r_j] scaled by matrices Q_j [r_j, r_j]:
/// <c>W̃ = W + Σ_j (W B_j Q_j B_jᵀ − W B_j B_jᵀ) = W + W D</c> with <c>D = Σ_j B_j (Q_j − I) B_jᵀ</c> [in, in].
/// </summary>
internal static class ScaledProjection
{
    /// <summary>D from subspaces and their scales.</summary>
    public static Tensor Scaling(IEnumerable<(Tensor B, Tensor Q)> scales) =>
        scales.Select(s => s.B.matmul(s.Q - eye(s.Q.shape[0], dtype: s.Q.dtype)).matmul(s.B.T)).Aggregate((a, b) => a + b);

    /// <summary>W̃.</summary>
    public static Tensor Weight(Tensor w, Tensor scaling) => w + w.matmul(scaling);

    /// <summary>The derivatives by W and by each Q_j of a loss whose derivative by W̃ is known.</summary>
    public static (Tensor W, Tensor[] Q) Gradients(Tensor byScaled, Tensor w, Tensor scaling, IEnumerable<Tensor> bases)
    {
        var byScaling = w.T.matmul(byScaled);
        return (byScaled + byScaled.matmul(scaling.T), [.. bases.Select(b => b.T.matmul(byScaling).matmul(b))]);
    }
}
