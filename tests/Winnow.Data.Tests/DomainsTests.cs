using Winnow.Core;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class DomainsTests : IDisposable
{
    private const string Shops = "len,shop,wid,kind\n1,b,2,x\n3,a,4,y\n5,b,6,y\n", Times = "time,len,kind\n20.5,1,x\n-3,2,y\n1e3,3,x\n";
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private static LabelledData Read(string path, string? domain = null, string? label = null) =>
        DataSources.Open(path, new DataReading(label, null, domain), new DataFolders(null, "/nowhere"), CancellationToken.None);

    private string Csv(string text) => _scratch.Write("data.csv", text);

    [Theory, InlineData("shop"), InlineData("1")]
    public void A_text_column_gives_domains_in_order_of_first_appearance_and_is_no_feature(string column)
    {
        var data = Read(Csv(Shops), column);
        Assert.Equal(["b", "a"], data.Domains!.Names!);
        Assert.Equal([0, 1, 0], data.Domains.Rows);
        Assert.Equal(["len", "wid"], data.FeatureNames!);
        Assert.Equal([1, 2, 3, 4, 5, 6], Values(data));
        Assert.Equal(["x", "y"], data.LabelNames);
        Assert.EndsWith("1 to 2 rows a class; 2 domains (b, a)", data.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_number_column_gives_an_order_and_is_no_feature()
    {
        var data = Read(Csv(Times), "time");
        Assert.Null(data.Domains!.Names);
        Assert.Equal([20.5, -3, 1000], data.Domains.Order);
        Assert.Equal([1, 2, 3], Values(data));
        Assert.EndsWith("; ordered by a number from -3 to 1000", data.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_domain_in_the_last_column_leaves_the_one_before_it_as_the_label()
    {
        var data = Read(Csv("len,kind,shop\n1,x,a\n2,y,b\n"), "shop");
        Assert.Equal(["x", "y"], data.LabelNames);
        Assert.Equal([1, 2], Values(data));
    }

    [Fact]
    public void Text_features_are_hashed_whatever_the_domain_is()
    {
        var plain = Open(_scratch.Write("p.csv", "title,body,kind\nfine film,see it,1\ndull,go home,0\n"));
        foreach (string year in (string[])["1999", "y"])
        {
            var data = Read(_scratch.Write("d.csv", $"title,body,kind,when\nfine film,see it,1,{year}\ndull,go home,0,{year}1\n"), "when");
            Assert.Equal(Values(plain), Values(data));
            Assert.Equal(plain.LabelNames, data.LabelNames);
            Assert.Equal(year == "y", data.Domains!.Names is not null);
        }
    }

    [Fact]
    public void All_tables_give_the_same_domains()
    {
        string hash = Read(Csv(Shops), "shop").Hash;
        Assert.Equal(hash, Read(_scratch.Write("d.tsv", Shops.Replace(',', '\t')), "shop").Hash);
        Assert.Equal(hash, Read(_scratch.Write("d.jsonl", "{\"len\":1,\"shop\":\"b\",\"wid\":2,\"kind\":\"x\"}\n{\"len\":3,\"shop\":\"a\",\"wid\":4,\"kind\":\"y\"}\n{\"len\":5,\"shop\":\"b\",\"wid\":6,\"kind\":\"y\"}\n"), "shop").Hash);
        string parquet = _scratch.Write("t.parquet", ParquetReaderTests.Table(kind: "y")); // a, b, kind
        Assert.Equal(["x", "y"], Read(parquet, "kind", "b").Domains!.Names!);
        Assert.Equal([0, 1, 0], Read(parquet, "kind", "b").Domains!.Rows);
        Assert.Equal([1, 2.5, -7], Read(parquet, "a").Domains!.Order);
        Assert.Equal([3, 4, 9], Values(Read(parquet, "a")));
    }

    [Fact]
    public void The_hash_depends_on_domains_where_there_are_some()
    {
        float[] values = [1, 2, 3, 4];
        string Hash(Domains? domains) => LabelledData.FromTable("t", values, 1, [0, 1, 0, 1], ["x", "y"], domains).Hash;
        Domains?[] all = [null, Domains.Named(["a", "b"], [0, 0, 1, 1]), Domains.Named(["a", "c"], [0, 0, 1, 1]), Domains.Named(["a", "b"], [0, 1, 1, 1]), Domains.Ordered([0, 0, 1, 1]), Domains.Ordered([0, 0, 1, 2])];
        Assert.Equal(all.Length, all.Select(Hash).Distinct().Count());
        // SHA-256 of "1|1||4|x\u001fy|\n", the labels and the values: as it was before data could have domains
        Assert.Equal("3cb5cc5f733f5cbb2ee9074e99f082d15146a4ed12ef125bbf18db25694bd52d", Hash(null));
    }

    [Fact]
    public void Columns_that_are_no_domains_are_refused()
    {
        Refused(() => Read(Csv(Shops), "shp"), "found no column 'shp'; expected the domain column. Did you mean 'shop'?");
        Refused(() => Read(Csv(Shops), "4"), "expected a domain column at position 4");
        Refused(() => Read(Csv("1,2,x\n1,2,y\n"), "shop"), "found no header; expected a domain column named 'shop'");
        Refused(() => Read(Csv(Shops), "kind", "kind"), "found label and domain both in column 3 ('kind')", "--domain");
        Refused(() => Read(Csv("kind,shop\nx,a\ny,b\n"), "shop"), "found a label and a domain column alone");
        Refused(() => Read(Csv("len,shop,kind\n1,a,x\n2,a,y\n"), "shop"), "column 1 ('shop'): found a single domain ('a')");
        Refused(() => Read(Csv("len,time,kind\n1,7,x\n2,7.0,y\n"), "time"), "column 1 ('time'): found the number 7 in all rows");
        Refused(() => Read(Csv("len,shop,kind\n1,a,x\n2,,y\n"), "shop"), "data.csv, line 3, column 1 ('shop'): found no domain");
        Refused(() => Read(Csv("len,shop,kind\n1,a,x\n2,NaN,y\n"), "shop"), "line 3, column 1 ('shop'): found no domain");
        Refused(() => Read(Csv("len,time,kind\n1,1,x\n2,NaN,y\n"), "time"), "line 3, column 1 ('time'): found 'NaN'; expected a finite number");
        Refused(() => Read(Csv("len,time,kind\n1,1,x\n2,late,y\n"), "time"), "line 3, column 1 ('time'): found 'late'; expected a number, as in the rows before");
        Refused(() => Read(_scratch.Write("t.parquet", ParquetReaderTests.Table(missing: null)), "b"), "t.parquet, row 1, column 1 ('b'): found no domain");
        Refused(() => Read(_scratch.Write("t.parquet", ParquetReaderTests.Table(kind: " ")), "kind", "a"), "row 1, column 2 ('kind'): found no domain");
        Refused(() => Read("digits", "0"), "digits: found images; expected a table with a domain column '0'");
        Refused(() => Read(_scratch.Write("data_batch_1.bin", Cifar(1, 2)), "0"), "found images; expected a table");
    }

    [Fact]
    public void Rows_to_predict_may_have_the_domain_column_or_not()
    {
        var layout = new ExampleLayout([2], 1);
        foreach (var (text, domain) in ((string, string?)[])[("1,2\n", null), ("1,2,x\n", null), ("9,1,2\n", "0"), ("9,1,2,x\n", "0")])
        {
            var rows = DataSources.OpenRows(Csv(text), new DataReading(Domain: domain, Header: false), layout, TestContext.Current.CancellationToken);
            var values = new float[2];
            rows.CopyRows([0], values);
            Assert.Equal([1, 2], values);
        }
    }

    [Fact]
    public void An_order_is_cut_into_equal_parts()
    {
        var random = new SeededRandom(1, "order");
        double[] order = [.. Enumerable.Range(0, 103).Select(i => (double)i)];
        random.Shuffle(order);
        int[] parts = Domains.Ordered(order).Cut(5);
        Assert.All(parts.CountBy(p => p), p => Assert.InRange(p.Value, 20, 21));
        Assert.Equal(parts.Order(), order.Zip(parts).OrderBy(r => r.First).Select(r => r.Second));
    }

    [Fact]
    public void Equal_numbers_stay_together_in_the_part_where_their_middle_falls()
    {
        Assert.Equal([0, 1, 1, 1, 2], Domains.Ordered([1, 2, 2, 2, 3]).Cut(3));
        Assert.Equal([2, 0, 2, 1, 0, 1], Domains.Ordered([2010, 2008, 2010, 2009, 2008, 2009]).Cut(3));
        Assert.Equal([1, 1, 1], Domains.Ordered([7, 7, 7]).Cut(3));
        Assert.Throws<InvalidOperationException>(() => Domains.Named(["a", "b"], [0, 1]).Cut(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => Domains.Ordered([1, 2]).Cut(0));
    }

    [Fact]
    public void Domains_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Domains.Named(["a"], [0]));
        Assert.Throws<ArgumentException>(() => Domains.Named(["a", "b"], [0, 2]));
        Assert.Throws<ArgumentException>(() => Domains.Ordered([0, double.NaN]));
        Assert.Throws<ArgumentException>(() => LabelledData.FromTable("t", [1, 2, 3], 1, [0, 1, 0], ["x", "y"], Domains.Ordered([0, 1])));
    }

    private static string Treebank(params string?[] documents) => string.Concat(documents.Select(d =>
        (d is null ? "" : $"# newdoc id = {d}\n") + "1\tDogs\tdog\tNOUN\t_\t_\t2\tnsubj\t_\t_\n2\tbark\tbark\tVERB\t_\t_\t0\troot\t_\t_\n\n"));

    [Fact]
    public void The_genres_of_a_treebanks_documents_are_its_domains()
    {
        LabelledData Words(params string?[] documents) => Read(_scratch.Write("w.conllu", Treebank(documents)));
        var data = Words("weblog-one.com_2", null, "email-enron-1", "weblog-two");
        Assert.Equal(["weblog", "email"], data.Domains!.Names!);
        Assert.Equal([0, 0, 0, 0, 1, 1, 0, 0], data.Domains.Rows);
        Assert.Null(Words("weblog-1", "weblog-2").Domains);
        Assert.Null(Words("n01", "w02").Domains);
        Assert.Null(Words(null, "weblog-1", "email-1").Domains);
        Refused(() => Read(_scratch.Path("w.conllu"), "upos"), "w.conllu: found a treebank; expected a table with a domain column 'upos'");
    }
}
