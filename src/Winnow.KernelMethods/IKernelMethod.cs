using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The interface of the arena. What stands in its catalogue does one thing each: classes of rows (<see cref="IClassifier"/>), numbers of rows (<see cref="IRegressor"/>), groups of rows or of a graph's nodes
/// (<see cref="IClusterer"/>, <see cref="IGraphClusterer"/>), parts of rows (<see cref="IDictionaryLearner"/>), points to measure at, sequences, labels by their distances, tasks in a stream. Keeps nothing of one call for the next.</summary>
public interface IKernelMethod
{
}

/// <summary>Learns from rows with labels what to say of others.</summary>
public interface IClassifier : IKernelMethod
{
    /// <summary>Learns.</summary>
    /// <param name="rows">What there is to learn from.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Rows that the method cannot learn from, with what they are and the remedy.</exception>
    IFitted Fit(TrainingRows rows, CancellationToken cancellation = default);
}

/// <summary>What was learned: immutable, for any number of threads.</summary>
public interface IFitted : IDisposable
{
    /// <summary>How well each class fits each row: float64 [m, classes], the largest is the answer. The current dispose scope owns it.</summary>
    Tensor Scores(Tensor x);

    /// <summary>What was found on the way: a jitter that was needed, a gap that is left, what was chosen.</summary>
    IReadOnlyDictionary<string, double> Report { get; }
}

/// <summary>Rows with labels.</summary>
public sealed class TrainingRows
{
    /// <summary>Rows with labels.</summary>
    /// <param name="x">Float64 [n, d]; not owned.</param>
    /// <param name="labels">One a row, from 0.</param>
    /// <param name="classes">Classes, those without a row included.</param>
    /// <exception cref="InputException">No row, sizes that do not fit, a label that is no class, or a number that is none.</exception>
    public TrainingRows(Tensor x, IReadOnlyList<int> labels, int classes)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(labels);
        if (x.dim() != 2 || x.dtype != ScalarType.Float64 || x.shape[0] == 0 || x.shape[1] == 0)
            throw InputException.At("rows", $"{x.dtype} [{string.Join(", ", x.shape)}]", "float64 [n, d] of at least one row and one feature", "Give rows as a matrix.");
        if (labels.Count != x.shape[0])
            throw InputException.At("labels", $"{labels.Count} of them", $"{x.shape[0]}, one a row", "Give rows and labels of the same length.");
        if (labels.FirstOrDefault(l => l < 0 || l >= classes, -1) is var bad and not -1 || classes < 1)
            throw InputException.At("labels", $"{labels.First(l => l < 0 || l >= classes)}", $"0 to {classes - 1}", "Number the classes from 0.");
        Finite.Require(x, "rows");
        (X, Labels, Classes) = (x, labels, classes);
    }

    /// <summary>Rows, float64 [n, d].</summary>
    public Tensor X { get; }

    /// <summary>One a row.</summary>
    public IReadOnlyList<int> Labels { get; }

    /// <summary>Classes.</summary>
    public int Classes { get; }

    /// <summary>A vector that stands for each class before any row is seen, float64 [classes, d], such as the embedding of its name; null where there is none.</summary>
    public Tensor? Names { get; init; }

    /// <summary>Squared distances of the classes from each other, float64 [classes, classes], such as steps in a hierarchy; null where there are none.</summary>
    public Tensor? Distances { get; init; }

    /// <summary>More rows with labels, from which a method chooses what its options leave open; null for none.</summary>
    public TrainingRows? Validation { get; init; }

    /// <summary>Rows without labels that will be asked for, float64 [m, d], for methods that are told to let them shape what is learned; null for none.</summary>
    public Tensor? Unlabelled { get; init; }

    /// <summary>Ones where the label is and zeros elsewhere, float64 [n, classes].</summary>
    public Tensor OneHot()
    {
        double[] values = new double[(long)Labels.Count * Classes];
        for (int i = 0; i < Labels.Count; i++)
            values[(long)i * Classes + Labels[i]] = 1;
        return Aligned.Of(values, Labels.Count, Classes);
    }
}

/// <summary>Refuses numbers that are none.</summary>
internal static class Finite
{
    public static void Require(Tensor x, string what)
    {
        using var scope = NewDisposeScope();
        var bad = x.isfinite().logical_not().nonzero();
        if (bad.shape[0] > 0)
        {
            long row = bad[0, 0].item<long>(), column = bad[0, 1].item<long>();
            throw InputException.At(what, FormattableString.Invariant($"{x[row, column].to(ScalarType.Float64).item<double>()} in row {row}, column {column}"), "finite numbers", "Fill the gap or leave the row out.");
        }
    }

    /// <summary>Refuses rows of another width than those learned from, and numbers that are none.</summary>
    public static void Rows(Tensor x, long features)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.dim() != 2 || x.shape[1] != features || x.dtype != ScalarType.Float64)
            throw InputException.At("rows", $"{x.dtype} [{string.Join(", ", x.shape)}]", $"float64 [n, {features}], as what was learned from", "Give the same features.");
        Require(x, "rows");
    }
}

/// <summary>What the arena hands to every method.</summary>
/// <param name="Random">A source of chance for a purpose.</param>
public sealed record KernelSetup(Func<string, SeededRandom> Random);
