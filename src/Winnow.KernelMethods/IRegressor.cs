using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Learns from rows with a number each what to expect of others.</summary>
public interface IRegressor : IKernelMethod
{
    /// <summary>Learns.</summary>
    /// <param name="rows">What there is to learn from.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Rows that the method cannot learn from, with what they are and the remedy.</exception>
    IFittedValues Fit(TrainingValues rows, CancellationToken cancellation = default);
}

/// <summary>What was learned: immutable, for any number of threads.</summary>
public interface IFittedValues : IDisposable
{
    /// <summary>What is expected of rows, float64 [m, d].</summary>
    Expectation Predict(Tensor x);

    /// <summary>What was found on the way: an evidence, a jitter that was needed, what was chosen.</summary>
    IReadOnlyDictionary<string, double> Report { get; }
}

/// <summary>What is expected of rows; the dispose scope of the call owns both.</summary>
/// <param name="Mean">The number, float64 [m].</param>
/// <param name="Variance">How far a new measurement is from it on average, squared, noise included: float64 [m]; null where the method does not say.</param>
public sealed record Expectation(Tensor Mean, Tensor? Variance = null);

/// <summary>Rows with a number each.</summary>
public sealed class TrainingValues
{
    /// <summary>Rows with numbers.</summary>
    /// <param name="x">Float64 [n, d]; not owned.</param>
    /// <param name="y">Float64 [n]; not owned.</param>
    /// <exception cref="InputException">No row, sizes that do not fit, or a number that is none.</exception>
    public TrainingValues(Tensor x, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        if (x.dim() != 2 || x.dtype != ScalarType.Float64 || x.shape[0] == 0 || x.shape[1] == 0)
            throw InputException.At("rows", $"{x.dtype} [{string.Join(", ", x.shape)}]", "float64 [n, d] of at least one row and one feature", "Give rows as a matrix.");
        if (y.dim() != 1 || y.dtype != ScalarType.Float64 || y.shape[0] != x.shape[0])
            throw InputException.At("values", $"{y.dtype} [{string.Join(", ", y.shape)}]", $"float64 [{x.shape[0]}], one a row", "Give rows and values of the same length.");
        Finite.Require(x, "rows");
        using var scope = NewDisposeScope();
        Finite.Require(y.unsqueeze(1), "values");
        (X, Y) = (x, y);
    }

    /// <summary>Rows, float64 [n, d].</summary>
    public Tensor X { get; }

    /// <summary>One a row, float64 [n].</summary>
    public Tensor Y { get; }
}
