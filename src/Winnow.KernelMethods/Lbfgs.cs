namespace Winnow.KernelMethods;

/// <summary>
/// Minimises a smooth function in a box by quasi-Newton steps of limited memory (Liu and Nocedal 1989): at a bound that the gradient points beyond, a variable rests (Bertsekas 1982). A step is halved or
/// shortened by a parabola until the function falls enough (Armijo), so that a value that is no number is only a step too far. Cost one value and gradient a step as a rule, O(memory · variables) beside it.
/// </summary>
internal static class Lbfgs
{
    private const int Memory = 10, MostShortenings = 25;
    private const double Enough = 1e-4, Flat = 1e-10;

    /// <summary>A value and its gradient, written to the second argument; infinite or no number where there is none.</summary>
    public delegate double Function(double[] x, double[] gradient);

    /// <summary>Minimises.</summary>
    /// <param name="function">The function.</param>
    /// <param name="start">Where to begin, inside the box.</param>
    /// <param name="low">Least values.</param>
    /// <param name="high">Largest values.</param>
    /// <param name="steps">Most steps.</param>
    /// <param name="tolerance">Stops where a step betters the value by less than this share of it (of 1 where it is smaller).</param>
    /// <param name="evaluations">How often the function was asked.</param>
    /// <returns>Where it was least, and the value there.</returns>
    public static (double[] X, double Value) Minimise(Function function, double[] start, double[] low, double[] high, int steps, double tolerance, out int evaluations)
    {
        int n = start.Length;
        double[] x = [.. start], gradient = new double[n];
        double value = function(x, gradient);
        evaluations = 1;
        var pairs = new List<(double[] S, double[] Y, double Rho)>();
        for (int step = 0; step < steps && double.IsFinite(value); step++)
        {
            double[] free = [.. Enumerable.Range(0, n).Select(i => x[i] <= low[i] && gradient[i] > 0 || x[i] >= high[i] && gradient[i] < 0 ? 0 : gradient[i])];
            double size = Math.Sqrt(Dot(free, free));
            if (size < Flat * (1 + Math.Abs(value)))
                break;
            double[] direction = Direction(free, pairs);
            for (int i = 0; i < n; i++)
                direction[i] = free[i] == 0 ? 0 : direction[i];
            if (Dot(direction, free) > -Flat * size * Math.Sqrt(Dot(direction, direction)))
            {
                pairs.Clear();
                direction = [.. free.Select(g => -g)];
            }
            double length = pairs.Count == 0 ? Math.Min(1, 1 / size) : 1, next = double.NaN;
            double[] to = new double[n], there = new double[n];
            bool found = false;
            for (int shorter = 0; shorter < MostShortenings && !found; shorter++)
            {
                for (int i = 0; i < n; i++)
                    to[i] = Math.Clamp(x[i] + length * direction[i], low[i], high[i]);
                next = function(to, there);
                evaluations++;
                double slope = Enumerable.Range(0, n).Sum(i => gradient[i] * (to[i] - x[i]));
                if (double.IsFinite(next) && next <= value + Enough * slope)
                    found = true;
                else
                    length *= double.IsFinite(next) ? Math.Clamp(-slope / (2 * (next - value - slope)), 0.1, 0.5) : 0.2;
            }
            if (!found)
                break;
            double[] s = [.. to.Zip(x, (a, b) => a - b)], y = [.. there.Zip(gradient, (a, b) => a - b)];
            double curvature = Dot(s, y);
            if (curvature > Flat * Dot(y, y))
                pairs.Add((s, y, 1 / curvature));
            if (pairs.Count > Memory)
                pairs.RemoveAt(0);
            bool done = value - next < tolerance * Math.Max(1, Math.Abs(value));
            (x, value, gradient) = (to, next, there);
            if (done)
                break;
        }
        return (x, value);
    }

    private static double[] Direction(double[] gradient, List<(double[] S, double[] Y, double Rho)> pairs)
    {
        double[] q = [.. gradient.Select(g => -g)], along = new double[pairs.Count];
        for (int k = pairs.Count - 1; k >= 0; k--)
        {
            along[k] = pairs[k].Rho * Dot(pairs[k].S, q);
            Add(q, pairs[k].Y, -along[k]);
        }
        if (pairs.Count > 0)
            for (int i = 0; i < q.Length; i++)
                q[i] /= pairs[^1].Rho * Dot(pairs[^1].Y, pairs[^1].Y);
        for (int k = 0; k < pairs.Count; k++)
            Add(q, pairs[k].S, along[k] - pairs[k].Rho * Dot(pairs[k].Y, q));
        return q;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    private static void Add(double[] to, double[] what, double times)
    {
        for (int i = 0; i < to.Length; i++)
            to[i] += times * what[i];
    }
}
