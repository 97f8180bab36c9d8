namespace Winnow.Language;

/// <summary>Text as token numbers, and back.</summary>
public interface ITokenizer
{
    /// <summary>Tokens of the vocabulary.</summary>
    int Count { get; }

    /// <summary>The token that begins a text; null where there is none.</summary>
    int? Begin { get; }

    /// <summary>Tokens that end a text.</summary>
    IReadOnlyList<int> Ends { get; }

    /// <summary>The tokens of a text, without the one that begins it.</summary>
    IReadOnlyList<int> Encode(string text);

    /// <summary>The token of a special mark such as <c>&lt;|im_end|&gt;</c>, which no text becomes; null where there is none.</summary>
    int? Mark(string mark) => null;

    /// <summary>The bytes of a token, UTF-8, perhaps a part of a character.</summary>
    /// <param name="token">The token.</param>
    /// <param name="first">Whether it begins the text: a leading space is then left out where the tokeniser adds one.</param>
    ReadOnlyMemory<byte> Bytes(int token, bool first);
}
