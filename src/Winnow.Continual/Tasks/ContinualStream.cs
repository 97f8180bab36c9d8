using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>A task of a stream: its training and test rows are made when asked for and belong to the caller.</summary>
/// <param name="Info">Position and classes.</param>
/// <param name="Train">Makes the training rows.</param>
/// <param name="Test">Makes the test rows.</param>
public sealed record StreamTask(TaskInfo Info, Func<Batch> Train, Func<Batch> Test);

/// <summary>What a stream is tested on: a column of the accuracy matrix. The rows are made when asked for and belong to the caller.</summary>
/// <param name="Name">Its name, e.g. the number of its task.</param>
/// <param name="Info">The task it belongs to, told with the rows where tasks are told, and its classes.</param>
/// <param name="Learned">The first task of the stream that trains on its content; the number of tasks when none does.</param>
/// <param name="Rows">Makes the test rows.</param>
public sealed record StreamTest(string Name, TaskInfo Info, int Learned, Func<Batch> Rows)
{
    /// <summary>The first task after which the test counts in the accuracy curve.</summary>
    public int Asked { get; init; } = Learned;
}

/// <summary>
/// A classification data set as a sequence of tasks. Train and test rows are split per class; inputs are standardised with mean and
/// deviation of the training rows, or of those of the classes that are known beforehand; class order, permutations and the split come from
/// the seed.
/// </summary>
public sealed class ContinualStream : IDisposable
{
    private readonly Tensor _trainX, _trainY, _testX, _testY;

    private ContinualStream(LabelledData data, Split split, IReadOnlyCollection<int>? known = null)
    {
        NativeTorch.Require();
        Data = data;
        var (train, test) = split;
        Standardiser = Standardiser.Fit(data, known is null ? train : [.. train.Where(row => known.Contains(data.Labels[row]))]);
        (_trainX, _trainY) = Load(train);
        (_testX, _testY) = Load(test);
        Tasks = [];

        (Tensor, Tensor) Load(int[] rows)
        {
            var values = new float[rows.Length * (long)data.Width];
            data.CopyRows(rows, values);
            Standardiser.Apply(values);
            long[] labels = [.. rows.Select(r => (long)data.Labels[r])];
            return (tensor(values).reshape(rows.Length, data.Width).DetachFromDisposeScope(), tensor(labels).DetachFromDisposeScope());
        }
    }

    private ContinualStream(LabelledData data, Tensor x, Tensor y)
    {
        Data = data;
        Standardiser = Standardiser.Identity((int)x.shape[1]);
        (_trainX, _trainY, _testX, _testY) = (x, y, x, y);
        Tasks = [];
    }

    /// <summary>The data.</summary>
    public LabelledData Data { get; }

    /// <summary>Fitted on training rows only, and where some classes are known beforehand on theirs only.</summary>
    public Standardiser Standardiser { get; }

    /// <summary>The tasks in order.</summary>
    public IReadOnlyList<StreamTask> Tasks
    {
        get;
        private set
        {
            field = value;
            Tests = [.. value.Select(t => new StreamTest($"{t.Info.Id + 1}", t.Info, t.Info.Id, t.Test))];
        }
    }

    /// <summary>What is tested: unless the stream says otherwise, the test rows of each task.</summary>
    public IReadOnlyList<StreamTest> Tests { get; private set; } = [];

    /// <summary>Tests are run after every so many tasks, and after the last.</summary>
    public int TestEvery { get; private set; } = 1;

    /// <summary>Training rows of the stream, each counted once even where it comes back; null when none does.</summary>
    internal long? DistinctRows { get; private set; }

    /// <summary>The training rows of the first group of classes, e.g. to train an encoder on; null for streams that are not by class.</summary>
    public Func<Batch>? FirstGroup { get; private set; }

    /// <summary>Classes in groups, a group a task: class-incremental, task-incremental and online streams.</summary>
    /// <param name="data">The data.</param>
    /// <param name="groups">How many classes each task brings.</param>
    /// <param name="testFraction">Share of each class held out.</param>
    /// <param name="random">Split and class order.</param>
    /// <param name="firstIsKnown">Whether the first group is known before the stream: the inputs are then standardised by its rows alone, so that nothing of the other classes reaches an encoder trained on it.</param>
    /// <param name="withFirst">Whether the first group is a task of the stream, or only its <see cref="FirstGroup"/>.</param>
    /// <param name="shots">Training rows of each class after the first group, drawn at random; null for all.</param>
    /// <param name="imbalance">How many times as many training rows of a class one group, drawn at random, has as the others.</param>
    public static ContinualStream ByClass(LabelledData data, IReadOnlyList<int> groups, double testFraction, SeededRandom random, bool firstIsKnown = false, bool withFirst = true, int? shots = null, double imbalance = 1)
    {
        var order = Enumerable.Range(0, data.LabelNames.Count).ToArray();
        random.Shuffle(order);
        int longest = imbalance > 1 ? random.Next(groups.Count) : 0;
        int[]? whole = imbalance > 1 ? order[groups.Take(longest).Sum()..groups.Take(longest + 1).Sum()] : null;
        var split = Split.Of(data, testFraction, random);
        if (whole is not null) // of all other classes a share
            split = split with { Train = [.. split.Train.GroupBy(row => data.Labels[row]).SelectMany(c => whole.Contains(c.Key) ? c : c.Take((int)Math.Ceiling(c.Count() / imbalance))).Order()] };
        var stream = new ContinualStream(data, split, firstIsKnown ? order[..groups[0]] : null);
        var tasks = new List<StreamTask>();
        int next = 0;
        foreach (int size in groups)
        {
            int[] classes = [.. order.Skip(next).Take(size).Order()];
            next += size;
            var members = classes.Select(c => (long)c).ToArray();
            long[]? drawn = shots is { } k && tasks.Count > 0 ? [.. classes.SelectMany(c => Draw(stream._trainY, c, k, random))] : null;
            tasks.Add(new(new(tasks.Count, classes), () => drawn is null ? Of(stream._trainX, stream._trainY, members) : Rows(stream._trainX, stream._trainY, drawn), () => Of(stream._testX, stream._testY, members)));
        }
        stream.FirstGroup = tasks[0].Train;
        stream.Tasks = withFirst ? tasks : [.. tasks.Skip(1).Select((t, i) => t with { Info = t.Info with { Id = i } })];
        return stream;

        static Batch Of(Tensor x, Tensor y, long[] classes) => InScope(() =>
        {
            using var wanted = tensor(classes);
            var index = isin(y, wanted).nonzero().flatten();
            return (x.index_select(0, index), y.index_select(0, index));
        });

        static Batch Rows(Tensor x, Tensor y, long[] rows) => InScope(() =>
        {
            using var index = tensor(rows);
            return (x.index_select(0, index), y.index_select(0, index));
        });
    }

    /// <summary>Positions of some rows of a class, ascending.</summary>
    private static IEnumerable<long> Draw(Tensor labels, int label, int count, SeededRandom random)
    {
        long[] rows = [.. labels.Values<long>().ToArray().Index().Where(r => r.Item == label).Select(r => (long)r.Index)];
        if (rows.Length < count)
            throw InputException.At($"class {label}", $"{rows.Length} training rows", $"at least task.shots, {count}", "Lower task.shots or task.test-fraction, or add rows.");
        random.Shuffle(rows);
        return rows[..count].Order();
    }

    /// <summary>All classes in every task, the inputs transformed: domain-incremental streams.</summary>
    /// <param name="data">The data.</param>
    /// <param name="testFraction">Share of each class held out.</param>
    /// <param name="random">Split.</param>
    /// <param name="transforms">For each task a function from inputs [n, width] to inputs [n, width].</param>
    public static ContinualStream ByDomain(LabelledData data, double testFraction, SeededRandom random, IReadOnlyList<Func<Tensor, Tensor>> transforms)
    {
        var stream = new ContinualStream(data, Split.Of(data, testFraction, random));
        int[] classes = [.. Enumerable.Range(0, data.LabelNames.Count)];
        stream.Tasks = [.. transforms.Select((transform, i) => new StreamTask(new(i, classes),
            () => InScope(() => (transform(stream._trainX), stream._trainY.clone())), () => InScope(() => (transform(stream._testX), stream._testY.clone()))))];
        return stream;
    }

    /// <summary>All classes all the time, the rows as they drift from domain to domain: a domain a task, with test rows of its own.</summary>
    /// <param name="data">The data.</param>
    /// <param name="domains">The rows of each domain.</param>
    /// <param name="testFraction">Share of each class of a domain held out, as far as its rows allow.</param>
    /// <param name="random">Split.</param>
    public static ContinualStream Drift(LabelledData data, IReadOnlyList<int[]> domains, double testFraction, SeededRandom random)
    {
        Split[] splits = [.. domains.Select(rows => Split.Among(data, rows, testFraction, random))];
        var stream = new ContinualStream(data, new([.. splits.SelectMany(s => s.Train)], [.. splits.SelectMany(s => s.Test)]));
        int[] classes = [.. Enumerable.Range(0, data.LabelNames.Count)];
        stream.Tasks = [.. splits.Select((split, i) => new StreamTask(new(i, classes),
            () => Part(stream._trainX, stream._trainY, splits.Take(i).Sum(s => s.Train.Length), split.Train.Length),
            () => Part(stream._testX, stream._testY, splits.Take(i).Sum(s => s.Test.Length), split.Test.Length)))];
        return stream;
    }

    /// <summary>A copy of rows that lie together.</summary>
    private static Batch Part(Tensor x, Tensor y, long first, long count) => InScope(() => (x.narrow(0, first, count).clone(), y.narrow(0, first, count).clone()));

    /// <summary>
    /// A video a task, in the order of the labels. A row is a coordinate: the session ((j + 1) / (T + 1) for video j of T) and the time (i / n
    /// for frame i of n); its target is the frame, values in [0, 1]. What is stored is what is asked for: the test rows are the training rows.
    /// </summary>
    /// <param name="videos">Images, each labelled with its video, the frames of a video in order.</param>
    public static ContinualStream OfVideos(LabelledData videos)
    {
        NativeTorch.Require();
        using var scope = NewDisposeScope();
        int count = videos.LabelNames.Count;
        int[] rows = [.. Enumerable.Range(0, videos.Count).GroupBy(i => videos.Labels[i]).OrderBy(g => g.Key).SelectMany(g => g)];
        var values = new float[rows.Length * (long)videos.Width];
        videos.CopyRows(rows, values);
        var sizes = videos.CountPerClass;
        float[] coordinates = [.. Enumerable.Range(0, count).SelectMany(j => Enumerable.Range(0, sizes[j]).SelectMany(i => (float[])[(j + 1f) / (count + 1), (float)i / sizes[j]]))];
        var stream = new ContinualStream(videos, tensor(coordinates).reshape(-1, 2).DetachFromDisposeScope(), tensor(values).reshape(-1, videos.Width).DetachFromDisposeScope());
        stream.Tasks = [.. Enumerable.Range(0, count).Select(j => new StreamTask(new(j, [j]), () => Of(j), () => Of(j)))];
        return stream;

        Batch Of(int j) => Part(stream._trainX, stream._trainY, sizes.Take(j).Sum(), sizes[j]);
    }

    /// <summary>
    /// Tasks by class whose training rows reach into each other: each row arrives at its task's centre plus a normal deviation, and the
    /// stream, sorted by arrival, is cut into as many equal pieces as there are tasks. Test rows stay by class.
    /// </summary>
    public static ContinualStream Blurred(LabelledData data, IReadOnlyList<int> groups, double testFraction, double blur, SeededRandom random, double imbalance = 1)
    {
        var stream = ByClass(data, groups, testFraction, random, imbalance: imbalance);
        var taskOf = new int[data.LabelNames.Count];
        foreach (var task in stream.Tasks)
            foreach (int c in task.Info.Classes)
                taskOf[c] = task.Info.Id;
        long[] labels = stream._trainY.data<long>().ToArray();
        long[] order = [.. Enumerable.Range(0, labels.Length).Select(i => (Row: (long)i, Time: taskOf[labels[i]] + blur * random.NextNormal() + 1e-9 * i)).OrderBy(r => r.Time).Select(r => r.Row)];
        int count = stream.Tasks.Count;
        stream.Tasks = [.. stream.Tasks.Select((task, i) => task with
        {
            Train = () => InScope(() =>
            {
                using var index = tensor(order[(i * order.Length / count)..((i + 1) * order.Length / count)]);
                return (stream._trainX.index_select(0, index), stream._trainY.index_select(0, index));
            }),
        })];
        return stream;
    }

    /// <summary>
    /// Short tasks of classes that come back, tested on each class by itself: a test counts from the start, so that the accuracy curve is
    /// that over all classes.
    /// </summary>
    /// <param name="data">The data.</param>
    /// <param name="tasks">The classes of each task, e.g. from <see cref="RecurringClasses.Draw"/>.</param>
    /// <param name="options">Share of the rows a task shows, disturbance of the inputs, tasks between tests, share of each class held out.</param>
    /// <param name="random">Split, and the rows and disturbance of each task.</param>
    public static ContinualStream Recurring(LabelledData data, IReadOnlyList<int[]> tasks, RecurringOptions options, SeededRandom random)
    {
        var stream = new ContinualStream(data, Split.Of(data, options.TestFraction, random));
        ulong seed = (ulong)random.NextInt64();
        long[][] rowsOf = [.. Enumerable.Range(0, data.LabelNames.Count).Select(c => RowsOf(stream._trainY, c))];
        stream.Tasks = [.. tasks.Select((classes, i) => new StreamTask(new(i, classes), () => Train(i, classes), () => InScope(() =>
        {
            using var index = tensor(classes.SelectMany(c => RowsOf(stream._testY, c)).Order().ToArray());
            return (stream._testX.index_select(0, index), stream._testY.index_select(0, index));
        })))];
        stream.Tests = [.. data.LabelNames.Select((name, c) => new StreamTest(name, new(c, [c]), tasks.TakeWhile(t => !t.Contains(c)).Count(), () => InScope(() =>
        {
            using var index = tensor(RowsOf(stream._testY, c));
            return (stream._testX.index_select(0, index), stream._testY.index_select(0, index));
        })) { Asked = 0 })];
        stream.TestEvery = options.EvaluateEvery;
        stream.DistinctRows = options.Severity > 0 ? null : stream._trainY.numel();
        return stream;

        Batch Train(int i, int[] classes) => InScope(() =>
        {
            var own = new SeededRandom(seed, $"task/{i}");
            using var index = tensor(classes.SelectMany(Share).Order().ToArray());
            var x = stream._trainX.index_select(0, index);
            if (options.Severity > 0)
                x = x + tensor(Enumerable.Range(0, data.Width).Select(_ => (float)(options.Severity * own.NextNormal())).ToArray());
            return (x, stream._trainY.index_select(0, index));

            IEnumerable<long> Share(int c)
            {
                long[] rows = [.. rowsOf[c]];
                own.Shuffle(rows);
                return rows.Take(Math.Max(1, (int)Math.Round(options.RowsShare * rows.Length)));
            }
        });

        static long[] RowsOf(Tensor labels, int c)
        {
            var values = labels.Values<long>();
            var rows = new List<long>();
            for (int i = 0; i < values.Length; i++)
                if (values[i] == c)
                    rows.Add(i);
            return [.. rows];
        }
    }

    /// <summary>All classes in every segment, the inputs transformed; domains come back, and are tested once each.</summary>
    /// <param name="data">The data.</param>
    /// <param name="testFraction">Share of each class held out.</param>
    /// <param name="random">Split.</param>
    /// <param name="transforms">For each domain a function from inputs [n, width] to inputs [n, width].</param>
    /// <param name="segments">The domain of each segment.</param>
    public static ContinualStream Returning(LabelledData data, double testFraction, SeededRandom random, IReadOnlyList<Func<Tensor, Tensor>> transforms, IReadOnlyList<int> segments)
    {
        var stream = ByDomain(data, testFraction, random, transforms);
        var domains = stream.Tasks;
        stream.Tasks = [.. segments.Select((domain, i) => domains[domain] with { Info = domains[domain].Info with { Id = i } })];
        stream.Tests = [.. domains.Select((d, j) => new StreamTest($"{j + 1}", d.Info, segments.TakeWhile(s => s != j).Count(), d.Test))];
        stream.DistinctRows = stream._trainY.numel() * segments.Distinct().Count();
        return stream;
    }

    /// <summary>
    /// The domains of the segments of a returning stream, the same for every seed: each new domain after the first is followed by a return to
    /// the one before it, as long as there are returns; returns that are left over go round all domains at the end. None follows itself.
    /// </summary>
    internal static IReadOnlyList<int> Segments(int domains, int returns)
    {
        var segments = new List<int> { 0 };
        for (int d = 1; d < domains; d++)
        {
            segments.Add(d);
            if (d <= returns)
                segments.Add(d - 1);
        }
        for (int left = returns - (domains - 1), next = 0; left > 0; left--, next++)
            segments.Add(next % domains != segments[^1] ? next % domains : ++next % domains);
        return segments;
    }

    /// <summary>
    /// The mini-batches of one pass, rows in a random order: as few as hold at most <paramref name="size"/> rows each, and equal to within
    /// one row, so that none is a remnant too small for batch normalisation.
    /// </summary>
    internal static IEnumerable<long[]> MiniBatches(int rows, int size, SeededRandom? shuffle)
    {
        var order = Enumerable.Range(0, rows).Select(i => (long)i).ToArray();
        shuffle?.Shuffle(order);
        long batches = BatchCount(rows, size);
        for (long b = 0; b < batches; b++)
            yield return order[(int)(b * rows / batches)..(int)((b + 1) * rows / batches)];
    }

    /// <summary>Number of <see cref="MiniBatches"/>.</summary>
    internal static int BatchCount(int rows, int size) => (rows + size - 1) / size;

    /// <inheritdoc/>
    public void Dispose()
    {
        _trainX.Dispose();
        _trainY.Dispose();
        _testX.Dispose();
        _testY.Dispose();
    }

    /// <summary>Runs in a scope of its own and hands the two results over to the caller, undisposed.</summary>
    private static Batch InScope(Func<(Tensor X, Tensor Y)> make)
    {
        using var scope = NewDisposeScope();
        var (x, y) = make();
        return new(x.DetachFromDisposeScope(), y.DetachFromDisposeScope());
    }
}
