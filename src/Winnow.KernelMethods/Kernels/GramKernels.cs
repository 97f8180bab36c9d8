using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Similarities of some rows with each other, and of others with these; float64.</summary>
/// <param name="Own">Of the first with each other [n, n].</param>
/// <param name="Cross">Of the first with the others [n, m]; null for none.</param>
/// <param name="Diagonal">Of each other with itself [m]; null for none.</param>
public sealed record LayerGrams(Tensor Own, Tensor? Cross = null, Tensor? Diagonal = null);

/// <summary>Kernels that need no rows, only the Gram matrix of what lies below: every function is differentiable, and 1e-6 is added to the diagonal so that it stays so where rows are the same. Cost O(n² + n m).</summary>
public static class GramKernels
{
    /// <summary>What is added to a diagonal.</summary>
    public const double Jitter = 1e-6;

    /// <summary>The rows themselves as a Gram matrix: <c>⟨x, y⟩ / d</c>.</summary>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="others">Other rows [m, d], or null.</param>
    public static LayerGrams Inputs(Tensor x, Tensor? others = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        double d = x.shape[1];
        return new(x.mm(x.t()) / d, others is null ? null : x.mm(others.t()) / d, others is null ? null : others.square().sum(1) / d);
    }

    /// <summary>
    /// The arc-cosine kernel of ReLU units (Cho and Saul 2009), scaled so that the diagonal stays: <c>(√(gᵢᵢgⱼⱼ − gᵢⱼ²) + (π − θ) gᵢⱼ) / π</c>, θ the angle.
    /// </summary>
    public static LayerGrams Relu(LayerGrams g)
    {
        ArgumentNullException.ThrowIfNull(g);
        using var scope = NewDisposeScope();
        var mask = 1 - eye(g.Own.shape[0], dtype: ScalarType.Float64);
        var own = g.Own.diagonal() + Jitter;
        // the diagonal has no angle: it is put back whole, and takes no part in the gradient of the angle
        var result = Arc(g.Own * mask, own.unsqueeze(1), own) * mask + own.diag();
        if (g.Cross is null || g.Diagonal is null)
            return new(result.MoveToOuterDisposeScope());
        var others = g.Diagonal + Jitter;
        return new(result.MoveToOuterDisposeScope(), Arc(g.Cross, own.unsqueeze(1), others).MoveToOuterDisposeScope(), others.MoveToOuterDisposeScope());

        static Tensor Arc(Tensor cross, Tensor a, Tensor b)
        {
            var size = (a * b).sqrt();
            var cosine = (cross / size).clamp(-1 + 1e-15, 1 - 1e-15);
            return ((1 - cosine.square()).sqrt() + (Math.PI - cosine.acos()) * cosine) * size / Math.PI;
        }
    }

    /// <summary>The squared exponential kernel of a Gram matrix: <c>h² exp(−(gᵢᵢ + gⱼⱼ − 2gᵢⱼ) / 2ℓ²)</c>.</summary>
    /// <param name="g">The Gram matrix.</param>
    /// <param name="length">ℓ, a scalar.</param>
    /// <param name="height">h, a scalar.</param>
    public static LayerGrams SquaredExponential(LayerGrams g, Tensor length, Tensor height)
    {
        ArgumentNullException.ThrowIfNull(g);
        ArgumentNullException.ThrowIfNull(length);
        ArgumentNullException.ThrowIfNull(height);
        using var scope = NewDisposeScope();
        var (h2, half) = (height.square(), length.square() * 2);
        var own = g.Own.diagonal();
        Tensor Of(Tensor cross, Tensor others) => h2 * ((cross * 2 - own.unsqueeze(1) - others) / half).exp();
        var result = Of(g.Own, own) + eye(g.Own.shape[0], dtype: ScalarType.Float64) * Jitter;
        return g.Cross is null || g.Diagonal is null ? new(result.MoveToOuterDisposeScope())
            : new(result.MoveToOuterDisposeScope(), Of(g.Cross, g.Diagonal).MoveToOuterDisposeScope(), (h2 + zeros_like(g.Diagonal) + Jitter).MoveToOuterDisposeScope());
    }

    /// <summary>
    /// Carries a Gram matrix G of some rows, that took the place of the kernel's K, on to others: with A = K_ti K_ii⁻¹, <c>G_ti = A G</c> and <c>G_tt = K_tt − diag(A K_it) + diag(A G Aᵀ)</c>.
    /// </summary>
    /// <param name="k">The kernel's blocks.</param>
    /// <param name="factor">The lower factor of its own block.</param>
    /// <param name="g">G [n, n].</param>
    public static LayerGrams Conditional(LayerGrams k, Tensor factor, Tensor g)
    {
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(factor);
        ArgumentNullException.ThrowIfNull(g);
        if (k.Cross is null || k.Diagonal is null)
            return new(g);
        using var scope = NewDisposeScope();
        var a = PositiveSolve.Back(factor, k.Cross); // Aᵀ [n, m]
        var cross = g.mm(a);
        return new(g, cross.MoveToOuterDisposeScope(), (k.Diagonal - (a * k.Cross).sum([0]) + (a * cross).sum([0])).MoveToOuterDisposeScope());
    }

    /// <summary>KL(N(0, G) ‖ N(0, K)) = ½ (tr K⁻¹G − log det K⁻¹G − n).</summary>
    /// <param name="g">G [n, n].</param>
    /// <param name="factor">The lower factor of K.</param>
    public static Tensor Divergence(Tensor g, Tensor factor)
    {
        ArgumentNullException.ThrowIfNull(g);
        ArgumentNullException.ThrowIfNull(factor);
        using var scope = NewDisposeScope();
        return (0.5 * (PositiveSolve.Back(factor, g).trace() - LogDeterminant(linalg.cholesky(g)) + LogDeterminant(factor) - g.shape[0])).MoveToOuterDisposeScope();
    }

    /// <summary>Of a matrix, from its lower factor.</summary>
    internal static Tensor LogDeterminant(Tensor factor) => factor.diagonal().log().sum() * 2;

    /// <summary>Σ over columns of y of log N(y; 0, C).</summary>
    /// <param name="y">[n, outputs].</param>
    /// <param name="factor">The lower factor of C.</param>
    internal static Tensor LogLikelihood(Tensor y, Tensor factor)
    {
        using var scope = NewDisposeScope();
        var white = linalg.solve_triangular(factor, y, upper: false);
        return (-0.5 * (white.square().sum() + y.shape[1] * (LogDeterminant(factor) + y.shape[0] * Math.Log(2 * Math.PI)))).MoveToOuterDisposeScope();
    }
}
