using Winnow.Numerics.Sparse;

namespace Winnow.Golden.Tests;

/// <summary>Probes of sparse matrix products.</summary>
internal static class SmashProbes
{
    public static Dictionary<string, GoldenArray> Product(GoldenFile file)
    {
        var a = Matrix(file, "a", file.Param<int>("m"), file.Param<int>("k"));
        var b = Matrix(file, "b", file.Param<int>("k"), file.Param<int>("n"));
        var (c, statistics) = Smash.Multiply(a, b);
        var chosen = SparseMatrix.Multiply(a, b).Matrix;
        if (!c.Indices.SequenceEqual(chosen.Indices) || !c.Values.SequenceEqual(chosen.Values))
            throw new InvalidDataException("the hashed product and the one by the kernel of each row's choice differ.");
        return new()
        {
            ["c_indptr"] = new("int32", [c.Starts.Length], c.Starts),
            ["c_indices"] = new("int32", [c.Indices.Length], Array.ConvertAll(c.Indices, j => (long)j)),
            ["c_data"] = GoldenArray.Float64([c.Values.Length], c.Values),
            ["multiplications"] = GoldenArray.Int64([1], [statistics.Multiplications]),
        };
    }

    private static SparseMatrix<double> Matrix(GoldenFile file, string name, int rows, int columns)
    {
        var (starts, indices, values) = (file.Input($"{name}_indptr").Integers, file.Input($"{name}_indices").Integers, file.Input($"{name}_data").Doubles);
        return SparseMatrix.FromEntries(rows, columns, Enumerable.Range(0, rows).SelectMany(i =>
            Enumerable.Range((int)starts[i], (int)(starts[i + 1] - starts[i])).Select(p => (i, (int)indices[p], values[p]))));
    }
}
