using System.Runtime.CompilerServices;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>How much text is made.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens; null for as many as the session has room for.</summary>
    public int? Tokens { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>The text ends before the first of these.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];
}

/// <summary>Goes on with texts, piece by piece. The beginning that a text shares with the one before it is not read again.</summary>
/// <param name="session">What reads: of this generator alone while it is in use.</param>
/// <param name="tokenizer">The model's tokeniser.</param>
public sealed class TextGenerator(LlamaSession session, ITokenizer tokenizer)
{
    private readonly List<int> _read = [];

    /// <summary>Tokens of the last prompt that were in the session already.</summary>
    public int Reused { get; private set; }

    /// <summary>Tokens made since the generator was.</summary>
    public long Made { get; private set; }

    /// <summary>Goes on with a text.</summary>
    /// <param name="prompt">The text; may be empty where the tokeniser has a token that begins texts.</param>
    /// <param name="options">How much, and how.</param>
    /// <param name="random">Where chance comes from.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>Pieces of whole characters, as they come, without the prompt.</returns>
    /// <exception cref="InputException">A prompt that does not fit the session, or nothing to begin with.</exception>
    public IAsyncEnumerable<string> ContinueAsync(string prompt, GenerationOptions options, SeededRandom random, CancellationToken cancellation = default) =>
        ContinueAsync([.. tokenizer.Begin is { } begin ? [begin] : (int[])[], .. tokenizer.Encode(prompt)], [], options, random, cancellation);

    /// <summary>Goes on with tokens, until one that ends texts or one of some others.</summary>
    /// <param name="tokens">The beginning, with the token that begins texts if there is one.</param>
    /// <param name="ends">Tokens that end the text besides those of the tokeniser.</param>
    /// <param name="options">How much, and how.</param>
    /// <param name="random">Where chance comes from.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>Pieces of whole characters, as they come, without the beginning.</returns>
    /// <exception cref="InputException">Tokens that do not fit the session, or nothing to begin with.</exception>
    public async IAsyncEnumerable<string> ContinueAsync(int[] tokens, IReadOnlyCollection<int> ends, GenerationOptions options, SeededRandom random, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(ends);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        var strand = new Strand(tokenizer, tokens, ends, options, random, session.Capacity);
        Reused = Math.Min(tokens.Length - 1, _read.Zip(tokens).TakeWhile(p => p.First == p.Second).Count());
        session.Rewind(Reused);
        _read.RemoveRange(Reused, _read.Count - Reused);
        Read(tokens.AsSpan(Reused));
        while (!strand.Done)
        {
            await Task.Yield();
            cancellation.ThrowIfCancellationRequested();
            Made++;
            if (strand.Take() is { Length: > 0 } piece)
                yield return piece;
            if (strand.Reads)
                Read([strand.Next]);
        }
        if (strand.Rest() is { Length: > 0 } rest)
            yield return rest;

        void Read(ReadOnlySpan<int> part)
        {
            strand.Choose(session.Read(part, cancellation));
            _read.AddRange(part);
        }
    }
}
