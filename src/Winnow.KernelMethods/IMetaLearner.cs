using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Learns from many small tasks what helps with the next one.</summary>
public interface IMetaLearner : IKernelMethod
{
    /// <summary>Learns.</summary>
    /// <param name="stream">Where tasks come from.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Tasks that it cannot learn from, or a loss that is no number.</exception>
    IAdapter Learn(EpisodeStream stream, CancellationToken cancellation = default);
}

/// <summary>What was learned over tasks: immutable, answers a task anew at each call.</summary>
public interface IAdapter : IDisposable
{
    /// <summary>Adapts to the support rows of each task and answers its query rows: outputs of the network, float64 [samples, tasks, query rows, outputs]; the answer is their mean, after softmax for classes. The current dispose scope owns it.</summary>
    /// <param name="tasks">The tasks; their query answers are not looked at.</param>
    /// <param name="cancellation">Stops.</param>
    Tensor Answer(Episodes tasks, CancellationToken cancellation = default);

    /// <summary>What was found on the way.</summary>
    IReadOnlyDictionary<string, double> Report { get; }
}

/// <summary>Tasks of one size: a few rows with answers (support) to adapt to, and others (query) to answer.</summary>
public sealed record Episodes
{
    /// <summary>Tasks; tensors are not owned.</summary>
    /// <param name="supportX">Float64 [tasks, n, d].</param>
    /// <param name="supportY">Float64 [tasks, n, outputs]: numbers, or ones and zeros of classes.</param>
    /// <param name="queryX">Float64 [tasks, m, d].</param>
    /// <param name="queryY">Float64 [tasks, m, outputs].</param>
    /// <exception cref="InputException">No row, sizes that do not fit, or a number that is none.</exception>
    public Episodes(Tensor supportX, Tensor supportY, Tensor queryX, Tensor queryY)
    {
        foreach (var (x, what) in new[] { (supportX, "support rows"), (supportY, "support answers"), (queryX, "query rows"), (queryY, "query answers") })
        {
            ArgumentNullException.ThrowIfNull(x);
            if (x.dim() != 3 || x.dtype != ScalarType.Float64 || x.shape.Any(s => s == 0))
                throw InputException.At(what, $"{x.dtype} [{string.Join(", ", x.shape)}]", "float64 [tasks, rows, numbers] of at least one each", "Give every task a row to adapt to and one to answer.");
            using var scope = NewDisposeScope();
            Finite.Require(x.reshape(x.shape[0] * x.shape[1], x.shape[2]), what);
        }
        if (supportX.shape[0] != supportY.shape[0] || supportX.shape[1] != supportY.shape[1] || queryX.shape[0] != queryY.shape[0] || queryX.shape[1] != queryY.shape[1] || supportX.shape[0] != queryX.shape[0] || supportX.shape[2] != queryX.shape[2] || supportY.shape[2] != queryY.shape[2])
            throw InputException.At("episodes", string.Join(", ", new[] { supportX, supportY, queryX, queryY }.Select(x => $"[{string.Join(", ", x.shape)}]")), "[tasks, n, d], [tasks, n, outputs], [tasks, m, d], [tasks, m, outputs]", "Give rows and answers of the same tasks.");
        (SupportX, SupportY, QueryX, QueryY) = (supportX, supportY, queryX, queryY);
    }

    /// <summary>Rows to adapt to, [tasks, n, d].</summary>
    public Tensor SupportX { get; }

    /// <summary>Their answers, [tasks, n, outputs].</summary>
    public Tensor SupportY { get; }

    /// <summary>Rows to answer, [tasks, m, d].</summary>
    public Tensor QueryX { get; }

    /// <summary>Their answers, [tasks, m, outputs].</summary>
    public Tensor QueryY { get; }

    /// <summary>How many.</summary>
    public int Tasks => (int)SupportX.shape[0];

    /// <summary>The same tasks with only some of the support rows.</summary>
    internal Episodes With(long[] support)
    {
        var rows = tensor(support);
        return new(SupportX.index_select(1, rows), SupportY.index_select(1, rows), QueryX, QueryY);
    }
}

/// <summary>A source of tasks, and the network that all methods adapt.</summary>
/// <param name="network">The network.</param>
/// <param name="draw">Draws so many tasks.</param>
/// <param name="noise">Deviation of numbers around the network's output; 0: the answers are classes.</param>
public sealed class EpisodeStream(EpisodeNetwork network, Func<int, Episodes> draw, double noise)
{
    /// <summary>The network.</summary>
    public EpisodeNetwork Network => network;

    /// <summary>Deviation of numbers around the network's output; 0 where answers are classes.</summary>
    public double Noise => noise;

    /// <summary>Whether answers are classes.</summary>
    public bool Classes => noise == 0;

    /// <summary>The prior of the tasks' parameters where it is known: mean and variance, float64 [D] each.</summary>
    public (Tensor Mean, Tensor Variance)? Prior { get; init; }

    /// <summary>Tasks drawn so far.</summary>
    public long Drawn { get; private set; }

    /// <summary>Draws tasks; the current dispose scope owns them.</summary>
    /// <exception cref="InputException">They are not of the network's sizes, or a class has no support row.</exception>
    public Episodes Draw(int tasks)
    {
        Drawn += tasks;
        return Checked(draw(tasks));
    }

    /// <summary>Tasks that fit the network.</summary>
    internal Episodes Checked(Episodes tasks)
    {
        if (tasks.SupportX.shape[2] != network.Features || tasks.SupportY.shape[2] != network.Outputs)
            throw InputException.At("episodes", $"rows of {tasks.SupportX.shape[2]} with answers of {tasks.SupportY.shape[2]} numbers", $"{network.Features} and {network.Outputs}, as the network has", "Give tasks of the network's sizes.");
        using var scope = NewDisposeScope();
        if (Classes && (tasks.SupportY.sum(1) == 0).nonzero() is var none && none.shape[0] > 0)
            throw InputException.At("support rows", $"none of class {none[0, 1].item<long>()} in task {none[0, 0].item<long>()}", "at least one of every class", "Show a row of each class that is asked for.");
        return tasks;
    }

    /// <summary>−log p(y | f) of each task, summed over its rows: [tasks].</summary>
    internal Tensor Loss(Tensor f, Tensor y) => Classes
        ? -(nn.functional.log_softmax(f, 2) * y).sum([1, 2])
        : (f - y).square().sum([1, 2]) / (2 * noise * noise) + y.shape[1] * y.shape[2] * Math.Log(2 * Math.PI * noise * noise) / 2;

    /// <summary>What turns a sum of <see cref="Loss"/> over n rows into a loss of size 1: half the mean squared error, or the mean cross-entropy.</summary>
    internal double Scale(long rows) => (Classes ? 1 : noise * noise) / rows;

    /// <summary>The gradient of each task's summed loss on support rows: [tasks, D].</summary>
    /// <param name="theta">Parameters [tasks, D], which ask for a gradient.</param>
    /// <param name="tasks">The tasks.</param>
    /// <param name="graph">Whether the gradient can be differentiated again.</param>
    internal Tensor Gradient(Tensor theta, Episodes tasks, bool graph = false) =>
        autograd.grad([Loss(network.Forward(theta, tasks.SupportX), tasks.SupportY).sum()], [theta], retain_graph: graph, create_graph: graph)[0];

    /// <summary>Steps of gradient descent on the mean loss of support rows, each task from where it starts and without a way back to there: [tasks, D].</summary>
    internal Tensor Descend(Tensor theta, Episodes tasks, int steps, double rate)
    {
        for (int s = 0; s < steps; s++)
        {
            using var scope = NewDisposeScope();
            var at = theta.detach().requires_grad_();
            theta = (at - Gradient(at, tasks) * (rate * Scale(tasks.SupportX.shape[1]))).detach().MoveToOuterDisposeScope();
        }
        return theta.detach();
    }

    /// <summary>A loss that is a number.</summary>
    internal static double Number(Tensor loss) => loss.item<double>() is var value && double.IsFinite(value) ? value
        : throw InputException.At("loss", $"{value}", "a finite number", "Take a smaller step size.");
}
