using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How <see cref="SelflessSparsity"/> spares neurons that earlier tasks need.</summary>
public enum SparsityDiscount
{
    /// <summary>The paper: <c>exp(−(α_i + α_j))</c>.</summary>
    Paper,

    /// <summary>The released code: <c>min(exp(−α_i), exp(−α_j))</c>.</summary>
    Released,
}

/// <summary>
/// Selfless sequential learning by local neural inhibition and discounting (SLNID): neurons that are active together inhibit each other, so
/// that a task leaves room for those to come; near ones more than distant ones, and those that earlier tasks need not at all.
/// <para><c>R = Σ_{i≠j} d_ij exp(−(i−j)² / (2σ²)) |C_ij|</c> with <c>C = AᵀA / B</c> of the activations A [B, N] after ReLU that a linear
/// layer is given, σ = N / 4, and d_ij from the neurons' importance <c>α_i ← α_i + (1/N) Σ_n |∂‖f(x_n)‖₂² / ∂a_i|</c>, added at the end of
/// a task; <c>L + λ_SSL Σ_layers R</c>. Used together with <see cref="Mas"/>, which must come after it in a learner: its step divides the whole gradient.</para>
/// <para>Paper: Aljundi, Rohrbach and Tuytelaars, Selfless sequential learning, ICLR 2019 (arXiv 1806.05421); chapter of Aljundi's thesis
/// (arXiv 1910.02718). The released code subtracts the diagonal and cuts what rounding leaves below 0; here the diagonal has no weight.
/// Channels of convolutions are not inhibited, their flattened maps before the head are. R is of the new rows, not of replayed ones.</para>
/// <para>Cost: one more forward and backward pass and O(B·N²) per layer; one sample gradient per row of importance; memory N values a layer.</para>
/// </summary>
public sealed class SelflessSparsity : IPart
{
    private readonly LearnerSetup _setup;
    private readonly ContinualThesisOptions _options;
    private readonly Tensor[] _neurons;

    /// <summary>The part.</summary>
    public SelflessSparsity(LearnerSetup setup, ContinualThesisOptions options)
    {
        using var network = setup.Network();
        (_setup, _options) = (setup, options);
        _neurons = [.. Hidden(network).Select(h => zeros(h.Module.Parameters[0].Shape[1]).DetachFromDisposeScope())];
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _neurons.Select((neurons, i) => new StateEntry($"ssl.neurons{i + 1}", StateKind.Statistics, neurons));

    /// <inheritdoc/>
    public void Gradient(Step step)
    {
        if (_options.Sparsity == 0 || _neurons.Length == 0)
            return;
        using var scope = NewDisposeScope();
        var network = step.Network;
        var statistics = network.Buffers.clone(); // a second look at the same rows must not count twice
        var inputs = network.ModuleInputs(step.New.X);
        var penalties = Hidden(network).Select((h, l) => Penalty(inputs[h.Index], _neurons[l], _options.Locality, _options.Discount));
        (_options.Sparsity * penalties.Aggregate((a, b) => a + b)).backward();
        network.Buffers.copy_(statistics);
        step.Report += new StepReport(double.NaN, step.New.Count, step.New.Count, 0);
    }

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        var x = train.Spread(_options.ImportanceRows).X;
        foreach (var (sum, added) in _neurons.Zip(NeuronImportance(network, x, _setup.Cancellation)))
            sum.add_(added);
        return new(double.NaN, x.shape[0], x.shape[0], 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var neurons in _neurons)
            neurons.Dispose();
    }

    /// <summary>R, a scalar on the tape of the activations.</summary>
    /// <param name="activations">A [B, N], not negative.</param>
    /// <param name="importance">α [N], for the discount; null for none (SLNI).</param>
    /// <param name="locality">N / σ, the released code's 4; null to inhibit all pairs alike (SNI).</param>
    /// <param name="discount">How α enters.</param>
    /// <exception cref="ArgumentException">The importance is not one value a neuron.</exception>
    public static Tensor Penalty(Tensor activations, Tensor? importance, double? locality, SparsityDiscount discount)
    {
        long neurons = activations.shape[1];
        if (importance is not null && (importance.dim() != 1 || importance.shape[0] != neurons))
            throw new ArgumentException($"The importance has the shape [{string.Join(", ", importance.shape)}]; expected [{neurons}], one value for each neuron.", nameof(importance));
        using var scope = NewDisposeScope();
        var weight = ones(neurons, neurons, activations.dtype) - eye(neurons, dtype: activations.dtype);
        if (locality is { } divisor)
        {
            var position = arange(neurons, activations.dtype);
            double sigma = neurons / divisor;
            weight *= (-(position.unsqueeze(1) - position).square() / (2 * sigma * sigma)).exp();
        }
        if (importance is not null)
        {
            var spared = (-importance).exp();
            weight *= discount == SparsityDiscount.Paper ? spared.outer(spared) : minimum(spared.unsqueeze(1), spared);
        }
        return (weight * (activations.T.mm(activations) / activations.shape[0]).abs()).sum().MoveToOuterDisposeScope();
    }

    /// <summary>(1/N) Σ_n |∂‖f(x_n)‖₂² / ∂a| for each layer's activations a, in prediction mode: the next layer's weights, transposed, times its bias's derivative.</summary>
    internal static Tensor[] NeuronImportance(Network network, Tensor x, CancellationToken cancellation)
    {
        network.Training = false;
        NetworkModule[] modules = [.. Hidden(network).Select(h => h.Module)];
        Tensor[] weights = [.. modules.Select(m => network.Parameters.narrow(0, m.Offset, m.Parameters[0].Length).view([.. m.Parameters[0].Shape]))];
        Tensor[] sums = [.. weights.Select(w => zeros(w.shape[1]))];
        for (long n = 0; n < x.shape[0]; n++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            network.ZeroGradient();
            network.AddGradient(x.narrow(0, n, 1), OutputSensitivity.SquaredNorms);
            for (int l = 0; l < modules.Length; l++)
                sums[l].add_(weights[l].T.mv(network.Gradient.narrow(0, modules[l].Parameters[1].Offset, modules[l].Parameters[1].Length)).abs(), 1.0 / x.shape[0]);
        }
        return sums;
    }

    /// <summary>The linear modules that are given activations after ReLU, with their positions.</summary>
    private static IEnumerable<(NetworkModule Module, int Index)> Hidden(Network network) =>
        network.Modules.Select((module, index) => (module, index)).Where(m => m.index > 0 && m.module.Kind == ModuleKind.Linear);
}
