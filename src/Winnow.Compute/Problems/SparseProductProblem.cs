using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics.Sparse;

namespace Winnow.Compute;

/// <summary>A product of sparse matrices.</summary>
/// <param name="A">m × k.</param>
/// <param name="B">k × n.</param>
public sealed record SparseProductProblem(SparseMatrix<double> A, SparseMatrix<double> B)
{
    /// <summary>Multiplications of any method that skips zeros: the sum over the entries of A of the entries of the row of B.</summary>
    public long Multiplications { get; } = A.Indices.Sum(k => B.Starts[k + 1] - B.Starts[k]);
}

/// <summary>Which product of a matrix.</summary>
public enum ProductOf
{
    /// <summary>A·A of a square matrix, else A·Aᵀ.</summary>
    Auto,

    /// <summary>A·A.</summary>
    Square,

    /// <summary>Aᵀ·A.</summary>
    Gram,

    /// <summary>A·Aᵀ.</summary>
    Outer,
}

/// <summary>Sizes of a sparse product.</summary>
public sealed record SparseProductOptions : ComputeOptions
{
    /// <inheritdoc/>
    public override double Tolerance { get; init; } = 1e-12;

    /// <summary>Which product.</summary>
    [Description("which product of the matrix: square A·A, gram Aᵀ·A, outer A·Aᵀ; auto is square where that can be, else outer")]
    public ProductOf Product { get; init; } = ProductOf.Auto;

    /// <summary>Size of the generated matrix.</summary>
    [Range(4, 22), Description("without --data: the random graph (R-MAT) has 2 to this power vertices")]
    public int Scale { get; init; } = 11;

    /// <summary>Edges a vertex.</summary>
    [Range(1, 1024), Description("without --data: edges drawn for each vertex")]
    public int Edges { get; init; } = 8;
}

internal static class SparseProductKind
{
    public const string Offer = "sparse product";

    public static IProblemKind Kind { get; } = new ProblemKind<SparseProductProblem, SparseMatrix<double>, SparseProductOptions>
    {
        Task = new("spgemm", "Product of sparse matrices", "A matrix with itself or its transpose: a Matrix Market file, or a random graph; asked for is the product in compressed rows, columns sorted.", OptionsSchema.Of<SparseProductOptions>(), [Offer])
        {
            Data = "A.mtx",
            Metrics = [.. Protocol.Cards, new("intermediate_bytes", "intermediate", "bytes", Better.Lower, "bytes of partial products that are written to memory and read again"), new("compression", "compression", "", Better.Higher, "multiplications an entry of the product: a property of the problem"),
                new("probes", "probes", "", Better.Lower, "slots looked at for each insertion into a hash table, for methods that have one")],
        },
        Make = Make,
        Reference = Definition,
        Error = (x, y) => x.Starts.SequenceEqual(y.Starts) && x.Indices.SequenceEqual(y.Indices) ? Values.RelativeDistance(x.Values, y.Values) : double.PositiveInfinity,
        Data = (source, options) =>
        {
            var matrix = MatrixMarket.Read(source.Path!, source.Cancellation);
            Check(source.Path!, matrix, options);
            string text = FormattableString.Invariant($"Matrix Market: {matrix.Rows:N0} × {matrix.Columns:N0}, {matrix.Values.Length:N0} entries");
            return new(new(Path.GetFullPath(source.Path!), Hash(matrix), source.Reading), Path.GetFileName(source.Path!), text, null);
        },
        Text = o => FormattableString.Invariant($"a random graph (R-MAT) of {1 << o.Scale:N0} vertices, {o.Edges} edges drawn a vertex"),
    };

    private static SparseProductProblem Make(ProblemSource source, SparseProductOptions options, SeededRandom random)
    {
        SparseMatrix<double> a;
        if (source.Path is null)
            a = SparseMatrix.RMat<double>(options.Scale, options.Edges, random);
        else
        {
            var read = MatrixMarket.Read(source.Path, source.Cancellation);
            Check(source.Path, read, options);
            a = new(read.Rows, read.Columns, read.Starts, read.Indices, read.Values);
        }
        return options.Product switch
        {
            ProductOf.Gram => new(a.Transpose(), a),
            ProductOf.Outer => new(a, a.Transpose()),
            ProductOf.Auto when a.Rows != a.Columns => new(a, a.Transpose()),
            _ => new(a, a),
        };
    }

    private static void Check(string path, MatrixMarketData matrix, SparseProductOptions options)
    {
        if (options.Product == ProductOf.Square && matrix.Rows != matrix.Columns)
            throw InputException.At(path, $"{matrix.Rows} rows and {matrix.Columns} columns", "a square matrix for A·A", "Choose --set task.product=gram or outer.");
    }

    private static string Hash(MatrixMarketData m)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(m.Columns));
        hash.AppendData(MemoryMarshal.AsBytes(m.Starts.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(m.Indices.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(m.Values.AsSpan()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The definition, a row at a time in a sorted table.</summary>
    private static SparseMatrix<double> Definition(SparseProductProblem problem, CancellationToken cancellation)
    {
        var (a, b) = problem;
        var starts = new long[a.Rows + 1];
        var indices = new List<int>();
        var values = new List<double>();
        var row = new Dictionary<int, double>();
        for (int i = 0; i < a.Rows; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            row.Clear();
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                for (long r = b.Starts[a.Indices[p]]; r < b.Starts[a.Indices[p] + 1]; r++)
                    row[b.Indices[r]] = row.GetValueOrDefault(b.Indices[r]) + a.Values[p] * b.Values[r];
            foreach (int column in row.Keys.Order())
            {
                indices.Add(column);
                values.Add(row[column]);
            }
            starts[i + 1] = indices.Count;
        }
        return new(a.Rows, b.Columns, starts, [.. indices], [.. values]);
    }
}
