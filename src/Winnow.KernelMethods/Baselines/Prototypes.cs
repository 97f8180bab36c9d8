using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Prototypes"/>.</summary>
public sealed record PrototypesOptions
{
    /// <summary>Steps over tasks.</summary>
    [Range(0, 1_000_000), Description("steps over tasks that the last hidden layer is learned by; 0: means of the rows themselves")]
    public int Updates { get; init; }

    /// <summary>Tasks of a step.</summary>
    [Range(1, 10_000), Description("tasks of a step")]
    public int Tasks { get; init; } = 16;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0), Description("step size of Adam, which falls to 0")]
    public double Rate { get; init; } = 1e-3;
}

/// <summary>The class whose support rows have the nearest mean, in a learned layer (Snell, Swersky and Zemel, Prototypical networks for few-shot learning, NeurIPS 2017) or of the rows themselves. Cost of a task: a gradient while learning, then one pass.</summary>
/// <param name="setup">Draws first parameters.</param>
/// <param name="options">How.</param>
public sealed class Prototypes(KernelSetup setup, PrototypesOptions options) : IMetaLearner
{
    /// <inheritdoc/>
    public IAdapter Learn(EpisodeStream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.Classes)
            throw InputException.At("answers", "numbers", "classes", "Take a method that answers by numbers.");
        using var scope = NewDisposeScope();
        double[] start = stream.Network.Start(setup.Random("weights"));
        var theta = Aligned.Of(start, start.Length).requires_grad_();
        using var adam = new TensorAdam([theta], [options.Rate]);
        for (int step = 0; step < options.Updates; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var tasks = stream.Draw(options.Tasks);
            var loss = stream.Loss(Outputs(stream.Network, theta, tasks), tasks.QueryY).mean() * stream.Scale(tasks.QueryX.shape[1]);
            EpisodeStream.Number(loss);
            adam.Step(autograd.grad([loss], [theta]), TensorAdam.Cosine(step, options.Updates));
        }
        return new Adapter(stream, options.Updates == 0 ? null : theta.detach().clone().DetachFromDisposeScope());
    }

    /// <summary>−‖h(x) − mean of h over a class's support rows‖², h the last hidden layer, or the rows themselves.</summary>
    private static Tensor Outputs(EpisodeNetwork network, Tensor? theta, Episodes tasks)
    {
        Tensor Embedded(Tensor x) => theta is null ? x : network.Embed(theta.unsqueeze(0).expand(tasks.Tasks, -1), x);
        var (support, query) = (Embedded(tasks.SupportX), Embedded(tasks.QueryX));
        var means = tasks.SupportY.transpose(1, 2).bmm(support) / tasks.SupportY.sum(1).unsqueeze(2);
        return query.bmm(means.transpose(1, 2)) * 2 - means.square().sum(2).unsqueeze(1) - query.square().sum(2, keepdim: true);
    }

    private sealed class Adapter(EpisodeStream stream, Tensor? theta) : IAdapter
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Answer(Episodes tasks, CancellationToken cancellation = default)
        {
            ArgumentNullException.ThrowIfNull(tasks);
            cancellation.ThrowIfCancellationRequested();
            stream.Checked(tasks);
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            return Outputs(stream.Network, theta, tasks).unsqueeze(0).MoveToOuterDisposeScope();
        }

        public void Dispose() => theta?.Dispose();
    }
}
