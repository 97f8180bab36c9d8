using Winnow.Learning;

[assembly: AssemblyFixture(typeof(Winnow.Golden.Tests.OneThread))]

namespace Winnow.Golden.Tests;

/// <summary>Finds libtorch before any test calls it, and makes sums the same on every machine.</summary>
public sealed class OneThread
{
    public OneThread() => NativeTorch.SetThreads(1);
}
