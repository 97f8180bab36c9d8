using System.Text;

namespace Winnow.Language;

/// <summary>Byte-level encodings as GPT-2 has them: a letter stands for each byte, those that print for themselves, the others, in order, for 256 and on.</summary>
internal static class ByteLevel
{
    /// <summary>How texts are cut before letters are joined, where a file asks for the default.</summary>
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static string Alphabet { get; } = string.Create(256, 0, static (letters, _) =>
    {
        int other = 256;
        for (int b = 0; b < 256; b++)
            letters[b] = (char)(b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? b : other++);
    });

    /// <summary>The letters of bytes.</summary>
    public static string Letters(byte[] bytes) => string.Concat(bytes.Select(b => Alphabet[b]));

    /// <summary>The bytes of a piece; an added piece in plain letters is UTF-8.</summary>
    public static byte[] Bytes(string piece)
    {
        var bytes = new byte[piece.Length];
        for (int i = 0; i < piece.Length; i++)
        {
            int at = Alphabet.IndexOf(piece[i]);
            if (at < 0)
                return Encoding.UTF8.GetBytes(piece);
            bytes[i] = (byte)at;
        }
        return bytes;
    }
}
