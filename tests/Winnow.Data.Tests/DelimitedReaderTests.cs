using Winnow.Core;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class DelimitedReaderTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Csv(string text, string name = "data.csv") => _scratch.Write(name, text);

    [Fact]
    public void Header_and_text_labels_are_found()
    {
        var data = Open(Csv("length,width,kind\n1,2.5,b\n3,4e-1,a\n5,-6,b\n"));
        Assert.Equal(["length", "width"], data.FeatureNames!);
        Assert.Equal(["a", "b"], data.LabelNames);
        Assert.Equal([1, 0, 1], data.Labels);
        Assert.Equal([1, 2.5f, 3, 0.4f, 5, -6], Values(data));
        Assert.Equal("CSV: 3 rows of 2 features, 2 classes (a, b), 1 to 2 rows a class", data.Describe());
    }

    [Theory]
    [InlineData("1;2;x\n3;4;y\n", "a.csv", "CSV")]
    [InlineData("1\t2\tx\n3\t4\ty\n", "a.tsv", "TSV")]
    [InlineData("1|2|x\r\n3|4|y\r\n", "a.txt", "CSV")]
    [InlineData("\n1, 2 ,x\n\n3,4,y\n\n", "a.csv", "CSV")]
    [InlineData("\"1\",\"2\",\"x\"\n3,4,\"y\"", "a.csv", "CSV")]
    public void Separators_line_ends_blanks_and_quotes_are_understood(string text, string name, string format)
    {
        var data = Open(Csv(text, name));
        Assert.Null(data.FeatureNames);
        Assert.Equal(format, data.Format);
        Assert.Equal(["x", "y"], data.LabelNames);
        Assert.Equal([1, 2, 3, 4], Values(data));
    }

    [Fact]
    public void Numeric_labels_are_ordered_as_numbers()
    {
        var data = Open(Csv("1,10\n1,9\n1,-2\n"));
        Assert.Equal(["-2", "9", "10"], data.LabelNames);
        Assert.Equal([2, 1, 0], data.Labels);
    }

    [Theory]
    [InlineData("kind")]
    [InlineData("0")]
    public void Label_column_is_named_or_counted_from_zero(string label)
    {
        var data = Open(Csv("kind,x,y\na,1,2\nb,3,4\n"), label);
        Assert.Equal(["x", "y"], data.FeatureNames!);
        Assert.Equal([1, 2, 3, 4], Values(data));
        Assert.Equal(["a", "b"], data.LabelNames);
    }

    [Fact]
    public void Header_of_numbers_is_one_when_the_user_says_so() =>
        Assert.Equal(["2019", "2020"], Open(Csv("2019,2020,2021\n1,2,0\n3,4,1\n"), header: true).FeatureNames!);

    [Fact]
    public void Gzip_has_the_content_and_hash_of_the_plain_file()
    {
        const string text = "1,2,a\n3,4,b\n";
        var plain = Open(Csv(text));
        var packed = Open(_scratch.Write("data.csv.gz", Gzip("1,2,a\n3,4,b\n"u8.ToArray())));
        Assert.Equal("CSV, gzip", packed.Format);
        Assert.Equal(plain.Hash, packed.Hash);
        Assert.NotEqual(plain.Hash, Open(Csv("1,2,a\n3,5,b\n")).Hash);
    }

    [Fact]
    public void Classic_first_line_declares_rows_columns_and_classes()
    {
        var data = Open(Csv("3,2,setosa,virginica\n1,2,1\n3,4,0\n5,6,1\n"));
        Assert.Equal(["setosa", "virginica"], data.LabelNames);
        Assert.Equal([1, 0, 1], data.Labels);
        Assert.Equal([1, 2, 3, 4, 5, 6], Values(data));
    }

    [Fact]
    public void Classic_first_line_is_held_to_its_word()
    {
        Refused(() => Open(Csv("4,2,a,b\n1,2,1\n3,4,0\n")), "data.csv: found 2 rows; expected 4, as line 1 says");
        Refused(() => Open(Csv("2,2,a,b\n1,2,1\n3,4,2\n")), "data.csv, line 3: found label '2'; expected 0 to 1, the classes declared in line 1");
    }

    [Fact]
    public void Ragged_row_is_refused_with_its_line() =>
        Refused(() => Open(Csv("a,b,c\n1,2,x\n\n1,2\n")), "data.csv, line 4: found 2 fields; expected 3 as in the first row", "separator");

    [Fact]
    public void Text_in_a_numeric_column_is_refused_with_line_and_column()
    {
        Refused(() => Open(Csv("len,wid,kind\n1,2,x\n1,tall,y\n")), "data.csv, line 3, column 1 ('wid'): found 'tall'; expected a number");
        Refused(() => Open(Csv("1,abc,x\n1,2,y\n")), "data.csv, line 1, column 1: found 'abc'", "if this line is a header, say so");
    }

    [Fact]
    public void Control_characters_and_long_text_are_shown_short_and_on_one_line() =>
        Refused(() => Open(Csv($"1,\"a\nb\u0007{new string('z', 500)}\",x\n1,2,y\n")), "found 'a\\u000ab\\u0007zzzz", "...'");

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    [InlineData("1e99")]
    public void Numbers_that_are_not_finite_floats_are_refused(string value) =>
        Refused(() => Open(Csv($"1,2,x\n1,{value},y\n")), $"data.csv, line 2, column 1: found '{value}'; expected a finite number");

    [Fact]
    public void Missing_values_and_labels_are_refused()
    {
        Refused(() => Open(Csv("1,2,x\n1,,y\n")), "line 2, column 1: found an empty field", "Fill in");
        Refused(() => Open(Csv("1,2,x\n1,2,\n")), "line 2, column 2: found an empty label");
    }

    [Fact]
    public void Empty_files_are_refused()
    {
        Refused(() => Open(Csv("")), "data.csv: found an empty file");
        Refused(() => Open(Csv("\n\n")), "data.csv: found blank lines only");
        Refused(() => Open(Csv("a,b,c\n")), "data.csv: found a header and no rows");
        Refused(() => Open(_scratch.Write("e.csv.gz", Gzip([]))), "e.csv.gz: found an empty file");
    }

    [Fact]
    public void One_class_only_is_refused() =>
        Refused(() => Open(Csv("1,2,x\n3,4,x\n")), "data.csv: found one class only ('x', 2 rows); expected at least 2 classes");

    [Fact]
    public void A_measured_quantity_is_not_taken_for_classes() =>
        Refused(() => Open(Csv(string.Join('\n', Enumerable.Range(0, 50).Select(i => $"{i},0.{i:00}7")))), "50 different labels in 50 rows", "Name the label column");

    [Fact]
    public void Duplicate_columns_are_refused() =>
        Refused(() => Open(Csv("a,b,a,kind\n1,2,3,x\n1,2,3,y\n")), "found two columns named 'a' (positions 0 and 2)", "Rename");

    [Fact]
    public void Unknown_label_column_is_refused_with_the_nearest()
    {
        Refused(() => Open(Csv("a,b,kind\n1,2,x\n1,2,y\n"), "knd"), "found no column 'knd'", "Did you mean 'kind'?");
        Refused(() => Open(Csv("a,b,kind\n1,2,x\n1,2,y\n"), "zzzzzz"), "Columns: 'a', 'b', 'kind'.");
        Refused(() => Open(Csv("1,2,x\n1,2,y\n"), "kind"), "found no header; expected a label column named 'kind'", "0 to 2");
        Refused(() => Open(Csv("1,2,x\n1,2,y\n"), "3"), "found 3 columns; expected a label column at position 3", "the last is 2");
    }

    [Fact]
    public void Single_column_is_refused() => Refused(() => Open(Csv("1\n2\n")), "found a single column", "separator");

    [Fact]
    public void Open_quote_is_refused_with_its_line() => Refused(() => Open(Csv("1,2,x\n1,\"2,y\n3,4,x\n")), "data.csv, line 2: found a row that is not CSV", "quotes");

    [Fact]
    public void Truncated_gzip_is_refused()
    {
        var random = new SeededRandom(1, "rows");
        byte[] whole = Gzip(System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 500).Select(i => $"{random.Next()},{i % 2}\n"))));
        Refused(() => Open(_scratch.Write("cut.csv.gz", whole[..(whole.Length / 2)])), "cut.csv.gz: found damaged or truncated gzip data", "whole gzip file", "again");
        Refused(() => Open(_scratch.Write("cut.csv.gz", whole[..^1])), "cut.csv.gz: found damaged or truncated gzip data");
        whole[whole.Length / 2] ^= 0x55;
        Refused(() => Open(_scratch.Write("bad.csv.gz", whole)), "bad.csv.gz");
    }

    [Fact]
    public void Gzip_of_several_members_is_read_whole_and_refused_when_cut()
    {
        byte[] two = [.. Gzip("1,2,a\n3,4,b\n"u8.ToArray()), .. Gzip("5,6,a\n"u8.ToArray())];
        Assert.Equal([1, 2, 3, 4, 5, 6], Values(Open(_scratch.Write("two.csv.gz", two))));
        Refused(() => Open(_scratch.Write("two.csv.gz", two[..^3])), "two.csv.gz: found damaged or truncated gzip data");
    }

    [Fact]
    public void Reading_stops_when_asked()
    {
        string path = Csv(string.Concat(Enumerable.Range(0, 5000).Select(i => $"{i},{i % 2}\n")));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => DataSources.Open(path, new DataReading(), cancelled.Token));
    }
}
