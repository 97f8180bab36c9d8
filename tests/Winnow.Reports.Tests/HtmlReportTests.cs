using System.Text.RegularExpressions;
using System.Xml.Linq;
using Winnow.Core;

namespace Winnow.Reports.Tests;

public sealed class HtmlReportTests : IDisposable
{
    internal const string Hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{script}}\u0001\ud800]]>&amp;";
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-html").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The page as XML: everything but its doctype is well formed, which a browser would otherwise mend in silence.</summary>
    internal static XElement Page(Comparison comparison)
    {
        string html = HtmlReport.ToHtml(comparison);
        Assert.StartsWith("<!DOCTYPE html>", html);
        string xml = Regex.Replace(html, "<(meta|br|img)([^>]*)>", "<$1$2/>");
        xml = Regex.Replace(xml, "<(style|script)>(.*?)</\\1>", "<$1/>", RegexOptions.Singleline);
        return XElement.Parse(xml["<!DOCTYPE html>".Length..]);
    }

    private static IEnumerable<XElement> All(XElement page, string name) => page.Descendants(name);

    private static string Verdict(XElement page) => All(page, "p").First(p => (string?)p.Attribute("class") == "verdict").Value;

    private static List<XElement> Rows(XElement page) => [.. All(page, "table").First(t => ((string?)t.Attribute("class"))?.Contains("results") == true).Element("tbody")!.Elements("tr")];

    /// <summary>The hostile text as a page shows it: as it is, but for the control character and the torn pair that HTML forbids.</summary>
    internal static string HostileShown => Hostile.Replace('\u0001', '\ufffd').Replace('\ud800', '\ufffd');

    /// <summary>A study whose every text is an attack.</summary>
    internal static Comparison HostileComparison()
    {
        var info = new StudyInfo(Hostile, Hostile, new(new(Hostile, Hostile, new()), Hostile, Hostile, Hostile), new(Hostile, 1, 1, Hostile, Hostile, Hostile), Hostile,
            new Dictionary<string, string> { [Hostile] = Hostile }, Hostile, SyntheticStudy.Info.Finished);
        return Compare(new HostileArena(), info, ("er", [0.9, 0.8, null]), ("fpf", [0.95, 0.7, 0.6]));
    }

    private static Comparison Compare(IArena arena, StudyInfo info, params (string Method, double?[] Values)[] rows) =>
        Comparison.Of(info, arena, StudyRow.Of(arena, rows.SelectMany(r => r.Values.Select((v, i) => new FinishedTrial(
            SyntheticStudy.Trial(arena, arena.Tasks[0].Id, r.Method, (ulong)i + 1), v is { } value ? SyntheticStudy.Outcome(value) : Failed(Hostile))))));

    private static TrialOutcome Failed(string reason) => new(reason, new Dictionary<string, double>(), new Dictionary<string, double>(), [], [], new(1, 1, 1));

    [Fact]
    public void It_says_what_was_run_on_what_where_and_how_to_run_it_again()
    {
        var comparison = SyntheticStudy.Comparison();
        string text = Page(comparison).Value;
        var info = SyntheticStudy.Info;
        Assert.All((string[])[info.Name, info.Data.Title, info.Data.Text, info.Data.Attribution!, info.Data.Reference.Hash, info.Machine.Cpu, info.Commit!, info.Command, info.Folder,
            "winnow 0.1.0", "libtorch 2.10.0", "1, 2, 3, 4, 5", "2026-03-04 05:06 UTC", "over its time limit: 60.2 s used", $"winnow keep {comparison.Winner!.Done[0].Trial.Key[..8]} --out"], part => Assert.Contains(part, text));
        Assert.All(comparison.Rows, r => Assert.Contains(r.Row.Method.Title, text));
        Assert.All(comparison.Rows, r => Assert.Contains(r.Row.Method.Paper, text));
        Assert.Contains("Raises accuracy by 2 points over replay", text); // a claim
        Assert.Contains("buffer-size", text); // an option
    }

    [Fact]
    public void It_asks_nothing_of_the_network()
    {
        string html = HtmlReport.ToHtml(SyntheticStudy.Comparison());
        Assert.DoesNotMatch("(src|href)=\"(?!#)", html);
        Assert.DoesNotMatch("url\\(|@import|http", Regex.Replace(html, "http-equiv", ""));
        Assert.Contains("default-src 'none'", html);
    }

    [Fact]
    public void Hostile_names_stay_text()
    {
        var page = Page(HostileComparison());
        Assert.Empty(page.Descendants("img"));
        Assert.Single(page.Descendants("script"));
        Assert.DoesNotContain(page.Descendants().Attributes(), a => a.Name.LocalName.StartsWith("on", StringComparison.OrdinalIgnoreCase));
        Assert.True(Regex.Count(page.Value, Regex.Escape(HostileShown)) > 20);
        Assert.All(page.Descendants("svg"), svg => Assert.NotNull(svg.Attribute("aria-label")));
    }

    [Fact]
    public void One_seed_shows_means_without_intervals_or_tests()
    {
        var page = Page(SyntheticStudy.Comparison(seeds: 1, withFailure: false));
        Assert.Equal(13, Rows(page).Count);
        Assert.DoesNotContain("±", string.Concat(Rows(page).Select(r => r.Value)));
        Assert.Contains("one seed", Verdict(page));
        Assert.DoesNotContain("significantly", string.Concat(Rows(page).Select(r => r.ToString())));
        Assert.DoesNotContain("NaN", page.ToString());
    }

    [Fact]
    public void An_option_with_three_values_gets_a_curve_and_one_with_two_does_not()
    {
        Assert.Empty(Curves(SyntheticStudy.Comparison(extra: 1)));
        string title = Assert.Single(Curves(SyntheticStudy.Comparison(extra: 3)));
        // four buffer sizes of replay, its best 0.918 at the default of 100 rows, 0.56 at the largest, between the two bounds
        Assert.Matches("accuracy over buffer-size: er from 0\\.9[12]\\d to 0\\.5[567]\\d; joint from 0\\.97\\d to 0\\.97\\d; naive", title);

        static List<string> Curves(Comparison comparison) =>
            [.. Page(comparison).Descendants("svg").Select(s => (string)s.Attribute("aria-label")!).Where(l => l.Contains(" over buffer-size", StringComparison.Ordinal)).Distinct()];
    }

    [Fact]
    public void In_a_plane_the_method_that_forgets_less_stands_further_right()
    {
        var figure = Page(SyntheticStudy.Comparison(withFailure: false)).Descendants("figure").Single(f => ((string?)f.Attribute("class"))?.Contains("figure-plane") == true);
        var names = figure.Descendants("svg").First().Descendants().Where(e => e.Name.LocalName == "text" && ((string?)e.Attribute("class"))?.StartsWith("name") == true)
            .ToDictionary(e => e.Value, e => double.Parse((string)e.Attribute("x")!, System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(names["fpf"] > names["gdumb"] && names["gdumb"] > names["agem"], string.Join(", ", names));
        // the ticks read as the metric does: less forgetting to the right
        double[] ticks = [.. figure.Descendants("svg").First().Descendants().Where(e => e.Name.LocalName == "text" && (string?)e.Attribute("class") == "tick" && (string?)e.Attribute("text-anchor") == "middle")
            .OrderBy(e => double.Parse((string)e.Attribute("x")!, System.Globalization.CultureInfo.InvariantCulture)).Select(e => double.Parse(e.Value, System.Globalization.CultureInfo.InvariantCulture))];
        Assert.Equal(ticks.OrderDescending(), ticks);
        Assert.Equal(0, ticks[^1]);
    }

    [Fact]
    public void When_all_but_one_failed_the_failures_are_told_with_their_reasons()
    {
        var page = Page(Compare(new SyntheticArena(), SyntheticStudy.Info, ("er", [null, 0.9, null]), ("fpf", [null, null, null]), ("joint", [null, null, null])));
        Assert.Equal(3, Rows(page).Count);
        var failures = page.Descendants("section").Single(s => (string?)s.Attribute("id") == "failures");
        Assert.Equal(8, failures.Descendants("tbody").Single().Elements("tr").Count());
        Assert.Contains("er has the highest accuracy", Verdict(page));
        Assert.Contains("8 trials failed", Verdict(page));
        Assert.DoesNotContain("NaN", page.ToString());
    }

    [Fact]
    public void When_all_failed_there_is_no_winner_and_no_figure()
    {
        var page = Page(Compare(new SyntheticArena(), SyntheticStudy.Info, ("er", [null]), ("fpf", [null])));
        Assert.Contains("nothing to compare", Verdict(page));
        Assert.Empty(page.Descendants("svg"));
        Assert.Contains("winnow keep TRIAL", page.Value);
    }

    [Fact]
    public void One_method_is_a_report_too()
    {
        var page = Page(Compare(new SyntheticArena(), SyntheticStudy.Info, ("fpf", [0.9, 0.91, 0.92])));
        Assert.Single(Rows(page));
        Assert.Contains("fpf has the highest accuracy: 0.910", Verdict(page));
        Assert.DoesNotContain("Against", Verdict(page));
    }

    [Fact]
    public void Twenty_rows_keep_their_colour_in_every_figure_and_the_file_small()
    {
        var comparison = SyntheticStudy.Comparison(extra: 7);
        var page = Page(comparison);
        Assert.Equal(20, Rows(page).Count);
        // a row's number carries one colour over table, curves, scatter and bars
        var inks = page.Descendants().Where(e => e.Attribute("data-m") is not null && e.Name.LocalName is "path" or "rect" or "circle")
            .Select(e => ((string?)e.Attribute("data-m"), Ink: Regex.Match((string?)e.Attribute("style") ?? "", "--(m\\d|rest|bound)").Value)).Where(i => i.Ink.Length > 0 && i.Item1 is not null).Distinct().ToList();
        // twenty rows, and the curve of replay over its buffer sizes, which is none of them
        Assert.Equal(21, inks.Count);
        Assert.Equal(21, inks.Select(i => i.Item1).Distinct().Count());
        // every row is named at the end of its line
        var lines = page.Descendants("svg").First();
        Assert.All(comparison.Rows.Where(r => r.Row.Done.Count > 0), r => Assert.Contains(r.Row.Method.Id, lines.Value));
        string file = Path.Combine(_folder, "report.html");
        HtmlReport.Write(file, comparison);
        Assert.InRange(new FileInfo(file).Length, 50_000, 1_500_000);
    }

    [Fact]
    public void Figures_follow_the_cards_of_the_arena()
    {
        var page = Page(SyntheticStudy.Comparison());
        int Drawn(string id) => page.Descendants("figure").Single(f => ((string)f.Attribute("class")!).Split(' ').Contains($"figure-{id}")).Descendants("svg").Count();
        Assert.Equal(2, Drawn("accuracy")); // for wide and for narrow screens
        Assert.Equal(13, Drawn("matrix"));
        Assert.Equal(1, Drawn("sensitivity")); // only the method that recorded it
        Assert.Equal(4, Drawn("pareto")); // memory and time, both twice
        var bars = page.Descendants("figure").Single(f => ((string)f.Attribute("class")!).Contains("figure-sensitivity"));
        Assert.Contains("head.weight", bars.Value);
    }

    [Fact]
    public void The_same_comparison_makes_the_same_file() => Assert.Equal(HtmlReport.ToHtml(SyntheticStudy.Comparison()), HtmlReport.ToHtml(SyntheticStudy.Comparison()));

    [Fact]
    public void A_folder_that_cannot_be_written_is_told_in_one_line()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        Assert.Contains("cannot be written", Assert.Throws<InputException>(() => HtmlReport.Write(Path.Combine(file, "report.html"), SyntheticStudy.Comparison(seeds: 1, steps: 1))).Message);
    }

    /// <summary>An arena whose every text is an attack.</summary>
    private sealed class HostileArena : IArena
    {
        public string Id => Hostile;

        public string Question => Hostile;

        public IReadOnlyList<TaskCard> Tasks { get; } = [new(Hostile, Hostile, Hostile, OptionsSchema.Of<StepOptions>(), [])];

        public IReadOnlyList<MethodCard> Methods { get; } =
        [
            .. new[] { ("er", MethodKind.Baseline), ("fpf", MethodKind.Seed) }.Select(m => new MethodCard<object, object>
            {
                Id = m.Item1, Kind = m.Item2, Title = Hostile, Paper = Hostile, Year = 2020, Summary = Hostile, Tags = [Hostile], Options = OptionsSchema.Of<BufferOptions>(), Create = (_, o) => o,
                Claims = [new() { Text = Hostile, Task = Hostile, Metric = "accuracy", Baseline = "er", Margin = 0 }],
            }),
        ];

        public IReadOnlyList<MetricCard> Metrics { get; } = [new("accuracy", Hostile, "fraction", Better.Higher, Hostile)];

        public IReadOnlyList<FigureCard> Figures { get; } = [new("x", FigureKind.Lines, Hostile, "value", Hostile, Hostile, Hostile)];

        public IEnumerable<MethodCard> DefaultMethods(TaskCard task) => Methods;

        public DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();

        public TrialResult Run(Trial trial, TrialContext context) => throw new NotSupportedException();

        public string Program(Trial trial, string version) => throw new NotSupportedException();

        public IEnumerable<Prediction> Predict(string kept, string source, DataReading reading, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
