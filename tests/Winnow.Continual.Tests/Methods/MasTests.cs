using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class MasTests
{
    private static readonly ContinualThesisOptions Options = new() { Technique = ThesisTechnique.Mas };

    private static Tensor Importance(Network network, Tensor x, MasImportance rule, int batch = 1) => Mas.Importance(network, x, rule, batch, TestContext.Current.CancellationToken);

    [Theory, InlineData("permuted"), InlineData("class-incremental")]
    public void With_lambda_0_it_is_fine_tuning_to_the_bit(string task)
    {
        using var stream = new SmallStream(task);
        ByHand.EqualsFineTuning(stream, new Mas(stream.Setup, Options with { Lambda = 0 }));
    }

    [Fact]
    public void The_importance_of_a_linear_model_is_twice_the_output_times_the_input()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup().Network();
        var x = TestData.Rows(9).X;
        var f = ByHand.Logits(network, x).abs();
        ByHand.Close(cat([(2 * f.T.matmul(x.abs()) / 9).flatten(), 2 * f.mean([0L])]), Importance(network, x, MasImportance.Paper), 1e-4, 1e-6);
    }

    [Fact]
    public void The_released_importance_is_the_papers_for_batches_of_one_row_and_never_larger()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup(hidden: 7).Network();
        var x = TestData.Rows(10).X;
        var paper = Importance(network, x, MasImportance.Paper);
        ByHand.Same(paper, Importance(network, x, MasImportance.Released, batch: 1));
        var released = Importance(network, x, MasImportance.Released, batch: 4);
        Assert.True((released <= paper + 1e-5).all().item<bool>());
        Assert.True((released < 0.9 * paper).any().item<bool>());
    }

    [Fact]
    public void The_local_importance_is_the_mean_product_of_the_activations_on_both_sides()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(TestData.Width, [5, 6], 3, batchNorm: true, new SeededRandom(1, "weights"));
        network.AddCrossEntropyGradient(TestData.Rows(8, classes: 3).X, TestData.Rows(8, classes: 3).Y); // moves the statistics away from their start
        var x = TestData.Rows(4, seed: 2).X;
        var actual = Importance(network, x, MasImportance.Local);

        network.Training = false;
        var inputs = network.ModuleInputs(x);
        (Tensor In, Tensor Out)[] linear = [(inputs[0], inputs[2]), (inputs[2], inputs[4]), (inputs[4], network.Head(inputs[4]))];
        int[] position = [0, 2, 4];
        for (int l = 0; l < 3; l++)
        {
            var (weight, bias) = (network.Modules[position[l]].Parameters[0], network.Modules[position[l]].Parameters[1]);
            for (int o = 0; o < weight.Shape[0]; o++)
            {
                double outer = 0;
                for (int n = 0; n < 4; n++)
                    outer += Math.Abs(linear[l].Out[n, o].item<float>()) / 4;
                Assert.Equal(outer, actual[bias.Offset + o].item<float>(), 1e-5);
                for (int i = 0; i < weight.Shape[1]; i++)
                {
                    double product = 0;
                    for (int n = 0; n < 4; n++)
                        product += Math.Abs((double)linear[l].Out[n, o].item<float>() * linear[l].In[n, i].item<float>()) / 4;
                    Assert.Equal(product, actual[weight.Offset + o * (int)weight.Shape[1] + i].item<float>(), 1e-4);
                }
            }
        }
        var scale = network.Modules[1].Parameters[0];
        var normalised = (inputs[1] - network.Buffers.narrow(0, 0, 5)) / (network.Buffers.narrow(0, 5, 5) + 1e-5).sqrt();
        ByHand.Close((normalised * inputs[2]).abs().mean([0L]), actual.narrow(0, scale.Offset, scale.Length), 1e-4, 1e-6);
    }

    [Theory, InlineData(MasImportance.Paper), InlineData(MasImportance.Released), InlineData(MasImportance.Local)]
    public void Importance_adds_up_over_tasks_needs_no_labels_and_leaves_the_statistics_alone(MasImportance rule)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted", o => o with { BatchNorm = true });
        using var mas = new Mas(stream.Setup, Options with { Importance = rule, ImportanceBatch = 4 });
        using var learner = new Learner(stream.Setup, mas);
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        var first = ByHand.StateOf(mas, "mas.importance").clone();
        var statistics = learner.Network.Buffers.clone();
        var rows = TestData.Rows(20);
        learner.EndTask(stream.Tasks[1].Info, rows with { Y = zeros_like(rows.Y) });
        ByHand.Close(first + Importance(learner.Network, rows.X, rule, 4), ByHand.StateOf(mas, "mas.importance"));
        ByHand.Same(learner.Network.Parameters, ByHand.StateOf(mas, "mas.anchor"));
        ByHand.Same(statistics, learner.Network.Buffers);
    }

    [Theory, InlineData(AnchorStep.Implicit), InlineData(AnchorStep.Explicit)]
    public void An_anchor_of_immense_strength_freezes_the_weights_with_implicit_steps_and_diverges_with_explicit_ones(AnchorStep step)
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var learner = new Learner(setup, new Mas(setup, Options with { Lambda = 1e6, AnchorStep = step }));
        learner.EndTask(new(0, [0]), TestData.Rows(20));
        var before = learner.Network.Parameters.clone();
        for (ulong i = 0; i < 20; i++)
            learner.Observe(TestData.Rows(8, seed: i));
        double moved = (learner.Network.Parameters - before).abs().max().item<float>();
        Assert.True(step == AnchorStep.Implicit ? moved < 1e-5 : !(moved < 1e3), FormattableString.Invariant($"moved by {moved}"));
    }

    [Fact]
    public void The_explicit_step_is_the_gradient_of_loss_and_penalty()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 5);
        using var mas = new Mas(setup, Options with { Lambda = 0.3, AnchorStep = AnchorStep.Explicit });
        using var learner = new Learner(setup, mas);
        learner.EndTask(new(0, [0]), TestData.Rows(20));
        learner.Observe(TestData.Rows(8, seed: 2));
        var at = learner.Network.Parameters.clone();
        var rows = TestData.Rows(8, seed: 3);
        var expected = at - ByHand.Rate * (ByHand.Gradient(learner.Network, rows) + 2 * 0.3 * ByHand.StateOf(mas, "mas.importance") * (at - ByHand.StateOf(mas, "mas.anchor")));
        learner.Observe(rows);
        ByHand.Close(expected, learner.Network.Parameters);
    }

    [Fact]
    public void What_has_no_importance_is_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        var convolutions = ByHand.Setup() with { Network = () => Network.Cnn(1, 4, 4, 4, batchNorm: false, new SeededRandom(1, "weights")) };
        Assert.Contains("convolution", Assert.Throws<ArgumentException>(() => new Mas(convolutions, Options with { Importance = MasImportance.Local }).Dispose()).Message, StringComparison.Ordinal);
        using var penalty = new QuadraticPenalty(5);
        using var network = ByHand.Setup().Network();
        Assert.Contains("5 weights", Assert.Throws<ArgumentException>(() => penalty.Apply(network, 1, 0)).Message, StringComparison.Ordinal);
    }
}
