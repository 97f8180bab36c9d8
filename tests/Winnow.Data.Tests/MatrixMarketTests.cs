using System.Text;
using CsCheck;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data.Tests;

public sealed class MatrixMarketTests : IDisposable
{
    private const string Banner = "%%MatrixMarket matrix coordinate ";
    private readonly Scratch _scratch = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    private MatrixMarketData Read(string text) => MatrixMarket.Read(_scratch.Write("m.mtx", text), Cancellation);

    [Fact]
    public void Entries_in_any_order_are_sorted_duplicates_added_and_comments_skipped()
    {
        var m = Read(Banner + "real general\n% a comment\n\n%another\n3 4 5\n3 2 5e0\n1 4 -1.5\r\n  3\t2   2 \n1 1 4\n% in between\n3 1 0\n\n");
        Assert.Equal((3, 4), (m.Rows, m.Columns));
        Assert.Equal([0L, 2, 2, 4], m.Starts);
        Assert.Equal([0, 3, 0, 1], m.Indices);
        Assert.Equal([4, -1.5, 0, 7], m.Values);
    }

    [Theory]
    [InlineData("integer symmetric", "2 2 2\n1 1 3\n2 1 4\n", new[] { 0, 1, 0 }, new[] { 3.0, 4, 4 })]
    [InlineData("real skew-symmetric", "2 2 1\n2 1 4\n", new[] { 1, 0 }, new[] { -4.0, 4 })]
    [InlineData("pattern general", "2 2 2\n2 2\n1 2\n", new[] { 1, 1 }, new[] { 1.0, 1 })]
    [InlineData("Pattern Symmetric", "2 2 1\n2 1\n", new[] { 1, 0 }, new[] { 1.0, 1 })]
    [InlineData("real general", "1 3 3\n1 1 NaN\n1 2 Infinity\n1 3 -1e400\n", new[] { 0, 1, 2 }, new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })]
    [InlineData("real general", "0 0 0\n", new int[0], new double[0])]
    public void Kinds_and_symmetries(string kind, string body, int[] indices, double[] values)
    {
        var m = Read(Banner + kind + "\n" + body);
        Assert.Equal(indices, m.Indices);
        Assert.Equal(values, m.Values);
    }

    [Fact]
    public void Gzip_is_read_and_a_cut_archive_refused()
    {
        byte[] bytes = Scratch.Gzip(Encoding.ASCII.GetBytes(Banner + "real general\n1 1 1\n1 1 2\n"));
        Assert.Equal([2.0], MatrixMarket.Read(_scratch.Write("m.mtx.gz", bytes), Cancellation).Values);
        Scratch.Refused(() => MatrixMarket.Read(_scratch.Write("cut.mtx.gz", bytes[..^6]), Cancellation), "cut.mtx.gz", "gzip");
    }

    [Theory]
    [InlineData("", "an empty file")]
    [InlineData("1 1 1\n1 1 2\n", "line 1: found '1 1 1'", "The file must begin with this line")]
    [InlineData("%%MatrixMarket matrix array real general\n", "line 1", "the form 'array'", "CSV")]
    [InlineData("%%MatrixMarket matrix coordinate complex general\n", "line 1", "'complex'", "real, integer or pattern")]
    [InlineData("%%MatrixMarket matrix coordinate real hermitian\n", "line 1", "'hermitian'", "general, symmetric or skew-symmetric")]
    [InlineData("%%MatrixMarket matrix coordinate pattern skew-symmetric\n", "line 1", "skew-symmetric pattern")]
    [InlineData(Banner + "real general\n% nothing more\n", "line 3: found the end of the file", "rows, columns and entries")]
    [InlineData(Banner + "real general\n3 4\n", "line 2: found '3 4'")]
    [InlineData(Banner + "real general\n-3 4 1\n", "line 2: found '-3 4 1'")]
    [InlineData(Banner + "real general\n3 99999999999 1\n", "line 2", "at most 2,147,483,590")]
    [InlineData(Banner + "real symmetric\n3 4 1\n", "line 2", "3 rows and 4 columns", "Declare the matrix general")]
    [InlineData(Banner + "real general\n3 4 9000000000000000000\n", "line 3: found the end of the file after 0 entries", "9,000,000,000,000,000,000 entries")]
    [InlineData(Banner + "real general\n2000000000 2000000000 1000000000000000000\n1 1 1\n", "line 4: found the end of the file after 1 entries", "1,000,000,000,000,000,000 entries")]
    [InlineData(Banner + "real general\n3 4 2\n1 1 1\n", "line 4: found the end of the file after 1 entries", "2 entries, as line 2 says")]
    [InlineData(Banner + "real general\n3 4 1\n1 1 1\n2 2 2\n", "line 4: found '2 2 2' after the last entry")]
    [InlineData(Banner + "real general\n3 4 1\n1 1\n", "line 3: found '1 1'", "a row, a column and a value")]
    [InlineData(Banner + "pattern general\n3 4 1\n1 1 1\n", "line 3: found '1 1 1'", "a row and a column")]
    [InlineData(Banner + "real general\n3 4 1\n0 1 1\n", "line 3: found the row '0'", "1 to 3", "counted from 1")]
    [InlineData(Banner + "real general\n3 4 1\n1 5 1\n", "line 3: found the column '5'", "1 to 4")]
    [InlineData(Banner + "real general\n3 4 1\n1 2 1,5\n", "line 3: found the value '1,5'", "decimal point")]
    [InlineData(Banner + "real symmetric\n3 3 1\n1 2 1\n", "line 3", "above the diagonal (row 1, column 2)")]
    [InlineData(Banner + "real skew-symmetric\n3 3 1\n2 2 1\n", "line 3", "on the diagonal (row 2)")]
    public void What_is_wrong_is_said_with_the_line(string text, params string[] parts) => Scratch.Refused(() => Read(text), [.. parts, "m.mtx"]);

    [Fact]
    public void A_vector_in_array_form_is_read() =>
        Assert.Equal([1, -2.5, 3e-4], MatrixMarket.ReadVector(_scratch.Write("b.mtx", "%%MatrixMarket matrix array real general\n% a comment\n3 1\n1\n -2.5 \r\n3e-4\n"), Cancellation));

    [Theory]
    [InlineData("", "an empty file")]
    [InlineData("%%MatrixMarket matrix coordinate real general\n", "line 1", "matrix array")]
    [InlineData("%%MatrixMarket matrix array complex general\n", "line 1", "matrix array")]
    [InlineData("%%MatrixMarket matrix array real general\n", "line 2: found the end of the file")]
    [InlineData("%%MatrixMarket matrix array real general\n3 2\n", "line 2: found '3 2'", "1 column")]
    [InlineData("%%MatrixMarket matrix array real general\n-3 1\n", "line 2: found '-3 1'")]
    [InlineData("%%MatrixMarket matrix array real general\n3 1\n1\n2\n", "line 5: found the end of the file after 2 numbers", "3 numbers, as line 2 says")]
    [InlineData("%%MatrixMarket matrix array real general\n2000000000 1\n1\n", "after 1 numbers")]
    [InlineData("%%MatrixMarket matrix array real general\n1 1\n1\n2\n", "line 4: found '2' after the last number")]
    [InlineData("%%MatrixMarket matrix array real general\n2 1\n1 2\n", "line 3: found the value '1 2'")]
    public void What_is_wrong_with_a_vector_is_said_with_the_line(string text, params string[] parts) =>
        Scratch.Refused(() => MatrixMarket.ReadVector(_scratch.Write("b.mtx", text), Cancellation), [.. parts, "b.mtx"]);

    [Fact]
    public void Missing_files_folders_and_endless_lines_are_refused()
    {
        Scratch.Refused(() => MatrixMarket.Read(_scratch.Path("no.mtx"), Cancellation), "found nothing");
        Scratch.Refused(() => MatrixMarket.Read(_scratch.Folder, Cancellation), "found a folder");
        Scratch.Refused(() => Read(new string('x', 1 << 20)), "line 1", "more than 65,536 characters");
    }

    [Fact]
    public void A_header_that_promises_much_costs_nothing()
    {
        byte[] text = Encoding.ASCII.GetBytes(Banner + "real general\n4 1000000000 3000000000\n1 1 1\n");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InputException>(() => MatrixMarket.Read(new MemoryStream(text), "f", ReadLimits.Here, Cancellation));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        // row starts are 8 bytes a row: more rows than memory are refused before they are asked for
        byte[] tall = Encoding.ASCII.GetBytes(Banner + "real general\n2000000000 1 0\n");
        Scratch.Refused(() => MatrixMarket.Read(new MemoryStream(tall), "f", new ReadLimits(Array.MaxLength, 1 << 20), Cancellation), "16000 MB");
    }

    [Fact]
    public void Changed_bytes_are_read_or_refused_and_nothing_else()
    {
        byte[] valid = Encoding.ASCII.GetBytes(Banner + "real symmetric\n% c\n9 9 4\n1 1 1.5\n5 2 -2e3\n9 9 NaN\n5 2 1\n");
        int refused = 0;
        foreach (var (at, value, kind) in Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Byte, Gen.Int[0, 3]).Fixed(1000))
        {
            byte[] bytes = kind switch
            {
                0 => [.. valid[..at], value, .. valid[(at + 1)..]],
                1 => valid[..at],
                2 => [.. valid[..at], .. Encoding.ASCII.GetBytes("99999999"), .. valid[at..]],
                _ => [.. valid[..at], .. valid[Math.Min(valid.Length, at + value % 8)..]],
            };
            try
            {
                // a limit of memory, for a changed size may really ask for some hundred million rows
                var m = MatrixMarket.Read(new MemoryStream(bytes), "f", new ReadLimits(Array.MaxLength, 1 << 24), Cancellation);
                Assert.Equal(m.Indices.Length, m.Starts[m.Rows]);
                Assert.Equal(m.Indices.Length, m.Values.Length);
                Assert.All(m.Indices, c => Assert.InRange(c, 0, m.Columns - 1));
            }
            catch (InputException e)
            {
                refused++;
                Assert.DoesNotContain('\n', e.Message);
            }
        }
        Assert.InRange(refused, 300, 999);
    }
}
