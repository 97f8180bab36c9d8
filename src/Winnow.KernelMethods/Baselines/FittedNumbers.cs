using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Scores of one output as the numbers that are expected: every observation has the variance by which rows left out were missed.</summary>
/// <param name="fitted">Scores [m, 1], which it owns.</param>
/// <param name="mean">What is added to them.</param>
/// <param name="variance">Of an observation.</param>
internal sealed class FittedNumbers(IFitted fitted, double mean, double variance) : IFittedRegressor
{
    public IReadOnlyDictionary<string, double> Report => fitted.Report;

    public Prediction Predict(Tensor x)
    {
        using var scope = NewDisposeScope();
        var expected = fitted.Scores(x).squeeze(1) + mean;
        return new Prediction(expected, full_like(expected, Math.Max(variance, double.Epsilon))).ToOuterScope();
    }

    public void Dispose() => fitted.Dispose();
}
