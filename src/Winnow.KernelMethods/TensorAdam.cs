using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Adam (Kingma and Ba 2015) on tensors, which it changes in place.</summary>
/// <param name="parameters">The tensors, not owned.</param>
/// <param name="rates">A step size for each.</param>
/// <param name="beta2">How long squares are remembered: less for few steps.</param>
internal sealed class TensorAdam(IReadOnlyList<Tensor> parameters, IReadOnlyList<double> rates, double beta2 = 0.999) : IDisposable
{
    private const double Beta1 = 0.9, Epsilon = 1e-8;
    private readonly Tensor[] _first = [.. parameters.Select(p => zeros_like(p).DetachFromDisposeScope())], _second = [.. parameters.Select(p => zeros_like(p).DetachFromDisposeScope())];
    private int _steps;

    /// <summary>One step against gradients.</summary>
    /// <param name="gradients">As the parameters.</param>
    /// <param name="factor">What step sizes are multiplied by.</param>
    public void Step(IList<Tensor> gradients, double factor = 1)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        _steps++;
        for (int i = 0; i < parameters.Count; i++)
        {
            _first[i].mul_(Beta1).add_(gradients[i], 1 - Beta1);
            _second[i].mul_(beta2).addcmul_(gradients[i], gradients[i], 1 - beta2);
            var deviation = (_second[i] / (1 - Math.Pow(beta2, _steps))).sqrt_().add_(Epsilon);
            parameters[i].addcdiv_(_first[i], deviation, -factor * rates[i] / (1 - Math.Pow(Beta1, _steps)));
        }
    }

    /// <summary>A factor that falls from 1 to 0 along half a cosine.</summary>
    public static double Cosine(int step, int steps) => (1 + Math.Cos(Math.PI * step / steps)) / 2;

    public void Dispose()
    {
        foreach (var moment in _first.Concat(_second))
            moment.Dispose();
    }
}
