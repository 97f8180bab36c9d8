using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class RecurringStreamTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static IReadOnlyList<int[]> Draw(RecurringOptions options, int classes = 10, ulong seed = 1) => RecurringClasses.Draw(classes, options, new SeededRandom(seed, "stream"));

    [Fact] // uniform: each of 10 classes is in C/N of the tasks. χ² with 9 degrees of freedom; false alarm below 1e-4 (the draws within a task are negatively correlated, which lowers it)
    public void Every_class_comes_equally_often()
    {
        const int Tasks = 10_000;
        var tasks = Draw(new() { Steps = Tasks });
        double expected = Tasks * 2 / 10.0;
        double chi2 = Enumerable.Range(0, 10).Sum(c => Math.Pow(tasks.Count(t => t.Contains(c)) - expected, 2) / expected);
        Assert.InRange(chi2, 0, 33.7);
    }

    [Fact] // P(i in a task of two) = p_i + Σ_{j≠i} p_j p_i / (1 − p_j); χ² as above
    public void Rare_classes_come_as_often_as_their_probability_says()
    {
        const int Tasks = 10_000;
        double[] p = RecurringClasses.Probabilities(10, 4);
        double[] expected = [.. Enumerable.Range(0, 10).Select(i => Tasks * (p[i] + Enumerable.Range(0, 10).Where(j => j != i).Sum(j => p[j] * p[i] / (1 - p[j]))))];
        var tasks = Draw(new() { Steps = Tasks, EntropyDecrease = 4 });
        // The classes are shuffled: compare in order of frequency, which at these gaps is the order of p but for neighbours.
        double[] counts = [.. Enumerable.Range(0, 10).Select(c => (double)tasks.Count(t => t.Contains(c))).OrderDescending()];
        Assert.InRange(counts.Zip(expected, (n, e) => (n - e) * (n - e) / e).Sum(), 0, 33.7);
    }

    [Theory, InlineData(10, 2, 0.97), InlineData(100, 2, 0.91), InlineData(7, 0, 1)]
    public void Entropy_falls_mildly_with_the_exponent(int classes, double exponent, double share) =>
        Assert.Equal(share, RecurringClasses.Entropy(RecurringClasses.Probabilities(classes, exponent)) / Math.Log(classes), 0.005);

    [Fact]
    public void A_task_has_distinct_ascending_classes_and_the_same_seed_the_same_tasks()
    {
        var options = new RecurringOptions { Steps = 200, ClassesPerTask = 3, EntropyDecrease = 1, ProbReduction = 2 };
        var tasks = Draw(options);
        Assert.All(tasks, t => Assert.Equal(t.Distinct().Order(), t));
        Assert.Equal(tasks, Draw(options with { EvaluateEvery = 7, Severity = 1 }));
        Assert.NotEqual(tasks, Draw(options, seed: 2));
    }

    [Fact]
    public void All_classes_a_task_make_every_task_the_same_classes() => Assert.All(Draw(new() { ClassesPerTask = 10 }), t => Assert.Equal(Enumerable.Range(0, 10), t));

    [Fact]
    public void A_fraction_of_the_pairs_is_all_that_comes() =>
        Assert.Equal(9, Draw(new() { PairsFraction = 0.2 }).Select(t => string.Join(' ', t)).Distinct().Count()); // a fifth of 45

    [Fact]
    public void Classes_in_a_fixed_order_come_again_after_all_others()
    {
        var tasks = Draw(new() { Cyclic = true });
        Assert.All(Enumerable.Range(0, 295), t => Assert.Equal(tasks[t], tasks[t + 5]));
        Assert.Equal(Enumerable.Range(0, 10), tasks.Take(5).SelectMany(t => t).Order());
        var replaced = Draw(new() { Cyclic = true, Replacement = 0.5 });
        Assert.InRange(replaced.Zip(tasks).Count(t => !t.First.SequenceEqual(t.Second)), 180, 270); // three quarters of 300; false alarm below 1e-5
    }

    [Fact]
    public void Halves_hold_the_classes_they_should()
    {
        var forgetting = Draw(new() { Halves = StreamHalves.Forgetting });
        Assert.Equal((10, 5), (Classes(forgetting.Take(150)), Classes(forgetting.Skip(150))));
        var incremental = Draw(new() { Halves = StreamHalves.Incremental });
        Assert.Equal((5, 5), (Classes(incremental.Take(150)), Classes(incremental.Skip(150))));
        Assert.Empty(incremental.Take(150).SelectMany(t => t).Intersect(incremental.Skip(150).SelectMany(t => t)));

        static int Classes(IEnumerable<int[]> tasks) => tasks.SelectMany(t => t).Distinct().Count();
    }

    [Fact] // with a large divisor the classes just seen are put behind all others: five tasks of two go through all ten
    public void A_class_just_seen_is_less_likely() => Assert.Equal(Enumerable.Range(0, 10), Draw(new() { ProbReduction = 1000 }).Take(5).SelectMany(t => t).Order());

    [Fact]
    public void Options_that_do_not_fit_are_refused_with_a_remedy()
    {
        Refused("classes-per-task", new() { ClassesPerTask = 11 });
        Refused("classes-per-task", new() { ClassesPerTask = 6, Halves = StreamHalves.Incremental });
        Refused("entropy-decrease", new() { EntropyDecrease = 1 }, classes: 30);
        Refused("classes-per-task", new() { EntropyDecrease = 1, ClassesPerTask = 21 }, classes: 21); // one class has probability 0
        Refused("at most one", new() { Cyclic = true, PairsFraction = 0.5 });
        Refused("combinations", new() { ClassesPerTask = 25, PairsFraction = 0.5 }, classes: 50);
        Assert.Throws<ArgumentException>(() => RecurringClasses.Probabilities(22, 1));

        static void Refused(string word, RecurringOptions options, int classes = 10) =>
            Assert.Contains(word, Assert.Throws<InputException>(() => Draw(options, classes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_task_shows_its_share_of_the_rows_of_its_classes_and_is_tested_on_each_class_of_the_data()
    {
        using var stream = new SmallStream("recurring", o => ((RecurringOptions)o) with { Steps = 12, RowsShare = 0.5, EvaluateEvery = 5 }, TestData.Images(classes: 6));
        foreach (var task in stream.Tasks)
        {
            var (x, y, _) = task.Train();
            Assert.Equal(task.Info.Classes.SelectMany(c => Enumerable.Repeat((long)c, 9)).Order(), y.data<long>().ToArray().Order()); // half of 18
            Assert.Equal(x.bytes, task.Train().X.bytes); // made again, the same
        }
        var tests = stream.Prepared.Stream.Tests;
        Assert.Equal(stream.Data.LabelNames, tests.Select(t => t.Name));
        Assert.All(tests.Index(), t => Assert.All(t.Item.Rows().Y.data<long>().ToArray(), y => Assert.Equal(t.Index, y)));
        Assert.All(tests.Index(), t => Assert.Equal(stream.Tasks.TakeWhile(s => !s.Info.Classes.Contains(t.Index)).Count(), t.Item.Learned));
        using var learner = new Learner(stream.Setup);
        stream.Run(learner);
        Assert.Equal([5, 10, 12], stream.Events.OfType<MetricEvent>().Where(m => m.Name == "accuracy").Select(m => m.Step));
    }

    [Fact]
    public void Severity_moves_all_rows_of_a_task_alike()
    {
        using var plain = new SmallStream("recurring");
        using var moved = new SmallStream("recurring", o => ((RecurringOptions)o) with { Severity = 1 });
        var shift = moved.Tasks[0].Train().X - plain.Tasks[0].Train().X;
        Assert.True(shift.std(0, unbiased: false).max().item<float>() < 1e-5 && shift[0].abs().max().item<float>() > 0.5);
        Assert.Equal(plain.Prepared.Stream.Tests[0].Rows().X.bytes, moved.Prepared.Stream.Tests[0].Rows().X.bytes);
    }

    [Theory]
    [InlineData(4, 3, "0 1 0 2 1 3 2")]
    [InlineData(3, 1, "0 1 0 2")]
    [InlineData(2, 4, "0 1 0 1 0 1")]
    [InlineData(1, 0, "0")]
    public void Domains_return_and_none_follows_itself(int domains, int returns, string segments) => Assert.Equal(segments, string.Join(' ', ContinualStream.Segments(domains, returns)));

    [Fact]
    public void A_returning_stream_is_tested_on_its_domains_once_each()
    {
        using var stream = new SmallStream("returning", o => ((ReturningOptions)o) with { Steps = 3, Returns = 2 });
        Assert.Equal(5, stream.Tasks.Count); // 0 1 0 2 1
        Assert.Equal(stream.Tasks[0].Train().X.bytes, stream.Tasks[2].Train().X.bytes);
        Assert.False(stream.Tasks[0].Train().X.bytes.SequenceEqual(stream.Tasks[1].Train().X.bytes));
        Assert.Equal([0, 1, 3], stream.Prepared.Stream.Tests.Select(t => t.Learned));
        Assert.Equal(stream.Tasks[3].Test().X.bytes, stream.Prepared.Stream.Tests[2].Rows().X.bytes);
        Assert.Contains("task.returns", Assert.Throws<InputException>(() => StreamFactory.Groups(stream.Data, new ReturningOptions { Steps = 1 })).Message, StringComparison.Ordinal);
    }

    [Theory, InlineData("recurring"), InlineData("returning")]
    public void Joint_training_keeps_a_row_that_comes_back_once(string task)
    {
        using var stream = new SmallStream(task, o => o is RecurringOptions r ? r with { Steps = 20, RowsShare = 1 } : o);
        using var learner = new JointTraining(stream.Setup);
        stream.Train(learner);
        var x = learner.State.Single(s => s.Name == "joint.x").Value;
        long kept = learner.State.Single(s => s.Name == "joint.counts").Value[0].item<long>();
        Assert.Equal(stream.Setup.Training.DistinctRows, kept);
        Assert.Equal(kept, x.shape[0]);
        Assert.Equal(kept, x.unique(dim: 0).output.shape[0]);
        Assert.True(kept < stream.Setup.Training.Rows);
    }
}
