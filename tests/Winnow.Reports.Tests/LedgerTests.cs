using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Reports.Tests;

public sealed class LedgerTests
{
    private static LedgerRow Row(double[] method, double[] baseline, double margin = 0.1, double factor = 1, Better better = Better.Higher) =>
        new("a claim", "task", [], "accuracy", better, margin, factor, [.. Enumerable.Range(1, method.Length).Select(i => (ulong)i)], new("m", [], method), new("b", [], baseline));

    [Theory]
    [InlineData("confirmed", new[] { 0.80, 0.82, 0.81 }, 0.1)]
    [InlineData("partly", new[] { 0.55, 0.56, 0.54 }, 0.1)]
    [InlineData("not at this scale", new[] { 0.50, 0.51, 0.49 }, 0.1)]
    [InlineData("not at this scale", new[] { 0.30, 0.31, 0.29 }, 0.1)]
    [InlineData("not at this scale", new[] { 0.50, 0.99, 0.40 }, 0.1)] // large on average, but the interval reaches below zero
    [InlineData("confirmed", new[] { 0.70, 0.70, 0.70 }, 0.1)] // no spread at all
    [InlineData("confirmed", new[] { 0.48, 0.49, 0.47 }, -0.05)] // may lose at most 0.05
    [InlineData("not at this scale", new[] { 0.40, 0.41, 0.39 }, -0.05)]
    public void The_verdict_follows_from_the_numbers(string verdict, double[] method, double margin) =>
        Assert.Equal(verdict, Row(method, [0.5, 0.5, 0.5], margin).Verdict);

    [Fact]
    public void Where_lower_is_better_the_sign_turns()
    {
        Assert.Equal("confirmed", Row([40, 41], [100, 100], 0, 0.5, Better.Lower).Verdict);
        Assert.Equal("not at this scale", Row([60, 61], [100, 100], 0, 0.5, Better.Lower).Verdict);
    }

    [Fact]
    public void The_pairs_count_not_the_means()
    {
        // The seeds differ far more than the methods: only the paired differences tell them apart.
        Assert.Equal("confirmed", Row([0.31, 0.61, 0.91], [0.20, 0.50, 0.80], 0.1).Verdict);
        Assert.Equal("not at this scale", Row([0.31, 0.61, 0.91], [0.80, 0.20, 0.50], 0.1).Verdict);
    }

    public static TheoryData<string> StoredFiles() =>
        [.. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "results", "ledger"), "*.json").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(StoredFiles))]
    public void A_stored_verdict_is_what_its_stored_numbers_say(string file)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "results", "ledger", file);
        var entry = LedgerEntry.Load(path);
        var stored = JsonNode.Parse(File.ReadAllText(path))!["rows"]!.AsArray();
        Assert.Equal(stored.Count, entry.Rows.Count);
        foreach (var (row, json) in entry.Rows.Zip(stored))
        {
            Assert.True(row.Seeds.Distinct().Count() >= 5, $"{file}: at least five different seeds");
            Assert.Equal(row.Seeds.Count, row.Method.Values.Count);
            Assert.Equal(row.Seeds.Count, row.Baseline.Values.Count);
            double[] d = [.. row.Method.Values.Zip(row.Baseline.Values, (m, b) => (row.Better == Better.Higher ? m - row.BaselineFactor * b : row.BaselineFactor * b - m))];
            double mean = d.Average(), error = Math.Sqrt(d.Sum(x => (x - mean) * (x - mean)) / (d.Length - 1) / d.Length);
            // the 97.5% points of Student's t with 4 and 9 degrees of freedom
            double low = mean - error * (d.Length switch { 5 => 2.776445, 10 => 2.262157, _ => throw new InvalidOperationException("the table of t has only 4 and 9 degrees of freedom") });
            bool above = low > Math.Min(0, row.Margin) || (error == 0 && mean >= Math.Min(0, row.Margin));
            Assert.Equal(!above ? "not at this scale" : mean >= row.Margin ? "confirmed" : "partly", (string)json!["verdict"]!);
            Assert.Equal((string)json!["verdict"]!, row.Verdict);
        }
    }

    [Fact]
    public void An_entry_survives_its_file_and_a_broken_file_is_refused()
    {
        string folder = Directory.CreateTempSubdirectory("winnow-ledger-test-").FullName;
        try
        {
            string path = Path.Combine(folder, "m.json");
            var entry = new LedgerEntry(1, "m", Machine.Here(), "abc", new Dictionary<string, string> { ["winnow"] = "1" }, new(new("digits", "00", new()), "t", "x", null), 12.5, [Row([1.0 / 3, 0.5], [0.1, 0.2])]);
            entry.Save(path);
            var loaded = LedgerEntry.Load(path);
            Assert.Equal(entry.Rows[0].Method.Values, loaded.Rows[0].Method.Values);
            Assert.Equal(entry.Machine, loaded.Machine);
            var json = loaded.ToJsonRows().Single();
            Assert.Equal(["method", "claim", "task", "metric", "better", "method_options", "method_mean", "method_ci95", "baseline", "baseline_options", "baseline_mean", "baseline_ci95", "seeds", "rule", "verdict"], json.Select(p => p.Key));
            File.WriteAllText(path, "{");
            Assert.Contains("--rerun", Assert.Throws<InputException>(() => LedgerEntry.Load(path)).Message);
            File.WriteAllText(path, File.ReadAllText(path) + "}");
            Assert.Throws<InputException>(() => LedgerEntry.Load(path));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
