using System.Buffers.Binary;
using Parquet;
using Parquet.Schema;
using Winnow.Core;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class ParquetReaderTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>Columns a (double), b (optional int), kind (text) in two row groups.</summary>
    internal static byte[] Table(double second = 2.5, int? missing = 4, string kind = "y")
    {
        var a = new DataField<double>("a");
        var b = new DataField<int?>("b");
        var label = new DataField<string>("kind");
        using var buffer = new MemoryStream();
        WriteAsync().GetAwaiter().GetResult();
        return buffer.ToArray();

        async Task WriteAsync()
        {
            await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(a, b, label), buffer);
            await GroupAsync(writer, [1, second], [3, missing], ["x", kind]);
            await GroupAsync(writer, [-7], [9], ["x"]);
        }

        async Task GroupAsync(ParquetWriter writer, double[] first, int?[] middle, string[] last)
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync<double>(a, first);
            await group.WriteAsync<int>(b, middle);
            await group.WriteAsync(label, last);
            group.CompleteValidate();
        }
    }

    [Fact]
    public void Columns_of_all_row_groups_become_rows()
    {
        var data = Open(_scratch.Write("t.parquet", Table()));
        Assert.Equal("Parquet", data.Format);
        Assert.Equal(["a", "b"], data.FeatureNames!);
        Assert.Equal([1, 3, 2.5f, 4, -7, 9], Values(data));
        Assert.Equal(["x", "y"], data.LabelNames);
        Assert.Equal([0, 1, 0], data.Labels);
    }

    [Fact]
    public void A_numeric_label_column_can_be_named()
    {
        Refused(() => Open(_scratch.Write("t.parquet", Table()), "b"), "column 2 ('kind'): found text; expected numbers or booleans");
        Refused(() => Open(_scratch.Write("t.parquet", Table()), "knd"), "Did you mean 'kind'?");
    }

    [Fact]
    public void Bad_values_are_refused_with_row_and_column()
    {
        Refused(() => Open(_scratch.Write("t.parquet", Table(missing: null))), "t.parquet, row 1, column 1 ('b'): found a missing value");
        Refused(() => Open(_scratch.Write("t.parquet", Table(second: double.NaN))), "t.parquet, row 1, column 0 ('a'): found 'NaN'; expected a finite number");
        Refused(() => Open(_scratch.Write("t.parquet", Table(kind: " "))), "t.parquet, row 1, column 2 ('kind'): found an empty label");
        Refused(() => Open(_scratch.Write("t.parquet", Table(kind: "x"))), "found one class only ('x', 3 rows)");
    }

    [Fact]
    public void Truncated_file_is_refused()
    {
        byte[] whole = Table();
        Refused(() => Open(_scratch.Write("t.parquet", whole[..^9])), $"t.parquet, byte {whole.Length - 13}: found", "expected 'PAR1', the end of a Parquet file. The file is cut short");
        Refused(() => Open(_scratch.Write("t.parquet", whole[..10])), "t.parquet: found 10 bytes; expected a Parquet file");
    }

    [Fact]
    public void Headers_that_promise_more_than_the_file_has_are_refused_before_anything_is_allocated()
    {
        byte[] footer = Table();
        BinaryPrimitives.WriteUInt32LittleEndian(footer.AsSpan(footer.Length - 8), 2_000_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(() => Open(_scratch.Write("t.parquet", footer)), $"t.parquet, byte {footer.Length - 8}: found a footer of 2000000000 bytes in a file of {footer.Length}");

        // The first page: thrift field 1 (its kind), then field 2, the uncompressed size, as a variable-length integer.
        byte[] page = Table();
        Assert.Equal(0x15, page[4]);
        Assert.Equal(0x15, page[6]);
        byte[] promising = [.. page[..7], 0xff, 0xff, 0xff, 0xff, 0x0f, .. page[12..]];
        Refused(() => Open(_scratch.Write("t.parquet", promising)), "t.parquet, byte 4: found a page header that does not fit the file");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
    }

    [Fact]
    public void Rows_to_predict_need_no_label_column()
    {
        var rows = DataSources.OpenRows(_scratch.Write("t.parquet", Table()), new DataReading(), new ExampleLayout([1], 1, ["a"]), TestContext.Current.CancellationToken);
        var values = new float[3];
        rows.CopyRows([2, 1, 0], values);
        Assert.Equal([-7, 2.5f, 1], values);
    }
}
