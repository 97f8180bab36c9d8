using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Winnow.Core;

/// <summary>A problem on which many methods compete: all that the command line, report, docs, ledger and contract tests need.</summary>
public interface IArena
{
    /// <summary>Short name, e.g. <c>kv-cache</c>.</summary>
    string Id { get; }

    /// <summary>The question a user brings.</summary>
    string Question { get; }

    /// <summary>The tasks; the first is the default.</summary>
    IReadOnlyList<TaskCard> Tasks { get; }

    /// <summary>The methods and baselines.</summary>
    IReadOnlyList<MethodCard> Methods { get; }

    /// <summary>The card of several methods in a row, such as <c>windowkv+kivi</c>; null where the arena's methods do not stack.</summary>
    /// <param name="parts">At least two ids.</param>
    /// <exception cref="InputException">No such method.</exception>
    MethodCard? Composed(IReadOnlyList<string> parts) => null;

    /// <summary>The metrics of every task that brings none of its own; the first decides the ranking.</summary>
    IReadOnlyList<MetricCard> Metrics { get; }

    /// <summary>The figures of the report.</summary>
    IReadOnlyList<FigureCard> Figures { get; }

    /// <summary>Which methods the default study of a task runs: every one whose needs the task meets, unless the arena narrows it.</summary>
    IEnumerable<MethodCard> DefaultMethods(TaskCard task);

    /// <summary>Reads the data a study would use, checks it against the protocol of the task, and says what was found. Loads no tensor library.</summary>
    /// <exception cref="InputException">The data cannot be read, or the protocol cannot be run on it.</exception>
    DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation);

    /// <summary>Runs one trial: the protocol, the same for every method.</summary>
    TrialResult Run(Trial trial, TrialContext context);

    /// <summary>A single-file C# program that uses a kept winner, from the folder where it is kept.</summary>
    /// <param name="trial">The trial that is kept.</param>
    /// <param name="version">Version of the packages.</param>
    string Program(Trial trial, string version);

    /// <summary>Predicts labels for new rows with a kept winner.</summary>
    /// <param name="kept">Folder that <c>winnow keep</c> wrote.</param>
    /// <param name="source">Path of the rows.</param>
    /// <param name="reading">How to read them.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <exception cref="NotSupportedException">This arena's winners do not predict rows.</exception>
    IEnumerable<Prediction> Predict(string kept, string source, DataReading reading, CancellationToken cancellation);
}

/// <summary>One predicted row.</summary>
/// <param name="Row">Zero-based row in the source.</param>
/// <param name="Label">The predicted label name.</param>
/// <param name="Confidence">Its softmax probability, in [0, 1].</param>
public sealed record Prediction(int Row, string Label, double Confidence);

/// <summary>How a user's file is to be read where the file itself does not say.</summary>
/// <param name="Label">Label column by name or zero-based position; null for the last.</param>
/// <param name="Header">Whether the first row is a header; null to find out.</param>
/// <param name="Domain">Column that says where or when a row comes from, by name or zero-based position, and is no feature; null for none.</param>
public sealed record DataReading(string? Label = null, bool? Header = null, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Domain = null);

/// <summary>What was found in the data: shown before a study runs, printed in its report.</summary>
/// <param name="Reference">Where it is and its content hash.</param>
/// <param name="Title">Name for people.</param>
/// <param name="Text">One line: format, rows, shape, classes, balance.</param>
/// <param name="Attribution">Source and terms, when known.</param>
public sealed record DataSummary(DataRef Reference, string Title, string Text, string? Attribution);

/// <summary>The typed catalogue of an arena: builds cards for methods of one interface.</summary>
/// <typeparam name="TSetup">What the arena hands to every method when it is built.</typeparam>
/// <typeparam name="TMethod">The arena's interface.</typeparam>
public abstract class Arena<TSetup, TMethod> : IArena
{
    private readonly List<MethodCard> _methods = [];

    /// <inheritdoc/>
    public abstract string Id { get; }

    /// <inheritdoc/>
    public abstract string Question { get; }

    /// <inheritdoc/>
    public abstract IReadOnlyList<TaskCard> Tasks { get; }

    /// <inheritdoc/>
    public IReadOnlyList<MethodCard> Methods => _methods;

    /// <inheritdoc/>
    public virtual MethodCard? Composed(IReadOnlyList<string> parts) => null;

    /// <inheritdoc/>
    public abstract IReadOnlyList<MetricCard> Metrics { get; }

    /// <inheritdoc/>
    public virtual IReadOnlyList<FigureCard> Figures => [];

    /// <inheritdoc/>
    public virtual IEnumerable<MethodCard> DefaultMethods(TaskCard task) => Methods.Where(m => m.Needs.All(task.Offers.Contains));

    /// <inheritdoc/>
    public abstract DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation);

    /// <inheritdoc/>
    public abstract TrialResult Run(Trial trial, TrialContext context);

    /// <inheritdoc/>
    public abstract string Program(Trial trial, string version);

    /// <inheritdoc/>
    public virtual IEnumerable<Prediction> Predict(string kept, string source, DataReading reading, CancellationToken cancellation) =>
        throw new NotSupportedException($"The arena '{Id}' keeps no model that predicts rows.");

    /// <summary>Adds a method to the catalogue.</summary>
    protected void Add<TOptions>(MethodKind kind, string id, string title, string paper, int year, string summary,
        Func<TSetup, TOptions, TMethod> create, IReadOnlyList<Claim>? claims = null, IReadOnlyList<string>? needs = null, IReadOnlyList<string>? tags = null)
        where TOptions : class, new() => _methods.Add(new MethodCard<TSetup, TMethod>
        {
            Kind = kind,
            Id = id,
            Title = title,
            Paper = paper,
            Year = year,
            Summary = summary,
            Claims = claims ?? [],
            Needs = needs ?? [],
            Tags = tags ?? [],
            Options = OptionsSchema.Of<TOptions>(),
            Create = (setup, options) => create(setup, (TOptions)options),
        });

    /// <summary>Builds the method of a trial with its options bound and validated.</summary>
    protected TMethod Create(Trial trial, TSetup setup)
    {
        var card = (MethodCard<TSetup, TMethod>)this.Method(trial.Method);
        return card.Create(setup, card.Options.Bind(trial.Options, card.Id));
    }
}

/// <summary>Look-ups in an arena's catalogue, with errors that name the nearest right name.</summary>
public static class ArenaCatalogue
{
    /// <summary>The method card of an id.</summary>
    public static MethodCard Method(this IArena arena, string id) =>
        arena.Methods.FirstOrDefault(m => m.Id == id) ?? (id.Split('+') is { Length: > 1 } parts ? arena.Composed(parts) : null) ?? throw InputException.Unknown("method", id, arena.Methods.Select(m => m.Id), $"winnow methods {arena.Id}");

    /// <summary>The task card of an id.</summary>
    public static TaskCard Task(this IArena arena, string id) =>
        arena.Tasks.FirstOrDefault(t => t.Id == id) ?? throw InputException.Unknown("task", id, arena.Tasks.Select(t => t.Id), "winnow arenas");

    /// <summary>The metrics of a task: its own, or those of the arena; the first decides the ranking.</summary>
    public static IReadOnlyList<MetricCard> MetricsOf(this IArena arena, string task) => arena.Tasks.FirstOrDefault(t => t.Id == task)?.Metrics ?? arena.Metrics;

    /// <summary>Why a method cannot run on a task, or null when it can.</summary>
    /// <param name="method">The method.</param>
    /// <param name="task">The task.</param>
    /// <param name="options">The method's options, with some of which it may need more; null for the defaults.</param>
    /// <exception cref="InputException">An option cannot be.</exception>
    public static string? Refusal(this MethodCard method, TaskCard task, JsonObject? options = null)
    {
        string[] missing = [.. method.Needs.Union((method.Options.Bind(options ?? [], method.Id) as INeeds)?.Needs ?? []).Except(task.Offers)];
        // the options are named only where it is they, not the method, that need something
        string with = missing.Except(method.Needs).Any() && options is { Count: > 0 } ? " with these options" : "";
        return missing.Length == 0 ? null : $"'{method.Id}'{with} needs {string.Join(" and ", missing)}, which task '{task.Id}' does not give";
    }
}

/// <summary>Options with some of whose values a method needs more than its card says.</summary>
public interface INeeds
{
    /// <summary>What it needs beside <see cref="MethodCard.Needs"/>.</summary>
    IReadOnlyList<string> Needs { get; }
}
