using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class ExperienceReplayTests
{
    [Fact]
    public void While_nothing_is_kept_it_is_fine_tuning_to_the_bit()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var naive = new Learner(setup);
        using var learner = new Learner(setup, new ExperienceReplay(setup, new()));
        for (ulong seed = 1; seed <= 3; seed++) // rows of a later pass are not kept
        {
            var rows = TestData.Rows(8, seed: seed) with { FirstPass = false };
            naive.Observe(rows);
            learner.Observe(rows);
        }
        Assert.True(naive.Network.ParameterValues.SequenceEqual(learner.Network.ParameterValues));
    }

    [Fact]
    public void With_room_for_all_rows_and_all_replayed_every_step_learns_the_union_of_everything_seen()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var learner = new Learner(setup, new ExperienceReplay(setup, new() { BufferSize = 100, ReplayBatch = 100 }));
        using var joint = new Learner(setup);
        Batch[] stream = [.. Enumerable.Range(1, 5).Select(seed => TestData.Rows(8, seed: (ulong)seed))];
        for (int i = 0; i < stream.Length; i++)
        {
            learner.Observe(stream[i]);
            joint.Observe(new(cat([.. stream.Take(i + 1).Select(b => b.X)]), cat([.. stream.Take(i + 1).Select(b => b.Y)])));
            ByHand.Close(joint.Network.Parameters, learner.Network.Parameters);
        }
    }

    [Fact]
    public void Rows_forward_backward_and_replayed_are_counted()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var learner = new Learner(setup, new ExperienceReplay(setup, new() { BufferSize = 10, ReplayBatch = 9 }));
        (long, long, long)[] costs = [.. Enumerable.Range(1, 4).Select(seed =>
        {
            var report = learner.Observe(TestData.Rows(6, seed: (ulong)seed));
            return (report.Forward, report.Gradients, report.Replayed);
        })];
        Assert.Equal([(6, 6, 0), (12, 12, 6), (15, 15, 9), (15, 15, 9)], costs);
    }

    [Fact]
    public void By_default_as_many_rows_are_replayed_as_are_new()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var learner = new Learner(setup, new ExperienceReplay(setup, new()));
        learner.Observe(TestData.Rows(20));
        Assert.Equal(7, learner.Observe(TestData.Rows(7)).Replayed);
    }
}
