using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Learns from rows with a number each what number others have.</summary>
public interface IRegressor : IKernelMethod
{
    /// <summary>Learns.</summary>
    /// <param name="rows">What there is to learn from.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Rows that the method cannot learn from, with what they are and the remedy.</exception>
    IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default);
}

/// <summary>What was learned: immutable, for any number of threads.</summary>
public interface IFittedRegressor : IDisposable
{
    /// <summary>What number each row is expected to have, and how far from it one that is observed may lie.</summary>
    /// <param name="x">Rows, float64 [m, d].</param>
    Prediction Predict(Tensor x);

    /// <summary>What was found on the way: a jitter that was needed, what was chosen.</summary>
    IReadOnlyDictionary<string, double> Report { get; }
}

/// <summary>Numbers that are expected.</summary>
/// <param name="Mean">Float64 [m]; the dispose scope of the call owns it.</param>
/// <param name="Variance">Of an observation, its noise included, float64 [m]; null where the method has none.</param>
public sealed record Prediction(Tensor Mean, Tensor? Variance)
{
    /// <summary>Half of a band that holds 95% of normal numbers, in deviations.</summary>
    public const double Band = 1.959963984540054;

    /// <summary>Hands both to the outer dispose scope.</summary>
    internal Prediction ToOuterScope()
    {
        Mean.MoveToOuterDisposeScope();
        Variance?.MoveToOuterDisposeScope();
        return this;
    }
}

/// <summary>Rows with a number each.</summary>
public sealed class RegressionRows
{
    /// <summary>Rows with a number each.</summary>
    /// <param name="x">Float64 [n, d]; not owned.</param>
    /// <param name="y">Float64 [n]; not owned.</param>
    /// <exception cref="InputException">Fewer than two rows, sizes that do not fit, a number that is none, or the same target everywhere.</exception>
    public RegressionRows(Tensor x, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        using var scope = NewDisposeScope();
        if (x.dim() != 2 || x.dtype != ScalarType.Float64 || x.shape[0] < 2 || x.shape[1] == 0)
            throw InputException.At("rows", $"{x.dtype} [{string.Join(", ", x.shape)}]", "float64 [n, d] of at least two rows and one feature", "Give rows as a matrix.");
        if (y.dim() != 1 || y.dtype != ScalarType.Float64 || y.shape[0] != x.shape[0])
            throw InputException.At("targets", $"{y.dtype} [{string.Join(", ", y.shape)}]", $"float64 [{x.shape[0]}], one a row", "Give rows and targets of the same length.");
        Finite.Require(x, "rows");
        Finite.Require(y.unsqueeze(1), "targets");
        if (y.max().item<double>() == y.min().item<double>())
            throw InputException.At("targets", FormattableString.Invariant($"{y[0].item<double>()} in each of {y.shape[0]} rows"), "numbers that differ", "Give other targets: there is nothing to learn.");
        (X, Y) = (x, y);
    }

    /// <summary>Rows, float64 [n, d].</summary>
    public Tensor X { get; }

    /// <summary>Targets, float64 [n].</summary>
    public Tensor Y { get; }
}
