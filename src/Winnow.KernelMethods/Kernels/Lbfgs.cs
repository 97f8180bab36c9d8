using System.Numerics.Tensors;

namespace Winnow.KernelMethods;

/// <summary>
/// The least of a smooth function of few numbers, by L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989): directions from the last ten changes of point and gradient, halved until the function falls by a
/// ten-thousandth of what the slope says; a change along which the gradient does not grow is forgotten. Cost O(10 · numbers) beside the function.
/// </summary>
internal static class Lbfgs
{
    private const int Memory = 10, MostHalvings = 30;
    private const double Sufficient = 1e-4;

    /// <summary>A function and its gradient at a point; positive infinity where there is none.</summary>
    public delegate double Function(ReadOnlySpan<double> at, Span<double> gradient);

    /// <summary>Goes down from a point until the gradient is below a tolerance, the function falls by less than its share of it, or so many steps are taken.</summary>
    /// <param name="function">The function.</param>
    /// <param name="start">Where to begin.</param>
    /// <param name="steps">Most steps.</param>
    /// <param name="gradientTolerance">Largest part of a gradient that is nothing.</param>
    /// <param name="valueTolerance">Fall that is nothing, as a share of the larger of the value and 1.</param>
    /// <param name="cancellation">Stops between steps.</param>
    public static (double[] At, double Value) Minimise(Function function, double[] start, int steps = 100, double gradientTolerance = 1e-5, double valueTolerance = 1e-9, CancellationToken cancellation = default)
    {
        int n = start.Length;
        double[] at = [.. start], gradient = new double[n], next = new double[n], nextGradient = new double[n], direction = new double[n];
        double value = function(at, gradient);
        var changes = new List<(double[] S, double[] Y, double Curve)>();
        for (int step = 0; step < steps && TensorPrimitives.MaxMagnitude<double>(gradient) is var largest && Math.Abs(largest) > gradientTolerance; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            Direction(gradient, changes, direction);
            double slope = TensorPrimitives.Dot<double>(gradient, direction), length = changes.Count == 0 ? Math.Min(1, 1 / TensorPrimitives.Norm<double>(gradient)) : 1, reached = double.PositiveInfinity;
            for (int halving = 0; halving < MostHalvings; halving++, length /= 2)
            {
                TensorPrimitives.MultiplyAdd(direction, length, at, next);
                reached = function(next, nextGradient);
                if (reached <= value + Sufficient * length * slope)
                    break;
            }
            if (!(reached < value))
                break; // at rounding
            double[] s = new double[n], y = new double[n];
            TensorPrimitives.Subtract(next, at, s);
            TensorPrimitives.Subtract(nextGradient, gradient, y);
            if (TensorPrimitives.Dot<double>(s, y) is var curve && curve > 1e-12 * TensorPrimitives.SumOfSquares<double>(y))
                changes.Add((s, y, curve));
            if (changes.Count > Memory)
                changes.RemoveAt(0);
            double fall = value - reached;
            (at, next) = (next, at);
            (gradient, nextGradient) = (nextGradient, gradient);
            value = reached;
            if (fall <= valueTolerance * Math.Max(1, Math.Abs(value)))
                break;
        }
        return (at, value);
    }

    private static void Direction(double[] gradient, List<(double[] S, double[] Y, double Curve)> changes, double[] direction)
    {
        TensorPrimitives.Negate(gradient, direction);
        double[] weights = new double[changes.Count];
        for (int i = changes.Count - 1; i >= 0; i--)
        {
            weights[i] = TensorPrimitives.Dot<double>(changes[i].S, direction) / changes[i].Curve;
            TensorPrimitives.MultiplyAdd(changes[i].Y, -weights[i], direction, direction);
        }
        if (changes.Count > 0)
            TensorPrimitives.Multiply(direction, changes[^1].Curve / TensorPrimitives.SumOfSquares<double>(changes[^1].Y), direction);
        for (int i = 0; i < changes.Count; i++)
            TensorPrimitives.MultiplyAdd(changes[i].S, weights[i] - TensorPrimitives.Dot<double>(changes[i].Y, direction) / changes[i].Curve, direction, direction);
    }
}
