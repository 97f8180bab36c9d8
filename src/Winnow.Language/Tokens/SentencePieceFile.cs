using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>
/// The tokeniser of older folders of Hugging Face: <c>tokenizer.model</c>, a SentencePiece model with pairs (Llama 1 and 2, Mistral). Encoding by Microsoft.ML.Tokenizers. A special token in a
/// prompt is read letter by letter.
/// </summary>
public sealed class SentencePieceFile : ITokenizer
{
    /// <summary>The file's name in a folder.</summary>
    public const string Name = "tokenizer.model";

    private const long Largest = 64L << 20;
    private readonly SentencePieceTokenizer _tokenizer;
    private readonly byte[]?[] _bytes;

    private SentencePieceFile(SentencePieceTokenizer tokenizer, byte[]?[] bytes) => (_tokenizer, _bytes) = (tokenizer, bytes);

    /// <inheritdoc/>
    public int Count => _bytes.Length;

    /// <inheritdoc/>
    public int? Begin => _tokenizer.BeginningOfSentenceId;

    /// <inheritdoc/>
    public IReadOnlyList<int> Ends => [_tokenizer.EndOfSentenceId];

    /// <summary>Reads the model of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="count">Tokens that the language model has: at least as many as the tokeniser.</param>
    /// <exception cref="InputException">No such file, a damaged one, or one of another kind.</exception>
    public static SentencePieceFile Load(string folder, int count)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string path = Path.Combine(folder, Name);
        SentencePieceTokenizer tokenizer;
        try
        {
            if (new FileInfo(path).Length is var length && length is 0 or > Largest)
                throw InputException.At(path, $"{length:N0} bytes", $"1 to {Largest:N0}", "This is no such file.");
            using var stream = File.OpenRead(path);
            tokenizer = SentencePieceTokenizer.Create(stream, addBeginningOfSentence: false, addEndOfSentence: false);
        }
        catch (Exception e) when (e is not InputException and not OutOfMemoryException)
        {
            // whatever a parser of a foreign format throws at a damaged file
            throw new InputException($"{path}: found no SentencePiece model that can be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected one with pairs. Get the whole folder of one model.", e);
        }
        var bytes = new byte[]?[count];
        foreach (var (piece, number) in tokenizer.Vocabulary)
        {
            if (number < 0 || number >= count)
                throw InputException.At(path, $"the number {number} of '{piece}'", $"0 to {count - 1}, as the model has tokens", "Give the tokeniser that belongs to the model.");
            bytes[number] = number == tokenizer.BeginningOfSentenceId || number == tokenizer.EndOfSentenceId || number == tokenizer.UnknownId ? null
                : piece is ['<', '0', 'x', _, _, '>'] && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out byte b) ? [b] : Encoding.UTF8.GetBytes(piece.Replace('▁', ' '));
        }
        return new(tokenizer, bytes);
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length == 0 ? [] : _tokenizer.EncodeToIds(text, addBeginningOfSentence: false, addEndOfSentence: false);
    }

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Bytes(int token, bool first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, Count);
        byte[]? bytes = _bytes[token];
        return first && bytes is [(byte)' ', ..] ? bytes.AsMemory(1) : bytes;
    }
}
