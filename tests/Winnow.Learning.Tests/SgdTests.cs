using Winnow.Core;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Learning.Tests;

public class SgdTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.9, 0)]
    [InlineData(0, 0.01)]
    [InlineData(0.9, 0.01)]
    public void Steps_equal_PyTorchs_optimiser(double momentum, double weightDecay)
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(6, [5], 3, batchNorm: false, new SeededRandom(1, "weights"));
        var x = TestData.Uniform(8, 6, seed: 2);
        var labels = TestData.Labels(8, 3, seed: 3);
        using var linear1 = nn.Linear(6, 5);
        using var head = nn.Linear(5, 3);
        using (no_grad())
        {
            foreach (var (module, target) in network.Modules.Zip((TorchSharp.Modules.Linear[])[linear1, head]))
            {
                target.weight.copy_(network.Parameters.narrow(0, module.Parameters[0].Offset, module.Parameters[0].Length).view(target.weight.shape));
                target.bias!.copy_(network.Parameters.narrow(0, module.Parameters[1].Offset, module.Parameters[1].Length));
            }
        }
        using var reference = optim.SGD(linear1.parameters().Concat(head.parameters()), 0.1, momentum, weight_decay: weightDecay);
        var sgd = new Sgd(network, 0.1, momentum, weightDecay);
        for (int i = 0; i < 20; i++)
        {
            reference.zero_grad();
            F.cross_entropy(head.forward(linear1.forward(x).relu()), labels).backward();
            reference.step();
            network.ZeroGradient();
            network.AddCrossEntropyGradient(x, labels);
            sgd.Step();
        }
        var expected = cat([linear1.weight.flatten(), linear1.bias!, head.weight.flatten(), head.bias!]);
        Assert.True(network.Parameters.allclose(expected, rtol: 1e-5, atol: 1e-6));
    }

    [Fact]
    public void Frozen_parameters_keep_their_bytes_whatever_the_gradient()
    {
        using var network = Network.Mlp(3, [4], 2, batchNorm: false, new SeededRandom(1, "weights"));
        var sgd = new Sgd(network, 0.1, momentum: 0.9, weightDecay: 0.1);
        var frozen = network.Modules[0];
        sgd.SetFactor(frozen, 0);
        float[] before = network.ParameterValues.ToArray();
        network.GradientValues.Fill(float.NaN);
        network.GradientValues[frozen.Length..].Fill(1);
        sgd.Step();
        Assert.Equal(before.AsSpan(0, frozen.Length), network.ParameterValues[..frozen.Length]);
        Assert.All(Enumerable.Range(frozen.Length, before.Length - frozen.Length), i => Assert.NotEqual(before[i], network.ParameterValues[i]));
    }

    [Fact]
    public void A_factor_scales_the_step()
    {
        using var network = Network.Mlp(2, [], 2, batchNorm: false, new SeededRandom(1, "weights"));
        network.ParameterValues.Clear();
        network.GradientValues.Fill(1);
        var sgd = new Sgd(network, 0.5);
        sgd.SetFactor(1, 2, 0.5);
        sgd.Step();
        Assert.Equal([-0.5f, -0.25f, -0.25f, -0.5f, -0.5f, -0.5f], network.ParameterValues.ToArray());
        sgd.SetFactors([0, 0, 1, 1, 1, 2]);
        sgd.Step();
        Assert.Equal([-0.5f, -0.25f, -0.75f, -1, -1, -1.5f], network.ParameterValues.ToArray());
        Assert.Throws<ArgumentException>(() => sgd.SetFactors([1]));
    }

    [Fact]
    public void Reset_forgets_the_momentum()
    {
        using var network = Network.Mlp(1, [], 1, batchNorm: false, new SeededRandom(1, "weights"));
        var sgd = new Sgd(network, 1, momentum: 0.5);
        network.GradientValues.Fill(1);
        sgd.Step();
        sgd.Reset();
        network.ParameterValues.Clear();
        sgd.Step();
        Assert.Equal([-1, -1], network.ParameterValues.ToArray());
    }
}
