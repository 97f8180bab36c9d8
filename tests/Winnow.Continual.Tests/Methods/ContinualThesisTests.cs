using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class ContinualThesisTests
{
    [Theory, InlineData(ThesisTechnique.Mas), InlineData(ThesisTechnique.Ssl), InlineData(ThesisTechnique.ExpertGate)]
    public void A_technique_that_acts_at_boundaries_is_refused_where_none_are_announced(ThesisTechnique technique)
    {
        using var stream = new SmallStream("blurry");
        string message = Assert.Throws<ArgumentException>(() => ContinualThesis.Learner(stream.Setup, new() { Technique = technique }).Dispose()).Message;
        Assert.Contains($"{technique} ", message, StringComparison.Ordinal);
        Assert.Contains("technique=task-free, gss or mir", message, StringComparison.Ordinal);
    }

    [Theory, InlineData(ThesisTechnique.TaskFree), InlineData(ThesisTechnique.Gss), InlineData(ThesisTechnique.Mir)]
    public void The_others_learn_without_boundaries(ThesisTechnique technique)
    {
        using var stream = new SmallStream("blurry");
        using var learner = ContinualThesis.Learner(stream.Setup, new() { Technique = technique });
        byte[] before = Protocol.Hash(learner);
        Assert.True(stream.Train(learner).Gradients > 0);
        Assert.NotEqual(before, Protocol.Hash(learner));
    }

    [Theory, InlineData(ThesisTechnique.Gss), InlineData(ThesisTechnique.Mir)]
    public void Several_steps_on_a_mini_batch_offer_its_rows_once(ThesisTechnique technique)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("online");
        using var once = ContinualThesis.Learner(stream.Setup, new() { Technique = technique, BufferSize = 1000 });
        using var thrice = ContinualThesis.Learner(stream.Setup, new() { Technique = technique, BufferSize = 1000, Iterations = 3 });
        long Steps(IContinualLearner learner) => ByHand.StateOf(learner, "steps").item<long>();
        string y = technique == ThesisTechnique.Gss ? "gss.y" : "mir.y";
        stream.Train(once);
        stream.Train(thrice);
        Assert.Equal(3 * Steps(once), Steps(thrice));
        ByHand.Same(ByHand.StateOf(once, y), ByHand.StateOf(thrice, y));
    }
}
