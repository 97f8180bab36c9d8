using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class SelflessSparsityTests
{
    private static readonly ContinualThesisOptions Options = new() { Technique = ThesisTechnique.Ssl, Sparsity = 0.01 };

    private static Tensor Activations(int rows, int neurons) => TestData.Rows(rows, neurons).X.relu().to_type(ScalarType.Float64);

    private static Tensor Importance(int neurons) => TestData.Rows(1, neurons, seed: 3).X.abs().flatten().to_type(ScalarType.Float64);

    [Theory, InlineData(SparsityDiscount.Paper), InlineData(SparsityDiscount.Released)]
    public void Neurons_that_are_never_active_together_do_not_inhibit_each_other(SparsityDiscount discount)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(0, SelflessSparsity.Penalty(eye(5), ones(5), 4, discount).item<float>());
    }

    [Theory, InlineData(SparsityDiscount.Paper), InlineData(SparsityDiscount.Released)]
    public void The_penalty_is_its_double_sum(SparsityDiscount discount)
    {
        using var scope = NewDisposeScope();
        var (a, alpha) = (Activations(6, 5), Importance(5));
        double expected = 0;
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 5; j++)
            {
                double together = 0, sigma = 5 / 3.0, ai = alpha[i].item<double>(), aj = alpha[j].item<double>();
                for (int n = 0; n < 6; n++)
                    together += a[n, i].item<double>() * a[n, j].item<double>() / 6;
                double spared = discount == SparsityDiscount.Paper ? Math.Exp(-(ai + aj)) : Math.Min(Math.Exp(-ai), Math.Exp(-aj));
                expected += i == j ? 0 : spared * Math.Exp(-(i - j) * (i - j) / (2 * sigma * sigma)) * Math.Abs(together);
            }
        Assert.Equal(expected, SelflessSparsity.Penalty(a, alpha, 3, discount).item<double>(), 1e-12);
    }

    [Fact]
    public void Neurons_that_earlier_tasks_need_without_end_are_not_inhibited()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(0, SelflessSparsity.Penalty(Activations(6, 5), full(5, 1e4, ScalarType.Float64), 4, SparsityDiscount.Paper).item<double>());
        Assert.Equal(SelflessSparsity.Penalty(Activations(6, 5), null, 4, SparsityDiscount.Paper).item<double>(), SelflessSparsity.Penalty(Activations(6, 5), zeros(5, ScalarType.Float64), 4, SparsityDiscount.Paper).item<double>(), 1e-12);
    }

    [Theory, InlineData(SparsityDiscount.Paper), InlineData(SparsityDiscount.Released)]
    public void The_gradient_of_the_penalty_equals_finite_differences(SparsityDiscount discount)
    {
        using var scope = NewDisposeScope();
        var (a, alpha) = (Activations(4, 5) + 0.1, Importance(5)); // away from 0, where |C| has a corner
        a.requires_grad_(true);
        SelflessSparsity.Penalty(a, alpha, 4, discount).backward();
        using var _ = no_grad();
        const double h = 1e-5;
        for (int n = 0; n < 4; n++)
            for (int i = 0; i < 5; i++)
            {
                double Moved(double by)
                {
                    var moved = a.detach().clone();
                    moved[n, i] += by;
                    return SelflessSparsity.Penalty(moved, alpha, 4, discount).item<double>();
                }
                Assert.Equal((Moved(h) - Moved(-h)) / (2 * h), a.grad![n, i].item<double>(), 1e-8); // R is quadratic in one activation: only rounding, about 1e-16 / h
            }
    }

    [Theory, InlineData("permuted"), InlineData("class-incremental")]
    public void With_strength_0_it_is_fine_tuning_to_the_bit(string task)
    {
        using var stream = new SmallStream(task);
        ByHand.EqualsFineTuning(stream, new SelflessSparsity(stream.Setup, Options with { Sparsity = 0 }));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_step_adds_the_penaltys_gradient_of_every_hidden_layer_and_counts_the_statistics_once(bool batchNorm)
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup() with { Network = () => Network.Mlp(TestData.Width, [5, 6], 4, batchNorm, new SeededRandom(1, "weights")) };
        using var naive = new Learner(setup);
        using var learner = new Learner(setup, new SelflessSparsity(setup, Options with { Sparsity = 0.5 }));
        var rows = TestData.Rows(8);
        var start = naive.Network.Parameters.clone();
        naive.Observe(rows);
        learner.Observe(rows);
        ByHand.Same(naive.Network.Buffers, learner.Network.Buffers);

        var actual = (naive.Network.Parameters - learner.Network.Parameters) / ByHand.Rate; // what the penalty added to the gradient
        using var network = setup.Network();
        foreach (int p in Enumerable.Range(0, 40).Select(i => i * (int)start.numel() / 40))
        {
            double Moved(float by)
            {
                start.Values<float>().CopyTo(network.ParameterValues);
                network.ParameterValues[p] += by;
                using var _ = no_grad();
                network.Training = true;
                var inputs = network.ModuleInputs(rows.X);
                return (batchNorm ? new[] { 2, 4 } : [1, 2]).Sum(l => 0.5 * SelflessSparsity.Penalty(inputs[l].to_type(ScalarType.Float64), zeros(inputs[l].shape[1], ScalarType.Float64), 4, SparsityDiscount.Paper).item<double>());
            }
            Assert.Equal((Moved(1e-3f) - Moved(-1e-3f)) / 2e-3, actual[p].item<float>(), 5e-3); // float32 forward passes, corners of ReLU
        }
    }

    [Fact]
    public void The_importance_of_a_neuron_is_the_mean_absolute_derivative_of_the_squared_answer()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(TestData.Width, [5, 6], 4, batchNorm: false, new SeededRandom(1, "weights"));
        var x = TestData.Rows(7).X;
        var importance = SelflessSparsity.NeuronImportance(network, x, TestContext.Current.CancellationToken);

        Tensor View(int m, int p) => network.Parameters.narrow(0, network.Modules[m].Parameters[p].Offset, network.Modules[m].Parameters[p].Length).view([.. network.Modules[m].Parameters[p].Shape]);
        var first = network.ModuleInputs(x)[1].detach().requires_grad_(true);
        var second = (first.mm(View(1, 0).T) + View(1, 1)).relu();
        second.retain_grad();
        (second.mm(View(2, 0).T) + View(2, 1)).square().sum().backward();
        ByHand.Close(first.grad!.abs().mean([0L]), importance[0], 1e-4, 1e-6);
        ByHand.Close(second.grad!.abs().mean([0L]), importance[1], 1e-4, 1e-6);
    }

    [Fact]
    public void Importance_that_does_not_fit_the_neurons_is_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("one value for each neuron", Assert.Throws<ArgumentException>(() => SelflessSparsity.Penalty(ones(3, 4), ones(5), 4, SparsityDiscount.Paper)).Message, StringComparison.Ordinal);
    }
}
