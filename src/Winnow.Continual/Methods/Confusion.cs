using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Which classes a network takes for one another.</summary>
internal static class Confusion
{
    /// <summary>How many rows of class i are taken for class j, [classes, classes] in float64: the predictions of a network in its present mode among the classes of the rows.</summary>
    public static Tensor Matrix(Network network, Batch rows, int classes)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        bool training = network.Training;
        network.Training = false;
        var said = network.Forward(rows.X).Among(ClassMask.Of(rows.Y, classes)).argmax(1);
        network.Training = training;
        return bincount(rows.Y * classes + said, minlength: classes * classes).reshape(classes, classes).to_type(ScalarType.Float64).MoveToOuterDisposeScope();
    }

    /// <summary>The two classes that are taken for one another most often, as a share of their rows; the first such pair.</summary>
    public static (int A, int B) MostConfused(Network network, Batch rows, int classes)
    {
        using var scope = NewDisposeScope();
        double[] counts = Matrix(network, rows, classes).data<double>().ToArray();
        double Of(int i, int j) => counts[i * classes + j];
        double[] total = [.. Enumerable.Range(0, classes).Select(i => Enumerable.Range(0, classes).Sum(j => Of(i, j)))];
        int[] seen = [.. Enumerable.Range(0, classes).Where(c => total[c] > 0)];
        if (seen.Length < 2)
            throw new ArgumentException($"rows of {seen.Length} class; two are needed to be confused: store rows of more classes", nameof(rows));
        return (from a in seen from b in seen where a < b select (a, b)).MaxBy(p => (Of(p.a, p.b) + Of(p.b, p.a)) / (total[p.a] + total[p.b]));
    }
}
