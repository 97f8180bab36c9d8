using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual.Tests.Methods;

public sealed class MaximallyInterferedRetrievalTests
{
    private static readonly ContinualThesisOptions Options = new() { Technique = ThesisTechnique.Mir, BufferSize = 30 };

    private static Network Normalised() => Network.Mlp(TestData.Width, [7], ByHand.Classes, batchNorm: true, new SeededRandom(1, "weights"));

    [Fact]
    public void Without_a_virtual_step_all_scores_are_zero()
    {
        using var scope = NewDisposeScope();
        using var network = Normalised();
        Assert.All(MaximallyInterferedRetrieval.Scores(network, TestData.Rows(8), TestData.Rows(20, seed: 2), learningRate: 0), s => Assert.Equal(0f, s));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Scores_equal_those_of_a_copy_that_takes_the_step(bool best)
    {
        using var scope = NewDisposeScope();
        using var network = Normalised();
        var (incoming, candidates) = (TestData.Rows(8), TestData.Rows(20, seed: 2));
        float[] bests = [.. Enumerable.Range(0, 20).Select(i => i % 3 == 0 ? 0.1f : i % 3 == 1 ? 100f : float.PositiveInfinity)];
        float[] updated = best ? [.. bests] : [];
        float[] scores = MaximallyInterferedRetrieval.Scores(network, incoming, candidates, 0.2, updated);

        using var copy = network.Clone();
        ByHand.Gradient(copy, incoming);
        copy.Buffers.copy_(network.Buffers);
        copy.Training = false;
        float[] now = Losses(copy);
        using (var optimizer = new Sgd(copy, 0.2))
            optimizer.Step();
        float[] then = Losses(copy);
        for (int i = 0; i < 20; i++)
        {
            float reference = best ? Math.Min(now[i], bests[i]) : now[i];
            Assert.Equal(then[i] - reference, scores[i], 1e-5f);
            if (best)
                Assert.Equal(reference, updated[i], 1e-6f);
        }

        float[] Losses(Network of) => F.cross_entropy(ByHand.Logits(of, candidates.X), candidates.Y, reduction: nn.Reduction.None).Values<float>().ToArray();
    }

    [Fact]
    public void The_virtual_step_changes_neither_weights_nor_statistics_nor_mode()
    {
        using var scope = NewDisposeScope();
        using var network = Normalised();
        var (weights, statistics) = (network.Parameters.clone(), network.Buffers.clone());
        MaximallyInterferedRetrieval.Scores(network, TestData.Rows(8), TestData.Rows(20, seed: 2), 0.5);
        ByHand.Same(weights, network.Parameters);
        ByHand.Same(statistics, network.Buffers);
        Assert.True(network.Training);
        network.Training = false;
        MaximallyInterferedRetrieval.Scores(network, TestData.Rows(8), TestData.Rows(20, seed: 2), 0.5);
        Assert.False(network.Training);
    }

    [Fact]
    public void On_a_convex_loss_a_candidate_that_is_the_batch_itself_is_never_interfered_with()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup().Network();
        for (ulong seed = 1; seed <= 20; seed++)
        {
            var row = TestData.Rows(1, seed: seed);
            Assert.True(MaximallyInterferedRetrieval.Scores(network, row, row, 0.01)[0] < 0);
        }
    }

    [Fact]
    public void The_largest_scores_are_taken_largest_first_of_equal_ones_the_earlier()
    {
        Assert.Equal([3, 1, 4], MaximallyInterferedRetrieval.Top([0f, 2f, -1f, 5f, 2f], 3));
        Assert.Equal([1, 0], MaximallyInterferedRetrieval.Top([0f, 2f], 3));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Only_rows_of_other_tasks_are_replayed_where_tasks_are_announced(bool announced)
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var part = new MaximallyInterferedRetrieval(setup, Options with { ReplayBatch = 100 });
        using var network = setup.Network();
        var (first, second) = (TestData.Rows(8) with { X = full(8, TestData.Width, 1f) }, TestData.Rows(8) with { X = full(8, TestData.Width, 2f) });
        Begin(0);
        Assert.Null(part.Replay(StepOn(first, 0)));
        part.AfterStep(StepOn(first, 0));
        Assert.Equal(announced ? null : 8, part.Replay(StepOn(first, 1))?.Count);
        Begin(1);
        part.AfterStep(StepOn(second, 1));
        var replayed = part.Replay(StepOn(second, 2))!;
        Assert.Equal(announced ? [1f] : [1f, 2f], replayed.X.Values<float>().ToArray().Distinct().Order());

        Step StepOn(Batch rows, long index) => new() { Network = network, New = rows, Index = index };
        void Begin(int task)
        {
            if (announced)
                part.BeginTask(network, new(task, [0]), first);
        }
    }

    [Fact]
    public void The_rows_with_the_largest_scores_are_learned_with_the_new_ones()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 5);
        using var part = new MaximallyInterferedRetrieval(setup, Options with { ReplayBatch = 4, Candidates = 1000 });
        using var network = setup.Network();
        var (old, fresh) = (TestData.Rows(20), TestData.Rows(8, seed: 2));
        part.AfterStep(new() { Network = network, New = old, Index = 0 });
        var step = new Step { Network = network, New = fresh, Index = 1 };
        var replayed = part.Replay(step)!;
        float[] scores = MaximallyInterferedRetrieval.Scores(network, fresh, old, ByHand.Rate);
        ByHand.Same(old.Rows(tensor(MaximallyInterferedRetrieval.Top(scores, 4))).X, replayed.X);
        Assert.Equal((8L + 2 * 20, 8L, 20L), (step.Report.Forward, step.Report.Gradients, step.Report.Replayed));
    }

    [Fact]
    public void The_best_loss_of_a_row_never_rises()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("blurry");
        using var part = new MaximallyInterferedRetrieval(stream.Setup, Options with { BestLoss = true, BufferSize = 200 });
        using var learner = new Learner(stream.Setup, part);
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        float[] before = Best();
        Assert.Contains(before, float.IsFinite);
        stream.Train(learner, 1, order);
        Assert.All(before.Zip(Best()), b => Assert.True(b.Second <= b.First)); // the reservoir is not full: rows stay where they are

        float[] Best() => [.. Enumerable.Range(0, 30).Select(i => ByHand.StateOf(part, "mir.extra")[i, 0].item<float>())];
    }

    [Fact]
    public void What_cannot_be_scored_is_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup().Network();
        Assert.Contains("one for each candidate", Assert.Throws<ArgumentException>(() => MaximallyInterferedRetrieval.Scores(network, TestData.Rows(4), TestData.Rows(5), 0.1, new float[4])).Message, StringComparison.Ordinal);
        network.ParameterValues[0] = float.NaN;
        Assert.Contains("training diverged", Assert.Throws<ArgumentException>(() => MaximallyInterferedRetrieval.Scores(network, TestData.Rows(4), TestData.Rows(5), 0.1)).Message, StringComparison.Ordinal);
    }
}
