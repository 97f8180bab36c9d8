using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class DriftStreamTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>Rows (number of the row, 0) of two classes, their domains given.</summary>
    private static LabelledData Rows(int count, Domains? domains) =>
        LabelledData.FromTable("rows", [.. Enumerable.Range(0, count).SelectMany(i => (float[])[i, 0])], 2, [.. Enumerable.Range(0, count).Select(i => i % 2)], ["x", "y"], domains);

    private static SmallStream Stream(LabelledData data, int? steps = null, ulong seed = 1) => new("drift", o => o with { Steps = steps }, data, seed);

    /// <summary>The numbers of the rows of a batch of <see cref="Rows"/>.</summary>
    private static IEnumerable<int> Numbers(SmallStream stream, Batch batch)
    {
        float[] values = batch.X.data<float>().ToArray();
        var standardiser = stream.Prepared.Stream.Standardiser;
        return Enumerable.Range(0, batch.Count).Select(i => (int)Math.Round(values[2 * i] * standardiser.Scale[0] + standardiser.Mean[0]));
    }

    [Fact]
    public void Every_row_is_in_its_domains_task_once_and_no_test_row_is_trained_on()
    {
        var random = new SeededRandom(1, "domains");
        int[] domains = [.. Enumerable.Range(0, 90).Select(_ => random.Next(3))];
        using var stream = Stream(Rows(90, Domains.Named(["a", "b", "c"], domains)));
        Assert.Equal(3, stream.Tasks.Count);
        Assert.Equal(stream.Tasks.Count, stream.Prepared.Stream.Tests.Count);
        foreach (var task in stream.Tasks)
        {
            var (train, test) = (task.Train(), task.Test());
            int[] own = [.. Enumerable.Range(0, 90).Where(i => domains[i] == task.Info.Id)];
            Assert.Equal(own, Numbers(stream, train).Concat(Numbers(stream, test)).Order());
            Assert.Equal(Math.Round(own.Length * 0.25, MidpointRounding.AwayFromZero), test.Count);
            Assert.Equal([0, 1], task.Info.Classes);
            Assert.All((Batch[])[train, test], batch => Assert.Equal(Numbers(stream, batch).Select(i => (long)(i % 2)), batch.Y.data<long>().ToArray()));
        }
    }

    [Fact]
    public void A_time_is_cut_into_five_equal_parts_or_as_many_as_steps_says_each_later_than_the_one_before()
    {
        double[] time = [.. Enumerable.Range(0, 100).Select(i => (double)((i * 37 + 11) % 100))];
        foreach (int? steps in (int?[])[null, 4])
        {
            using var stream = Stream(Rows(100, Domains.Ordered(time)), steps);
            int[][] parts = [.. stream.Tasks.Select(t => Numbers(stream, t.Train()).Concat(Numbers(stream, t.Test())).ToArray())];
            Assert.Equal(Enumerable.Repeat(100 / (steps ?? 5), steps ?? 5), parts.Select(p => p.Length));
            Assert.All(parts.Zip(parts.Skip(1)), p => Assert.True(p.First.Max(i => time[i]) < p.Second.Min(i => time[i])));
        }
    }

    [Fact]
    public void Steps_caps_the_domains_and_the_seed_decides_the_split_only()
    {
        var data = Rows(60, Domains.Named(["a", "b", "c"], [.. Enumerable.Range(0, 60).Select(i => i % 3)]));
        using var stream = Stream(data, steps: 2);
        using var same = Stream(data, steps: 2);
        using var other = Stream(data, steps: 2, seed: 2);
        int[] Test(SmallStream s) => [.. s.Tasks.SelectMany(t => Numbers(s, t.Test()))];
        Assert.Equal(2, stream.Tasks.Count);
        Assert.All(stream.Tasks, t => Assert.All(Numbers(stream, t.Train()), i => Assert.Equal(t.Info.Id, i % 3)));
        Assert.Equal(Test(stream), Test(same));
        Assert.NotEqual(Test(stream), Test(other));
    }

    [Fact]
    public void A_domain_without_rows_of_a_class_is_a_task_of_all_classes_nevertheless()
    {
        using var stream = new SmallStream("drift", o => o with { Epochs = 20 });
        Assert.Equal([0, 1, 2, 3], stream.Tasks[1].Info.Classes);
        Assert.Equal([0, 1, 2], stream.Tasks[1].Train().Y.data<long>().ToArray().Distinct().Order());
        using var learner = new JointTraining(stream.Setup);
        Assert.InRange(stream.Run(learner)["accuracy"], 0.8, 1); // classes three deviations apart in four features each
    }

    [Fact]
    public void A_network_forgets_a_domain_that_the_next_one_contradicts()
    {
        // the second domain has the first one's rows with the classes exchanged
        int[] domains = [.. Enumerable.Range(0, 200).Select(i => i % 2)];
        int[] labels = [.. Enumerable.Range(0, 200).Select(i => i / 2 % 2)];
        float[] values = [.. labels.SelectMany((y, i) => (float[])[y ^ domains[i], i / 4 % 2])];
        using var stream = new SmallStream("drift", o => o with { Epochs = 20 }, LabelledData.FromTable("swap", values, 2, labels, ["x", "y"], Domains.Named(["a", "b"], domains)));
        using var learner = new Learner(stream.Setup);
        var metrics = stream.Run(learner);
        Assert.Equal((0.5, 1.0), (metrics["accuracy"], metrics["forgetting"])); // the second right, the first all wrong
    }

    [Fact]
    public void Data_that_cannot_drift_are_refused_when_the_study_is_planned()
    {
        var arena = new ContinualArena();
        Assert.Contains("--domain COLUMN", Assert.Throws<InputException>(() => arena.Inspect(null, arena.Task("drift"), new DriftOptions(), new(), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);

        void Refused(LabelledData data, int? steps, params string[] parts)
        {
            string message = Assert.Throws<InputException>(() => StreamFactory.Groups(data, new DriftOptions { Steps = steps })).Message;
            Assert.All(parts, part => Assert.Contains(part, message, StringComparison.Ordinal));
        }
        Refused(Rows(9, Domains.Named(["a", "b"], [0, 0, 0, 0, 0, 0, 1, 1, 1])), null, "3 rows of domain 'b'", "at least 4");
        Refused(Rows(8, Domains.Named(["a", "b"], [0, 0, 0, 0, 1, 1, 1, 1])), 3, "task.steps: found 3; expected at most the 2 domains");
        Refused(Rows(12, Domains.Ordered([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2])), 3, "0 rows of part 2 of the order", "Lower task.steps");
        Refused(Rows(12, Domains.Ordered([.. Enumerable.Range(0, 12)])), null, "2 rows of part 1 of the order");
        Refused(Rows(404, Domains.Named([.. Enumerable.Range(0, 101).Select(i => $"d{i}")], [.. Enumerable.Range(0, 404).Select(i => i % 101)])), null, "101 domains; expected at most 100", "task.steps");
        Assert.Equal([2, 2], StreamFactory.Groups(Rows(8, Domains.Named(["a", "b"], [0, 0, 0, 0, 1, 1, 1, 1])), new DriftOptions()));
    }
}
