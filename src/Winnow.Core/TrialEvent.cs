using System.Text.Json;
using System.Text.Json.Serialization;

namespace Winnow.Core;

/// <summary>What a trial's process tells its parent: one JSON object a line on standard output.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(ProgressEvent), "progress")]
[JsonDerivedType(typeof(MetricEvent), "metric")]
[JsonDerivedType(typeof(LogEvent), "log")]
[JsonDerivedType(typeof(ArtefactEvent), "artefact")]
[JsonDerivedType(typeof(ResultEvent), "result")]
[JsonDerivedType(typeof(FailureEvent), "failure")]
public abstract record TrialEvent
{
    private const string Prefix = "{\"event\":";

    /// <summary>The event as one line.</summary>
    public string ToLine() => JsonSerializer.Serialize(this, WinnowJson.Options);

    /// <summary>Reads a line; anything that is not an event (a native library may print) becomes a log line.</summary>
    public static TrialEvent Parse(string line)
    {
        if (line.StartsWith(Prefix, StringComparison.Ordinal))
            try
            {
                return JsonSerializer.Deserialize<TrialEvent>(line, WinnowJson.Options) ?? new LogEvent(line);
            }
            catch (JsonException)
            {
                // A line torn by a crash: keep it for the person who reads the log.
            }
        return new LogEvent(line.Length > 2000 ? line[..2000] : line);
    }
}

/// <summary>How far the trial is.</summary>
public sealed record ProgressEvent(double Fraction, string What) : TrialEvent;

/// <summary>A point of a series.</summary>
public sealed record MetricEvent(string Name, double Value, long Step) : TrialEvent;

/// <summary>A line for people.</summary>
public sealed record LogEvent(string Text) : TrialEvent;

/// <summary>An artefact was begun.</summary>
public sealed record ArtefactEvent(string Name) : TrialEvent;

/// <summary>The trial is done: metrics, account, and what the operating system counted for the process.</summary>
public sealed record ResultEvent(IReadOnlyDictionary<string, double> Metrics, IReadOnlyDictionary<string, double> Account, Usage Usage) : TrialEvent;

/// <summary>The trial failed.</summary>
/// <param name="Message">One line for the user.</param>
public sealed record FailureEvent(string Message) : TrialEvent;

/// <summary>What the operating system counted for a trial's process.</summary>
/// <param name="PeakMemoryBytes">Peak resident set.</param>
/// <param name="CpuSeconds">User and kernel time of all threads.</param>
/// <param name="WallSeconds">From start to end of the process.</param>
public sealed record Usage(long PeakMemoryBytes, double CpuSeconds, double WallSeconds);

/// <summary>How a trial ended.</summary>
/// <param name="Failure">Null when done; otherwise the reason, in one line.</param>
/// <param name="Metrics">Final metrics; empty when failed.</param>
/// <param name="Account">What it cost by kind; empty when failed.</param>
/// <param name="Series">Every recorded point, in order.</param>
/// <param name="Artefacts">Names of the artefacts.</param>
/// <param name="Usage">Measured by the operating system, for failed trials too.</param>
public sealed record TrialOutcome(string? Failure, IReadOnlyDictionary<string, double> Metrics, IReadOnlyDictionary<string, double> Account,
    IReadOnlyList<MetricEvent> Series, IReadOnlyList<string> Artefacts, Usage Usage);
