using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Parameters of a kernel that let support vector machines separate classes by the widest margins: they minimise the sum over pairs of classes of the dual optimum <c>max Σα − ½ Σ αᵢαⱼyᵢyⱼKᵢⱼ</c>, over the rows. At the optimum α only K depends on them
/// to first order (Danskin), so that the gradient is <c>−½ Σ αᵢαⱼyᵢyⱼ ∂Kᵢⱼ</c>, differences of the matrix on both sides. Cost 1 + 2 · parameters matrices a value, by L-BFGS in a box, after each parameter in turn was set to the best of some values: there are many minima.
/// </summary>
internal static class KernelAlignment
{
    private const double Step = 1e-4, Tolerance = 1e-5;

    /// <summary>Learns.</summary>
    /// <param name="gram">The matrix of the rows [n, n] by parameters; the current dispose scope owns it.</param>
    /// <param name="labels">One a row.</param>
    /// <param name="c">C.</param>
    /// <param name="start">Where to begin.</param>
    /// <param name="low">Least parameters.</param>
    /// <param name="high">Largest parameters.</param>
    /// <param name="tried">Values that are tried of each parameter first, beside where it is.</param>
    /// <param name="steps">Most steps.</param>
    /// <param name="cancellation">Stops between values.</param>
    /// <returns>Parameters, and the objective at the start and there.</returns>
    public static (double[] At, double Before, double After) Learn(Func<double[], Tensor> gram, IReadOnlyList<int> labels, double c, double[] start, double[] low, double[] high, Func<int, IReadOnlyList<double>> tried, int steps, CancellationToken cancellation)
    {
        double Cost(double[] at, double[]? gradient)
        {
            cancellation.ThrowIfCancellationRequested();
            return Dual(gram, labels, c, at, gradient);
        }
        double before = Cost(start, null), least = before;
        for (int p = 0; p < start.Length; p++)
            foreach (double value in tried(p))
            {
                double[] there = [.. start];
                there[p] = value;
                if (Cost(there, null) is var cost && cost < least)
                    (least, start) = (cost, there);
            }
        var (at, after) = Lbfgs.Minimise(Cost, start, low, high, steps, Tolerance, out _);
        return (at, before, after);
    }

    /// <summary>The objective and its gradient.</summary>
    internal static double Dual(Func<double[], Tensor> gram, IReadOnlyList<int> labels, double c, double[] at, double[]? gradient)
    {
        using var scope = NewDisposeScope();
        int n = labels.Count;
        double[] k = Values(at), weights = new double[n * n];
        int[][] classes = [.. Enumerable.Range(0, n).GroupBy(i => labels[i]).Select(g => g.ToArray())];
        double value = 0;
        for (int first = 0; first < classes.Length; first++)
            for (int second = first + 1; second < classes.Length; second++)
            {
                int[] rows = [.. classes[first], .. classes[second]];
                double[] own = [.. rows.SelectMany(i => rows.Select(j => k[i * n + j]))];
                var machine = BinaryMachine.Train(own, [.. rows.Select((_, i) => i < classes[first].Length ? 1 : -1)], c);
                for (int i = 0; i < rows.Length; i++)
                {
                    value += machine.Alpha[i];
                    for (int j = 0; j < rows.Length; j++)
                    {
                        double weight = machine.Alpha[i] * machine.Alpha[j] * machine.Labels[i] * machine.Labels[j];
                        weights[rows[i] * n + rows[j]] += weight;
                        value -= weight * own[i * rows.Length + j] / 2;
                    }
                }
            }
        for (int p = 0; gradient is not null && p < at.Length; p++)
        {
            double[] up = [.. at], down = [.. at];
            (up[p], down[p]) = (at[p] + Step, at[p] - Step);
            gradient[p] = -weights.Zip(Values(up).Zip(Values(down), (u, d) => u - d), (w, d) => w * d).Sum() / (4 * Step * n);
        }
        return value / n;

        double[] Values(double[] there)
        {
            using var inner = NewDisposeScope();
            return gram(there).data<double>().ToArray();
        }
    }
}
