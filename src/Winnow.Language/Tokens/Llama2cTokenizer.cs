using System.Buffers.Binary;
using System.Text;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>
/// Tokeniser files of llama2.c: pieces with scores of a SentencePiece model. A text begins with a space; its characters are joined pair by pair, the pair with the
/// highest score first (the leftmost of equals), until no pair is a piece; characters that are no piece become bytes. Cost: O(n²) pieces of a text of n characters, at most.
/// </summary>
public sealed class Llama2cTokenizer : ITokenizer
{
    private const int Unknown = 0, BeginToken = 1, EndToken = 2, FirstByte = 3;
    private const int LongestPiece = 4096;
    private readonly byte[][] _pieces;
    private readonly float[] _scores;
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

    private Llama2cTokenizer(byte[][] pieces, float[] scores)
    {
        (_pieces, _scores) = (pieces, scores);
        for (int i = 0; i < pieces.Length; i++)
            _numbers.TryAdd(Encoding.Latin1.GetString(pieces[i]), i);
    }

    /// <inheritdoc/>
    public int Count => _pieces.Length;

    /// <inheritdoc/>
    public int? Begin => BeginToken;

    /// <inheritdoc/>
    public IReadOnlyList<int> Ends { get; } = [BeginToken, EndToken];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="count">Pieces it must have, as the model has tokens.</param>
    /// <exception cref="InputException">It is cut short, longer, or holds lengths and scores that are none.</exception>
    public static Llama2cTokenizer Load(string path, int count)
    {
        ArgumentNullException.ThrowIfNull(path);
        byte[] bytes;
        try
        {
            if (new FileInfo(path).Length > 1L << 30)
                throw InputException.At(path, $"{new FileInfo(path).Length:N0} bytes", "a tokeniser, of some megabytes at most", "Give the tokeniser that belongs to the model.");
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}). Check the path and its permissions.", e);
        }
        var pieces = new List<byte[]>();
        var scores = new List<float>();
        int at = 4;
        while (pieces.Count < count)
        {
            if (bytes.Length - at < 8)
                throw InputException.At(path, $"the end after {pieces.Count} pieces", $"{count}, as many as the model has tokens", "Give the tokeniser that belongs to the model.");
            float score = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(at));
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 4));
            if (length is < 0 or > LongestPiece || length > bytes.Length - at - 8 || float.IsNaN(score))
                throw InputException.At(path, $"piece {pieces.Count} of {length} bytes with score {score}", $"0 to {Math.Min(LongestPiece, bytes.Length - at - 8)} bytes and a number", "The file is damaged: get it again.");
            pieces.Add(bytes[(at + 8)..(at + 8 + length)]);
            scores.Add(score);
            at += 8 + length;
        }
        if (at != bytes.Length)
            throw InputException.At(path, $"{bytes.Length - at:N0} bytes after {count} pieces", "the end", "Give the tokeniser that belongs to the model.");
        if (count < FirstByte + 256)
            throw InputException.At(path, $"{count} pieces", $"at least {FirstByte + 256}: three special ones and the bytes", "Give the tokeniser that belongs to the model.");
        return new([.. pieces], [.. scores]);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return [];
        var tokens = new List<int>();
        foreach (var rune in (" " + text).EnumerateRunes())
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(rune.ToString());
            if (_numbers.TryGetValue(Encoding.Latin1.GetString(utf8), out int piece))
                tokens.Add(piece);
            else
                tokens.AddRange(utf8.Select(b => FirstByte + b));
        }
        while (true)
        {
            (float Score, int At, int Number) best = (float.NegativeInfinity, -1, Unknown);
            for (int i = 0; i + 1 < tokens.Count; i++)
                if (_numbers.TryGetValue(Key(tokens[i]) + Key(tokens[i + 1]), out int number) && _scores[number] > best.Score)
                    best = (_scores[number], i, number);
            if (best.At < 0)
                return tokens;
            tokens[best.At] = best.Number;
            tokens.RemoveAt(best.At + 1);
        }

        string Key(int token) => Encoding.Latin1.GetString(_pieces[token]);
    }

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Bytes(int token, bool first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, Count);
        if (token is Unknown or BeginToken or EndToken)
            return default;
        if (token < FirstByte + 256 && _pieces[token] is [(byte)'<', (byte)'0', (byte)'x', _, _, (byte)'>'])
            return new[] { (byte)(token - FirstByte) };
        return first && _pieces[token] is [(byte)' ', ..] ? _pieces[token].AsMemory(1) : _pieces[token];
    }
}
