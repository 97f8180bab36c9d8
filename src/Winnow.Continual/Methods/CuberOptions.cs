using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>Options of <see cref="Cuber"/>: those of <see cref="Gpm"/>, and when and how updates may enter old subspaces.</summary>
public sealed record CuberOptions : GpmOptions
{
    /// <summary>ε₁.</summary>
    [Range(0.0, 2.0), Description("share ε₁ of the new gradient's norm inside an old task's subspace from which on the two are related; above 1 never, which is GPM")]
    public double Epsilon1 { get; init; } = 0.5;

    /// <summary>ε₂.</summary>
    [Range(-1.0, 1.0), Description("cosine ε₂ between the old task's gradient and the new one from which on they agree")]
    public double Epsilon2 { get; init; }

    /// <summary>λ.</summary>
    [Range(0.0, 1000.0), Description("weight λ of how far the weights move inside the subspaces of agreeing tasks; the paper states none, its code has 2")]
    public double Lambda { get; init; } = 2;

    /// <summary>Step size of the scales.</summary>
    [Range(0.0, 10.0), Description("step size of the scales as a share of the weights' (1 in the paper, whose steps are ten times smaller); 0 for no scales")]
    public double ScaleRate { get; init; } = 0.1;

    /// <summary>Related old tasks a layer.</summary>
    [Range(1, 1000), Description("old tasks a layer may be related to at once: those that the new gradient reaches most")]
    public int Related { get; init; } = 2;

    /// <summary>How often agreement is checked.</summary>
    [Range(1, 1_000_000), Description("steps between checks that the gradients still agree; 1 as in the paper, a task's steps a pass for the released code's once an epoch")]
    public int CheckEvery { get; init; } = 1;
}
