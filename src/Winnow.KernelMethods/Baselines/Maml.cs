using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Maml"/>.</summary>
public sealed record MamlOptions
{
    /// <summary>Whether the gradient goes through a task's steps.</summary>
    [AllowedValues("first", "second"), Description("first: the gradient at the end of a task's steps is used at their start; second: it is differentiated through them")]
    public string Order { get; init; } = "first";

    /// <summary>Steps of a task.</summary>
    [Range(1, 1000), Description("steps on a task's support rows")]
    public int Steps { get; init; } = 5;

    /// <summary>Their size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size on the mean loss of support rows")]
    public double InnerRate { get; init; } = 0.03;

    /// <summary>Steps over tasks.</summary>
    [Range(0, 1_000_000), Description("steps over tasks")]
    public int Updates { get; init; } = 800;

    /// <summary>Tasks of a step.</summary>
    [Range(1, 10_000), Description("tasks of a step")]
    public int Tasks { get; init; } = 16;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0), Description("step size of Adam, which falls to 0")]
    public double Rate { get; init; } = 1e-2;
}

/// <summary>A start from which a few steps on a task's support rows answer its query rows well (Finn, Abbeel and Levine, ICML 2017, arXiv 1703.03400). Cost of a task: steps + 1 gradients; of second order about three times that.</summary>
/// <param name="setup">Draws first parameters.</param>
/// <param name="options">How.</param>
public sealed class Maml(KernelSetup setup, MamlOptions options) : IMetaLearner
{
    /// <inheritdoc/>
    public IAdapter Learn(EpisodeStream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        bool second = options.Order == "second";
        return StartingPoint.Learned(stream, setup, options.Updates, options.Tasks, options.Rate, (theta, tasks) =>
        {
            if (!second)
                theta = theta + (stream.Descend(theta, tasks, options.Steps, options.InnerRate) - theta).detach();
            for (int s = 0; second && s < options.Steps; s++)
                theta = theta - stream.Gradient(theta, tasks, graph: true) * (options.InnerRate * stream.Scale(tasks.SupportX.shape[1]));
            return stream.Loss(stream.Network.Forward(theta, tasks.QueryX), tasks.QueryY).mean() * stream.Scale(tasks.QueryX.shape[1]);
        }, options.Steps, options.InnerRate, cancellation);
    }
}

/// <summary>Options of <see cref="PooledTraining"/>.</summary>
public record PooledOptions
{
    /// <summary>Steps over tasks.</summary>
    [Range(0, 1_000_000), Description("steps over tasks")]
    public int Updates { get; init; } = 800;

    /// <summary>Tasks of a step.</summary>
    [Range(1, 10_000), Description("tasks of a step")]
    public int Tasks { get; init; } = 16;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0), Description("step size of Adam, which falls to 0")]
    public double Rate { get; init; } = 1e-2;
}

/// <summary>Options of <see cref="PooledTraining"/> that is followed by steps on each new task.</summary>
public sealed record FineTuningOptions : PooledOptions
{
    /// <summary>Steps of a task.</summary>
    [Range(1, 1000), Description("steps on a new task's support rows")]
    public int Steps { get; init; } = 5;

    /// <summary>Their size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size on the mean loss of support rows")]
    public double InnerRate { get; init; } = 0.03;
}

/// <summary>One network for the rows of all tasks together, then, with <see cref="FineTuningOptions"/>, a few steps on a new task's support rows. Cost of a task: a gradient.</summary>
/// <param name="setup">Draws first parameters.</param>
/// <param name="options">How.</param>
public sealed class PooledTraining(KernelSetup setup, PooledOptions options) : IMetaLearner
{
    /// <inheritdoc/>
    public IAdapter Learn(EpisodeStream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var tuning = options as FineTuningOptions;
        return StartingPoint.Learned(stream, setup, options.Updates, options.Tasks, options.Rate,
            (theta, tasks) => stream.Loss(stream.Network.Forward(theta, cat([tasks.SupportX, tasks.QueryX], 1)), cat([tasks.SupportY, tasks.QueryY], 1)).mean() * stream.Scale(tasks.SupportX.shape[1] + tasks.QueryX.shape[1]),
            tuning?.Steps ?? 0, tuning?.InnerRate ?? 1, cancellation);
    }
}

/// <summary>Parameters from which each task takes a few steps.</summary>
internal sealed class StartingPoint : IAdapter
{
    private readonly EpisodeStream _stream;
    private readonly Tensor _theta;
    private readonly int _steps;
    private readonly double _rate;

    private StartingPoint(EpisodeStream stream, Tensor theta, int steps, double rate) => (_stream, _theta, _steps, _rate) = (stream, theta.detach().clone().DetachFromDisposeScope(), steps, rate);

    /// <summary>Goes down a loss of the start by Adam.</summary>
    public static StartingPoint Learned(EpisodeStream stream, KernelSetup setup, int updates, int tasks, double rate, Func<Tensor, Episodes, Tensor> loss, int steps, double innerRate, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        double[] start = stream.Network.Start(setup.Random("weights"));
        var theta = Aligned.Of(start, start.Length).requires_grad_();
        using var adam = new TensorAdam([theta], [rate]);
        for (int step = 0; step < updates; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var some = stream.Draw(tasks);
            var now = loss(theta.unsqueeze(0).expand(tasks, -1), some);
            EpisodeStream.Number(now);
            adam.Step(autograd.grad([now], [theta]), TensorAdam.Cosine(step, updates));
        }
        return new(stream, theta, steps, innerRate);
    }

    public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

    public Tensor Answer(Episodes tasks, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        _stream.Checked(tasks);
        using var scope = NewDisposeScope();
        var theta = _stream.Descend(_theta.unsqueeze(0).expand(tasks.Tasks, -1).contiguous(), tasks, _steps, _rate);
        using var untracked = no_grad();
        return _stream.Network.Forward(theta, tasks.QueryX).unsqueeze(0).MoveToOuterDisposeScope();
    }

    public void Dispose() => _theta.Dispose();
}
