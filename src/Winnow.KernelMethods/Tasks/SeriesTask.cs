using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>series</c>.</summary>
public sealed record SeriesOptions
{
    /// <summary>Values learned from.</summary>
    [Range(8, 100_000), Description("values to learn from: the last before those ahead")]
    public int Rows { get; init; } = 200;

    /// <summary>Values asked for.</summary>
    [Range(1, 100_000), Description("values ahead to test on: the last")]
    public int Ahead { get; init; } = 20;

    /// <summary>Noise of a made series.</summary>
    [Range(0.0, 1e3), Description("without --data: deviation of the noise, as a share of the periods'")]
    public double Noise { get; init; } = 0.2;
}

/// <summary>Values in time: what comes next is asked for.</summary>
internal sealed class SeriesTask : IKernelTask
{
    private const int Periods = 4;
    private const double Shortest = 4, Longest = 60;

    public TaskCard Card { get; } = new("series", "What comes next in a series", "Values in time, of a table with a column of times and one of values: the last are asked for, those before are learned from. Without a file, a sum of periods with noise.",
        OptionsSchema.Of<SeriesOptions>(), ["targets", "examples"])
    { Metrics = Metrics.OfRegression };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (SeriesOptions)options;
        if (source is null)
            return KernelTrial.Made(Card, o, "A made series", $"{Periods} periods: {o.Rows} values, {o.Ahead} ahead", reading);
        Ordered(DataSources.OpenTargets(source, reading, cancellation), source, o);
        return Regression.Inspect(source, reading, 1, cancellation);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var o = (SeriesOptions)trial.Options;
        if (trial.Trial.Data.Source == "made")
            return Regression.Run(trial, Made(o, trial.Context.Random("made")));
        var data = Regression.Opened(trial);
        int[] order = Ordered(data, trial.Trial.Data.Source, o), learned = order[..^o.Ahead];
        return Regression.Run(trial, RegressionProblem.Of(data, learned[^Math.Min(o.Rows, learned.Length)..], order[^o.Ahead..]));
    }

    public string Program(Trial trial, string version) => Regression.Program(trial, version);

    /// <summary>The rows by time.</summary>
    /// <exception cref="InputException">More than one column beside the values, the same time twice, or too few values.</exception>
    private static int[] Ordered(TargetData data, string source, SeriesOptions o)
    {
        if (data.Rows.Width != 1)
            throw InputException.At(source, $"{data.Rows.Width} columns beside the values", "one column of times", "Leave the others out, or choose --task regress.");
        if (data.Count < o.Ahead + 8)
            throw InputException.At(source, $"{data.Count} values", $"at least {o.Ahead + 8}: eight to learn from and {o.Ahead} ahead", "Give more, or ask for fewer (task.ahead).");
        int[] order = [.. Enumerable.Range(0, data.Count)];
        float[] times = new float[data.Count];
        data.Rows.CopyRows(order, times);
        order = [.. order.OrderBy(i => times[i])];
        for (int i = 1; i < order.Length; i++)
            if (times[order[i]] == times[order[i - 1]])
                throw InputException.At(source, FormattableString.Invariant($"the time {times[order[i]]} in rows {order[i - 1]} and {order[i]}"), "a time of its own for every value", "Count times from the first, so that seven digits tell them apart, or leave one of the rows out.");
        return order;
    }

    /// <summary>A sum of sines with random periods, evenly spread over their logarithm, of amplitudes from a half to one.</summary>
    internal static RegressionProblem Made(SeriesOptions o, SeededRandom random)
    {
        var waves = Enumerable.Range(0, Periods).Select(_ => (Period: Shortest * Math.Pow(Longest / Shortest, random.NextDouble()), Phase: 2 * Math.PI * random.NextDouble(), Size: 0.5 + 0.5 * random.NextDouble())).ToList();
        double noise = o.Noise * Math.Sqrt(waves.Sum(w => w.Size * w.Size / 2));
        double[] all = [.. Enumerable.Range(0, o.Rows + o.Ahead).Select(t => waves.Sum(w => w.Size * Math.Sin(2 * Math.PI * t / w.Period + w.Phase)) + noise * random.NextNormal())];
        double middle = (o.Rows - 1) / 2.0, deviation = Math.Sqrt((o.Rows * (double)o.Rows - 1) / 12);
        double[] times = [.. Enumerable.Range(0, all.Length).Select(t => (t - middle) / deviation)];
        return RegressionProblem.Scaled(Aligned.Of(times[..o.Rows], o.Rows, 1), all[..o.Rows], Aligned.Of(times[o.Rows..], o.Ahead, 1), all[o.Rows..]);
    }
}
