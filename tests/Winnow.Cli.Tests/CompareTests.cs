using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Winnow.Cli.Tests;

public sealed class CompareTests : IDisposable
{
    private static readonly string[] Small = ["--methods", "naive,er", "--seeds", "2", "--set", "task.epochs=1"];
    private readonly WinnowProgram _winnow = new();

    public void Dispose() => _winnow.Dispose();

    private async Task<JsonNode> ResultsAsync(string name) => JsonNode.Parse(await File.ReadAllTextAsync(_winnow[name], TestContext.Current.CancellationToken))!;

    /// <summary>What must be equal to the bit between two runs of a study: everything but time and memory.</summary>
    private static string Deterministic(JsonNode results) => string.Join('\n', results["rows"]!.AsArray().Select(r => $"{r!["method"]} {r["options"]!.ToJsonString()} {r["seeds"]!.ToJsonString()} {r["metrics"]!.ToJsonString()}"));

    [Fact]
    public async Task Compare_ends_with_table_report_json_and_csv_and_a_second_run_runs_nothing()
    {
        var (code, output, error) = await _winnow.RunAsync(["compare", "continual", .. Small, "--json", "results.json"]);
        Assert.True(code == 0, error);
        Assert.Contains("1797 rows", output.Replace(",", ""));
        Assert.Contains("4 trials", output);
        Assert.Matches(@"er .*0\.\d{3}", output);
        string report = output.Split('\n').Single(l => l.StartsWith("report: ", StringComparison.Ordinal))["report: ".Length..].Trim();
        Assert.Contains("<!DOCTYPE html>", (await File.ReadAllTextAsync(report, TestContext.Current.CancellationToken))[..200], StringComparison.OrdinalIgnoreCase);

        var results = await ResultsAsync("results.json");
        Assert.Equal(1, (int)results["schema"]!);
        var er = results["rows"]!.AsArray().Single(r => (string)r!["method"]! == "er")!;
        Assert.Equal(2, er["metrics"]!["accuracy"]!["values"]!.AsArray().Count);
        Assert.InRange((double)er["peak_memory_bytes"]!, 50e6, 1e9);
        Assert.Equal(4 + 1, (await File.ReadAllLinesAsync(Path.Combine(Path.GetDirectoryName(report)!, "results.csv"), TestContext.Current.CancellationToken)).Count(l => l.Length > 0));

        var watch = Stopwatch.StartNew();
        var (again, secondOutput, _) = await _winnow.RunAsync(["compare", "continual", .. Small, "--json", "again.json"]);
        Assert.Equal(0, again);
        Assert.Contains("0 still to run", secondOutput);
        Assert.Equal(Deterministic(results), Deterministic(await ResultsAsync("again.json")));
    }

    [Fact]
    public async Task A_study_run_twice_in_different_folders_is_bit_equal()
    {
        await _winnow.RunAsync(["compare", "continual", .. Small, "--out", "one", "--json", "one.json", "--quiet"]);
        await _winnow.RunAsync(["compare", "continual", .. Small, "--out", "two", "--json", "two.json", "--quiet", "--parallel", "1"]);
        Assert.Equal(Deterministic(await ResultsAsync("one.json")), Deterministic(await ResultsAsync("two.json")));
    }

    [Fact]
    public async Task A_study_killed_again_and_again_and_resumed_ends_with_the_same_table()
    {
        await _winnow.RunAsync(["compare", "continual", .. Small, "--out", "whole", "--json", "whole.json", "--quiet"]);
        var random = new Random(5);
        for (int i = 0; i < 6; i++)
        {
            using var process = _winnow.Start(["compare", "continual", .. Small, "--out", "killed", "--quiet"]);
            await Task.Delay(random.Next(300, 2500), TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        if (!File.Exists(Path.Combine(_winnow["killed"], "study.db")))
            await _winnow.RunAsync(["compare", "continual", .. Small, "--out", "killed", "--quiet"]);
        var (code, _, error) = await _winnow.RunAsync("resume", "killed", "--json", "killed.json");
        Assert.True(code == 0, error);
        Assert.Equal(Deterministic(await ResultsAsync("whole.json")), Deterministic(await ResultsAsync("killed.json")));
    }

    [Fact]
    public async Task Ctrl_C_stops_within_two_seconds_keeps_finished_trials_and_leaves_no_child()
    {
        Assert.SkipUnless(!OperatingSystem.IsWindows(), "sends SIGINT");
        using var process = _winnow.Start("compare", "continual", "--methods", "naive,er", "--seeds", "30", "--out", "study");
        string line = "";
        while (!line.StartsWith("[2/", StringComparison.Ordinal))
            line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) ?? throw new InvalidOperationException(await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        var watch = Stopwatch.StartNew();
        using (var kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 2);
        Assert.Equal(130, process.ExitCode);
        Assert.Contains("what was finished is kept", await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        var (_, output, _) = await _winnow.RunAsync("report", "study", "--json", "part.json");
        Assert.InRange((await ResultsAsync("part.json"))["rows"]!.AsArray().Sum(r => r!["seeds"]!.AsArray().Count), 2, 10);
    }

    [Fact]
    public async Task A_study_file_runs_and_limits_mark_the_trials_they_end()
    {
        _winnow.Write("study.yaml", """
            study: limited
            arena: continual
            methods: [naive]
            seeds: 1
            limits: { memory: 60MB }
            """);
        var (code, output, _) = await _winnow.RunAsync("run", "study.yaml", "--json", "limited.json");
        Assert.Equal(1, code);
        Assert.Contains("over its memory limit", output);
        var failure = Assert.Single((await ResultsAsync("limited.json"))["failures"]!.AsArray())!;
        Assert.Contains("60 MB allowed", (string)failure["reason"]!);
    }

    [Fact]
    public async Task A_users_csv_is_compared_and_the_winner_kept_and_used()
    {
        var random = new Random(3);
        var rows = Enumerable.Range(0, 240).Select(i => (Class: i % 4, X: random.NextDouble() + i % 4, Y: random.NextDouble() + i % 2 * 3)).ToArray();
        _winnow.Write("points.csv", "x,y,kind\n" + string.Concat(rows.Select(r => FormattableString.Invariant($"{r.X},{r.Y},{"abcd"[r.Class]}\n"))));
        _winnow.Write("new.csv", "x,y\n" + string.Concat(rows.Select(r => FormattableString.Invariant($"{r.X},{r.Y}\n"))));
        var (code, output, error) = await _winnow.RunAsync("compare", "continual", "--data", "points.csv", "--methods", "joint,naive", "--seeds", "1", "--out", "study", "--set", "task.epochs=30");
        Assert.True(code == 0, error);
        Assert.Contains("240 rows", output);

        (code, output, error) = await _winnow.RunAsync("keep", "joint@1", "--study", "study", "--out", "winner");
        Assert.True(code == 0, error);
        Assert.Equal(["Use.cs", "card.json", "kept.json", "model.safetensors"], Directory.EnumerateFiles(_winnow["winner"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        (code, output, error) = await _winnow.RunAsync("predict", "winner", "--data", "new.csv");
        Assert.True(code == 0, error);
        string[] lines = output.Trim().Split('\n');
        Assert.Equal("row,label,confidence", lines[0].Trim());
        Assert.Equal(240, lines.Length - 1);
        Assert.InRange(lines.Skip(1).Zip(rows).Count(p => p.First.Split(',')[1] == "abcd"[p.Second.Class].ToString()), 216, 240);

        (code, _, error) = await _winnow.RunAsync("keep", "joint@1", "--study", "study", "--out", "winner");
        Assert.Equal(2, code);
        Assert.Contains("not empty", error);
        (code, _, error) = await _winnow.RunAsync("keep", "joint@9", "--study", "study", "--out", "other");
        Assert.Equal(2, code);
        Assert.Contains("no such trial", error);
        File.WriteAllText(Path.Combine(_winnow["winner"], "model.safetensors"), "broken");
        (code, _, error) = await _winnow.RunAsync("predict", "winner", "--data", "new.csv");
        Assert.Equal(2, code);
        Assert.Contains("model.safetensors", error);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("x,y,kind\n1,2,a\n3,b\n", "line 3")]
    [InlineData("x,y,kind\n1,2,a\n3,oops,b\n4,5,b\n", "line 3")]
    [InlineData("x,y,kind\n1,2,a\nNaN,4,b\n", "line 3")]
    [InlineData("x,y,kind\n1,2,a\n3,4,a\n5,6,a\n7,8,a\n9,9,a\n", "one class only")]
    [InlineData("x,y,kind\n1,2,a\n3,4,a\n5,6,a\n7,8,a\n9,9,b\n", "rows of class 'b'")]
    public async Task Broken_data_is_one_line_with_its_place_and_exit_code_2(string csv, string expected)
    {
        _winnow.Write("broken.csv", csv);
        var (code, output, error) = await _winnow.RunAsync("compare", "continual", "--data", "broken.csv");
        Assert.Equal(2, code);
        Assert.Contains(expected, error);
        Assert.Contains("broken", error);
        Assert.Single(error.Trim().Split('\n'));
        Assert.DoesNotContain("   at ", error + output);
    }

    [Fact]
    public async Task Two_processes_on_one_study_both_end_with_the_table()
    {
        using var one = _winnow.Start(["compare", "continual", .. Small, "--out", "study"]);
        using var two = _winnow.Start(["compare", "continual", .. Small, "--out", "study"]);
        string[] outputs = await Task.WhenAll(one.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), two.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        await Task.WhenAll(one.WaitForExitAsync(TestContext.Current.CancellationToken), two.WaitForExitAsync(TestContext.Current.CancellationToken));
        Assert.Equal((0, 0), (one.ExitCode, two.ExitCode));
        Assert.All(outputs, o => Assert.Contains("report: ", o));
        Assert.Equal(4, outputs.Sum(o => o.Split('\n').Count(l => l.StartsWith('[') && l.Contains(" seed ", StringComparison.Ordinal))));
    }
}
