using System.Text;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>A text that is being made: which token comes next, what it says, and whether it is at its end.</summary>
internal sealed class Strand
{
    private readonly ITokenizer _tokenizer;
    private readonly IReadOnlyCollection<int> _ends;
    private readonly Sampler _sampler;
    private readonly StoppedText _text;
    private readonly int _most;
    private bool _first;
    private int _made;

    /// <summary>A text before its first own token.</summary>
    /// <exception cref="InputException">Nothing to begin with, or an empty stop string.</exception>
    public Strand(ITokenizer tokenizer, int[] tokens, IReadOnlyCollection<int> ends, GenerationOptions options, SeededRandom random, int capacity)
    {
        if (tokens.Length == 0)
            throw InputException.At("prompt", "an empty text", "some text", "This model has no token that begins texts.");
        if (options.Stops.Any(string.IsNullOrEmpty))
            throw InputException.At("stop strings", "an empty one", "text", "Leave it out.");
        (_tokenizer, _ends, _text) = (tokenizer, ends, new(options.Stops));
        _sampler = new(options.Sampling, tokenizer.Count, random);
        foreach (int token in tokens)
            _sampler.See(token);
        // the last token made is not read
        _most = Math.Min(options.Tokens ?? int.MaxValue, capacity - tokens.Length + 1);
        _first = tokens.Length == (tokenizer.Begin is null ? 0 : 1);
    }

    /// <summary>The token chosen last.</summary>
    public int Next { get; private set; }

    /// <summary>Whether the text is at its end.</summary>
    public bool Done => _made >= _most || _text.Stopped || _tokenizer.Ends.Contains(Next) || _ends.Contains(Next);

    /// <summary>Whether the token chosen last must be read for one more.</summary>
    public bool Reads => _made < _most && !_text.Stopped;

    /// <summary>Chooses the next token.</summary>
    public void Choose(ReadOnlySpan<float> logits) => Next = _sampler.Next(logits);

    /// <summary>Takes the token chosen last into the text: what can be said now.</summary>
    public string Take()
    {
        _made++;
        _sampler.See(Next);
        string piece = _text.Add(_tokenizer.Bytes(Next, _first).Span);
        _first = false;
        return piece;
    }

    /// <summary>What was held back.</summary>
    public string Rest() => _text.Rest();

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
