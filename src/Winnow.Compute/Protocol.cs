using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Compute;

/// <summary>
/// How every method is measured: first its answer is compared with the reference, and a method that is too far from it is given no time;
/// then it runs some times for nothing and some times for the clock.
/// </summary>
internal static class Protocol
{
    /// <summary>The metrics every trial reports; the first decides the ranking.</summary>
    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("seconds", "time", "seconds", Better.Lower, "median over the measured runs of the wall time of one run, after warm-up, with the threads of the trial"),
        new("scratch_bytes", "scratch", "bytes", Better.Lower, "peak of the temporary memory beyond problem and answer, counted by the allocator that all of it goes through"),
        new("error", "error", "", Better.Lower, "relative distance of the answer from the reference in the problem's norm; beyond task.tolerance the trial fails"),
        new("flops", "operations", "", Better.Lower, "floating-point operations of one run, counted by the method; of an iterative solver estimated from its products"),
        new("traffic_bytes", "traffic", "bytes", Better.Lower, "bytes between memory and processor of one run if a tile stays in the cache, counted by the method"),
        new("intensity", "intensity", "flop/byte", Better.Higher, "flops / traffic_bytes: the place on the roofline"),
        new("gflops", "speed", "Gflop/s", Better.Higher, "flops / seconds / 10⁹"),
    ];

    public static Dictionary<string, double> Measure<TProblem, TAnswer>(IComputeMethod<TProblem, TAnswer> method, TProblem problem, Func<TProblem, CancellationToken, TAnswer> reference,
        Func<TAnswer, TAnswer, double> errorOf, ComputeOptions options, int threads, TrialContext context, TimeProvider clock)
    {
        context.Progress(0, "reference");
        var truth = reference(problem, context.Cancellation);
        context.Progress(0.2, "accuracy");
        var (first, answer) = Run();
        double error = errorOf(answer, truth);
        if (!(error <= options.Tolerance))
            throw InputException.At("accuracy", FormattableString.Invariant($"a relative error of {error:G3}"), FormattableString.Invariant($"at most {options.Tolerance:G3} (task.tolerance)"), "A faster answer that is wrong is not compared: choose exact options, or say with --set task.tolerance=… that this is near enough.");
        for (int i = 0; i < options.WarmUps; i++)
            Run();
        var seconds = new double[options.Repeats];
        for (int i = 0; i < seconds.Length; i++)
        {
            context.Progress(0.3 + 0.7 * i / seconds.Length, "measuring");
            long start = clock.GetTimestamp();
            Run();
            seconds[i] = clock.GetElapsedTime(start).TotalSeconds;
            context.Metric("run_seconds", seconds[i], i + 1);
        }
        Array.Sort(seconds);
        double median = (seconds[(seconds.Length - 1) / 2] + seconds[seconds.Length / 2]) / 2;
        var metrics = new Dictionary<string, double>
        {
            ["seconds"] = median,
            ["scratch_bytes"] = first.Scratch.PeakBytes,
            ["error"] = error,
            ["flops"] = first.Work.Flops,
            ["traffic_bytes"] = first.Work.Bytes,
            ["intensity"] = first.Work.Bytes > 0 ? first.Work.Flops / first.Work.Bytes : double.NaN,
            ["gflops"] = first.Work.Flops / median / 1e9,
        };
        foreach (var (name, value) in first.Work.Counters)
            metrics[name] = value;
        var roof = Roofline.Measure(threads, clock, context.Cancellation);
        context.Metric("roof/bytes_per_second", roof.BytesPerSecond, 1);
        context.Metric("roof/flops_per_second", roof.FlopsPerSecond, 1);
        return metrics;

        (ComputeContext Context, TAnswer Answer) Run()
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var each = new ComputeContext(threads, new Scratch(options.ScratchMegabytes is { } most ? (long)(most * 1e6) : long.MaxValue), context.Cancellation);
            try
            {
                var answer = method.Run(problem, each);
                return each.Scratch.LiveBytes == 0 ? (each, answer) : throw new InvalidOperationException($"{each.Scratch.LiveBytes} bytes of scratch memory were not given back.");
            }
            catch (ScratchLimitException e)
            {
                if (each.Scratch.LiveBytes == 0)
                    throw;
                throw new InvalidOperationException($"{each.Scratch.LiveBytes} bytes of scratch memory were not given back when the limit was met.", e);
            }
        }
    }
}
