using System.ComponentModel;
using Winnow.Numerics.Sparse;

namespace Winnow.Compute;

/// <summary>What a sparse product did.</summary>
internal static class SparseWork
{
    private const int EntryBytes = sizeof(double) + sizeof(int);

    public static void Count(ComputeContext context, SparseProductProblem problem, SparseMatrix<double> product, double intermediateBytes)
    {
        context.Work.Flops = 2.0 * problem.Multiplications;
        context.Work.Bytes = EntryBytes * ((double)problem.A.Entries + problem.Multiplications + product.Entries) + 2 * intermediateBytes;
        context.Work.Count("intermediate_bytes", intermediateBytes);
        context.Work.Count("compression", product.Entries == 0 ? double.NaN : (double)problem.Multiplications / product.Entries);
    }
}

/// <summary>Options of <see cref="AdaptiveProduct"/>.</summary>
public sealed record AdaptiveProductOptions
{
    /// <summary>A kernel for all rows.</summary>
    [Description("the kernel of all rows: scale, dense, hash or sort; by default each row's fastest")]
    public ProductKernel? Kernel { get; init; }
}

/// <summary>The library's entry point, <see cref="SparseMatrix.Multiply{T}"/>: each row by the kernel that is fastest for it.</summary>
public sealed class AdaptiveProduct(AdaptiveProductOptions options) : IComputeMethod<SparseProductProblem, SparseMatrix<double>>
{
    /// <inheritdoc/>
    public SparseMatrix<double> Run(SparseProductProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var product = SparseMatrix.Multiply(problem.A, problem.B, new() { Threads = context.Threads, Kernel = options.Kernel }, context.Scratch, context.Cancellation);
        SparseWork.Count(context, problem, product.Matrix, 0);
        return product.Matrix;
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(SparseProductProblem problem) => new(2.0 * problem.Multiplications, null);
}

/// <summary>A textbook product of <see cref="SparseProducts"/>. Its intermediate storage counts as scratch, though only when it is done and known.</summary>
/// <param name="multiply">The product.</param>
public sealed class TextbookProduct(Func<SparseMatrix<double>, SparseMatrix<double>, CancellationToken, PlainProduct<double>> multiply) : IComputeMethod<SparseProductProblem, SparseMatrix<double>>
{
    /// <inheritdoc/>
    public SparseMatrix<double> Run(SparseProductProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var product = multiply(problem.A, problem.B, context.Cancellation);
        using var held = context.Scratch.Hold(product.IntermediateBytes);
        SparseWork.Count(context, problem, product.Matrix, product.IntermediateBytes);
        return product.Matrix;
    }

    /// <inheritdoc/>
    public CostEstimate? Predict(SparseProductProblem problem) => new(2.0 * problem.Multiplications, null);
}
