using Winnow.Continual.Tests;
using Winnow.Learning;

[assembly: AssemblyFixture(typeof(OneThread))]

namespace Winnow.Continual.Tests;

/// <summary>Tests run beside each other: each computes with one thread, which is fastest at this size and gives the same sums everywhere.</summary>
public sealed class OneThread
{
    public OneThread() => NativeTorch.SetThreads(1);
}
