using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>The numbers of the arena.</summary>
internal static class Metrics
{
    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("accuracy", "right answers", "fraction", Better.Higher, "share of the rows asked for whose likeliest class is theirs"),
        new("macro_f1", "mean F1", "fraction", Better.Higher, "mean over classes of 2 right / (answered + there)"),
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
}
