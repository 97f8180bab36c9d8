using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class OnlineEwcTests
{
    [Theory, InlineData("permuted"), InlineData("class-incremental")]
    public void With_lambda_0_it_is_fine_tuning_to_the_bit(string task)
    {
        using var stream = new SmallStream(task);
        ByHand.EqualsFineTuning(stream, new OnlineEwc(stream.Setup, new() { Lambda = 0, FisherRows = 5 }));
    }

    [Fact]
    public void The_Fisher_information_of_logistic_regression_is_its_closed_form()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup().Network();
        var x = TestData.Rows(9).X;
        var fisher = Expected(network, x);
        // z = Wx + b: F(W_kj) = mean p_k (1 − p_k) x_j², F(b_k) = mean p_k (1 − p_k)
        var p = ByHand.Logits(network, x).softmax(1);
        var variance = p * (1 - p);
        var expected = cat([(variance.T.matmul(x.square()) / x.shape[0]).flatten(), variance.mean([0L])]);
        ByHand.Close(expected, fisher, 1e-4, 1e-7);
    }

    [Fact]
    public void The_Fisher_information_of_a_normalised_network_equals_the_derivatives_of_each_log_probability()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(TestData.Width, [5], 3, batchNorm: true, new Core.SeededRandom(1, "weights"));
        network.AddCrossEntropyGradient(TestData.Rows(8, classes: 3).X, TestData.Rows(8, classes: 3).Y); // moves the statistics away from their start
        var x = TestData.Rows(3, seed: 2).X;
        var statistics = network.Buffers.clone();
        var fisher = Expected(network, x);
        ByHand.Same(statistics, network.Buffers);

        network.Training = false;
        var expected = zeros_like(fisher);
        for (long n = 0; n < 3; n++)
            for (long c = 0; c < 3; c++)
            {
                network.ZeroGradient();
                var log = network.Forward(x.narrow(0, n, 1)).log_softmax(1)[0, c]; // by autograd, not by the network's own backward pass
                log.backward();
                expected += log.detach().exp() * network.Gradient.square() / 3;
            }
        ByHand.Close(expected, fisher, 1e-3, 1e-7);
    }

    [Fact]
    public void Importance_is_gamma_times_the_old_plus_the_new_and_the_anchor_the_weights_at_the_end()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted", o => o with { Steps = 2 });
        var order = stream.Context.Random("batches");
        using var ewc = new OnlineEwc(stream.Setup, new() { Gamma = 0.75, FisherRows = 1000 });
        using var learner = new Learner(stream.Setup, ewc);
        stream.Train(learner, 0, order);
        var first = ByHand.StateOf(ewc, "ewc.importance").clone();
        ByHand.Close(Fisher(0), first);
        stream.Train(learner, 1, order);
        ByHand.Close(0.75 * first + Fisher(1), ByHand.StateOf(ewc, "ewc.importance"));
        ByHand.Same(learner.Network.Parameters, ByHand.StateOf(ewc, "ewc.anchor"));

        Tensor Fisher(int task) => Expected(learner.Network, stream.Tasks[task].Train().X);
    }

    [Fact]
    public void Stronger_anchors_let_the_weights_move_less_and_none_diverges()
    {
        double[] moved = [.. new[] { 0, 10, 1e3, 1e6 }.Select(lambda =>
        {
            using var scope = NewDisposeScope();
            using var stream = new SmallStream("permuted", o => o with { Steps = 2 });
            var order = stream.Context.Random("batches");
            using var learner = new Learner(stream.Setup, new OnlineEwc(stream.Setup, new() { Lambda = lambda }));
            stream.Train(learner, 0, order);
            var before = learner.Network.Parameters.clone();
            stream.Train(learner, 1, order);
            return (learner.Network.Parameters - before).norm().item<float>();
        })];
        Assert.All(moved.Zip(moved.Skip(1)), pair => Assert.True(pair.Second < pair.First, string.Join(", ", moved)));
    }

    [Fact]
    public void The_cost_of_the_Fisher_information_is_counted()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var learner = new Learner(setup, new OnlineEwc(setup, new() { FisherRows = 6 }));
        Assert.Equal(new StepReport(double.NaN, 6 * 5, 6 * 4, 0), learner.EndTask(new(0, [0, 1, 2, 3]), TestData.Rows(20)));
        Assert.Equal(new StepReport(double.NaN, 3 * 5, 3 * 4, 0), learner.EndTask(new(1, [0, 1, 2, 3]), TestData.Rows(3)));
    }

    private static Tensor Expected(Network network, Tensor x) =>
        FisherInformation.Diagonal(network, new(x, zeros(x.shape[0], ScalarType.Int64)), FisherKind.Expected, new(1, "labels"), 8, TestContext.Current.CancellationToken);

    [Fact]
    public void With_labels_of_the_data_it_is_the_mean_square_of_their_gradients_and_the_released_one_weights_them_and_counts_the_last_batch_full()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup(hidden: 5).Network();
        var rows = TestData.Rows(6);
        var p = ByHand.Logits(network, rows.X).softmax(1);
        Tensor empirical = zeros_like(network.Parameters), released = zeros_like(network.Parameters);
        for (int n = 0; n < 6; n++)
        {
            var square = ByHand.Gradient(network, rows.Rows(tensor(new long[] { n }))).square();
            empirical += square / 6;
            released += square * p[n, rows.Y[n].item<long>()] / 8; // two batches of four
        }
        ByHand.Close(empirical, Of(FisherKind.Empirical));
        ByHand.Close(released, Of(FisherKind.Released));
        Assert.Equal(2 * 3.0, OnlineEwc.Strength(3, FisherKind.Released));

        Tensor Of(FisherKind kind) => FisherInformation.Diagonal(network, rows, kind, new(1, "labels"), 4, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Drawn_labels_give_the_exact_information_on_average()
    {
        // Head bias of logistic regression: the square of one draw lies in [0, 1]; by Hoeffding the mean of 4 · 2000 draws is off by 0.05
        // with probability below 2 exp(−2 · 8000 · 0.05²) < 1e-17.
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup().Network();
        var x = TestData.Rows(4).X.repeat(2000, 1);
        var drawn = FisherInformation.Diagonal(network, new(x, zeros(8000, ScalarType.Int64)), FisherKind.Sampled, new(1, "labels"), 8, TestContext.Current.CancellationToken);
        var exact = Expected(network, x.narrow(0, 0, 4));
        Assert.True((drawn - exact).narrow(0, TestData.Width * ByHand.Classes, ByHand.Classes).abs().max().item<float>() < 0.05);
    }
}
