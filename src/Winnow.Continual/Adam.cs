using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Adam on one vector, as Kingma and Ba define it (arXiv 1412.6980), without weight decay: <c>m ← β₁m + (1 − β₁)g</c>, <c>v ← β₂v + (1 − β₂)g²</c>,
/// <c>θ ← θ − η m̂ / (√v̂ + ε)</c>. An element whose gradient has been zero since the optimiser was made does not change, to the bit.
/// </summary>
internal sealed class Adam(long length, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8) : IDisposable
{
    private readonly Tensor _m = zeros(length).DetachFromDisposeScope(), _v = zeros(length).DetachFromDisposeScope();
    private long _steps;

    /// <summary>Changes parameters [length] in place.</summary>
    public void Step(Tensor parameters, Tensor gradient, double learningRate)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _steps++;
        _m.mul_(beta1).add_(gradient, alpha: 1 - beta1);
        _v.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
        double rate = learningRate / (1 - Math.Pow(beta1, _steps));
        parameters.addcdiv_(_m, _v.sqrt().div_(Math.Sqrt(1 - Math.Pow(beta2, _steps))).add_(epsilon), -rate);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _m.Dispose();
        _v.Dispose();
    }
}
