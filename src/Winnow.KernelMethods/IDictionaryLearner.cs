using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Learns the parts that rows are made of.</summary>
public interface IDictionaryLearner : IKernelMethod
{
    /// <summary>Learns.</summary>
    /// <param name="y">Rows, float64 [n, d]; not owned.</param>
    /// <param name="parts">How many parts, at least 1 and no more than rows.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Rows that the method cannot learn from, with what they are and the remedy.</exception>
    ILearnedParts Learn(Tensor y, int parts, CancellationToken cancellation = default);
}

/// <summary>Parts, and how much of each a row has: immutable, for any number of threads. The current dispose scope owns what it returns.</summary>
public interface ILearnedParts : IDisposable
{
    /// <summary>The parts as columns, float64 [d, parts].</summary>
    Tensor Dictionary { get; }

    /// <summary>How much of each part a row has, float64 [m, parts].</summary>
    /// <param name="y">Rows [m, d].</param>
    Tensor Codes(Tensor y);

    /// <summary>What the parts make of a row, float64 [m, d].</summary>
    /// <param name="y">Rows [m, d].</param>
    Tensor Reconstruct(Tensor y);

    /// <summary>The log-density of each row, in nats, float64 [m]; of a model that leaves states out a lower bound.</summary>
    /// <param name="y">Rows [m, d].</param>
    Tensor LogLikelihood(Tensor y);

    /// <summary>What was found on the way, such as <c>pi</c>, how often a part is there, and <c>sigma</c>, the deviation of noise.</summary>
    IReadOnlyDictionary<string, double> Report { get; }
}

/// <summary>Refuses rows that are none.</summary>
internal static class PartRows
{
    public static void Require(Tensor y, int parts)
    {
        ArgumentNullException.ThrowIfNull(y);
        if (y.dim() != 2 || y.dtype != ScalarType.Float64 || y.shape[0] == 0 || y.shape[1] == 0)
            throw InputException.At("rows", $"{y.dtype} [{string.Join(", ", y.shape)}]", "float64 [n, d] of at least one row and one feature", "Give rows as a matrix.");
        if (parts < 1 || parts > y.shape[0])
            throw InputException.At("parts", $"{parts}", $"1 to {y.shape[0]}, the rows", "Take fewer parts, or give more rows.");
        Finite.Require(y, "rows");
    }

    public static void Width(Tensor y, long expected)
    {
        ArgumentNullException.ThrowIfNull(y);
        if (y.dim() != 2 || y.dtype != ScalarType.Float64 || y.shape[1] != expected)
            throw new ArgumentException($"rows {y.dtype} [{string.Join(", ", y.shape)}]; expected float64 [m, {expected}], as learned from", nameof(y));
        Finite.Require(y, "rows");
    }
}
