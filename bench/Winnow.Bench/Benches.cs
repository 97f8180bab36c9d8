using Winnow.Core;

namespace Winnow.Bench;

/// <summary>All measurements, in the order in which they are printed.</summary>
public static class Benches
{
    /// <summary>The cases; <c>winnow bench NAME</c> runs those of one name.</summary>
    public static IReadOnlyList<BenchCase> Cases { get; } = [.. TrainingStep.Cases, .. OnlineReplay.Cases, .. SparseProductsBench.Cases, .. KrylovRecycling.Cases, .. Tiles.Cases, .. LanguageDecode.Cases, .. CacheAttention.Cases, .. KernelEstimators.Cases, .. KernelAgreement.Cases, .. KernelRecovery.Cases];
}
