using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Winnow.Core;
using Winnow.Data;
using Winnow.Language;
using Winnow.Learning;
using Winnow.Training;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow train-lm FILES --out DIR</c>: a small language model of one's own texts.</summary>
internal static class TrainVerb
{
    private const string Checkpoint = "checkpoint.safetensors";
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(30);

    public static Command Make()
    {
        var files = new Argument<FileInfo[]>("files") { Arity = ArgumentArity.OneOrMore, Description = "text files" };
        var output = new Option<DirectoryInfo?>("--out") { Description = "folder of the model; what was stopped there goes on; default one in the folder of caches, named by the hash of texts and options" };
        var vocabulary = new Option<string>("--vocabulary") { Description = "tokens of the byte-level encoding that is learned first", DefaultValueFactory = _ => "1024" };
        var width = new Option<string>("--width") { Description = "width", DefaultValueFactory = _ => "128" };
        var layers = new Option<string>("--layers") { Description = "layers", DefaultValueFactory = _ => "4" };
        var heads = new Option<string>("--heads") { Description = "heads, of which half are of keys and values where they can", DefaultValueFactory = _ => "4" };
        var context = new Option<string>("--context") { Description = "most positions", DefaultValueFactory = _ => "2048" };
        var set = new Option<string[]>("--set") { Description = "train.OPTION=VALUE: steps, batch, length, learning-rate, weight-decay, clip, seed", Arity = ArgumentArity.ZeroOrMore };
        var threads = new Option<string>("--threads") { Description = "threads", DefaultValueFactory = _ => Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) };
        var command = new Command("train-lm", "Trains a small language model on text files; stopped at any moment, the same command goes on.") { files, output, vocabulary, width, layers, heads, context, set, threads };
        command.SetAction((parsed, cancellation) =>
        {
            int Size(Option<string> option) => Study.ParseCount(option.Name, parsed.GetValue(option)!);
            string[] texts = [.. parsed.GetValue(files)!.Select(f => f.Exists && f.Length is > 0 and < 1 << 30 ? File.ReadAllText(f.FullName)
                : throw InputException.At(f.FullName, f.Exists ? $"{f.Length:N0} bytes" : "nothing", "a text file of 1 byte to 1 GB", "Give its path."))];
            var given = new System.Text.Json.Nodes.JsonObject();
            foreach (var (name, value) in CompareVerb.Settings(parsed.GetValue(set)!))
                given[name.StartsWith("train.", StringComparison.Ordinal) ? name["train.".Length..] : throw InputException.At("--set", $"'{name}'", "train.OPTION=VALUE", "For instance --set train.steps=200.")] = value;
            var options = (LanguageTrainerOptions)OptionsSchema.Of<LanguageTrainerOptions>().Bind(given, "train");
            int w = Size(width), h = Size(heads);
            if (w % h != 0)
                throw InputException.At("--heads", $"{h} heads of a width of {w}", "heads that divide the width", "Take another number of heads.");
            var shape = new LlamaShape { Width = w, Hidden = (w * 8 / 3 + 31) / 32 * 32, Layers = Size(layers), Heads = h, KeyValueHeads = h % 2 == 0 ? h / 2 : h, HeadWidth = w / h, Vocabulary = Size(vocabulary), Context = Size(context) };
            string folder = parsed.GetValue(output)?.FullName ?? Path.Combine(DataFolders.FromEnvironment().Cache, "models", $"text-{HashOf(texts, shape, options)}");
            NativeTorch.Require();
            NativeTorch.SetThreads(Size(threads));
            Directory.CreateDirectory(folder);
            string checkpoint = Path.Combine(folder, Checkpoint);
            if (!File.Exists(checkpoint) && File.Exists(Path.Combine(folder, "config.json")))
                throw InputException.At(folder, "a model without the checkpoint of its training", "an empty folder, or one of this command", "Give another folder with --out.");
            if (!File.Exists(checkpoint))
                BytePairTrainer.Save(BytePairTrainer.Learn(texts, Size(vocabulary), cancellation), folder);
            var tokenizer = HuggingFaceTokenizer.Load(folder, Size(vocabulary));
            int[] tokens = [.. texts.SelectMany(t => tokenizer.Encode(t).Prepend(tokenizer.Begin!.Value))];
            using var trainer = new LanguageTrainer(shape, tokens, options);
            if (File.Exists(checkpoint))
                trainer.Load(checkpoint);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape.Parameters:N0} parameters, {tokens.Length:N0} tokens, step {trainer.Step} of {options.Steps}"));
            long start = Stopwatch.GetTimestamp(), saved = start;
            int first = trainer.Step;
            double mean = double.NaN;
            try
            {
                while (trainer.Step < options.Steps)
                {
                    cancellation.ThrowIfCancellationRequested();
                    double loss = trainer.Advance();
                    mean = double.IsNaN(mean) ? loss : 0.95 * mean + 0.05 * loss;
                    if (trainer.Step % 50 == 0 || trainer.Step == options.Steps)
                        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {trainer.Step}: {mean:F3} nats a token, {(trainer.Step - first) * (double)options.Batch * options.Length / Stopwatch.GetElapsedTime(start).TotalSeconds:N0} tokens a second"));
                    if (Stopwatch.GetElapsedTime(saved) > Between)
                    {
                        trainer.Save(checkpoint);
                        saved = Stopwatch.GetTimestamp();
                    }
                }
            }
            finally
            {
                trainer.Save(checkpoint);
            }
            using var weights = trainer.Network.ToWeights();
            HuggingFaceFolder.Save(weights, folder);
            Console.WriteLine($"model: {folder}");
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    /// <summary>What a model depends on.</summary>
    private static string HashOf(string[] texts, LlamaShape shape, LanguageTrainerOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(shape, WinnowJson.Options) + JsonSerializer.Serialize(options, WinnowJson.Options)));
        foreach (string text in texts)
            hash.AppendData(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }
}
