namespace Winnow.KernelMethods;

/// <summary>Ridge regression on the features themselves and a constant (Hoerl and Kennard 1970), of classes on ones and zeros. Solved through the rows' products, as <see cref="KernelRidge"/> is.</summary>
public sealed class LinearRidge(RidgeOptions options) : IClassifier, IRegressor
{
    private readonly KernelRidge _ridge = new(x => [new Polynomial(1, 1.0 / x.shape[1])], options);

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default) => _ridge.Fit(rows, cancellation);

    /// <inheritdoc/>
    public IFittedValues Fit(TrainingValues rows, CancellationToken cancellation = default) => _ridge.Fit(rows, cancellation);
}
