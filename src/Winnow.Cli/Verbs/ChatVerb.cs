using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.AI;
using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow chat MODEL</c>: a conversation, a line at a time.</summary>
internal static class ChatVerb
{
    public static Command Make()
    {
        var model = new Argument<string>("model") { Description = "folder of Hugging Face, or file of llama2.c with its tokeniser tok*.bin beside it" };
        var system = new Option<string?>("--system") { Description = "what the model is told first" };
        var format = new Option<ChatFormat>("--format") { Description = "how turns become a text: auto, chat-ml, llama3 or plain", DefaultValueFactory = _ => ChatFormat.Auto };
        var tokens = new Option<string>("--tokens", "-n") { Description = "most tokens of an answer", DefaultValueFactory = _ => "512" };
        var room = new Option<string>("--room") { Description = "most tokens of the conversation, for which memory is taken at once; no more than the model's context", DefaultValueFactory = _ => "4096" };
        var temperature = new Option<double>("--temperature") { Description = "0 takes the likeliest token", DefaultValueFactory = _ => 0.8 };
        var weights = new Option<WeightType?>("--weights") { Description = "numbers of the weights: float32, bfloat16, int8 or int4; default as they are on disk" };
        var seed = new Option<ulong>("--seed") { Description = "seed of chance", DefaultValueFactory = _ => 1 };
        var threads = new Option<string>("--threads") { Description = "threads", DefaultValueFactory = _ => Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) };
        var command = new Command("chat", "Talks with a language model on disk: each line of the input is a turn; an empty one, or the input's end, ends it.") { model, system, format, tokens, room, temperature, weights, seed, threads };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var loaded = LanguageModel.Load(parsed.GetValue(model)!, parsed.GetValue(weights), cancellation);
            using var client = new LocalChatClient(loaded, parsed.GetValue(format), Study.ParseCount("--room", parsed.GetValue(room)!, 1_000_000), threads: Study.ParseCount("--threads", parsed.GetValue(threads)!));
            var options = new ChatOptions { MaxOutputTokens = Study.ParseCount("--tokens", parsed.GetValue(tokens)!, 1_000_000), Temperature = (float)parsed.GetValue(temperature), Seed = (long)parsed.GetValue(seed) };
            List<ChatMessage> messages = parsed.GetValue(system) is { } said ? [new(ChatRole.System, said)] : [];
            while (true)
            {
                Console.Error.Write("> ");
                if (await Console.In.ReadLineAsync(cancellation).ConfigureAwait(false) is not { Length: > 0 } line)
                    return ExitCode.Done;
                messages.Add(new(ChatRole.User, line));
                var updates = new List<ChatResponseUpdate>();
                await foreach (var update in client.GetStreamingResponseAsync(messages, options, cancellation).ConfigureAwait(false))
                {
                    Console.Write(update.Text);
                    updates.Add(update);
                }
                Console.WriteLine();
                messages.AddRange(updates.ToChatResponse().Messages);
            }
        });
        return command;
    }
}
