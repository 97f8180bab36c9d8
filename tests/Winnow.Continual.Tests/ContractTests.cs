using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

/// <summary>What every method of the catalogue keeps to, on every kind of stream it can run on.</summary>
public sealed class ContractTests
{
    private static readonly ContinualArena Arena = new();

    public static TheoryData<string, string> MethodsAndTasks => [.. from method in Arena.Methods
                                                                   from task in (string[])["class-incremental", "task-incremental", "permuted", "permuted-told", "drift", "blurry", "pretrained", "recurring", "returning", "few-shot", "video"]
                                                                   from choice in Techniques(method, Arena.Task(task))
                                                                   select (choice, task)];

    /// <summary>A method as one chooses it on the command line: once, or with each of its techniques that can run on the task.</summary>
    private static IEnumerable<string> Techniques(MethodCard method, TaskCard task)
    {
        JsonObject[] choices = method.Options.Options.FirstOrDefault(o => o.Name == "technique") is { } technique
            ? [.. technique.Range!.Split(" | ").Select(t => new JsonObject { ["technique"] = t })] : [[]];
        return choices.Where(c => method.Refusal(task, c) is null).Select(c => c["technique"] is { } t ? $"{method.Id}:technique={t}" : method.Id);
    }

    public static TheoryData<string> Methods => [.. Arena.Methods.Select(m => m.Id)];

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void Two_runs_are_equal_to_the_bit(string method, string task)
    {
        var (metrics, hash) = Run();
        var (metricsAgain, hashAgain) = Run();
        Assert.Equal(metrics, metricsAgain);
        Assert.Equal(hash, hashAgain);

        (IReadOnlyDictionary<string, double>, byte[]) Run()
        {
            using var stream = new SmallStream(task);
            using var learner = Create(method, stream);
            return (stream.Run(learner), Protocol.Hash(learner));
        }
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void A_learner_resumed_from_its_saved_state_goes_on_to_the_bit(string method, string task) => ResumedIsWhole(method, new SmallStream(task));

    [Fact] // without boundaries nothing resets the momentum between the pieces of the stream
    public void A_learner_with_momentum_resumed_between_boundaries_goes_on_to_the_bit() => ResumedIsWhole("er", new SmallStream("blurry", o => o with { Momentum = 0.9 }));

    private static void ResumedIsWhole(string method, SmallStream owned)
    {
        using var stream = owned;
        using var whole = Create(method, stream);
        var order = new SeededRandom(3, "order");
        stream.Train(whole, 0, order);
        string file = Path.Combine(Directory.CreateTempSubdirectory("winnow-test-").FullName, "state.safetensors");
        using (var to = File.Create(file))
            LearnerState.Write(whole, to);
        using var resumed = Create(method, stream);
        LearnerState.Read(resumed, file);
        var sameOrder = new SeededRandom(3, "order") { State = order.State };
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);

        Assert.Equal(Protocol.Hash(whole), Protocol.Hash(resumed));
        stream.Train(whole, 1, order);
        stream.Train(resumed, 1, sameOrder);

        Assert.Equal(Protocol.Hash(whole), Protocol.Hash(resumed));
        using var scope = NewDisposeScope();
        var x = stream.Rows(20).X;
        Assert.Equal(whole.Predict(x).bytes, resumed.Predict(x).bytes);
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void A_prediction_changes_nothing_that_is_learned_later(string method, string task)
    {
        using var stream = new SmallStream(task);
        using var asked = Create(method, stream);
        using var silent = Create(method, stream);
        var (order, sameOrder) = (new SeededRandom(3, "order"), new SeededRandom(3, "order"));
        using var scope = NewDisposeScope();
        var x = stream.Rows(20).X;
        for (int i = 0; i < stream.Tasks.Count; i++)
        {
            asked.Predict(x);
            stream.Train(asked, i, order);
            asked.Predict(x, stream.Tasks[0].Info);
            stream.Train(silent, i, sameOrder);
        }
        Assert.Equal(Protocol.Hash(silent), Protocol.Hash(asked));
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void Answers_are_finite_one_row_each_and_do_not_depend_on_the_other_rows(string method, string task)
    {
        using var stream = new SmallStream(task);
        using var learner = Create(method, stream);
        using var scope = NewDisposeScope();
        var x = stream.Tasks[0].Test().X;
        for (int i = -1; i < stream.Tasks.Count; i++)
        {
            if (i >= 0)
                stream.Train(learner, i, new SeededRandom(3, "order"));
            var logits = learner.Predict(x);
            Assert.Equal((ScalarType.Float32, 2L, x.shape[0], (long)stream.Answers), (logits.dtype, logits.dim(), logits.shape[0], logits.shape[1]));
            Assert.True(logits.isfinite().all().item<bool>());
            Assert.False(logits.requires_grad);
            Assert.True(logits.narrow(0, 1, 2).allclose(learner.Predict(x.narrow(0, 1, 2)), rtol: 1e-4, atol: 1e-4));
        }
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void Rows_that_come_alone_are_learned_and_a_session_that_comes_twice_is_learned_or_refused_before_it_changes_anything(string method, string task)
    {
        using var stream = new SmallStream(task);
        using var learner = Create(method, stream);
        using var scope = NewDisposeScope();
        for (int session = 0; session < 3; session++)
        {
            int i = Math.Min(session, 1);
            var (info, train) = (stream.Tasks[i].Info, stream.Tasks[i].Train());
            byte[] before = Protocol.Hash(learner);
            try
            {
                if (stream.Setup.Boundaries)
                    learner.BeginTask(info, train);
            }
            catch (ArgumentException e)
            {
                Assert.Equal(("task", 2), (e.ParamName, session));
                Assert.Equal(before, Protocol.Hash(learner));
                return;
            }
            foreach (var row in train.MiniBatches(1, new SeededRandom(5, "order")).Take(6))
                learner.Observe(row);
            if (stream.Setup.Boundaries)
                learner.EndTask(info, train);
            Assert.True(learner.Predict(stream.Tasks[0].Test().X).isfinite().all().item<bool>());
        }
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void State_has_names_of_its_own_and_a_shape_that_does_not_change(string method, string task)
    {
        using var stream = new SmallStream(task);
        using var learner = Create(method, stream);
        string[] before = Layout(learner);
        Assert.Equal(before.Length, learner.State.Select(s => s.Name).Distinct().Count());
        stream.Train(learner);
        Assert.Equal(before, Layout(learner));

        static string[] Layout(IContinualLearner learner) => [.. learner.State.Select(s => $"{s.Name} {s.Kind} {s.Value.dtype} [{string.Join(", ", s.Value.shape)}]")];
    }

    [Theory, MemberData(nameof(Methods))]
    public void A_declared_buffer_size_is_kept_to(string method)
    {
        if (!Arena.Method(method).Options.Has("buffer-size"))
            return; // it declares none
        using var stream = new SmallStream(SmallStream.TaskFor(method));
        using var learner = Create(method, stream, new() { ["buffer-size"] = 7 });
        stream.Train(learner);
        Assert.All(learner.State.Where(s => s.Kind == StateKind.Memory), s => Assert.InRange(s.Value.shape[0], 0, 7));
        Assert.Contains(learner.State, s => s.Kind == StateKind.Memory);
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void No_tensor_outlives_its_learner(string method, string task)
    {
        using var stream = new SmallStream(task);
        Use(); // the first use may fill caches
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            using var learner = Create(method, stream);
            stream.Train(learner);
            using var scope = NewDisposeScope();
            learner.Predict(stream.Rows(5).X);
        }
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void What_is_kept_between_steps_does_not_pile_up(string method, string task)
    {
        using var stream = new SmallStream(task);
        using var learner = Create(method, stream);
        stream.Train(learner);
        Observe(1); // what the first step after a task sets up stays
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Observe(5);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Observe(int steps)
        {
            using var scope = NewDisposeScope();
            var (x, y, _) = stream.Tasks[^1].Train();
            scope.Attach(x, y);
            for (int i = 0; i < steps; i++)
                learner.Observe(new(x, y, FirstPass: false));
        }
    }

    [Theory, MemberData(nameof(MethodsAndTasks))]
    public void Costs_are_counted_and_add_up(string method, string task)
    {
        using var stream = new SmallStream(task);
        using var learner = Create(method, stream);
        var cost = stream.Train(learner);
        Assert.True(cost.Gradients >= 0 && cost.Replayed >= 0);
        Assert.True(cost.Forward >= cost.Gradients, $"{cost.Gradients} rows passed backward, {cost.Forward} forward");
        Assert.True(cost.Replayed <= cost.Forward, $"{cost.Replayed} rows replayed, {cost.Forward} passed forward");
    }

    [Theory, MemberData(nameof(Methods))]
    public async Task A_cancelled_trial_ends_with_the_next_call(string method)
    {
        using var cancelled = new CancellationTokenSource();
        using var stream = new SmallStream(SmallStream.TaskFor(method), cancellation: cancelled.Token);
        using var learner = Create(method, stream);
        await cancelled.CancelAsync();
        Assert.ThrowsAny<OperationCanceledException>(() => stream.Train(learner));
        Assert.ThrowsAny<OperationCanceledException>(() => stream.Run(learner));
    }

    public static TheoryData<string, string> BadRows => new()
    {
        { "NaN", "Row 2, column 3 is NaN" },
        { "infinite", "Row 1, column 0 is" },
        { "width", "expected Float32 [rows, 16]" },
        { "type", "expected Float32" },
        { "empty", "at least one row" },
        { "label", "Row 1 has the label 4; expected 0 to 3" },
        { "negative label", "Row 0 has the label -1" },
        { "labels missing", "expected Int64 [4]" },
    };

    [Theory, MemberData(nameof(BadRows))]
    public void What_no_learner_can_use_is_refused_by_all_with_its_place_and_changes_nothing(string kind, string message)
    {
        foreach (var method in Arena.Methods.Where(m => m.Needs.Contains("class labels")))
        {
            using var stream = new SmallStream(SmallStream.TaskFor(method.Id));
            using var learner = Create(method.Id, stream);
            using var scope = NewDisposeScope();
            byte[] before = Protocol.Hash(learner);
            var bad = Spoil(TestData.Rows(4), kind);
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() => learner.Observe(bad)).Message, StringComparison.Ordinal);
            Assert.ThrowsAny<ArgumentException>(() => learner.BeginTask(stream.Tasks[0].Info, bad));
            Assert.ThrowsAny<ArgumentException>(() => learner.EndTask(stream.Tasks[0].Info, bad));
            if (!kind.Contains("label", StringComparison.Ordinal))
                Assert.ThrowsAny<ArgumentException>(() => learner.Predict(bad.X));
            Assert.Equal(before, Protocol.Hash(learner));
        }
    }

    public static TheoryData<string, string> BadFrames => new()
    {
        { "coordinate", "Row 1, column 0 is NaN" },
        { "width", "expected Float32 [rows, 2]" },
        { "NaN", "Row 2, value 3 of its frame is NaN; expected values in [0, 1]" },
        { "bytes", "Row 0, value 5 of its frame is 255" },
        { "negative", "of its frame is -0.5" },
        { "type", "expected Float32 [4, 64]" },
        { "labels", "The frames are Int64 [4]" },
        { "missing", "expected Float32 [4, 64]" },
    };

    [Theory, MemberData(nameof(BadFrames))]
    public void Frames_that_no_learner_can_use_are_refused_by_all_with_their_place_and_change_nothing(string kind, string message)
    {
        foreach (var method in Arena.Methods.Where(m => m.Needs.Contains("frames")))
        {
            using var stream = new SmallStream("video");
            using var learner = Create(method.Id, stream);
            using var scope = NewDisposeScope();
            byte[] before = Protocol.Hash(learner);
            var (x, y, _) = stream.Rows(4);
            switch (kind)
            {
                case "coordinate": x[1, 0] = float.NaN; break;
                case "width": x = x.narrow(1, 0, 1); break;
                case "NaN": y[2, 3] = float.NaN; break;
                case "bytes": y[0, 5] = 255; break;
                case "negative": y[3, 63] = -0.5f; break;
                case "type": y = y.to_type(ScalarType.Float64); break;
                case "labels": y = zeros(4, ScalarType.Int64); break;
                case "missing": y = y.narrow(0, 0, 3); break;
                default: throw new ArgumentException(kind, nameof(kind));
            }
            var bad = new Batch(x, y);
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() => learner.Observe(bad)).Message, StringComparison.Ordinal);
            Assert.ThrowsAny<ArgumentException>(() => learner.BeginTask(stream.Tasks[0].Info, bad));
            Assert.ThrowsAny<ArgumentException>(() => learner.EndTask(stream.Tasks[0].Info, bad));
            Assert.Equal(before, Protocol.Hash(learner));
        }
    }

    [Fact]
    public void Every_method_learns_either_class_labels_or_frames_and_every_task_gives_one() =>
        Assert.All(Arena.Methods.Select(m => m.Needs).Concat(Arena.Tasks.Select(t => t.Offers)), o => Assert.Single(o, n => n is "class labels" or "frames"));

    [Theory, InlineData(), InlineData(4), InlineData(0, -1)]
    public void A_task_of_no_class_or_of_classes_the_stream_has_not_is_refused(params int[] classes)
    {
        using var stream = new SmallStream();
        using var learner = Create("naive", stream);
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => learner.BeginTask(new(0, classes), TestData.Rows(4)));
        Assert.Throws<ArgumentException>(() => learner.Predict(TestData.Rows(4).X, new(0, classes)));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Options_outside_their_range_are_refused_with_name_value_and_range(string method)
    {
        var options = Arena.Method(method).Options;
        foreach (var option in options.Options.Where(o => o.Range is not null))
            foreach (string value in Outside(option))
            {
                var error = Assert.Throws<InputException>(() => options.Bind(new() { [option.Name] = value }, method));
                Assert.Contains($"{method}.{option.Name}", error.Message, StringComparison.Ordinal);
                Assert.Contains(value, error.Message, StringComparison.Ordinal);
                Assert.Contains(option.Range!, error.Message, StringComparison.Ordinal);
            }
    }

    /// <summary>Values just outside a range like <c>[1, 100]</c> or <c>(0, 1)</c>, or not among choices like <c>a | b</c>.</summary>
    private static IEnumerable<string> Outside(OptionCard option)
    {
        if (option.Type == "choice")
            return ["none-of-these"];
        string[] ends = option.Range![1..^1].Split(", ");
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        double least = double.Parse(ends[0], culture);
        var values = new List<double> { least - 1 };
        if (option.Range[0] == '(')
            values.Add(least);
        if (ends[1] != "∞")
            values.Add(double.Parse(ends[1], culture) + 1);
        return values.Select(v => v.ToString(culture));
    }

    private static Batch Spoil(Batch rows, string kind)
    {
        var (x, y) = (rows.X.clone(), rows.Y.clone());
        switch (kind)
        {
            case "NaN": x[2, 3] = float.NaN; break;
            case "infinite": x[1, 0] = float.PositiveInfinity; break;
            case "width": x = x.narrow(1, 0, 15); break;
            case "type": x = x.to_type(ScalarType.Float64); break;
            case "empty": (x, y) = (x.narrow(0, 0, 0), y.narrow(0, 0, 0)); break;
            case "label": y[1] = 4; break;
            case "negative label": y[0] = -1; break;
            case "labels missing": y = y.narrow(0, 0, 3); break;
            default: throw new ArgumentException(kind, nameof(kind));
        }
        return new(x, y);
    }

    private static CheckedLearner Create(string method, SmallStream stream, JsonObject? options = null)
    {
        var choice = Study.ParseMethods(method).Single();
        return Arena.Create(choice.Id, options ?? choice.Options, stream.Setup);
    }
}
