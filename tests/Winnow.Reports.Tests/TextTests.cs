using System.Text.RegularExpressions;
using Winnow.Core;

namespace Winnow.Reports.Tests;

public sealed class TextTests
{
    [Theory]
    [InlineData(0.9164, "fraction", "0.916")]
    [InlineData(-0.0002, "fraction", "0.000")]
    [InlineData(-0.25, "fraction", "-0.250")]
    [InlineData(0, "bytes", "0 B")]
    [InlineData(999, "bytes", "999 B")]
    [InlineData(12_345_678, "bytes", "12.3 MB")]
    [InlineData(999_960, "bytes", "1.0 MB")]
    [InlineData(99_970, "bytes", "100 kB")]
    [InlineData(2.5e12, "bytes", "2.5 TB")]
    [InlineData(0.000035, "seconds", "35 µs")]
    [InlineData(0.0352, "seconds", "35 ms")]
    [InlineData(1.24, "seconds", "1.24 s")]
    [InlineData(0.2144, "seconds", "214 ms")]
    [InlineData(0.00352, "seconds", "3.52 ms")]
    [InlineData(-0.0352, "seconds", "-35 ms")]
    [InlineData(64.2, "seconds", "64.2 s")]
    [InlineData(99.97, "seconds", "1.7 min")]
    [InlineData(7300, "seconds", "2.0 h")]
    [InlineData(44_000, "rows", "44.0 k")]
    [InlineData(3.14159, "", "3.142")]
    [InlineData(double.NaN, "bytes", "–")]
    [InlineData(double.NaN, "fraction", "–")]
    public void Numbers_are_written_in_their_unit(double value, string unit, string expected) => Assert.Equal(expected, Format.Of(value, unit));

    [Fact]
    public void A_mean_comes_with_half_its_interval_where_there_is_one()
    {
        Assert.Equal("0.916 ± 0.012", Format.Of(new Interval(0.916, 0.904, 0.928), "fraction"));
        Assert.Equal("0.916", Format.Of(new Interval(0.916, double.NaN, double.NaN), "fraction"));
        Assert.Equal("0.885 ± 0.000", Format.Of(new Interval(0.885, 0.885, 0.885), "fraction"));
        Assert.Equal("25.6 kB", Format.Of(new Interval(25_600, 25_500, 25_700), "bytes"));
        Assert.Equal(("+0.021", "−0.021", "0.000"), (Format.Signed(0.021, "fraction"), Format.Signed(-0.021, "fraction"), Format.Signed(0, "fraction")));
        Assert.Equal(("0.032", "< 0.001", "", "= 0.032", "< 0.001"), (Format.P(0.0321), Format.P(1e-9), Format.P(double.NaN), Format.Equation(0.0321), Format.Equation(0.0001)));
    }

    [Fact]
    public void The_table_on_the_terminal_lines_up_and_ends_with_what_its_marks_mean()
    {
        string[] lines = SyntheticStudy.Comparison().ToText().TrimEnd('\n').Split('\n');
        Assert.Equal(1 + 13 + 1, lines.Length);
        Assert.Contains("p vs slda", lines[0]);
        int cpu = lines[0].IndexOf("cpu", StringComparison.Ordinal) + 3;
        Assert.All(lines[1..^1], l => Assert.Equal('s', l[cpu - 1]));
        Assert.StartsWith("*", lines.Single(l => l.Contains(" fpf ", StringComparison.Ordinal)));
        Assert.Contains("lwf (1 failed)", string.Join('\n', lines));
        Assert.Contains("95% t-interval over 5 seeds", lines[^1]);
        Assert.All(lines, l => Assert.Equal(l.TrimEnd(), l));
    }

    [Fact]
    public void One_seed_and_no_baseline_promise_no_test()
    {
        string text = ComparisonTests.Compare(new SyntheticArena(), ("fpf", [0.9])).ToText();
        Assert.Contains("one seed: no interval, no test", text);
        Assert.DoesNotContain("p vs", text);
        Assert.DoesNotContain("Holm", text);
    }

    [Fact]
    public void A_row_that_never_finished_shows_dashes_and_no_zeros_under_what_others_have()
    {
        string line = ComparisonTests.Compare(new SyntheticArena(), ("er", [0.9]), ("fpf", [double.NaN])).ToText().Split('\n').Single(l => l.Contains("fpf", StringComparison.Ordinal));
        Assert.Equal(["fpf", "(1", "failed)", "–", "–", "–"], line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Control_characters_of_an_option_do_not_reach_the_terminal()
    {
        var arena = new SyntheticArena();
        var trial = SyntheticStudy.Trial(arena, "class-incremental", "er", 1);
        var row = new StudyRow("class-incremental", arena.Method("er"), trial.Options, new() { ["name"] = "\u001b[2Jgone\nnext" }, [new(trial, SyntheticStudy.Outcome(0.9))], []);
        string text = Comparison.Of(SyntheticStudy.Info, arena, [row]).ToText();
        Assert.DoesNotContain('\u001b', text);
        Assert.Equal(3, text.TrimEnd('\n').Split('\n').Length);
    }

    [Fact]
    public void Terminal_and_report_show_the_same_numbers()
    {
        var comparison = SyntheticStudy.Comparison();
        string text = comparison.ToText();
        var cells = Regex.Matches(HtmlReport.ToHtml(comparison), "<td[^>]*>(.*?)</td>", RegexOptions.Singleline).Select(m => Regex.Replace(m.Groups[1].Value, "<[^>]*>", "").Trim()).ToHashSet();
        foreach (var row in comparison.Rows)
            foreach (string cell in (string[])[Format.Of(row.Metrics["accuracy"], "fraction"), Format.Of(row.Metrics["memory_bytes"], "bytes"), Format.Bytes(row.PeakMemoryBytes), Format.Seconds(row.CpuSeconds)])
            {
                Assert.Contains(cell, text);
                Assert.Contains(cell, cells);
            }
    }
}
