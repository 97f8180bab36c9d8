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
}
