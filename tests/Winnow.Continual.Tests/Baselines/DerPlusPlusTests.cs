using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class DerPlusPlusTests
{
    [Theory, InlineData("class-incremental"), InlineData("blurry")]
    public void With_alpha_and_beta_0_it_is_fine_tuning_to_the_bit(string task)
    {
        using var stream = new SmallStream(task);
        ByHand.EqualsFineTuning(stream, new DerPlusPlus(stream.Setup, new() { Alpha = 0, Beta = 0 }));
    }

    [Theory, InlineData(0.5, 0), InlineData(0, 2), InlineData(0.5, 2)]
    public void A_step_goes_down_the_three_terms_of_the_paper(double alpha, double beta)
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var learner = new Learner(setup, new DerPlusPlus(setup, new() { BufferSize = 8, Alpha = alpha, Beta = beta }));
        Batch past = TestData.Rows(8, seed: 1), rows = TestData.Rows(8, seed: 2);
        var then = ByHand.Logits(learner.Network, past.X); // before the weights move
        learner.Observe(past);

        using var twin = learner.Network.Clone();
        // d/dz of α · mean (z − z′)² is 2 α (z − z′) / (rows · classes); the draws are the whole memory
        var distil = ByHand.Gradient(twin, past.X, 2 * alpha * (ByHand.Logits(twin, past.X) - then) / (8 * ByHand.Classes));
        var g = ByHand.Gradient(twin, rows) + distil + beta * ByHand.Gradient(twin, past);
        Assert.True(alpha == 0 || distil.norm().item<float>() > 1e-4);

        var report = learner.Observe(rows);
        ByHand.Close(twin.Parameters - ByHand.Rate * g, learner.Network.Parameters);
        int replayed = (alpha > 0 ? 8 : 0) + (beta > 0 ? 8 : 0);
        Assert.Equal((8 + replayed, 8 + replayed, replayed), (report.Forward, report.Gradients, report.Replayed));
    }

    [Fact]
    public void Rows_are_stored_with_the_logits_of_the_step_that_saw_them()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var part = new DerPlusPlus(setup, new() { BufferSize = 16 });
        using var learner = new Learner(setup, part);
        for (ulong seed = 1; seed <= 2; seed++)
        {
            var rows = TestData.Rows(8, seed: seed);
            var before = ByHand.Logits(learner.Network, rows.X);
            learner.Observe(rows);
            ByHand.Close(before, ByHand.StateOf(part, "der-pp.extra").narrow(0, 8 * ((long)seed - 1), 8));
        }
    }
}
