using System.Runtime.CompilerServices;
using System.Text;
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
        if (tokens.Length == 0)
            throw InputException.At("prompt", "an empty text", "some text", "This model has no token that begins texts.");
        if (options.Stops.Any(string.IsNullOrEmpty))
            throw InputException.At("stop strings", "an empty one", "text", "Leave it out.");
        Reused = Math.Min(tokens.Length - 1, _read.Zip(tokens).TakeWhile(p => p.First == p.Second).Count());
        session.Rewind(Reused);
        _read.RemoveRange(Reused, _read.Count - Reused);
        var sampler = new Sampler(options.Sampling, tokenizer.Count, random);
        foreach (int token in tokens)
            sampler.See(token);
        var text = new StoppedText(options.Stops);
        int next = Read(tokens.AsSpan(Reused)), most = Math.Min(options.Tokens ?? int.MaxValue, session.Capacity - session.Position + 1);
        bool first = tokens.Length == (tokenizer.Begin is null ? 0 : 1);
        for (int made = 0; made < most && !tokenizer.Ends.Contains(next) && !ends.Contains(next) && !text.Stopped; made++)
        {
            await Task.Yield();
            cancellation.ThrowIfCancellationRequested();
            Made++;
            sampler.See(next);
            if (text.Add(tokenizer.Bytes(next, first).Span) is { Length: > 0 } piece)
                yield return piece;
            first = false;
            if (made + 1 < most && session.Position < session.Capacity && !text.Stopped)
                next = Read([next]);
        }
        if (text.Rest() is { Length: > 0 } rest)
            yield return rest;

        int Read(ReadOnlySpan<int> part)
        {
            var logits = session.Read(part, cancellation);
            _read.AddRange(part);
            return sampler.Next(logits);
        }
    }

    /// <summary>Bytes to characters: parts of a character wait for the rest, and what may become a stop string waits, too.</summary>
    private sealed class StoppedText(IReadOnlyList<string> stops)
    {
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
        private readonly StringBuilder _waiting = new();

        public bool Stopped { get; private set; }

        public string Add(ReadOnlySpan<byte> bytes)
        {
            Span<char> characters = new char[bytes.Length + 4];
            _waiting.Append(characters[.._decoder.GetChars(bytes, characters, flush: false)]);
            string text = _waiting.ToString();
            int stop = stops.Select(s => text.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(-1).Min();
            if (stop >= 0)
            {
                Stopped = true;
                _waiting.Clear();
                return text[..stop];
            }
            int held = stops.Select(s => Enumerable.Range(1, Math.Min(s.Length - 1, text.Length)).Where(n => text.EndsWith(s[..n], StringComparison.Ordinal)).DefaultIfEmpty(0).Max()).DefaultIfEmpty(0).Max();
            _waiting.Remove(0, text.Length - held);
            return text[..(text.Length - held)];
        }

        public string Rest()
        {
            if (Stopped)
                return "";
            Span<char> characters = new char[4];
            return _waiting.Append(characters[.._decoder.GetChars([], characters, flush: true)]).ToString();
        }
    }
}
