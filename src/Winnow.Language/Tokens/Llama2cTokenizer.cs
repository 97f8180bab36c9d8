using System.Buffers.Binary;
using System.Text;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>
/// Tokeniser files of llama2.c: pieces with scores of a SentencePiece model. A text begins with a space; its characters are joined pair by pair, the pair with the
/// highest score first (the leftmost of equals), until no pair is a piece; characters that are no piece become bytes. Cost: O(n log n) for n characters.
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
        return Joined(tokens);
    }

    /// <summary>Pairs wait in a queue, by falling score and then from the left; one whose parts were joined with others meanwhile is passed over.</summary>
    private List<int> Joined(List<int> tokens)
    {
        int n = tokens.Count;
        int[] piece = [.. tokens], next = [.. Enumerable.Range(1, n)], before = [.. Enumerable.Range(-1, n)];
        var pairs = new PriorityQueue<(int Left, int Right, int PieceLeft, int PieceRight, int Joined), (float, int)>();
        for (int i = 0; i + 1 < n; i++)
            Offer(i);
        while (pairs.TryDequeue(out var pair, out _))
        {
            var (left, right, pieceLeft, pieceRight, joined) = pair;
            if (piece[left] != pieceLeft || next[left] != right || piece[right] != pieceRight)
                continue;
            (piece[left], piece[right], next[left]) = (joined, -1, next[right]);
            if (next[left] < n)
            {
                before[next[left]] = left;
                Offer(left);
            }
            if (before[left] >= 0)
                Offer(before[left]);
        }
        return [.. piece.Where(p => p >= 0)];

        void Offer(int left)
        {
            int right = next[left];
            if (_numbers.TryGetValue(Encoding.Latin1.GetString(_pieces[piece[left]]) + Encoding.Latin1.GetString(_pieces[piece[right]]), out int joined))
                pairs.Enqueue((left, right, piece[left], piece[right], joined), (-_scores[joined], left));
        }
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
