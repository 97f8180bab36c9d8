using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class ProtocolTests
{
    [Fact]
    public void A_task_begins_is_passed_epoch_by_epoch_and_ends()
    {
        using var stream = new SmallStream(options: o => o with { Epochs = 3 });
        using var spy = new Spy(stream.Setup);
        stream.Run(spy);
        foreach (var task in stream.Tasks)
        {
            using var scope = NewDisposeScope();
            var train = task.Train();
            var calls = spy.Calls.SkipWhile(c => c != $"begin {task.Info.Id} {train.Count}").ToList();
            int batches = ContinualStream.BatchCount(train.Count, stream.Setup.Training.BatchSize);
            Assert.All(calls.Skip(1).Take(batches), c => Assert.StartsWith("first", c, StringComparison.Ordinal));
            Assert.All(calls.Skip(1 + batches).Take(2 * batches), c => Assert.StartsWith("again", c, StringComparison.Ordinal));
            Assert.Equal($"end {task.Info.Id} {train.Count}", calls[1 + 3 * batches]);
        }
        Assert.Equal(stream.Setup.Training.Steps, spy.Calls.Count(c => c.StartsWith("first", StringComparison.Ordinal) || c.StartsWith("again", StringComparison.Ordinal)));
        Assert.Equal(stream.Setup.Training.Rows, spy.FirstRows);
    }

    [Fact]
    public void A_stream_without_boundaries_announces_none()
    {
        using var stream = new SmallStream("blurry");
        using var spy = new Spy(stream.Setup);
        stream.Run(spy);
        Assert.DoesNotContain(spy.Calls, c => c.StartsWith("begin", StringComparison.Ordinal) || c.StartsWith("end", StringComparison.Ordinal));
    }

    [Theory, InlineData("class-incremental", false), InlineData("task-incremental", true), InlineData("permuted", false), InlineData("blurry", false)]
    public void The_task_of_a_test_row_is_told_in_task_incremental_streams_only(string task, bool told)
    {
        using var stream = new SmallStream(task);
        using var spy = new Spy(stream.Setup);
        stream.Run(spy);
        Assert.All(spy.Calls.Where(c => c.StartsWith("predict", StringComparison.Ordinal)), c => Assert.Equal(told, c != "predict"));
    }

    [Theory, InlineData("class-incremental", 0.25), InlineData("task-incremental", 0.75)]
    public void A_row_is_classified_among_the_classes_of_its_task_when_that_is_told(string task, double accuracy)
    {
        using var stream = new SmallStream(task, data: TestData.Images(noise: 5));
        int favourite = stream.Tasks[0].Info.Classes[0];
        // Every row is pushed to one class of the first task: its own rows are right, and those of the second task when it is known that they are.
        using var spy = new Spy(stream.Setup) { Bias = (_, logits) => logits[TensorIndex.Colon, favourite].fill_(1e6f) };
        Assert.Equal(accuracy, stream.Run(spy)["accuracy"], 12);
    }

    [Fact]
    public void A_class_that_has_not_come_yet_is_no_answer_for_a_task_that_has()
    {
        using var stream = new SmallStream(data: TestData.Images(noise: 5));
        int last = stream.Tasks[1].Info.Classes[0];
        using var spy = new Spy(stream.Setup) { Bias = (_, logits) => logits[TensorIndex.Colon, last].fill_(1e6f) };
        stream.Run(spy);
        double R(int task, int step) => stream.Events.OfType<MetricEvent>().Single(m => m.Name == $"R/{task}" && m.Step == step).Value;
        Assert.Equal(1, R(1, 1));   // after task 1 the coming class is masked for task 1,
        Assert.Equal(0.5, R(2, 1)); // not for the task that brings it,
        Assert.Equal(0, R(1, 2));   // and not any more once it has come
    }

    [Fact]
    public void A_prediction_that_changes_the_state_stops_the_trial()
    {
        using var stream = new SmallStream();
        using var spy = new Spy(stream.Setup) { Impure = true };
        Assert.Contains("pure", Assert.Throws<InvalidOperationException>(() => stream.Run(spy)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prediction_of_NaN_stops_the_trial_with_what_to_do()
    {
        using var stream = new SmallStream();
        using var spy = new Spy(stream.Setup) { Bias = (_, logits) => logits.mul_(float.NaN) };
        Assert.Contains("diverged", Assert.Throws<InvalidOperationException>(() => stream.Run(spy)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_account_is_what_the_learner_reports_and_remembers()
    {
        using var stream = new SmallStream();
        using var learner = new ContinualArena().Create("er", new() { ["buffer-size"] = 10 }, stream.Setup);
        var metrics = stream.Run(learner);
        var account = stream.Context.Account.Entries;
        long rows = stream.Setup.Training.Rows * stream.Options.Epochs;
        Assert.Equal(10 * (TestData.Width * sizeof(float) + sizeof(long)), account["memory_bytes"]);
        Assert.Equal(metrics["memory_bytes"], account["memory_bytes"] + account["statistics_bytes"] + account["counter_bytes"]);
        using var network = stream.Setup.Network();
        Assert.Equal(metrics["model_bytes"], sizeof(float) * (network.ParameterValues.Length + network.BufferValues.Length));
        Assert.Equal(metrics["sample_gradients"], rows + account["replayed_items"]);
        Assert.Equal(account["sample_gradients"], account["sample_forwards"]);
        Assert.True(account["seconds_per_example"] > 0);
    }

    [Fact]
    public void Naive_training_passes_every_row_once_an_epoch()
    {
        using var stream = new SmallStream();
        using var learner = new Learner(stream.Setup);
        Assert.Equal(stream.Setup.Training.Rows * stream.Options.Epochs, stream.Run(learner)["sample_gradients"]);
    }

    [Fact]
    public void The_hash_sees_a_single_bit_of_any_piece_of_state()
    {
        using var stream = new SmallStream();
        using var learner = new ContinualArena().Create("er", [], stream.Setup);
        foreach (var entry in learner.State)
        {
            byte[] before = Protocol.Hash(learner);
            entry.Value.bytes[0] ^= 1;
            Assert.NotEqual(before, Protocol.Hash(learner));
        }
    }

    /// <summary>A nearest-mean learner, all classes known from the start, that writes down how it is called.</summary>
    private sealed class Spy : IContinualLearner
    {
        private readonly NearestClassMean _inner;
        private readonly Tensor _changes = zeros(1).DetachFromDisposeScope();

        public Spy(LearnerSetup setup) => _inner = new(setup);

        public List<string> Calls { get; } = [];

        public long FirstRows { get; private set; }

        public bool Impure { get; init; }

        public Action<Tensor, Tensor>? Bias { get; init; }

        public IEnumerable<StateEntry> State => _inner.State.Append(new("changes", StateKind.Counter, _changes));

        public void BeginTask(TaskInfo task, Batch train) => Calls.Add($"begin {task.Id} {train.Count}");

        public StepReport Observe(Batch batch)
        {
            Calls.Add($"{(batch.FirstPass ? "first" : "again")} {batch.Count}");
            FirstRows += batch.FirstPass ? batch.Count : 0;
            return _inner.Observe(batch);
        }

        public StepReport EndTask(TaskInfo task, Batch train)
        {
            Calls.Add($"end {task.Id} {train.Count}");
            return StepReport.None;
        }

        public Tensor Predict(Tensor x, TaskInfo? task = null)
        {
            Calls.Add(task is null ? "predict" : $"predict {task.Id}");
            if (Impure)
                _changes.bytes[0]++;
            var logits = _inner.Predict(x, task);
            Bias?.Invoke(x, logits);
            return logits;
        }

        public void Dispose()
        {
            _inner.Dispose();
            _changes.Dispose();
        }
    }
}
