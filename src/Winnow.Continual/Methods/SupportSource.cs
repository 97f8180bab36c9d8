using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Where the support rows of a kernel classifier come from.</summary>
internal interface ISupportSource : IDisposable
{
    /// <summary>A task begins.</summary>
    void BeginTask(TaskInfo task, Batch train) { }

    /// <summary>Learns from a mini-batch of a task.</summary>
    StepReport Learn(TaskInfo task, Batch batch) => StepReport.None;

    /// <summary>Up to a number of rows [n, width] of a class of a task; the current dispose scope owns them.</summary>
    Tensor Rows(int task, int label, int count, SeededRandom random);

    /// <summary>What is remembered.</summary>
    IEnumerable<StateEntry> State { get; }
}

/// <summary>Stored rows, drawn at random when their task begins: kernel continual learning without a generator.</summary>
internal sealed class StoredSupport(LearnerSetup setup, int perClass) : ISupportSource
{
    private readonly Tensor _x = zeros(Components.Count(setup), perClass, setup.Width).DetachFromDisposeScope();
    private readonly Tensor _counts = zeros(Components.Count(setup), ScalarType.Int64).DetachFromDisposeScope();

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => [new("gkcl.support", StateKind.Memory, _x), new("gkcl.support-counts", StateKind.Counter, _counts)];

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        var random = setup.Random($"support/choice/{task.Id}");
        foreach (int label in task.Classes)
        {
            long[] rows = train.Y.eq(label).nonzero().flatten().Values<long>().ToArray();
            random.Shuffle(rows);
            int kept = Math.Min(perClass, rows.Length), component = Components.Of(setup, task.Id, label);
            _x[component].narrow(0, 0, kept).copy_(train.X.index_select(0, tensor(rows[..kept])));
            _counts.Values<long>()[component] = kept;
        }
    }

    /// <inheritdoc/>
    public Tensor Rows(int task, int label, int count, SeededRandom random)
    {
        int component = Components.Of(setup, task, label);
        return _x[component].narrow(0, 0, Math.Min(count, _counts.Values<long>()[component])).clone();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _x.Dispose();
        _counts.Dispose();
    }
}

/// <summary>One normal distribution of the inputs a class.</summary>
internal sealed class GaussianSupport(LearnerSetup setup, CovarianceKind covariance) : ISupportSource
{
    private readonly ClassGaussians _gaussians = new(covariance, Components.Count(setup), setup.Width);

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _gaussians.State("gkcl.gaussians");

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        foreach (int label in task.Classes)
            _gaussians.Fit(Components.Of(setup, task.Id, label), train.X.index_select(0, train.Y.eq(label).nonzero().flatten()));
    }

    /// <inheritdoc/>
    public Tensor Rows(int task, int label, int count, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        var noise = random.Normal(count, setup.Width).to_type(ScalarType.Float64);
        return _gaussians.Sample(Components.Of(setup, task, label), 1, noise).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _gaussians.Dispose();
}

/// <summary>The distributions a generator keeps apart: classes, or the classes of each task where all tasks have the same.</summary>
internal static class Components
{
    public static int Count(LearnerSetup setup) => setup.Classes * (setup.NewClasses ? 1 : setup.Training.Tasks);

    public static int Of(LearnerSetup setup, int task, int label) => setup.NewClasses ? label : task * setup.Classes + label;
}
