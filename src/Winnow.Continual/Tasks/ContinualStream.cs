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

/// <summary>
/// A classification data set as a sequence of tasks. Train and test rows are split per class; inputs are standardised with mean and
/// deviation of the training rows, or of those of the classes that are known beforehand; class order, permutations and the split come from
/// the seed.
/// </summary>
public sealed class ContinualStream : IDisposable
{
    private readonly Tensor _trainX, _trainY, _testX, _testY;

    private ContinualStream(LabelledData data, double testFraction, SeededRandom random, IReadOnlyCollection<int>? known = null, IReadOnlyCollection<int>? whole = null, double imbalance = 1)
    {
        NativeTorch.Require();
        Data = data;
        var (train, test) = Split.Of(data, testFraction, random);
        if (whole is not null) // of all other classes a share
            train = [.. train.GroupBy(row => data.Labels[row]).SelectMany(c => whole.Contains(c.Key) ? c : c.Take((int)Math.Ceiling(c.Count() / imbalance))).Order()];
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

    /// <summary>The data.</summary>
    public LabelledData Data { get; }

    /// <summary>Fitted on training rows only, and where some classes are known beforehand on theirs only.</summary>
    public Standardiser Standardiser { get; }

    /// <summary>The tasks in order.</summary>
    public IReadOnlyList<StreamTask> Tasks { get; private set; }

    /// <summary>The training rows of the first group of classes, e.g. to train an encoder on; null for streams that are not by class.</summary>
    public Func<Batch>? FirstGroup { get; private set; }

    /// <summary>Classes in groups, a group a task: class-incremental, task-incremental and online streams.</summary>
    /// <param name="data">The data.</param>
    /// <param name="groups">How many classes each task brings.</param>
    /// <param name="testFraction">Share of each class held out.</param>
    /// <param name="random">Split and class order.</param>
    /// <param name="firstIsKnown">Whether the first group is known before the stream: the inputs are then standardised by its rows alone, so that nothing of the other classes reaches an encoder trained on it.</param>
    /// <param name="withFirst">Whether the first group is a task of the stream, or only its <see cref="FirstGroup"/>.</param>
    /// <param name="imbalance">How many times as many training rows of a class one group, drawn at random, has as the others.</param>
    public static ContinualStream ByClass(LabelledData data, IReadOnlyList<int> groups, double testFraction, SeededRandom random, bool firstIsKnown = false, bool withFirst = true, double imbalance = 1)
    {
        var order = Enumerable.Range(0, data.LabelNames.Count).ToArray();
        random.Shuffle(order);
        int longest = imbalance > 1 ? random.Next(groups.Count) : 0;
        int[]? whole = imbalance > 1 ? order[groups.Take(longest).Sum()..groups.Take(longest + 1).Sum()] : null;
        var stream = new ContinualStream(data, testFraction, random, firstIsKnown ? order[..groups[0]] : null, whole, imbalance);
        var tasks = new List<StreamTask>();
        int next = 0;
        foreach (int size in groups)
        {
            int[] classes = [.. order.Skip(next).Take(size).Order()];
            next += size;
            var members = classes.Select(c => (long)c).ToArray();
            tasks.Add(new(new(tasks.Count, classes), () => Of(stream._trainX, stream._trainY, members), () => Of(stream._testX, stream._testY, members)));
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
    }

    /// <summary>All classes in every task, the inputs transformed: domain-incremental streams.</summary>
    /// <param name="data">The data.</param>
    /// <param name="testFraction">Share of each class held out.</param>
    /// <param name="random">Split.</param>
    /// <param name="transforms">For each task a function from inputs [n, width] to inputs [n, width].</param>
    public static ContinualStream ByDomain(LabelledData data, double testFraction, SeededRandom random, IReadOnlyList<Func<Tensor, Tensor>> transforms)
    {
        var stream = new ContinualStream(data, testFraction, random);
        int[] classes = [.. Enumerable.Range(0, data.LabelNames.Count)];
        stream.Tasks = [.. transforms.Select((transform, i) => new StreamTask(new(i, classes),
            () => InScope(() => (transform(stream._trainX), stream._trainY.clone())), () => InScope(() => (transform(stream._testX), stream._testY.clone()))))];
        return stream;
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
