using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Numerics.Sparse;

namespace Winnow.Compute;

/// <summary>Options of <see cref="SmashMethod"/>.</summary>
public sealed record SmashMethodOptions
{
    /// <summary>Version of the thesis.</summary>
    [Description("version of the thesis: static-rows hashes by low bits, rows shared out beforehand; work-tokens hashes by high bits, work given out as threads ask; fragmented-memory also keeps tags and values apart")]
    public SmashVersion Version { get; init; } = SmashVersion.FragmentedMemory;

    /// <summary>Whose the table is.</summary>
    [Description("private: each thread has a table of its own; atomic: all threads add to one, as in the thesis")]
    public SmashMode Mode { get; init; } = SmashMode.Private;

    /// <summary>The hash function.</summary>
    [Description("first slot of a key: thesis as its version says, low-bits, high-bits, or multiplicative, which no pattern of columns crowds")]
    public SmashHash Hash { get; init; } = SmashHash.Thesis;

    /// <summary>Size of the scratchpad.</summary>
    [Range(1, 1 << 20), Description("kB of a window's table: the scratchpad, here a core's cache")]
    public int WindowKilobytes { get; init; } = 128;
}

/// <summary>
/// SMASH: products row by row whose partial products are added, as they come, in a hash table the size of a scratchpad.
/// <para>Shivdikar, SMASH: Sparse Matrix Atomic Scratchpad Hashing, master's thesis, Northeastern University, arXiv 2105.14156 (2021). The kernel is
/// <see cref="Smash"/>, with what is implemented and left out.</para>
/// <para>Cost: O(multiplications) expected; scratch: the tables, nothing for partial products.</para>
/// </summary>
public sealed class SmashMethod(SmashMethodOptions options) : IComputeMethod<SparseProductProblem, SparseMatrix<double>>
{
    /// <summary>What the thesis claims. Its 9.4 times is a figure of a simulated machine, against kernels mapped to the same machine.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "9.4 times as fast as other sparse products on a simulator (here: at least 5 times as fast as the inner product).", Task = "spgemm", Metric = "seconds", Baseline = "inner-product", BaselineFactor = 0.2, Margin = 0 },
        new() { Text = "The same, against the outer product with a merge.", Task = "spgemm", Metric = "seconds", Baseline = "outer-product", BaselineFactor = 0.2, Margin = 0 },
        new() { Text = "No partial product is ever written (here: a hundredth of the intermediate bytes of the outer product at most).", Task = "spgemm", Metric = "intermediate_bytes", Baseline = "outer-product", BaselineFactor = 0.01, Margin = 0 },
        new() { Text = "Expected here: at most twice the time of a dense accumulator.", Task = "spgemm", Metric = "seconds", Baseline = "gustavson", BaselineFactor = 2, Margin = 0 },
    ];

    /// <inheritdoc/>
    public SparseMatrix<double> Run(SparseProductProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var product = Smash.Multiply(problem.A, problem.B, new() { Version = options.Version, Mode = options.Mode, Hash = options.Hash, WindowBytes = options.WindowKilobytes << 10, Threads = context.Threads }, context.Scratch, context.Cancellation);
        var s = product.Statistics;
        SparseWork.Count(context, problem, product.Matrix, s.IntermediateBytes);
        context.Work.Count("probes", s.Multiplications == 0 ? 0 : (double)s.Probes / s.Multiplications);
        return product.Matrix;
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(SparseProductProblem problem) => new(2.0 * problem.Multiplications, null);
}
