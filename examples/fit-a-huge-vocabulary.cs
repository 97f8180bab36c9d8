// A language model with 32,768 words, trained where the logits of one step would not fit:  dotnet run -c Release examples/fit-a-huge-vocabulary.cs
// Arguments: the number of steps, and a text file. Without one, AG News from the folder WINNOW_DATA; without that, a short speech.
#:project ../src/Winnow.Learning/Winnow.Learning.csproj
#:property PublishAot=false
#:property ConcurrentGarbageCollection=false
using System.Globalization;
using System.Text.RegularExpressions;
using Winnow.Learning;
using Winnow.Numerics;
using static TorchSharp.torch;

const int vocabulary = 32_768, context = 4, width = 64, rows = 2048;
const long limit = 40_000_000; // bytes for all that the loss needs beside inputs and gradients
int steps = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 60, threads = Math.Min(2, Environment.ProcessorCount);
NativeTorch.SetThreads(threads);
random.manual_seed(1);

const string speech = """
    Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and dedicated to the
    proposition that all men are created equal. Now we are engaged in a great civil war, testing whether that nation, or any nation so
    conceived and so dedicated, can long endure. We are met on a great battle-field of that war. We have come to dedicate a portion of
    that field, as a final resting place for those who here gave their lives that that nation might live. It is altogether fitting and
    proper that we should do this.
    """;
string? news = Environment.GetEnvironmentVariable("WINNOW_DATA") is { Length: > 0 } data ? Path.Combine(data, "text", "ag_news_test.csv") : null;
string text = args.Length > 1 ? File.ReadAllText(args[1]) : File.Exists(news) ? File.ReadAllText(news) : speech;
string[] words = [.. Regex.Matches(text.ToLowerInvariant(), @"\p{L}+|\d+|[^\s\w]").Select(m => m.Value)];

// The most frequent words have numbers by frequency; the rest are word 0.
var number = words.CountBy(w => w).OrderByDescending(p => p.Value).ThenBy(p => p.Key, StringComparer.Ordinal).Take(vocabulary - 1).Select((p, i) => (p.Key, i + 1)).ToDictionary(p => p.Key, p => (long)p.Item2);
long[] tokens = [.. words.Select(w => number.GetValueOrDefault(w))];
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tokens.Length} words of text, {number.Count} different, {vocabulary} outputs"));

var scratch = new Scratch(limit);
try
{
    using var logits = scratch.Take<float>((long)rows * vocabulary); // what a dense loss begins with
}
catch (ScratchLimitException e)
{
    Console.WriteLine($"the dense loss: {e.Message}");
}

// Four words before, through one hidden layer, to the word that comes.
using var embedding = nn.Embedding(vocabulary, width);
using var hidden = nn.Linear(context * width, width);
using var head = new LinearCrossEntropy(width, vocabulary, hasBias: true, new() { Scratch = scratch, Kernel = new() { Threads = threads } });
using var adam = optim.Adam([.. embedding.parameters(), .. hidden.parameters(), .. head.parameters()], lr: 0.005);
double first = 0, last = 0;
var order = new Random(1);
for (int step = 1; step <= steps; step++)
{
    using var scope = NewDisposeScope();
    long[] before = new long[rows * context], next = new long[rows];
    for (int i = 0; i < rows; i++)
    {
        int at = order.Next(tokens.Length - context);
        tokens.AsSpan(at, context).CopyTo(before.AsSpan(i * context));
        next[i] = tokens[at + context];
    }
    adam.zero_grad();
    var h = hidden.call(embedding.call(tensor(before, [rows, context])).flatten(1)).tanh();
    var loss = head.call(h, tensor(next)); // in the place of cross_entropy(linear(h), next)
    loss.backward();
    adam.step();
    last = loss.item<float>();
    first = step == 1 ? last : first;
    if (step == 1 || step % 10 == 0)
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {step}: loss {last:F3}"));
}
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"the loss fell from {first:F2} to {last:F2}; it took {scratch.PeakBytes / 1e6:F1} MB of scratch, where logits and their gradient take {8.0 * rows * vocabulary / 1e6:F0} MB"));
