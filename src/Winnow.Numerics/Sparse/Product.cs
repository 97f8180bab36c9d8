namespace Winnow.Numerics.Sparse;

/// <summary>How a row of a product is made.</summary>
public enum ProductKernel
{
    /// <summary>The row of A has no or one entry: a row of B is scaled.</summary>
    Scale,

    /// <summary>A sum for every column, with bits that say which were touched (Gustavson).</summary>
    Dense,

    /// <summary>A hash table of the row's own size, then sorted.</summary>
    Hash,

    /// <summary>A list of all products, sorted and compressed.</summary>
    Sort,
}

/// <summary>How to multiply sparse matrices.</summary>
public sealed record ProductOptions
{
    /// <summary>Number of threads, at least 1; small products use one.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Whether entries that came out as zero are left out. By default they are kept: the pattern of the product is that of the operands.</summary>
    public bool PruneZeros { get; init; }

    /// <summary>The kernel for all rows with several entries in A; null chooses per row.</summary>
    public ProductKernel? Kernel { get; init; }

    /// <summary>Whether vector instructions may be used; the result has the same bits without them.</summary>
    public bool Vectors { get; init; } = true;
}

/// <summary>A product of sparse matrices, and how it was made.</summary>
/// <param name="Matrix">The product, columns ascending.</param>
/// <param name="Statistics">What it cost.</param>
public sealed record SparseProduct<T>(SparseMatrix<T> Matrix, ProductStatistics Statistics) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>;

/// <summary>What a product cost.</summary>
/// <param name="Multiplications">Scalar multiplications: Σ over the entries of A of the entries of that row of B.</param>
/// <param name="Entries">Entries of the product before zeros are pruned.</param>
/// <param name="Kernels">Rows by kernel, each with the reason.</param>
/// <param name="ThreadLoad">Multiplications by thread.</param>
/// <param name="ScratchBytes">The most scratch memory held at once, if the scratch was fresh.</param>
public sealed record ProductStatistics(long Multiplications, long Entries, IReadOnlyList<KernelUse> Kernels, IReadOnlyList<long> ThreadLoad, long ScratchBytes)
{
    /// <summary>Multiplications for one entry of the product; NaN where there is none.</summary>
    public double Compression => Entries == 0 ? double.NaN : (double)Multiplications / Entries;
}

/// <summary>The rows that a kernel made.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Multiplications">Their multiplications.</param>
/// <param name="Reason">Why these rows.</param>
public sealed record KernelUse(ProductKernel Kernel, long Rows, long Multiplications, string Reason);
