using System.Numerics;

namespace Winnow.Compute;

/// <summary>What the machine can do at most, measured: nothing can be above the lower of the two roofs.</summary>
/// <param name="BytesPerSecond">Memory read and written while a block larger than the caches is copied.</param>
/// <param name="FlopsPerSecond">float32 multiplications and additions of independent fused operations in registers.</param>
public readonly record struct Roofline(double BytesPerSecond, double FlopsPerSecond)
{
    private const int CopyBytes = 64 << 20, Rounds = 5, Operations = 1 << 22;

    /// <summary>The speed that an arithmetic intensity allows, in operations a second.</summary>
    /// <param name="intensity">Operations a byte.</param>
    public double At(double intensity) => Math.Min(FlopsPerSecond, intensity * BytesPerSecond);

    /// <summary>Measures this machine: the best of a few rounds, about a third of a second in all.</summary>
    /// <param name="threads">Threads at work.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="cancellation">Stops it.</param>
    public static Roofline Measure(int threads, TimeProvider clock, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        byte[][] from = [.. Enumerable.Range(0, threads).Select(_ => new byte[CopyBytes / threads])], to = [.. from.Select(f => new byte[f.Length])];
        double bandwidth = 0, peak = 0;
        for (int round = 0; round <= Rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            double copied = Time(i => from[i].CopyTo(to[i], 0)), computed = Time(_ => Multiply());
            if (round == 0) // pages and code are loaded
                continue;
            bandwidth = Math.Max(bandwidth, 2.0 * CopyBytes / copied);
            peak = Math.Max(peak, 2.0 * 12 * Vector<float>.Count * Operations * threads / computed);
        }
        return new(bandwidth, peak);

        double Time(Action<int> work)
        {
            long start = clock.GetTimestamp();
            if (threads == 1)
                work(0);
            else
                Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, work);
            return clock.GetElapsedTime(start).TotalSeconds;
        }
    }

    /// <summary>Twelve independent chains: enough to hide the latency of a fused operation on every processor of today.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static float Multiply()
    {
        Vector<float> a0 = new(1), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0, a11 = a0, x = new(0.999f), y = new(0.001f);
        for (int i = 0; i < Operations; i++)
        {
            a0 = Vector.FusedMultiplyAdd(a0, x, y);
            a1 = Vector.FusedMultiplyAdd(a1, x, y);
            a2 = Vector.FusedMultiplyAdd(a2, x, y);
            a3 = Vector.FusedMultiplyAdd(a3, x, y);
            a4 = Vector.FusedMultiplyAdd(a4, x, y);
            a5 = Vector.FusedMultiplyAdd(a5, x, y);
            a6 = Vector.FusedMultiplyAdd(a6, x, y);
            a7 = Vector.FusedMultiplyAdd(a7, x, y);
            a8 = Vector.FusedMultiplyAdd(a8, x, y);
            a9 = Vector.FusedMultiplyAdd(a9, x, y);
            a10 = Vector.FusedMultiplyAdd(a10, x, y);
            a11 = Vector.FusedMultiplyAdd(a11, x, y);
        }
        return Vector.Sum(a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11);
    }
}
