using System.Text.Json.Nodes;

namespace Winnow.Core;

/// <summary>A trial with how it ended.</summary>
public sealed record FinishedTrial(Trial Trial, TrialOutcome Outcome);

/// <summary>What a study is, apart from its trials: printed in the report, written in the JSON.</summary>
/// <param name="Name">Name of the study.</param>
/// <param name="Folder">Absolute path of its folder.</param>
/// <param name="Data">The data that was found.</param>
/// <param name="Machine">Where it ran.</param>
/// <param name="Commit">Git commit of the program, or null.</param>
/// <param name="Versions">Name and version of the program and of the libraries that matter.</param>
/// <param name="Command">The command line that runs it again.</param>
/// <param name="Finished">When the last trial ended.</param>
public sealed record StudyInfo(string Name, string Folder, DataSummary Data, Machine Machine, string? Commit,
    IReadOnlyDictionary<string, string> Versions, string Command, DateTimeOffset Finished);

/// <summary>The trials of one method with one set of options on one task: a row of the table.</summary>
/// <param name="Task">Task id.</param>
/// <param name="Method">The method's card.</param>
/// <param name="Options">All options, canonical.</param>
/// <param name="Changed">The options that differ from the defaults.</param>
/// <param name="Done">Finished trials, by seed.</param>
/// <param name="Failed">Failed trials, by seed.</param>
public sealed record StudyRow(string Task, MethodCard Method, JsonObject Options, JsonObject Changed, IReadOnlyList<FinishedTrial> Done, IReadOnlyList<FinishedTrial> Failed)
{
    /// <summary>The method's id with its changed options, e.g. <c>er (buffer-size=200)</c>.</summary>
    public string Label => Changed.Count == 0 ? Method.Id : $"{Method.Id} ({string.Join(", ", Changed.Select(o => $"{o.Key}={o.Value}"))})";

    /// <summary>The rows of a study, in the order of its plan.</summary>
    public static IReadOnlyList<StudyRow> Of(IArena arena, IEnumerable<FinishedTrial> trials) =>
    [
        .. trials.GroupBy(t => (t.Trial.Task, t.Trial.Method, Options: t.Trial.Options.ToJsonString())).Select(g =>
        {
            var card = arena.Method(g.Key.Method);
            var options = g.First().Trial.Options;
            return new StudyRow(g.Key.Task, card, options, card.Options.Changed(options),
                [.. g.Where(t => t.Outcome.Failure is null).OrderBy(t => t.Trial.Seed)],
                [.. g.Where(t => t.Outcome.Failure is not null).OrderBy(t => t.Trial.Seed)]);
        }),
    ];
}
