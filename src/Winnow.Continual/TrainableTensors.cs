using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Named parameters that are not a <see cref="Learning.Network"/>'s: leaves of the graph that lie behind one another in one vector, with the
/// moments of the optimiser beside them. Steps are Adam's (Kingma and Ba 2015) or those of SGD with momentum. Memory: four values a parameter.
/// </summary>
internal sealed class TrainableTensors : IDisposable
{
    private readonly List<(string Name, Tensor View)> _views = [];
    private readonly Adam _adam;

    /// <summary>Parameters with their initial values, in order.</summary>
    public TrainableTensors(string prefix, params IReadOnlyList<(string Name, long[] Shape, Func<double> Initial)> parameters)
    {
        Length = (int)parameters.Sum(p => Size(p.Shape));
        Values = zeros(Length).DetachFromDisposeScope();
        Gradient = zeros(Length).DetachFromDisposeScope();
        _adam = new(Length, learningRate: 0);
        Prefix = prefix;
        using var _ = no_grad();
        long offset = 0;
        foreach (var (name, shape, initial) in parameters)
        {
            foreach (ref float value in Values.Values<float>().Slice((int)offset, (int)Size(shape)))
                value = (float)initial();
            using var part = Values.narrow(0, offset, Size(shape));
            using var gradient = Gradient.narrow(0, offset, Size(shape));
            var view = part.view(shape).DetachFromDisposeScope().requires_grad_(true);
            using var viewGradient = gradient.view(shape);
            view.grad = viewGradient;
            _views.Add((name, view));
            offset += Size(shape);
        }
    }

    /// <summary>Number of parameters P.</summary>
    public int Length { get; }

    /// <summary>All parameters [P], off the graph: what is written here the next pass uses.</summary>
    public Tensor Values { get; }

    /// <summary>Their gradients [P]: backward passes add to them until <see cref="ZeroGradient"/>.</summary>
    public Tensor Gradient { get; }

    private string Prefix { get; }

    /// <summary>A parameter, on the graph.</summary>
    public Tensor this[string name] => _views.First(v => v.Name == name).View;

    /// <summary>The parameters by name, and the optimiser's moments.</summary>
    public IEnumerable<StateEntry> State =>
    [
        .. _views.Select(v => new StateEntry($"{Prefix}.{v.Name}", StateKind.Model, v.View)),
        .. _adam.LiveState.Select(s => new StateEntry($"{Prefix}.adam.{s.Key}", s.Key == "t" ? StateKind.Counter : StateKind.Statistics, s.Value)),
    ];

    /// <summary>Uniform values in ±bound.</summary>
    public static Func<double> Uniform(SeededRandom random, double bound) => () => bound * (2 * random.NextDouble() - 1);

    /// <summary>Sets the gradients to zero.</summary>
    public void ZeroGradient() => Gradient.Values<float>().Clear();

    /// <summary>Forgets the moments.</summary>
    public void Reset() => _adam.Reset();

    /// <summary>The change [P] that the next Adam step would make with the gradient of now; nothing moves.</summary>
    public Tensor Candidate(double learningRate)
    {
        var change = zeros(Length);
        _adam.LearningRate = learningRate;
        _adam.Candidate(Gradient.Values<float>(), change.Values<float>());
        return change;
    }

    /// <summary>One step of Adam: β₁ = 0.9, β₂ = 0.999, ε = 1e-8.</summary>
    public void AdamStep(double learningRate)
    {
        _adam.LearningRate = learningRate;
        _adam.Step(Values.Values<float>(), Gradient.Values<float>());
    }

    /// <summary>One step of SGD: v ← μv + g, θ ← θ − ηv. The moments are Adam's or the momentum's, so a task uses one of both.</summary>
    public void SgdStep(double learningRate, double momentum)
    {
        using var _ = no_grad();
        _adam.First.mul_(momentum).add_(Gradient);
        Values.add_(_adam.First, alpha: -learningRate);
    }

    /// <summary>Computes something with other values [P] in the parameters' place; they come back after it. Backward passes belong inside.</summary>
    public T With<T>(Tensor values, Func<T> compute)
    {
        float[] own = Values.Values<float>().ToArray();
        values.Values<float>().CopyTo(Values.Values<float>());
        try
        {
            return compute();
        }
        finally
        {
            own.CopyTo(Values.Values<float>());
        }
    }

    private static long Size(long[] shape) => shape.Aggregate(1L, (a, b) => a * b);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, view) in _views)
            view.Dispose();
        foreach (var owned in (IDisposable[])[Values, Gradient, _adam])
            owned.Dispose();
    }
}
