using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Winnow.Bench;
using Winnow.Core;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow bench [NAME]</c>: measurements side by side, printed as ratios.</summary>
internal static class BenchVerb
{
    private static IReadOnlyList<BenchCase> Cases => [.. HarnessBench.Cases, .. Benches.Cases, .. MethodCostBench.Cases];

    public static Command Make()
    {
        var name = new Argument<string?>("name") { Arity = ArgumentArity.ZeroOrOne, Description = "only the cases of this bench; a name may end in *, as in continual.*" };
        var json = new Option<FileInfo?>("--json") { Description = "write the measurements to this file" };
        var list = new Option<bool>("--list") { Description = "list the cases and measure nothing" };
        var command = new Command("bench", "Measures this program beside its peers, as ratios within one run.") { name, json, list };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(parsed.GetValue(name), parsed.GetValue(json), parsed.GetValue(list), cancellation)));
        return command;
    }

    private static int Run(string? name, FileInfo? json, bool list, CancellationToken cancellation)
    {
        var chosen = Cases.Where(c => name is null || c.Bench == name || (name.EndsWith('*') && c.Bench.StartsWith(name[..^1], StringComparison.Ordinal))).ToList();
        if (chosen.Count == 0)
            throw InputException.Unknown("bench", name!, Cases.Select(c => c.Bench).Distinct(), "winnow bench --list");
        var results = new List<BenchResult>();
        foreach (var c in chosen)
        {
            if (list)
            {
                Console.WriteLine($"{c.Bench,-20} {c.Case}");
                continue;
            }
            var result = new BenchResult(c, c.Run(cancellation));
            results.Add(result);
            Console.WriteLine(Line(result));
        }
        if (json is not null && !list)
            WholeFile.Write(json.FullName, new JsonObject
            {
                ["schema"] = 1,
                ["machine"] = System.Text.Json.JsonSerializer.SerializeToNode(Machine.Here(), WinnowJson.Options),
                ["commit"] = Catalogue.Commit,
                ["cases"] = new JsonArray([.. results.Select(r => r.ToJson())]),
            }.ToJsonString(WinnowJson.Indented) + "\n");
        return results.Any(r => r.Met == false) ? ExitCode.SomeFailed : ExitCode.Done;
    }

    private static string Line(BenchResult r)
    {
        var m = r.Measurement;
        string sign = r.Case.Better == Better.Higher ? "≥" : "≤";
        return m.Theirs is null
            ? string.Create(CultureInfo.InvariantCulture, $"{r.Case.Bench}, {r.Case.Case}: {m.Ours:G4} {r.Case.Unit}; no peer: {m.MissingPeer}")
            : string.Create(CultureInfo.InvariantCulture, $"{r.Case.Bench}, {r.Case.Case}: {m.Ours:G4} {r.Case.Unit}, {m.Peer}: {m.Theirs:G4} {r.Case.Unit}{(r.Ratio is { } ratio ? string.Create(CultureInfo.InvariantCulture, $"; ratio {ratio:F2}") : "")}{(m.AccuracyOk == false ? "; THE RESULTS DIFFER" : "")}{(r.Met is { } met ? string.Create(CultureInfo.InvariantCulture, $" (target {sign} {r.Case.Target:G3}) {(met ? "met" : "MISSED")}") : "")}");
    }
}
