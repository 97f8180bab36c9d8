using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Makes a task's stream, its network and its plan from its options.</summary>
internal static class StreamFactory
{
    /// <summary>How many classes each task brings.</summary>
    /// <exception cref="InputException">The data has too few classes for the protocol.</exception>
    public static IReadOnlyList<int> Groups(LabelledData data, StreamOptions options)
    {
        int classes = data.LabelNames.Count;
        if (classes < 2)
            throw InputException.At(data.Title, $"{classes} class", "at least 2", "A classifier needs something to tell apart: add rows of another class, or name another label column with --label.");
        if (options is RecurringOptions recurring)
        {
            RecurringClasses.Check(classes, recurring);
            return [.. Enumerable.Repeat(recurring.ClassesPerTask, recurring.Steps!.Value)];
        }
        if (options is ReturningOptions { Steps: 1, Returns: > 0 })
            throw InputException.At("task.returns", "returns to the only permutation", "at least 2 permutations to return to", "Raise steps, or use returns=0.");
        if (options is DriftOptions drift)
            return [.. Drift.Domains(data, drift).Select(_ => classes)];
        if (options is DomainOptions)
            return [.. Enumerable.Repeat(classes, options.Steps ?? 5)];
        if (options is PretrainedOptions pretrained)
        {
            int first = pretrained.BaseClasses ?? Math.Max(2, classes * (options is FewShotOptions ? 6 : 4) / 10);
            if (first >= classes)
                throw InputException.At("task.base-classes", $"{first}", $"fewer than the {classes} classes of {data.Title}", "Leave at least one class for the stream.");
            if (options is FewShotOptions few)
                return [first, .. Sessions(classes - first, few)];
            var rest = Even(classes - first, options.Steps is { } all ? Math.Max(1, all - 1) : null, data);
            return [first, .. rest];
        }
        return Even(classes, options.Steps, data);
    }

    private static IEnumerable<int> Sessions(int classes, FewShotOptions options)
    {
        if (classes % options.Ways != 0)
            throw InputException.At("task.ways", $"{options.Ways}", $"a number that divides the {classes} classes after the first session", "Change ways, or base-classes.");
        int sessions = classes / options.Ways;
        if (options.Steps is { } steps && steps != sessions + 1)
            throw InputException.At("task.steps", $"{steps}", $"{sessions + 1}: the base session and one for each {options.Ways} of the other {classes} classes", "Leave steps away: ways decides.");
        return Enumerable.Repeat(options.Ways, sessions);
    }

    private static int[] Even(int classes, int? steps, LabelledData data)
    {
        int tasks = steps ?? ((int[])[5, 4, 3, 2]).FirstOrDefault(s => classes % s == 0 && classes >= s, Math.Min(5, classes));
        if (tasks > classes)
            throw InputException.At("task.steps", $"{tasks}", $"at most the {classes} classes of {data.Title}", "Every task needs a class of its own.");
        return [.. Enumerable.Range(0, tasks).Select(i => classes * (i + 1) / tasks - classes * i / tasks)];
    }

    /// <summary>Refuses data on which the protocol cannot run.</summary>
    public static void Check(LabelledData data, string task, StreamOptions options)
    {
        const int Least = 4;
        for (int c = 0; c < data.LabelNames.Count; c++)
            if (data.CountPerClass[c] < Least)
                throw InputException.At(data.Title, $"{data.CountPerClass[c]} rows of class '{data.LabelNames[c]}'", $"at least {Least} (some to train on, some to test)", "Add rows, or remove the class.");
        if (options is FewShotOptions few)
            CheckShots(data, few);
        if (data.Shape.Count != 3 && (options.Model == ModelKind.Cnn || task == "rotated"))
            throw InputException.At(data.Title, $"a table of {data.Width} columns", "images", options.Model == ModelKind.Cnn ? "Use --set task.model=mlp." : "Choose another task, for instance --task permuted.");
    }

    /// <summary>Any class may come in a session, so each must have enough training rows.</summary>
    private static void CheckShots(LabelledData data, FewShotOptions options)
    {
        foreach (var (label, rows) in Split.Of(data, options.TestFraction, new SeededRandom(0, "count")).Train.CountBy(row => data.Labels[row]))
            if (rows < options.Shots)
                throw InputException.At(data.Title, $"{rows} training rows of class '{data.LabelNames[label]}'", $"at least task.shots, {options.Shots}", "Lower task.shots or task.test-fraction, or add rows.");
    }

    /// <summary>The stream of a task.</summary>
    public static ContinualStream Make(LabelledData data, string task, StreamOptions options, SeededRandom random)
    {
        var groups = Groups(data, options);
        return task switch
        {
            "permuted" or "permuted-told" => ContinualStream.ByDomain(data, options.TestFraction, random, [.. groups.Select((_, i) => Permutation(data.Width, i == 0 ? null : random))]),
            "drift" => ContinualStream.Drift(data, Drift.Domains(data, (DriftOptions)options), options.TestFraction, random),
            "rotated" => ContinualStream.ByDomain(data, options.TestFraction, random, [.. groups.Select((_, i) => Rotation(data.Shape, ((RotatedOptions)options).MaxAngle * i / Math.Max(1, groups.Count - 1)))]),
            "returning" => ContinualStream.Returning(data, options.TestFraction, random, [.. groups.Select((_, i) => Permutation(data.Width, i == 0 ? null : random))],
                ContinualStream.Segments(groups.Count, ((ReturningOptions)options).Returns)),
            "recurring" => ContinualStream.Recurring(data, RecurringClasses.Draw(data.LabelNames.Count, (RecurringOptions)options, random), (RecurringOptions)options, random),
            "blurry" => ContinualStream.Blurred(data, groups, options.TestFraction, ((BlurryOptions)options).Blur, random, ((BlurryOptions)options).Imbalance),
            _ => ContinualStream.ByClass(data, groups, options.TestFraction, random, firstIsKnown: options is PretrainedOptions, withFirst: options is not PretrainedOptions { BaseInStream: false }, (options as FewShotOptions)?.Shots,
                imbalance: (options as OnlineOptions)?.Imbalance ?? 1),
        };
    }

    /// <summary>What the stream of a task tells its learner.</summary>
    public static StreamRules Rules(string task, StreamOptions options) => new(Boundaries: task is not ("blurry" or "returning"), TaskKnownAtTest: task is "task-incremental" or "permuted-told",
        ClassesArrive: task is not ("permuted" or "permuted-told" or "rotated" or "drift" or "recurring" or "returning"), BaseFirst: options is FewShotOptions { BaseInStream: true });

    /// <summary>What a method may take a row for: a shuffled image is a row of values.</summary>
    public static IReadOnlyList<int> RowShape(IReadOnlyList<int> shape, string task) => task is "permuted" or "permuted-told" ? [shape.Aggregate(1, (a, b) => a * b)] : shape;

    /// <summary>The training plan of a stream: rows and steps are counted, not estimated.</summary>
    public static TrainingPlan Plan(ContinualStream stream, StreamOptions options)
    {
        long steps = 0, rows = 0;
        foreach (var task in stream.Tasks)
        {
            var train = task.Train();
            using var x = train.X;
            using var y = train.Y;
            steps += (long)options.Epochs * ContinualStream.BatchCount(train.Count, options.BatchSize);
            rows += train.Count;
        }
        return new(options.LearningRate, options.Momentum, options.BatchSize, options.Epochs, stream.Tasks.Count, steps, rows) { DistinctRows = stream.DistinctRows ?? rows };
    }

    /// <summary>A fresh network for the data.</summary>
    public static Network Network(LabelledData data, StreamOptions options, SeededRandom random) => Network(data.Shape, data.LabelNames.Count, options, random);

    /// <summary>A fresh network for inputs of a shape.</summary>
    public static Network Network(IReadOnlyList<int> shape, int classes, StreamOptions options, SeededRandom random) => options.Model switch
    {
        ModelKind.Cnn => Learning.Network.Cnn(shape[0], shape[1], shape[2], classes, options.BatchNorm, random),
        _ => Learning.Network.Mlp(shape.Aggregate(1, (a, b) => a * b), [options.Hidden, (options as PretrainedOptions)?.Features ?? options.Hidden], classes, options.BatchNorm, random),
    };

    private static Func<Tensor, Tensor> Permutation(int width, SeededRandom? random)
    {
        long[] order = [.. Enumerable.Range(0, width).Select(i => (long)i)];
        random?.Shuffle(order);
        return x => x.index_select(1, tensor(order));
    }

    /// <summary>Rotates images about their centre by an angle in degrees; bilinear, zeros outside.</summary>
    private static Func<Tensor, Tensor> Rotation(IReadOnlyList<int> shape, double degrees) => x =>
    {
        if (degrees == 0)
            return x.clone();
        float cos = (float)Math.Cos(degrees * Math.PI / 180), sin = (float)Math.Sin(degrees * Math.PI / 180);
        var images = x.reshape(-1, shape[0], shape[1], shape[2]);
        var theta = tensor(new[] { cos, -sin, 0, sin, cos, 0 }).reshape(1, 2, 3).expand(images.shape[0], 2, 3);
        var grid = nn.functional.affine_grid(theta, images.shape, align_corners: false);
        return nn.functional.grid_sample(images, grid, align_corners: false).reshape(x.shape);
    };
}
