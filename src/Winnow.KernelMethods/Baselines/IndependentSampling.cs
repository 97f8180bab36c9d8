using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="LeverageSampling"/>.</summary>
public sealed record LeverageSamplingOptions
{
    /// <summary>When a draw is stable.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("drawn again until the smallest eigenvalue of G is at least this; 0: the first draw")]
    public double Stable { get; init; }

    /// <summary>Draws.</summary>
    [Range(1, 1_000_000), Description("draws before it gives up")]
    public int Tries { get; init; } = 1000;
}

/// <summary>Points drawn independently from μ, each counting the same. Cost O(n m).</summary>
public sealed class UniformSampling : IDesigner
{
    /// <inheritdoc/>
    public Design Choose(IBasis basis, int points, SeededRandom random, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        return Design.Of(basis, points, (_, x) => basis.DrawUniform(random, x.Span), weighted: false);
    }
}

/// <summary>Points drawn independently from ν = ‖φ‖² / m · μ and weighted by m / ‖φ‖², the best law for independent draws; if wished until the draw is stable (Cohen and Migliorati, SMAI JCM 3, 2017; Haberstich, Nouy and Perrin 2022). Cost O(n m) a draw, O(n m² + m³) with the condition.</summary>
public sealed class LeverageSampling(LeverageSamplingOptions options) : IDesigner
{
    /// <inheritdoc/>
    public Design Choose(IBasis basis, int points, SeededRandom random, CancellationToken cancellation = default)
    {
        double best = 0;
        for (int i = 1; i <= options.Tries; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var design = Design.Of(basis, points, (_, x) => basis.DrawLeverage(random, x.Span), weighted: true);
            double smallest = options.Stable > 0 ? design.SmallestEigenvalue : 0;
            if (smallest >= options.Stable)
                return design with { Tries = i };
            best = Math.Max(best, smallest);
        }
        throw InputException.At("points", FormattableString.Invariant($"{points} for {basis.Size} functions, whose smallest eigenvalue was at most {best:G3} in {options.Tries:N0} draws"), FormattableString.Invariant($"one of at least {options.Stable}"), "Take more points or a smaller stable.");
    }
}
