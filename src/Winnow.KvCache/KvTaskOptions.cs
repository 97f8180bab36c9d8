using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.KvCache;

/// <summary>Options of every task of the arena.</summary>
public record KvTaskOptions
{
    /// <summary>The model.</summary>
    [Description("the model: a path as for 'winnow generate', stories260k (below WINNOW_DATA), or random: small random weights, for timing and tests")]
    public string Model { get; init; } = "stories260k";

    /// <summary>Prompts.</summary>
    [Range(1, 10_000), Description("prompts of a trial")]
    public int Prompts { get; init; } = 4;

    /// <summary>Tokens of a prompt.</summary>
    [Range(1, 1_000_000), Description("tokens of a prompt")]
    public int Length { get; init; } = 256;

    /// <summary>Bytes allowed.</summary>
    [Range(0.0, 1.0), Description("share of the full cache's bytes (half precision) that a policy may hold after the prompt; its first knob is turned until it fits; 0: as its options say")]
    public double Bytes { get; init; }

    /// <summary>Texts to learn from.</summary>
    [Range(1, 10_000), Description("texts that methods which learn before they are used learn from")]
    public int Calibration { get; init; } = 8;
}

/// <summary>Options of the task <c>continuation</c>.</summary>
public sealed record ContinuationOptions : KvTaskOptions
{
    /// <summary>Tokens after a prompt.</summary>
    [Range(1, 1_000_000), Description("tokens after a prompt, given one by one, at each of which the next token's distribution is compared")]
    public int Continue { get; init; } = 64;
}

/// <summary>Options of the task <c>turns</c>.</summary>
public sealed record TurnsOptions : KvTaskOptions
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
