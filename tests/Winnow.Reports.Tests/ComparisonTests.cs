using CsCheck;
using Winnow.Core;

namespace Winnow.Reports.Tests;

public sealed class ComparisonTests
{
    /// <summary>A comparison of methods with the given accuracies, one for each of the seeds 1, 2, 3...; NaN for a failed trial.</summary>
    internal static Comparison Compare(IArena arena, params (string Method, double[] Accuracy)[] rows) =>
        Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, rows.SelectMany(r => r.Accuracy.Select((a, i) => new FinishedTrial(
            SyntheticStudy.Trial(arena, "class-incremental", r.Method, (ulong)i + 1), double.IsNaN(a) ? SyntheticStudy.Outcome(0) with { Failure = "it diverged", Metrics = new Dictionary<string, double>() } : SyntheticStudy.Outcome(a))))));

    private static Comparison Compare(params (string Method, double[] Accuracy)[] rows) => Compare(new SyntheticArena(), rows);

    private static ComparisonRow Row(Comparison comparison, string method) => comparison.Rows.Single(r => r.Row.Method.Id == method);

    [Fact]
    public void The_best_baseline_is_what_rows_are_tested_against_and_bounds_are_not_competitors()
    {
        var comparison = Compare(("joint", [0.98, 0.97, 0.98]), ("naive", [0.2, 0.19, 0.2]), ("er", [0.90, 0.91, 0.92]), ("gdumb", [0.85, 0.86, 0.84]), ("fpf", [0.95, 0.97, 0.96]));
        Assert.Equal(["joint", "fpf", "er", "gdumb", "naive"], comparison.Rows.Select(r => r.Row.Method.Id));
        Assert.Equal("fpf", comparison.Winner!.Method.Id);
        Assert.Equal(["er", "er"], new[] { "fpf", "gdumb" }.Select(m => Row(comparison, m).TestedAgainst));
        Assert.All(new[] { "er", "joint", "naive" }, m => Assert.True(Row(comparison, m) is { TestedAgainst: null, P: double.NaN, PHolm: double.NaN, Significant: false }));
        Assert.Equal(0.05, Row(comparison, "fpf").Difference, 12);
        Assert.True(Row(comparison, "fpf").BetterThanBaseline);
        Assert.False(Row(comparison, "gdumb").BetterThanBaseline);
    }

    [Fact]
    public void A_pair_needs_both_seeds()
    {
        // er failed on seed 2: fpf is compared on seeds 1, 3 and 4 only, where it gains 0.01, 0.03 and 0.02
        var comparison = Compare(("er", [0.90, double.NaN, 0.90, 0.90]), ("fpf", [0.91, 0.10, 0.93, 0.92]));
        var fpf = Row(comparison, "fpf");
        Assert.Equal(0.02, fpf.Difference, 12);
        Assert.Equal(Statistics.TInterval([0.01, 0.03, 0.02]).Low, fpf.DifferenceInterval.Low, 12);
        Assert.Equal(Statistics.PairedTTest([0.91, 0.93, 0.92], [0.90, 0.90, 0.90]), fpf.P, 12);
        Assert.Single(comparison.Failures);
        Assert.Equal([0.9, 0.9, 0.9], Row(comparison, "er").Values["accuracy"]);
    }

    [Fact]
    public void Without_a_common_seed_nothing_is_tested()
    {
        var fpf = Row(Compare(("er", [0.9, double.NaN]), ("fpf", [double.NaN, 0.8])), "fpf");
        Assert.Null(fpf.TestedAgainst);
        Assert.True(double.IsNaN(fpf.P));
    }

    [Fact]
    public void One_seed_gives_means_without_intervals_and_differences_without_tests()
    {
        var fpf = Row(Compare(("er", [0.9]), ("fpf", [0.95])), "fpf");
        Assert.Equal(0.95, fpf.Metrics["accuracy"].Mean);
        Assert.True(double.IsNaN(fpf.Metrics["accuracy"].HalfWidth));
        Assert.Equal(0.05, fpf.Difference, 12);
        Assert.True(double.IsNaN(fpf.DifferenceInterval.HalfWidth) && double.IsNaN(fpf.PHolm));
    }

    [Fact]
    public void A_row_without_a_finished_trial_comes_last_and_is_not_pareto_optimal()
    {
        var comparison = Compare(("fpf", [double.NaN, double.NaN]), ("er", [0.9, 0.91]), ("ncm", [0.3, 0.2]));
        Assert.Equal(["er", "ncm", "fpf"], comparison.Rows.Select(r => r.Row.Method.Id));
        Assert.False(comparison.Rows[^1].Pareto);
        Assert.Empty(comparison.Rows[^1].Metrics);
        Assert.Null(Compare(("fpf", [double.NaN])).Winner);
    }

    [Fact]
    public void Where_no_row_has_the_first_metric_the_first_that_one_has_ranks()
    {
        var arena = new SyntheticArena();
        var comparison = Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, (((string Method, double Value)[])[("er", 2), ("fpf", 1), ("ncm", 3)]).Select(r => new FinishedTrial(
            SyntheticStudy.Trial(arena, "class-incremental", r.Method, 1), SyntheticStudy.Outcome(0) with { Metrics = new Dictionary<string, double> { [arena.Metrics[1].Name] = r.Value } }))));
        Assert.Equal(arena.Metrics[1], comparison.PrimaryOf("class-incremental"));
        string[] ranked = [.. comparison.Rows.Select(r => r.Row.Method.Id)];
        Assert.Equal(arena.Metrics[1].Better == Better.Higher ? ["ncm", "er", "fpf"] : ["fpf", "er", "ncm"], ranked);
        Assert.DoesNotContain(arena.Metrics[0].Title, comparison.ToText());
        Assert.Contains($"as good in {arena.Metrics[1].Title}", comparison.ToText());
    }

    [Fact]
    public void Where_lower_is_better_the_lowest_leads_and_is_better()
    {
        var comparison = Compare(new LowerArena(), ("er", [0.30, 0.31, 0.32]), ("ncm", [0.5, 0.5, 0.51]), ("fpf", [0.10, 0.12, 0.11]));
        Assert.Equal(["fpf", "er", "ncm"], comparison.Rows.Select(r => r.Row.Method.Id));
        Assert.Equal("er", comparison.Rows[0].TestedAgainst);
        Assert.True(comparison.Rows[0].BetterThanBaseline && comparison.Rows[0].Difference < 0);
        Assert.False(comparison.Rows[2].BetterThanBaseline);
    }

    [Fact]
    public void Holm_corrects_over_the_rows_of_one_task_that_are_tested()
    {
        var comparison = SyntheticStudy.Comparison(tasks: ["class-incremental", "permuted"]);
        foreach (string task in comparison.Tasks)
        {
            var tested = comparison.RowsOf(task).Where(r => r.TestedAgainst is not null).ToList();
            Assert.Equal(10, tested.Count); // 13 methods less two bounds and the best baseline
            var smallest = tested.MinBy(r => r.P)!;
            Assert.Equal(Math.Min(1, 10 * smallest.P), smallest.PHolm, 12);
            Assert.All(tested, r => Assert.InRange(r.PHolm, r.P, 1));
        }
    }

    [Fact]
    public void Pareto_marks_what_nothing_beats_in_accuracy_memory_and_processor_time()
    {
        var arena = new SyntheticArena();
        (string, double, long, double)[] rows = [("er", 0.9, 100, 5), ("fpf", 0.95, 120, 6), ("ncm", 0.8, 100, 5), ("slda", 0.7, 90, 9), ("gdumb", 0.6, 130, 1)];
        var comparison = Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, rows.Select(r => new FinishedTrial(SyntheticStudy.Trial(arena, "class-incremental", r.Item1, 1), SyntheticStudy.Outcome(r.Item2, r.Item3, r.Item4)))));
        Assert.Equal(["er", "fpf", "gdumb", "slda"], comparison.Rows.Where(r => r.Pareto).Select(r => r.Row.Method.Id).Order());
    }

    [Fact]
    public void A_bound_neither_stands_on_the_front_nor_keeps_others_off_it()
    {
        var arena = new SyntheticArena();
        (string, double, long, double)[] rows = [("joint", 0.99, 50, 0.5), ("naive", 0.2, 10, 0.1), ("er", 0.9, 100, 5), ("ncm", 0.8, 110, 6)];
        var comparison = Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, rows.Select(r => new FinishedTrial(SyntheticStudy.Trial(arena, "class-incremental", r.Item1, 1), SyntheticStudy.Outcome(r.Item2, r.Item3, r.Item4)))));
        Assert.Equal("er", Assert.Single(comparison.Rows, r => r.Pareto).Row.Method.Id);
    }

    [Fact]
    public void Memory_is_the_largest_over_seeds_and_time_the_mean()
    {
        var arena = new SyntheticArena();
        var comparison = Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, [
            new(SyntheticStudy.Trial(arena, "class-incremental", "er", 1), SyntheticStudy.Outcome(0.9, 100, 2)),
            new(SyntheticStudy.Trial(arena, "class-incremental", "er", 2), SyntheticStudy.Outcome(0.9, 300, 4))]));
        Assert.Equal((300, 3.0), (comparison.Rows[0].PeakMemoryBytes, comparison.Rows[0].CpuSeconds));
    }

    [Fact]
    public void The_order_in_which_trials_ended_does_not_matter() => Gen.Int[0, 1_000_000].Sample(seed =>
    {
        var trials = SyntheticStudy.Trials(4, 3, 0, withFailure: true, "class-incremental").ToArray();
        new Random(seed).Shuffle(trials);
        Assert.Equal(ComparisonJson.ToJson(SyntheticStudy.Comparison(4, 3)).ToJsonString(), ComparisonJson.ToJson(Comparison.Of(SyntheticStudy.Info, new SyntheticArena(), StudyRow.Of(new SyntheticArena(), trials))).ToJsonString());
    }, iter: 20);

    /// <summary>The same arena with an error rate as its metric.</summary>
    private sealed class LowerArena : IArena
    {
        private readonly SyntheticArena _arena = new();

        public string Id => _arena.Id;

        public string Question => _arena.Question;

        public IReadOnlyList<TaskCard> Tasks => _arena.Tasks;

        public IReadOnlyList<MethodCard> Methods => _arena.Methods;

        public IReadOnlyList<MetricCard> Metrics { get; } = [new("accuracy", "error", "fraction", Better.Lower, "share of wrong answers")];

        public IReadOnlyList<FigureCard> Figures => _arena.Figures;

        public IEnumerable<MethodCard> DefaultMethods(TaskCard task) => _arena.DefaultMethods(task);

        public DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();

        public TrialResult Run(Trial trial, TrialContext context) => throw new NotSupportedException();

        public string Program(Trial trial, string version) => throw new NotSupportedException();

        public IEnumerable<Prediction> Predict(string kept, string source, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
