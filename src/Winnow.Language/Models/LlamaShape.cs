using Winnow.Core;

namespace Winnow.Language;

/// <summary>The sizes of a decoder of the Llama family.</summary>
public sealed record LlamaShape
{
    /// <summary>Width of the residual stream, D.</summary>
    public required int Width { get; init; }

    /// <summary>Width inside the feed-forward layers.</summary>
    public required int Hidden { get; init; }

    /// <summary>Layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Heads of queries.</summary>
    public required int Heads { get; init; }

    /// <summary>Heads of keys and values; divides <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of a head, even.</summary>
    public required int HeadWidth { get; init; }

    /// <summary>Tokens of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Most positions.</summary>
    public required int Context { get; init; }

    /// <summary>Added to the mean square before its root is divided by.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeBase { get; init; } = 10_000;

    /// <summary>Which numbers of a head are rotated together: neighbours, as in llama2.c, or those half a head apart, as in checkpoints of Hugging Face.</summary>
    public bool RopeInterleaved { get; init; }

    /// <summary>How frequencies are stretched for longer contexts; null for not at all.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Whether the head is the transposed embedding.</summary>
    public bool TiedHead { get; init; } = true;

    /// <summary>Whether queries, keys and values have biases, as Qwen 2 has.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether queries and keys are normalised head by head before they are rotated, as in Qwen 3.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Queries that share a head of keys.</summary>
    public int GroupSize => Heads / KeyValueHeads;

    /// <summary>Parameters of the model.</summary>
    public long Parameters =>
        (long)Vocabulary * Width * (TiedHead ? 1 : 2) + Width
        + Layers * (2L * Width + 2L * Heads * HeadWidth * Width + 2L * KeyValueHeads * HeadWidth * Width + 3L * Hidden * Width
            + (AttentionBias ? (Heads + 2L * KeyValueHeads) * HeadWidth : 0) + (QueryKeyNorm ? 2L * HeadWidth : 0));

    /// <summary>Refuses sizes that no model has.</summary>
    /// <exception cref="InputException">A size out of range, or sizes that do not fit one another.</exception>
    public LlamaShape Checked(string where)
    {
        foreach (var (name, size, most) in new[] { ("width", Width, 1 << 20), ("hidden width", Hidden, 1 << 22), ("layers", Layers, 4096), ("heads", Heads, 65_536), ("key-value heads", KeyValueHeads, 65_536), ("head width", HeadWidth, 65_536), ("vocabulary", Vocabulary, 1 << 24), ("context", Context, 1 << 27) })
            if (size < 1 || size > most)
                throw Refused($"{name} {size}", $"1 to {most:N0}");
        if (Heads % KeyValueHeads != 0)
            throw Refused($"{Heads} heads of queries and {KeyValueHeads} of keys", "a multiple");
        if (HeadWidth % 2 != 0)
            throw Refused($"a head width of {HeadWidth}", "an even one, which rotary positions need");
        if (!(NormEpsilon >= 0 && double.IsFinite(NormEpsilon)) || !(RopeBase > 0 && double.IsFinite(RopeBase)))
            throw Refused(FormattableString.Invariant($"a norm epsilon of {NormEpsilon} and a rotary base of {RopeBase}"), "finite numbers, the base above 0");
        RopeScaling?.Check(where);
        return this;

        InputException Refused(string found, string expected) => InputException.At(where, found, expected, "The file is damaged, or of another kind of model.");
    }
}

/// <summary>How rotary frequencies are stretched.</summary>
/// <param name="Kind">Linear, or by wavelength as Llama 3.1 does.</param>
/// <param name="Factor">How much.</param>
public sealed record RopeScaling(RopeScalingKind Kind, double Factor)
{
    /// <summary>Of Llama 3: wavelengths longer than the original context over this are stretched wholly.</summary>
    public double LowFrequency { get; init; } = 1;

    /// <summary>Of Llama 3: wavelengths shorter than the original context over this are left alone.</summary>
    public double HighFrequency { get; init; } = 4;

    /// <summary>Of Llama 3: the context the model was first trained on.</summary>
    public int OriginalContext { get; init; } = 8192;

    /// <summary>The frequency that takes the place of another.</summary>
    public double Of(double frequency)
    {
        if (Kind == RopeScalingKind.Linear)
            return frequency / Factor;
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < OriginalContext / HighFrequency)
            return frequency;
        if (wavelength > OriginalContext / LowFrequency)
            return frequency / Factor;
        double smooth = (OriginalContext / wavelength - LowFrequency) / (HighFrequency - LowFrequency);
        return (1 - smooth) * frequency / Factor + smooth * frequency;
    }

    internal void Check(string where)
    {
        if (!(Factor > 0 && double.IsFinite(Factor) && HighFrequency > LowFrequency && LowFrequency > 0 && OriginalContext > 0))
            throw InputException.At(where, FormattableString.Invariant($"rotary scaling by {Factor}, frequencies {LowFrequency} to {HighFrequency}, context {OriginalContext}"), "a factor above 0 and rising frequencies", "The configuration is damaged.");
    }
}

/// <summary>Kinds of <see cref="RopeScaling"/>.</summary>
public enum RopeScalingKind
{
    /// <summary>All frequencies divided by the factor.</summary>
    Linear,

    /// <summary>Low ones divided, high ones left alone, those between them in between.</summary>
    Llama3,
}
