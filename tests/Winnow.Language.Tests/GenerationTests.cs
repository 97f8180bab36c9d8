using System.Text;
using Winnow.Core;

namespace Winnow.Language.Tests;

public sealed class GenerationTests : IDisposable
{
    private readonly LlamaWeights _weights = LlamaWeights.Random(new() { Width = 32, Hidden = 64, Layers = 2, Heads = 4, KeyValueHeads = 2, HeadWidth = 8, Vocabulary = 258, Context = 400 }, new SeededRandom(4, "weights"));

    public void Dispose() => _weights.Dispose();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static async Task<string> TextAsync(TextGenerator generator, string prompt, GenerationOptions options, ulong seed = 1)
    {
        var text = new StringBuilder();
        await foreach (string piece in generator.ContinueAsync(prompt, options, new SeededRandom(seed, "text"), Cancellation))
            text.Append(piece);
        return text.ToString();
    }

    private async Task<string> AnewAsync(string prompt, GenerationOptions options, ulong seed = 1)
    {
        using var session = new LlamaSession(_weights);
        return await TextAsync(new(session, new Letters()), prompt, options, seed);
    }

    private static readonly GenerationOptions Warm = new() { Tokens = 120, Sampling = new() { Temperature = 1 } };

    [Fact]
    public async Task Texts_are_the_same_for_a_seed_and_end_before_a_stop_string()
    {
        string text = await AnewAsync("hello", Warm);
        Assert.Equal(text, await AnewAsync("hello", Warm));
        Assert.NotEqual(text, await AnewAsync("hello", Warm, seed: 2));
        Assert.Equal(120, text.Length);
        string stop = text[60..63];
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], await AnewAsync("hello", Warm with { Stops = ["never this", stop] }));
        // a stop that only begins is text
        Assert.Equal(text, await AnewAsync("hello", Warm with { Stops = [text[117..] + "…"] }));
        Assert.Equal("", await AnewAsync("hello", Warm with { Tokens = 0 }));
    }

    [Fact]
    public async Task What_two_prompts_share_is_read_once_and_changes_nothing()
    {
        using var session = new LlamaSession(_weights);
        var generator = new TextGenerator(session, new Letters());
        await TextAsync(generator, "a long shared beginning, then one", Warm);
        Assert.Equal(0, generator.Reused);
        string second = await TextAsync(generator, "a long shared beginning, then two", Warm);
        Assert.Equal(1 + "a long shared beginning, then ".Length, generator.Reused);
        Assert.Equal(await AnewAsync("a long shared beginning, then two", Warm), second);
        string again = await TextAsync(generator, "a long shared beginning, then two", Warm);
        Assert.Equal("a long shared beginning, then two".Length, generator.Reused); // all but the last token, whose logits are needed
        Assert.Equal(second, again);
    }

    private async Task<string[]> TogetherAsync(string[] prompts, GenerationOptions options, int capacity = 400, int threads = 1)
    {
        using var batch = new BatchGenerator(_weights, new Letters(), capacity, threads);
        string[] texts = [.. prompts.Select(_ => "")];
        await foreach (var (text, piece) in batch.ContinueAsync(prompts, options, i => new SeededRandom((ulong)i, "text"), Cancellation))
            texts[text] += piece;
        Assert.True(batch.Made <= prompts.Length * (options.Tokens ?? capacity));
        return texts;
    }

    [Theory, InlineData(1), InlineData(2)] // oracle: a batch of several is several batches of one
    public async Task Texts_made_together_are_those_made_alone(int threads)
    {
        string[] prompts = [.. Enumerable.Range(0, 20).Select(i => new string((char)('a' + i), 1 + 7 * i % 30))]; // of other lengths, more than logits are made of at once
        string[] together = await TogetherAsync(prompts, Warm, threads: threads);
        for (int i = 0; i < prompts.Length; i++)
            Assert.Equal(await AnewAsync(prompts[i], Warm, (ulong)i), together[i]);
        Assert.Equal(together[3..5], (await TogetherAsync(prompts, Warm))[3..5]);
        int whole = Array.FindIndex(together, t => t.Length == 120);
        var stopped = Warm with { Stops = [together[whole][60..63]] };
        string cut = await AnewAsync(prompts[whole], stopped, (ulong)whole);
        Assert.InRange(cut.Length, 0, 60);
        Assert.Equal(cut, (await TogetherAsync(prompts, stopped))[whole]);
    }

    [Fact]
    public async Task Texts_of_a_batch_end_each_at_its_own_end()
    {
        string[] prompts = [.. Enumerable.Range(0, 12).Select(i => new string('1', i))];
        string[] texts = await TogetherAsync(prompts, new() { Sampling = new() { Temperature = 1 } }, capacity: 30);
        Assert.All(texts.Zip(prompts), t => Assert.InRange(t.First.Length, 0, 30 - t.Second.Length)); // one more token than was read
        Assert.Contains(texts.Zip(prompts), t => t.First.Length == 30 - t.Second.Length);
        Assert.Contains(texts.Zip(prompts), t => t.First.Length < 30 - t.Second.Length); // the token that ends texts
        Assert.Empty(await TogetherAsync([], Warm));
        Assert.Contains("at most 30", (await Assert.ThrowsAsync<InputException>(() => TogetherAsync(["a", new string('x', 30)], Warm, capacity: 30))).Message);
    }

    [Fact]
    public void What_cannot_be_read_together_is_refused_and_nothing_is_read()
    {
        using var a = new LlamaSession(_weights, 2);
        using var b = new LlamaSession(_weights, 5);
        using var other = LlamaWeights.Random(_weights.Shape, new SeededRandom(5, "weights"));
        using var c = new LlamaSession(other);
        Assert.Throws<ArgumentException>(() => LlamaSession.ReadTogether([a, c], [1, 2]));
        Assert.Throws<ArgumentException>(() => LlamaSession.ReadTogether([a, a], [1, 2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LlamaSession.ReadTogether([a, b], [1]));
        Assert.Throws<InputException>(() => LlamaSession.ReadTogether([a, b], [1, 258]));
        b.Read([1, 2, 3], Cancellation);
        LlamaSession.ReadTogether([a, b], [1, 4]);
        a.Read([1], Cancellation);
        Assert.Contains("at most 2", Assert.Throws<InputException>(() => LlamaSession.ReadTogether([a, b], [1, 4])).Message);
        Assert.Equal((2, 4), (a.Position, b.Position));
        LlamaSession.ReadTogether([], []);
    }

    [Fact]
    public async Task It_goes_on_to_the_end_of_the_context_and_no_further()
    {
        using var session = new LlamaSession(_weights, capacity: 30);
        string text = await TextAsync(new(session, new Letters()), "12345", new() { Sampling = new() { Temperature = 1 } });
        Assert.Equal(30 - 6 + 1, text.Length); // one more token than was read
        Assert.Contains("at most 30", (await Assert.ThrowsAsync<InputException>(() => TextAsync(new(session, new Letters()), new string('x', 30), Warm))).Message);
    }

    [Fact]
    public async Task Bad_requests_are_refused_and_it_stops_when_told()
    {
        using var session = new LlamaSession(_weights);
        var generator = new TextGenerator(session, new Letters());
        Assert.Contains("stop strings", (await Assert.ThrowsAsync<InputException>(() => TextAsync(generator, "a", Warm with { Stops = [""] }))).Message);
        foreach (var bad in (SamplingOptions[])[new() { Temperature = -1 }, new() { Temperature = double.NaN }, new() { TopK = -1 }, new() { TopP = 0 }, new() { MinP = 2 }, new() { RepetitionPenalty = 0 }])
            Assert.Throws<InputException>(() => bad.Checked());
        using var stop = new CancellationTokenSource();
        int pieces = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (string _ in generator.ContinueAsync("a", Warm, new SeededRandom(1, "text"), stop.Token))
                if (++pieces == 5)
                    stop.Cancel();
        });
        Assert.Equal(5, pieces);
    }

    // χ² with 3 degrees of freedom: beyond 25 with probability 1.5e-5.
    [Fact]
    public void Draws_follow_the_probabilities()
    {
        float[] logits = [1, 0.5f, -1, 0];
        var sampler = new Sampler(new() { Temperature = 0.8 }, 4, new SeededRandom(1, "draws"));
        double[] p = [.. logits.Select(l => Math.Exp(l / 0.8))];
        var counts = new int[4];
        for (int i = 0; i < 20_000; i++)
            counts[sampler.Next(logits)]++;
        Assert.InRange(Enumerable.Range(0, 4).Sum(i => Math.Pow(counts[i] - 20_000 * p[i] / p.Sum(), 2) / (20_000 * p[i] / p.Sum())), 0, 25);
    }

    [Theory]
    [InlineData(2, 1.0, 0.0, "0 2")]
    [InlineData(0, 0.6, 0.0, "0 2")] // 0.52 and 0.26
    [InlineData(0, 0.5, 0.0, "0")]
    [InlineData(0, 1.0, 0.4, "0 2")] // at least 0.4 of the largest
    [InlineData(0, 1.0, 0.3, "0 1 2")]
    [InlineData(3, 1.0, 0.4, "0 2")]
    [InlineData(0, 1.0, 0.0, "0 1 2 3")]
    public void Only_the_likely_ones_are_drawn(int topK, double topP, double minP, string expected)
    {
        float[] logits = [MathF.Log(0.52f), MathF.Log(0.17f), MathF.Log(0.26f), MathF.Log(0.05f)];
        var sampler = new Sampler(new() { Temperature = 1, TopK = topK, TopP = topP, MinP = minP }, 4, new SeededRandom(1, "draws"));
        Assert.Equal(expected, string.Join(' ', Enumerable.Range(0, 2000).Select(_ => sampler.Next(logits)).Distinct().Order()));
    }

    [Fact]
    public void Choosing_allocates_nothing()
    {
        var sampler = new Sampler(new() { Temperature = 1, TopK = 3, TopP = 0.9, MinP = 0.01, RepetitionPenalty = 1.1 }, 4, new SeededRandom(1, "draws"));
        float[] logits = [1, 0.5f, -1, 0];
        sampler.See(2);
        for (int i = 0; i < 100; i++)
            sampler.Next(logits);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            sampler.Next(logits);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void The_largest_logit_wins_without_temperature_and_what_occurred_is_penalised()
    {
        var greedy = new Sampler(new() { RepetitionPenalty = 2 }, 4, new SeededRandom(1, "draws"));
        Assert.Equal(1, greedy.Next([1, 3, 3, 2]));
        greedy.See(1);
        greedy.See(2);
        Assert.Equal(3, greedy.Next([1, 3, 3, 2]));
        greedy.See(3);
        Assert.Equal(0, greedy.Next([-2, -1.5f, -3, -2])); // the others doubled: -3, -6, -4
        Assert.Contains("logit 2", Assert.Throws<InputException>(() => greedy.Next([1, 2, float.NaN, 0])).Message);
    }

    /// <summary>A token a Latin-1 letter; 256 begins a text, 257 would end it.</summary>
    private sealed class Letters : ITokenizer
    {
        public int Count => 258;

        public int? Begin => 256;

        public IReadOnlyList<int> Ends { get; } = [257];

        public IReadOnlyList<int> Encode(string text) => [.. text.Select(c => (int)c)];

        public ReadOnlyMemory<byte> Bytes(int token, bool first) => token < 256 ? Encoding.UTF8.GetBytes(((char)token).ToString()) : default;
    }
}
