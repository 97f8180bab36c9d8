using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>The numbers of the arena.</summary>
internal static class Metrics
{
    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("accuracy", "right answers", "fraction", Better.Higher, "share of the rows asked for whose likeliest class is theirs"),
        new("macro_f1", "mean F1", "fraction", Better.Higher, "mean over classes of 2 right / (answered + there)"),
        new("kappa", "kappa", "fraction", Better.Higher, "Cohen's κ = (N Σ right − Σ answered · there) / (N² − Σ answered · there): 0 for answers without regard to the row, 1 for right ones"),
        new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from rows to what answers, choosing of options included"),
        new("predict_us", "time of an answer", "µs", Better.Lower, "microseconds a row, all asked for at once"),
        new("jitter", "jitter", "fraction", Better.Lower, "what had to be added to the diagonal of the Gram matrix to solve with it; 0 as a rule"),
    ];

    public static IReadOnlyList<MetricCard> OfGraphs { get; } =
    [
        new("ari", "adjusted Rand", "score", Better.Higher, "adjusted Rand index of the groups and the true ones: 1 for the same, 0 on average for independent ones"),
        new("best_ari", "at the best strength", "score", Better.Higher, "the largest adjusted Rand index among the strengths tried, chosen by the truth as papers report it"),
        new("modularity", "modularity", "score", Better.Higher, "weight within groups beyond what degrees would give at random, as a share of all"),
        new("fit_ms", "time to group", "ms", Better.Lower, "milliseconds from graph to groups, all strengths together"),
    ];

    public static IReadOnlyList<MetricCard> OfRegression { get; } =
    [
        new("rmse", "error", "deviations", Better.Lower, "root of the mean squared error of the rows asked for, in deviations of the numbers learned from: 1 for the mean, 0 for no error"),
        new("log_likelihood", "log-likelihood", "nats", Better.Higher, "mean over the rows asked for of −½ log 2πv − (y − m)² / 2v, m the expected number and v its variance, in deviations; left out where a method has no variance"),
        new("coverage", "in the 95% band", "fraction", Better.Higher, "share of the rows asked for within 1.96 √v of what is expected; 0.95 is right, more is caution"),
        new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from rows to what answers, choosing of options included"),
        new("predict_us", "time of an answer", "µs", Better.Lower, "microseconds a row, all asked for at once"),
        new("jitter", "jitter", "fraction", Better.Lower, "what had to be added to the diagonal of the Gram matrix to solve with it; 0 as a rule"),
    ];

    /// <summary>The mean over classes of 2 · right / (answered + there); a class that is neither is left out.</summary>
    public static double MacroF1(IReadOnlyList<int> answers, IReadOnlyList<int> labels, int classes)
    {
        int[] right = new int[classes], answered = new int[classes], there = new int[classes];
        for (int i = 0; i < labels.Count; i++)
        {
            answered[answers[i]]++;
            there[labels[i]]++;
            right[labels[i]] += answers[i] == labels[i] ? 1 : 0;
        }
        return Enumerable.Range(0, classes).Where(c => answered[c] + there[c] > 0).Average(c => 2.0 * right[c] / (answered[c] + there[c]));
    }

    /// <summary>Cohen's kappa of a table of answers [there, answered]; 1 where all are right, even of one class.</summary>
    public static double Kappa(long[,] table)
    {
        double all = 0, right = 0, chance = 0;
        int classes = table.GetLength(0);
        for (int i = 0; i < classes; i++)
            for (int j = 0; j < classes; j++)
                all += table[i, j];
        for (int c = 0; c < classes; c++)
            (right, chance) = (right + table[c, c], chance + There(table, c) * Answered(table, c));
        return right == all ? 1 : (all * right - chance) / (all * all - chance);
    }

    /// <summary>The kappa of each class: <c>(N right − there · answered) / (N there − there · answered)</c>; not a number of a class that is not there.</summary>
    public static double[] ConditionalKappa(long[,] table)
    {
        double all = table.Cast<long>().Sum();
        return [.. Enumerable.Range(0, table.GetLength(0)).Select(c => (all * table[c, c] - There(table, c) * Answered(table, c)) / (all * There(table, c) - There(table, c) * Answered(table, c)))];
    }

    /// <summary>How often each class was answered where each was there.</summary>
    public static long[,] Table(IReadOnlyList<int> answers, IReadOnlyList<int> labels, int classes)
    {
        long[,] table = new long[classes, classes];
        for (int i = 0; i < labels.Count; i++)
            table[labels[i], answers[i]]++;
        return table;
    }

    private static double There(long[,] table, int c) => Enumerable.Range(0, table.GetLength(0)).Sum(j => (double)table[c, j]);

    private static double Answered(long[,] table, int c) => Enumerable.Range(0, table.GetLength(0)).Sum(i => (double)table[i, c]);
}
