using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow generate MODEL</c>: a text goes on.</summary>
internal static class GenerateVerb
{
    private const long MostBytes = 64 << 20;
    private const int AtOnce = 32;

    public static Command Make()
    {
        var model = new Argument<string>("model") { Description = "folder of Hugging Face, or file of llama2.c with its tokeniser tok*.bin beside it" };
        var prompt = new Option<string>("--prompt", "-p") { Description = "the text to go on with", DefaultValueFactory = _ => "" };
        var prompts = new Option<FileInfo?>("--prompts") { Description = "a text file: each line is a text to go on with, all at once" };
        var tokens = new Option<string>("--tokens", "-n") { Description = "most tokens", DefaultValueFactory = _ => "200" };
        var temperature = new Option<double>("--temperature") { Description = "0 takes the likeliest token", DefaultValueFactory = _ => 0 };
        var topK = new Option<int>("--top-k") { Description = "only so many likeliest tokens; 0 for all", DefaultValueFactory = _ => 0 };
        var topP = new Option<double>("--top-p") { Description = "only the likeliest tokens that make up this share", DefaultValueFactory = _ => 1 };
        var minP = new Option<double>("--min-p") { Description = "only tokens at least this share as likely as the likeliest", DefaultValueFactory = _ => 0 };
        var penalty = new Option<double>("--repetition-penalty") { Description = "above 1: tokens that occurred are less likely", DefaultValueFactory = _ => 1 };
        var stop = new Option<string[]>("--stop") { Description = "the text ends before this; may be given again", Arity = ArgumentArity.ZeroOrMore };
        var weights = new Option<WeightType?>("--weights") { Description = "numbers of the weights: float32, bfloat16, int8 or int4; default as they are on disk" };
        var seed = new Option<ulong>("--seed") { Description = "seed of chance", DefaultValueFactory = _ => 1 };
        var threads = new Option<string>("--threads") { Description = "threads", DefaultValueFactory = _ => Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) };
        var command = new Command("generate", "Goes on with a text by a language model on disk, and says how fast.") { model, prompt, prompts, tokens, temperature, topK, topP, minP, penalty, stop, weights, seed, threads };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var loaded = LanguageModel.Load(parsed.GetValue(model)!, parsed.GetValue(weights), cancellation);
            int most = Study.ParseCount("--tokens", parsed.GetValue(tokens)!, 1_000_000);
            var options = new GenerationOptions
            {
                Tokens = most,
                Stops = parsed.GetValue(stop)!,
                Sampling = new() { Temperature = parsed.GetValue(temperature), TopK = parsed.GetValue(topK), TopP = parsed.GetValue(topP), MinP = parsed.GetValue(minP), RepetitionPenalty = parsed.GetValue(penalty) },
            };
            if (parsed.GetValue(prompts) is { } file)
                return await SeveralAsync(loaded, file, options, parsed.GetValue(seed), Study.ParseCount("--threads", parsed.GetValue(threads)!), cancellation).ConfigureAwait(false);
            // room for this text, not for the longest one that the model could read
            using var session = new LlamaSession(loaded.Weights, loaded.Tokenizer.Encode(parsed.GetValue(prompt)!).Count + 1 + most, Study.ParseCount("--threads", parsed.GetValue(threads)!));
            var generator = new TextGenerator(session, loaded.Tokenizer);
            long start = Stopwatch.GetTimestamp();
            try
            {
                Console.Write(parsed.GetValue(prompt));
                await foreach (string piece in generator.ContinueAsync(parsed.GetValue(prompt)!, options, new SeededRandom(parsed.GetValue(seed), "text"), cancellation).ConfigureAwait(false))
                    Console.Write(piece);
            }
            finally
            {
                Console.WriteLine();
            }
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{loaded.Name}: {loaded.Weights.Shape.Parameters:N0} parameters, {loaded.Weights.Bytes / 1e6:F1} MB of weights; {generator.Made:N0} tokens in {seconds:F2} s, {generator.Made / seconds:F0} a second; cache {session.CacheBytes / 1e6:F2} MB"));
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Goes on with every line of a file, and prints the texts in their order when all are made.</summary>
    private static async Task<int> SeveralAsync(LanguageModel loaded, FileInfo file, GenerationOptions options, ulong seed, int threads, CancellationToken cancellation)
    {
        string[] lines = !file.Exists ? throw InputException.At(file.FullName, "nothing", "a text file", "Give its path.")
            : file.Length > MostBytes ? throw InputException.At(file.FullName, $"{file.Length:N0} bytes", $"at most {MostBytes:N0}", "Give a part of it.")
            : File.ReadAllLines(file.FullName) is { Length: > 0 } some ? some
            : throw InputException.At(file.FullName, "no line", "a text in each line", "Give a file with text in it.");
        int room = lines.Max(l => loaded.Tokenizer.Encode(l).Count) + 1 + options.Tokens!.Value;
        using var batch = new BatchGenerator(loaded.Weights, loaded.Tokenizer, room, threads);
        var texts = lines.Select(l => new StringBuilder(l)).ToArray();
        long start = Stopwatch.GetTimestamp();
        foreach (int first in Enumerable.Range(0, lines.Length).Where(i => i % AtOnce == 0))
            await foreach (var (text, piece) in batch.ContinueAsync(lines[first..Math.Min(lines.Length, first + AtOnce)], options, i => new SeededRandom(seed, $"text/{first + i}"), cancellation).ConfigureAwait(false))
                texts[first + text].Append(piece);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        foreach (var text in texts)
            Console.WriteLine($"{text}\n");
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{loaded.Name}: {lines.Length:N0} texts, {Math.Min(AtOnce, lines.Length)} at once; {batch.Made:N0} tokens in {seconds:F2} s, {batch.Made / seconds:F0} a second"));
        return ExitCode.Done;
    }
}
