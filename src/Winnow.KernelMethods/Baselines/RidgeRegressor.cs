using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>A <see cref="KernelRidge"/> on numbers instead of ones and zeros; every observation has the variance by which rows left out were missed.</summary>
/// <param name="ridge">The ridge.</param>
public sealed class RidgeRegressor(KernelRidge ridge) : IRegressor
{
    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        double mean = rows.Y.mean().item<double>();
        var (fitted, leftOut) = ridge.Fit(rows.X, (rows.Y - mean).unsqueeze(1), true, cancellation);
        return new Fitted(fitted, mean, leftOut);
    }

    private sealed class Fitted(FittedKernel kernel, double mean, double leftOut) : IFittedRegressor
    {
        public IReadOnlyDictionary<string, double> Report => kernel.Report;

        public Prediction Predict(Tensor x)
        {
            using var scope = NewDisposeScope();
            var expected = kernel.Scores(x).squeeze(1) + mean;
            return new Prediction(expected, full_like(expected, Math.Max(leftOut, double.Epsilon))).ToOuterScope();
        }

        public void Dispose() => kernel.Dispose();
    }
}
