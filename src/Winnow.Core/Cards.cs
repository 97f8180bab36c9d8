using System.Text.Json.Nodes;

namespace Winnow.Core;

/// <summary>Whether a method is a published seed of the collection or a baseline it is compared with.</summary>
public enum MethodKind
{
    /// <summary>One of the published methods the collection exists for.</summary>
    Seed,

    /// <summary>What a practitioner would try first, a lower or an upper bound.</summary>
    Baseline,
}

/// <summary>Which direction of a metric is better.</summary>
public enum Better
{
    /// <summary>Larger values win.</summary>
    Higher,

    /// <summary>Smaller values win.</summary>
    Lower,
}

/// <summary>A published technique, or a baseline: what it is, which options it takes, what its paper claims.</summary>
public abstract class MethodCard
{
    /// <summary>Short name used on the command line, in kebab case.</summary>
    public required string Id { get; init; }

    /// <summary>Seed or baseline.</summary>
    public required MethodKind Kind { get; init; }

    /// <summary>Name as the paper or the field writes it.</summary>
    public required string Title { get; init; }

    /// <summary>Authors, title, venue.</summary>
    public required string Paper { get; init; }

    /// <summary>Year of publication.</summary>
    public required int Year { get; init; }

    /// <summary>One sentence: what it does for the user.</summary>
    public required string Summary { get; init; }

    /// <summary>What the paper claims and how the ledger checks it; empty for baselines.</summary>
    public IReadOnlyList<Claim> Claims { get; init; } = [];

    /// <summary>What the method cannot do without, e.g. <c>boundaries</c>; a task that does not offer all of it is refused.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>Terms of the field's taxonomy, for grouping in lists and docs.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>The options with defaults, ranges and descriptions.</summary>
    public required OptionsSchema Options { get; init; }
}

/// <summary>A card that can build its method: <typeparamref name="TMethod"/> from what the arena gives every method and the bound options.</summary>
public sealed class MethodCard<TSetup, TMethod> : MethodCard
{
    /// <summary>Builds the method. The object is an instance of <see cref="OptionsSchema.Type"/>.</summary>
    public required Func<TSetup, object, TMethod> Create { get; init; }
}

/// <summary>
/// A paper's claim in a form that a small study can check. With D the paired difference method − <see cref="BaselineFactor"/> · baseline of
/// <see cref="Metric"/> per seed, signed so that larger is better: <c>confirmed</c> when mean D reaches <see cref="Margin"/>
/// and the 95% interval of D lies above zero (above the margin when it is negative); <c>partly</c> when only the interval
/// condition holds; otherwise <c>not at this scale</c>.
/// </summary>
public sealed record Claim
{
    /// <summary>The claim in the paper's words and numbers.</summary>
    public required string Text { get; init; }

    /// <summary>The task it is checked on.</summary>
    public required string Task { get; init; }

    /// <summary>The data set by name, which its words name, too; null for the task's own.</summary>
    public string? Data { get; init; }

    /// <summary>The column of the data set that is learned, by name or position; null for its own.</summary>
    public string? Label { get; init; }

    /// <summary>The metric compared.</summary>
    public required string Metric { get; init; }

    /// <summary>Which direction the claim says; null for the metric's better one. A claim that something does harm wants the other.</summary>
    public Better? Wants { get; init; }

    /// <summary>The method it is compared with.</summary>
    public required string Baseline { get; init; }

    /// <summary>What the baseline is multiplied by before it is compared: 0.9 for "at least 90% of it" with a margin of 0.</summary>
    public double BaselineFactor { get; init; } = 1;

    /// <summary>The least paired improvement, in the metric's unit, that confirms the claim.</summary>
    public required double Margin { get; init; }

    /// <summary>Options of the method for this check, as on the command line; empty for the defaults.</summary>
    public JsonObject MethodOptions { get; init; } = [];

    /// <summary>Options of the baseline for this check: the tuned ones.</summary>
    public JsonObject BaselineOptions { get; init; } = [];

    /// <summary>Options of the task for this check.</summary>
    public JsonObject TaskOptions { get; init; } = [];
}

/// <summary>Data and protocol on which methods compete.</summary>
/// <param name="Id">Short name in kebab case.</param>
/// <param name="Title">Name for people.</param>
/// <param name="Summary">One or two sentences: what is learned, in which order, what is asked at the end.</param>
/// <param name="Options">The protocol's options (<c>--set task.NAME=VALUE</c>).</param>
/// <param name="Offers">What the protocol gives to methods, matched with <see cref="MethodCard.Needs"/>.</param>
public sealed record TaskCard(string Id, string Title, string Summary, OptionsSchema Options, IReadOnlyList<string> Offers)
{
    /// <summary>The numbers its trials report, the ranking one first, where they are not those of the arena; null where they are.</summary>
    public IReadOnlyList<MetricCard>? Metrics { get; init; }

    /// <summary>What a user's own data are, as in <c>--data FILE.csv</c>; null where problems are always generated.</summary>
    public string? Data { get; init; } = "FILE.csv";
}

/// <summary>A number every trial of an arena reports.</summary>
/// <param name="Name">Key, e.g. <c>accuracy</c>.</param>
/// <param name="Title">Column heading.</param>
/// <param name="Unit">Unit, e.g. <c>fraction</c>, <c>bytes</c>.</param>
/// <param name="Better">Which direction wins.</param>
/// <param name="Formula">How it is computed, exactly.</param>
public sealed record MetricCard(string Name, string Title, string Unit, Better Better, string Formula)
{
    /// <summary>Whether this is what a better first metric is paid with: the table then marks the rows that none beats in both, instead of those that none beats in memory and processor time.</summary>
    public bool Price { get; init; }
}

/// <summary>How the report draws a family of series.</summary>
public enum FigureKind
{
    /// <summary>One line per method with its interval over seeds: the series itself over steps.</summary>
    Lines,

    /// <summary>One matrix per method: rows are steps, columns the suffixes of all series that start with the name and a slash.</summary>
    Heatmap,

    /// <summary>One group of bars per method: the suffixes of all series that start with the name and a slash, averaged over steps.</summary>
    Bars,

    /// <summary>One point per method: the metric <see cref="FigureCard.Series"/> against the metric <see cref="FigureCard.Across"/>, with intervals over seeds both ways.</summary>
    Plane,

    /// <summary>One map per method of the first seed, in a colour a class, beside the true one. <c>series/CLASS</c>: how many cells of that class begin at the cell that is the step, row by row; the classes in the order in which they
    /// first come, which a run of 0 cells gives. Beside it <c>series-truth/CLASS</c>, the same of what is there; <c>series-rows/CLASS</c>, a row at step thousandths of the width and at the share of the height that is the value;
    /// <c>series-size/width</c> and <c>series-size/height</c>, in cells, and <c>series-size/from</c> and <c>series-size/to</c>, what the ends of both axes stand for.</summary>
    Map,

    /// <summary>One tree of unions per method, of the first seed. <c>series/left</c>, <c>series/right</c> and <c>series/height</c> at the union that is the step: leaves are numbered from 0, what union i makes is leaves + i.
    /// Beside it <c>series-leaf/GROUP</c>: that the leaf that is the step is in a group; <c>series-name/NAME</c>, what it is called; <c>series-cut/groups</c>, how many groups were asked for.</summary>
    Dendrogram,

    /// <summary>One tree of decisions per method, of the first seed, from left to right. <c>series/parent</c> of the node that is the step, −1 for the root, nodes in the order in which they are drawn; <c>series/share</c> of the rows; <c>series/below</c>,
    /// decisions that are left out; <c>series-text/TEXT</c>, what it asks; <c>series-class/CLASS</c>, the share of its rows in a class.</summary>
    Tree,

    /// <summary>One tree per method, of the first seed, as an indented list of names with bars. <c>series/parent</c> of the node that is the step, −1 for the root, parents first; <c>series/mark</c>, 2 for a filled circle, 1 for a ring, 0 for
    /// a faint one; <c>series-name/NAME</c>; <c>series-bar/KIND</c>, the parts of its bar.</summary>
    Outline,
}

/// <summary>A figure of the report, drawn from the series that trials record.</summary>
/// <param name="Id">Short name.</param>
/// <param name="Kind">How it is drawn.</param>
/// <param name="Title">Heading.</param>
/// <param name="Series">Series name, or the prefix before the slash.</param>
/// <param name="X">Label of the x axis.</param>
/// <param name="Y">Label of the y axis.</param>
/// <param name="Caption">What the reader should look at.</param>
public sealed record FigureCard(string Id, FigureKind Kind, string Title, string Series, string X, string Y, string Caption)
{
    /// <summary>For a plane: the metric along the x axis, which is turned so that better is to the right.</summary>
    public string? Across { get; init; }

    /// <summary>For a plane of operations a byte (x) against Gflop/s (y): the family of series with the machine's <c>bytes_per_second</c> and <c>flops_per_second</c>, drawn as its roof.</summary>
    public string? Roof { get; init; }
}
