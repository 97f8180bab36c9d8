using System.Reflection;
using System.Text.Json;
using Winnow.Core;

namespace Winnow.Cli;

/// <summary>What is stored with a study so that it can be resumed and reported: its plan and how it was asked to run.</summary>
internal sealed record StudyRequest(StudyPlan Plan, Limits Limits, int? Parallel, double? TotalSeconds, string Command)
{
    public string ToJson() => JsonSerializer.Serialize(this, WinnowJson.Options);

    public static StudyRequest FromJson(string json) => JsonSerializer.Deserialize<StudyRequest>(json, WinnowJson.Options)!;

    /// <summary>The request of a study folder, or of the latest one in ./winnow-runs.</summary>
    public static (string Folder, StudyRequest Request) Load(string? folder)
    {
        folder = Path.GetFullPath(folder ?? Latest());
        if (!File.Exists(Path.Combine(folder, "study.db")))
            throw InputException.At(folder, "no study.db", "a study's folder", "Give the folder that 'winnow compare' printed.");
        using var store = Store.Open(folder);
        return (folder, FromJson(store.Plan ?? throw InputException.At(folder, "a store without a plan", "a planned study", "Run 'winnow compare' again.")));
    }

    private static string Latest() =>
        All().FirstOrDefault() ?? throw InputException.At("./winnow-runs", "no study", "at least one", "Run 'winnow compare continual', or give the study's folder.");

    /// <summary>The study folders below ./winnow-runs, latest first.</summary>
    public static IEnumerable<string> All() => !Directory.Exists("winnow-runs") ? [] :
        Directory.EnumerateDirectories("winnow-runs").Where(d => File.Exists(Path.Combine(d, "study.db"))).OrderByDescending(d => File.GetLastWriteTimeUtc(Path.Combine(d, "study.db")));

    /// <summary>The program and the libraries that results depend on.</summary>
    public static IReadOnlyDictionary<string, string> Versions() => new Dictionary<string, string>
    {
        ["winnow"] = Catalogue.Version,
        [".NET"] = Environment.Version.ToString(),
        ["TorchSharp"] = Assembly.Load("TorchSharp").GetName().Version!.ToString(3),
    };
}
