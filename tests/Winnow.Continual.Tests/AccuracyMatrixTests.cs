using CsCheck;

namespace Winnow.Continual.Tests;

public sealed class AccuracyMatrixTests
{
    /// <summary>Three tasks, all numbers different; the first is known best after the second was learned.</summary>
    private static AccuracyMatrix Example() => Of(
        new[,]
        {
            { 0.90, 0.20, 0.10 },
            { 0.95, 0.80, 0.30 },
            { 0.50, 0.60, 0.85 },
        },
        [0.15, 0.05, 0.25]);

    [Fact]
    public void Accuracy_is_the_mean_of_the_last_row() => Assert.Equal((0.50 + 0.60 + 0.85) / 3, Example().Accuracy, 12);

    [Fact]
    public void Seen_accuracy_leaves_out_tasks_to_come() => Assert.Equal((0.95 + 0.80) / 2, Example().SeenAccuracy(1), 12);

    [Fact]
    public void Incremental_accuracy_averages_over_the_tasks_seen_after_each() =>
        Assert.Equal((0.90 + (0.95 + 0.80) / 2 + (0.50 + 0.60 + 0.85) / 3) / 3, Example().AverageIncrementalAccuracy, 12);

    [Fact] // a loss is negative
    public void Backward_transfer_is_last_minus_first() => Assert.Equal((0.50 - 0.90 + 0.60 - 0.80) / 2, Example().BackwardTransfer, 12);

    [Fact] // what could be learned at all, whatever became of it
    public void Plasticity_is_the_mean_of_the_diagonal() => Assert.Equal((0.90 + 0.80 + 0.85) / 3, Example().Plasticity, 12);

    [Fact] // a loss is positive, and the best of task 1 came after task 2: not −BWT
    public void Forgetting_is_best_before_the_end_minus_last() => Assert.Equal((0.95 - 0.50 + 0.80 - 0.60) / 2, Example().Forgetting, 12);

    [Fact]
    public void The_last_row_is_not_among_the_best_so_improvement_is_negative_forgetting()
    {
        var matrix = Of(new[,] { { 0.5, 0.1 }, { 0.9, 0.7 } }, [0, 0]);
        Assert.Equal(-0.4, matrix.Forgetting, 12);
    }

    [Fact]
    public void A_lucky_guess_before_the_task_was_seen_does_not_count_as_its_best()
    {
        var matrix = Of(new[,] { { 0.9, 0.99, 0 }, { 0.9, 0.6, 0 }, { 0.9, 0.6, 0.9 } }, [0, 0, 0]);
        Assert.Equal(0, matrix.Forgetting, 12);
    }

    [Fact] // the accuracy on a task just before it is learned, over the untrained learner's
    public void Forward_transfer_is_measured_just_before_a_task() => Assert.Equal((0.20 - 0.05 + 0.30 - 0.25) / 2, Example().ForwardTransfer, 12);

    [Fact]
    public void One_task_has_no_transfer_and_no_forgetting()
    {
        var matrix = Of(new[,] { { 0.7 } }, [0.1]);
        Assert.Equal((0.7, 0.7, 0, 0, 0), (matrix.Accuracy, matrix.AverageIncrementalAccuracy, matrix.Forgetting, matrix.BackwardTransfer, matrix.ForwardTransfer));
    }

    [Theory, InlineData(double.NaN), InlineData(-0.01), InlineData(1.01)]
    public void What_is_not_a_fraction_is_refused_with_its_place(double value)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new AccuracyMatrix(2)[1, 0] = value);
        Assert.Contains("R[1, 0]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Equals_sums_written_out_index_by_index() =>
        Gen.Int[2, 6].SelectMany(t => Gen.Select(Gen.Double[0, 1].Array[t * t], Gen.Double[0, 1].Array[t])).Sample(
            (cells, untrained) =>
            {
                int t = untrained.Length;
                var r = new double[t + 1, t + 1]; // from one, as the formulas are written
                for (int i = 1; i <= t; i++)
                    for (int j = 1; j <= t; j++)
                        r[i, j] = cells[(i - 1) * t + j - 1];
                double acc = 0, aia = 0, bwt = 0, forgetting = 0, fwt = 0;
                for (int j = 1; j <= t; j++)
                    acc += r[t, j] / t;
                for (int i = 1; i <= t; i++)
                    for (int j = 1; j <= i; j++)
                        aia += r[i, j] / i / t;
                for (int j = 1; j < t; j++)
                {
                    bwt += (r[t, j] - r[j, j]) / (t - 1);
                    double best = double.NegativeInfinity;
                    for (int i = j; i < t; i++)
                        best = Math.Max(best, r[i, j]);
                    forgetting += (best - r[t, j]) / (t - 1);
                }
                for (int j = 2; j <= t; j++)
                    fwt += (r[j - 1, j] - untrained[j - 1]) / (t - 1);

                var values = Of(cells, untrained).Values();

                Assert.Equal(acc, values["accuracy"], 12);
                Assert.Equal(aia, values["average_incremental_accuracy"], 12);
                Assert.Equal(bwt, values["backward_transfer"], 12);
                Assert.Equal(forgetting, values["forgetting"], 12);
                Assert.Equal(fwt, values["forward_transfer"], 12);
            }, seed: "0000KOIKKiB1", iter: 200);

    /// <summary>Tested after tasks 2, 4 and 5 of five; the first test is learned in task 1, the second in task 3, the third never.</summary>
    private static AccuracyMatrix Sparse(IReadOnlyList<int>? asked = null)
    {
        var matrix = new AccuracyMatrix([1, 3, 4], [0, 2, 5], asked);
        double[,] r = { { 0.1, 0.2, 0.3 }, { 0.4, 0.15, 0 }, { 0.7, 0.35, 0.05 }, { 0.5, 0.6, 0 } };
        for (int i = -1; i < 3; i++)
            for (int j = 0; j < 3; j++)
                matrix[i, j] = r[i + 1, j];
        return matrix;
    }

    [Fact]
    public void A_test_counts_from_the_first_row_after_it_was_learned()
    {
        var matrix = Sparse();
        Assert.Equal((0.4, (0.7 + 0.35) / 2, (0.5 + 0.6) / 2), (matrix.SeenAccuracy(0), matrix.SeenAccuracy(1), matrix.SeenAccuracy(2)));
        Assert.Equal((0.4 + 0.525 + 0.55) / 3, matrix.AverageIncrementalAccuracy, 12);
        Assert.Equal((0.5 - 0.4 + 0.6 - 0.35) / 2, matrix.BackwardTransfer, 12);
        Assert.Equal((0.7 - 0.5 + 0.35 - 0.6) / 2, matrix.Forgetting, 12);
        Assert.Equal(0.15 - 0.2, matrix.ForwardTransfer, 12);
        Assert.Equal((0.4 + 0.35) / 2, matrix.Plasticity, 12); // the third test is never learned
    }

    [Fact]
    public void Accuracy_at_the_end_is_over_all_tests_even_those_never_learned() => Assert.Equal((0.5 + 0.6 + 0) / 3, Sparse().Accuracy, 12);

    [Fact]
    public void Tests_asked_from_the_start_count_in_the_curve_from_the_start_and_are_learned_when_they_are_learned()
    {
        var matrix = Sparse([0, 0, 0]);
        Assert.Equal((0.4 + 0.15 + 0) / 3, matrix.SeenAccuracy(0), 12);
        Assert.Equal(Sparse().Forgetting, matrix.Forgetting);
    }

    [Fact]
    public void Rows_that_do_not_ascend_and_tests_that_do_not_match_are_refused()
    {
        Assert.Contains("[2, 1]", Assert.Throws<ArgumentException>(() => new AccuracyMatrix([2, 1], [0])).Message, StringComparison.Ordinal);
        Assert.Contains("2 tests are asked and 1", Assert.Throws<ArgumentException>(() => new AccuracyMatrix([0], [0], [0, 0])).Message, StringComparison.Ordinal);
    }

    private static AccuracyMatrix Of(double[,] r, double[] untrained) => Of([.. r.Cast<double>()], untrained);

    private static AccuracyMatrix Of(double[] r, double[] untrained)
    {
        int tasks = untrained.Length;
        var matrix = new AccuracyMatrix(tasks);
        for (int j = 0; j < tasks; j++)
        {
            matrix[-1, j] = untrained[j];
            for (int i = 0; i < tasks; i++)
                matrix[i, j] = r[i * tasks + j];
        }
        return matrix;
    }
}
