using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class CuberTests
{
    private static Tensor Normal(ulong seed, params long[] shape)
    {
        var random = new SeededRandom(seed, "normal");
        return tensor([.. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextNormal())]).reshape(shape);
    }

    private static Tensor Orthonormal(ulong seed, long rows, long columns) => linalg.qr(Normal(seed, rows, columns)).Q;

    [Theory, InlineData("permuted-told", 0.0), InlineData("permuted-told", 0.9), InlineData("task-incremental", 0.0)]
    public void With_epsilon_1_above_1_it_is_gradient_projection_memory_step_for_step(string task, double momentum)
    {
        using var stream = new SmallStream(task, o => o with { Steps = task == "permuted-told" ? 3 : 2, Momentum = momentum, LearningRate = 0.02 });
        using var cuber = new Cuber(stream.Setup, new() { Epsilon1 = 2, FirstThreshold = 0.8, Threshold = 0.8 });
        using var gpm = new Learner(stream.Setup, new Gpm(stream.Setup, new() { FirstThreshold = 0.8, Threshold = 0.8 }, joint: true));
        stream.Train(cuber);
        stream.Train(gpm);
        ByHand.Same(gpm.Network.Buffers, cuber.Network.Buffers);
        // Same products in the same order, but the bases reach float32 by another path.
        ByHand.Close(gpm.Network.Parameters, cuber.Network.Parameters, 1e-5, 1e-6);
        Assert.All(cuber.Layers, l => Assert.All(l.Regimes.ToArray(), r => Assert.Equal((long)TransferRegime.Apart, r)));
        using var scope = NewDisposeScope();
        var x = stream.Tasks[0].Test().X;
        ByHand.Same(cuber.Predict(x), cuber.Predict(x, stream.Tasks[1].Info)); // nothing was scaled
    }

    [Fact]
    public void With_epsilon_1_0_and_epsilon_2_minus_1_weights_follow_plain_SGD_on_the_scaled_network()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        using var cuber = new Cuber(stream.Setup, new() { Epsilon1 = 0, Epsilon2 = -1, Lambda = 0, Threshold = 0.8 });
        var order = stream.Context.Random("batches");
        stream.Train(cuber, 0, order);
        var train = stream.Tasks[1].Train();
        cuber.BeginTask(stream.Tasks[1].Info, train);
        Assert.All(cuber.Layers, l => Assert.Equal([(long)TransferRegime.Shared], l.Regimes.ToArray()));
        // The first step, at Q = I: the scaled network is the network, so the step is that of SGD but for the frozen biases.
        var rows = train.Spread(8);
        using var plain = cuber.Network.Clone();
        var gradient = ByHand.Gradient(plain, rows);
        var before = cuber.Network.Parameters.clone();
        cuber.Observe(rows);
        foreach (var layer in cuber.Spaces.Layers)
            ByHand.Close(layer.Of(before) - stream.Setup.Training.LearningRate * layer.Of(gradient), layer.Of(cuber.Network.Parameters), 1e-5, 1e-7);
        Assert.All(cuber.Network.Modules, m => Assert.True(cuber.Network.ParameterValues.Slice(m.Parameters[1].Offset, m.Parameters[1].Length).IndexOfAnyExcept(0f) < 0));
    }

    [Theory, InlineData("permuted-told", ModelKind.Mlp), InlineData("permuted-told", ModelKind.Cnn), InlineData("task-incremental", ModelKind.Mlp)]
    public void Without_regime_3_and_with_all_directions_kept_no_answer_to_an_old_row_changes(string task, ModelKind model)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream(task, o => o with { Model = model, Hidden = 60, LearningRate = 0.02 }, TestData.Images(rowsPerClass: 6));
        // A gradient reaches every old subspace with ε₁ = 0, and no cosine reaches 1: all are in regime 2.
        using var cuber = new Cuber(stream.Setup, new() { Epsilon1 = 0, Epsilon2 = 1, FirstThreshold = 1, Threshold = 1 });
        var order = stream.Context.Random("batches");
        stream.Train(cuber, 0, order);
        var info = stream.Tasks[0].Info;
        var x = stream.Tasks[0].Train().X;
        var own = tensor([.. info.Classes.Select(c => (long)c)]);
        var before = cuber.Predict(x, info).index_select(1, own);
        stream.Train(cuber, 1, order);
        Assert.All(cuber.Layers, l => Assert.Equal([(long)TransferRegime.Scaled], l.Regimes.ToArray()));
        ByHand.Close(before, cuber.Predict(x, info).index_select(1, own), 1e-4, 1e-4);
        Assert.NotEqual(cuber.Predict(x, info).bytes.ToArray(), cuber.Predict(x, stream.Tasks[1].Info).bytes.ToArray()); // the new task has scales of its own
    }

    [Fact]
    public void Scales_of_identity_leave_the_weight_and_its_gradients_are_those_of_autograd()
    {
        using var scope = NewDisposeScope();
        var (w, c) = (Normal(1, 4, 6), Normal(2, 4, 6));
        Tensor[] bases = [Orthonormal(3, 6, 2), Orthonormal(4, 6, 3)];
        var identity = ScaledProjection.Scaling(bases.Select(b => (b, eye(b.shape[1], dtype: ScalarType.Float64))));
        ByHand.Same(w, ScaledProjection.Weight(w, identity));

        Tensor[] q = [Normal(5, 2, 2).requires_grad_(), Normal(6, 3, 3).requires_grad_()];
        var leaf = w.clone().requires_grad_();
        var scaled = leaf; // by the paper's formula, on the tape
        for (int j = 0; j < 2; j++)
            scaled = scaled + leaf.matmul(bases[j]).matmul(q[j]).matmul(bases[j].T) - leaf.matmul(bases[j]).matmul(bases[j].T);
        (scaled.square() * c).sum().backward();
        using var _ = no_grad();
        var scaling = ScaledProjection.Scaling(bases.Zip(q));
        ByHand.Close(scaled, ScaledProjection.Weight(w, scaling), 1e-12, 1e-12);
        var (byW, byQ) = ScaledProjection.Gradients(2 * scaled * c, w, scaling, bases);
        ByHand.Close(leaf.grad!, byW, 1e-10, 1e-10);
        ByHand.Close(q[0].grad!, byQ[0], 1e-10, 1e-10);
        ByHand.Close(q[1].grad!, byQ[1], 1e-10, 1e-10);
    }

    [Fact]
    public void The_derivative_of_the_penalty_is_its_finite_difference_and_0_where_nothing_moved()
    {
        using var scope = NewDisposeScope();
        var (moved, basis) = (Normal(1, 3, 5), Orthonormal(2, 5, 2));
        var (norm, derivative) = CuberLayer.Penalty(moved, basis);
        Assert.Equal(Math.Sqrt(moved.matmul(basis).square().sum().item<double>()), norm, 1e-12);
        for (int i = 0; i < 15; i++)
        {
            const double H = 1e-6;
            var step = zeros(15, ScalarType.Float64);
            step[i] = H;
            double difference = (CuberLayer.Penalty(moved + step.reshape(3, 5), basis).Norm - CuberLayer.Penalty(moved - step.reshape(3, 5), basis).Norm) / (2 * H);
            Assert.Equal(difference, derivative[i / 5, i % 5].item<double>(), 1e-8); // O(H²) and rounding 1e-16 / H
        }
        ByHand.Same(zeros(3, 5, ScalarType.Float64), CuberLayer.Penalty(zeros(3, 5, ScalarType.Float64), basis).Derivative);
    }

    [Fact]
    public void Regimes_follow_share_and_cosine_and_a_gradient_of_0_keeps_apart()
    {
        using var scope = NewDisposeScope();
        var e = eye(3, dtype: ScalarType.Float64);
        var gradient = tensor(new double[,] { { 3, 4, 0 } });
        Assert.Equal(0.6, Transfer.Share(gradient, e.narrow(1, 0, 1)), 1e-12);
        Assert.Equal(0.8, Transfer.Share(gradient, e.narrow(1, 1, 2)), 1e-12);
        Assert.Equal(0.6, Transfer.Cosine(tensor(new double[,] { { 1, 0, 0 } }), gradient), 1e-12);
        Assert.Equal(TransferRegime.Apart, Transfer.Regime(0.4, 1, 0.5, 0));
        Assert.Equal(TransferRegime.Shared, Transfer.Regime(0.5, 0, 0.5, 0));
        Assert.Equal(TransferRegime.Scaled, Transfer.Regime(0.5, -0.1, 0.5, 0));
        var nothing = zeros(1, 3, ScalarType.Float64);
        Assert.Equal(TransferRegime.Apart, Transfer.Regime(Transfer.Share(nothing, e), Transfer.Cosine(nothing, gradient), 0, -1));
        Assert.Equal([1, 3], Transfer.Select([0.1, 0.9, 0.2, 0.8], 2));
        Assert.Equal([0], Transfer.Select([0.1], 2));
    }

    [Fact]
    public void An_old_task_whose_gradient_no_longer_agrees_is_protected_for_the_rest_of_the_task()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        using var cuber = new Cuber(stream.Setup, new() { Epsilon1 = 0, Epsilon2 = -1 });
        stream.Train(cuber, 0, stream.Context.Random("batches"));
        var train = stream.Tasks[1].Train();
        cuber.BeginTask(stream.Tasks[1].Info, train);
        var old = ByHand.StateOf(cuber, "cuber.gradients");
        var layer = cuber.Layers[1];
        Assert.False(layer.Check(old[0], old)); // it agrees with itself
        var flat = ones_like(cuber.Network.Parameters);
        layer.Project(flat);
        ByHand.Same(ones_like(flat), flat);

        using var strict = new CuberLayer(cuber.Spaces.Layers[1], 2, new() { Epsilon1 = 0 });
        strict.Begin(1, old[0], old);
        Assert.Equal([(long)TransferRegime.Shared], strict.Regimes.ToArray());
        Assert.True(strict.Check(-old[0], old));
        Assert.Equal([(long)TransferRegime.Scaled], strict.Regimes.ToArray());
        Assert.True(strict.Scales);
        Assert.False(strict.Check(old[0], old)); // and does not come back
        strict.Project(flat);
        var basis = cuber.Spaces.Layers[1].Of([0]);
        Assert.True(cuber.Spaces.Layers[1].Of(flat).matmul(basis).abs().max().item<float>() < 1e-5);
    }

    [Fact]
    public void Rows_that_the_regimes_looked_at_are_counted_with_the_next_step()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        using var cuber = new Cuber(stream.Setup, new() { Rows = 5 });
        stream.Train(cuber, 0, stream.Context.Random("batches"));
        var train = stream.Tasks[1].Train();
        cuber.BeginTask(stream.Tasks[1].Info, train);
        var rows = train.Spread(8);
        Assert.Equal((8 + 5, 8 + 5, 0), (cuber.Observe(rows) is var first ? first.Forward : 0, first.Gradients, first.Replayed));
        Assert.Equal(8, cuber.Observe(rows).Gradients);
        Assert.Equal(new StepReport(double.NaN, 10, 5, 0), cuber.EndTask(stream.Tasks[1].Info, train));
    }

    [Fact]
    public void Steps_before_a_task_and_a_task_out_of_turn_are_refused()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told");
        using var cuber = new Cuber(stream.Setup, new());
        var rows = stream.Tasks[0].Train();
        Assert.Throws<InvalidOperationException>(() => cuber.Observe(rows));
        Assert.Contains("after 0 tasks", Assert.Throws<ArgumentException>(() => cuber.BeginTask(stream.Tasks[1].Info, rows)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new Cuber(stream.Setup, new() { FirstThreshold = 0 }));
    }
}
