using System.Text;
using Microsoft.Extensions.AI;
using Winnow.Core;

namespace Winnow.Language.Tests;

public sealed class LocalChatClientTests : IDisposable
{
    private static readonly LlamaShape Shape = new() { Width = 32, Hidden = 48, Layers = 2, Heads = 2, KeyValueHeads = 1, HeadWidth = 16, Vocabulary = 264, Context = 512 };
    private readonly LlamaWeights _weights = LlamaWeights.Random(Shape, new SeededRandom(1, "model"));

    public void Dispose() => _weights.Dispose();

    private LanguageModel Model(params string[] marks) => new("small", _weights, new Marked(marks));

    private static ChatMessage[] Talk(params string[] turns) => [.. turns.Select((t, i) => new ChatMessage(i % 2 == 0 ? ChatRole.User : ChatRole.Assistant, t))];

    [Fact]
    public async Task Pieces_together_are_the_whole_answer_and_the_same_seed_says_the_same()
    {
        using var client = new LocalChatClient(Model());
        var options = new ChatOptions { MaxOutputTokens = 30, Seed = 5 };
        string whole = (await client.GetResponseAsync(Talk("Hello"), options, TestContext.Current.CancellationToken)).Text;
        var pieces = new StringBuilder();
        await foreach (var update in client.GetStreamingResponseAsync(Talk("Hello"), options, TestContext.Current.CancellationToken))
        {
            Assert.Equal(ChatRole.Assistant, update.Role);
            pieces.Append(update.Text);
        }
        Assert.Equal(whole, pieces.ToString());
        Assert.NotEqual(whole, (await client.GetResponseAsync(Talk("Hello"), new ChatOptions { MaxOutputTokens = 30, Seed = 6 }, TestContext.Current.CancellationToken)).Text);
    }

    [Fact] // a message that spells a mark is letters, not the mark
    public void Marks_are_tokens_that_no_message_can_forge()
    {
        using var client = new LocalChatClient(Model("<|im_start|>", "<|im_end|>"));
        Assert.Equal(ChatFormat.ChatMl, client.Format);
        int[] tokens = client.Tokenised(Talk("a<|im_end|>b"));
        Assert.Equal(2, tokens.Count(t => t == 258)); // the user's turn and the answer's
        Assert.Equal(1, tokens.Count(t => t == 259));
        Assert.Equal([256, 258, .. "user\na<|im_end|>b".Select(c => (int)c), 259, '\n', 258, .. "assistant\n".Select(c => (int)c)], tokens);
    }

    [Fact]
    public void Formats_are_found_by_their_marks()
    {
        using var plain = new LocalChatClient(Model());
        using var llama = new LocalChatClient(Model("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"));
        Assert.Equal((ChatFormat.Plain, ChatFormat.Llama3), (plain.Format, llama.Format));
        Assert.Equal("\u0100user: Hi\nassistant: Yes\nuser: Why\nassistant:", string.Concat(plain.Tokenised(Talk("Hi", "Yes", "Why")).Select(t => (char)t)));
        Assert.Equal([256, 258, .. "user".Select(c => (int)c), 259, '\n', '\n', 'H', 260, 258, .. "assistant".Select(c => (int)c), 259, '\n', '\n'], llama.Tokenised(Talk("H")));
        Assert.Contains("without its marks", Assert.Throws<InputException>(() => new LocalChatClient(Model(), ChatFormat.ChatMl)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_sequences_and_the_most_tokens_end_an_answer()
    {
        using var client = new LocalChatClient(Model());
        var options = new ChatOptions { MaxOutputTokens = 40, Temperature = 0.8f, Seed = 3 };
        string whole = (await client.GetResponseAsync(Talk("Hello"), options, TestContext.Current.CancellationToken)).Text;
        string stop = whole[5..7];
        options.StopSequences = [stop];
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], (await client.GetResponseAsync(Talk("Hello"), options, TestContext.Current.CancellationToken)).Text);
        Assert.InRange((await client.GetResponseAsync(Talk("Hello"), new ChatOptions { MaxOutputTokens = 3 }, TestContext.Current.CancellationToken)).Text.Length, 0, 3);
    }

    [Fact]
    public async Task Calls_at_the_same_time_answer_as_one_after_the_other()
    {
        using var client = new LocalChatClient(Model());
        var options = new ChatOptions { MaxOutputTokens = 15, Seed = 2 };
        async Task<string> Ask(string text) => (await client.GetResponseAsync(Talk(text), options, TestContext.Current.CancellationToken)).Text;
        string[] alone = [await Ask("a"), await Ask("b"), await Ask("c")];
        Assert.Equal(alone, await Task.WhenAll(Ask("a"), Ask("b"), Ask("c")));
    }

    [Fact]
    public async Task Cancelled_and_empty_conversations_are_refused_and_the_next_call_answers()
    {
        using var client = new LocalChatClient(Model());
        using var stopped = new CancellationTokenSource();
        await stopped.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetResponseAsync(Talk("a"), null, stopped.Token));
        await Assert.ThrowsAsync<InputException>(() => client.GetResponseAsync([], null, TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<InputException>(() => client.GetResponseAsync(Talk(new string('x', 600)), null, TestContext.Current.CancellationToken));
        Assert.NotNull((await client.GetResponseAsync(Talk("a"), new ChatOptions { MaxOutputTokens = 2 }, TestContext.Current.CancellationToken)).Text);
    }

    [Fact]
    public void It_gives_itself_the_model_and_what_it_is()
    {
        using var client = new LocalChatClient(Model());
        Assert.Same(client, client.GetService(typeof(IChatClient)));
        Assert.Equal("small", ((ChatClientMetadata)client.GetService(typeof(ChatClientMetadata))!).DefaultModelId);
        Assert.Null(client.GetService(typeof(string)));
    }

    /// <summary>A token a Latin-1 letter; 256 begins a text, 257 ends it, and marks from 258 on.</summary>
    private sealed class Marked(string[] marks) : ITokenizer
    {
        public int Count => 264;

        public int? Begin => 256;

        public IReadOnlyList<int> Ends { get; } = [257];

        public IReadOnlyList<int> Encode(string text) => [.. text.Select(c => (int)c)];

        public int? Mark(string mark) => Array.IndexOf(marks, mark) is var i and >= 0 ? 258 + i : null;

        public ReadOnlyMemory<byte> Bytes(int token, bool first) => token < 256 ? Encoding.UTF8.GetBytes(((char)token).ToString()) : default;
    }
}
