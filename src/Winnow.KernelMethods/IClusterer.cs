using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Puts rows into groups.</summary>
public interface IClusterer : IKernelMethod
{
    /// <summary>Groups.</summary>
    /// <param name="x">Rows, float64 [n, d]; not owned.</param>
    /// <param name="groups">How many, at least 1 and no more than rows.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Rows that are none, or more groups than rows.</exception>
    Clusters Group(Tensor x, int groups, CancellationToken cancellation = default);
}

/// <summary>Groups of rows.</summary>
/// <param name="Labels">The group of each row, from 0.</param>
/// <param name="Report">What was found on the way: an objective, a gap that is left, how often it was begun anew.</param>
public sealed record Clusters(int[] Labels, IReadOnlyDictionary<string, double> Report)
{
    /// <summary>All unions to the last, of a method that unites two groups at a time; otherwise none.</summary>
    public IReadOnlyList<Union> Unions { get; init; } = [];

    /// <summary>Refuses rows that are none and groups that they cannot have.</summary>
    internal static void Require(Tensor x, int groups)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.dim() != 2 || x.dtype != ScalarType.Float64 || x.shape[0] == 0 || x.shape[1] == 0)
            throw InputException.At("rows", $"{x.dtype} [{string.Join(", ", x.shape)}]", "float64 [n, d] of at least one row and one feature", "Give rows as a matrix.");
        if (groups < 1 || groups > x.shape[0])
            throw InputException.At("groups", $"{groups}", $"1 to {x.shape[0]}, the rows", "Take fewer groups, or give more rows.");
        Finite.Require(x, "rows");
    }
}

/// <summary>Two groups that became one. Groups have numbers: rows or nodes from 0, and what union i made rows + i.</summary>
/// <param name="Left">One of them.</param>
/// <param name="Right">The other.</param>
/// <param name="Height">How far apart they were, in the distance of rows: for Ward's rule √2 times the root of what the union adds to the squared distances from the means, so that of two rows it is their distance.</param>
public sealed record Union(int Left, int Right, double Height);
