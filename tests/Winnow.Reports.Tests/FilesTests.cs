using System.Globalization;
using System.Text.Json.Nodes;
using CsvHelper;
using Winnow.Core;

namespace Winnow.Reports.Tests;

public sealed class FilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-files").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private JsonNode Json(Comparison comparison)
    {
        ComparisonJson.Write(At("results.json"), comparison);
        return JsonNode.Parse(File.ReadAllText(At("results.json")))!;
    }

    private List<Dictionary<string, string>> Csv(Comparison comparison)
    {
        ComparisonCsv.Write(At("results.csv"), comparison);
        using var reader = CsvReader.Create(new StringReader(File.ReadAllText(At("results.csv"))), new CsvReaderOptions { HasHeader = false });
        var records = new List<string[]>();
        while (reader.Read())
            records.Add(reader.Current.ToArray());
        return [.. records.Skip(1).Select(r => records[0].Zip(r).ToDictionary(p => p.First, p => p.Second))];
    }

    [Fact]
    public void Json_has_every_field_of_schema_1()
    {
        var json = Json(SyntheticStudy.Comparison());
        Assert.Equal(1, (int)json["schema"]!);
        Assert.All(["study", "arena", "task", "data", "machine", "commit", "rows", "failures"], f => Assert.NotNull(json[f]));
        Assert.Equal(("continual-class-incremental", "continual", "class-incremental"), ((string)json["study"]!, (string)json["arena"]!, (string)json["task"]!));
        Assert.Equal(13, json["rows"]!.AsArray().Count);
        Assert.All(json["rows"]!.AsArray(), row => Assert.All(["method", "options", "seeds", "metrics", "peak_memory_bytes", "cpu_seconds", "wall_seconds", "pareto", "failed"], f => Assert.NotNull(row![f])));
        var failure = Assert.Single(json["failures"]!.AsArray())!;
        Assert.Equal(32, ((string)failure["trial"]!).Length);
        Assert.StartsWith("over its time limit", (string)failure["reason"]!);
    }

    [Fact]
    public void Json_values_are_those_of_the_trials_to_the_bit()
    {
        var comparison = SyntheticStudy.Comparison();
        var json = Json(comparison);
        foreach (var (row, written) in comparison.Rows.Zip(json["rows"]!.AsArray()))
        {
            Assert.Equal(row.Row.Done.Select(t => t.Trial.Seed), written!["seeds"]!.AsArray().Select(s => (ulong)s!));
            var accuracy = written["metrics"]!["accuracy"]!;
            Assert.Equal(row.Row.Done.Select(t => t.Outcome.Metrics["accuracy"]), accuracy["values"]!.AsArray().Select(v => (double)v!));
            Assert.Equal(row.Metrics["accuracy"].Mean, (double)accuracy["mean"]!);
            Assert.Equal([row.Metrics["accuracy"].Low, row.Metrics["accuracy"].High], accuracy["ci95"]!.AsArray().Select(v => (double)v!));
            Assert.Equal(row.Pareto, (bool)written["pareto"]!);
            Assert.Equal(row.Row.Failed.Count, (int)written["failed"]!);
            Assert.Equal(100, (int)written["options"]!["buffer-size"]!);
        }
    }

    [Fact]
    public void What_does_not_exist_is_null_and_not_zero()
    {
        var json = Json(ComparisonTests.Compare(new SyntheticArena(), ("er", [0.9]), ("fpf", [double.NaN])));
        var rows = json["rows"]!.AsArray();
        Assert.Equal("[null,null]", rows[0]!["metrics"]!["accuracy"]!["ci95"]!.ToJsonString());
        Assert.Null(rows[0]!["p_holm"]);
        Assert.True(rows[1] is JsonObject failed && failed.ContainsKey("peak_memory_bytes") && failed["peak_memory_bytes"] is null && failed["cpu_seconds"] is null);
        Assert.Equal("[]", rows[1]!["seeds"]!.ToJsonString());
    }

    [Fact]
    public void The_same_comparison_gives_the_same_bytes()
    {
        Json(SyntheticStudy.Comparison());
        Csv(SyntheticStudy.Comparison());
        byte[] json = File.ReadAllBytes(At("results.json")), csv = File.ReadAllBytes(At("results.csv"));
        Json(SyntheticStudy.Comparison());
        Csv(SyntheticStudy.Comparison());
        Assert.Equal(json, File.ReadAllBytes(At("results.json")));
        Assert.Equal(csv, File.ReadAllBytes(At("results.csv")));
    }

    [Fact]
    public void Csv_has_one_line_for_each_trial_with_the_numbers_to_the_bit()
    {
        var comparison = SyntheticStudy.Comparison();
        var lines = Csv(comparison);
        var trials = SyntheticStudy.Trials(5, 5, 0, withFailure: true, "class-incremental").ToDictionary(t => t.Trial.Key);
        Assert.Equal(65, lines.Count);
        Assert.All(lines, line =>
        {
            var trial = trials[line["trial"]];
            Assert.Equal(trial.Trial.Method, line["method"]);
            Assert.Equal(trial.Outcome.Failure ?? "", line["failure"]);
            Assert.Equal("buffer-size=100 weight=0.5", line["options"]);
            Assert.Equal(trial.Outcome.Usage.PeakMemoryBytes.ToString(CultureInfo.InvariantCulture), line["peak_memory_bytes"]);
            if (trial.Outcome.Failure is null)
                Assert.Equal(trial.Outcome.Metrics["accuracy"], double.Parse(line["accuracy"], CultureInfo.InvariantCulture));
            else
                Assert.Equal("", line["accuracy"]);
        });
    }

    [Fact]
    public void Commas_quotes_and_line_breaks_in_a_reason_survive_the_csv()
    {
        const string Reason = "he said \"no, never\"\nand went; =1+1";
        var arena = new SyntheticArena();
        var comparison = Comparison.Of(SyntheticStudy.Info, arena, StudyRow.Of(arena, [new(SyntheticStudy.Trial(arena, "class-incremental", "er", 1), SyntheticStudy.Outcome(0) with { Failure = Reason })]));
        Assert.Equal(Reason, Assert.Single(Csv(comparison))["failure"]);
    }

    [Fact]
    public void Files_are_whole_or_not_there_and_nothing_else_is_left()
    {
        Json(SyntheticStudy.Comparison());
        Csv(SyntheticStudy.Comparison());
        Assert.Equal(["results.csv", "results.json"], Directory.EnumerateFiles(_folder).Select(Path.GetFileName).Order());
        File.WriteAllText(At("blocked"), "a file where a folder should be");
        var error = Assert.Throws<InputException>(() => ComparisonJson.Write(Path.Combine(At("blocked"), "results.json"), SyntheticStudy.Comparison()));
        Assert.Contains("blocked", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }
}
