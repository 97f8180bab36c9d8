using TorchSharp;
using Winnow.Core;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>
/// The interface of the arena: something that learns from a sequence of tasks and answers for all of them.
/// <para>Shapes: inputs are float32 [B, width] (images flattened as channel, row, column), labels int64 [B], logits float32 [B, classes],
/// with the classes of the whole stream declared up front. In a stream of frames a row is a coordinate, float32 [B, 2] of session and
/// time, its target and its answer are values in [0, 1], float32 [B, values]. The caller owns every tensor it passes and every tensor it gets.</para>
/// <para>A learner never sees test data, the clock or the console; its random numbers come from its set-up.</para>
/// </summary>
public interface IContinualLearner : IDisposable
{
    /// <summary>A task begins. Never called in streams without boundaries.</summary>
    /// <param name="task">Which task, and its classes.</param>
    /// <param name="train">All its training rows.</param>
    void BeginTask(TaskInfo task, Batch train);

    /// <summary>Learns from exactly one mini-batch of the stream.</summary>
    StepReport Observe(Batch batch);

    /// <summary>The task is over: statistics, importance, masks, repairs. Never called in streams without boundaries.</summary>
    StepReport EndTask(TaskInfo task, Batch train);

    /// <summary>Logits [B, classes], or frames [B, values], for inputs [B, width]. Pure: the state is the same before and after, to the byte.</summary>
    /// <param name="x">Inputs.</param>
    /// <param name="task">The task the inputs are known to come from, or null when that is not told.</param>
    torch.Tensor Predict(torch.Tensor x, TaskInfo? task = null);

    /// <summary>
    /// Everything the learner remembers, by name: what is saved and loaded, what purity is checked on, and what its memory is counted from.
    /// The tensors are the live ones, of fixed shape; the caller may read them and copy into them, not dispose them.
    /// </summary>
    IEnumerable<StateEntry> State { get; }
}

/// <summary>A task of the stream.</summary>
/// <param name="Id">Zero-based position.</param>
/// <param name="Classes">Its class indices, ascending; in a stream of frames the one video.</param>
public sealed record TaskInfo(int Id, IReadOnlyList<int> Classes);

/// <summary>Rows of the stream: inputs [B, width] and targets: labels [B], or frames [B, values].</summary>
/// <param name="X">Inputs, float32.</param>
/// <param name="Y">Labels, int64, indices into the classes of the whole stream; or frames, float32 in [0, 1].</param>
/// <param name="FirstPass">False when these rows were already seen in an earlier epoch: a reservoir takes each row once.</param>
public sealed record Batch(torch.Tensor X, torch.Tensor Y, bool FirstPass = true)
{
    /// <summary>Number of rows.</summary>
    public int Count => (int)X.shape[0];

    /// <summary>The rows at the given positions, as a new batch that the current dispose scope owns.</summary>
    public Batch Rows(torch.Tensor index) => new(X.index_select(0, index), Y.index_select(0, index), FirstPass);

    /// <summary>
    /// At most so many rows at even distances, as a new batch that the current dispose scope owns: they represent a file that is sorted by
    /// class as well as one that is shuffled, and need no random state.
    /// </summary>
    public Batch Spread(int rows)
    {
        long taken = Math.Min(rows, Count);
        using var index = torch.tensor([.. Enumerable.Range(0, (int)taken).Select(i => i * (long)Count / taken)]);
        return Rows(index);
    }

    /// <summary>The rows once, in a random order, in mini-batches; each is disposed when the next one is asked for.</summary>
    /// <param name="size">Rows of a mini-batch at most.</param>
    /// <param name="random">The order.</param>
    public IEnumerable<Batch> MiniBatches(int size, SeededRandom random)
    {
        foreach (long[] rows in ContinualStream.MiniBatches(Count, size, random))
        {
            using var index = torch.tensor(rows);
            var batch = Rows(index);
            using (batch.X)
            using (batch.Y)
                yield return batch;
        }
    }
}

/// <summary>What one call cost, in rows.</summary>
/// <param name="Loss">Mean training loss, NaN where there was none.</param>
/// <param name="Forward">Rows passed forward.</param>
/// <param name="Gradients">Rows passed backward: sample gradients.</param>
/// <param name="Replayed">Rows taken from a memory of earlier data.</param>
public readonly record struct StepReport(double Loss, long Forward, long Gradients, long Replayed)
{
    /// <summary>Nothing was computed.</summary>
    public static StepReport None { get; } = new(double.NaN, 0, 0, 0);

    /// <summary>Adds the costs; the loss is the latest that is known.</summary>
    public static StepReport operator +(StepReport a, StepReport b) =>
        new(double.IsNaN(b.Loss) ? a.Loss : b.Loss, a.Forward + b.Forward, a.Gradients + b.Gradients, a.Replayed + b.Replayed);
}

/// <summary>What a piece of state is, for the account.</summary>
public enum StateKind
{
    /// <summary>Weights and normalisation statistics needed to predict.</summary>
    Model,

    /// <summary>Stored samples, their labels and logits.</summary>
    Memory,

    /// <summary>Means, covariances, importance, old weights, masks.</summary>
    Statistics,

    /// <summary>Counters and random state: a few bytes, kept so that a learner can be resumed.</summary>
    Counter,
}

/// <summary>A named piece of a learner's state.</summary>
public sealed record StateEntry(string Name, StateKind Kind, torch.Tensor Value);

/// <summary>What the arena gives to every method when it is built.</summary>
public sealed record LearnerSetup
{
    /// <summary>Makes the initial network: fresh weights from the seed, or the pre-trained encoder. The caller owns it; each call gives equal weights.</summary>
    public required Func<Network> Network { get; init; }

    /// <summary>True when <see cref="Network"/> comes with an encoder trained on other data: its features are worth keeping.</summary>
    public bool Pretrained { get; init; }

    /// <summary>True when tasks are announced: <see cref="IContinualLearner.BeginTask"/> and <see cref="IContinualLearner.EndTask"/> are called.</summary>
    public bool Boundaries { get; init; } = true;

    /// <summary>True when each task brings classes of its own; false when every task has all of them.</summary>
    public bool NewClasses { get; init; } = true;

    /// <summary>Input values a row.</summary>
    public required int Width { get; init; }

    /// <summary>What a row is: [channels, height, width] for images whose pixels lie where they belong, otherwise [<see cref="Width"/>].</summary>
    public IReadOnlyList<int> Shape { get => field ?? [Width]; init; }

    /// <summary>Classes of the whole stream; where targets are frames, its videos.</summary>
    public required int Classes { get; init; }

    /// <summary>Names of the classes in the order of the logits; empty where nobody gave them.</summary>
    public IReadOnlyList<string> LabelNames { get; init; } = [];

    /// <summary>[channels, height, width] where the target of a row is a frame; null where it is a class label.</summary>
    public IReadOnlyList<int>? Frame { get; init; }

    /// <summary>How the stream is trained.</summary>
    public required TrainingPlan Training { get; init; }

    /// <summary>A random stream for one purpose.</summary>
    public required Func<string, SeededRandom> Random { get; init; }

    /// <summary>Counts the parameters of the initial network, by making one.</summary>
    public int CountParameters()
    {
        using var network = Network();
        return network.ParameterValues.Length;
    }

    /// <summary>Stops long work inside a call.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>The set-up for a stream when methods are used alone, without the workbench.</summary>
    /// <param name="stream">The stream that will be learned.</param>
    /// <param name="seed">Weights and every random choice derive from it.</param>
    /// <param name="options">Network and training; by default an MLP with two hidden layers of 100, five passes, mini-batches of 32, step size 0.05.</param>
    public static LearnerSetup For(ContinualStream stream, ulong seed, StreamOptions? options = null)
    {
        options ??= new();
        return new()
        {
            Network = () => StreamFactory.Network(stream.Data, options, new SeededRandom(seed, "weights")),
            Width = stream.Data.Width,
            Shape = stream.Data.Shape,
            Classes = stream.Data.LabelNames.Count,
            LabelNames = stream.Data.LabelNames,
            Training = StreamFactory.Plan(stream, options),
            Random = purpose => new SeededRandom(seed, purpose),
        };
    }
}

/// <summary>The part of the protocol that every learner shares.</summary>
/// <param name="LearningRate">SGD step size.</param>
/// <param name="Momentum">SGD momentum.</param>
/// <param name="BatchSize">Rows of a stream mini-batch.</param>
/// <param name="Epochs">Passes over each task.</param>
/// <param name="Tasks">Number of tasks.</param>
/// <param name="Steps">Number of calls to <see cref="IContinualLearner.Observe"/> in the whole stream.</param>
/// <param name="Rows">Training rows of the whole stream: those of the first passes.</param>
public sealed record TrainingPlan(double LearningRate, double Momentum, int BatchSize, int Epochs, int Tasks, long Steps, long Rows)
{
    /// <summary>Training rows each counted once; fewer than <see cref="Rows"/> where the same rows come back in later tasks.</summary>
    public long DistinctRows { get; init; } = Rows;
}
