using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics.Krylov;
using Winnow.Numerics.Sparse;

namespace Winnow.Compute;

/// <summary>
/// A sequence of one's own, from a folder of Matrix Market files: each <c>NAME.mtx</c> is a matrix, <c>NAME_b.mtx</c> its right side in array
/// form; without that <c>b.mtx</c>, if there is one, else ones. All matrices have one pattern, as those of one grid have; compressed files
/// end in <c>.mtx.gz</c>. The sequence is in the order of the names.
/// </summary>
/// <param name="Names">The matrices' files, without folder and ending.</param>
/// <param name="Fields">Of each system the entries of its matrix, row by row, and then its right side: what the ordering compares.</param>
/// <param name="Family">Makes the system of a field.</param>
/// <param name="Size">Rows of each matrix.</param>
/// <param name="RightSides">Systems whose right side comes from a file.</param>
public sealed record SystemFiles(IReadOnlyList<string> Names, IReadOnlyList<double[]> Fields, ProblemFamily Family, int Size, int RightSides)
{
    private const string Shared = "b", Suffix = "_b";

    /// <summary>Reads a folder. Memory: all matrices at once.</summary>
    /// <exception cref="InputException">No folder or no matrix in it, or one that is not square, not finite, or of another pattern than the first; a right side of another length, or of no matrix.</exception>
    public static SystemFiles Read(string folder, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
            throw InputException.At(folder, File.Exists(folder) ? "a file" : "nothing", "a folder of Matrix Market files", "Give the folder that holds A1.mtx, A2.mtx, ... and, if right sides are not ones, A1_b.mtx, ... or b.mtx.");
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(path);
            string? stem = name.EndsWith(".mtx", StringComparison.OrdinalIgnoreCase) ? name[..^4] : name.EndsWith(".mtx.gz", StringComparison.OrdinalIgnoreCase) ? name[..^7] : null;
            if (stem is not null && !files.TryAdd(stem, path))
                throw InputException.At(folder, $"{Path.GetFileName(files[stem])} and {name}", "one file of a name", "Remove one of them.");
        }
        files.Remove(Shared, out string? shared);
        string[] names = [.. files.Keys.Where(n => !n.EndsWith(Suffix, StringComparison.Ordinal))];
        if (names.Length == 0)
            throw InputException.At(folder, "no matrix", "files NAME.mtx", "Write each matrix as a Matrix Market file in coordinate form.");
        if (files.Keys.Except(names).FirstOrDefault(n => !files.ContainsKey(n[..^Suffix.Length])) is { } orphan)
            throw InputException.At(files[orphan], "a right side", $"its matrix {orphan[..^Suffix.Length]}.mtx beside it", "Rename it, or add the matrix.");
        double[]? common = shared is null ? null : RightSide(shared, cancellation);
        MatrixMarketData? first = null;
        var fields = new List<double[]>();
        int rightSides = 0;
        foreach (string name in names)
        {
            cancellation.ThrowIfCancellationRequested();
            var matrix = MatrixMarket.Read(files[name], cancellation);
            first ??= matrix;
            Check(files[name], matrix, first, files[names[0]]);
            string? own = files.GetValueOrDefault(name + Suffix);
            double[] b = own is not null ? RightSide(own, cancellation) : common ?? [.. Enumerable.Repeat(1.0, matrix.Rows)];
            rightSides += own is null && common is null ? 0 : 1;
            if (b.Length != matrix.Rows)
                throw InputException.At(own ?? shared!, $"{b.Length:N0} numbers", $"{matrix.Rows:N0}, as {Path.GetFileName(files[name])} has rows", "Write the right side of this matrix.");
            fields.Add([.. matrix.Values, .. b]);
        }
        var (size, starts, indices) = (first!.Rows, first.Starts, first.Indices);
        var family = new ProblemFamily("given", "A·x = b, as in the files", (field, _) => new(new SparseMatrix<double>(size, size, starts, indices, field[..indices.Length]), field[indices.Length..]));
        return new(names, fields, family, size, rightSides);
    }

    private static double[] RightSide(string path, CancellationToken cancellation)
    {
        double[] b = MatrixMarket.ReadVector(path, cancellation);
        return Array.FindIndex(b, v => !double.IsFinite(v)) is >= 0 and var at ? throw InputException.At(path, $"{b[at]} in row {at + 1}", "finite numbers", "Correct this entry.") : b;
    }

    private static void Check(string path, MatrixMarketData matrix, MatrixMarketData first, string firstPath)
    {
        if (matrix.Rows != matrix.Columns || matrix.Rows == 0)
            throw InputException.At(path, $"{matrix.Rows:N0} rows and {matrix.Columns:N0} columns", "a square matrix", "A system needs as many equations as unknowns.");
        if (Array.FindIndex(matrix.Values, v => !double.IsFinite(v)) is >= 0 and var at)
            throw InputException.At(path, $"the entry {matrix.Values[at]}", "finite numbers", "Look for NaN in what the matrix was made of.");
        if (matrix.Rows != first.Rows)
            throw InputException.At(path, $"{matrix.Rows:N0} rows", $"{first.Rows:N0}, as in {Path.GetFileName(firstPath)}", "Put systems of another size in another folder.");
        if (!matrix.Starts.AsSpan().SequenceEqual(first.Starts) || !matrix.Indices.AsSpan().SequenceEqual(first.Indices))
        {
            int row = Enumerable.Range(0, matrix.Rows).First(i => !Row(matrix, i).SequenceEqual(Row(first, i)));
            throw InputException.At(path, $"other entries in row {row + 1} than in {Path.GetFileName(firstPath)}", "one pattern in all matrices", "Write the zeros that some matrices have where others have entries.");
        }

        static ReadOnlySpan<int> Row(MatrixMarketData m, int i) => m.Indices.AsSpan((int)m.Starts[i], (int)(m.Starts[i + 1] - m.Starts[i]));
    }
}
