using Winnow.Core;

namespace Winnow.Continual;

/// <summary>
/// The accuracy matrix of a stream: <c>R[i, j]</c> is the accuracy, in [0, 1], on the rows of test j at the i-th time of testing, and
/// <c>R0[j]</c> that of the untrained learner. Every metric of the arena is computed from it. In most streams there is a test for each of T
/// tasks and testing after each, so that the matrix is square and test j is learned in row j; in general ℓ(j) is the first row after
/// which the content of test j had been trained on. Other scores than the accuracy are taken as well, up to <see cref="Best"/>.
/// </summary>
public sealed class AccuracyMatrix
{
    private readonly int[] _rows, _learned, _asked;
    private readonly double[,] _r;
    private readonly double[] _r0;

    /// <summary>The square matrix of a stream of T tasks, tested on each after each.</summary>
    public AccuracyMatrix(int tasks) : this([.. Enumerable.Range(0, tasks)], [.. Enumerable.Range(0, tasks)])
    {
    }

    /// <summary>The matrix of any stream.</summary>
    /// <param name="rows">After which tasks there is testing, ascending, zero-based.</param>
    /// <param name="learned">For each test the first task that trains on its content; a task that is not in the stream when none does.</param>
    /// <param name="asked">For each test the first task after which it counts in <see cref="SeenAccuracy"/>; by default the one it is learned in.</param>
    public AccuracyMatrix(IReadOnlyList<int> rows, IReadOnlyList<int> learned, IReadOnlyList<int>? asked = null)
    {
        if (rows.Count == 0 || learned.Count == 0 || rows.Zip(rows.Skip(1)).Any(r => r.First >= r.Second))
            throw new ArgumentException($"{learned.Count} tests after the tasks [{string.Join(", ", rows)}]; expected at least one of each, the tasks ascending.", nameof(rows));
        asked ??= learned;
        if (asked.Count != learned.Count)
            throw new ArgumentException($"{asked.Count} tests are asked and {learned.Count} are learned; expected the same number.", nameof(asked));
        _rows = [.. rows];
        _learned = [.. learned.Select(First)];
        _asked = [.. asked.Select(First)];
        _r = new double[rows.Count, learned.Count];
        _r0 = new double[learned.Count];

        int First(int task) => rows.TakeWhile(r => r < task).Count();
    }

    /// <summary>After which tasks there is testing, zero-based: one a row.</summary>
    public IReadOnlyList<int> Rows => _rows;

    /// <summary>The largest score: 1 for an accuracy.</summary>
    public double Best { get; init; } = 1;

    /// <summary>Number of tests: columns.</summary>
    public int Tests => _r0.Length;

    /// <summary>Accuracy on test j in row i; i = −1 is the untrained learner.</summary>
    public double this[int i, int j]
    {
        get => i < 0 ? _r0[j] : _r[i, j];
        set
        {
            if (!(value >= 0 && value <= Best))
                throw new ArgumentOutOfRangeException(nameof(value), value, $"A score lies in [0, {Best}]; R[{i}, {j}] was given {value}.");
            if (i < 0)
                _r0[j] = value;
            else
                _r[i, j] = value;
        }
    }

    /// <summary>ACC: the mean of the last row over all tests.</summary>
    public double Accuracy => Mean(_ => true, j => _r[Last, j]);

    /// <summary>Mean accuracy, in row i, over the tests that are asked by then.</summary>
    public double SeenAccuracy(int i) => Mean(j => _asked[j] <= i, j => _r[i, j]);

    /// <summary>AIA: the mean of <see cref="SeenAccuracy"/> over the rows, the area under the accuracy curve.</summary>
    public double AverageIncrementalAccuracy => Enumerable.Range(0, _rows.Length).Average(SeenAccuracy);

    /// <summary>BWT: the mean of R[last, j] − R[ℓ(j), j] over the tests learned before the last row; 0 when there is none.</summary>
    public double BackwardTransfer => Mean(j => _learned[j] < Last, j => _r[Last, j] - _r[_learned[j], j]);

    /// <summary>F: the mean of max over ℓ(j) ≤ i &lt; last of R[i, j] − R[last, j] over the tests learned before the last row; 0 when there is none. Not −BWT: the best need not be the first.</summary>
    public double Forgetting => Mean(j => _learned[j] < Last, j => Enumerable.Range(_learned[j], Last - _learned[j]).Max(i => _r[i, j]) - _r[Last, j]);

    /// <summary>LA: the mean of R[ℓ(j), j] over the tests that are learned: what the learner can still take up; 0 when there is none.</summary>
    public double Plasticity => Mean(j => _learned[j] <= Last, j => _r[_learned[j], j]);

    /// <summary>FWT: the mean of R[ℓ(j) − 1, j] − R0[j] over the tests that are learned, but not in the first row; 0 when there is none.</summary>
    public double ForwardTransfer => Mean(j => _learned[j] > 0 && _learned[j] <= Last, j => _r[_learned[j] - 1, j] - _r0[j]);

    private int Last => _rows.Length - 1;

    /// <summary>
    /// 2ab/(a + b) in row i &gt; 0, with a = R[i, 0] on the base and b the mean of R[i, j] over the later tests asked by then: high only when
    /// the new classes are learned without losing the base.
    /// </summary>
    public double HarmonicMean(int i)
    {
        double known = _r[i, 0], added = Mean(j => j > 0 && _asked[j] <= i, j => _r[i, j]);
        return known + added == 0 ? 0 : 2 * known * added / (known + added);
    }

    private double Mean(Func<int, bool> over, Func<int, double> term) => Enumerable.Range(0, Tests).Where(over).Select(term).DefaultIfEmpty(0).Average();

    /// <summary>The metrics of the arena; the first decides the ranking.</summary>
    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("accuracy", "accuracy", "fraction", Better.Higher, "ACC = (1/T) Σ_j R[T, j]: mean test accuracy over all tasks after the last; in general over all tests, in 'recurring' over all classes"),
        new("average_incremental_accuracy", "incremental", "fraction", Better.Higher, "AIA = (1/T) Σ_i (1/i) Σ_{j≤i} R[i, j]; in general the mean over the times of testing of the accuracy over the tests learned by then; in 'recurring' over all classes from the start: the area under the accuracy curve"),
        new("forgetting", "forgetting", "fraction", Better.Lower, "F = (1/(T−1)) Σ_{j<T} (max_{j≤i<T} R[i, j] − R[T, j]); in general i begins at the first testing after test j was learned"),
        new("backward_transfer", "BWT", "fraction", Better.Higher, "BWT = (1/(T−1)) Σ_{j<T} (R[T, j] − R[j, j]); in general against the first testing after test j was learned"),
        new("plasticity", "learned", "fraction", Better.Higher, "LA = (1/T) Σ_j R[j, j]: mean test accuracy on each task just after learning it; in general at the first testing after test j was learned"),
        new("forward_transfer", "FWT", "fraction", Better.Higher, "FWT = (1/(T−1)) Σ_{j>1} (R[j−1, j] − R0[j]), R0 the untrained learner; in general at the last testing before test j was learned"),
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
        ["plasticity"] = Plasticity,
        ["forward_transfer"] = ForwardTransfer,
    };
}
