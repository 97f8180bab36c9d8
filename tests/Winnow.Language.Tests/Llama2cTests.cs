using System.Buffers.Binary;
using System.Text;
using Winnow.Core;

namespace Winnow.Language.Tests;

/// <summary>Files of llama2.c, whole and hostile.</summary>
public sealed class Llama2cTests : IDisposable
{
    private const int Width = 16, Hidden = 24, Layers = 2, Heads = 4, KeyHeads = 2, Vocabulary = 300, Context = 20;
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-llama2c").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>A file whose number i is i / 1000, in the format's order.</summary>
    private static byte[] Model(bool tied = true, params (int At, int Value)[] header)
    {
        int keys = KeyHeads * Width / Heads, parameters = Vocabulary * Width * (tied ? 1 : 2) + Width + Layers * (2 * Width + 2 * Width * Width + 2 * keys * Width + 3 * Hidden * Width) + Context * Width / Heads;
        var bytes = new byte[28 + 4 * parameters];
        int[] sizes = [Width, Hidden, Layers, Heads, KeyHeads, tied ? Vocabulary : -Vocabulary, Context];
        foreach (var (at, value) in header)
            sizes[at] = value;
        for (int i = 0; i < 7; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * i), sizes[i]);
        for (int i = 0; i < parameters; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(28 + 4 * i), i / 1000f);
        return bytes;
    }

    private static byte[] Tokens(int count, Func<int, (string Piece, float Score)>? piece = null)
    {
        using var stream = new MemoryStream();
        stream.Write(BitConverter.GetBytes(10));
        for (int i = 0; i < count; i++)
        {
            var (text, score) = piece?.Invoke(i) ?? Piece(i);
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            stream.Write(BitConverter.GetBytes(score));
            stream.Write(BitConverter.GetBytes(bytes.Length));
            stream.Write(bytes);
        }
        return stream.ToArray();
    }

    private static (string, float) Piece(int i) => i switch
    {
        0 => ("<unk>", 0),
        1 => ("\n<s>\n", 0),
        2 => ("\n</s>\n", 0),
        < 259 => ($"<0x{i - 3:X2}>", 0),
        _ => (new[] { " ", "a", "b", "n", "ba", "an", " b", "na", "ban", "ä" }.ElementAtOrDefault(i - 259) ?? $"piece{i}", i is 263 ? -1 : i is 264 ? -2 : i is 265 ? -9 : i is 267 ? -5 : -8),
    };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public unsafe void Weights_are_where_the_format_has_them(bool tied)
    {
        using var weights = Llama2cFile.Load(Write("model.bin", Model(tied)));
        var s = weights.Shape;
        Assert.Equal((Width, Hidden, Layers, Heads, KeyHeads, Vocabulary, Context, tied), (s.Width, s.Hidden, s.Layers, s.Heads, s.KeyValueHeads, s.Vocabulary, s.Context, s.TiedHead));
        Assert.True(s.RopeInterleaved);
        int keys = KeyHeads * Width / Heads, at = Vocabulary * Width + Layers * Width;
        float[] row = new float[Hidden];
        fixed (float* p = row)
        {
            weights.Layers[1].Query.Read(3, p);
            Assert.Equal((at + Width * Width + 3 * Width) / 1000f, row[0]);
            at += 2 * Layers * Width * Width + 2 * Layers * keys * Width + Layers * Width; // queries, outputs; keys, values; norms
            weights.Layers[1].Down.Read(0, p); // gate for all layers, then down
            Assert.Equal((at + Layers * Hidden * Width + Width * Hidden + 5) / 1000f, row[5]);
            at += 3 * Layers * Hidden * Width;
            Assert.Equal(at / 1000f, weights.FinalNorm[0]);
            weights.Head.Read(1, p);
            Assert.Equal(tied ? Width / 1000f : (at + Width + Context * Width / Heads + Width) / 1000f, row[0]);
        }
        Assert.Equal(tied, ReferenceEquals(weights.Head, weights.Embedding));
    }

    [Fact]
    public void Cut_long_and_hostile_files_are_refused()
    {
        byte[] whole = Model();
        Assert.True(Llama2cFile.Is(Write("whole.bin", whole)));
        Refused(whole[..^4], "The file is cut short or of another kind");
        Refused([.. whole, 0, 0, 0, 0], "The file is cut short or of another kind");
        Refused([], "an empty file");
        Refused(whole[..20], "cut short");
        Refused(Model(true, (0, int.MaxValue)), "width");
        Refused(Model(true, (0, 1 << 20), (3, 64), (2, 4096), (1, 1 << 22), (5, 1 << 24)), "bytes");
        Refused(Model(true, (2, -1)), "layers -1");
        Refused(Model(true, (3, 0)), "0 heads");
        Refused(Model(true, (4, 3)), "4 heads of queries and 3 of keys");
        Refused(Model(true, (5, int.MinValue)), "heads");
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => Llama2cFile.Load(Path.Combine(_folder, "none.bin"))).Message);

        void Refused(byte[] bytes, string part)
        {
            string path = Write("bad.bin", bytes);
            var error = Assert.Throws<InputException>(() => Llama2cFile.Load(path));
            Assert.Contains(part, error.Message);
            Assert.Contains("bad.bin", error.Message);
            Assert.False(Llama2cFile.Is(path));
        }
    }

    [Fact]
    public void The_best_pair_is_joined_first_and_other_characters_are_bytes()
    {
        var tokenizer = Llama2cTokenizer.Load(Write("tok.bin", Tokens(Vocabulary)), Vocabulary);
        // " banana": ba (-1) first, then an (-2), then ban of ba and n (-5)
        Assert.Equal(" |ban|an|a", Pieces("banana"));
        Assert.Equal(" |ä", Pieces("ä"));
        Assert.Equal([259, 3 + 0xE2, 3 + 0x82, 3 + 0xAC], tokenizer.Encode("€"));
        Assert.Empty(tokenizer.Encode(""));
        Assert.Equal("€", Encoding.UTF8.GetString([.. tokenizer.Encode("€").Skip(1).SelectMany(t => tokenizer.Bytes(t, false).ToArray())]));
        Assert.Equal((0, 1, 0), (tokenizer.Bytes(259, first: true).Length, tokenizer.Bytes(259, first: false).Length, tokenizer.Bytes(1, first: false).Length));

        string Pieces(string text) => string.Join('|', tokenizer.Encode(text).Select(t => Encoding.UTF8.GetString(tokenizer.Bytes(t, false).Span)));
    }

    // The definition: the best pair of all, the leftmost of equals, again and again.
    [Fact]
    public void Any_text_is_joined_as_the_definition_says_and_a_long_one_at_once()
    {
        var tokenizer = Llama2cTokenizer.Load(Write("tok.bin", Tokens(Vocabulary)), Vocabulary);
        var score = Enumerable.Range(0, Vocabulary).Select(Piece).Select((p, i) => (p.Item1, p.Item2, i)).Where(p => p.i >= 259).ToDictionary(p => p.Item1, p => p.Item2);
        var random = new SeededRandom(2, "texts");
        for (int round = 0; round < 200; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => "abn "[random.Next(4)]));
            List<string> parts = [.. (" " + text).Select(c => c.ToString())];
            while (Enumerable.Range(0, parts.Count - 1).Where(i => score.ContainsKey(parts[i] + parts[i + 1])).OrderByDescending(i => score[parts[i] + parts[i + 1]]).Cast<int?>().FirstOrDefault() is { } at)
            {
                parts[at] += parts[at + 1];
                parts.RemoveAt(at + 1);
            }
            Assert.Equal(parts, tokenizer.Encode(text).Select(t => Encoding.UTF8.GetString(tokenizer.Bytes(t, false).Span)));
        }
        string book = string.Concat(Enumerable.Repeat("banana ban ", 20_000));
        Assert.Equal(" " + book, Encoding.UTF8.GetString([.. tokenizer.Encode(book).SelectMany(t => tokenizer.Bytes(t, false).ToArray())]));
    }

    [Fact]
    public void Bad_tokenisers_are_refused()
    {
        Refused(Tokens(Vocabulary)[..^1], Vocabulary, "piece 299");
        Refused(Tokens(Vocabulary), Vocabulary + 1, "the end after 300 pieces");
        Refused(Tokens(Vocabulary), Vocabulary - 1, "bytes after 299 pieces");
        Refused(Tokens(20), 20, "at least 259");
        Refused(Tokens(Vocabulary, i => (i == 280 ? new string('x', 5000) : "x", 0)), Vocabulary, "piece 280 of 5000 bytes");
        Refused(Tokens(Vocabulary, i => ("x", i == 7 ? float.NaN : 0)), Vocabulary, "piece 7");
        byte[] huge = Tokens(Vocabulary);
        BinaryPrimitives.WriteInt32LittleEndian(huge.AsSpan(8), int.MaxValue);
        Refused(huge, Vocabulary, "piece 0 of 2147483647 bytes");

        void Refused(byte[] bytes, int count, string part) => Assert.Contains(part, Assert.Throws<InputException>(() => Llama2cTokenizer.Load(Write("tok.bin", bytes), count)).Message);
    }

    [Fact]
    public void A_folder_is_a_model_with_its_tokeniser()
    {
        Assert.Contains("nothing", Assert.Throws<InputException>(() => Load(Path.Combine(_folder, "none"))).Message);
        Assert.Contains("0 models among 0 files", Assert.Throws<InputException>(() => Load(_folder)).Message);
        string model = Write("model.bin", Model());
        Assert.Contains("no tokeniser beside it", Assert.Throws<InputException>(() => Load(_folder)).Message);
        Write("tok300.bin", Tokens(Vocabulary));
        foreach (string path in (string[])[_folder, model])
        {
            using var loaded = Load(path);
            Assert.Equal(("model", Vocabulary), (loaded.Name, loaded.Tokenizer.Count));
        }
        Assert.Contains("no model of llama2.c", Assert.Throws<InputException>(() => Load(Path.Combine(_folder, "tok300.bin"))).Message);
        Write("other.bin", Model());
        Assert.Contains("2 models", Assert.Throws<InputException>(() => Load(_folder)).Message);

        static LanguageModel Load(string path) => LanguageModel.Load(path, cancellation: TestContext.Current.CancellationToken);
    }
}
