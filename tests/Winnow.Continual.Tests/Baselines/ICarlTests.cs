using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class ICarlTests
{
    [Fact] // a naive twin in plain loops
    public void Herding_takes_the_row_that_brings_the_mean_nearest_each_time()
    {
        var random = new SeededRandom(3, "rows");
        double[][] rows = [.. Enumerable.Range(0, 23).Select(_ => Enumerable.Range(0, 4).Select(_ => random.NextNormal()).ToArray())];
        double[] mean = [.. Enumerable.Range(0, 4).Select(j => rows.Average(r => r[j]))], sum = new double[4];
        var expected = new List<long>();
        for (int k = 1; k <= 9; k++)
        {
            int next = Enumerable.Range(0, rows.Length).Where(i => !expected.Contains(i)).MinBy(i => Enumerable.Range(0, 4).Sum(j => Math.Pow(mean[j] - (sum[j] + rows[i][j]) / k, 2)));
            expected.Add(next);
            sum = [.. sum.Zip(rows[next], (a, b) => a + b)];
        }
        using var scope = NewDisposeScope();
        Assert.Equal(expected, ICarl.Herd(tensor([.. rows.SelectMany(r => r)], [23, 4]), 9));
        Assert.Equal(Enumerable.Range(0, 23).Select(i => (long)i), ICarl.Herd(tensor([.. rows.SelectMany(r => r)], [23, 4]), 50).Order());
    }

    [Fact]
    public void The_memory_is_shared_evenly_and_the_first_choices_of_a_class_stay()
    {
        using var stream = new SmallStream();
        using var learner = new ICarl(stream.Setup, new() { BufferSize = 12 });
        Learn(learner, stream, 0);
        var (x, y) = Stored(learner);
        Assert.Equal(stream.Tasks[0].Info.Classes.Select(c => (long)c), y.Distinct());
        Learn(learner, stream, 1);
        var (laterX, laterY) = Stored(learner);
        int share = 12 / (stream.Tasks[0].Info.Classes.Count + stream.Tasks[1].Info.Classes.Count);
        Assert.All(laterY.GroupBy(c => c), g => Assert.Equal(share, g.Count()));
        foreach (long c in y.Distinct())
            Assert.Equal(Rows(x, y, c).Take(share), Rows(laterX, laterY, c));
    }

    [Fact]
    public void A_row_is_answered_with_the_class_whose_exemplars_mean_feature_is_nearest()
    {
        using var stream = new SmallStream();
        using var learner = new ICarl(stream.Setup, new() { BufferSize = 12 });
        Learn(learner, stream, 0);
        Learn(learner, stream, 1);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var network = stream.Setup.Network();
        foreach (var entry in learner.State.Where(s => s.Kind == StateKind.Model))
            network.LiveState.Single(s => s.Key == entry.Name).Value.copy_(entry.Value);
        network.Training = false;
        double[][] Unit(Tensor x) => [.. network.Features(x).to_type(ScalarType.Float64).data<double>().ToArray().Chunk(network.Architecture.Features).Select(f => f.Select(v => v / Math.Max(1e-12, Math.Sqrt(f.Sum(w => w * w)))).ToArray())];
        var (_, labels) = Stored(learner);
        double[][] features = Unit(learner.State.Single(s => s.Name == "icarl.x").Value);
        var means = labels.Distinct().ToDictionary(c => c, c => Enumerable.Range(0, features[0].Length).Select(j => Enumerable.Range(0, labels.Length).Where(i => labels[i] == c).Average(i => features[i][j])).ToArray());
        var x = stream.Tasks[0].Train().X;
        long[] answers = learner.Predict(x).argmax(1).data<long>().ToArray();
        Assert.Equal(Unit(x).Select(f => means.MinBy(m => m.Value.Zip(f, (a, b) => (a - b) * (a - b)).Sum()).Key), answers);
    }

    [Fact] // α = 0: nothing holds the old classes' outputs, so the first step's gradient of a class that is in no row of the mini-batch is zero
    public void Old_answers_are_held_in_proportion_to_alpha()
    {
        using var stream = new SmallStream();
        string[] hashes = [.. new[] { 0.0, 1.0 }.Select(alpha =>
        {
            using var learner = new ICarl(stream.Setup, new() { BufferSize = 12, Alpha = alpha });
            Learn(learner, stream, 0);
            string first = Convert.ToHexString(Protocol.Hash(learner));
            Learn(learner, stream, 1);
            return $"{first}|{Convert.ToHexString(Protocol.Hash(learner))}";
        })];
        Assert.Equal(hashes[0].Split('|')[0], hashes[1].Split('|')[0]); // no old answers in the first task
        Assert.NotEqual(hashes[0], hashes[1]);
    }

    private static void Learn(ICarl learner, SmallStream stream, int task)
    {
        using var scope = NewDisposeScope();
        var train = stream.Tasks[task].Train();
        learner.BeginTask(stream.Tasks[task].Info, train);
        for (int i = 0; i < 3; i++)
            learner.Observe(train with { FirstPass = i == 0 });
        learner.EndTask(stream.Tasks[task].Info, train);
    }

    private static (float[] X, long[] Y) Stored(ICarl learner)
    {
        int count = (int)learner.State.Single(s => s.Name == "icarl.count").Value.data<long>()[0];
        var x = learner.State.Single(s => s.Name == "icarl.x").Value;
        return ([.. x.data<float>().ToArray().Take(count * (int)x.shape[1])], [.. learner.State.Single(s => s.Name == "icarl.y").Value.data<long>().ToArray().Take(count)]);
    }

    private static IEnumerable<string> Rows(float[] x, long[] y, long c) =>
        x.Chunk(x.Length / y.Length).Where((_, i) => y[i] == c).Select(r => string.Join(' ', r));
}
