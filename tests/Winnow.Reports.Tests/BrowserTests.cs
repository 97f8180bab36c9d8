using System.Text.Json.Nodes;

namespace Winnow.Reports.Tests;

/// <summary>The report in a real browser.</summary>
public sealed class BrowserTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-report").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_report_is_whole_on_a_desktop_a_phone_in_print_and_in_the_dark()
    {
        string program = Program();
        using var limit = Limit();
        var cancellation = limit.Token;
        string file = Path.Combine(_folder, "report.html");
        HtmlReport.Write(file, SyntheticStudy.Comparison(tasks: ["class-incremental", "permuted"]));
        string? shots = Environment.GetEnvironmentVariable("WINNOW_SHOTS");

        await using var browser = await HeadlessChromium.StartAsync(program, cancellation);
        async Task ShotAsync(string name)
        {
            if (shots is not null)
                await browser.ScreenshotAsync(Path.Combine(shots, name + ".png"), cancellation);
        }
        await browser.ResizeAsync(1280, 900, cancellation);
        await browser.DarkAsync(false, cancellation);
        await browser.OpenAsync(file, cancellation);

        // two tasks, each with one figure of lines (wide and narrow), 13 matrices, one group of bars, two scatter plots, a plane
        Assert.Equal(2 * (1 + 13 + 1 + 2 + 1), (int)(await browser.EvaluateAsync(VisiblePlots, cancellation))!);
        Assert.Equal("0", (await browser.EvaluateAsync("""[...document.querySelectorAll("svg.plot")].filter(s => s.getAttribute("role") !== "img" || !s.getAttribute("aria-label") || !s.querySelector("title")).length""", cancellation))!.ToString());
        Assert.False((bool)(await browser.EvaluateAsync(Overflows, cancellation))!);
        Assert.Equal("", (string)(await browser.EvaluateAsync(ScrolledTables, cancellation))!); // a desktop shows every column
        await ShotAsync("desktop-light");

        await SortAsync(browser, cancellation);

        string light = (await browser.EvaluateAsync(Colours, cancellation))!.ToJsonString();
        await browser.DarkAsync(true, cancellation);
        string dark = (await browser.EvaluateAsync(Colours, cancellation))!.ToJsonString();
        Assert.All(JsonNode.Parse(light)!.AsArray().Zip(JsonNode.Parse(dark)!.AsArray()), p => Assert.NotEqual((string?)p.First, (string?)p.Second));
        await ShotAsync("desktop-dark");

        await browser.DarkAsync(false, cancellation);
        await browser.ResizeAsync(375, 812, cancellation);
        Assert.False((bool)(await browser.EvaluateAsync(Overflows, cancellation))!, (await browser.EvaluateAsync(Widest, cancellation))!.ToString());
        Assert.Equal(2 * (1 + 13 + 1 + 2 + 1), (int)(await browser.EvaluateAsync(VisiblePlots, cancellation))!);
        await ShotAsync("phone");

        await browser.PrintAsync(true, cancellation);
        await browser.ResizeAsync(688, 1010, cancellation); // A4 between its margins
        Assert.False((bool)(await browser.EvaluateAsync(Overflows, cancellation))!, (await browser.EvaluateAsync(Widest, cancellation))!.ToString());
        await ShotAsync("print");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task Hostile_names_run_nothing()
    {
        string program = Program();
        using var limit = Limit();
        string file = Path.Combine(_folder, "hostile.html");
        HtmlReport.Write(file, HtmlReportTests.HostileComparison());

        await using var browser = await HeadlessChromium.StartAsync(program, limit.Token);
        await browser.OpenAsync(file, limit.Token);
        Assert.Equal("0 images, 1 script", (string)(await browser.EvaluateAsync("`${document.images.length} images, ${document.scripts.length} script`", limit.Token))!);
        Assert.Equal(2, (int)(await browser.EvaluateAsync(VisiblePlots, limit.Token))!);
        Assert.Equal(HtmlReportTests.HostileShown, (string)(await browser.EvaluateAsync("document.querySelector('h1').textContent", limit.Token))!);
        await browser.ResizeAsync(375, 812, limit.Token);
        Assert.False((bool)(await browser.EvaluateAsync(Overflows, limit.Token))!, (await browser.EvaluateAsync(Widest, limit.Token))!.ToString());
        Assert.Empty(browser.Complaints);
    }

    private static string Program()
    {
        string? program = HeadlessChromium.Find();
        Assert.SkipUnless(program is not null, "no chromium, chromium-browser or google-chrome on the PATH");
        return program!;
    }

    /// <summary>A browser that hangs fails its test instead of the whole run.</summary>
    private static CancellationTokenSource Limit()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        return limit;
    }

    private const string VisiblePlots = """[...document.querySelectorAll("svg.plot")].filter(s => { const b = s.getBoundingClientRect(); return b.width > 100 && b.height > 50 && s.querySelector("path, rect, circle"); }).length""";
    private const string Overflows = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    private const string Widest = """JSON.stringify([...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll")).slice(0, 5).map(e => e.outerHTML.slice(0, 80)))""";
    private const string ScrolledTables = """[...document.querySelectorAll(".results")].map(t => t.parentElement).filter(s => s.scrollWidth > s.clientWidth).map(s => `${s.scrollWidth} in ${s.clientWidth}`).join()""";
    private const string Colours = """[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, getComputedStyle(document.querySelector(".plot [data-m]")).stroke + getComputedStyle(document.querySelector(".plot [data-m]")).fill, getComputedStyle(document.querySelector(".plot text")).fill]""";

    private static async Task SortAsync(HeadlessChromium browser, CancellationToken cancellation)
    {
        async Task<double[]> ColumnAsync(int column) =>
            [.. (await browser.EvaluateAsync($"[...document.querySelector('table.results').tBodies[0].rows].map(r => parseFloat(r.cells[{column}].dataset.value))", cancellation))!.AsArray().Select(v => (double?)v ?? double.NaN)];
        async Task<string> ClickAsync(int column) =>
            (string)(await browser.EvaluateAsync($"(() => {{ const h = document.querySelector('table.results').tHead.rows[0].cells[{column}]; h.querySelector('button').click(); return h.getAttribute('aria-sort'); }})()", cancellation))!;

        double[] before = await ColumnAsync(1);
        Assert.Equal(13, before.Length);
        Assert.Equal("descending", await ClickAsync(1)); // accuracy: higher is better
        Assert.Equal(before.OrderDescending(), await ColumnAsync(1));
        Assert.Equal("ascending", await ClickAsync(1));
        Assert.Equal(before.Order(), await ColumnAsync(1));
        Assert.Equal("ascending", await ClickAsync(5)); // forgetting: lower is better
        Assert.Equal((await ColumnAsync(5)).Order(), await ColumnAsync(5));
        Assert.Equal(1, (int)(await browser.EvaluateAsync("document.querySelectorAll('table.results [aria-sort]').length", cancellation))!);
        Assert.Equal("descending", await ClickAsync(2)); // differences: rows without one come last
        double[] differences = await ColumnAsync(2);
        Assert.Equal(3, differences.Reverse().TakeWhile(double.IsNaN).Count());
        await ClickAsync(1);
    }
}
