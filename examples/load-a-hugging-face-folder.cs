// Loads a folder of Hugging Face, says what is in it, stores its weights in 8 bits and reads a few tokens both ways:  dotnet run -c Release examples/load-a-hugging-face-folder.cs FOLDER
// Without an argument a small model of random weights is saved as such a folder first.
#:project ../src/Winnow.Language/Winnow.Language.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;

string folder = args.Length > 0 ? args[0] : Path.Combine(Path.GetTempPath(), $"winnow-example-{Environment.ProcessId}");
if (args.Length == 0)
{
    using var random = LlamaWeights.Random(new() { Width = 128, Hidden = 256, Layers = 3, Heads = 4, KeyValueHeads = 2, HeadWidth = 32, Vocabulary = 512, Context = 256 }, new SeededRandom(1, "model"));
    HuggingFaceFolder.Save(random, folder);
}
using (var weights = HuggingFaceFolder.Load(folder))
{
    var s = weights.Shape;
    Print($"{s.Layers} layers of width {s.Width}, {s.Heads} heads, {s.KeyValueHeads} of keys and values, {s.Vocabulary:N0} tokens, context {s.Context:N0}");
    Print($"{s.Parameters:N0} parameters, {weights.Bytes / 1e6:F1} MB, mapped from disk");

    using var small = weights.As(WeightType.Int8);
    using LlamaSession exact = new(weights, 64), rounded = new(small, 64);
    int[] tokens = [1, 5, 9, 2, 6, 5, 3];
    float[] a = exact.Read(tokens).ToArray(), b = rounded.Read(tokens).ToArray();
    double error = Math.Sqrt(a.Zip(b).Sum(p => Math.Pow(p.First - p.Second, 2)) / a.Sum(v => (double)v * v));
    Print($"in 8 bits {small.Bytes / 1e6:F1} MB; logits differ by {error:P1}");
}
if (args.Length == 0)
    Directory.Delete(folder, recursive: true);

static void Print(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
