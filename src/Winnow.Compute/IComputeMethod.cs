using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Compute;

/// <summary>A way to compute something; what it computes is in <see cref="IComputeMethod{TProblem, TAnswer}"/>.</summary>
public interface IComputeMethod;

/// <summary>One way to compute the answers to problems of a kind.</summary>
/// <typeparam name="TProblem">What is given.</typeparam>
/// <typeparam name="TAnswer">What is asked for.</typeparam>
public interface IComputeMethod<in TProblem, TAnswer> : IComputeMethod
{
    /// <summary>Computes the answer. All temporary memory is taken from, or declared to, the scratch of <paramref name="context"/>; all work is counted there.</summary>
    /// <exception cref="ScratchLimitException">It needs more scratch memory than it may have.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    TAnswer Run(TProblem problem, ComputeContext context);

    /// <summary>What <see cref="Run"/> will cost, from the sizes alone; null where that cannot be known.</summary>
    CostEstimate? Predict(TProblem problem) => null;
}

/// <summary>What a method may use, and where it says what it did.</summary>
/// <param name="Threads">Threads it may compute with.</param>
/// <param name="Scratch">Where its temporary memory comes from.</param>
/// <param name="Cancellation">Stops it.</param>
public sealed record ComputeContext(int Threads, Scratch Scratch, CancellationToken Cancellation = default)
{
    /// <summary>What was done.</summary>
    public Work Work { get; } = new();
}

/// <summary>What a computation did, counted by the method itself.</summary>
public sealed class Work
{
    private readonly SortedDictionary<string, double> _counters = new(StringComparer.Ordinal);

    /// <summary>Floating-point operations: an addition, a multiplication, an exponential are one each.</summary>
    public double Flops { get; set; }

    /// <summary>Bytes of operands, results and scratch that pass between memory and processor if nothing stays in the cache longer than a tile.</summary>
    public double Bytes { get; set; }

    /// <summary>Counts of the method's own, by name, e.g. <c>passes</c>, <c>matvecs</c>, <c>skip_rate</c>.</summary>
    public IReadOnlyDictionary<string, double> Counters => _counters;

    /// <summary>Sets a count of the method's own.</summary>
    public void Count(string name, double value) => _counters[name] = value;
}

/// <summary>What a computation costs, from the sizes of its problem.</summary>
/// <param name="Flops">Floating-point operations.</param>
/// <param name="ScratchBytes">Peak of the temporary memory; null where it depends on more than sizes.</param>
public readonly record struct CostEstimate(double Flops, double? ScratchBytes);

/// <summary>What the arena hands to every method when it is built.</summary>
/// <param name="Random">Random streams by purpose, derived from the trial's seed.</param>
public sealed record ComputeSetup(Func<string, SeededRandom> Random);
