using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Options of <see cref="Gpm"/>.</summary>
public record GpmOptions
{
    /// <summary>Share of energy kept at the first layer.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of the energy of the first layer's inputs that the protected directions hold")]
    public double FirstThreshold { get; init; } = 0.95;

    /// <summary>Share of energy kept at the other layers.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of the energy of the other layers' inputs that the protected directions hold")]
    public double Threshold { get; init; } = 0.99;

    /// <summary>Growth of both shares.</summary>
    [Range(0.0, 1.0), Description("added to both shares with every task, up to 1 (0.003 in the paper's split CIFAR-100)")]
    public double ThresholdGrowth { get; init; }

    /// <summary>Rows of a task whose inputs are looked at.</summary>
    [Range(1, 1_000_000), Description("rows of each task, at even distances, whose layer inputs give the directions; all when there are fewer")]
    public int Rows { get; init; } = 300;

    /// <summary>Rank of the first task.</summary>
    [Description("directions of the first task: as many as reach the threshold, as the paper writes, or one less, as the released code has it")]
    public RankRule Rank { get; init; } = RankRule.Reached;
}

/// <summary>
/// Gradient projection memory: weights move only in directions that the inputs of earlier tasks do not have, so that what the layers answer
/// to these stays.
/// <para><c>G ← G − G M Mᵀ</c> for the gradient G [out, in] of every shared layer, with M [in, r] an orthonormal basis of the inputs of the tasks so
/// far: after each task the leading left singular vectors of its inputs outside M are added until M holds the share ε of their energy.</para>
/// <para>Paper: Saha, Garg and Roy, Gradient projection memory for continual learning, ICLR 2021 (arXiv 2103.09762). Its networks have no
/// biases; here biases stay at zero, and batch normalisations, which the projection does not cover, learn in the first task and are frozen then.
/// Where tasks bring new classes the loss is among the task's own, as with the paper's one head a task. Thresholds are those of its permuted MNIST;
/// on permuted digits 0.95 for all layers is better by 0.01, more than 0.99 worse.</para>
/// <para>Cost: two products out·in·r per layer and step, one decomposition O(in²·n) per layer and task; memory 8 in² bytes a layer.</para>
/// </summary>
public sealed class Gpm : IObjectivePart, IReportsSeries
{
    private readonly LearnerSetup _setup;
    private readonly Tensor?[] _protected;
    private TaskInfo? _task;

    /// <summary>The part.</summary>
    /// <exception cref="ArgumentException">A threshold outside (0, 1].</exception>
    public Gpm(LearnerSetup setup, GpmOptions options) : this(setup, options, joint: false)
    {
    }

    internal Gpm(LearnerSetup setup, GpmOptions options, bool joint)
    {
        _setup = setup;
        Spaces = new(setup, options, "gpm", joint);
        _protected = new Tensor?[Spaces.Layers.Count];
    }

    /// <summary>The protected directions.</summary>
    internal InputSpaces Spaces { get; }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => Spaces.State;

    /// <inheritdoc/>
    public IEnumerable<(string Name, double Value, long Step)> Series => Spaces.Series;

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        Spaces.Begin(network, task);
        _task = task;
        for (int i = 0; i < _protected.Length; i++)
        {
            _protected[i]?.Dispose();
            _protected[i] = Spaces.Layers[i].Union(Spaces.Tasks).to_type(ScalarType.Float32).DetachFromDisposeScope();
        }
    }

    /// <inheritdoc/>
    public Objective? Objective(Step step)
    {
        step.Network.Training = Spaces.Tasks == 0;
        return _setup.NewClasses && _task is { } task ? new(null, (fresh, _) => TaskLoss.Of(fresh, step.New.Y, task)) : null;
    }

    /// <inheritdoc/>
    public void Gradient(Step step)
    {
        for (int i = 0; i < _protected.Length; i++)
            if (_protected[i] is { } basis)
            {
                var gradient = Spaces.Layers[i].Of(step.Network.Gradient);
                gradient.sub_(Subspace.Project(gradient, basis));
            }
        Spaces.Hold(step.Network);
    }

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train) => Spaces.Extend(network, train);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var basis in _protected)
            basis?.Dispose();
        Spaces.Dispose();
    }
}
