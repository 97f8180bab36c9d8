using System.Runtime.CompilerServices;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

/// <summary>Rows for tests.</summary>
internal static class Rows
{
    [ModuleInitializer]
    public static void Load() => NativeTorch.Require();

    public static Tensor Normal(int n, int d, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "rows");
        return tensor([.. Enumerable.Range(0, n * d).Select(_ => random.NextNormal())], [n, d]);
    }

    /// <summary>Rows around a centre for each class.</summary>
    public static TrainingRows Clusters(int n, int d, int classes, ulong seed = 1, bool names = false, double spread = 0.6)
    {
        var random = new SeededRandom(seed, "clusters");
        double[] centres = [.. Enumerable.Range(0, classes * d).Select(_ => 2 * new SeededRandom(99, $"centre {_}").NextNormal())];
        int[] labels = [.. Enumerable.Range(0, n).Select(i => i % classes)];
        var x = tensor([.. Enumerable.Range(0, n * d).Select(i => centres[labels[i / d] * d + i % d] + spread * random.NextNormal())], [n, d]);
        return new(x, labels, classes) { Names = names ? tensor(centres, [classes, d]) : null };
    }

    public static double[] Values(Tensor x) => x.contiguous().data<double>().ToArray();

    /// <summary>No tensor outlives what is done.</summary>
    public static void LeaveNothing(Action done)
    {
        Once();
        long live = TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Once();
        Assert.Equal(live, TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Once()
        {
            using var scope = NewDisposeScope();
            done();
        }
    }

    public static void Close(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange((expected - actual).abs().max().item<double>(), 0, tolerance);
    }
}
