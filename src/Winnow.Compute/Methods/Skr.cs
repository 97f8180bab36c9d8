using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Numerics.Krylov;
using Winnow.Numerics.Sparse;

namespace Winnow.Compute;

/// <summary>What makes a system easier to solve.</summary>
public enum PreconditionerKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The diagonal.</summary>
    Jacobi,

    /// <summary>An incomplete factorisation in the matrix's own pattern.</summary>
    Ilu,

    /// <summary>Symmetric successive over-relaxation.</summary>
    Ssor,
}

/// <summary>Options of the solvers of sequences.</summary>
public record KrylovMethodOptions
{
    /// <summary>Vectors of a cycle.</summary>
    [Range(2, 1000), Description("vectors of a cycle m, recycled ones among them")]
    public int Restart { get; init; } = 30;

    /// <summary>Preconditioner.</summary>
    [Description("preconditioner of every system: none, jacobi, ilu or ssor, from the right")]
    public PreconditionerKind Preconditioner { get; init; } = PreconditionerKind.None;
}

/// <summary>Options of the solvers that deflate.</summary>
public record GcroDrOptions : KrylovMethodOptions
{
    /// <summary>Vectors that go from one cycle to the next.</summary>
    [Range(1, 500), Description("vectors k that go from one cycle to the next; fewer than restart")]
    public int Recycled { get; init; } = 10;
}

/// <summary>Options of <see cref="Skr"/>.</summary>
public sealed record SkrOptions : GcroDrOptions
{
    /// <summary>The order.</summary>
    [Description("order in which the systems are solved: greedy from each field to the nearest left; gray-code for many; as-given")]
    public FieldOrdering Ordering { get; init; } = FieldOrdering.Greedy;
}

/// <summary>
/// SKR: similar systems ordered so that neighbours are alike, each solved with a subspace that the one before it left.
/// <para>Wang, Yao, Wang, Hao, Chen, Wang, Huang, Li, Zeng, Wang and Dai, Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling, ICLR 2024,
/// arXiv 2401.09516; the solver is GCRO-DR of Parks, de Sturler, Mackey, Johnson and Maiti (SIAM J. Sci. Comput. 28, 2006). The kernels are
/// <see cref="GcroDr"/> and <see cref="FieldOrder"/>.</para>
/// <para>Cost: ordering O(n²·cells); a product O(entries + N·m); memory O(N·m).</para>
/// </summary>
public sealed class Skr : IComputeMethod<SystemSequenceProblem, double[][]>
{
    private readonly GcroDrOptions _options;
    private readonly FieldOrdering _ordering;
    private readonly bool _across;
    private readonly int _recycled;

    private Skr(GcroDrOptions options, FieldOrdering ordering, bool across, int recycled) => (_options, _ordering, _across, _recycled) = (options, ordering, across, recycled);

    /// <summary>What the paper claims.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Up to 13.9 times as fast as GMRES, with up to 30 times fewer iterations (here: at most 1/8 of the products, on the matrix that the released code assembles).", Task = "systems", Metric = "products", Baseline = "gmres", BaselineFactor = 0.125, Margin = 0,
            TaskOptions = new() { ["equation"] = "darcy-released", ["repeats"] = 1, ["warm-ups"] = 0, ["tolerance"] = 1.0 } },
        new() { Text = "The same, on the flux form of Darcy's equation.", Task = "systems", Metric = "products", Baseline = "gmres", BaselineFactor = 0.125, Margin = 0, TaskOptions = new() { ["repeats"] = 1, ["warm-ups"] = 0 } },
        new() { Text = "On a smooth path recycling and ordering save a quarter of the products of a solver that deflates but forgets (released matrix).", Task = "systems", Metric = "products", Baseline = "gcro-dr", BaselineFactor = 0.75, Margin = 0,
            TaskOptions = new() { ["equation"] = "darcy-released", ["repeats"] = 1, ["warm-ups"] = 0, ["tolerance"] = 1.0 } },
        new() { Text = "The same, on the flux form.", Task = "systems", Metric = "products", Baseline = "gcro-dr", BaselineFactor = 0.75, Margin = 0, TaskOptions = new() { ["repeats"] = 1, ["warm-ups"] = 0 } },
        new() { Text = "Ordering alone, on the released matrix: fewer products than recycling in the order given.", Task = "systems", Metric = "products", Baseline = "recycled-unsorted", Margin = 0,
            TaskOptions = new() { ["equation"] = "darcy-released", ["repeats"] = 1, ["warm-ups"] = 0, ["tolerance"] = 1.0 } },
    ];

    /// <summary>Ordered and recycled: the method.</summary>
    public static Skr Ordered(SkrOptions options) => new(options, options.Ordering, across: true, options.Recycled);

    /// <summary>Recycled in the order given.</summary>
    public static Skr Unordered(GcroDrOptions options) => new(options, FieldOrdering.AsGiven, across: true, options.Recycled);

    /// <summary>Deflated within a system, nothing handed on.</summary>
    public static Skr Forgetting(GcroDrOptions options) => new(options, FieldOrdering.AsGiven, across: false, options.Recycled);

    /// <summary>Restarted GMRES.</summary>
    public static Skr Gmres(KrylovMethodOptions options) => new(new GcroDrOptions { Restart = options.Restart, Preconditioner = options.Preconditioner }, FieldOrdering.AsGiven, across: false, recycled: 0);

    /// <inheritdoc/>
    public double[][] Run(SystemSequenceProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var sequence = Sequence(_options, problem.Tolerance, context.Threads, _recycled, _across);
        int[] order = Order(problem.Fields, problem.Side, _ordering, context.Cancellation);
        var solutions = new double[problem.Fields.Count][];
        long products = 0;
        int unsolved = 0;
        foreach (var system in SystemSequence.Along(problem.Fields, problem.Side, problem.Family, order, sequence, context.Scratch, context.Cancellation))
        {
            solutions[system.Index] = system.Solution;
            products += system.Report.Products;
            unsolved += system.Report.Status == SolveStatus.Converged ? 0 : 1;
        }
        double unknowns = solutions[0].Length;
        // a product with five entries a row, and against on average half a cycle's vectors twice over
        context.Work.Flops = products * unknowns * (2 * 5 + 4.0 * _options.Restart);
        context.Work.Bytes = products * unknowns * (5 * 12 + 8.0 * 2 * _options.Restart);
        context.Work.Count("products", (double)products / problem.Fields.Count);
        context.Work.Count("unsolved", unsolved);
        return solutions;
    }

    /// <summary>The order in which to solve.</summary>
    internal static int[] Order(IReadOnlyList<double[]> fields, int side, FieldOrdering ordering, CancellationToken cancellation) => ordering == FieldOrdering.GrayCode && side == 0
        ? throw InputException.At("skr.ordering", "gray-code", "systems on a grid, whose fields it compresses", "Choose greedy for systems from files.")
        : SystemSequence.Order(fields, side, ordering, cancellation);

    /// <summary>How the kernels are to solve a sequence.</summary>
    internal static SequenceOptions Sequence(GcroDrOptions options, double tolerance, int threads, int? recycled = null, bool across = true) => new()
    {
        Krylov = new() { Restart = options.Restart, Recycled = recycled ?? options.Recycled, Tolerance = tolerance },
        AcrossSystems = across,
        Ordering = (options as SkrOptions)?.Ordering ?? FieldOrdering.AsGiven,
        Threads = threads,
        Preconditioner = options.Preconditioner switch
        {
            PreconditionerKind.Jacobi => Preconditioner.Jacobi,
            PreconditionerKind.Ilu => Preconditioner.Ilu0,
            PreconditionerKind.Ssor => a => Preconditioner.Ssor(a),
            _ => (Func<SparseMatrix<double>, IPreconditioner>?)null,
        },
    };
}
