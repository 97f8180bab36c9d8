using System.Runtime.CompilerServices;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Language;

/// <summary>
/// Goes on with several texts at once: the model's weights, which are most of what a token costs, are read once for a token of each. Every text is what it would be alone, up to rounding.
/// <code>
/// using var batch = new BatchGenerator(model.Weights, model.Tokenizer, capacity: 512, threads: 2);
/// await foreach (var (text, piece) in batch.ContinueAsync(prompts, options, i => new SeededRandom(1, $"text/{i}")))
///     answers[text] += piece;
/// </code>
/// </summary>
/// <param name="weights">The model, which it does not own.</param>
/// <param name="tokenizer">Its tokeniser.</param>
/// <param name="capacity">Most tokens of a text.</param>
/// <param name="threads">Threads.</param>
public sealed class BatchGenerator(LlamaWeights weights, ITokenizer tokenizer, int capacity, int threads = 1) : IDisposable
{
    private readonly Crew _crew = new(threads);

    /// <summary>Tokens made since the generator was.</summary>
    public long Made { get; private set; }

    /// <summary>Goes on with texts. Memory: a session of <c>capacity</c> for each.</summary>
    /// <param name="prompts">The texts; any may be empty where the tokeniser has a token that begins texts.</param>
    /// <param name="options">How much of each, and how.</param>
    /// <param name="random">Where a text's chance comes from, by its number: not from what the others are.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>Pieces of whole characters as they come, with the number of their text.</returns>
    /// <exception cref="InputException">A prompt that does not fit, or nothing to begin with; before any piece.</exception>
    public async IAsyncEnumerable<(int Text, string Piece)> ContinueAsync(IReadOnlyList<string> prompts, GenerationOptions options, Func<int, SeededRandom> random, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        var texts = new List<(int Index, LlamaSession Session, Strand Strand)>();
        var sessions = new List<LlamaSession>();
        try
        {
            foreach (var (i, prompt) in prompts.Index())
            {
                int[] tokens = [.. tokenizer.Begin is { } begin ? [begin] : (int[])[], .. tokenizer.Encode(prompt)];
                var session = new LlamaSession(weights, capacity, _crew);
                sessions.Add(session);
                var strand = new Strand(tokenizer, tokens, [], options, random(i), session.Capacity);
                strand.Choose(session.Read(tokens, cancellation));
                texts.Add((i, session, strand));
            }
            while (texts.Count > 0)
            {
                await Task.Yield();
                cancellation.ThrowIfCancellationRequested();
                foreach (var (i, _, strand) in texts.Where(t => !t.Strand.Done))
                {
                    Made++;
                    if (strand.Take() is { Length: > 0 } piece)
                        yield return (i, piece);
                }
                foreach (var (i, _, strand) in texts.Where(t => t.Strand.Done || !t.Strand.Reads))
                    if (strand.Rest() is { Length: > 0 } rest)
                        yield return (i, rest);
                texts.RemoveAll(t => t.Strand.Done || !t.Strand.Reads);
                LlamaSession.ReadTogether([.. texts.Select(t => t.Session)], [.. texts.Select(t => t.Strand.Next)]);
                foreach (var (_, session, strand) in texts)
                    strand.Choose(session.Logits);
            }
        }
        finally
        {
            foreach (var session in sessions)
                session.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _crew.Dispose();
}
