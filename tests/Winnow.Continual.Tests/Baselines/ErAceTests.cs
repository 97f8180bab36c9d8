using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class ErAceTests
{
    [Fact]
    public void Classes_absent_from_the_first_batch_are_not_moved_by_a_bit()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var learner = new Learner(setup, new ErAce(setup, new()));
        var before = learner.Network.Parameters.clone();
        learner.Observe(Among(1, 3));
        // logistic regression: row k of the weight and element k of the bias are all that class k has
        var moved = (learner.Network.Parameters - before).ne(0);
        var weight = moved.narrow(0, 0, ByHand.Classes * TestData.Width).view(ByHand.Classes, TestData.Width).any(1).data<bool>().ToArray();
        var bias = moved.narrow(0, ByHand.Classes * TestData.Width, ByHand.Classes).data<bool>().ToArray();
        Assert.Equal([false, true, false, true], weight);
        Assert.Equal([false, true, false, true], bias);
    }

    [Fact]
    public void A_step_goes_down_the_masked_and_the_full_cross_entropy()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var learner = new Learner(setup, new ErAce(setup, new() { BufferSize = 8 }));
        Batch past = Among(0, 2), rows = Among(1, 3);
        learner.Observe(past);

        using var twin = learner.Network.Clone();
        // d/dz of the masked cross-entropy: softmax among the present classes minus the label, 0 elsewhere
        var z = ByHand.Logits(twin, rows.X);
        var present = tensor(new[] { 0f, 1, 0, 1 });
        var p = z.exp() * present;
        var masked = ByHand.Gradient(twin, rows.X, (p / p.sum(1, keepdim: true) - ByHand.OneHot(rows.Y)) / 8);
        var g = masked + ByHand.Gradient(twin, past);

        var report = learner.Observe(rows);
        ByHand.Close(twin.Parameters - ByHand.Rate * g, learner.Network.Parameters);
        Assert.Equal((16, 16, 8), (report.Forward, report.Gradients, report.Replayed));
    }

    [Fact]
    public void A_batch_of_all_classes_without_memory_is_learned_as_by_fine_tuning()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var naive = new Learner(setup);
        using var learner = new Learner(setup, new ErAce(setup, new()));
        naive.Observe(Among(0, 1, 2, 3));
        learner.Observe(Among(0, 1, 2, 3));
        ByHand.Close(naive.Network.Parameters, learner.Network.Parameters, 1e-6, 1e-7);
    }

    private static Batch Among(params long[] classes)
    {
        var rows = TestData.Rows(8, seed: (ulong)classes.Sum());
        return rows with { Y = tensor([.. Enumerable.Range(0, 8).Select(i => classes[i % classes.Length])]) };
    }
}
