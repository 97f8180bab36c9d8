namespace Winnow.KernelMethods;

/// <summary>Ridge regression on the rows themselves, with an intercept: <see cref="KernelRidge"/> with <c>⟨x, y⟩ / d + 1</c>. Cost O(n³ / 3).</summary>
public sealed class LinearRidge(RidgeOptions options) : IClassifier, IRegressor
{
    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return Of(options).Fit(rows, cancellation);
    }

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return Of(options).Fit(rows, cancellation);
    }

    private static KernelRidge Of(RidgeOptions options) => new(x => [new Polynomial(1, 1.0 / x.shape[1])], options);
}
