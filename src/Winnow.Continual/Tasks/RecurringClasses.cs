using Winnow.Core;

namespace Winnow.Continual;

/// <summary>
/// The classes of the tasks of a recurring stream: which come, how often, and in which company. Independent of data and learner: the same
/// seed gives the same sequence.
/// <para>Paper: Lesort, Ostapenko, Misra, Arefin, Rodríguez, Charlin and Rish, Challenging Common Assumptions about Catastrophic Forgetting, CoLLAs 2023
/// (arXiv 2207.04543).</para>
/// </summary>
public static class RecurringClasses
{
    private const int MostCombinations = 200_000;

    /// <summary>
    /// The probabilities of N classes from the most to the least frequent: <c>p_i ∝ (1 − f·i)^e</c>, i = 0, ..., N − 1, with f = 0.01 for
    /// N = 100 and 0.05 otherwise. e = 0 is uniform; the larger e, the lower the entropy.
    /// </summary>
    /// <exception cref="ArgumentException">The ramp falls below zero: more than 21 classes, not 100.</exception>
    public static double[] Probabilities(int classes, double exponent)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(exponent);
        double factor = classes == 100 ? 0.01 : 0.05, least = 1 - factor * (classes - 1);
        if (exponent > 0 && least < -1e-12)
            throw new ArgumentException(FormattableString.Invariant($"With {classes} classes the rarest would have the probability ({least:G3})^{exponent}; expected at most 21 classes, or 100: use exponent 0."), nameof(exponent));
        double[] p = [.. Enumerable.Range(0, classes).Select(i => exponent == 0 ? 1 : Math.Pow(Math.Max(0, 1 - factor * i), exponent))];
        double sum = p.Sum();
        return [.. p.Select(v => v / sum)];
    }

    /// <summary>The entropy of probabilities, in nats.</summary>
    public static double Entropy(IEnumerable<double> probabilities) => -probabilities.Where(p => p > 0).Sum(p => p * Math.Log(p));

    /// <summary>The classes of every task, ascending within a task.</summary>
    /// <param name="classes">Number of classes N.</param>
    /// <param name="options">How they are drawn.</param>
    /// <param name="random">Where from.</param>
    /// <exception cref="InputException">The options do not fit each other or the number of classes.</exception>
    public static IReadOnlyList<int[]> Draw(int classes, RecurringOptions options, SeededRandom random)
    {
        Check(classes, options);
        int tasks = options.Steps!.Value, size = options.ClassesPerTask;
        int[] order = [.. Enumerable.Range(0, classes)];
        random.Shuffle(order); // which class is how frequent, and which half it belongs to
        double[] p = new double[classes];
        foreach (var (c, value) in order.Zip(Probabilities(classes, options.EntropyDecrease)))
            p[c] = value;
        var combinations = options.PairsFraction < 1 ? Combinations(classes, size, options.PairsFraction, random) : null;
        var result = new List<int[]>();
        for (int t = 0; t < tasks; t++)
        {
            bool second = t >= (tasks + 1) / 2;
            int[] open = options.Halves switch
            {
                StreamHalves.Forgetting when second => order[..((classes + 1) / 2)],
                StreamHalves.Incremental => second ? order[((classes + 1) / 2)..] : order[..((classes + 1) / 2)],
                _ => order,
            };
            int[] task = combinations is not null ? One(combinations, c => c.Aggregate(1.0, (product, i) => product * p[i]), random)
                : options.Cyclic ? Cycle(order, t, size, options.Replacement, random)
                : WithoutReplacement(open, size, c => p[c], random);
            result.Add([.. task.Order()]);
            foreach (int c in task)
                p[c] /= options.ProbReduction;
            double sum = p.Sum();
            for (int c = 0; c < classes; c++)
                p[c] /= sum;
        }
        return result;
    }

    /// <summary>Refuses options that do not fit each other or the number of classes.</summary>
    /// <exception cref="InputException">They do not.</exception>
    public static void Check(int classes, RecurringOptions options)
    {
        int open = options.Halves == StreamHalves.All ? classes : classes / 2, never = options.EntropyDecrease > 0 && classes == 21 ? 1 : 0;
        if (options.ClassesPerTask > open - never)
            throw InputException.At("task.classes-per-task", $"{options.ClassesPerTask}", $"at most {open - never}, the classes of the data that can come at a time", "Lower it.");
        if (options.EntropyDecrease > 0 && classes is > 21 and not 100)
            throw InputException.At("task.entropy-decrease", FormattableString.Invariant($"{options.EntropyDecrease} with {classes} classes"), "0, or at most 21 classes, or 100", "The paper's probabilities would turn negative: use 0.");
        if ((options.PairsFraction < 1 ? 1 : 0) + (options.Cyclic ? 1 : 0) + (options.Halves != StreamHalves.All ? 1 : 0) > 1)
            throw InputException.At("task.pairs-fraction, task.cyclic, task.halves", "several of them set", "at most one", "Each is an order of its own: drop the others.");
        if (options.PairsFraction < 1 && Count(classes, options.ClassesPerTask) > MostCombinations)
            throw InputException.At("task.pairs-fraction", $"{options.ClassesPerTask} of {classes} classes: too many combinations to draw some of them", $"at most {MostCombinations} combinations", "Use fewer classes a task, or pairs-fraction=1.");
    }

    /// <summary>Distinct items, drawn one after the other with probabilities proportional to their weights.</summary>
    private static int[] WithoutReplacement(int[] items, int count, Func<int, double> weight, SeededRandom random)
    {
        var left = items.Order().ToList();
        var drawn = new int[count];
        for (int i = 0; i < count; i++)
        {
            drawn[i] = One(left, weight, random);
            left.Remove(drawn[i]);
        }
        return drawn;
    }

    private static T One<T>(List<T> items, Func<T, double> weight, SeededRandom random)
    {
        double at = random.NextDouble() * items.Sum(weight);
        foreach (var item in items)
            if ((at -= weight(item)) < 0)
                return item;
        return items.Last(i => weight(i) > 0); // rounding
    }

    /// <summary>The classes in a fixed order over and over, each replaced by a class not in the task with some probability.</summary>
    private static int[] Cycle(int[] order, int task, int size, double replacement, SeededRandom random)
    {
        int[] classes = [.. Enumerable.Range(0, size).Select(i => order[(int)(((long)task * size + i) % order.Length)])];
        for (int i = 0; i < size && size < order.Length; i++)
            if (random.NextDouble() < replacement)
            {
                int[] others = [.. order.Except(classes)];
                classes[i] = others[random.Next(others.Length)];
            }
        return classes;
    }

    /// <summary>Some of all combinations of classes, at least one.</summary>
    private static List<int[]> Combinations(int classes, int size, double share, SeededRandom random)
    {
        var all = new List<int[]> { Array.Empty<int>() };
        for (int i = 0; i < size; i++)
            all = [.. all.SelectMany(c => Enumerable.Range(c.Length == 0 ? 0 : c[^1] + 1, classes - (c.Length == 0 ? 0 : c[^1] + 1)).Select(next => (int[])[.. c, next]))];
        int[][] shuffled = [.. all];
        random.Shuffle(shuffled);
        return [.. shuffled.Take(Math.Max(1, (int)Math.Round(share * shuffled.Length)))];
    }

    private static double Count(int classes, int size) => Enumerable.Range(1, size).Aggregate(1.0, (product, i) => product * (classes - size + i) / i);
}
