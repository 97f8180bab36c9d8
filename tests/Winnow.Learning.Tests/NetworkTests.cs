using System.Text.Json;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Learning.Tests;

public class NetworkTests
{
    private static Network Mlp(ulong seed = 1) => Network.Mlp(6, [5, 4], 3, batchNorm: true, new SeededRandom(seed, "weights"));

    [Fact]
    public void The_same_seed_gives_the_same_training_bit_for_bit()
    {
        float[] Train()
        {
            using var scope = NewDisposeScope();
            using var network = Network.Cnn(1, 8, 8, 4, batchNorm: true, new SeededRandom(5, "weights"));
            var sgd = new Sgd(network, 0.1, 0.9);
            for (int i = 0; i < 20; i++)
            {
                network.ZeroGradient();
                network.AddCrossEntropyGradient(TestData.Uniform(16, 64, (ulong)i), TestData.Labels(16, 4, (ulong)i));
                sgd.Step();
            }
            return [.. network.ParameterValues, .. network.BufferValues];
        }
        Assert.Equal(Train(), Train());
    }

    [Fact]
    public void Training_learns_a_rule()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(8, [32], 2, batchNorm: false, new SeededRandom(3, "weights"));
        var sgd = new Sgd(network, 0.1, 0.9);
        var x = TestData.Uniform(256, 8, 1);
        var labels = (x.select(1, 0) > x.select(1, 1)).to(ScalarType.Int64);
        for (int i = 0; i < 300; i++)
        {
            network.ZeroGradient();
            network.AddCrossEntropyGradient(x, labels);
            sgd.Step();
        }
        using var _ = no_grad();
        Assert.True((network.Forward(x).argmax(1) == labels).to(ScalarType.Float32).mean().ToDouble() > 0.97);
    }

    [Fact]
    public void Initial_weights_are_uniform_within_one_over_the_root_of_the_fan_in()
    {
        using var network = Network.Mlp(64, [100], 10, batchNorm: false, new SeededRandom(1, "weights"));
        var weights = network.ParameterValues[..6400].ToArray().Select(w => (double)w).ToArray();
        Assert.All(weights, w => Assert.InRange(w, -0.125, 0.125));
        // The variance of 6400 uniform draws: 0.125²/3, with a standard error of 1.1%; outside five of them once in two million seeds.
        Assert.InRange(weights.Average(w => w * w) / (0.125 * 0.125 / 3), 0.944, 1.056);
    }

    [Fact]
    public void Modules_cover_the_flat_vectors_without_gaps()
    {
        foreach (Architecture architecture in (Architecture[])[new MlpArchitecture(6, [5, 4], 3, true), new CnnArchitecture(3, 9, 8, 7, true)])
        {
            using var network = Network.Create(architecture, new SeededRandom(1, "weights"));
            int parameters = 0, buffers = 0;
            foreach (var module in network.Modules)
            {
                Assert.Equal(parameters, module.Offset);
                Assert.All(module.Parameters, p => Assert.Equal(parameters, (p.Offset, parameters += p.Length).Offset));
                Assert.All(module.Buffers, b => Assert.Equal(buffers, (b.Offset, buffers += b.Length).Offset));
                Assert.Equal(parameters, module.Offset + module.Length);
            }
            Assert.Equal(network.Parameters.numel(), parameters);
            Assert.Equal(network.Buffers.numel(), buffers);
            Assert.Equal("head", network.Modules[^1].Name);
        }
    }

    [Fact]
    public void Names_are_the_usual_ones()
    {
        using var network = Mlp();
        Assert.Equal(["linear1", "norm1", "linear2", "norm2", "head"], network.Modules.Select(m => m.Name));
        Assert.Equal(["norm1.weight", "norm1.bias"], network.Modules[1].Parameters.Select(p => p.Name));
        Assert.Equal(["norm1.running_mean", "norm1.running_var"], network.Modules[1].Buffers.Select(p => p.Name));
        using var cnn = Network.Cnn(1, 8, 8, 2, batchNorm: false, new SeededRandom(1, "weights"));
        Assert.Equal(["conv1", "conv2", "head"], cnn.Modules.Select(m => m.Name));
    }

    [Fact]
    public void The_flat_vectors_are_the_memory_that_is_used()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        network.Parameters.zero_();
        Assert.Equal(0, network.Forward(TestData.Uniform(2, 6, 1)).abs().sum().ToDouble());
        network.ParameterValues[^1] = 2;
        Assert.Equal(2, network.Forward(TestData.Uniform(1, 6, 1))[0, 2].ToDouble());
    }

    [Fact]
    public void The_head_of_the_features_is_the_forward_pass()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var network = Network.Cnn(1, 8, 8, 4, batchNorm: true, new SeededRandom(5, "weights"));
        network.Training = false;
        var x = TestData.Uniform(3, 64, 1);
        var features = network.Features(x);
        Assert.Equal([3, network.Architecture.Features], features.shape);
        Assert.True(network.Head(features).equal(network.Forward(x)).all().ToBoolean());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Replaced_weights_are_used_and_carry_the_graph(bool image)
    {
        using var scope = NewDisposeScope();
        var random = new SeededRandom(4, "w");
        using var network = image ? Network.Cnn(1, 8, 8, 3, batchNorm: false, random) : Network.Mlp(64, [5], 3, batchNorm: false, random);
        using var other = image ? Network.Cnn(1, 8, 8, 3, batchNorm: false, random) : Network.Mlp(64, [5], 3, batchNorm: false, random);
        var x = TestData.Uniform(6, 64, seed: 2);
        var weights = other.LiveState.ToDictionary(s => s.Key, s => s.Value.detach().clone().requires_grad_(true));
        var logits = network.Forward(x, weights);
        Assert.Equal(other.Forward(x).bytes, logits.bytes);
        Assert.Equal(network.Forward(x).bytes, network.Forward(x, new Dictionary<string, Tensor>()).bytes);
        logits.sum().backward();
        Assert.All(weights.Values, w => Assert.True(w.grad is not null && w.grad.abs().sum().item<float>() >= 0));
        Assert.Contains("no parameter is called", Assert.Throws<ArgumentException>(() => network.Forward(x, new Dictionary<string, Tensor> { ["tail"] = x })).Message, StringComparison.Ordinal);
        Assert.Contains("expected [3]", Assert.Throws<ArgumentException>(() => network.Forward(x, new Dictionary<string, Tensor> { ["head.bias"] = x })).Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Each_module_is_told_its_input(bool image)
    {
        using var scope = NewDisposeScope();
        using var network = image ? Network.Cnn(1, 8, 8, 3, batchNorm: true, new(4, "w")) : Network.Mlp(64, [5, 4], 3, batchNorm: true, new(4, "w"));
        network.Training = false;
        var x = TestData.Uniform(6, 64, seed: 2);
        var inputs = network.ModuleInputs(x);
        Assert.Equal(network.Modules.Count, inputs.Count);
        Assert.Equal(x.bytes, inputs[0].flatten(1).bytes);
        Assert.Equal(network.Features(x).bytes, inputs[^1].bytes);
        Assert.Equal(network.Modules[0].Parameters[0].Shape[0], inputs[1].shape[1]);
    }

    [Fact]
    public void A_clone_is_equal_and_apart()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        TestData.Shake(network, 1);
        network.Modules[1].Training = false;
        using var clone = network.Clone();
        Assert.Equal(network.ParameterValues, clone.ParameterValues);
        Assert.Equal(network.BufferValues, clone.BufferValues);
        Assert.Equal(network.Modules.Select(m => m.Training), clone.Modules.Select(m => m.Training));
        float[] before = network.ParameterValues.ToArray();
        clone.Parameters.add_(1);
        Assert.Equal(before, network.ParameterValues);
    }

    [Fact]
    public void State_goes_through_names_and_comes_back_bit_for_bit()
    {
        using var network = Mlp();
        TestData.Shake(network, 1);
        using var other = Mlp(seed: 2);
        var state = network.State();
        Assert.Contains("norm2.running_var", state.Select(s => s.Name));
        other.Load(state.Reverse());
        Assert.Equal(network.ParameterValues, other.ParameterValues);
        Assert.Equal(network.BufferValues, other.BufferValues);
    }

    [Fact]
    public void State_that_does_not_fit_is_refused_and_changes_nothing()
    {
        using var network = Mlp();
        float[] before = network.ParameterValues.ToArray();
        var state = network.State();
        Assert.Contains("has no linear1.weight", Assert.Throws<ArgumentException>(() => network.Load(state.Skip(1))).Message, StringComparison.Ordinal);
        Assert.Contains("extra", Assert.Throws<ArgumentException>(() => network.Load([.. state, new("extra", [1], [0])])).Message, StringComparison.Ordinal);
        Assert.Contains("linear1.weight has shape [6, 5]; expected [5, 6]",
            Assert.Throws<ArgumentException>(() => network.Load([state[0] with { Shape = [6, 5], Values = new float[30] }, .. state.Skip(1)])).Message, StringComparison.Ordinal);
        Assert.Equal(before, network.ParameterValues);
    }

    [Fact]
    public void An_architecture_goes_through_json()
    {
        Architecture architecture = new CnnArchitecture(3, 32, 32, 10, true);
        Assert.Equal(architecture.ToString(), JsonSerializer.Deserialize<Architecture>(JsonSerializer.Serialize(architecture))!.ToString());
        Architecture mlp = new MlpArchitecture(4, [3, 2], 2, false);
        var back = Assert.IsType<MlpArchitecture>(JsonSerializer.Deserialize<Architecture>(JsonSerializer.Serialize(mlp)));
        Assert.Equal([3, 2], back.Hidden);
    }

    [Fact]
    public void A_module_out_of_training_keeps_its_statistics()
    {
        using var scope = NewDisposeScope();
        using var network = Mlp();
        var frozen = network.Modules[1];
        frozen.Training = false;
        float[] before = network.BufferValues.ToArray();
        network.AddCrossEntropyGradient(TestData.Uniform(8, 6, 1), TestData.Labels(8, 3, 1));
        int length = frozen.Buffers.Sum(b => b.Length);
        Assert.Equal(before.AsSpan(0, length), network.BufferValues[..length]);
        Assert.False(before.AsSpan(length).SequenceEqual(network.BufferValues[length..]));
    }

    [Fact]
    public void Sizes_that_no_network_has_are_refused()
    {
        var random = new SeededRandom(1, "weights");
        Assert.Throws<ArgumentOutOfRangeException>(() => Network.Mlp(0, [], 2, false, random));
        Assert.Throws<ArgumentOutOfRangeException>(() => Network.Mlp(2, [0], 2, false, random));
        Assert.Throws<ArgumentOutOfRangeException>(() => Network.Mlp(2, [2], 0, false, random));
        Assert.Throws<ArgumentOutOfRangeException>(() => Network.Cnn(1, 3, 8, 2, false, random));
        Assert.Throws<ArgumentOutOfRangeException>(() => Network.Cnn(0, 8, 8, 2, false, random));
    }

    [Fact]
    public void A_hundred_steps_leave_no_tensor_behind()
    {
        var statistics = DisposeScopeManager.Statistics;
        using (var outer = NewDisposeScope())
        {
            var x = TestData.Uniform(8, 64, 1);
            var labels = TestData.Labels(8, 3, 1);
            using var network = Network.Cnn(1, 8, 8, 3, batchNorm: true, new SeededRandom(1, "weights"));
            var sgd = new Sgd(network, 0.01);
            void Step()
            {
                network.ZeroGradient();
                network.AddCrossEntropyGradient(x, labels);
                network.AddGradient(x, logits => logits.square().mean());
                sgd.Step();
                using var _ = no_grad();
                network.Forward(x).Dispose();
            }
            Step();
            long live = statistics.ThreadTotalLiveCount;
            for (int i = 0; i < 100; i++)
                Step();
            Assert.Equal(live, statistics.ThreadTotalLiveCount);
        }
    }

    [Fact]
    public void Disposing_frees_every_tensor_of_the_network()
    {
        NativeTorch.Require();
        var statistics = DisposeScopeManager.Statistics;
        long live = statistics.ThreadTotalLiveCount;
        Mlp().Dispose();
        Assert.Equal(live, statistics.ThreadTotalLiveCount);
    }
}
