using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Reports;

/// <summary>One side of a ledger row: what was run and its value for every seed.</summary>
/// <param name="Method">Method id.</param>
/// <param name="Options">All its options.</param>
/// <param name="Values">The metric, seed by seed.</param>
public sealed record LedgerSide(string Method, JsonObject Options, IReadOnlyList<double> Values);

/// <summary>A paper's claim beside what this code measured. The numbers are stored; the verdict is always computed from them.</summary>
/// <param name="Claim">The claim in words.</param>
/// <param name="Task">The task it was checked on.</param>
/// <param name="TaskOptions">All options of the task.</param>
/// <param name="Metric">The metric.</param>
/// <param name="Better">Which direction of it wins.</param>
/// <param name="Margin">The least improvement that confirms.</param>
/// <param name="BaselineFactor">What the baseline is multiplied by first.</param>
/// <param name="Seeds">The seeds, in the order of the values.</param>
/// <param name="Method">The method.</param>
/// <param name="Baseline">The baseline.</param>
public sealed record LedgerRow(string Claim, string Task, JsonObject TaskOptions, string Metric, Better Better, double Margin, double BaselineFactor,
    IReadOnlyList<ulong> Seeds, LedgerSide Method, LedgerSide Baseline)
{
    /// <summary>The paired improvement over the baseline for every seed, signed so that larger is better.</summary>
    public IReadOnlyList<double> Improvement => [.. Method.Values.Zip(Baseline.Values, (m, b) => (Better == Better.Higher ? 1 : -1) * (m - BaselineFactor * b))];

    /// <summary>The rule in words.</summary>
    public string Rule => string.Create(CultureInfo.InvariantCulture,
        $"confirmed: mean paired improvement of {Metric} over {(BaselineFactor == 1 ? "" : $"{BaselineFactor:G3} x ")}{Baseline.Method} >= {Margin:G3} and its 95% interval above {Math.Min(0, Margin):G3}; partly: only the interval");

    /// <summary><c>confirmed</c>, <c>partly</c> or <c>not at this scale</c>, computed from the stored numbers by <see cref="Rule"/>.</summary>
    public string Verdict
    {
        get
        {
            var interval = Statistics.TInterval(Improvement);
            // Equal differences on every seed have no spread: their interval is the value itself.
            bool above = interval.Low > Math.Min(0, Margin) || (interval.Low == interval.High && interval.Low >= Math.Min(0, Margin));
            return !above ? "not at this scale" : interval.Mean >= Margin ? "confirmed" : "partly";
        }
    }
}

/// <summary>The rows of one method, as stored in <c>results/ledger/METHOD.json</c>.</summary>
/// <param name="Schema">1.</param>
/// <param name="Method">Method id.</param>
/// <param name="Machine">Where it was measured.</param>
/// <param name="Commit">By which commit.</param>
/// <param name="Versions">With which libraries.</param>
/// <param name="Data">On which data.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Rows">The claims.</param>
public sealed record LedgerEntry(int Schema, string Method, Machine Machine, string? Commit, IReadOnlyDictionary<string, string> Versions, DataSummary Data, double Seconds, IReadOnlyList<LedgerRow> Rows)
{
    /// <summary>Reads a stored entry.</summary>
    /// <exception cref="InputException">The file is missing or damaged.</exception>
    public static LedgerEntry Load(string path)
    {
        try
        {
            var entry = JsonSerializer.Deserialize<LedgerEntry>(File.ReadAllText(path), WinnowJson.Options) ?? throw new JsonException("empty");
            return entry.Schema == 1 ? entry : throw InputException.At(path, $"schema {entry.Schema}", "schema 1", "A newer winnow wrote it: use that one.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or NotSupportedException)
        {
            throw InputException.At(path, $"what cannot be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')})", "a ledger entry", "Measure it again with 'winnow ledger METHOD --rerun'.");
        }
    }

    /// <summary>Writes the entry, whole or not at all.</summary>
    public void Save(string path) => WholeFile.Write(path, JsonSerializer.Serialize(this, WinnowJson.Indented) + "\n");

    /// <summary>The rows of <c>winnow ledger --json</c>.</summary>
    public IEnumerable<JsonObject> ToJsonRows() => Rows.Select(r =>
    {
        var (method, baseline) = (Statistics.TInterval(r.Method.Values), Statistics.TInterval(r.Baseline.Values));
        return new JsonObject
        {
            ["method"] = Method,
            ["claim"] = r.Claim,
            ["task"] = r.Task,
            ["metric"] = r.Metric,
            ["better"] = r.Better == Better.Higher ? "higher" : "lower",
            ["method_options"] = r.Method.Options.DeepClone(),
            ["method_mean"] = method.Mean,
            ["method_ci95"] = Interval(method),
            ["baseline"] = r.Baseline.Method,
            ["baseline_options"] = r.Baseline.Options.DeepClone(),
            ["baseline_mean"] = baseline.Mean,
            ["baseline_ci95"] = Interval(baseline),
            ["seeds"] = r.Seeds.Count,
            ["rule"] = r.Rule,
            ["verdict"] = r.Verdict,
        };
    });

    private static JsonArray Interval(Interval i) => double.IsNaN(i.HalfWidth) ? new JsonArray(null, null) : new JsonArray(i.Low, i.High);
}
