using System.Diagnostics.Metrics;
using System.Text.Json;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// A classifier that a service hosts: it learns from updates as they come, of one row or of thousands, meets new classes at any time, and
/// answers while it learns. Any method of the catalogue does the learning; by default experience replay.
/// <para>Memory is declared up front and kept: all that is remembered has its final size before the first row. A checkpoint is one
/// safetensors file, written whole or not at all, and a classifier loaded from it goes on to the bit.</para>
/// <para>Safe for use by several threads: updates are learned one after another; predictions are served from a copy of the state, which is
/// brought up to date between updates, and never wait for one. An update of n rows costs what the method's step costs;
/// the first prediction after an update costs a copy of the state.</para>
/// </summary>
public sealed class ContinualClassifier : IDisposable
{
    /// <summary>The meter of <see cref="System.Diagnostics.Metrics"/> that rows, durations, memory, classes, accuracy and boundaries are measured in.</summary>
    public const string MeterName = "Winnow.Continual";

    private const double AccuracyDecay = 0.999;
    private const int YoungestBoundary = 30; // mini-batches: before, a falling loss says nothing
    private readonly Lock _learning = new(), _serving = new();
    private readonly LearnerSetup _setup;
    private readonly string? _needsBoundaries;
    private readonly CheckedLearner _learner, _served;
    private readonly Standardiser? _standardiser;
    private readonly Network? _encoder; // what every network starts from; a method may ask for a fresh one at any time
    private readonly TimeProvider _clock;
    private readonly ClassifierMetrics _metrics;
    private readonly Dictionary<string, int> _classes = new(StringComparer.Ordinal);
    private readonly List<string> _labels = [];
    private readonly List<TaskInfo> _tasks = [];
    private readonly LossJumpDetector _detector;
    private string[] _servedLabels = [];
    private TaskInfo[] _servedTasks = [];
    private long _servedUpdate = -1;
    private int _wanted; // 1: a prediction came while an update was learned, and wants the state after it
    private double _rightRows, _countedRows;

    /// <summary>A classifier that has seen nothing yet.</summary>
    /// <param name="options">What it is.</param>
    /// <param name="standardiser">Fitted on rows like those to come, or null when the rows need none.</param>
    /// <param name="encoder">A pre-trained network with <c>MaxClasses</c> outputs to start from, for methods that need one; copied.</param>
    /// <param name="meters">Makes the meter; by default one is made here.</param>
    /// <param name="clock">Measures durations for the metrics.</param>
    /// <param name="cancellation">Stops long work inside a call.</param>
    /// <exception cref="InputException">An option cannot be: unknown method, out of range, more memory than the limit.</exception>
    public ContinualClassifier(ContinualClassifierOptions options, Standardiser? standardiser = null, Network? encoder = null, IMeterFactory? meters = null, TimeProvider? clock = null, CancellationToken cancellation = default)
    {
        _encoder = encoder?.Clone();
        ClassifierPlan plan;
        try
        {
            plan = ClassifierPlan.Of(options, standardiser, _encoder, cancellation);
        }
        catch
        {
            _encoder?.Dispose();
            throw;
        }
        Options = options;
        _setup = plan.Setup;
        _needsBoundaries = plan.NeedsBoundaries ? plan.Method : null;
        _standardiser = standardiser;
        _clock = clock ?? TimeProvider.System;
        _detector = new(options.MaxClasses, minimumAge: YoungestBoundary);
        _learner = plan.Create();
        try
        {
            MemoryBytes = State.Sum(s => s.Value.numel() * s.Value.ElementSize);
            if (MemoryBytes > options.MemoryLimit)
                throw InputException.At("memory-limit", $"{options.MemoryLimit} bytes", $"at least the {MemoryBytes} that '{options.Method}' remembers with {options.MaxClasses} classes", "Raise the limit, or lower buffer-size, hidden, max-classes or max-tasks.");
            _served = plan.Create();
        }
        catch
        {
            _learner.Dispose();
            _detector.Dispose();
            _encoder?.Dispose();
            throw;
        }
        _metrics = new(meters, () => MemoryBytes, () => _servedLabels.Length, () => Accuracy);
    }

    /// <summary>What was declared.</summary>
    public ContinualClassifierOptions Options { get; }

    /// <summary>Bytes of all that the learner remembers: fixed from the start. The copy that serves predictions is as large again.</summary>
    public long MemoryBytes { get; }

    /// <summary>Mini-batches learned.</summary>
    public long Updates { get; private set; }

    /// <summary>Rows learned.</summary>
    public long Rows { get; private set; }

    /// <summary>Share of rows that were predicted rightly just before they were learned, over about the last thousand; NaN at first.</summary>
    public double Accuracy => _countedRows == 0 ? double.NaN : _rightRows / _countedRows;

    /// <summary>The classes seen, in the order of their first row.</summary>
    public IReadOnlyList<string> Labels
    {
        get
        {
            lock (_learning)
                return [.. _labels];
        }
    }

    /// <summary>A boundary was found. Raised on the thread that learns, after the update, outside any lock.</summary>
    public event EventHandler<BoundaryEvent>? BoundaryFound;

    /// <summary>Learns some rows of a stream without announced boundaries. All rows are checked before any is learned.</summary>
    /// <param name="rows">Values, row-major, <c>[n, width]</c>.</param>
    /// <param name="labels">One for each row; a label not seen before makes a class.</param>
    /// <exception cref="ArgumentException">A row or label cannot be used; nothing was learned.</exception>
    /// <exception cref="InvalidOperationException">The method needs announced boundaries.</exception>
    public LearnReport Learn(ReadOnlySpan<float> rows, IReadOnlyList<string> labels)
    {
        if (_needsBoundaries is not null)
            throw new InvalidOperationException($"'{_needsBoundaries}' needs task boundaries: give it whole tasks with LearnTask, or choose a method that learns from any stream, for instance er.");
        return Learning(rows, labels, (x, y, found) =>
        {
            var report = StepReport.None;
            double right = 0;
            for (int start = 0; start < y.Length; start += Options.BatchSize)
            {
                int count = Math.Min(Options.BatchSize, y.Length - start);
                right += Watch(x, y, start, count, found);
                report = Step(x.Slice(start * Width, count * Width), y.Slice(start, count), firstPass: true);
            }
            return (report.Loss, right / y.Length);
        });
    }

    /// <summary>Learns all rows of one source, in its order.</summary>
    /// <exception cref="ArgumentException">The rows have another width.</exception>
    public LearnReport Learn(LabelledData data, CancellationToken cancellation = default)
    {
        if (data.Width != Width)
            throw new ArgumentException($"The rows of {data.Title} have {data.Width} values; expected {Width}.", nameof(data));
        const int Chunk = 1024;
        var total = default(LearnReport);
        double right = 0;
        for (int start = 0; start < data.Count; start += Chunk)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] index = [.. Enumerable.Range(start, Math.Min(Chunk, data.Count - start))];
            var values = new float[index.Length * Width];
            data.CopyRows(index, values);
            var report = Learn(values, [.. index.Select(i => data.LabelNames[data.Labels[i]])]);
            right += report.Accuracy * report.Rows;
            total = new(total.Rows + report.Rows, report.Loss, right / (total.Rows + report.Rows));
        }
        return total;
    }

    /// <summary>Learns one whole task, in several passes, with its beginning and end announced: what every method can do.</summary>
    /// <param name="rows">All rows of the task, row-major, <c>[n, width]</c>.</param>
    /// <param name="labels">One for each row.</param>
    /// <exception cref="ArgumentException">A row or label cannot be used; nothing was learned.</exception>
    /// <exception cref="InvalidOperationException">More tasks than were declared.</exception>
    public LearnReport LearnTask(ReadOnlySpan<float> rows, IReadOnlyList<string> labels) => Learning(rows, labels, (x, y, found) =>
    {
        if (_tasks.Count == Options.MaxTasks)
            throw new InvalidOperationException($"{Options.MaxTasks} tasks were declared and learned; declare more with max-tasks.");
        double right = 0;
        for (int start = 0; start < y.Length; start += Options.BatchSize)
            right += Watch(x, y, start, Math.Min(Options.BatchSize, y.Length - start), found);
        var task = new TaskInfo(_tasks.Count, [.. y.ToArray().Select(c => (int)c).Distinct().Order()]);
        using var scope = NewDisposeScope();
        var train = new Batch(tensor(x.ToArray()).reshape(y.Length, Width), tensor(y.ToArray()));
        _learner.BeginTask(task, train);
        var order = _setup.Random($"classifier/order/{task.Id}");
        var report = StepReport.None;
        for (int epoch = 0; epoch < Options.Epochs; epoch++)
            foreach (var batch in (train with { FirstPass = epoch == 0 }).MiniBatches(Options.BatchSize, order))
            {
                report += _learner.Observe(batch);
                Updates++;
            }
        report += _learner.EndTask(task, train);
        _tasks.Add(task);
        return (report.Loss, right / y.Length);
    });

    /// <summary>The most probable class of each row among those seen, with its probability. Never waits for an update that is being learned.</summary>
    /// <param name="rows">Values, row-major, <c>[n, width]</c>.</param>
    /// <param name="task">The number of the task, in the order of LearnTask, that the rows are known to come from; null when that is not known.</param>
    /// <exception cref="ArgumentException">The rows cannot be used.</exception>
    /// <exception cref="InvalidOperationException">Nothing was learned yet.</exception>
    public IReadOnlyList<(string Label, double Confidence)> Predict(ReadOnlySpan<float> rows, int? task = null)
    {
        long start = _clock.GetTimestamp();
        float[] values = Standardised(rows);
        if (_learning.TryEnter())
        {
            try
            {
                Publish();
            }
            finally
            {
                _learning.Exit();
            }
        }
        else
            Interlocked.Exchange(ref _wanted, 1);
        lock (_serving)
        {
            if (_servedLabels.Length == 0)
                throw new InvalidOperationException("No class was learned yet: call Learn first.");
            if (task is { } id && (id < 0 || id >= _servedTasks.Length))
                throw new ArgumentException($"Task {id} is asked for; {_servedTasks.Length} tasks were learned with LearnTask, from 0.", nameof(task));
            using var _ = no_grad();
            using var scope = NewDisposeScope();
            var logits = _served.Predict(tensor(values).reshape(-1, Width), task is { } told ? _servedTasks[told] : null).narrow(1, 0, _servedLabels.Length);
            var (confidence, best) = F.softmax(logits, 1).max(1);
            long[] labels = best.data<long>().ToArray();
            float[] certain = confidence.data<float>().ToArray();
            _metrics.Predicted(labels.Length, _clock.GetElapsedTime(start));
            return [.. labels.Zip(certain, (l, c) => (_servedLabels[l], (double)c))];
        }
    }

    /// <summary>Writes a checkpoint: one safetensors file with all that is remembered, the options and the class names; whole or not at all.</summary>
    /// <exception cref="InputException">The file cannot be written; one that was there before is as it was.</exception>
    public void Save(string path)
    {
        lock (_learning)
        {
            var card = new ClassifierCard(1, Options, _encoder?.Architecture, _standardiser?.ToJson(), _labels, [.. _tasks.Select(t => t.Classes)], Updates, Rows, _rightRows, _countedRows, [.. Detector]);
            WholeFile.Write(path, stream => LearnerState.Write(State, stream, ClassifierCard.Format, JsonSerializer.Serialize(card, WinnowJson.Options)));
        }
    }

    /// <summary>A classifier as it was when the checkpoint was written: it goes on to the bit.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or no checkpoint of a classifier.</exception>
    public static ContinualClassifier Load(string path, IMeterFactory? meters = null, TimeProvider? clock = null, CancellationToken cancellation = default)
    {
        var card = ClassifierCard.Read(path);
        using var encoder = card.Encoder is null ? null : Network.Create(card.Encoder, new SeededRandom(card.Options.Seed, "overwritten"));
        var classifier = new ContinualClassifier(card.Options, card.Standardiser is { } s ? Standardiser.FromJson(s, path) : null, encoder, meters, clock, cancellation);
        try
        {
            LearnerState.Read([.. classifier.State], path);
            classifier.Restore(card);
            return classifier;
        }
        catch
        {
            classifier.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_learning)
            lock (_serving)
            {
                _metrics.Dispose();
                _detector.Dispose();
                _learner.Dispose();
                _served.Dispose();
                _encoder?.Dispose();
            }
    }

    private int Width => _setup.Width;

    /// <summary>All that a checkpoint holds.</summary>
    private IEnumerable<StateEntry> State =>
        _learner.State.Concat(_encoder?.LiveState.Select(s => new StateEntry($"encoder/{s.Key}", StateKind.Model, s.Value)) ?? []);

    private Span<double> Detector => _detector.State("detector").Value.Values<double>();

    private void Restore(ClassifierCard card)
    {
        foreach (string label in card.Labels)
            Add(label);
        _tasks.AddRange(card.Tasks.Select((classes, i) => new TaskInfo(i, classes)));
        (Updates, Rows, _rightRows, _countedRows) = (card.Updates, card.Rows, card.RightRows, card.CountedRows);
        card.Detector.ToArray().CopyTo(Detector);
    }

    /// <summary>What both ways of learning share: checks, class numbers, the lock, the account, the events.</summary>
    private LearnReport Learning(ReadOnlySpan<float> rows, IReadOnlyList<string> labels, Work work)
    {
        long start = _clock.GetTimestamp();
        float[] x = Standardised(rows);
        if (labels.Count * Width != x.Length)
            throw new ArgumentException($"{labels.Count} labels for {x.Length / Width} rows; expected one for each.", nameof(labels));
        List<BoundaryEvent> found = [];
        LearnReport report;
        lock (_learning)
        {
            long[] y = new long[labels.Count];
            string[] fresh = [.. labels.Where(l => !_classes.ContainsKey(l)).Distinct()];
            if (labels.Any(string.IsNullOrWhiteSpace))
                throw new ArgumentException("A label is empty; expected the name of a class for each row.", nameof(labels));
            if (_labels.Count + fresh.Length > Options.MaxClasses)
                throw new ArgumentException($"'{fresh[Options.MaxClasses - _labels.Count]}' would be class {Options.MaxClasses + 1}; {Options.MaxClasses} were declared. Declare more with max-classes.", nameof(labels));
            long before = Updates;
            foreach (string label in fresh)
                Add(label);
            for (int i = 0; i < y.Length; i++)
                y[i] = _classes[labels[i]];
            try
            {
                found.AddRange(fresh.Select(label => new BoundaryEvent(BoundaryKind.NewClass, Updates, double.NaN, double.NaN, label)));
                var (loss, accuracy) = work(x, y, found);
                Rows += y.Length;
                report = new(y.Length, loss, accuracy);
                if (_servedLabels.Length == 0 || Interlocked.Exchange(ref _wanted, 0) == 1)
                    Publish();
            }
            catch when (Updates == before)
            {
                foreach (string label in fresh)
                    _classes.Remove(label);
                _labels.RemoveRange(_labels.Count - fresh.Length, fresh.Length);
                throw;
            }
        }
        _metrics.Learned(report.Rows, _clock.GetElapsedTime(start));
        foreach (var boundary in found)
        {
            _metrics.Boundary(boundary.Kind);
            BoundaryFound?.Invoke(this, boundary);
        }
        return report;
    }

    private delegate (double Loss, double Accuracy) Work(ReadOnlySpan<float> x, ReadOnlySpan<long> y, List<BoundaryEvent> found);

    private StepReport Step(ReadOnlySpan<float> x, ReadOnlySpan<long> y, bool firstPass)
    {
        using var scope = NewDisposeScope();
        var report = _learner.Observe(new(tensor(x.ToArray()).reshape(y.Length, Width), tensor(y.ToArray()), firstPass));
        Updates++;
        return report;
    }

    /// <summary>Predicts rows before they are learned: how many were right; a jump of the loss is a boundary. Rows of a class that is new count as wrong.</summary>
    private double Watch(ReadOnlySpan<float> x, ReadOnlySpan<long> y, int start, int count, List<BoundaryEvent> found)
    {
        if (!Options.DetectBoundaries)
            return double.NaN;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var logits = _learner.Predict(tensor(x.Slice(start * Width, count * Width).ToArray()).reshape(count, Width)).narrow(1, 0, _labels.Count);
        var truth = tensor(y.Slice(start, count).ToArray());
        long right = logits.argmax(1).eq(truth).sum().item<long>();
        (_rightRows, _countedRows) = (_rightRows * Math.Pow(AccuracyDecay, count) + right, _countedRows * Math.Pow(AccuracyDecay, count) + count);
        double loss = F.cross_entropy(logits, truth).item<float>();
        if (found.Count > 0)
            return right; // a class that was just met has no loss to compare with
        if (_detector.Watch(loss))
        {
            found.Add(new(BoundaryKind.LossJump, Updates, _detector.Smoothed, _detector.Threshold, null));
            _detector.Restart();
            _detector.Smooth(loss);
        }
        _detector.Accept(loss);
        return right;
    }

    private void Add(string label)
    {
        _classes.Add(label, _labels.Count);
        _labels.Add(label);
    }

    /// <summary>Brings the copy that serves predictions up to date. Called with the learning lock held.</summary>
    private void Publish()
    {
        if (_servedUpdate == Updates && _servedTasks.Length == _tasks.Count)
            return;
        lock (_serving)
        {
            using var _ = no_grad();
            foreach (var (from, to) in _learner.State.Zip(_served.State))
                to.Value.copy_(from.Value);
            (_servedUpdate, _servedLabels, _servedTasks) = (Updates, [.. _labels], [.. _tasks]);
        }
    }

    private float[] Standardised(ReadOnlySpan<float> rows)
    {
        if (rows.Length == 0 || rows.Length % Width != 0)
            throw new ArgumentException($"{rows.Length} values; expected at least one whole row of {Width}.", nameof(rows));
        for (int i = 0; i < rows.Length; i++)
            if (!float.IsFinite(rows[i]))
                throw new ArgumentException($"Row {i / Width}, column {i % Width} is {rows[i]}; expected finite numbers: clean the data.", nameof(rows));
        float[] values = rows.ToArray();
        _standardiser?.Apply(values);
        return values;
    }
}
