using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Tasks to learn from and new ones.</summary>
/// <param name="Stream">Tasks to learn from.</param>
/// <param name="New">Draws new ones.</param>
/// <param name="Support">Support rows to keep for so many a task, or a class: what errors are told by.</param>
internal sealed record EpisodeProblem(EpisodeStream Stream, Func<int, Episodes> New, IReadOnlyList<(int Shots, long[] Rows)> Support)
{
    private const double Wide = 5;

    /// <summary>Sines and lines, one number to one number.</summary>
    public static EpisodeProblem Of(CurveEpisodesOptions o, Func<string, SeededRandom> random)
    {
        Func<int, Episodes> From(SeededRandom source) => tasks => Drawn(tasks, o.Shots, o.Queries, 1, 1, (x, y) =>
        {
            var (a, b, line) = (source.NextDouble(), source.NextDouble(), source.NextDouble() < o.Lines);
            for (int i = 0; i < y.Length; i++)
            {
                double at = Wide * (2 * source.NextDouble() - 1);
                y[i] = (line ? (2 * a - 1) * at + 6 * b - 3 : (0.1 + 4.9 * a) * Math.Sin(at - Math.PI * b)) + o.Noise * source.NextNormal();
                x[i] = at / Wide * Math.Sqrt(3); // of deviation 1
            }
        });
        return new(new(Network(1, o.Hidden, 1), From(random("tasks")), o.Noise), From(random("new tasks")), Fewer(o.Shots, 1));
    }

    /// <summary>A user's tasks: each label is one, the last number of a row is what is asked for; numbers are scaled by tasks learned from, of which three in ten are kept as new.</summary>
    /// <exception cref="InputException">A task has too few rows.</exception>
    public static EpisodeProblem Of(LabelledData data, CurveEpisodesOptions o, Func<string, SeededRandom> random)
    {
        Require(data, o);
        var (old, fresh) = Split(data, 0, 1, random("split"));
        var scale = Standardiser.Fit(data, [.. old.SelectMany(rows => rows)]);
        Func<int, Episodes> From(SeededRandom source, int[][] of) => tasks => Drawn(tasks, o.Shots, o.Queries, data.Width - 1, 1, (x, y) =>
        {
            float[] values = Values(data, scale, Some(of[source.Next(of.Length)], y.Length, source));
            for (int i = 0; i < y.Length; i++)
            {
                for (int j = 0; j < data.Width - 1; j++)
                    x[i * (data.Width - 1) + j] = values[i * data.Width + j];
                y[i] = values[(i + 1) * data.Width - 1];
            }
        });
        return new(new(Network(data.Width - 1, o.Hidden, 1), From(random("tasks"), old), o.Noise), From(random("new tasks"), fresh), Fewer(o.Shots, 1));
    }

    /// <summary>Lines in several features, their weights drawn from a Gaussian that is told.</summary>
    /// <exception cref="InputException">Fewer rows than features.</exception>
    public static EpisodeProblem Of(LinearEpisodesOptions o, Func<string, SeededRandom> random)
    {
        if (o.Shots < o.Features)
            throw InputException.At("task.shots", $"{o.Shots}", $"at least {o.Features}, the features: fewer rows have no orthogonal columns", "Take more shots or fewer features.");
        var prior = random("prior");
        double[] mean = [.. Enumerable.Range(0, o.Features).Select(_ => prior.NextNormal())], deviation = [.. Enumerable.Range(0, o.Features).Select(_ => 0.3 + prior.NextDouble())];
        Func<int, Episodes> From(SeededRandom source) => tasks => Drawn(tasks, o.Shots, o.Queries, o.Features, 1, (x, y) =>
        {
            double[] weights = [.. mean.Zip(deviation, (m, s) => m + s * source.NextNormal())];
            for (int i = 0; i < x.Length; i++)
                x[i] = source.NextNormal();
            Orthogonalise(x, o.Shots, o.Features);
            for (int i = 0; i < y.Length; i++)
                y[i] = weights.Select((w, j) => w * x[i * o.Features + j]).Sum() + o.Noise * source.NextNormal();
        });
        var stream = new EpisodeStream(new EpisodeNetwork(o.Features, [], 1, bias: false), From(random("tasks")), o.Noise)
        {
            Prior = (Aligned.Of(mean, o.Features), Aligned.Of([.. deviation.Select(s => s * s)], o.Features)),
        };
        return new(stream, From(random("new tasks")), [(o.Shots, [.. Enumerable.Range(0, o.Shots).Select(i => (long)i)])]);
    }

    /// <summary>A few classes of a user's rows at a time; some classes are only in new tasks.</summary>
    /// <exception cref="InputException">Too few classes, or rows of one.</exception>
    public static EpisodeProblem Of(LabelledData data, ImageEpisodesOptions o, Func<string, SeededRandom> random)
    {
        Require(data, o);
        var (old, fresh) = Split(data, o.NewClasses, o.Ways, random("split"));
        var scale = Standardiser.Fit(data, [.. old.SelectMany(rows => rows)]);
        Func<int, Episodes> From(SeededRandom source, int[][] of) => tasks => Drawn(tasks, o.Ways * o.Shots, o.Ways * o.Queries, data.Width, o.Ways, (x, y) =>
        {
            int[][] classes = [.. Some([.. Enumerable.Range(0, of.Length)], o.Ways, source).Select(c => Some(of[c], o.Shots + o.Queries, source))];
            int[] rows = [.. classes.SelectMany(c => c[..o.Shots]), .. classes.SelectMany(c => c[o.Shots..])];
            Array.ConvertAll(Values(data, scale, rows), v => (double)v).CopyTo(x, 0);
            for (int i = 0; i < rows.Length; i++)
                y[i * o.Ways + (i < o.Ways * o.Shots ? i / o.Shots : (i - o.Ways * o.Shots) / o.Queries)] = 1;
        });
        return new(new(Network(data.Width, o.Hidden, o.Ways), From(random("tasks"), old), 0), From(random("new tasks"), fresh), Fewer(o.Shots, o.Ways));
    }

    /// <summary>Refuses a user's tables of which no tasks can be made.</summary>
    public static void Require(LabelledData data, CurveEpisodesOptions o)
    {
        if (data.Width < 2)
            throw InputException.At("data", "one number a row", "at least two: what is known and, last, what is asked for", "Add a column.");
        if (data.LabelNames.Count < 2)
            throw InputException.At("data", "one task", "at least two: the label names the task of a row", "Label rows by their task (--label).");
        Rows(data, o.Shots + o.Queries, "task");
    }

    /// <summary>Refuses a user's rows of which no tasks can be made.</summary>
    public static void Require(LabelledData data, ImageEpisodesOptions o)
    {
        int fresh = Fresh(data.LabelNames.Count, o.NewClasses, o.Ways);
        if (fresh < o.Ways || data.LabelNames.Count - fresh < o.Ways)
            throw InputException.At("data", $"{data.LabelNames.Count} classes, {fresh} of them new", $"at least {o.Ways} to learn from and {o.Ways} new ones, the classes of a task", "Take fewer ways (task.ways), other new classes (task.new_classes) or more classes.");
        Rows(data, o.Shots + o.Queries, "class");
    }

    private static void Rows(LabelledData data, int least, string of)
    {
        int few = Enumerable.Range(0, data.LabelNames.Count).MinBy(c => data.CountPerClass[c]);
        if (data.CountPerClass[few] < least)
            throw InputException.At("data", $"{data.CountPerClass[few]} rows of {of} '{data.LabelNames[few]}'", $"at least {least}, those to adapt to and those to answer", $"Take fewer (task.shots, task.queries), or leave the {of} out.");
    }

    private static int Fresh(int classes, int wanted, int least) => wanted > 0 ? wanted : Math.Max(least, 3 * classes / 10);

    private static (int[][] Old, int[][] Fresh) Split(LabelledData data, int wanted, int least, SeededRandom random)
    {
        var byClass = Enumerable.Range(0, data.Count).ToLookup(i => data.Labels[i]);
        int[][] classes = [.. Enumerable.Range(0, data.LabelNames.Count).Select(c => byClass[c].ToArray())];
        random.Shuffle(classes);
        int fresh = Fresh(classes.Length, wanted, least);
        return (classes[fresh..], classes[..fresh]);
    }

    private static EpisodeNetwork Network(int features, int hidden, int outputs) => new(features, hidden == 0 ? [] : [hidden, hidden], outputs);

    /// <summary>The first rows of each of some groups, for one row, and doubled until all.</summary>
    private static IReadOnlyList<(int, long[])> Fewer(int shots, int groups) =>
        [.. Enumerable.Range(0, 31).Select(i => 1 << i).TakeWhile(k => k < shots).Append(shots).Select(k => (k, Enumerable.Range(0, groups * shots).Where(i => i % shots < k).Select(i => (long)i).ToArray()))];

    private static int[] Some(int[] of, int count, SeededRandom random)
    {
        int[] all = [.. of];
        for (int i = 0; i < count; i++)
        {
            int j = random.Next(i, all.Length);
            (all[i], all[j]) = (all[j], all[i]);
        }
        return all[..count];
    }

    private static float[] Values(LabelledData data, Standardiser scale, int[] rows)
    {
        float[] values = new float[rows.Length * data.Width];
        data.CopyRows(rows, values);
        scale.Apply(values);
        return values;
    }

    /// <summary>Tasks whose rows, first those to adapt to, are filled in one after the other.</summary>
    private static Episodes Drawn(int tasks, int shots, int queries, int features, int outputs, Action<double[], double[]> fill)
    {
        double[][] x = new double[tasks][], y = new double[tasks][];
        for (int t = 0; t < tasks; t++)
        {
            (x[t], y[t]) = (new double[(shots + queries) * features], new double[(shots + queries) * outputs]);
            fill(x[t], y[t]);
        }
        Tensor Part(double[][] of, int width, bool support) => Aligned.Of([.. of.SelectMany(v => support ? v[..(shots * width)] : v[(shots * width)..])], tasks, support ? shots : queries, width);
        return new(Part(x, features, true), Part(y, outputs, true), Part(x, features, false), Part(y, outputs, false));
    }

    /// <summary>Makes the first rows' columns orthogonal (Gram and Schmidt), each of mean square 1.</summary>
    private static void Orthogonalise(double[] x, int rows, int columns)
    {
        for (int j = 0; j < columns; j++)
        {
            double Dot(int a, int b) => Enumerable.Range(0, rows).Sum(i => x[i * columns + a] * x[i * columns + b]);
            for (int k = 0; k < j; k++)
            {
                double along = Dot(j, k) / rows;
                for (int i = 0; i < rows; i++)
                    x[i * columns + j] -= along * x[i * columns + k];
            }
            double norm = Math.Sqrt(Dot(j, j) / rows);
            for (int i = 0; i < rows; i++)
                x[i * columns + j] /= norm;
        }
    }
}
