using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>How turns of a conversation become a text.</summary>
public enum ChatFormat
{
    /// <summary>By the marks that the model's tokeniser knows.</summary>
    Auto,

    /// <summary><c>&lt;|im_start|&gt;role … &lt;|im_end|&gt;</c>, as Qwen.</summary>
    ChatMl,

    /// <summary><c>&lt;|start_header_id|&gt;role&lt;|end_header_id|&gt; … &lt;|eot_id|&gt;</c>, as Llama 3.</summary>
    Llama3,

    /// <summary>The turns one after the other, each in a line that its role begins: for models that know no marks.</summary>
    Plain,
}

/// <summary>
/// A model on this machine behind <see cref="IChatClient"/>: streaming, cancellation, stop sequences, seeds; a conversation that goes on reads only what is new. One conversation at a time:
/// calls wait for each other. Takes the usual options (temperature, top-k, top-p, most tokens, stop sequences, seed) and <c>min_p</c> and <c>repetition_penalty</c> among the additional
/// properties; tools are not called.
/// </summary>
public sealed class LocalChatClient : IChatClient
{
    private const int Tokens = 512, Room = 4096;
    private readonly LanguageModel _model;
    private readonly LlamaSession _session;
    private readonly TextGenerator _generator;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly ChatFormat _format;

    /// <summary>A client.</summary>
    /// <param name="model">The model, which it does not own.</param>
    /// <param name="format">How turns become a text.</param>
    /// <param name="capacity">Most tokens of a conversation, for which memory is taken at once; null for 4,096 or the model's context, whichever is less.</param>
    /// <param name="threads">Threads.</param>
    public LocalChatClient(LanguageModel model, ChatFormat format = ChatFormat.Auto, int? capacity = null, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _session = new(model.Weights, capacity ?? Math.Min(Room, model.Weights.Shape.Context), threads);
        _generator = new(_session, model.Tokenizer);
        _format = format != ChatFormat.Auto ? format : Knows("<|im_start|>", "<|im_end|>") ? ChatFormat.ChatMl : Knows("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>") ? ChatFormat.Llama3 : ChatFormat.Plain;
        if (_format == ChatFormat.ChatMl && !Knows("<|im_start|>", "<|im_end|>") || _format == ChatFormat.Llama3 && !Knows("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"))
        {
            _session.Dispose();
            throw InputException.At("chat format", $"{_format} and a tokeniser without its marks", "a format whose marks the model knows", "Take auto, or plain.");
        }

        bool Knows(params string[] marks) => marks.All(m => model.Tokenizer.Mark(m) is not null);
    }

    /// <summary>How turns become a text.</summary>
    public ChatFormat Format => _format;

    /// <summary>The tokens of a conversation, up to where the answer begins. Marks are tokens of their own, which no message can forge.</summary>
    internal int[] Tokenised(IEnumerable<ChatMessage> messages)
    {
        var tokenizer = _model.Tokenizer;
        List<int> tokens = tokenizer.Begin is { } begin ? [begin] : [];
        if (_format == ChatFormat.Plain)
        {
            tokens.AddRange(tokenizer.Encode(string.Concat(messages.Select(m => $"{m.Role.Value}: {m.Text}\n")) + "assistant:"));
            return [.. tokens];
        }
        foreach (var message in messages)
        {
            Open(message.Role.Value);
            Text(message.Text);
            Close();
        }
        Open(ChatRole.Assistant.Value);
        return [.. tokens];

        void Mark(string mark) => tokens.Add(tokenizer.Mark(mark)!.Value);
        void Text(string text) => tokens.AddRange(tokenizer.Encode(text));

        void Open(string role)
        {
            Mark(_format == ChatFormat.ChatMl ? "<|im_start|>" : "<|start_header_id|>");
            Text(_format == ChatFormat.ChatMl ? role + "\n" : role);
            if (_format == ChatFormat.ChatMl)
                return;
            Mark("<|end_header_id|>");
            Text("\n\n");
        }

        void Close()
        {
            Mark(_format == ChatFormat.ChatMl ? "<|im_end|>" : "<|eot_id|>");
            if (_format == ChatFormat.ChatMl)
                Text("\n");
        }
    }

    /// <inheritdoc/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ChatMessage[] all = [.. messages];
        if (all.Length == 0)
            throw InputException.At("messages", "none", "at least one", "Say something.");
        string[] stops = _format == ChatFormat.Plain ? ["\nuser:", "\nassistant:", "\nsystem:"] : [];
        int[] ends = [.. ((string[])["<|im_end|>", "<|eot_id|>"]).Select(_model.Tokenizer.Mark).OfType<int>()];
        var how = new GenerationOptions
        {
            Tokens = options?.MaxOutputTokens ?? Tokens,
            Stops = [.. stops, .. options?.StopSequences ?? []],
            Sampling = new()
            {
                Temperature = options?.Temperature ?? 0.8,
                TopK = options?.TopK ?? 0,
                TopP = options?.TopP ?? 1,
                MinP = Extra("min_p", 0),
                RepetitionPenalty = Extra("repetition_penalty", 1),
            },
        };
        var random = new SeededRandom((ulong)(options?.Seed ?? 1), "chat");
        string id = Guid.NewGuid().ToString("N");
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            bool first = true;
            await foreach (string piece in _generator.ContinueAsync(Tokenised(all), ends, how, random, cancellationToken).ConfigureAwait(false))
            {
                string text = first && _format == ChatFormat.Plain ? piece.TrimStart(' ') : piece;
                first = false;
                yield return new(ChatRole.Assistant, text) { MessageId = id, ResponseId = id, ModelId = _model.Name };
            }
        }
        finally
        {
            _turn.Release();
        }

        double Extra(string name, double otherwise) => options?.AdditionalProperties?.TryGetValue(name, out var value) == true
            ? Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture) : otherwise;
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("winnow", null, _model.Name) : serviceType.IsInstanceOfType(this) ? this : serviceType.IsInstanceOfType(_model) ? _model : null;
    }

    /// <summary>Gives the session's memory back; the model stays.</summary>
    public void Dispose()
    {
        _session.Dispose();
        _turn.Dispose();
    }
}
