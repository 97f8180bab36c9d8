using System.ComponentModel;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="RandomClass"/>.</summary>
public sealed record RandomClassOptions
{
    /// <summary>Whether only classes outside the locus are drawn.</summary>
    [Description("only of classes outside the locus; otherwise of all that are not observed")]
    public bool Outside { get; init; } = true;
}

/// <summary>The next class is drawn. Cost O(observed² V).</summary>
public sealed class RandomClass(RandomClassOptions options) : IClassPicker
{
    /// <inheritdoc/>
    public int? Next(LabelMetric metric, IReadOnlyCollection<int> observed, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(metric);
        ArgumentNullException.ThrowIfNull(random);
        int[] locus = metric.Locus(observed);
        int[] left = [.. Enumerable.Range(0, metric.Labels).Except(options.Outside ? locus : observed)];
        return left.Length == 0 || locus.Length == metric.Labels ? null : left[random.Next(left.Length)];
    }
}
