using CsCheck;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class GDumbTests
{
    [Fact] // whatever comes in whatever order
    public void The_memory_is_never_over_capacity_and_its_counts_are_those_of_its_labels() =>
        Gen.Select(Gen.Int[1, 20], Gen.Int[0, 4].Array[1, 120]).Sample((capacity, labels) =>
        {
            using var memory = Fill(capacity, labels.Select(l => (long)l));
            Assert.InRange(memory.Count, 1, Math.Min(capacity, labels.Length));
            using var scope = NewDisposeScope();
            long[] kept = memory.Content.Y.data<long>().ToArray();
            for (int c = 0; c < 5; c++)
                Assert.Equal(memory.CountPerClass[c], kept.Count(y => y == c));
        }, seed: "0000KOIKKiB1", iter: 200);

    [Theory, InlineData(10), InlineData(12), InlineData(7)]
    public void With_rows_to_spare_of_every_class_the_memory_is_full_and_even_to_within_one_row(int capacity)
    {
        var random = new SeededRandom(5, "labels");
        long[] labels = [.. Enumerable.Range(0, 400).Select(_ => (long)random.Next(5))];
        foreach (var order in (long[][])[labels, [.. labels.Order()]])
        {
            using var memory = Fill(capacity, order);
            Assert.Equal(capacity, memory.Count);
            Assert.InRange(memory.CountPerClass.ToArray().Max() - memory.CountPerClass.ToArray().Min(), 0, 1);
        }
    }

    [Fact]
    public void Rows_stay_with_their_labels()
    {
        using var memory = Fill(9, Enumerable.Range(0, 200).Select(i => (long)(i * 7 % 5)));
        using var scope = NewDisposeScope();
        var (x, y, _) = memory.Content;
        Assert.True(x.select(1, 0).eq(y).all().item<bool>());
    }

    [Fact] // 0.1 in the first pass; then cycles that begin at passes 1, 2, 4, 8 with the full step size
    public void The_schedule_is_a_warm_up_and_cosine_cycles_that_double()
    {
        Assert.Equal(0.1, GDumb.StepSize(0));
        Assert.All([1, 2, 4, 8, 16, 32, 64], epoch => Assert.Equal(1, GDumb.StepSize(epoch), 12));
        Assert.Equal(0.01 + 0.99 / 2, GDumb.StepSize(6), 12); // half of the cycle 4..7
        Assert.Equal(0.01 + 0.99 * (1 + Math.Cos(Math.PI * 7 / 8)) / 2, GDumb.StepSize(15), 12);
    }

    [Fact]
    public void The_network_is_trained_anew_so_what_was_learned_before_does_not_matter()
    {
        using var stream = new SmallStream();
        using var once = new GDumb(stream.Setup, new() { BufferSize = 16, Epochs = 4 });
        using var twice = new GDumb(stream.Setup, new() { BufferSize = 16, Epochs = 4 });
        using var scope = NewDisposeScope();
        var train = stream.Tasks[0].Train();
        once.Observe(train);
        once.EndTask(stream.Tasks[0].Info, train);
        twice.Observe(train);
        twice.EndTask(stream.Tasks[1].Info, train);
        twice.EndTask(stream.Tasks[0].Info, train);
        Assert.Equal(Protocol.Hash(once), Protocol.Hash(twice));
    }

    [Fact]
    public void Nothing_is_computed_while_the_stream_passes_and_the_memory_is_passed_as_often_as_asked()
    {
        using var stream = new SmallStream();
        using var learner = new GDumb(stream.Setup, new() { BufferSize = 10, Epochs = 8 });
        using var scope = NewDisposeScope();
        var train = stream.Tasks[0].Train();
        Assert.Equal(StepReport.None, learner.Observe(train));
        var cost = learner.EndTask(stream.Tasks[0].Info, train);
        Assert.Equal((80, 80, 80), (cost.Forward, cost.Gradients, cost.Replayed));
    }

    /// <summary>A memory of rows of width 1 that hold their label.</summary>
    private static ClassBalancedMemory Fill(int capacity, IEnumerable<long> labels)
    {
        var memory = new ClassBalancedMemory(capacity, 1, 5, purpose => new(3, purpose));
        using var scope = NewDisposeScope();
        foreach (long[] part in labels.Chunk(13))
            memory.Offer(tensor([.. part.Select(l => (float)l)]).unsqueeze(1), tensor(part));
        return memory;
    }
}
