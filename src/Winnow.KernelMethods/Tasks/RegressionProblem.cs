using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>What is learned from, what is asked, and what the numbers are, in deviations from the mean of those learned from.</summary>
/// <param name="Train">Rows learned from.</param>
/// <param name="X">Rows asked for, float64 [m, d].</param>
/// <param name="Y">Their numbers.</param>
internal sealed record RegressionProblem(RegressionRows Train, Tensor X, double[] Y)
{
    private const int Sample = 10_000;

    /// <summary>Rows of a user's data.</summary>
    public static RegressionProblem Of(TargetData data, RegressOptions o, Func<string, SeededRandom> random)
    {
        int[] order = [.. Enumerable.Range(0, data.Count)];
        random("split").Shuffle(order);
        int test = Math.Min(o.Test, data.Count / 2);
        return Of(data, [.. order[test..].Take(o.Rows)], order[..test]);
    }

    /// <summary>Rows of a user's data, scaled by the mean and deviation of those learned from.</summary>
    /// <exception cref="InputException">Those all have the same number.</exception>
    public static RegressionProblem Of(TargetData data, int[] train, int[] test)
    {
        var scale = Standardiser.Fit(data.Rows, train);
        Tensor Rows(int[] rows)
        {
            float[] values = new float[(long)rows.Length * data.Rows.Width];
            data.Rows.CopyRows(rows, values);
            scale.Apply(values);
            return Aligned.Of(Array.ConvertAll(values, v => (double)v), rows.Length, data.Rows.Width);
        }
        double[] all = data.Targets.ToArray();
        return Scaled(Rows(train), [.. train.Select(i => all[i])], Rows(test), [.. test.Select(i => all[i])]);
    }

    /// <summary>
    /// Values of a function with noise. Friedman's (1991) of ten inputs from 0 to 1: <c>10 sin(π x₁x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅</c>. A wave of one: <c>sin 2x + x / 3</c> from −3 to 3.
    /// </summary>
    public static RegressionProblem Made(RegressOptions o, Func<string, SeededRandom> random)
    {
        using var scope = NewDisposeScope();
        var source = random("made");
        int d = o.Made == "friedman" ? 10 : 1;
        double Of(double[] x) => d == 1 ? Math.Sin(2 * x[0]) + x[0] / 3
            : 10 * Math.Sin(Math.PI * x[0] * x[1]) + 20 * (x[2] - 0.5) * (x[2] - 0.5) + 10 * x[3] + 5 * x[4];
        double[] Row() => [.. Enumerable.Range(0, d).Select(_ => d == 1 ? 6 * source.NextDouble() - 3 : source.NextDouble())];
        double[] sample = [.. Enumerable.Range(0, Sample).Select(_ => Of(Row()))];
        double centre = sample.Average(), noise = o.Noise * Math.Sqrt(sample.Average(v => (v - centre) * (v - centre)));
        (Tensor X, double[] Y) Drawn(int count)
        {
            double[][] rows = [.. Enumerable.Range(0, count).Select(_ => Row())];
            return (Aligned.Of([.. rows.SelectMany(r => r)], count, d), [.. rows.Select(r => Of(r) + noise * source.NextNormal())]);
        }
        var (x, y) = Drawn(o.Rows);
        var (asked, numbers) = Drawn(o.Test);
        var mean = x.mean([0], keepdim: true);
        var deviation = (x - mean).square().mean([0], keepdim: true).sqrt();
        var problem = Scaled(((x - mean) / deviation).MoveToOuterDisposeScope(), y, ((asked - mean) / deviation).MoveToOuterDisposeScope(), numbers);
        problem.Train.Y.MoveToOuterDisposeScope();
        return problem;
    }

    /// <summary>Numbers in deviations from the mean of those learned from.</summary>
    public static RegressionProblem Scaled(Tensor x, double[] y, Tensor asked, double[] numbers)
    {
        double mean = y.Average(), deviation = Math.Sqrt(y.Average(v => (v - mean) * (v - mean)));
        if (!(deviation > 0))
            throw InputException.At("targets", FormattableString.Invariant($"{y[0]} in each of the {y.Length} rows learned from"), "numbers that differ", "Learn from more rows, or name another column.");
        return new(new(x, Aligned.Of([.. y.Select(v => (v - mean) / deviation)], y.Length)), asked, [.. numbers.Select(v => (v - mean) / deviation)]);
    }
}
