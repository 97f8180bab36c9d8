using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Options of <see cref="GDumb"/>.</summary>
public sealed record GDumbOptions
{
    /// <summary>Rows kept.</summary>
    [Range(1, 1_000_000), Description("rows kept in the class-balanced memory")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Passes over the memory.</summary>
    [Range(1, 10_000), Description("passes over the memory when the network is trained anew; 2^k ends with a whole cycle of the schedule")]
    public int Epochs { get; init; } = 64;

    /// <summary>Rows of a mini-batch.</summary>
    [Range(2, 4096), Description("rows of a mini-batch when the network is trained anew")]
    public int BatchSize { get; init; } = 16;

    /// <summary>Highest step size.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size at the start of each cycle; it falls to a hundredth along a cosine")]
    public double LearningRate { get; init; } = 0.05;
}

/// <summary>
/// Learns nothing while the stream passes but keeps a class-balanced memory; after each task a fresh network is trained on the memory alone.
/// <para>Paper: Prabhu, Torr and Dokania, GDumb: a simple approach that questions our progress in continual learning, ECCV 2020. As there: SGD
/// with momentum 0.9 and weight decay 1e-6, a first pass at a tenth of the step size, then cosine cycles with warm restarts of 1, 2, 4, ...
/// passes. Left out: cutmix and augmentation, which are for natural images, and early stopping.</para>
/// <para>Cost: Epochs · BufferSize rows forward and backward a task; memory BufferSize · (width + 2) values.</para>
/// </summary>
public sealed class GDumb(LearnerSetup setup, GDumbOptions options) : IContinualLearner
{
    private readonly Network _network = setup.Network();

    /// <summary>The rows kept.</summary>
    public ClassBalancedMemory Memory { get; } = new(options.BufferSize, setup.Width, setup.Classes, p => setup.Random($"gdumb/{p}"));

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
        _network.LiveState.Select(s => new StateEntry(s.Key, StateKind.Model, s.Value)).Concat(Memory.State("gdumb"));

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) { }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (batch.FirstPass)
            Memory.Offer(batch.X, batch.Y);
        return StepReport.None;
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        using (var fresh = setup.Network())
            _network.CopyStateFrom(fresh);
        _network.Training = true;
        using var scope = NewDisposeScope();
        var rows = Memory.Content;
        var order = setup.Random($"gdumb/order/{task.Id}");
        using var optimizer = new Sgd(_network, options.LearningRate, momentum: 0.9, weightDecay: 1e-6);
        double loss = double.NaN;
        long passed = 0;
        for (int epoch = 0; epoch < options.Epochs; epoch++)
        {
            optimizer.LearningRate = options.LearningRate * StepSize(epoch);
            foreach (long[] index in ContinualStream.MiniBatches(rows.Count, options.BatchSize, order))
            {
                setup.Cancellation.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                var batch = rows.Rows(tensor(index));
                _network.ZeroGradient();
                loss = _network.AddCrossEntropyGradient(batch.X, batch.Y);
                optimizer.Step();
                passed += batch.Count;
            }
        }
        return new(loss, passed, passed, passed);
    }

    /// <summary>The schedule: a tenth in the first pass, then from 1 to 1/100 along a cosine in cycles of 1, 2, 4, ... passes.</summary>
    internal static double StepSize(int epoch)
    {
        const double Least = 0.01;
        if (epoch == 0)
            return 0.1;
        int length = 1 << int.Log2(epoch), at = epoch - length; // cycles begin at passes 1, 2, 4, 8, ...
        return Least + (1 - Least) * (1 + Math.Cos(Math.PI * at / length)) / 2;
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var _ = no_grad();
        _network.Training = false;
        return _network.Forward(x);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        Memory.Dispose();
    }
}
