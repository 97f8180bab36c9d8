// Reads a prompt once, keeps it under several policies, and says what each holds and how far its next words are from the full cache's:  dotnet run -c Release examples/halve-the-kv-cache.cs MODEL "a prompt"
// MODEL is a folder of Hugging Face or a file of llama2.c; without arguments a small model of random weights stands in.
#:project ../src/Winnow.KvCache/Winnow.KvCache.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Core;
using Winnow.KvCache;
using Winnow.Language;

const int Next = 32;
using var model = args.Length > 0 ? LanguageModel.Load(args[0]) : null;
var weights = model?.Weights ?? LlamaWeights.Random(new() { Width = 64, Hidden = 128, Layers = 4, Heads = 4, KeyValueHeads = 2, HeadWidth = 16, Vocabulary = 256, Context = 512 }, new SeededRandom(1, "model"));
int[] tokens = model is null ? [.. Enumerable.Range(0, 200).Select(i => i * i % 251)]
    : [.. model.Tokenizer.Begin is { } begin ? [begin] : Array.Empty<int>(), .. model.Tokenizer.Encode(args.Length > 1 ? args[1] : "Once upon a time there was a little girl who had a red ball. She loved it more than all her toys, and every day she took it to the park.")];

var rotary = new RotaryTable(weights.Shape, tokens.Length + Next);
using var session = new LlamaSession(weights, tokens.Length + Next);
var prompt = Prompt.Read(session, weights.Shape, tokens, rotary);

// what the full cache says next
var text = new List<int>();
var truth = new List<float[]>();
session.Rewind(tokens.Length - 1);
var logits = session.Read(tokens.AsSpan(tokens.Length - 1));
for (int i = 0; i < Next; i++)
{
    text.Add(Likeliest(logits));
    logits = session.Read(new[] { text[^1] });
    truth.Add(logits.ToArray());
}

var arena = new KvCacheArena();
foreach (string name in (string[])["full", "q8_0", "snapkv", "h2o", "windowkv+q8_0"])
{
    var cache = arena.Policy(name).Prefill(prompt);
    long bytes = cache.Bytes.Total, full = cache.FullBytes;
    int same = 0;
    for (int i = 0; i < Next; i++)
        same += Likeliest(session.Step(text[i], tokens.Length + i, cache)) == Likeliest(truth[i]) ? 1 : 0;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-16} {bytes,9:N0} bytes, {(double)bytes / full,4:P0} of half precision; {same} of {Next} next tokens are the same"));
}

static int Likeliest(ReadOnlySpan<float> logits)
{
    int best = 0;
    for (int t = 1; t < logits.Length; t++)
        best = logits[t] > logits[best] ? t : best;
    return best;
}
