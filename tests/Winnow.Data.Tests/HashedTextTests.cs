using Winnow.Core;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class HashedTextTests : IDisposable
{
    private const string Reviews = "label,title,body\ngood,A fine film,\"warm, funny and true\"\nbad,Dull,two hours of nothing\ngood,Lovely,see it twice\nbad,1984,no\n";
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_row_has_length_1_and_its_features_ascend()
    {
        var row = new HashedText().Features("The quick brown fox jumps over the lazy dog, over and over.");
        Assert.Equal(1, row.Values.Sum(v => (double)v * v), 1e-6);
        Assert.Equal(row.Columns.Distinct().Order(), row.Columns);
        Assert.InRange(row.Columns.Length, 15, 21); // 10 different words and 11 different pairs, few collisions
    }

    [Fact]
    public void Case_and_punctuation_do_not_matter_and_the_order_of_words_only_to_pairs()
    {
        var pairs = new HashedText();
        Equal(pairs.Features("Stock markets FALL"), pairs.Features("stock, markets... fall!"));
        Assert.NotEqual(pairs.Features("dog bites man").Columns, pairs.Features("man bites dog").Columns);
        var words = new HashedText(longest: 1);
        Equal(words.Features("dog bites man"), words.Features("man bites dog"));
    }

    [Fact]
    public void Pairs_do_not_reach_across_fields() => Assert.Equal(3, new HashedText(1 << 20).Features("ab cd").Columns.Length + new HashedText(1 << 20).Features("ab", "cd").Columns.Length - 2);

    [Fact]
    public void Products_of_rows_are_kept_on_average()
    {
        // Signed hashing keeps the inner product of two disjoint bags of 40 words at 0; its deviation is 1/sqrt(d) = 1/64 a pair, of the
        // mean of 200 independent pairs 0.0011: beyond 0.006 (five and a half deviations) with probability below 1e-7.
        var hashing = new HashedText(4096, longest: 1);
        double mean = Enumerable.Range(0, 200).Average(i => Dot(Bag("a", i), Bag("b", i)));
        Assert.InRange(mean, -0.006, 0.006);

        SparseRow Bag(string prefix, int i) => hashing.Features(string.Join(' ', Enumerable.Range(0, 40).Select(w => $"{prefix}{i}x{w}")));
        static double Dot(SparseRow a, SparseRow b) => a.Columns.Zip(a.Values).Sum(p => Array.IndexOf(b.Columns, p.First) is >= 0 and var at ? (double)p.Second * b.Values[at] : 0);
    }

    [Fact]
    public void The_hash_is_the_same_everywhere() => // computed by another program; a change would make kept models useless
        Assert.Equal([1401, 1848, 2955], new HashedText().Features("hello world").Columns);

    [Fact]
    public void A_table_whose_features_are_all_text_is_hashed_and_its_one_other_column_is_the_label()
    {
        var data = Open(_scratch.Write("r.csv", Reviews), "label");
        Assert.Equal("CSV: 4 rows of 4,096 hashed features of 2 columns of text, 2 classes (bad, good), 2 to 2 rows a class", data.Describe());
        Assert.Equal(["title", "body"], data.FeatureNames!);
        var news = Open(_scratch.Write("n.csv", "\"3\",\"Oil up\",\"Prices rise\"\n\"1\",\"Peace\",\"Talks go on\"\n\"3\",\"Oil down\",\"Prices fall\"\n"));
        Assert.Equal(["1", "3"], news.LabelNames);
        Assert.Equal([1, 0, 1], news.Labels);
        var expected = new HashedText().Features("Oil up", "Prices rise");
        var row = new float[4096];
        news.CopyRows([0], row);
        Assert.Equal(expected.Columns, Enumerable.Range(0, 4096).Where(i => row[i] != 0));
    }

    [Fact]
    public void Numbers_mixed_with_text_are_refused_as_before()
    {
        Refused(() => Open(_scratch.Write("m.csv", "age,city,plan\n31,Rome,a\n45,Oslo,b\n27,Bonn,a\n"), "plan"), "m.csv, line 2, column 1 ('city'): found 'Rome'; expected a number");
        Refused(() => Open(_scratch.Write("e.csv", "text,label\nwell,a\n!!,b\n")), "e.csv, line 3: found no word; expected text");
    }

    [Fact]
    public void New_rows_are_hashed_as_those_of_the_training_were()
    {
        var data = Open(_scratch.Write("r.csv", Reviews), "label");
        var rows = DataSources.OpenRows(_scratch.Write("new.csv", "body,title\nsee it twice,Lovely\n"), new DataReading(), data.Layout, CancellationToken.None);
        float[] known = new float[4096], fresh = new float[4096];
        data.CopyRows([2], known);
        rows.CopyRows([0], fresh);
        Assert.Equal(known, fresh);
    }

    [Fact]
    public void Text_is_scaled_as_a_whole_and_its_zeros_stay()
    {
        var data = Open(_scratch.Write("r.csv", Reviews), "label");
        var standardiser = Standardiser.Fit(data, [0, 1, 2]);
        float[] row = new float[4096];
        data.CopyRows([3], row);
        int zeros = row.Count(v => v == 0);
        standardiser.Apply(row);
        Assert.Equal(zeros, row.Count(v => v == 0));
        Assert.Equal(4096, row.Sum(v => (double)v * v), 0.01); // mean square 1
    }

    [Fact]
    public void Json_lines_are_read_as_the_table_of_their_keys()
    {
        var text = Open(_scratch.Write("r.jsonl", "{\"text\": \"A fine film\", \"label\": \"good\"}\n\n{\"label\": \"bad\", \"text\": \"Dull\"}\n"));
        Assert.Equal(Values(Open(_scratch.Write("r.csv", "text,label\nA fine film,good\nDull,bad\n"))), Values(text));
        Assert.Equal("JSON lines", text.Format);
        Assert.Equal([1, 2.5f, 3, 0], Values(Open(_scratch.Write("n.jsonl", "{\"a\": 1, \"b\": 2.5, \"y\": \"u\"}\n{\"a\": 3, \"b\": false, \"y\": \"v\"}\n"))));
        Refused(() => Open(_scratch.Write("k.jsonl", "{\"a\": 1, \"y\": \"u\"}\n{\"b\": 3, \"y\": \"v\"}\n")), "k.jsonl, line 2: found the key 'b'; expected the keys of the first line");
        Refused(() => Open(_scratch.Write("m.jsonl", "{\"a\": 1, \"y\": \"u\"}\n{\"y\": \"v\"}\n")), "line 2: found no key 'a'");
        Refused(() => Open(_scratch.Write("c.jsonl", "{\"a\": 1, \"y\": \"u\"}\n{\"a\": 1,\n")), "line 2: found '{\"a\": 1,'; expected one flat JSON object a line");
        Refused(() => Open(_scratch.Write("d.jsonl", "{\"a\": [1], \"y\": \"u\"}\n")), "line 1, 'a': found a nested value");
    }

    private const string Words = "# text = Dogs bark.\n1\tDogs\tdog\tNOUN\t_\t_\t2\tnsubj\t_\t_\n2\tbark\tbark\tVERB\t_\t_\t0\troot\t_\t_\n3\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_\n\n"
        + "1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_\n1\tIt\tit\tPRON\t_\t_\t2\tnsubj\t_\t_\n2\t's\tbe\tVERB\t_\t_\t0\troot\t_\t_\n\n";

    [Fact]
    public void Words_of_a_treebank_have_their_part_of_speech_as_class()
    {
        var data = Open(_scratch.Write("w.conllu", Words));
        Assert.Equal("CoNLL-U: 5 rows of 4,096 hashed features of words in their sentence, 4 classes (NOUN, PRON, PUNCT, VERB), 1 to 2 rows a class", data.Describe());
        Assert.Equal([0, 3, 2, 1, 3], data.Labels);
        var rows = DataSources.OpenRows(_scratch.Write("w.conllu", Words), new DataReading(), data.Layout, CancellationToken.None);
        Assert.Equal(5, rows.Count);
        Refused(() => Open(_scratch.Write("t.conllu", Words + "1\tOh\toh\n")), "t.conllu, line 10: found 3 columns; expected 10");
    }

    [Fact]
    public void Text_that_was_cut_or_spoiled_is_read_or_refused_in_one_line()
    {
        byte[] json = System.Text.Encoding.UTF8.GetBytes("{\"text\": \"A fine film\", \"label\": \"good\"}\n{\"label\": \"bad\", \"text\": \"Dull\"}\n"), words = System.Text.Encoding.UTF8.GetBytes(Words);
        var random = new SeededRandom(1, "spoil");
        for (int i = 0; i < 600; i++)
        {
            byte[] bytes = [.. i % 2 == 0 ? json : words];
            for (int n = random.Next(1, 4); n > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            string path = _scratch.Write("spoilt", i % 3 == 0 ? bytes[..random.Next(1, bytes.Length)] : bytes);
            try
            {
                _ = Open(path).Hash;
            }
            catch (InputException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    [Fact]
    public void Sizes_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new HashedText(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new HashedText(longest: 0));
    }

    private static void Equal(SparseRow a, SparseRow b)
    {
        Assert.Equal(a.Columns, b.Columns);
        Assert.Equal(a.Values, b.Values);
    }
}
