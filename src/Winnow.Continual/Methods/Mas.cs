using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How <see cref="Mas"/> finds the importance of a weight.</summary>
public enum MasImportance
{
    /// <summary>The paper's equation: the mean over rows of |∂‖f(x)‖² / ∂θ|.</summary>
    Paper,

    /// <summary>The released code: the absolute value is taken of the derivative's sum over a batch, in which opposite signs cancel.</summary>
    Released,

    /// <summary>The paper's local, Hebbian form: the mean product of the activations on both sides of the weight. No backward pass.</summary>
    Local,
}

/// <summary>
/// Memory aware synapses: after every task each weight is held near its value, the more firmly the more the size of the network's answer
/// depends on it; no label is needed to find out.
/// <para><c>Ω_i ← Ω_i + (1/N) Σ_n |∂‖f(x_n)‖₂² / ∂θ_i|</c> and <c>θ* ← θ</c> at the end of a task, f the logits in prediction mode;
/// <c>L = CE(new) + λ Σ_i Ω_i (θ_i − θ*_i)²</c>. The local form for a weight from activation y_i to y_j after ReLU is
/// <c>Ω_ij = (1/N) Σ_n |y_i y_j|</c>, for a bias |y_j|, for the scale of a normalisation |x̂_j y_j| with x̂ its normalised input.</para>
/// <para>Paper: Aljundi, Babiloni, Elhoseiny, Rohrbach and Tuytelaars, Memory aware synapses: learning what (not) to forget, ECCV 2018
/// (arXiv 1711.09601); chapter of Aljundi, Continual learning in neural networks, PhD thesis 2019 (arXiv 1910.02718). The released code's
/// decay by the sign of the weights is left out.</para>
/// <para>Cost: two operations per weight and step; one sample gradient per row of importance; memory 2 P values.</para>
/// </summary>
public sealed class Mas : IPart
{
    private readonly LearnerSetup _setup;
    private readonly ContinualThesisOptions _options;
    private readonly QuadraticPenalty _penalty;

    /// <summary>The part.</summary>
    /// <exception cref="ArgumentException">The local importance is asked for of a network with convolutions.</exception>
    public Mas(LearnerSetup setup, ContinualThesisOptions options)
    {
        using var network = setup.Network();
        if (options.Importance == MasImportance.Local)
            RequireLinear(network);
        (_setup, _options, _penalty) = (setup, options, new(network.ParameterValues.Length));
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _penalty.State("mas");

    /// <inheritdoc/>
    public void Gradient(Step step) =>
        _penalty.Apply(step.Network, 2 * _options.Lambda, _options.AnchorStep == AnchorStep.Implicit ? _setup.Training.LearningRate : 0);

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        var x = train.Spread(_options.ImportanceRows).X;
        _penalty.Importance.add_(Importance(network, x, _options.Importance, _options.ImportanceBatch, _setup.Cancellation));
        _penalty.Anchor.copy_(network.Parameters);
        return new(double.NaN, x.shape[0], _options.Importance == MasImportance.Local ? 0 : x.shape[0], 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _penalty.Dispose();

    /// <summary>Ω [P] of unlabelled rows [N, width]. Sets the network to prediction mode and leaves a gradient behind.</summary>
    /// <param name="network">The network.</param>
    /// <param name="x">Rows, float32.</param>
    /// <param name="rule">Which importance.</param>
    /// <param name="batch">Rows of a batch of the released code.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="ArgumentException">The local importance of a network with convolutions.</exception>
    public static Tensor Importance(Network network, Tensor x, MasImportance rule, int batch, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var importance = rule == MasImportance.Local ? Local(network, x)
            : OutputSensitivity.Sum(network, x, rule == MasImportance.Released ? batch : 1, OutputSensitivity.SquaredNorms, cancellation).div_(x.shape[0]);
        return importance.MoveToOuterDisposeScope();
    }

    private static Tensor Local(Network network, Tensor x)
    {
        RequireLinear(network);
        using var _ = no_grad();
        network.Training = false;
        var (modules, inputs) = (network.Modules, network.ModuleInputs(x));
        var importance = new List<Tensor>();
        for (int i = 0; i < modules.Count; i++)
        {
            // What the module's weights feed: the activation after ReLU that the next linear module is given, or the logits.
            int next = i + 1;
            while (next < modules.Count && modules[next].Kind == ModuleKind.BatchNorm)
                next++;
            var output = (next < modules.Count ? inputs[next] : network.Head(inputs[^1])).abs();
            var input = (modules[i].Kind == ModuleKind.BatchNorm ? Normalised(network, modules[i], inputs[i]) : inputs[i]).abs();
            importance.Add((modules[i].Kind == ModuleKind.BatchNorm ? (input * output).sum(dim: 0) : output.T.mm(input).flatten()) / x.shape[0]);
            importance.Add(output.mean([0L]));
        }
        return cat(importance);
    }

    private static Tensor Normalised(Network network, NetworkModule norm, Tensor input)
    {
        Tensor Of(FlatRange range) => network.Buffers.narrow(0, range.Offset, range.Length);
        return (input - Of(norm.Buffers[0])) / (Of(norm.Buffers[1]) + 1e-5).sqrt();
    }

    private static void RequireLinear(Network network)
    {
        if (network.Modules.FirstOrDefault(m => m.Kind == ModuleKind.Convolution) is { } convolution)
            throw new ArgumentException($"The local importance of {convolution.Name}, a convolution, is not defined; expected linear layers. Use importance=paper, or the mlp.", nameof(network));
    }
}
