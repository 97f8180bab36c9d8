using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Normal distributions with diagonal covariance, given by mean and logarithm of the variance.</summary>
public static class DiagonalGaussian
{
    /// <summary><c>KL(N(m, e^v) ‖ N(m₀, e^v₀)) = ½ Σ (v₀ − v + (e^v + (m − m₀)²)/e^v₀ − 1)</c> over all elements, a scalar; the shapes broadcast to that of m.</summary>
    public static Tensor Divergence(Tensor mean, Tensor logVariance, Tensor priorMean, Tensor priorLogVariance)
    {
        using var scope = NewDisposeScope();
        var terms = priorLogVariance - logVariance + (logVariance.exp() + (mean - priorMean).square()) / priorLogVariance.exp() - 1;
        return (0.5 * terms.sum()).MoveToOuterDisposeScope();
    }

    /// <summary>m + e^(v/2) ε.</summary>
    public static Tensor Sample(Tensor mean, Tensor logVariance, Tensor noise)
    {
        using var scope = NewDisposeScope();
        return (mean + (0.5 * logVariance).exp() * noise).MoveToOuterDisposeScope();
    }
}
