using CsCheck;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class StreamTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory, InlineData("class-incremental"), InlineData("task-incremental"), InlineData("online"), InlineData("blurry"), InlineData("pretrained")]
    public void Every_row_is_in_one_task_once_and_no_test_row_is_trained_on(string task)
    {
        using var stream = new SmallStream(task, data: TestData.Images(classes: 6));
        var train = stream.Tasks.SelectMany(t => Rows(t.Train())).ToList();
        var test = stream.Tasks.SelectMany(t => Rows(t.Test())).ToList();
        Assert.Equal(stream.Data.Count, train.Count + test.Count);
        Assert.Equal(stream.Data.Count, train.Concat(test).Distinct().Count());
        Assert.Equal(train.Count, stream.Setup.Training.Rows);
    }

    [Theory, InlineData(6, 3), InlineData(7, 3), InlineData(5, 5), InlineData(4, 1)]
    public void Classes_are_dealt_out_evenly_each_to_one_task_that_holds_exactly_their_rows(int classes, int steps)
    {
        using var stream = new SmallStream(options: o => o with { Steps = steps }, data: TestData.Images(classes));
        Assert.Equal(Enumerable.Range(0, classes), stream.Tasks.SelectMany(t => t.Info.Classes).Order());
        Assert.InRange(stream.Tasks.Max(t => t.Info.Classes.Count) - stream.Tasks.Min(t => t.Info.Classes.Count), 0, 1);
        foreach (var task in stream.Tasks)
        {
            Assert.Equal(task.Info.Classes.Select(c => (long)c), task.Train().Y.data<long>().ToArray().Distinct().Order());
            Assert.Equal(task.Info.Classes.Select(c => (long)c), task.Test().Y.data<long>().ToArray().Distinct().Order());
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_stream_and_another_seed_another()
    {
        string[] Order(ulong seed)
        {
            using var stream = new SmallStream(data: TestData.Images(classes: 8), seed: seed);
            return [.. stream.Tasks.SelectMany(t => Rows(t.Train()))];
        }
        Assert.Equal(Order(1), Order(1));
        Assert.NotEqual(Order(1), Order(2));
    }

    [Fact]
    public void Training_rows_have_mean_0_and_deviation_1_and_test_rows_had_no_part_in_it()
    {
        using var stream = new SmallStream();
        var train = cat([.. stream.Tasks.Select(t => t.Train().X)]);
        var test = cat([.. stream.Tasks.Select(t => t.Test().X)]);
        Assert.Equal(0, train.mean().item<float>(), 1e-5);
        Assert.Equal(1, train.std(unbiased: false).item<float>(), 1e-5);
        Assert.True(Math.Abs(test.mean().item<float>()) > 1e-4, "the test rows would have mean 0 only if they had been counted");
    }

    [Fact]
    public void Permutations_are_bijections_the_first_none_the_others_all_different_and_the_same_for_training_and_test()
    {
        using var stream = new SmallStream("permuted", o => o with { Steps = 4 });
        var (plainTrain, plainTest) = (stream.Tasks[0].Train().X, stream.Tasks[0].Test().X);
        var orders = new List<string>();
        foreach (var task in stream.Tasks)
        {
            var x = task.Train().X;
            long[] order = [.. Enumerable.Range(0, TestData.Width).Select(j => Enumerable.Range(0, TestData.Width).Select(i => (long)i)
                .Single(i => plainTrain.select(1, i).equal(x.select(1, j)).all().item<bool>()))];
            Assert.Equal(TestData.Width, order.Distinct().Count());
            Assert.True(plainTest.index_select(1, tensor(order)).equal(task.Test().X).all().item<bool>());
            orders.Add(string.Join(' ', order));
        }
        Assert.Equal(string.Join(' ', Enumerable.Range(0, TestData.Width)), orders[0]);
        Assert.Equal(4, orders.Distinct().Count());
    }

    [Theory, InlineData(90), InlineData(180), InlineData(270), InlineData(360)]
    public void Rotation_by_a_quarter_turn_moves_pixels_without_mixing_them(double angle)
    {
        using var stream = new SmallStream("rotated", o => ((RotatedOptions)o) with { Steps = 2, MaxAngle = angle });
        var plain = stream.Tasks[0].Train().X.reshape(-1, 4, 4);
        var turned = stream.Tasks[1].Train().X.reshape(-1, 4, 4);
        Assert.True(turned.allclose(rot90(plain, (long)(angle / 90), (1, 2)), atol: 1e-4));
    }

    [Fact]
    public void Rotated_tasks_are_spread_evenly_and_the_first_is_not_rotated()
    {
        using var rotated = new SmallStream("rotated", o => ((RotatedOptions)o) with { Steps = 3, MaxAngle = 180 });
        using var plain = new SmallStream("rotated", o => ((RotatedOptions)o) with { Steps = 2, MaxAngle = 0 });
        Assert.Equal(plain.Tasks[0].Train().X.bytes, plain.Tasks[1].Train().X.bytes);
        Assert.Equal(plain.Tasks[0].Train().X.bytes, rotated.Tasks[0].Train().X.bytes);
        Assert.True(rotated.Tasks[1].Train().X.reshape(-1, 4, 4).allclose(rot90(rotated.Tasks[0].Train().X.reshape(-1, 4, 4), 1, (1, 2)), atol: 1e-4));
    }

    [Fact]
    public void Without_blur_a_blurry_stream_is_by_class_and_with_much_of_it_classes_mix()
    {
        double Foreign(double blur)
        {
            using var stream = new SmallStream("blurry", o => ((BlurryOptions)o) with { Blur = blur, Steps = 4 });
            Assert.InRange(stream.Tasks.Max(t => t.Train().Count) - stream.Tasks.Min(t => t.Train().Count), 0, 1);
            return stream.Tasks.Average(t => t.Train().Y.data<long>().ToArray().Average(y => t.Info.Classes.Contains((int)y) ? 0.0 : 1));
        }
        Assert.Equal(0, Foreign(0));
        Assert.InRange(Foreign(0.3), 0.05, 0.5);
        Assert.True(Foreign(1) > Foreign(0.3));
    }

    [Fact]
    public void Mini_batches_hold_every_row_once_at_most_so_many_and_equally_many_to_within_one() =>
        Gen.Select(Gen.Int[1, 500], Gen.Int[1, 64]).Sample((rows, size) =>
        {
            long[][] batches = [.. ContinualStream.MiniBatches(rows, size, new SeededRandom(1, "order"))];
            Assert.Equal(Enumerable.Range(0, rows).Select(i => (long)i), batches.SelectMany(b => b).Order());
            Assert.Equal(ContinualStream.BatchCount(rows, size), batches.Length);
            Assert.Equal((int)Math.Ceiling(rows / (double)size), batches.Length);
            Assert.True(batches.Max(b => b.Length) <= size);
            Assert.InRange(batches.Max(b => b.Length) - batches.Min(b => b.Length), 0, 1);
        }, seed: "0000KOIKKiB1", iter: 300);

    [Theory, InlineData(true), InlineData(false)]
    public void The_encoder_is_trained_on_the_base_classes_and_nothing_of_the_others_reaches_it(bool baseInStream)
    {
        var data = TestData.Images(classes: 6);
        SmallStream Make(LabelledData d) => new("pretrained", o => ((PretrainedOptions)o) with { BaseClasses = 2, BaseEpochs = 2, BaseInStream = baseInStream }, d);
        using var stream = Make(data);
        long[] known = [.. stream.Prepared.Stream.FirstGroup!().Y.data<long>().ToArray().Distinct().Order()];
        Assert.Equal(2, known.Length);
        Assert.Equal(baseInStream, stream.Tasks.Any(t => t.Info.Classes.Any(c => known.Contains(c))));
        Assert.Equal(Enumerable.Range(0, stream.Tasks.Count), stream.Tasks.Select(t => t.Info.Id));

        // The other classes' images are replaced: the encoder must not notice.
        float[] values = new float[data.Count * data.Width];
        data.CopyRows([.. Enumerable.Range(0, data.Count)], values);
        byte[] pixels = [.. values.Select((v, i) => known.Contains(data.Labels[i / data.Width]) ? (byte)Math.Round(v * 255) : (byte)(i * 31))];
        using var other = Make(LabelledData.FromImages("other", pixels, [1, 4, 4], data.Labels.ToArray(), data.LabelNames));
        using var encoder = stream.Setup.Network();
        using var same = other.Setup.Network();
        Assert.Equal(encoder.ParameterValues.ToArray(), same.ParameterValues.ToArray());
        Assert.Equal(encoder.BufferValues.ToArray(), same.BufferValues.ToArray());
    }

    [Theory, InlineData(1, 5), InlineData(2, 3)]
    public void A_few_shot_stream_has_all_rows_of_the_base_then_sessions_of_some_classes_with_some_rows_each(int ways, int shots)
    {
        using var stream = new SmallStream("few-shot", o => ((FewShotOptions)o) with { Ways = ways, Shots = shots }, TestData.Images(classes: 10));
        Assert.Equal([6, .. Enumerable.Repeat(ways, 4 / ways)], stream.Tasks.Select(t => t.Info.Classes.Count));
        Assert.Equal(6 * 18, stream.Tasks[0].Train().Count);
        foreach (var task in stream.Tasks.Skip(1))
        {
            Assert.Equal(task.Info.Classes.SelectMany(c => Enumerable.Repeat((long)c, shots)).Order(), task.Train().Y.data<long>().ToArray().Order());
            Assert.Equal(shots * ways, Rows(task.Train()).Distinct().Count());
            Assert.Equal(ways * 6, task.Test().Count);
            Assert.Equal(Rows(task.Train()), Rows(task.Train()));
        }
        var tested = stream.Tasks.SelectMany(t => Rows(t.Test())).ToHashSet();
        Assert.DoesNotContain(stream.Tasks.SelectMany(t => Rows(t.Train())), tested.Contains);
        Assert.Equal(stream.Tasks.Sum(t => t.Train().Count), stream.Setup.Training.Rows);
    }

    [Fact]
    public void A_few_shot_stream_that_the_data_cannot_fill_is_refused_with_a_remedy()
    {
        var data = TestData.Images(classes: 10);
        Assert.Contains("18 training rows of class 'c0'", Assert.Throws<InputException>(() => StreamFactory.Check(data, "few-shot", new FewShotOptions { Shots = 19 })).Message, StringComparison.Ordinal);
        Assert.Contains("at least task.shots, 19", Assert.Throws<InputException>(() => StreamFactory.Make(data, "few-shot", new FewShotOptions { Shots = 19 }, new SeededRandom(1, "s"))).Message, StringComparison.Ordinal);
        Assert.Contains("divides the 4 classes", Assert.Throws<InputException>(() => StreamFactory.Groups(data, new FewShotOptions { Ways = 3 })).Message, StringComparison.Ordinal);
        Assert.Contains("task.steps", Assert.Throws<InputException>(() => StreamFactory.Groups(data, new FewShotOptions { Steps = 3 })).Message, StringComparison.Ordinal);
        Assert.Equal([6, 1, 1, 1, 1], StreamFactory.Groups(data, new FewShotOptions { Steps = 5 }));
        Assert.Equal([4, 3, 3], StreamFactory.Groups(data, new FewShotOptions { BaseClasses = 4, Ways = 3 }));
    }

    [Fact]
    public void The_harmonic_mean_of_base_and_new_classes_is_recorded_in_few_shot_only()
    {
        var matrix = new AccuracyMatrix(3) { [2, 0] = 0.9, [2, 1] = 0.2, [2, 2] = 0.4 };
        Assert.Equal(2 * 0.9 * 0.3 / (0.9 + 0.3), matrix.HarmonicMean(2), 1e-12);
        Assert.Equal(0, matrix.HarmonicMean(1));
        Assert.Equal(2, Recorded("few-shot"));
        Assert.Equal(0, Recorded("pretrained"));

        static int Recorded(string task)
        {
            using var stream = new SmallStream(task);
            using var learner = new NearestClassMean(stream.Setup);
            stream.Run(learner);
            return stream.Events.OfType<MetricEvent>().Count(m => m.Name == "harmonic_mean");
        }
    }

    [Fact]
    public void A_set_up_knows_the_names_of_the_classes()
    {
        using var stream = new SmallStream();
        Assert.Equal(["c0", "c1", "c2", "c3"], stream.Setup.LabelNames);
        Assert.Equal(stream.Setup.LabelNames, LearnerSetup.For(stream.Prepared.Stream, 1).LabelNames);
    }

    [Fact]
    public void The_head_that_was_trained_with_the_encoder_is_dropped()
    {
        using var stream = new SmallStream("pretrained");
        using var longer = new SmallStream("pretrained", o => ((PretrainedOptions)o) with { BaseEpochs = 6 });
        using var a = stream.Setup.Network();
        using var b = longer.Setup.Network();
        var head = a.Modules[^1];
        Assert.Equal(a.ParameterValues.Slice(head.Offset, head.Length).ToArray(), b.ParameterValues.Slice(head.Offset, head.Length).ToArray());
        Assert.NotEqual(a.ParameterValues[..head.Offset].ToArray(), b.ParameterValues[..head.Offset].ToArray());
    }

    [Fact]
    public void Data_that_the_protocol_cannot_use_is_refused_with_a_remedy()
    {
        var table = LabelledData.FromTable("table", new float[40], 2, [.. Enumerable.Range(0, 20).Select(i => i % 2)], ["a", "b"]);
        Assert.Contains("task.model=mlp", Assert.Throws<InputException>(() => StreamFactory.Check(table, "class-incremental", new() { Model = ModelKind.Cnn })).Message, StringComparison.Ordinal);
        Assert.Contains("permuted", Assert.Throws<InputException>(() => StreamFactory.Check(table, "rotated", new RotatedOptions())).Message, StringComparison.Ordinal);
        Assert.Contains("task.steps", Assert.Throws<InputException>(() => StreamFactory.Groups(table, new() { Steps = 3 })).Message, StringComparison.Ordinal);
        Assert.Contains("task.base-classes", Assert.Throws<InputException>(() => StreamFactory.Groups(table, new PretrainedOptions { BaseClasses = 2 })).Message, StringComparison.Ordinal);
        var few = LabelledData.FromTable("few", new float[14], 2, [0, 0, 0, 0, 1, 1, 1], ["a", "b"]);
        Assert.Contains("3 rows of class 'b'", Assert.Throws<InputException>(() => StreamFactory.Check(few, "class-incremental", new())).Message, StringComparison.Ordinal);
        var one = LabelledData.FromTable("one", new float[10], 2, [0, 0, 0, 0, 0], ["a"]);
        Assert.Contains("1 class", Assert.Throws<InputException>(() => StreamFactory.Groups(one, new())).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Rows(Batch batch) =>
        Enumerable.Range(0, batch.Count).Select(i => $"{batch.Y[i].item<long>()}: {string.Join(' ', batch.X[i].data<float>().ToArray())}");

    [Theory, InlineData("online"), InlineData("blurry")]
    public void With_an_imbalance_of_4_one_task_keeps_its_rows_and_the_others_a_quarter(string task)
    {
        using var even = new SmallStream(task);
        using var uneven = new SmallStream(task, o => o is BlurryOptions blurry ? blurry with { Imbalance = 4 } : (OnlineOptions)o with { Imbalance = 4 });
        using var scope = NewDisposeScope();
        var (all, fewer) = (Counts(even), Counts(uneven));
        int[] whole = [.. Enumerable.Range(0, 4).Where(c => fewer[c] == all[c])];
        Assert.Contains(uneven.Tasks, t => t.Info.Classes.SequenceEqual(whole));
        Assert.All(Enumerable.Range(0, 4).Except(whole), c => Assert.Equal((int)Math.Ceiling(all[c] / 4.0), fewer[c]));
        Assert.Equal(even.Tasks.Sum(t => t.Test().Count), uneven.Tasks.Sum(t => t.Test().Count));

        static int[] Counts(SmallStream stream) => [.. Enumerable.Range(0, 4).Select(c => stream.Tasks.Sum(t => (int)t.Train().Y.eq(c).sum().item<long>()))];
    }
}
