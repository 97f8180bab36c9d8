using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsvHelper;
using Winnow.Core;

namespace Winnow.Reports;

/// <summary>The machine-readable results: schema 1 of <c>--json</c>.</summary>
public static class ComparisonJson
{
    /// <summary>Writes the file, whole or not at all.</summary>
    public static void Write(string path, Comparison comparison) => WholeFile.Write(path, ToJson(comparison).ToJsonString(WinnowJson.Indented) + "\n");

    /// <summary>The document.</summary>
    public static JsonObject ToJson(Comparison comparison) => new()
    {
        ["schema"] = 1,
        ["study"] = comparison.Info.Name,
        ["arena"] = comparison.Arena.Id,
        ["task"] = string.Join(',', comparison.Tasks),
        ["data"] = new JsonObject
        {
            ["source"] = comparison.Info.Data.Reference.Source,
            ["title"] = comparison.Info.Data.Title,
            ["found"] = comparison.Info.Data.Text,
            ["sha256"] = comparison.Info.Data.Reference.Hash,
            ["attribution"] = comparison.Info.Data.Attribution,
        },
        ["machine"] = JsonSerializer.SerializeToNode(comparison.Info.Machine, WinnowJson.Options),
        ["commit"] = comparison.Info.Commit,
        ["versions"] = JsonSerializer.SerializeToNode(comparison.Info.Versions, WinnowJson.Options),
        ["command"] = comparison.Info.Command,
        ["rows"] = new JsonArray([.. comparison.Rows.Select(Row)]),
        ["failures"] = new JsonArray([.. comparison.Failures.Select(f => new JsonObject
        {
            ["trial"] = f.Trial.Key, ["task"] = f.Trial.Task, ["method"] = f.Trial.Method, ["seed"] = f.Trial.Seed, ["reason"] = f.Outcome.Failure,
        })]),
    };

    private static JsonObject Row(ComparisonRow row) => new()
    {
        ["method"] = row.Row.Method.Id,
        ["label"] = row.Row.Label,
        ["kind"] = row.Row.Method.Kind == MethodKind.Seed ? "seed" : "baseline",
        ["task"] = row.Row.Task,
        ["options"] = row.Row.Options.DeepClone(),
        ["seeds"] = new JsonArray([.. row.Row.Done.Select(t => (JsonNode)t.Trial.Seed)]),
        ["trials"] = new JsonArray([.. row.Row.Done.Select(t => (JsonNode)t.Trial.Key)]),
        ["metrics"] = new JsonObject(row.Metrics.Select(m => KeyValuePair.Create<string, JsonNode?>(m.Key, new JsonObject
        {
            ["mean"] = Number(m.Value.Mean),
            ["ci95"] = new JsonArray(Number(m.Value.Low), Number(m.Value.High)),
            ["values"] = new JsonArray([.. row.Values[m.Key].Select(Number)]),
        }))),
        ["account"] = new JsonObject(row.Account.Select(a => KeyValuePair.Create(a.Key, Number(a.Value)))),
        ["peak_memory_bytes"] = row.Row.Done.Count == 0 ? null : row.PeakMemoryBytes,
        ["cpu_seconds"] = Number(row.CpuSeconds),
        ["wall_seconds"] = Number(row.WallSeconds),
        ["pareto"] = row.Pareto,
        ["tested_against"] = row.TestedAgainst,
        ["difference"] = Number(row.Difference),
        ["difference_ci95"] = new JsonArray(Number(row.DifferenceInterval.Low), Number(row.DifferenceInterval.High)),
        ["p"] = Number(row.P),
        ["p_holm"] = Number(row.PHolm),
        ["failed"] = row.Row.Failed.Count,
    };

    /// <summary>JSON has no NaN: it is written as null.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;
}

/// <summary>One line a trial, for spreadsheets.</summary>
public static class ComparisonCsv
{
    /// <summary>Writes the file, whole or not at all.</summary>
    public static void Write(string path, Comparison comparison)
    {
        string[] metrics = [.. comparison.Tasks.SelectMany(comparison.Arena.MetricsOf).Select(m => m.Name).Distinct()];
        string[] accounts = [.. comparison.Rows.SelectMany(r => r.Account.Keys).Distinct().Order(StringComparer.Ordinal)];
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        using (var csv = CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true))
        {
            csv.WriteRecord(["task", "method", "options", "seed", .. metrics, .. accounts.Select(a => $"account_{a}"), "peak_memory_bytes", "cpu_seconds", "wall_seconds", "failure", "trial"]);
            foreach (var (row, trial) in comparison.Rows.SelectMany(r => r.Row.Done.Concat(r.Row.Failed).OrderBy(t => t.Trial.Seed).Select(t => (r.Row, t))))
                csv.WriteRecord([row.Task, row.Method.Id, string.Join(' ', row.Options.Select(o => $"{o.Key}={o.Value}")), trial.Trial.Seed.ToString(CultureInfo.InvariantCulture),
                    .. metrics.Select(m => Cell(trial.Outcome.Metrics, m)), .. accounts.Select(a => Cell(trial.Outcome.Account, a)),
                    trial.Outcome.Usage.PeakMemoryBytes.ToString(CultureInfo.InvariantCulture), Text(trial.Outcome.Usage.CpuSeconds), Text(trial.Outcome.Usage.WallSeconds),
                    trial.Outcome.Failure ?? "", trial.Trial.Key]);
        }
        WholeFile.Write(path, text.ToString());
    }

    private static string Cell(IReadOnlyDictionary<string, double> values, string name) =>
        values.TryGetValue(name, out double v) && double.IsFinite(v) ? Text(v) : "";

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
