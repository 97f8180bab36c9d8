using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>Options of <see cref="LearningWithoutForgetting"/>.</summary>
public sealed record LearningWithoutForgettingOptions
{
    /// <summary>Weight of the old answers.</summary>
    [Range(0.0, 1000.0), Description("weight α of the distillation from the network of the tasks before")]
    public double Alpha { get; init; } = 1;

    /// <summary>Temperature.</summary>
    [Range(0.01, 100.0), Description("temperature T that softens both answers")]
    public double Temperature { get; init; } = 2;

    /// <summary>Whether the distillation is multiplied by T².</summary>
    [Description("true: the distillation is multiplied by T², so that its gradient keeps its size; false: it is not, as in released code")]
    public bool TemperatureSquared { get; init; } = true;
}

/// <summary>
/// Learning without forgetting: the network as it was at the end of the last task answers for the new rows, and the network that learns
/// them is held to these answers on the old classes. No past row is kept.
/// <para><c>L = CE(new, among the task's classes) + α T² · H(softmax(z_old / T), softmax(z / T))</c>, the second softmax pair among the
/// classes of the tasks before. As in the paper the new classes have an output layer of their own: they are not trained against the
/// old ones. T² keeps the size of the gradient, <c>T (softmax(z / T) − softmax(z_old / T))</c>, when T changes (Hinton et al., 2015).</para>
/// <para>Paper: Li and Hoiem, Learning without forgetting, ECCV 2016 (arXiv 1606.09282). All old classes share one softmax, where the
/// paper has one for every old task, so that they can be told apart when the task is not known.</para>
/// <para>α 1 and T 2 are the paper's; on split digits α 0.3 does a little better and 3 and 10 worse.</para>
/// <para>Cost: one forward pass of the old network per new row; memory a second network.</para>
/// </summary>
public sealed class LearningWithoutForgetting(LearnerSetup setup, LearningWithoutForgettingOptions options) : IObjectivePart
{
    private readonly Network _teacher = setup.Network();
    private readonly Tensor _old = zeros(setup.Classes, ScalarType.Bool).DetachFromDisposeScope();     // the classes the teacher knows
    private readonly Tensor _current = zeros(setup.Classes, ScalarType.Bool).DetachFromDisposeScope(); // the classes of the task

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _teacher.LiveState.Select(s => new StateEntry($"lwf.teacher.{s.Key}", StateKind.Statistics, s.Value))
        .Append(new("lwf.old", StateKind.Statistics, _old))
        .Append(new("lwf.current", StateKind.Statistics, _current));

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        using var classes = Classes(task);
        _current.fill_(false).index_fill_(0, classes, true);
    }

    /// <inheritdoc/>
    public Objective? Objective(Step step)
    {
        var (x, y) = (step.New.X, step.New.Y);
        bool all = _current.all().item<bool>(), teach = options.Alpha > 0 && _old.any().item<bool>();
        if (!teach)
            return all ? null : new(null, (fresh, _) => cross_entropy(fresh.Among(_current), y));
        var then = Teach(x);
        step.Report += new StepReport(double.NaN, step.New.Count, 0, 0);
        return new(null, (fresh, _) => cross_entropy(fresh.Among(_current), y) + Weight(options) * Distillation(fresh, then, _old, options.Temperature));
    }

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var classes = Classes(task);
        _old.index_fill_(0, classes, true);
        _teacher.CopyStateFrom(network);
        return StepReport.None;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _teacher.Dispose();
        _old.Dispose();
        _current.Dispose();
    }

    /// <summary><c>T² · H(softmax(z_old / T), softmax(z / T))</c> among some classes, mean over rows.</summary>
    /// <param name="logits">z [B, classes].</param>
    /// <param name="then">z_old [B, classes].</param>
    /// <param name="classes">Which take part, booleans [classes].</param>
    /// <param name="temperature">T.</param>
    public static Tensor Distillation(Tensor logits, Tensor then, Tensor classes, double temperature)
    {
        var index = classes.nonzero().flatten();
        var target = (then.index_select(1, index) / temperature).softmax(1);
        return temperature * temperature * cross_entropy(logits.index_select(1, index) / temperature, target);
    }

    /// <summary>α, or α / T² when the distillation is not to be multiplied by T².</summary>
    public static double Weight(LearningWithoutForgettingOptions options) =>
        options.TemperatureSquared ? options.Alpha : options.Alpha / (options.Temperature * options.Temperature);

    private Tensor Teach(Tensor x)
    {
        using var _ = no_grad();
        _teacher.Training = false;
        return _teacher.Forward(x);
    }

    private static Tensor Classes(TaskInfo task) => tensor([.. task.Classes.Select(c => (long)c)]);
}
