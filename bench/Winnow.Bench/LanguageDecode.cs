using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Winnow.Core;
using Winnow.Data;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.Bench;

/// <summary>
/// Tokens a second of a language model that goes on with a text, greedily, token by token, beside llama2.c: the program whose path <c>WINNOW_LLAMA2C</c> gives, built
/// with -O3 -march=native -ffast-math -fopenmp. Two threads. Equal results: in float32 the same text as the peer; in smaller types logits near the float32 ones; at once the logits of one by one.
/// </summary>
internal static partial class LanguageDecode
{
    private const string Name = "kv.decode", Missing = "llama2.c: its program's path in WINNOW_LLAMA2C";
    private const int Threads = 2, Repetitions = 5;

    /// <summary>As large as the smallest GPT-2 with a large vocabulary: more than caches hold.</summary>
    private static LlamaShape Large { get; } = new() { Width = 768, Hidden = 2048, Layers = 12, Heads = 12, KeyValueHeads = 12, HeadWidth = 64, Vocabulary = 32_000, Context = 1024, RopeInterleaved = true };

    public static IEnumerable<BenchCase> Cases
    {
        get
        {
            if (DataFolders.FromEnvironment().Data is { } data && Directory.Exists(Path.Combine(data, "stories260k")))
                yield return new(Name, $"stories260K, {Threads} threads", "tokens/s", Better.Higher, 1.1, c => Stories(Path.Combine(data, "stories260k"), c));
            yield return Case(WeightType.Float32, 0.97);
            yield return Case(WeightType.BFloat16, 1.7);
            yield return Case(WeightType.Int8, 2.5);
            yield return Case(WeightType.Int4, null);
            yield return new(Name, $"110M random weights, prefill of 512 tokens, float32, {Threads} threads", "tokens/s", Better.Higher, 8, c => Random(WeightType.Float32, 512, c));
            yield return new(Name, $"110M random weights, float32, {Together} texts at once, {Threads} threads", "tokens/s", Better.Higher, null, Several);
        }
    }

    private static BenchCase Case(WeightType type, double? target) =>
        new(Name, $"110M random weights, {type.ToString().ToLowerInvariant()} beside its float32, {Threads} threads", "tokens/s", Better.Higher, target, c => Random(type, 1, c));

    private const int Together = 8;

    /// <summary>Tokens a second of several texts together, beside one text alone; equal where the logits of the first are those it has alone.</summary>
    private static BenchMeasurement Several(CancellationToken cancellation)
    {
        using var weights = LlamaWeights.Random(Large, new SeededRandom(1, "bench"));
        using var crew = new Crew(Threads);
        LlamaSession[] texts = [.. Enumerable.Range(0, Together + 1).Select(_ => new LlamaSession(weights, 128, crew))];
        var (alone, together) = (texts[^1], texts[..^1]);
        List<double> ours = [], theirs = [];
        const int steps = 12;
        for (int i = 0; i <= Repetitions; i++)
        {
            foreach (var text in texts)
                text.Rewind(0);
            long start = Stopwatch.GetTimestamp();
            for (int t = 0; t < steps; t++)
            {
                cancellation.ThrowIfCancellationRequested();
                LlamaSession.ReadTogether(together, [.. Enumerable.Range(0, Together).Select(text => 1 + (text * 31 + t * 7) % 200)]);
            }
            ours.Add(steps * Together / Stopwatch.GetElapsedTime(start).TotalSeconds);
            start = Stopwatch.GetTimestamp();
            for (int t = 0; t < steps; t++)
                alone.Read([1 + t * 7 % 200], cancellation);
            theirs.Add(steps / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        double error = TensorPrimitives.Distance(together[0].Logits, alone.Logits) / TensorPrimitives.Norm(alone.Logits);
        foreach (var text in texts)
            text.Dispose();
        return new(TrainingStep.MedianWithoutFirst(ours), "ours, one text", TrainingStep.MedianWithoutFirst(theirs), error < 1e-4);
    }

    private static BenchMeasurement Stories(string folder, CancellationToken cancellation)
    {
        const int tokens = 250;
        using var model = LanguageModel.Load(folder, cancellation: cancellation);
        using var session = new LlamaSession(model.Weights, threads: Threads);
        string file = Directory.GetFiles(folder, "*.bin").Single(Llama2cFile.Is), tokeniser = Directory.GetFiles(folder, "tok*.bin").Single();
        List<double> ours = [], theirs = [];
        string? said = null;
        for (int i = 0; i <= Repetitions; i++)
        {
            for (int warm = 0; warm < (i == 0 ? 10 : 1); warm++)
                ours.Add(Speed(session, tokens, 1, cancellation));
            if (Peer(file, tokeniser, tokens) is { } peer)
            {
                theirs.Add(peer.Speed);
                said = peer.Text;
            }
        }
        var text = new StringBuilder();
        foreach (var (token, first) in Greedy(session, tokens, model.Tokenizer.Begin!.Value, cancellation).Select((t, i) => (t, i == 0)))
            text.Append(Encoding.UTF8.GetString(model.Tokenizer.Bytes(token, first).Span));
        return new(TrainingStep.MedianWithoutFirst(ours[9..]), "llama2.c", theirs.Count == 0 ? null : TrainingStep.MedianWithoutFirst(theirs), said is null ? null : said.Trim() == text.ToString().Trim(), theirs.Count == 0 ? Missing : null);
    }

    private static BenchMeasurement Random(WeightType type, int batch, CancellationToken cancellation)
    {
        string folder = Directory.CreateTempSubdirectory("winnow-bench").FullName;
        try
        {
            var (file, tokeniser) = (Path.Combine(folder, "model.bin"), Path.Combine(folder, "tok.bin"));
            Write(file, tokeniser);
            using var mapped = Llama2cFile.Load(file);
            using var weights = mapped.As(type, cancellation);
            using var session = new LlamaSession(weights, threads: Threads);
            List<double> ours = [], theirs = [];
            string? said = null;
            for (int i = 0; i <= Repetitions; i++)
            {
                ours.Add(Speed(session, batch > 1 ? batch : 40, batch, cancellation));
                if (Peer(file, tokeniser, 40) is { } peer)
                {
                    theirs.Add(peer.Speed);
                    said = peer.Text;
                }
            }
            bool equal = said is not null && (batch > 1 ? Error(weights, batch, weights, 1) < 1e-3
                : type == WeightType.Float32 ? said.Trim() == string.Concat(Greedy(session, 40, 1, cancellation).Select(t => $"p{t}"))
                : Error(weights, 1, mapped, 1) < (type == WeightType.BFloat16 ? 0.01 : type == WeightType.Int8 ? 0.03 : 0.3));
            double median = TrainingStep.MedianWithoutFirst(ours);
            string share = batch > 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"; ours reads {median * weights.Bytes / 1e9:F1} GB/s of weights");
            return new(median, "llama2.c, float32" + share, theirs.Count == 0 ? null : TrainingStep.MedianWithoutFirst(theirs), said is null ? null : equal, theirs.Count == 0 ? Missing + share : null);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Tokens a second from an empty text on: one after the other, each the likeliest, or so many at once.</summary>
    private static double Speed(LlamaSession session, int tokens, int batch, CancellationToken cancellation)
    {
        session.Rewind(0);
        int[] some = [.. Enumerable.Range(0, batch).Select(i => 1 + i % 200)];
        session.Read(some.AsSpan(0, 1), cancellation);
        int next = 1;
        long start = Stopwatch.GetTimestamp();
        int read = 0;
        for (; read + batch <= tokens; read += batch)
        {
            if (batch == 1)
                some[0] = next;
            var logits = session.Read(some, cancellation);
            next = TensorPrimitives.IndexOfMax(logits);
        }
        return read / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The likeliest tokens from a first one on, until that comes again.</summary>
    private static List<int> Greedy(LlamaSession session, int most, int first, CancellationToken cancellation)
    {
        session.Rewind(0);
        var made = new List<int>();
        for (int token = first; made.Count < most; made.Add(token))
        {
            token = TensorPrimitives.IndexOfMax(session.Read([token], cancellation));
            if (token == first)
                break;
        }
        return made;
    }

    /// <summary>Relative distance of the logits after 64 tokens, read so many at a time.</summary>
    private static double Error(LlamaWeights a, int batchA, LlamaWeights b, int batchB)
    {
        float[] x = Logits(a, batchA), y = Logits(b, batchB);
        return TensorPrimitives.Distance<float>(x, y) / TensorPrimitives.Norm<float>(y);

        static float[] Logits(LlamaWeights weights, int batch)
        {
            const int tokens = 64;
            using var session = new LlamaSession(weights, tokens, Threads);
            int[] some = [.. Enumerable.Range(0, tokens).Select(i => 1 + i * 7 % 200)];
            for (int at = 0; at < tokens; at += batch)
                session.Read(some.AsSpan(at, Math.Min(batch, tokens - at)));
            session.Rewind(tokens - 1);
            return session.Read(some.AsSpan(tokens - 1)).ToArray();
        }
    }

    private static (double Speed, string Text)? Peer(string model, string tokeniser, int tokens)
    {
        if (Environment.GetEnvironmentVariable("WINNOW_LLAMA2C") is not { Length: > 0 } program || !File.Exists(program))
            return null;
        var start = new ProcessStartInfo(program, [model, "-z", tokeniser, "-t", "0", "-n", tokens.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["OMP_NUM_THREADS"] = Threads.ToString(CultureInfo.InvariantCulture);
        using var process = Process.Start(start)!;
        var text = process.StandardOutput.ReadToEndAsync();
        string said = process.StandardError.ReadToEnd();
        string written = text.GetAwaiter().GetResult();
        process.WaitForExit();
        return Achieved().Match(said) is { Success: true } match ? (double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), written) : throw new InvalidOperationException($"llama2.c said: {said}");
    }

    /// <summary>A model of random weights, and a tokeniser of as many pieces, which the peer wants to see.</summary>
    private static void Write(string file, string tokeniser)
    {
        var random = new SeededRandom(1, "bench");
        using (var stream = new BufferedStream(File.Create(file), 1 << 20))
        {
            foreach (int size in (int[])[Large.Width, Large.Hidden, Large.Layers, Large.Heads, Large.KeyValueHeads, Large.Vocabulary, Large.Context])
                stream.Write(BitConverter.GetBytes(size));
            float[] numbers = [.. Enumerable.Range(0, 4096).Select(_ => (float)(0.05 * random.NextNormal()))];
            long left = Large.Parameters + (long)Large.Context * Large.HeadWidth;
            for (; left > 0; left -= numbers.Length)
                stream.Write(MemoryMarshal.AsBytes(numbers.AsSpan(0, (int)Math.Min(numbers.Length, left))));
        }
        using var pieces = new BufferedStream(File.Create(tokeniser));
        pieces.Write(BitConverter.GetBytes(8));
        for (int i = 0; i < Large.Vocabulary; i++)
        {
            byte[] piece = Encoding.UTF8.GetBytes($"p{i}");
            pieces.Write(BitConverter.GetBytes(0f));
            pieces.Write(BitConverter.GetBytes(piece.Length));
            pieces.Write(piece);
        }
    }

    [GeneratedRegex(@"achieved tok/s: ([\d.]+)")]
    private static partial Regex Achieved();
}
