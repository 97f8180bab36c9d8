using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Learning.Tests;

/// <summary>The written-out passes against the graph's: two implementations that share no code.</summary>
public class BackpropagationTests
{
    public static TheoryData<Architecture, int, bool> Cases()
    {
        var data = new TheoryData<Architecture, int, bool>();
        Architecture[] architectures =
        [
            new MlpArchitecture(64, [100, 100], 10, false), new MlpArchitecture(64, [100, 100], 10, true),
            new MlpArchitecture(7, [], 3, false), new MlpArchitecture(5, [13], 2, true), new MlpArchitecture(1, [1], 1, false),
            new CnnArchitecture(1, 8, 8, 10, false), new CnnArchitecture(1, 8, 8, 10, true),
            new CnnArchitecture(3, 32, 32, 10, true), new CnnArchitecture(3, 7, 9, 5, true), new CnnArchitecture(2, 14, 10, 3, false), new CnnArchitecture(1, 4, 4, 2, true),
            new MlpArchitecture(7, [13], 5, true) { Cosine = new(13, Projected: false) }, new MlpArchitecture(7, [13, 9], 5, false) { Cosine = new(4, Projected: true) },
            new MlpArchitecture(6, [], 3, false) { Cosine = new(6, Projected: false) }, new MlpArchitecture(6, [], 3, false) { Cosine = new(8, Projected: true) },
            new CnnArchitecture(1, 8, 8, 10, true) { Cosine = new(128, Projected: false) }, new CnnArchitecture(2, 4, 6, 3, false) { Cosine = new(7, Projected: true) },
        ];
        foreach (var architecture in architectures)
        {
            foreach (int batch in (int[])[1, 5, 32])
            {
                data.Add(architecture, batch, true);
                if (architecture.BatchNorm)
                    data.Add(architecture, batch, false);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Equals_the_graph(Architecture architecture, int batch, bool training)
    {
        using var scope = NewDisposeScope();
        using var network = Network.Create(architecture, new SeededRandom(7, "weights"));
        TestData.Shake(network, seed: 11);
        network.Training = training;
        using var graph = network.Clone();
        // A larger batch first, so that what it leaves in the workspace would be noticed.
        network.AddCrossEntropyGradient(TestData.Uniform(batch + 3, architecture.Inputs, 1), TestData.Labels(batch + 3, architecture.Outputs, 2));
        graph.Forward(TestData.Uniform(batch + 3, architecture.Inputs, 1)).Dispose();
        network.ZeroGradient();

        var x = TestData.Uniform(batch, architecture.Inputs, 3);
        var labels = TestData.Labels(batch, architecture.Outputs, 4);
        double loss = network.AddCrossEntropyGradient(x, labels);
        var expected = F.cross_entropy(graph.Forward(x), labels);
        expected.backward();

        Assert.Equal(expected.ToDouble(), loss, 1e-5);
        Near(graph.GradientValues, network.GradientValues);
        Near(graph.BufferValues, network.BufferValues);
    }

    [Fact]
    public void Any_loss_on_the_logits_equals_the_graph()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(6, [9], 4, batchNorm: true, new SeededRandom(7, "weights"));
        using var graph = network.Clone();
        var x = TestData.Uniform(10, 6, 3);
        var target = TestData.Uniform(10, 4, 4);
        Tensor Loss(Tensor logits) => F.mse_loss(logits, target) + logits.logsumexp(1).mean();
        double loss = network.AddGradient(x, Loss);
        var expected = Loss(graph.Forward(x));
        expected.backward();
        Assert.Equal(expected.ToDouble(), loss, 1e-5);
        Near(graph.GradientValues, network.GradientValues);
    }

    [Fact]
    public void A_gradient_inside_a_loss_is_refused()
    {
        using var network = Network.Mlp(2, [], 2, false, new SeededRandom(1, "weights"));
        using var x = TestData.Uniform(3, 2, 1);
        Assert.Throws<InvalidOperationException>(() => network.AddGradient(x, logits =>
        {
            network.AddGradient(x, inner => inner.sum());
            return logits.sum();
        }));
        network.AddGradient(x, logits => logits.sum());
    }

    [Fact]
    public void A_label_that_is_no_class_is_refused()
    {
        using var network = Network.Mlp(2, [], 2, false, new SeededRandom(1, "weights"));
        using var x = TestData.Uniform(1, 2, 1);
        using var labels = tensor([2L]);
        Assert.Contains("label 2 in row 0", Assert.Throws<ArgumentException>(() => network.AddCrossEntropyGradient(x, labels)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_of_another_width_or_type_are_refused()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(2, [], 2, false, new SeededRandom(1, "weights"));
        Assert.Throws<ArgumentException>(() => network.AddCrossEntropyGradient(ones(1, 3), tensor([0L])));
        Assert.Throws<ArgumentException>(() => network.AddCrossEntropyGradient(ones([1, 2], ScalarType.Float64), tensor([0L])));
        Assert.Throws<ArgumentException>(() => network.AddCrossEntropyGradient(ones(2, 2), tensor([0L])));
    }

    [Fact]
    public void Rows_need_not_be_contiguous()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(6, [5], 3, false, new SeededRandom(7, "weights"));
        var x = TestData.Uniform(6, 4, 3);
        var labels = TestData.Labels(4, 3, 4);
        double strided = network.AddCrossEntropyGradient(x.t(), labels);
        Assert.Equal(network.AddCrossEntropyGradient(x.t().contiguous(), labels), strided);
    }

    private static void Near(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MathF.Abs(expected[i] - actual[i]) <= 1e-5f * MathF.Max(1, MathF.Abs(expected[i])), $"element {i}: expected {expected[i]}, got {actual[i]}");
    }
}
