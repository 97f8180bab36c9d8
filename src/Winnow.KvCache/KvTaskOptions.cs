using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>Options of every task of the arena.</summary>
public record KvTaskOptions
{
    /// <summary>The model.</summary>
    [Description("the model: a path as for 'winnow generate', stories260k (below WINNOW_DATA), recall: a small one that has learned to answer from a context, trained here once, or random: small random weights, for timing and tests")]
    public string Model { get; init; } = "stories260k";

    /// <summary>Prompts.</summary>
    [Range(1, 10_000), Description("prompts of a trial")]
    public int Prompts { get; init; } = 4;

    /// <summary>Texts to learn from.</summary>
    [Range(1, 10_000), Description("texts that methods which learn before they are used learn from")]
    public int Calibration { get; init; } = 8;
}

/// <summary>Options of the tasks on texts.</summary>
public record KvTextOptions : KvTaskOptions
{
    /// <summary>Tokens of a prompt.</summary>
    [Range(1, 1_000_000), Description("tokens of a prompt")]
    public int Length { get; init; } = 256;
}

/// <summary>Options of the task <c>continuation</c>.</summary>
public sealed record ContinuationOptions : KvTextOptions
{
    /// <summary>Tokens after a prompt.</summary>
    [Range(1, 1_000_000), Description("tokens after a prompt, given one by one, at each of which the next token's distribution is compared")]
    public int Continue { get; init; } = 64;
}

/// <summary>Options of the task <c>turns</c>.</summary>
public sealed record TurnsOptions : KvTextOptions
{
    /// <summary>Turns.</summary>
    [Range(2, 1000), Description("stretches of text after the shared prompt")]
    public int Turns { get; init; } = 5;

    /// <summary>Tokens of a turn.</summary>
    [Range(1, 100_000), Description("tokens of a turn")]
    public int TurnLength { get; init; } = 32;

    /// <summary>Whether each turn starts anew.</summary>
    [Description("true: every turn follows the prompt alone, from a copy of its cache; false: each follows the turns before it")]
    public bool Requests { get; init; }
}

/// <summary>Options of the task <c>recall</c>.</summary>
public sealed record RecallOptions : KvTaskOptions
{
    /// <summary>With the model that has learned it.</summary>
    public RecallOptions() => (Model, Prompts) = (KvTexts.RecallName, 8);

    /// <summary>Pairs.</summary>
    [Range(1, RecallText.Keys), Description("pairs of a key and its value that a context says")]
    public int Pairs { get; init; } = 64;

    /// <summary>Noise.</summary>
    [Range(0, 100_000), Description("stretches of noise among them, two tokens each")]
    public int Noise { get; init; } = 160;

    /// <summary>Questions.</summary>
    [Range(2, RecallText.Keys), Description("questions after each context, for one value each")]
    public int Turns { get; init; } = 5;

    /// <summary>Whether each question starts anew.</summary>
    [Description("true: nobody knows a question when the context is kept, and each starts from a copy of its cache; false: the prompt ends with the first question, and each follows those before it, rightly answered")]
    public bool Requests { get; init; }
}

/// <summary>Options of the task <c>needle</c>.</summary>
public sealed record NeedleOptions : KvTaskOptions
{
    /// <summary>With the model that has learned it.</summary>
    public NeedleOptions() => (Model, Prompts) = (KvTexts.RecallName, 4);

    /// <summary>Longest context.</summary>
    [Range(64, 1_000_000), Description("tokens of the longest contexts; the others have a half, a quarter and an eighth")]
    public int Longest { get; init; } = 512;

    /// <summary>Depths.</summary>
    [Range(2, 101), Description("depths at which the pair stands, from the beginning to the end")]
    public int Depths { get; init; } = 5;
}
