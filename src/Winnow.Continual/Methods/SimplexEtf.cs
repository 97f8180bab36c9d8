using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A simplex equiangular tight frame: K unit vectors in d dimensions, every two at the cosine −1/(K−1), the largest angle that K vectors can all
/// have; and the loss that draws features to them. Built once, never trained.
/// </summary>
public static class SimplexEtf
{
    private const double Least = 1e-12;

    /// <summary><c>M = √(K/(K−1)) U (I − 11ᵀ/K)</c>, [d, K], a column a class; the current dispose scope owns it.</summary>
    /// <param name="u">U [d, K] with orthonormal columns.</param>
    /// <exception cref="ArgumentException">Fewer dimensions than classes, or fewer than two classes.</exception>
    public static Tensor Of(Tensor u)
    {
        if (u.dim() != 2 || u.shape[1] < 2 || u.shape[0] < u.shape[1])
            throw new ArgumentException($"a basis [{string.Join(", ", u.shape)}]; expected [d, K] with 2 ≤ K ≤ d: use wider features, or fewer classes", nameof(u));
        using var scope = NewDisposeScope();
        double k = u.shape[1];
        return (Math.Sqrt(k / (k - 1)) * (u - u.mean([1], keepdim: true))).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>A frame in a random position: U is the Q factor of a normal matrix.</summary>
    /// <exception cref="ArgumentException">Fewer dimensions than classes, or fewer than two classes.</exception>
    public static Tensor Random(int width, int classes, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        return Of(Orthonormal(width, classes, random)).MoveToOuterDisposeScope();
    }

    /// <summary>Random orthonormal columns [d, K], float32: the Q factor of a normal matrix.</summary>
    /// <exception cref="ArgumentException">Fewer dimensions than columns.</exception>
    internal static Tensor Orthonormal(int width, int columns, SeededRandom random)
    {
        if (width < columns)
            throw new ArgumentException($"{columns} classes in {width} dimensions; expected at most as many classes as dimensions: use wider features", nameof(width));
        using var scope = NewDisposeScope();
        double[] values = [.. Enumerable.Range(0, width * columns).Select(_ => random.NextNormal())];
        var (q, _) = linalg.qr(tensor(values).reshape(width, columns));
        return q.to_type(ScalarType.Float32).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The cosines [B, K] of features [B, d] with the frame [d, K]; a feature of zeros has 0. On the graph.</summary>
    public static Tensor Cosines(Tensor features, Tensor frame)
    {
        var length = features.norm(1, keepdim: true);
        return (features / length.masked_fill(length < Least, float.PositiveInfinity)).matmul(frame);
    }

    /// <summary>
    /// Dot regression, <c>w · ½ · mean_b (x̂_b·m̃_b − ‖m̃_b‖)²</c> with m̃ = ℓ_y m_y: the lengths ℓ are 1, or <see cref="Lengths"/> when the classes of
    /// the batch are to weigh alike. On the graph.
    /// </summary>
    /// <param name="features">Features x [B, d].</param>
    /// <param name="labels">Labels y [B].</param>
    /// <param name="frame">The frame [d, K].</param>
    /// <param name="weight">w.</param>
    /// <param name="balanced">Whether the lengths are <see cref="Lengths"/>.</param>
    public static Tensor DotRegression(Tensor features, Tensor labels, Tensor frame, double weight, bool balanced)
    {
        var dot = Cosines(features, frame).gather(1, labels.unsqueeze(1)).squeeze(1);
        var distance = balanced ? (dot - 1) * Lengths(labels, (int)frame.shape[1], frame.dtype).index_select(0, labels) : dot - 1;
        return weight / 2 * distance.square().mean();
    }

    /// <summary>ℓ_c = √(γ/n_c) [K], with n_c the rows of class c in the batch and γ the batch's rows over its classes; 1 for a class without rows.</summary>
    public static Tensor Lengths(Tensor labels, int classes, ScalarType type = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        var counts = zeros(classes, type).index_add_(0, labels, ones_like(labels, type), 1);
        double share = labels.shape[0] / counts.gt(0).sum().to_type(ScalarType.Float64).item<double>();
        return (share / counts).sqrt().masked_fill(counts.eq(0), 1).MoveToOuterDisposeScope();
    }
}
