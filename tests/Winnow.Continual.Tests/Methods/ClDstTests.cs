using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class ClDstTests
{
    private static byte[][] Masks(ClDst learner, int tasks)
    {
        byte[] all = ByHand.StateOf(learner, "cl-dst.masks").bytes.ToArray();
        return [.. all.Chunk(learner.Network.ParameterValues.Length).Take(tasks)];
    }

    [Theory]
    [InlineData("task-incremental", SparseInit.Uniform, GrowRule.Gradient, ModelKind.Mlp)]
    [InlineData("task-incremental", SparseInit.Erk, GrowRule.Random, ModelKind.Cnn)]
    [InlineData("permuted-told", SparseInit.Erk, GrowRule.RandomUnfired, ModelKind.Mlp)]
    [InlineData("permuted-told", SparseInit.Uniform, GrowRule.Momentum, ModelKind.Cnn)]
    public void Answers_of_a_task_and_the_weights_it_uses_keep_their_bytes_and_backward_transfer_is_0(string task, SparseInit init, GrowRule grow, ModelKind model)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream(task, o => o with { Model = model, Steps = task == "permuted-told" ? 3 : 2 });
        using var learner = new ClDst(stream.Setup, new() { Density = 0.4, Init = init, Grow = grow, UpdateEvery = 2 });
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        var x = stream.Tasks[0].Test().X;
        var before = learner.Predict(x, stream.Tasks[0].Info);
        float[] weights = learner.Network.ParameterValues.ToArray();
        for (int t = 1; t < stream.Tasks.Count; t++)
            stream.Train(learner, t, order);
        ByHand.Same(before, learner.Predict(x, stream.Tasks[0].Info));
        byte[] mask = Masks(learner, 1)[0];
        Assert.All(Enumerable.Range(0, mask.Length).Where(i => mask[i] == 1), i => Assert.Equal(weights[i], learner.Network.ParameterValues[i]));
        Assert.NotEqual(weights, learner.Network.ParameterValues.ToArray());

        using var again = new ClDst(stream.Setup, new() { Density = 0.4, Init = init, Grow = grow, UpdateEvery = 2 });
        Assert.Equal(0, stream.Run(again)["backward_transfer"]);
    }

    [Theory, InlineData(0.0), InlineData(0.9)]
    public void Dense_without_isolation_and_with_SGD_it_is_plain_fine_tuning_to_the_bit(double momentum)
    {
        using var stream = new SmallStream("permuted-told", o => o with { Momentum = momentum });
        using var plain = new Learner(stream.Setup);
        // Only half of a task's steps, after which the step size would be divided.
        using var learner = new ClDst(stream.Setup, new() { Density = 1, DropRate = 0, Isolate = false, KeepBest = false, Optimizer = SparseOptimizer.Sgd, LearningRate = stream.Setup.Training.LearningRate });
        for (int t = 0; t < 2; t++)
        {
            using var scope = NewDisposeScope();
            var train = stream.Tasks[t].Train();
            var random = new SeededRandom(5, "order");
            plain.BeginTask(stream.Tasks[t].Info, train);
            learner.BeginTask(stream.Tasks[t].Info, train);
            int half = ContinualStream.BatchCount(train.Count, stream.Setup.Training.BatchSize) * stream.Setup.Training.Epochs / 2;
            foreach (var batch in train.MiniBatches(stream.Setup.Training.BatchSize, random).Take(half))
            {
                plain.Observe(batch);
                learner.Observe(batch);
            }
            plain.EndTask(stream.Tasks[t].Info, train);
            learner.EndTask(stream.Tasks[t].Info, train);
            Assert.True(plain.Network.ParameterValues.SequenceEqual(learner.Network.ParameterValues));
        }
    }

    [Fact]
    public void The_number_of_active_weights_of_each_layer_is_kept_and_a_drop_rate_of_0_keeps_the_mask()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        foreach (double rate in (double[])[0, 0.5])
        {
            using var learner = new ClDst(stream.Setup, new() { Density = 0.3, DropRate = rate, UpdateEvery = 1, KeepBest = false });
            var train = stream.Tasks[0].Train();
            learner.BeginTask(stream.Tasks[0].Info, train);
            byte[] before = learner.Training.Mask.ToArray();
            foreach (var batch in train.MiniBatches(8, new SeededRandom(1, "order")))
                learner.Observe(batch);
            byte[] after = learner.Training.Mask.ToArray();
            Assert.Equal(rate == 0, before.AsSpan().SequenceEqual(after));
            foreach (var layer in learner.Network.Modules.Select(m => m.Parameters[0]))
                Assert.Equal(before.Skip(layer.Offset).Take(layer.Length).Count(m => m == 1), after.Skip(layer.Offset).Take(layer.Length).Count(m => m == 1));
            // Outside the mask the working copy is zero.
            foreach (var layer in learner.Network.Modules.Select(m => m.Parameters[0]))
                for (int i = layer.Offset; i < layer.Offset + layer.Length; i++)
                    Assert.True(after[i] == 1 || learner.Training.Working.ParameterValues[i] == 0);
        }
    }

    [Fact]
    public void Gradient_growth_takes_no_weight_of_an_earlier_task_while_others_have_a_gradient()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told", o => o with { Hidden = 30 });
        using var learner = new ClDst(stream.Setup, new() { Density = 0.2, Grow = GrowRule.Gradient, UpdateEvery = 1, DropRate = 0.2, KeepBest = false });
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        byte[] taken = Masks(learner, 1)[0];
        var train = stream.Tasks[1].Train();
        learner.BeginTask(stream.Tasks[1].Info, train);
        byte[] drawn = learner.Training.Mask.ToArray();
        foreach (var batch in train.MiniBatches(8, order))
            learner.Observe(batch);
        learner.EndTask(stream.Tasks[1].Info, train);
        byte[] grown = Masks(learner, 2)[1];
        Assert.Contains(Enumerable.Range(0, taken.Length), i => drawn[i] == 1 && taken[i] == 1); // chance gives the tasks weights in common
        var first = learner.Network.Modules[0].Parameters[0];
        Assert.DoesNotContain(Enumerable.Range(first.Offset, first.Length), i => grown[i] == 1 && drawn[i] == 0 && taken[i] == 1);
    }

    [Fact]
    public void An_earlier_tasks_weight_that_is_grown_has_its_value_and_dropped_ones_get_theirs_back_in_the_merge()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        using var learner = new ClDst(stream.Setup, new() { Density = 0.5, Grow = GrowRule.Random, UpdateEvery = 1, KeepBest = false });
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        float[] merged = learner.Network.ParameterValues.ToArray();
        byte[] taken = Masks(learner, 1)[0];
        var train = stream.Tasks[1].Train();
        learner.BeginTask(stream.Tasks[1].Info, train);
        byte[] drawn = learner.Training.Mask.ToArray();
        foreach (var batch in train.MiniBatches(8, new SeededRandom(1, "order")))
        {
            learner.Observe(batch);
            var (mask, working) = (learner.Training.Mask.ToArray(), learner.Training.Working.ParameterValues.ToArray());
            Assert.All(Enumerable.Range(0, mask.Length).Where(i => mask[i] == 1 && taken[i] == 1), i => Assert.Equal(merged[i], working[i]));
        }
        learner.EndTask(stream.Tasks[1].Info, train);
        byte[] kept = Masks(learner, 2)[1];
        var weight = learner.Network.Modules[0].Parameters[0];
        int[] dropped = [.. Enumerable.Range(weight.Offset, weight.Length).Where(i => drawn[i] == 1 && kept[i] == 0)];
        Assert.NotEmpty(dropped);
        Assert.All(dropped, i => Assert.Equal(merged[i], learner.Network.ParameterValues[i]));
    }

    [Fact]
    public void A_task_has_only_its_own_rows_of_the_head_and_the_overlap_of_masks_is_reported()
    {
        using var stream = new SmallStream("task-incremental");
        using var learner = new ClDst(stream.Setup, new() { Density = 0.5 });
        stream.Train(learner);
        byte[][] masks = Masks(learner, 2);
        var head = learner.Network.Modules[^1].Parameters[0];
        for (int t = 0; t < 2; t++)
            for (int c = 0; c < 4; c++)
                Assert.Equal(stream.Tasks[t].Info.Classes.Contains(c), masks[t].Skip(head.Offset + c * 12).Take(12).Any(m => m == 1));
        double common = masks[0].Zip(masks[1]).Count(p => p is (1, 1));
        Assert.Equal([("overlap/1", 1, 1L), ("overlap/2", common / masks[0].Count(m => m == 1), 1L), ("overlap/1", common / masks[1].Count(m => m == 1), 2L), ("overlap/2", 1, 2L)], learner.Series);
        Assert.InRange(common, 1, masks[0].Count(m => m == 1) - 1);
    }

    [Fact]
    public void The_best_epoch_is_kept_and_not_the_last()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        // The step size of the first epoch is right; from then on the rows come with wrong labels, so that training accuracy falls.
        using var learner = new ClDst(stream.Setup, new() { Density = 0.8, UpdateEvery = 3 });
        var train = stream.Tasks[0].Train();
        learner.BeginTask(stream.Tasks[0].Info, train);
        foreach (var batch in train.MiniBatches(8, new SeededRandom(1, "order")))
            learner.Observe(batch);
        float[] first = learner.Training.Working.ParameterValues.ToArray();
        byte[] mask = learner.Training.Mask.ToArray();
        foreach (var batch in train.MiniBatches(8, new SeededRandom(2, "order")))
            learner.Observe(batch with { Y = (batch.Y + 1).remainder(4) });
        Assert.NotEqual(first, learner.Training.Working.ParameterValues.ToArray());
        learner.EndTask(stream.Tasks[0].Info, train);
        Assert.Equal(first, learner.Training.Working.ParameterValues.ToArray());
        Assert.Equal(mask, Masks(learner, 1)[0]);
    }

    [Fact]
    public void Growth_by_momentum_without_Adam_a_density_of_0_and_steps_out_of_turn_are_refused()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        Assert.Contains("optimizer=adam", Assert.Throws<InputException>(() => new ClDst(stream.Setup, new() { Grow = GrowRule.Momentum, Optimizer = SparseOptimizer.Sgd })).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<ArgumentException>(() => new ClDst(stream.Setup, new() { Density = 0 }));
        using var learner = new ClDst(stream.Setup, new());
        var rows = stream.Tasks[0].Train();
        Assert.Throws<InvalidOperationException>(() => learner.Observe(rows));
        Assert.Contains("after 0 tasks", Assert.Throws<ArgumentException>(() => learner.BeginTask(stream.Tasks[1].Info, rows)).Message, StringComparison.Ordinal);
    }
}
