// A local model behind IChatClient, as any application of Microsoft.Extensions.AI takes it:  dotnet run -c Release examples/chat-with-a-local-model.cs MODEL "What is a cat?"
#:project ../src/Winnow.Language/Winnow.Language.csproj
#:property PublishAot=false
using Microsoft.Extensions.AI;
using Winnow.Language;

if (args.Length < 1)
{
    Console.Error.WriteLine("Give a model: a folder of Hugging Face, or a file of llama2.c with its tokeniser beside it.");
    return 2;
}
using var model = LanguageModel.Load(args[0]);
using IChatClient client = new LocalChatClient(model, threads: Environment.ProcessorCount);
var conversation = new List<ChatMessage> { new(ChatRole.User, args.Length > 1 ? args[1] : "What is a cat?") };
var updates = new List<ChatResponseUpdate>();
await foreach (var update in client.GetStreamingResponseAsync(conversation, new() { MaxOutputTokens = 80, Temperature = 0.7f, Seed = 1 }))
{
    Console.Write(update.Text);
    updates.Add(update);
}
Console.WriteLine();

// the next turn reads only what is new
conversation.AddRange(updates.ToChatResponse().Messages);
conversation.Add(new(ChatRole.User, "And a dog?"));
Console.WriteLine(await client.GetResponseAsync(conversation, new() { MaxOutputTokens = 80, Seed = 1 }));
return 0;
