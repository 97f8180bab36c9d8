using System.Globalization;
using System.Text;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>A sparse matrix as a file gives it, in compressed rows: columns ascend within a row and are distinct, entries at one place are added up.</summary>
/// <param name="Rows">Number of rows.</param>
/// <param name="Columns">Number of columns.</param>
/// <param name="Starts">Where each row begins, and the end of the last: Rows + 1 numbers.</param>
/// <param name="Indices">The column of each entry, from 0.</param>
/// <param name="Values">The value of each entry; 1 where the file gives a pattern only.</param>
public sealed record MatrixMarketData(int Rows, int Columns, long[] Starts, int[] Indices, double[] Values);

/// <summary>
/// Reads Matrix Market files (Boisvert, Pozo and Remington, NISTIR 5935, 1996), compressed by gzip or not: coordinate form; real, integer or
/// pattern; general, symmetric or skew-symmetric, the other half of which is filled in.
/// </summary>
public static class MatrixMarket
{
    private const string Banner = "'%%MatrixMarket matrix coordinate real|integer|pattern general|symmetric|skew-symmetric'";
    private const string Whole = "Check that it was written or downloaded completely.";

    private enum Symmetry
    {
        General,
        Symmetric,
        Skew,
    }

    /// <summary>Reads a file. Cost: O(rows + entries · log of the longest row). Memory grows with the entries that are really there, not with those announced.</summary>
    /// <exception cref="InputException">The file cannot be read or is none of these forms; the message names it and the line.</exception>
    public static MatrixMarketData Read(string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path))
            throw InputFile.IsFolder(path);
        return InputFile.Reading(path, () =>
        {
            using var stream = InputFile.Open(path).Stream;
            return Read(stream, path, ReadLimits.Here, cancellation);
        });
    }

    /// <summary>Reads a vector: a file in array form with one column, as right sides come beside their matrices. Cost: O(rows).</summary>
    /// <inheritdoc cref="Read(string, CancellationToken)"/>
    public static double[] ReadVector(string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path))
            throw InputFile.IsFolder(path);
        return InputFile.Reading(path, () =>
        {
            using var stream = InputFile.Open(path).Stream;
            return ReadVector(stream, path, ReadLimits.Here, cancellation);
        });
    }

    internal static double[] ReadVector(Stream stream, string where, ReadLimits limits, CancellationToken cancellation)
    {
        using var lines = new Lines(stream, where);
        string banner = lines.First();
        if (banner.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is not ["%%matrixmarket", "matrix", "array", "real" or "double" or "integer", "general"])
            throw InputException.At(lines.Where, Excerpt.Of(banner), "'%%MatrixMarket matrix array real|integer general'", "Write the right side as a dense vector in array form.");
        string sizes = lines.Next() ?? throw InputException.At(lines.Where, "the end of the file", "a line with the numbers of rows and columns", Whole);
        lines.SizeLine = lines.Number;
        Span<Range> parts = stackalloc Range[4];
        if (Split(sizes, parts) != 2 || !int.TryParse(sizes.AsSpan()[parts[0]], NumberStyles.None, CultureInfo.InvariantCulture, out int rows) || sizes.AsSpan()[parts[1]] is not "1")
            throw InputException.At(lines.Where, Excerpt.Of(sizes), "the number of rows, and 1 column", "One right side a file.");
        var values = new GrowingArray<double>(where, limits);
        for (int i = 0; i < rows; i++)
        {
            if (i % 4096 == 0)
                cancellation.ThrowIfCancellationRequested();
            string line = lines.Next() ?? throw InputException.At(lines.Where, $"the end of the file after {Excerpt.Of(i)} numbers", $"{Excerpt.Of(rows)} numbers, as line {lines.SizeLine} says", Whole);
            values.Add(Value(line.AsSpan().Trim(), lines));
        }
        if (lines.Next() is { } more)
            throw InputException.At(lines.Where, $"{Excerpt.Of(more)} after the last number", $"{Excerpt.Of(rows)} numbers, as line {lines.SizeLine} says", "Correct the number of rows on that line.");
        return values.Filled.ToArray();
    }

    internal static MatrixMarketData Read(Stream stream, string where, ReadLimits limits, CancellationToken cancellation)
    {
        using var lines = new Lines(stream, where);
        var (pattern, symmetry) = Header(lines);
        var (rows, columns, announced) = Sizes(lines, symmetry);
        // a row takes 8 bytes before any entry is read: that many rows must be possible
        limits.Require(where, (Int128)rows + 1, sizeof(long));
        var (i, j, x) = (new GrowingArray<int>(where, limits), new GrowingArray<int>(where, limits), new GrowingArray<double>(where, limits));
        Span<Range> parts = stackalloc Range[4];
        for (long read = 0; read < announced; read++)
        {
            if (read % 4096 == 0)
                cancellation.ThrowIfCancellationRequested();
            string line = lines.Next() ?? throw InputException.At(lines.Where, $"the end of the file after {Excerpt.Of(read)} entries", $"{Excerpt.Of(announced)} entries, as line {lines.SizeLine} says", Whole);
            int wanted = pattern ? 2 : 3, found = Split(line, parts);
            if (found != wanted)
                throw InputException.At(lines.Where, Excerpt.Of(line), pattern ? "a row and a column" : "a row, a column and a value", "Check this line; fields are separated by spaces.");
            int row = Index(line.AsSpan()[parts[0]], rows, "row", lines), column = Index(line.AsSpan()[parts[1]], columns, "column", lines);
            double value = pattern ? 1 : Value(line.AsSpan()[parts[2]], lines);
            if (symmetry != Symmetry.General && column > row)
                throw InputException.At(lines.Where, $"an entry above the diagonal (row {row + 1}, column {column + 1})", "the lower triangle only, as the banner says", "Write each pair once, row at least column, or declare the matrix general.");
            if (symmetry == Symmetry.Skew && column == row)
                throw InputException.At(lines.Where, $"an entry on the diagonal (row {row + 1})", "none in a skew-symmetric matrix", "Leave the zero diagonal out.");
            Add(row, column, value);
            if (symmetry != Symmetry.General && row != column)
                Add(column, row, symmetry == Symmetry.Skew ? -value : value);
        }
        if (lines.Next() is { } more)
            throw InputException.At(lines.Where, $"{Excerpt.Of(more)} after the last entry", $"{Excerpt.Of(announced)} entries, as line {lines.SizeLine} says", "Correct the number of entries on that line.");
        return Compressed(rows, columns, i.Filled, j.Filled, x.Filled);

        void Add(int row, int column, double value)
        {
            i.Add(row);
            j.Add(column);
            x.Add(value);
        }
    }

    private static (bool Pattern, Symmetry Symmetry) Header(Lines lines)
    {
        string banner = lines.First();
        string[] words = banner.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length != 5 || words[0] != "%%matrixmarket" || words[1] != "matrix")
            throw InputException.At(lines.Where, Excerpt.Of(banner), Banner, "The file must begin with this line.");
        if (words[2] != "coordinate")
            throw InputException.At(lines.Where, $"the form {Excerpt.Of(words[2])}", "'coordinate'", "Write dense matrices as a table (CSV).");
        bool pattern = words[3] switch
        {
            "real" or "double" or "integer" => false,
            "pattern" => true,
            _ => throw InputException.At(lines.Where, $"values of the kind {Excerpt.Of(words[3])}", "real, integer or pattern", "Write real and imaginary parts as two files."),
        };
        var symmetry = words[4] switch
        {
            "general" => Symmetry.General,
            "symmetric" => Symmetry.Symmetric,
            "skew-symmetric" => Symmetry.Skew,
            _ => throw InputException.At(lines.Where, $"the symmetry {Excerpt.Of(words[4])}", "general, symmetric or skew-symmetric", "Write all entries, and declare the matrix general."),
        };
        return pattern && symmetry == Symmetry.Skew
            ? throw InputException.At(lines.Where, "a skew-symmetric pattern", "values where signs matter", "Declare it symmetric, or give values.")
            : (pattern, symmetry);
    }

    private static (int Rows, int Columns, long Entries) Sizes(Lines lines, Symmetry symmetry)
    {
        string line = lines.Next() ?? throw InputException.At(lines.Where, "the end of the file", "a line with the numbers of rows, columns and entries", Whole);
        lines.SizeLine = lines.Number;
        Span<Range> parts = stackalloc Range[4];
        if (Split(line, parts) != 3 || !Number(line.AsSpan()[parts[0]], out int rows) || !Number(line.AsSpan()[parts[1]], out int columns)
            || !long.TryParse(line.AsSpan()[parts[2]], NumberStyles.None, CultureInfo.InvariantCulture, out long entries))
            throw InputException.At(lines.Where, Excerpt.Of(line), $"the numbers of rows, columns (at most {Excerpt.Of(Array.MaxLength - 1)}) and entries", "Check the line after the comments.");
        if (symmetry != Symmetry.General && rows != columns)
            throw InputException.At(lines.Where, $"{rows} rows and {columns} columns", "as many columns as rows in a symmetric matrix", "Declare the matrix general.");
        return (rows, columns, entries);

        static bool Number(ReadOnlySpan<char> text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < Array.MaxLength;
    }

    private static int Index(ReadOnlySpan<char> text, int count, string what, Lines lines) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index >= 1 && index <= count ? index - 1
            : throw InputException.At(lines.Where, $"the {what} {Excerpt.Of(text.ToString())}", $"1 to {Excerpt.Of(count)}", $"Rows and columns are counted from 1; line {lines.SizeLine} gives the sizes.");

    private static double Value(ReadOnlySpan<char> text, Lines lines) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value
            : throw InputException.At(lines.Where, $"the value {Excerpt.Of(text.ToString())}", "a number", "Write numbers with a decimal point, without thousands separators; NaN and Infinity are numbers, too.");

    /// <summary>Up to four fields; returns how many there are, 4 standing for more.</summary>
    private static int Split(string line, Span<Range> parts)
    {
        int count = 0;
        for (int at = 0; count < parts.Length; count++)
        {
            while (at < line.Length && char.IsWhiteSpace(line[at]))
                at++;
            int start = at;
            while (at < line.Length && !char.IsWhiteSpace(line[at]))
                at++;
            if (at == start)
                break;
            parts[count] = start..at;
        }
        return count;
    }

    /// <summary>Sorts by counting rows, then within each row by column; entries at one place are added in the order of the file.</summary>
    private static MatrixMarketData Compressed(int rows, int columns, ReadOnlySpan<int> i, ReadOnlySpan<int> j, ReadOnlySpan<double> x)
    {
        var starts = new long[rows + 1];
        foreach (int row in i)
            starts[row + 1]++;
        for (int row = 0; row < rows; row++)
            starts[row + 1] += starts[row];
        long[] next = starts[..rows];
        // a column with its place in the file: sorting them is stable
        var keys = new (int Column, int Order)[i.Length];
        for (int e = 0; e < i.Length; e++)
            keys[next[i[e]]++] = (j[e], e);
        var indices = new int[i.Length];
        var values = new double[i.Length];
        int count = 0;
        for (int row = 0; row < rows; row++)
        {
            var entries = keys.AsSpan((int)starts[row], (int)(starts[row + 1] - starts[row]));
            entries.Sort();
            starts[row] = count;
            foreach (var (column, order) in entries)
            {
                if (count > starts[row] && indices[count - 1] == column)
                    values[count - 1] += x[order];
                else
                    (indices[count], values[count++]) = (column, x[order]);
            }
        }
        starts[rows] = count;
        Array.Resize(ref indices, count);
        Array.Resize(ref values, count);
        return new(rows, columns, starts, indices, values);
    }

    /// <summary>The lines that are neither blank nor comments, with their numbers.</summary>
    private sealed class Lines(Stream stream, string file) : IDisposable
    {
        private const int Longest = 1 << 16;
        private readonly StreamReader _reader = new(stream, Encoding.UTF8, leaveOpen: true);
        private readonly StringBuilder _line = new();

        public long Number { get; private set; }

        public long SizeLine { get; set; }

        public string Where => $"{file}, line {Number}";

        public string First() => Line() ?? throw InputFile.Empty(file);

        public string? Next()
        {
            string? line = Line();
            while (line is not null && (string.IsNullOrWhiteSpace(line) || line[0] == '%'))
                line = Line();
            return line;
        }

        /// <summary>A line, of bounded length: a file without line ends is no reason to hold it whole.</summary>
        private string? Line()
        {
            Number++;
            _line.Clear();
            int c = _reader.Read();
            if (c < 0)
                return null;
            for (; c >= 0 && c != '\n'; c = _reader.Read())
            {
                if (_line.Length == Longest)
                    throw InputException.At(Where, $"a line of more than {Excerpt.Of(Longest)} characters", "an entry a line", "Check that it is a Matrix Market file.");
                _line.Append((char)c);
            }
            return _line.ToString().TrimEnd('\r');
        }

        public void Dispose() => _reader.Dispose();
    }
}
