using System.Globalization;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>What was learned and stands on a kernel.</summary>
internal interface IOnKernel
{
    /// <summary>The kernel.</summary>
    IKernel Kernel { get; }
}

/// <summary>What the report draws of a classifier beyond its numbers: which classes it takes for which, what it answers around the rows, and the kernel it stands on.</summary>
internal static class ClassificationFigures
{
    private const double Reach = 2.5;
    private const int Grid = 64, Shown = 40, Decay = 200, Steps = 40;

    public static IReadOnlyList<FigureCard> Cards { get; } =
    [
        new("by-class", FigureKind.Bars, "Right answers by class", "class", "class", "share of the class's rows that are answered rightly", "A method may be good on the whole and blind to one class."),
        new("confusion", FigureKind.Heatmap, "What is taken for what", "confusion", "answered", "class", "Share of the rows of a class that get an answer. What lies off the diagonal is wrong: a dark cell there is a pair of classes to look at."),
        new("regions", FigureKind.Map, "Answers around the rows", "regions", "first principal component, in deviations", "second", "The class that is answered on the plane through the mean of the rows along which they differ most, of the first seed; rows learned from are dots, which lie before or behind the plane where there are more features. Smooth borders generalise, islands do not."),
        TreeFigure.Card,
        new("kernel", FigureKind.Heatmap, "The kernel, rows ordered by class", "kernel", "row", "row", "Similarities of rows asked for (1 of a row with itself), those of a class beside each other, of the first seed. Blocks along the diagonal are classes that the kernel sees; without blocks it sees none."),
        new("decay", FigureKind.Lines, "How many directions the kernel uses", "decay", "directions", "share of the kernel's trace", "The share that the largest eigenvalues hold together. A line that rises at once is smooth and learns simple things quickly; one along the diagonal learns rows by heart."),
    ];

    /// <summary>Records what is asked for by every seed, and for the first what cannot be averaged; answers on a plane only of rows that may be any numbers.</summary>
    public static void Record(KernelTrial trial, Problem problem, IFitted fitted, int[] answers, bool plane = true)
    {
        var context = trial.Context;
        Record(context, problem.Names, problem.Labels, answers);
        using var scope = NewDisposeScope();
        if (fitted is IOnKernel { Kernel: var kernel })
            Kernel(trial, problem, kernel);
        if (plane && trial.Trial.Seed == 1)
            Regions(context, problem, fitted);
        if (fitted is IOnTree tree && trial.Trial.Seed == 1)
            TreeFigure.Record(context, tree.Tree(TreeFigure.Depth), problem);
    }

    /// <summary>Records which classes are taken for which.</summary>
    public static void Record(TrialContext context, IReadOnlyList<string> names, int[] labels, int[] answers)
    {
        foreach (var (there, of) in labels.Zip(answers).GroupBy(p => p.First).OrderBy(g => g.Key).Select(g => (g.Key, g.Select(p => p.Second).ToArray())))
        {
            context.Metric($"class/{names[there]}", of.Average(a => a == there ? 1.0 : 0), 1);
            for (int answered = 0; answered < names.Count; answered++)
                context.Metric($"confusion/{names[answered]}", of.Average(a => a == answered ? 1.0 : 0), there);
        }
    }

    private static void Regions(TrialContext context, Problem problem, IFitted fitted)
    {
        var x = problem.Train.X;
        var mean = x.mean([0], keepdim: true);
        var axes = PrincipalAxes.Of(x, out _);
        if (axes.shape[1] < 2)
            return;
        axes = axes.narrow(1, 0, 2);
        double[] deviation = (x - mean).mm(axes).square().mean([0]).sqrt().data<double>().ToArray();
        double[] at = [.. from i in Enumerable.Range(0, Grid) from j in Enumerable.Range(0, Grid) from c in (double[])[Place(j) * deviation[0], -Place(i) * deviation[1]] select c];
        long[] answers = fitted.Scores(mean + Aligned.Of(at, Grid * Grid, 2).mm(axes.t())).argmax(1).data<long>().ToArray();
        ClassMaps.Begin(context, "regions", Grid, Grid);
        context.Metric("regions-size/from", -Reach, 0);
        context.Metric("regions-size/to", Reach, 0);
        ClassMaps.Record(context, "regions", Array.ConvertAll(answers, a => (int)a), problem.Names);
        double[] rows = (x - mean).mm(axes).contiguous().data<double>().ToArray();
        ClassMaps.Dots(context, "regions", [.. rows.Chunk(2).Select(r => (Share(r[0], deviation[0]), Share(r[1], deviation[1])))], problem.Train.Labels, problem.Names);

        static double Place(int i) => ((i + 0.5) / Grid * 2 - 1) * Reach;
        static double Share(double at, double deviation) => deviation > 0 ? (at / deviation / Reach + 1) / 2 : 0.5;
    }

    private static void Kernel(KernelTrial trial, Problem problem, IKernel kernel)
    {
        Tensor Gram(int most, out int[] rows)
        {
            rows = [.. Enumerable.Range(0, problem.Labels.Length).OrderBy(i => problem.Labels[i])];
            int[] order = rows;
            rows = order.Length <= most ? order : [.. Enumerable.Range(0, most).Select(i => order[i * order.Length / most])];
            var some = problem.X.index_select(0, tensor(rows));
            var gram = kernel.Gram(some, some);
            var size = gram.diagonal().clamp_min(double.Epsilon).sqrt();
            return gram / size / size.unsqueeze(1);
        }
        double[] values = linalg.eigvalsh(Gram(Decay, out _)).clamp_min(0).data<double>().ToArray();
        double all = values.Sum(), sum = 0;
        for (int i = 0; i < Math.Min(Steps, values.Length) && all > 0; i++)
            trial.Context.Metric("decay", (sum += values[^(i + 1)]) / all, i + 1);
        if (trial.Trial.Seed != 1)
            return;
        double[] gram = Gram(Shown, out int[] shown).data<double>().ToArray();
        for (int i = 0; i < gram.Length; i++)
            trial.Context.Metric(string.Create(CultureInfo.InvariantCulture, $"kernel/{i % shown.Length}"), gram[i], i / shown.Length);
    }
}
