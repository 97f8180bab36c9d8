using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class GpmTests
{
    private static StreamOptions ThreeTasks(StreamOptions o) => o with { Steps = 3 };

    [Theory, InlineData("permuted", ModelKind.Mlp), InlineData("permuted", ModelKind.Cnn), InlineData("task-incremental", ModelKind.Mlp), InlineData("task-incremental", ModelKind.Cnn)]
    public void With_all_directions_of_all_rows_kept_no_answer_to_an_old_row_changes(string task, ModelKind model)
    {
        using var scope = NewDisposeScope();
        // Few rows in many directions, so that something is left to learn in.
        using var stream = new SmallStream(task, o => o with { Model = model, Hidden = 60, LearningRate = 0.02 }, TestData.Images(rowsPerClass: 6));
        using var learner = new Learner(stream.Setup, new Gpm(stream.Setup, new() { FirstThreshold = 1, Threshold = 1 }));
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        var x = stream.Tasks[0].Train().X;
        var own = tensor([.. stream.Tasks[0].Info.Classes.Select(c => (long)c)]);
        var before = learner.Predict(x).index_select(1, own);
        byte[] weights = learner.Network.Parameters.bytes.ToArray();
        stream.Train(learner, 1, order);
        Assert.NotEqual(weights, learner.Network.Parameters.bytes.ToArray());
        ByHand.Close(before, learner.Predict(x).index_select(1, own), 1e-4, 1e-4);
    }

    [Fact]
    public void The_gradient_of_a_later_task_has_no_part_in_the_protected_directions_and_what_is_frozen_none()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("class-incremental");
        var gpm = new Gpm(stream.Setup, new() { Threshold = 0.9, FirstThreshold = 0.9 });
        using var learner = new Learner(stream.Setup, gpm);
        stream.Train(learner, 0, stream.Context.Random("batches"));
        var rows = stream.Tasks[1].Train();
        gpm.BeginTask(learner.Network, stream.Tasks[1].Info, rows);
        learner.Network.Training = false;
        ByHand.Gradient(learner.Network, rows);
        double[] before = [.. gpm.Spaces.Layers.Select(l => Transfer.Norm(l.Of(learner.Network.Gradient)))];
        gpm.Gradient(new() { Network = learner.Network, New = rows, Index = 0 });
        foreach (var (layer, norm) in gpm.Spaces.Layers.Zip(before))
        {
            var basis = layer.Union(1).to_type(ScalarType.Float32);
            Assert.InRange(basis.shape[1], 1, layer.Inputs - 1);
            Assert.True(Transfer.Norm(layer.Of(learner.Network.Gradient).matmul(basis)) < 1e-6 * norm);
        }
        Assert.All(learner.Network.Modules, m => Assert.True(learner.Network.GradientValues.Slice(m.Kind == ModuleKind.BatchNorm ? m.Offset : m.Parameters[1].Offset, m.Parameters[1].Length).IndexOfAnyExcept(0f) < 0));
    }

    [Fact]
    public void Biases_are_zero_normalisations_learn_in_the_first_task_only_and_a_head_row_in_its_own()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("task-incremental");
        using var learner = new Learner(stream.Setup, new Gpm(stream.Setup, new()));
        var order = stream.Context.Random("batches");
        var initial = learner.Network.State();
        stream.Train(learner, 0, order);
        var first = learner.Network.State();
        stream.Train(learner, 1, order);
        var second = learner.Network.State();
        for (int i = 0; i < first.Count; i++)
        {
            bool norm = first[i].Name.StartsWith("norm", StringComparison.Ordinal), bias = !norm && first[i].Name.EndsWith("bias", StringComparison.Ordinal);
            if (bias)
                Assert.All(second[i].Values, v => Assert.Equal(0, v));
            if (norm)
            {
                Assert.NotEqual(initial[i].Values, first[i].Values);
                Assert.Equal(first[i].Values, second[i].Values);
            }
        }
        foreach (int c in stream.Tasks[0].Info.Classes)
            Assert.Equal(Row(first, c), Row(second, c));
        foreach (int c in stream.Tasks[1].Info.Classes)
            Assert.Equal(Row(initial, c), Row(first, c));

        static float[] Row(IReadOnlyList<NamedArray> state, int c) => state.Single(s => s.Name == "head.weight").Values.Skip(c * 12).Take(12).ToArray();
    }

    [Fact]
    public void Directions_only_grow_stay_orthonormal_and_the_free_share_is_reported()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted", ThreeTasks);
        var gpm = new Gpm(stream.Setup, new() { FirstThreshold = 0.6, Threshold = 0.6, ThresholdGrowth = 0.1 });
        using var learner = new Learner(stream.Setup, gpm);
        stream.Train(learner);
        foreach (var layer in gpm.Spaces.Layers)
        {
            Assert.True(layer.Ranks[0] <= layer.Ranks[1] && layer.Ranks[1] <= layer.Ranks[2]);
            ByHand.Close(eye(layer.Ranks[2], dtype: ScalarType.Float64), layer.Union(3).T.matmul(layer.Union(3)), 0, 1e-9);
        }
        var series = learner.Series.ToList();
        Assert.Equal(9, series.Count);
        Assert.Contains(("free/linear1", 1 - gpm.Spaces.Layers[0].Ranks[1] / 16.0, 2L), series);
    }

    [Fact]
    public void A_task_out_of_turn_a_label_of_another_task_and_a_threshold_of_0_are_refused()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("task-incremental");
        using var learner = new Learner(stream.Setup, new Gpm(stream.Setup, new()));
        var rows = stream.Tasks[0].Train();
        Assert.Contains("after 0 tasks", Assert.Throws<ArgumentException>(() => learner.BeginTask(new(1, [0, 1]), rows)).Message, StringComparison.Ordinal);
        learner.BeginTask(stream.Tasks[0].Info, rows);
        Assert.Contains("outside the classes", Assert.Throws<ArgumentException>(() => learner.Observe(stream.Tasks[1].Train())).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new Gpm(stream.Setup, new() { Threshold = 0 }));
        Assert.Throws<ArgumentException>(() => new Gpm(stream.Setup, new() { FirstThreshold = 1.1 }));
    }

    [Fact]
    public void More_rows_than_a_task_has_are_all_its_rows()
    {
        using var scope = NewDisposeScope();
        var rows = TestData.Rows(7);
        ByHand.Same(rows.X, rows.Spread(300).X);
        ByHand.Same(rows.X.index_select(0, tensor([0L, 2, 4])), rows.Spread(3).X);
    }
}
