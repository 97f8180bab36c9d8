using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Learning.Tests;

public sealed class AdamTests
{
    [Fact]
    public void Steps_are_those_of_libtorch_and_begin_anew_after_a_reset()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(6, [5], 3, batchNorm: false, new SeededRandom(1, "weights"));
        using var adam = new Adam(network, 0.01);
        var random = new SeededRandom(2, "gradients");
        for (int run = 0; run < 2; run++)
        {
            var twin = nn.Parameter(network.Parameters.clone());
            var reference = optim.Adam([twin], 0.01);
            for (int step = 0; step < 20; step++)
            {
                foreach (ref float g in network.GradientValues)
                    g = (float)random.NextNormal();
                twin.grad = network.Gradient.clone();
                reference.step();
                adam.Step();
            }
            Assert.True(network.Parameters.allclose(twin, rtol: 1e-5, atol: 1e-6), $"{(network.Parameters - twin).abs().max().item<float>()}");
            adam.Reset();
        }
    }

    [Fact]
    public void A_parameter_without_gradient_keeps_its_bytes()
    {
        using var network = Network.Mlp(6, [5], 3, batchNorm: false, new SeededRandom(1, "weights"));
        using var adam = new Adam(network, 0.5);
        float[] before = network.ParameterValues.ToArray();
        network.GradientValues[3] = 1;
        adam.Step();
        Assert.Equal([3], Enumerable.Range(0, before.Length).Where(i => before[i] != network.ParameterValues[i]));
    }
}
