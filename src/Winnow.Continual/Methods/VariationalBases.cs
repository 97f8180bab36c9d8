using Winnow.Core;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Variational random features (Derakhshani et al., Kernel continual learning, ICML 2021): the bases of the random Fourier features are drawn from
/// <c>N(μ(S), diag e^v(S))</c>, where a network of three layers with ELU gives μ and v from the mean feature of the support (posterior) or of the
/// mini-batch (prior). Cost: O(d·H + H² + L·d).
/// </summary>
internal sealed class VariationalBases(int bases, int features, SeededRandom random) : IDisposable
{
    private readonly Tensor _phases = tensor([.. Enumerable.Range(0, bases).Select(_ => (float)(2 * Math.PI * random.NextDouble()))]).DetachFromDisposeScope();

    /// <summary>Weights of the network.</summary>
    public TrainableTensors Parameters { get; } = new("gkcl.bases",
        [.. ConditionalVae.Layer("layer1", features, features, random), .. ConditionalVae.Layer("layer2", features, features, random), .. ConditionalVae.Layer("layer3", features, 2 * features, random)]);

    /// <summary>What is remembered.</summary>
    public IEnumerable<StateEntry> State => [.. Parameters.State, new("gkcl.bases.phases", StateKind.Model, _phases)];

    /// <summary>Mean and log variance of a basis, each [1, d], for features [n, d].</summary>
    public (Tensor Mean, Tensor LogVariance) Distribution(Tensor rows)
    {
        var h = F.elu(Linear("layer2", F.elu(Linear("layer1", rows.mean([0], keepdim: true)), 1)), 1);
        var both = Linear("layer3", h);
        return (both.narrow(1, 0, features), both.narrow(1, features, features));
    }

    /// <summary>Random features of support and query, in float64, with the bases of the support's posterior and noise of one seed.</summary>
    public (Tensor Support, Tensor Query) Map(Tensor support, Tensor query, SeededRandom noise)
    {
        var (mean, logVariance) = Distribution(support);
        var drawn = DiagonalGaussian.Sample(mean, logVariance, noise.Normal(bases, features)).to_type(ScalarType.Float64);
        var phases = _phases.to_type(ScalarType.Float64);
        return (KernelRidge.RandomFeatures(support.to_type(ScalarType.Float64), drawn, phases), KernelRidge.RandomFeatures(query.to_type(ScalarType.Float64), drawn, phases));
    }

    /// <summary>KL(posterior of the support ‖ prior of the query).</summary>
    public Tensor Divergence(Tensor support, Tensor query)
    {
        var (mean, logVariance) = Distribution(support);
        var (priorMean, priorLogVariance) = Distribution(query);
        return DiagonalGaussian.Divergence(mean, logVariance, priorMean, priorLogVariance);
    }

    private Tensor Linear(string name, Tensor x) => F.linear(x, Parameters[$"{name}.weight"], Parameters[$"{name}.bias"]);

    /// <inheritdoc/>
    public void Dispose()
    {
        Parameters.Dispose();
        _phases.Dispose();
    }
}
