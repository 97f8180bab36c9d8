using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class LearnerTests
{
    [Fact]
    public void Two_parts_that_replace_the_loss_are_refused_by_name()
    {
        var setup = ByHand.Setup();
        using var first = new ErAce(setup, new());
        using var second = new DerPlusPlus(setup, new());
        var error = Assert.Throws<ArgumentException>(() => new Learner(setup, first, second));
        Assert.Contains("ErAce and DerPlusPlus", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_stack_an_objective_beside_rows_that_another_part_replays()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var learner = new Learner(setup, new ErAce(setup, new() { BufferSize = 8 }), new ExperienceReplay(setup, new() { BufferSize = 8 }));
        Batch past = TestData.Rows(8, seed: 1), rows = TestData.Rows(8, seed: 2) with { Y = arange(8) % ByHand.Classes };
        learner.Observe(past);
        using var twin = learner.Network.Clone();
        var g = ByHand.Gradient(twin, rows) + 2 * ByHand.Gradient(twin, past); // all classes are present: no mask; both replay the same 8 rows
        Assert.Equal(16, learner.Observe(rows).Replayed);
        ByHand.Close(twin.Parameters - ByHand.Rate * g, learner.Network.Parameters);
    }

    [Fact]
    public void A_further_term_is_added_to_the_cross_entropy_of_all_rows()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var learner = new Learner(setup, new ExperienceReplay(setup, new() { BufferSize = 8 }), new SquaredLogits());
        Batch past = TestData.Rows(8, seed: 1), rows = TestData.Rows(8, seed: 2);
        learner.Observe(past);
        using var twin = learner.Network.Clone();
        var union = new Batch(cat([rows.X, past.X]), cat([rows.Y, past.Y]));
        var g = ByHand.Gradient(twin, union) + ByHand.Gradient(twin, rows.X, 2 * ByHand.Logits(twin, rows.X));
        learner.Observe(rows);
        ByHand.Close(twin.Parameters - ByHand.Rate * g, learner.Network.Parameters);
    }

    /// <summary>Adds Σ z² over the new rows.</summary>
    private sealed class SquaredLogits : ILossPart
    {
        public Func<Tensor, Tensor>? Loss(Step step) => step.Index == 0 ? null : logits => logits.square().sum();

        public void Dispose()
        {
        }
    }
}
