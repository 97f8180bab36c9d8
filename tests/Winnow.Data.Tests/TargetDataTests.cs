using Parquet;
using Parquet.Schema;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class TargetDataTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private static TargetData Read(string path, string? label = null, bool? header = null) => DataSources.OpenTargets(path, new(label, header), CancellationToken.None);

    private TargetData Csv(string text, string? label = null, bool? header = null) => Read(_scratch.Write("t.csv", text), label, header);

    /// <summary>Columns a (double) and b (optional int) in one row group.</summary>
    private static byte[] Parquet(double second = 2.5, int? missing = 4)
    {
        var (a, b) = (new DataField<double>("a"), new DataField<int?>("b"));
        using var buffer = new MemoryStream();
        WriteAsync().GetAwaiter().GetResult();
        return buffer.ToArray();

        async Task WriteAsync()
        {
            await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(a, b), buffer);
            using var group = writer.CreateRowGroup();
            await group.WriteAsync<double>(a, new[] { 1, second, -7 });
            await group.WriteAsync<int>(b, new[] { 3, missing, 9 });
            group.CompleteValidate();
        }
    }

    [Fact]
    public void The_last_column_or_the_named_one_is_learned_and_the_others_are_features()
    {
        var last = Csv("a,b,price\n1,2,3.25\n4,5,-1e300\n");
        Assert.Equal([3.25, -1e300], last.Targets.ToArray());
        Assert.Equal(["a", "b"], last.Rows.Layout.FeatureNames!);
        Assert.Equal("column 2 ('price')", last.Column);
        var named = Csv("a,b,price\n1,2,3\n4,5,6\n", "b");
        Assert.Equal([2, 5], named.Targets.ToArray());
        Assert.Equal([4.5, 6], Csv("1,4.5\n2,6\n", "1").Targets.ToArray());
        Assert.Equal([1.5, 2.5], Read(_scratch.Write("t.jsonl", "{\"a\": 1, \"y\": 1.5}\n{\"a\": 2, \"y\": 2.5}\n")).Targets.ToArray());
        Assert.NotEqual(last.Hash, named.Hash);
        Assert.Contains("2 rows of 2 features; column 1 ('b') is learned, 2 to 5", named.Summary("x", new()).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_between_runs_of_spaces_are_a_table_without_a_header()
    {
        var data = Read(_scratch.Write("data.txt", " 0.5  18.00 \t 2e1\n\n -1   0.00 30 \r\n2 3\t4\n\n"));
        Assert.Equal([20, 30, 4], data.Targets.ToArray());
        Assert.Equal(2, data.Rows.Width);
        float[] values = new float[6];
        data.Rows.CopyRows([0, 1, 2], values);
        Assert.Equal([0.5f, 18, -1, 0, 2, 3], values);
        Assert.Equal([0.5, -1, 2], Read(_scratch.Write("data.txt", " 0.5  18.00 \t 2e1\n\n -1   0.00 30 \r\n2 3\t4\n\n"), "0").Targets.ToArray());
        Scratch.Refused(() => Read(_scratch.Write("ragged.txt", "1  2 3\n4 5\n")), "line 2");
        Scratch.Refused(() => Read(_scratch.Write("word.txt", "1  2 3\n4 five 6\n")), "line 2", "five");
        Scratch.Refused(() => Read(_scratch.Write("nan.txt", "1  2 3\n4 5 nan\n")), "line 2");
        Scratch.Refused(() => Read(_scratch.Write("cut.txt", "1  2 3")), "numbers that differ");
    }

    [Fact] // an empty field between two tabs is a gap, not the next field
    public void Numbers_between_single_tabs_stay_a_table_with_gaps() =>
        Scratch.Refused(() => Read(_scratch.Write("gap.tsv", "1\t2\t3\n4\t\t6\n")), "line 2");

    [Fact]
    public void Parquet_and_tables_whose_first_line_declares_classes_give_numbers_too()
    {
        var parquet = Read(_scratch.Write("t.parquet", Parquet()), "a");
        Assert.Equal([1, 2.5, -7], parquet.Targets.ToArray());
        Assert.Equal("column 0 ('a')", parquet.Column);
        var classic = Csv("3,2,red,blue\n1,2,0\n3,4,1\n5,6.5,1\n", "1");
        Assert.Equal([2, 4, 6.5], classic.Targets.ToArray());
        Assert.Equal(2, classic.Rows.Width);
    }

    [Fact]
    public void What_is_no_number_is_refused_with_its_place()
    {
        Refused(() => Csv("a,b,kind\n1,2,3\n4,5,x\n"), "line 3, column 2 ('kind')", "'x'", "a number", "--label");
        Refused(() => Csv("a,b,kind\n1,2,3\n4,5,\n"), "line 3, column 2 ('kind')", "an empty field", "Fill in");
        Refused(() => Csv("a,b,kind\n1,2,NaN\n4,5,3\n"), "line 2, column 2 ('kind')", "NaN", "finite");
        Refused(() => Csv("a,b,kind\n1,2,1e999\n4,5,3\n"), "line 2, column 2 ('kind')", "finite");
        Refused(() => Csv("a,b,kind\n1,x,1\n4,5,3\n"), "line 2, column 1 ('b')", "a number");
        Refused(() => Csv("a,b,kind\n1,2,7\n4,5,7\n"), "column 2 ('kind')", "7 in each of 2 rows", "numbers that differ");
        Refused(() => Csv("a,b,kind\n1,2,7\n4,5,8\n", "price"), "price");
        Refused(() => Read(_scratch.Write("t.parquet", ParquetReaderTests.Table()), "kind"), "column 2 ('kind')", "text", "numbers");
        Refused(() => Read(_scratch.Write("t.parquet", Parquet(second: double.NaN)), "a"), "row 1, column 0 ('a')", "finite");
        Refused(() => Read(_scratch.Write("t.parquet", Parquet(missing: null)), "b"), "row 1, column 1 ('b')", "missing");
        Refused(() => Read("digits"), "images", "a table");
        Refused(() => Read(_scratch.Path("none.csv")), "none.csv");
        Refused(() => Read(_scratch.Write("empty.csv", "a,b\n")), "no rows");
    }
}
