using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="RandomForest"/>.</summary>
public sealed record RandomForestOptions
{
    /// <summary>Trees.</summary>
    [Range(1, 100_000), Description("trees")]
    public int Trees { get; init; } = 100;
}

/// <summary>
/// Trees, each grown on rows drawn with replacement, every split the best in Gini's impurity of √d features drawn for it, to pure leaves; scores are the mean of the leaves' shares (Breiman, Random
/// forests, Machine Learning 45, 2001); of numbers <see cref="RandomForestValues"/>. Cost O(trees · √d · n log² n).
/// </summary>
/// <param name="setup">Draws rows and features.</param>
/// <param name="options">How many.</param>
public sealed class RandomForest(KernelSetup setup, RandomForestOptions options) : IClassifier, IRegressor
{
    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default) => new RandomForestValues(setup, options).Fit(rows, cancellation);

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return new ForestRc(setup, new() { Rotation = "none", Forests = 1, Trees = options.Trees }).Fit(rows, cancellation);
    }
}
