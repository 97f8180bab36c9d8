using System.Collections.Concurrent;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>In which order the systems of a sequence are solved.</summary>
public enum FieldOrdering
{
    /// <summary>As they are given.</summary>
    AsGiven,

    /// <summary><see cref="FieldOrder.Greedy"/>.</summary>
    Greedy,

    /// <summary><see cref="FieldOrder.GrayCode"/>, for many fields.</summary>
    GrayCode,
}

/// <summary>How a sequence is solved.</summary>
public sealed record SequenceOptions
{
    /// <summary>The Krylov method's options. With <see cref="KrylovOptions.Recycled"/> 0 it is restarted GMRES.</summary>
    public KrylovOptions Krylov { get; init; } = new();

    /// <summary>The order.</summary>
    public FieldOrdering Ordering { get; init; } = FieldOrdering.Greedy;

    /// <summary>Whether the recycled space goes from one system to the next; otherwise only from one cycle to the next.</summary>
    public bool AcrossSystems { get; init; } = true;

    /// <summary>Makes the preconditioner of each matrix, e.g. <see cref="Preconditioner.Ilu0"/>; none, when null.</summary>
    public Func<SparseMatrix<double>, IPreconditioner>? Preconditioner { get; init; }

    /// <summary>Threads: the walk is cut into as many pieces, each with a recycled space of its own, so that results depend on their number but not on the machine.</summary>
    public int Threads { get; init; } = 1;
}

/// <summary>A system of a sequence, solved.</summary>
/// <param name="Index">Which of the fields it belongs to.</param>
/// <param name="Solution">x.</param>
/// <param name="Report">What the solver did.</param>
public sealed record SolvedSystem(int Index, double[] Solution, SolveReport Report);

/// <summary>A sequence, solved.</summary>
/// <param name="Systems">In the order of the fields, whatever the order they were solved in.</param>
/// <param name="Order">The field solved at each place.</param>
/// <param name="OrderingTime">Time to find the order.</param>
/// <param name="SolvingTime">Time to build the systems and solve them.</param>
public sealed record SequenceResult(IReadOnlyList<SolvedSystem> Systems, IReadOnlyList<int> Order, TimeSpan OrderingTime, TimeSpan SolvingTime)
{
    /// <summary>Products with a matrix for a system, on average; those that set up the recycled space are among them.</summary>
    public double ProductsPerSystem => Systems.Average(s => s.Report.Products);

    /// <summary>Systems that were not solved to the tolerance.</summary>
    public int Failures => Systems.Count(s => s.Report.Status != SolveStatus.Converged);
}

/// <summary>A row of the table that tells what ordering and recycling each contribute.</summary>
/// <param name="Name">What was done.</param>
/// <param name="Result">What came of it.</param>
public sealed record AblationRow(string Name, SequenceResult Result);

/// <summary>
/// Solves many similar systems: orders their fields so that neighbours are alike, and hands the recycled space of GCRO-DR along that walk
/// (Wang et al., "Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling", 2024).
/// </summary>
public static class SystemSequence
{
    /// <summary>Solves all systems. Cost: that of the ordering, and of the solves.</summary>
    /// <param name="fields">Square fields of one grid, row by row.</param>
    /// <param name="side">Rows and columns of a field.</param>
    /// <param name="family">What system a field gives.</param>
    /// <param name="options">How.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="progress">Is told how many systems are solved, after each.</param>
    /// <param name="scratch">Where the solvers' memory comes from.</param>
    /// <param name="cancellation">Looked at in every step of every solve.</param>
    /// <exception cref="ArgumentException">A field, a system or an option is refused.</exception>
    public static SequenceResult Solve(IReadOnlyList<double[]> fields, int side, ProblemFamily family, SequenceOptions options, TimeProvider clock, IProgress<int>? progress = null, Scratch? scratch = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        long start = clock.GetTimestamp();
        int[] order = Order(fields, side, options.Ordering, cancellation);
        TimeSpan ordering = clock.GetElapsedTime(start);
        start = clock.GetTimestamp();
        var solved = new SolvedSystem[fields.Count];
        int done = 0;
        foreach (var system in Along(fields, side, family, order, options, scratch, cancellation))
        {
            solved[system.Index] = system;
            progress?.Report(++done);
        }
        return new(solved, order, ordering, clock.GetElapsedTime(start));
    }

    /// <summary>Solves systems one after the other, so that a sequence of any length can be written away as it is solved: no more than a few a thread wait to be asked for.</summary>
    /// <param name="fields">Square fields of one grid, row by row.</param>
    /// <param name="side">Rows and columns of a field.</param>
    /// <param name="family">What system a field gives.</param>
    /// <param name="order">Which fields, and in which order; with several threads each walks a piece of it, and what they solve comes as it is ready.</param>
    /// <param name="options">How; its ordering is not looked at.</param>
    /// <param name="scratch">Where the solvers' memory comes from.</param>
    /// <param name="cancellation">Looked at in every step of every solve.</param>
    /// <exception cref="ArgumentException">A field, a system or an option is refused; thrown while the sequence is walked.</exception>
    public static IEnumerable<SolvedSystem> Along(IReadOnlyList<double[]> fields, int side, ProblemFamily family, IReadOnlyList<int> order, SequenceOptions options, Scratch? scratch = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(fields);
        ArgumentNullException.ThrowIfNull(family);
        ArgumentNullException.ThrowIfNull(order);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        int pieces = Math.Min(options.Threads, Math.Max(1, order.Count));
        return pieces == 1 ? Walk(order, cancellation) : Together();

        IEnumerable<SolvedSystem> Walk(IEnumerable<int> piece, CancellationToken stop)
        {
            using var solver = new GcroDr(options.Krylov, scratch);
            foreach (int index in piece)
            {
                var (matrix, b) = family.Build(fields[index], side);
                var x = new double[b.Length];
                if (!options.AcrossSystems)
                    solver.Forget();
                var report = solver.Solve(matrix, b, x, options.Preconditioner?.Invoke(matrix), stop);
                yield return new(index, x, report);
            }
        }

        IEnumerable<SolvedSystem> Together()
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            using var solved = new BlockingCollection<SolvedSystem>(2 * pieces);
            var all = Task.WhenAll(Enumerable.Range(0, pieces).Select(p => Task.Factory.StartNew(() => Piece(p), stop.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            var end = all.ContinueWith(_ => solved.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            try
            {
                foreach (var system in solved.GetConsumingEnumerable(CancellationToken.None))
                    yield return system;
                all.GetAwaiter().GetResult(); // what a piece threw
            }
            finally
            {
                stop.Cancel();
                end.GetAwaiter().GetResult();
            }

            void Piece(int piece)
            {
                try
                {
                    var (first, after) = Workers.Part(order.Count, piece, pieces);
                    foreach (var system in Walk(order.Skip(first).Take(after - first), stop.Token))
                        solved.Add(system, stop.Token);
                }
                catch
                {
                    stop.Cancel(); // one that fails ends the others
                    throw;
                }
            }
        }
    }

    /// <summary>The order of an option.</summary>
    /// <inheritdoc cref="FieldOrder.GrayCode"/>
    public static int[] Order(IReadOnlyList<double[]> fields, int side, FieldOrdering ordering, CancellationToken cancellation = default) => ordering switch
    {
        FieldOrdering.AsGiven => [.. Enumerable.Range(0, fields.Count)],
        FieldOrdering.Greedy => FieldOrder.Greedy(fields, cancellation),
        FieldOrdering.GrayCode => FieldOrder.GrayCode(fields, side, cancellation),
        _ => throw new ArgumentOutOfRangeException(nameof(ordering), ordering, "expected AsGiven, Greedy or GrayCode"),
    };

    /// <summary>
    /// What each part contributes, in four rows: restarted GMRES; GCRO-DR that forgets its space after each system, which is deflated
    /// restarting alone; recycled in the given order; recycled in the options' order.
    /// </summary>
    /// <inheritdoc cref="Solve"/>
    public static IReadOnlyList<AblationRow> Ablation(IReadOnlyList<double[]> fields, int side, ProblemFamily family, SequenceOptions options, TimeProvider clock, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return
        [
            Row($"GMRES({options.Krylov.Restart})", options with { Krylov = options.Krylov with { Recycled = 0 }, Ordering = FieldOrdering.AsGiven, AcrossSystems = false }),
            Row($"GCRO-DR({options.Krylov.Restart}, {options.Krylov.Recycled}), not recycled", options with { Ordering = FieldOrdering.AsGiven, AcrossSystems = false }),
            Row("recycled, as given", options with { Ordering = FieldOrdering.AsGiven, AcrossSystems = true }),
            Row("recycled, ordered", options with { AcrossSystems = true }),
        ];

        AblationRow Row(string name, SequenceOptions row) => new(name, Solve(fields, side, family, row, clock, cancellation: cancellation));
    }
}
