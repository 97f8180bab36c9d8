using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Reports.Html;

/// <summary>What was run and on what: data, protocol, machine, versions, commit, seeds.</summary>
internal static class Setting
{
    public static Markup Of(Comparison comparison)
    {
        var info = comparison.Info;
        var trials = comparison.Rows.SelectMany(r => r.Row.Done.Concat(r.Row.Failed)).ToList();
        var seeds = trials.Select(t => t.Trial.Seed).Distinct().Order().ToList();
        return Markup.Of($"""
            <section id="setting">
            <h2>What was run</h2>
            <dl class="facts">
            {Fact("Data", Markup.Of($"<strong>{info.Data.Title}</strong>. {info.Data.Text}"))}
            {(info.Data.Attribution is { } source ? Fact("Source", Markup.Of($"{source}")) : Markup.Empty)}
            {Fact("Content", Markup.Of($"<code>{info.Data.Reference.Source}</code> <span class=\"muted\">SHA-256 <code>{info.Data.Reference.Hash}</code></span>"))}
            {comparison.Tasks.Select(t => Protocol(comparison, t))}
            {Fact("Trials", Markup.Of($"{trials.Count}, each in a process of its own with {Threads(trials)}; {comparison.Failures.Count} failed"))}
            {Fact("Seeds", Markup.Of($"{string.Join(", ", seeds)}"))}
            {Fact("Time", Markup.Of($"{Format.Seconds(trials.Sum(t => t.Outcome.Usage.CpuSeconds))} of processor time in all; finished {info.Finished.ToUniversalTime():yyyy-MM-dd HH:mm} UTC"))}
            {Fact("Machine", Markup.Of($"{info.Machine.ToString()}"))}
            {Fact("Versions", Markup.Of($"{string.Join(", ", info.Versions.Select(v => $"{v.Key} {v.Value}"))}"))}
            {Fact("Commit", info.Commit is { } commit ? Markup.Of($"<code>{commit}</code>") : Markup.Of($"unknown: the program was not built from a git checkout"))}
            {Fact("Folder", Markup.Of($"<code>{info.Folder}</code>"))}
            </dl>
            </section>
            """);
    }

    private static Markup Protocol(Comparison comparison, string id)
    {
        var card = comparison.Arena.Tasks.FirstOrDefault(t => t.Id == id);
        var options = comparison.RowsOf(id).SelectMany(r => r.Row.Done.Concat(r.Row.Failed)).Select(t => t.Trial.TaskOptions).FirstOrDefault();
        return Fact("Protocol", Markup.Of($"<strong>{card?.Title ?? id}</strong> (<code>{id}</code>). {card?.Summary}{(options is null || options.Count == 0 ? Markup.Empty : Options(card?.Options, options, []))}"));
    }

    /// <summary>A table of options with their values and what they mean; changed ones are marked.</summary>
    public static Markup Options(OptionsSchema? schema, JsonObject values, JsonObject changed) => Markup.Of($"""
        <div class="scroll"><table class="options"><tbody>{values.Select(o => Markup.Of($"""<tr><th scope="row"><code>{o.Key}</code></th><td><code>{Value(o.Value)}</code>{(changed.ContainsKey(o.Key) ? Markup.Of($" <span class=\"tag\">set</span>") : Markup.Empty)}</td><td class="prose">{schema?.Options.FirstOrDefault(c => c.Name == o.Key)?.Description}</td></tr>"""))}</tbody></table></div>
        """);

    private static string Value(JsonNode? value) => value is null ? "none" : value.ToString();

    private static string Threads(IReadOnlyList<FinishedTrial> trials)
    {
        string counts = string.Join(" or ", trials.Select(t => t.Trial.Threads).Distinct().Order());
        return counts == "1" ? "1 thread" : $"{counts} threads";
    }

    private static Markup Fact(string name, Markup value) => Markup.Of($"<dt>{name}</dt><dd>{value}</dd>");
}
