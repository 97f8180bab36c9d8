namespace Winnow.Reports.Tests;

public sealed class VerdictTests
{
    private static string Verdict(params (string Method, double[] Accuracy)[] rows) => Reports.Verdict.Of(ComparisonTests.Compare(new SyntheticArena(), rows), "class-incremental");

    [Fact]
    public void A_clear_winner_is_named_with_margin_interval_and_p()
    {
        string verdict = Verdict(("er", [0.90, 0.91, 0.92, 0.90, 0.91]), ("fpf", [0.951, 0.959, 0.971, 0.949, 0.962]));
        Assert.StartsWith("fpf has the highest accuracy: 0.958 (95% interval ", verdict);
        Assert.Contains("over 5 seeds", verdict);
        Assert.Contains("the best baseline, er, it differs by +0.050 (95% interval +0.049 to +0.052)", verdict);
        Assert.Contains(": significant, p < 0.001 after Holm's correction over 1 test.", verdict);
    }

    [Fact]
    public void A_lead_within_chance_is_called_that()
    {
        string verdict = Verdict(("er", [0.90, 0.95, 0.92]), ("fpf", [0.95, 0.90, 0.94]));
        Assert.Contains("not significant, p = ", verdict);
        Assert.Contains("cannot be told apart", verdict);
    }

    [Fact]
    public void A_baseline_that_nobody_beats_wins()
    {
        string verdict = Verdict(("er", [0.95, 0.951, 0.952, 0.95]), ("fpf", [0.5, 0.51, 0.49, 0.505]), ("slca", [0.94, 0.955, 0.951, 0.95]));
        Assert.StartsWith("er has the highest accuracy", verdict);
        Assert.Contains("1 of 2 are significantly worse, slca cannot be told apart", verdict);
    }

    [Fact]
    public void One_seed_claims_nothing()
    {
        string verdict = Verdict(("er", [0.90]), ("fpf", [0.95]));
        Assert.Contains("one seed, so without an interval", verdict);
        Assert.Contains("cannot be tested", verdict);
        Assert.DoesNotContain("significant", verdict);
    }

    [Fact]
    public void Bounds_orient_and_do_not_win()
    {
        string verdict = Verdict(("joint", [0.99, 0.98]), ("naive", [0.2, 0.21]), ("er", [0.9, 0.91]), ("fpf", [0.95, 0.94]));
        Assert.StartsWith("fpf has the highest", verdict);
        Assert.Contains("joint (upper bound) 0.985, naive (lower bound) 0.205", verdict);
    }

    [Fact]
    public void Nothing_finished_is_said_so_and_failures_are_counted()
    {
        Assert.StartsWith("No trial of a competing method finished", Verdict(("er", [double.NaN]), ("joint", [0.9])));
        Assert.Contains("2 trials failed and are not in these numbers.", Verdict(("er", [0.9, double.NaN, double.NaN])));
        Assert.Contains("No baseline finished", Verdict(("fpf", [0.9, 0.8]), ("slca", [0.7, 0.6])));
    }
}
