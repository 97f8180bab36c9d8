using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics;
using Winnow.Numerics.Krylov;

namespace Winnow.Compute;

/// <summary>What writing a data set of solutions took.</summary>
/// <param name="Written">Systems solved now.</param>
/// <param name="Products">Products with a matrix, in all.</param>
/// <param name="Eliminated">Systems that the Krylov method did not solve to the residual and elimination did.</param>
/// <param name="Time">From the ordering to the last shard.</param>
public sealed record SolutionSetReport(int Written, long Products, int Eliminated, TimeSpan Time);

/// <summary>
/// A data set of coefficient fields and solutions, as neural operators are trained on: the systems of a sequence in the method's order, each
/// solved with the subspace that the one before it left, written to shards as they are solved. Stopped at any moment it goes on where it was.
/// </summary>
public static class SolutionSet
{
    /// <summary>The most memory that elimination may take for a system that the Krylov method leaves unsolved.</summary>
    private const long EliminationBytes = 1L << 30;

    /// <summary>The systems and the options of a planned trial of <see cref="Skr"/>.</summary>
    public static (SystemSequenceProblem Problem, SkrOptions Options) Of(Trial trial, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(trial);
        var arena = new ComputeArena();
        var options = (SystemSequenceOptions)arena.Task(trial.Task).Options.Bind(trial.TaskOptions, "task");
        var problem = SystemSequenceKind.Problem(trial.Data.Source == "generated" ? null : trial.Data.Source, options, new SeededRandom(trial.Seed, "problem"), cancellation);
        return (problem, (SkrOptions)arena.Method(trial.Method).Options.Bind(trial.Options, trial.Method));
    }

    /// <summary>What ordering and recycling are worth on the first systems: GMRES, deflated but not recycled, recycled as given, recycled in order.</summary>
    /// <param name="problem">The systems.</param>
    /// <param name="options">How they are solved.</param>
    /// <param name="systems">How many of them.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="cancellation">Stops.</param>
    public static IReadOnlyList<AblationRow> Ablation(SystemSequenceProblem problem, SkrOptions options, int systems, TimeProvider clock, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        double[][] first = [.. problem.Fields.Take(systems)];
        _ = Skr.Order([first[0]], problem.Side, options.Ordering, cancellation); // refuses what cannot be ordered so
        return SystemSequence.Ablation(first, problem.Side, problem.Family, Skr.Sequence(options, problem.Tolerance, 1), clock, cancellation);
    }

    /// <summary>Where the samples of a problem go: what each has, and the shapes.</summary>
    /// <param name="problem">The systems.</param>
    /// <param name="folder">The folder; made by the first write.</param>
    public static SampleShards Open(SystemSequenceProblem problem, string folder)
    {
        ArgumentNullException.ThrowIfNull(problem);
        var (matrix, b) = problem.Family.Build(problem.Fields[0], problem.Side);
        int side = (int)Math.Round(Math.Sqrt(b.Length));
        bool grid = problem.Side > 0;
        return new(folder, problem.Fields.Count, grid
            ? [new("field", [problem.Side, problem.Side]), new("solution", [side, side])]
            : [new("matrix", [(int)matrix.Entries]), new("right_side", [b.Length]), new("solution", [b.Length])], Identity(problem));
    }

    /// <summary>Solves what is missing in the folder. Memory: the fields, a few solutions a thread, a shard, and O(unknowns · restart).</summary>
    /// <param name="problem">The systems.</param>
    /// <param name="folder">The folder; made if need be.</param>
    /// <param name="options">How the systems are ordered and solved.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="threads">Each walks its own piece of the order.</param>
    /// <param name="samplesPerShard">Pairs in a file.</param>
    /// <param name="progress">Is told how many are stored, after each shard.</param>
    /// <param name="cancellation">Stops; what is solved is kept.</param>
    /// <exception cref="InputException">The folder is of other systems, damaged or in use; or a system can be solved neither way.</exception>
    public static SolutionSetReport Write(SystemSequenceProblem problem, string folder, SkrOptions options, TimeProvider clock, int threads = 1, int samplesPerShard = 256, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(clock);
        long start = clock.GetTimestamp(), products = 0;
        int eliminated = 0;
        int written = Open(problem, folder).Write(Solve, samplesPerShard, progress, cancellation);
        return new(written, products, eliminated, clock.GetElapsedTime(start));

        IEnumerable<(int, double[][])> Solve(IReadOnlyList<int> missing)
        {
            double[][] left = [.. missing.Select(i => problem.Fields[i])];
            int[] order = Skr.Order(left, problem.Side, options.Ordering, cancellation);
            foreach (var system in SystemSequence.Along(left, problem.Side, problem.Family, order, Skr.Sequence(options, problem.Tolerance, threads), cancellation: cancellation))
            {
                products += system.Report.Products;
                double[] field = left[system.Index];
                double[] solution = system.Report.Status == SolveStatus.Converged ? system.Solution : Eliminate(field, missing[system.Index], system.Report);
                yield return (missing[system.Index], problem.Side > 0 ? [field, solution] : [field[..^solution.Length], field[^solution.Length..], solution]);
            }
        }

        double[] Eliminate(double[] field, int index, SolveReport report)
        {
            eliminated++;
            var (matrix, b) = problem.Family.Build(field, problem.Side);
            try
            {
                using var factors = new BandedLu(matrix, new Scratch(EliminationBytes));
                var x = new double[b.Length];
                factors.Solve(b, x);
                return x;
            }
            catch (Exception e) when (e is ScratchLimitException or ArgumentException)
            {
                throw InputException.At($"system {index}", FormattableString.Invariant($"no solution to {problem.Tolerance:G3} after {report.Products:N0} products ({report.Status}), and none by elimination ({e.Message.TrimEnd('.')})"),
                    "a system that converges", "Choose --set skr.preconditioner=ilu, a larger skr.restart, or leave this system out; what was solved is kept.");
            }
        }
    }

    /// <summary>The systems to the bit, so that a folder never mixes two sequences.</summary>
    private static string Identity(SystemSequenceProblem problem)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (double[] field in problem.Fields)
            hash.AppendData(MemoryMarshal.AsBytes(field.AsSpan()));
        return FormattableString.Invariant($"{problem.Family.Name}, side {problem.Side}, residual {problem.Tolerance:G3}, fields {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}");
    }
}
