using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>The class of every pixel, of known classes and of some that a few scenes show.</summary>
internal sealed class SegmentTask : IKernelTask
{
    private const int Together = 20, Least = 8;

    public static IReadOnlyList<MetricCard> OfPixels { get; } =
    [
        new("harmonic_miou", "harmonic IoU", "fraction", Better.Higher, "2ab / (a + b) of the mean intersection over union of base classes, a, and of new ones, b"),
        new("base_miou", "IoU of base classes", "fraction", Better.Higher, "mean over base classes of pixels rightly said / (pixels said or there), over all test scenes together; the background is none"),
        new("novel_miou", "IoU of new classes", "fraction", Better.Higher, "the same over new classes"),
        new("miou", "IoU", "fraction", Better.Higher, "the same over all classes and the background"),
        new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds to learn base classes, choosing of options included"),
        new("register_ms", "time to add", "ms", Better.Lower, "milliseconds to add a new class, the mean of all"),
    ];

    public IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("iou", FigureKind.Bars, "IoU by kind", "iou", "kind of class", "intersection over union", "What new classes gain is worth little if base classes lose as much."),
        new("pixels", FigureKind.Heatmap, "Where pixels go", "pixels", "what is said", "what is there: 0 background, 1 base classes, 2 new classes", "New objects are lost to the background or to a base class; which of the two says what to mend."),
        new("by-session", FigureKind.Lines, "IoU as classes are added", "miou-by-session", "new classes added", "mean IoU over classes known so far", "A method that forgets nothing falls only by what the new class adds."),
    ];

    public TaskCard Card { get; } = new("segment", "Pixels of known and new classes", "Scenes of real digits, or of your labelled images, on textured ground: every pixel's class is learned for most classes, each of the others is shown in a few scenes, and pixels of all are asked for.", OptionsSchema.Of<SegmentOptions>(), ["scenes"])
    {
        Metrics = OfPixels,
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var data = DataSources.Open(source, reading, cancellation);
        Require(data, (SegmentOptions)options);
        return data.Summary(source is null ? "digits" : Path.Exists(source) ? Path.GetFullPath(source) : source, reading);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (o, context, data) = ((SegmentOptions)trial.Options, trial.Context, Classification.Opened(trial));
        Require(data, o);
        int[] order = [.. Enumerable.Range(0, data.LabelNames.Count)];
        context.Random("classes").Shuffle(order);
        int known = order.Length - o.Novel;
        var rows = Pools(data, order, context.Random("rows"));
        var scenes = new GlyphScenes(data, o.Size, o.Ink);
        int[] told = [.. Enumerable.Range(1, order.Length)], some = [.. Enumerable.Range(1, known)], hidden = [.. some, .. new int[o.Novel]];
        Scenes Base(int count, string purpose, Func<(int[] Train, int[] Validation, int[] Test), int[]> part) => o.Unlabelled
            ? scenes.Draw(count, [.. rows.Select(part)], hidden, -1, context.Random(purpose))
            : scenes.Draw(count, [.. rows.Take(known).Select(part)], some, -1, context.Random(purpose));
        var (train, validation) = (Base(o.Train, "train", p => p.Train), Base(o.Validation, "validation", p => p.Validation));
        var test = scenes.Draw(o.Test, [.. rows.Select(p => p.Test)], told, -1, context.Random("test"));
        context.Progress(0.1, "learning base classes");
        var method = (ISegmenter)trial.Method();
        using var learned = trial.Timed(() => method.Fit(train, validation, known, context.Cancellation), out double fit);
        foreach (var (name, value) in learned.Report)
            context.Metric($"report/{name}", value, 1);
        var all = learned;
        double register = 0;
        var table = Counted(all, test, order.Length, context);
        context.Metric("miou-by-session", PixelTable.Mean(table.Iou()[..(known + 1)]), 0);
        for (int v = 0; v < o.Novel; v++)
        {
            int label = known + v + 1;
            var shown = scenes.Draw(o.Shots, [.. rows.Take(known).Select(p => p.Train), rows[known + v].Train], [.. some, label], known, context.Random($"shown {v}"));
            var before = all;
            all = trial.Timed(() => before.With(label, data.LabelNames[order[known + v]], shown), out double took);
            register += took;
            if (before != learned)
                before.Dispose();
            table = Counted(all, test, order.Length, context);
            context.Metric("miou-by-session", PixelTable.Mean(table.Iou()[..(label + 1)]), v + 1);
        }
        all.Dispose();
        double[] iou = table.Iou();
        double a = PixelTable.Mean(iou[1..(known + 1)]), b = PixelTable.Mean(iou[(known + 1)..]);
        context.Metric("iou/background", iou[0], 1);
        context.Metric("iou/base", a, 1);
        context.Metric("iou/new", b, 1);
        Pixels(table, known, order.Length, context);
        return new(new Dictionary<string, double> { ["harmonic_miou"] = PixelTable.Harmonic(a, b), ["base_miou"] = a, ["novel_miou"] = b, ["miou"] = PixelTable.Mean(iou), ["fit_ms"] = fit, ["register_ms"] = register / o.Novel });
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs IMAGES: learns pixels of all classes but the last in scenes made of your images, adds the last from one scene, and says how many of a new scene's pixels are right
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            int known = data.LabelNames.Count - 1;
            int[][] rows = Enumerable.Range(0, known + 1).Select(c => Enumerable.Range(0, data.Count).Where(i => data.Labels[i] == c).ToArray()).ToArray();
            int[] labels = Enumerable.Range(1, known + 1).ToArray();
            var scenes = new GlyphScenes(data, 32, 0.3);
            var random = new SeededRandom(1, "scenes");
            var method = (ISegmenter){{KeptProgram.Method(trial)}};
            using var learned = method.Fit(scenes.Draw(200, rows[..known], labels[..known], -1, random), scenes.Draw(20, rows[..known], labels[..known], -1, random), known);
            using var more = learned.With(known + 1, data.LabelNames[known], scenes.Draw(1, rows, labels, known, random));
            var asked = scenes.Draw(1, rows, labels, known, random);
            using var said = more.Scores(asked.Images).argmax(1);
            Console.WriteLine($"{said.eq(asked.Labels).sum().item<long>()} of {asked.Labels.numel()} pixels right");

            """;

    /// <summary>Refuses a user's images of which no scenes can be made.</summary>
    private static void Require(LabelledData data, SegmentOptions o)
    {
        if (data.LabelNames.Count < o.Novel + 2)
            throw InputException.At("data", $"{data.LabelNames.Count} classes", $"at least {o.Novel + 2}: {o.Novel} new ones (task.novel) and 2 base ones", "Take fewer new ones, or more classes.");
        int few = Enumerable.Range(0, data.LabelNames.Count).MinBy(c => data.CountPerClass[c]);
        if (data.CountPerClass[few] < Least)
            throw InputException.At("data", $"{data.CountPerClass[few]} rows of class '{data.LabelNames[few]}'", $"at least {Least}", "Give more, or leave the class out.");
        _ = new GlyphScenes(data, o.Size, o.Ink);
    }

    /// <summary>Rows of each class for training, validation and test scenes: six, two and two in ten or so.</summary>
    private static (int[] Train, int[] Validation, int[] Test)[] Pools(LabelledData data, int[] order, SeededRandom random)
    {
        var byClass = Enumerable.Range(0, data.Count).ToLookup(i => data.Labels[i]);
        return [.. order.Select(c =>
        {
            int[] rows = [.. byClass[c]];
            random.Shuffle(rows);
            int part = rows.Length / 5;
            return (rows[(2 * part)..], rows[..part], rows[part..(2 * part)]);
        })];
    }

    private static PixelTable Counted(ISegmentation segmentation, Scenes test, int classes, TrialContext context)
    {
        var table = new PixelTable(classes);
        for (int first = 0; first < test.Count; first += Together)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            using var scope = TorchSharp.torch.NewDisposeScope();
            int count = Math.Min(Together, test.Count - first);
            var scores = segmentation.Scores(test.Images.narrow(0, first, count));
            if (!scores.isfinite().all().item<bool>())
                throw new InvalidOperationException("A method gave scores that are no numbers.");
            long[] said = scores.argmax(1).flatten().data<long>().ToArray(), there = test.Labels.narrow(0, first, count).flatten().data<long>().ToArray();
            for (int p = 0; p < said.Length; p++)
                table.Add(there[p] <= segmentation.Classes ? there[p] : Scenes.Ignored, said[p]);
        }
        return table;
    }

    private static void Pixels(PixelTable table, int known, int classes, TrialContext context)
    {
        int Kind(int c) => c == 0 ? 0 : c <= known ? 1 : 2;
        for (int kind = 0; kind < 3; kind++)
        {
            double all = 0;
            var sums = new Dictionary<string, double> { ["background"] = 0, ["the class"] = 0, ["a base one"] = 0, ["a new one"] = 0 };
            for (int c = 0; c <= classes; c++)
                for (int said = 0; said <= classes && Kind(c) == kind; said++)
                {
                    sums[said == 0 ? "background" : said == c ? "the class" : Kind(said) == 1 ? "a base one" : "a new one"] += table[c, said];
                    all += table[c, said];
                }
            foreach (var (what, sum) in sums)
                context.Metric($"pixels/{what}", all > 0 ? sum / all : 0, kind);
        }
    }
}
