using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class SynapticIntelligenceTests
{
    [Theory, InlineData("permuted"), InlineData("class-incremental")]
    public void With_strength_0_it_is_fine_tuning_to_the_bit(string task)
    {
        using var stream = new SmallStream(task);
        ByHand.EqualsFineTuning(stream, new SynapticIntelligence(stream.Setup, new() { Strength = 0 }));
    }

    [Fact]
    public void For_small_steps_the_path_integral_is_the_decrease_of_the_loss()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6, learningRate: 1e-3);
        using var si = new SynapticIntelligence(setup, new());
        using var learner = new Learner(setup, si);
        var rows = TestData.Rows(32);
        TaskInfo task = new(0, [0, 1, 2, 3]);
        learner.BeginTask(task, rows);
        double before = learner.Observe(rows).Loss;
        for (int i = 0; i < 200; i++)
            learner.Observe(rows);
        double after = learner.Network.AddCrossEntropyGradient(rows.X, rows.Y);
        double path = ByHand.StateOf(si, "si.path").sum().item<float>();
        Assert.True(before - after > 0.01);
        Assert.Equal(1, path / (before - after), 1e-3); // the error is of the order of the step size
    }

    [Fact]
    public void Two_tasks_equal_a_twin_in_double_precision()
    {
        const double Xi = 1e-2, Strength = 0.5;
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var si = new SynapticIntelligence(setup, new() { Xi = Xi, Strength = Strength });
        using var learner = new Learner(setup, si);
        double[] omega = new double[learner.Network.ParameterValues.Length], importance = new double[omega.Length];
        for (int t = 0; t < 2; t++)
        {
            TaskInfo task = new(t, [0, 1, 2, 3]);
            var anchor = Weights();
            Array.Clear(omega);
            learner.BeginTask(task, TestData.Rows(8));
            for (int i = 0; i < 12; i++)
            {
                var batch = TestData.Rows(8, seed: (ulong)(100 * t + i + 1));
                var before = Weights();
                using var twin = learner.Network.Clone();
                var g = Doubles(ByHand.Gradient(twin, batch));
                learner.Observe(batch);
                var after = Weights();
                for (int k = 0; k < omega.Length; k++)
                {
                    double pull = setup.Training.LearningRate * 2 * Strength * importance[k];
                    double expected = (before[k] - setup.Training.LearningRate * g[k] + pull * anchor[k]) / (1 + pull);
                    Assert.Equal(expected, after[k], 1e-5);
                    omega[k] -= g[k] * (after[k] - before[k]);
                }
            }
            ByHand.Close(tensor(omega), ByHand.StateOf(si, "si.path"), 1e-3, 1e-6);
            var end = Weights();
            for (int k = 0; k < omega.Length; k++)
                importance[k] = Math.Max(0, importance[k] + omega[k] / (Math.Pow(end[k] - anchor[k], 2) + Xi));
            learner.EndTask(task, TestData.Rows(8));
            ByHand.Close(tensor(importance), ByHand.StateOf(si, "si.importance"), 1e-3, 1e-4);
        }

        double[] Weights() => Doubles(learner.Network.Parameters);
    }

    [Fact]
    public void A_path_that_raised_the_loss_makes_no_weight_less_than_unimportant()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var si = new SynapticIntelligence(setup, new() { Xi = 0.5 });
        using var learner = new Learner(setup, si);
        TaskInfo task = new(0, [0, 1, 2, 3]);
        learner.BeginTask(task, TestData.Rows(8));
        var path = ByHand.StateOf(si, "si.path");
        path.fill_(-1);
        path[0] = 3;
        learner.EndTask(task, TestData.Rows(8));
        var importance = ByHand.StateOf(si, "si.importance").data<float>().ToArray(); // nothing moved: ω / ξ
        Assert.Equal(6, importance[0]);
        Assert.All(importance.Skip(1), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Stronger_anchors_let_the_weights_move_less_and_none_diverges()
    {
        double[] moved = [.. new[] { 0, 0.1, 10, 1e4 }.Select(strength =>
        {
            using var scope = NewDisposeScope();
            using var stream = new SmallStream("permuted", o => o with { Steps = 2 });
            var order = stream.Context.Random("batches");
            using var learner = new Learner(stream.Setup, new SynapticIntelligence(stream.Setup, new() { Strength = strength }));
            stream.Train(learner, 0, order);
            var before = learner.Network.Parameters.clone();
            stream.Train(learner, 1, order);
            return (learner.Network.Parameters - before).norm().item<float>();
        })];
        Assert.All(moved.Zip(moved.Skip(1)), pair => Assert.True(pair.Second < pair.First, string.Join(", ", moved)));
    }

    private static double[] Doubles(Tensor values) => [.. values.data<float>().Select(v => (double)v)];
}
