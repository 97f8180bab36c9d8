using System.Text;
using Winnow.Core;

namespace Winnow.Language.Tests;

public sealed class SentencePieceFileTests : IDisposable
{
    private static readonly string[] Learned = [" ", "a", "b", "c", "e", "h", "t", "n", "o", "th", "the", " the", "at", "cat", " c", " cat", "on", "he"];
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-sp").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static int Count => 259 + Learned.Length;

    /// <summary>A model in the format's own bytes: pieces (1), how it was trained (2), how texts are normalised (3).</summary>
    private void Write()
    {
        var file = new List<byte>();
        for (int i = 0; i < Count; i++)
        {
            var (text, kind) = i switch
            {
                0 => ("<unk>", 2),
                1 => ("<s>", 3),
                2 => ("</s>", 3),
                < 259 => ($"<0x{i - 3:X2}>", 6),
                _ => (Learned[i - 259].Replace(' ', '▁'), 1),
            };
            byte[] letters = Encoding.UTF8.GetBytes(text);
            byte[] piece = [0x0A, (byte)letters.Length, .. letters, 0x15, .. BitConverter.GetBytes(i < 259 ? 0f : 259f - i), 0x18, (byte)kind];
            file.AddRange([0x0A, (byte)piece.Length, .. piece]);
        }
        byte[] trained = [0x18, 2, 0x98, 0x02, 1, 0xC0, 0x02, 0, 0xC8, 0x02, 1, 0xD0, 0x02, 2]; // pairs, bytes for unknown letters, numbers of the three marks
        byte[] normal = [0x0A, 8, .. "identity"u8, 0x18, 1, 0x20, 0, 0x28, 1]; // a space first, no space removed, spaces as ▁
        file.AddRange([0x12, (byte)trained.Length, .. trained, 0x1A, (byte)normal.Length, .. normal]);
        File.WriteAllBytes(Path.Combine(_folder, SentencePieceFile.Name), [.. file]);
    }

    /// <summary>The same pieces in a file of llama2.c, whose encoding is written here by hand.</summary>
    private Llama2cTokenizer Twin()
    {
        string path = Path.Combine(_folder, "tok.bin");
        using (var stream = new BinaryWriter(File.Create(path)))
        {
            stream.Write(8);
            for (int i = 0; i < Count; i++)
            {
                byte[] piece = Encoding.UTF8.GetBytes(i switch { 0 => "<unk>", 1 => "\n<s>\n", 2 => "\n</s>\n", < 259 => $"<0x{i - 3:X2}>", _ => Learned[i - 259] });
                stream.Write(i < 259 ? 0f : 259f - i);
                stream.Write(piece.Length);
                stream.Write(piece);
            }
        }
        return Llama2cTokenizer.Load(path, Count);
    }

    [Theory, InlineData("the cat"), InlineData("that hat on the cat"), InlineData("naïve 中\n"), InlineData("  two  spaces"), InlineData("xyz"), InlineData("")]
    public void Texts_become_the_tokens_that_llama2c_gives_them_and_come_back(string text)
    {
        Write();
        var tokenizer = SentencePieceFile.Load(_folder, Count);
        var tokens = tokenizer.Encode(text);
        Assert.Equal(Twin().Encode(text), tokens);
        Assert.Equal(text, Encoding.UTF8.GetString([.. tokens.SelectMany((t, i) => tokenizer.Bytes(t, i == 0).ToArray())]));
    }

    [Fact]
    public void Marks_are_known_and_no_letters_of_any_text()
    {
        Write();
        var tokenizer = SentencePieceFile.Load(_folder, Count + 5);
        Assert.Equal((1, 2, Count + 5), (tokenizer.Begin!.Value, tokenizer.Ends.Single(), tokenizer.Count));
        Assert.True(tokenizer.Bytes(1, false).IsEmpty && tokenizer.Bytes(Count + 4, false).IsEmpty);
        Assert.DoesNotContain(1, tokenizer.Encode("<s>"));
    }

    [Fact]
    public void Files_that_are_not_there_empty_cut_short_or_of_another_model_are_refused()
    {
        Assert.Contains(SentencePieceFile.Name, Assert.Throws<InputException>(() => SentencePieceFile.Load(_folder, Count)).Message, StringComparison.Ordinal);
        Write();
        Assert.Contains($"0 to {Count - 2}", Assert.Throws<InputException>(() => SentencePieceFile.Load(_folder, Count - 1)).Message, StringComparison.Ordinal);
        string path = Path.Combine(_folder, SentencePieceFile.Name);
        byte[] whole = File.ReadAllBytes(path);
        foreach (byte[] damaged in new byte[][] { [], whole[..101], [.. Enumerable.Repeat((byte)0xFF, 300)] })
        {
            File.WriteAllBytes(path, damaged);
            Assert.Throws<InputException>(() => SentencePieceFile.Load(_folder, Count));
        }
    }
}
