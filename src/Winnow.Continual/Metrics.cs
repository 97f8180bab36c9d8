using Winnow.Core;

namespace Winnow.Continual;

/// <summary>
/// The accuracy matrix of a stream of T tasks: <c>R[i, j]</c> is the accuracy, in [0, 1], on the test rows of task j after training on task i,
/// and <c>R0[j]</c> that of the untrained learner. Every metric of the arena is computed from it. Other scores than the accuracy are taken as well.
/// </summary>
/// <param name="tasks">Number of tasks T.</param>
/// <param name="best">The largest score: 1 for an accuracy.</param>
public sealed class AccuracyMatrix(int tasks, double best = 1)
{
    private readonly double[,] _r = new double[tasks, tasks];
    private readonly double[] _r0 = new double[tasks];

    /// <summary>Number of tasks T.</summary>
    public int Tasks => tasks;

    /// <summary>Accuracy on task j after task i; i = −1 is the untrained learner.</summary>
    public double this[int i, int j]
    {
        get => i < 0 ? _r0[j] : _r[i, j];
        set
        {
            if (!(value >= 0 && value <= best))
                throw new ArgumentOutOfRangeException(nameof(value), value, $"A score lies in [0, {best}]; R[{i}, {j}] was given {value}.");
            if (i < 0)
                _r0[j] = value;
            else
                _r[i, j] = value;
        }
    }

    /// <summary>ACC = (1/T) Σ_j R[T, j].</summary>
    public double Accuracy => AccuracyAfter(tasks - 1, tasks);

    /// <summary>(1/(i+1)) Σ_{j ≤ i} R[i, j]: mean accuracy over the tasks seen after task i.</summary>
    public double SeenAccuracy(int i) => AccuracyAfter(i, i + 1);

    /// <summary>AIA = (1/T) Σ_i (1/i) Σ_{j ≤ i} R[i, j].</summary>
    public double AverageIncrementalAccuracy => Enumerable.Range(0, tasks).Average(SeenAccuracy);

    /// <summary>BWT = (1/(T−1)) Σ_{j &lt; T} (R[T, j] − R[j, j]); 0 for one task.</summary>
    public double BackwardTransfer => Mean(0, tasks - 1, j => _r[tasks - 1, j] - _r[j, j]);

    /// <summary>F = (1/(T−1)) Σ_{j &lt; T} (max over i &lt; T, i ≥ j of R[i, j] − R[T, j]); 0 for one task. Not −BWT: the best need not be the first.</summary>
    public double Forgetting => Mean(0, tasks - 1, j => Enumerable.Range(j, tasks - 1 - j).Max(i => _r[i, j]) - _r[tasks - 1, j]);

    /// <summary>FWT = (1/(T−1)) Σ_{j &gt; 1} (R[j−1, j] − R0[j]); 0 for one task.</summary>
    public double ForwardTransfer => Mean(1, tasks, j => _r[j - 1, j] - _r0[j]);

    private double AccuracyAfter(int i, int count) => Enumerable.Range(0, count).Average(j => _r[i, j]);

    private static double Mean(int from, int to, Func<int, double> term) => to <= from ? 0 : Enumerable.Range(from, to - from).Average(term);

    /// <summary>The metrics of the arena; the first decides the ranking.</summary>
    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("accuracy", "accuracy", "fraction", Better.Higher, "ACC = (1/T) Σ_j R[T, j]: mean test accuracy over all tasks after the last"),
        new("average_incremental_accuracy", "incremental", "fraction", Better.Higher, "AIA = (1/T) Σ_i (1/i) Σ_{j≤i} R[i, j]"),
        new("forgetting", "forgetting", "fraction", Better.Lower, "F = (1/(T−1)) Σ_{j<T} (max_{j≤i<T} R[i, j] − R[T, j])"),
        new("backward_transfer", "BWT", "fraction", Better.Higher, "BWT = (1/(T−1)) Σ_{j<T} (R[T, j] − R[j, j])"),
        new("forward_transfer", "FWT", "fraction", Better.Higher, "FWT = (1/(T−1)) Σ_{j>1} (R[j−1, j] − R0[j]), R0 the untrained learner"),
        new("model_bytes", "model", "bytes", Better.Lower, "bytes of weights and normalisation statistics at the end"),
        new("memory_bytes", "memory", "bytes", Better.Lower, "bytes of everything else the learner remembers at the end: stored rows, logits, statistics, old weights, masks"),
        new("sample_gradients", "gradients", "rows", Better.Lower, "rows passed backward over the whole stream, repairs included"),
    ];

    /// <summary>The values of <see cref="Cards"/> that follow from the matrix.</summary>
    internal Dictionary<string, double> Values() => new()
    {
        ["accuracy"] = Accuracy,
        ["average_incremental_accuracy"] = AverageIncrementalAccuracy,
        ["forgetting"] = Forgetting,
        ["backward_transfer"] = BackwardTransfer,
        ["forward_transfer"] = ForwardTransfer,
    };
}
