using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>Options of a video decoder and its training. The paper's decoder, for 1280x720, has 512 hidden units, maps of 9x16 with 112 channels, five blocks and channels down to 96.</summary>
public record NervOptions
{
    /// <summary>Frequencies of an encoded coordinate.</summary>
    [Range(1, 64), Description("frequencies π 1.25^i, i = 0, 1, ..., by which session and time are encoded")]
    public int Levels { get; init; } = 40;

    /// <summary>Units of the stem.</summary>
    [Range(1, 4096), Description("hidden units of the two-layer stem")]
    public int Hidden { get; init; } = 32;

    /// <summary>Channels of the stem's maps.</summary>
    [Range(1, 1024), Description("channels of the maps that the stem gives; every block halves them")]
    public int Channels { get; init; } = 48;

    /// <summary>Least channels.</summary>
    [Range(1, 1024), Description("channels that no block goes below")]
    public int LowerChannels { get; init; } = 16;

    /// <summary>Doubling blocks.</summary>
    [Range(1, 6), Description("blocks, each of which doubles height and width; by default as many as the frame's size allows, at most 3")]
    public int? Blocks { get; init; }

    /// <summary>Weight of SSIM.</summary>
    [Range(0.0, 1.0), Description("weight w of 1 - SSIM in the loss; the mean absolute error has 1 - w")]
    public double Ssim { get; init; } = 0.3;

    /// <summary>Warm-up.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("share of a session's steps in which the step size rises from a tenth to the task's; it falls to 0 by a cosine after it")]
    public double WarmUp { get; init; } = 0.2;

    /// <summary>Adam's β₁.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("decay of Adam's mean gradient")]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Bits of a stored weight.</summary>
    [Range(1, 16), Description("bits to which weights are rounded, between the smallest and the largest of their tensor, for the size that is accounted for")]
    public int Bits { get; init; } = 8;
}

/// <summary>Options of winning subnetworks.</summary>
public record WsnOptions : NervOptions
{
    /// <summary>Kept fraction.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("fraction c of each tensor's weights that a session uses")]
    public double Kept { get; init; } = 0.3;

    /// <summary>Scores anew.</summary>
    [Description("true: scores are drawn anew for each session; false: they go on from the last")]
    public bool FreshScores { get; init; }
}

/// <summary>Options of <see cref="Pfnr"/>.</summary>
public sealed record PfnrOptions : WsnOptions
{
    /// <summary>The Fourier block.</summary>
    [Range(1, 6), Description("which block, from 1, is the Fourier block")]
    public int FourierBlock { get; init; } = 2;

    /// <summary>Modes.</summary>
    [Range(2, 256), Description("rows and columns of frequencies of the Fourier block, of which the half nearest to zero on either side is used; by default all of its maps")]
    public int? Modes { get; init; }

    /// <summary>Placement.</summary>
    [Description("released: the negative rows of an enlarged spectrum lie where the authors' code leaves them; recentred: where they are negative")]
    public SpectralPlacement Placement { get; init; } = SpectralPlacement.Recentred;
}
