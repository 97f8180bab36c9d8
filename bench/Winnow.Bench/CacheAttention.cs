using System.Diagnostics;
using System.Globalization;
using Winnow.Core;
using Winnow.KvCache;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.Bench;

/// <summary>
/// Attention of one token to a cache of 16,384 tokens, 8 heads of width 128, as policies store it, beside our own dense float32 attention. Two threads. Equal results: the same output as
/// dense attention on what the policy's rows read back.
/// </summary>
internal static unsafe class CacheAttention
{
    private const string Name = "kv.attention", Peer = "our dense attention in float32";
    private const int Tokens = 16_384, Heads = 8, Width = 128, Threads = 2, WarmUps = 60, Repetitions = 25;

    public static IEnumerable<BenchCase> Cases
    {
        get
        {
            yield return Case("kivi, 2 bits", new Kivi(new() { Bits = 2 }), 1 / 2.5);
            yield return Case("kivi, 4 bits", new Kivi(new() { Bits = 4 }), 1 / 1.8);
            yield return Case("mustafar, 70 %", new Mustafar(new() { KeySparsity = 0.7, ValueSparsity = 0.7 }), 1 / 1.8);
            yield return Case("half precision", null, null);
            yield return new(Name, "kivi, 2 bits: bytes held beside half precision", "bytes", Better.Lower, 0.3, _ => Bytes(new Kivi(new() { Bits = 2 })));
        }
    }

    private static BenchCase Case(string name, IEncoder? encoder, double? target) =>
        new(Name, string.Create(CultureInfo.InvariantCulture, $"{name}: {Tokens:N0} tokens, {Heads} heads of {Width}, {Threads} threads"), "ms", Better.Lower, target, c => Time(encoder, c));

    private static BenchMeasurement Time(IEncoder? encoder, CancellationToken cancellation)
    {
        using var crew = new Crew(Threads);
        var prompt = Made();
        var cache = (encoder is null ? new KvPolicy() : new KvPolicy(encoder)).Prefill(prompt, crew);
        float[] query = [.. prompt.Queries(0)[^(Heads * Width)..]], one = new float[Heads * Width], output = new float[Heads * Width], dense = new float[Heads * Width];
        float[][] keys = [.. Enumerable.Range(0, Heads).Select(h => prompt.Keys(0, h))], values = [.. Enumerable.Range(0, Heads).Select(h => prompt.Values(0, h))];
        float[][] scores = [.. Enumerable.Range(0, Heads).Select(_ => new float[Tokens])];
        List<double> ours = [], theirs = [];
        for (int i = 0; i <= WarmUps + Repetitions; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            long start = Stopwatch.GetTimestamp();
            cache.Attend(new(0, Tokens + i, 1, one, query, one, one), output);
            ours.Add(1000 * Stopwatch.GetElapsedTime(start).TotalSeconds);
            start = Stopwatch.GetTimestamp();
            crew.Run(new Dense(query, keys, values, scores, dense), static (in Dense job, int worker, int workers) => job.Do(worker, workers));
            theirs.Add(1000 * Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return new(TrainingStep.MedianWithoutFirst(ours[WarmUps..]), Peer, TrainingStep.MedianWithoutFirst(theirs[WarmUps..]), Equal(encoder, prompt, query));
    }

    private readonly struct Dense(float[] query, float[][] keys, float[][] values, float[][] scores, float[] output)
    {
        public void Do(int worker, int workers)
        {
            fixed (float* q = query, to = output)
                for (int h = worker; h < Heads; h += workers)
                    fixed (float* k = keys[h], v = values[h], s = scores[h])
                        DecodeAttention.Attend(q + h * Width, k, v, Tokens, Width, s, to + h * Width);
        }
    }

    /// <summary>Rows as the policy has them, read back and attended to densely, against its own attention, to 1e-3 of its size.</summary>
    private static bool Equal(IEncoder? encoder, Prompt prompt, float[] query)
    {
        encoder ??= new ExactEncoder();
        var (keys, values) = (encoder.Keys(Width), encoder.Values(Width));
        keys.Fill(prompt.Keys(0, 0));
        values.Fill(prompt.Values(0, 0));
        float[] q = [.. query.Take(Width).Select(v => v / MathF.Sqrt(Width))], scores = new float[Tokens], own = new float[Width], k = new float[Tokens * Width], v = new float[Tokens * Width], room = new float[Tokens], expected = new float[Width];
        keys.Dot(q, 1, scores, Tokens);
        Softmax.Over(scores);
        values.AddWeighted(scores, 1, Tokens, own);
        for (int t = 0; t < Tokens; t++)
        {
            keys.Read(t, k.AsSpan(t * Width, Width));
            values.Read(t, v.AsSpan(t * Width, Width));
        }
        fixed (float* pq = query, pk = k, pv = v, s = room, to = expected)
            DecodeAttention.Attend(pq, pk, pv, Tokens, Width, s, to);
        double error = 0, size = 0;
        for (int c = 0; c < Width; c++)
            (error, size) = (error + (own[c] - expected[c]) * (own[c] - expected[c]), size + expected[c] * expected[c]);
        return Math.Sqrt(error / size) < 1e-3;
    }

    /// <summary>What a copy of the cache allocates, measured, beside what half precision takes.</summary>
    private static BenchMeasurement Bytes(IEncoder encoder)
    {
        var cache = new KvPolicy(encoder).Prefill(Made());
        cache.Clone();
        long before = GC.GetAllocatedBytesForCurrentThread();
        var copy = cache.Clone();
        long held = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(copy);
        return new(held, "half precision", cache.FullBytes, Math.Abs(held - cache.Bytes.Total) < 0.02 * held);
    }

    /// <summary>Random keys with some channels ten times as large, values and queries.</summary>
    private static Prompt Made()
    {
        var shape = new LlamaShape { Width = Heads * Width, Hidden = 1, Layers = 1, Heads = Heads, KeyValueHeads = Heads, HeadWidth = Width, Vocabulary = 2, Context = Tokens + 128 };
        var prompt = new Prompt(shape, Tokens, new RotaryTable(shape, Tokens + 128));
        var random = new SeededRandom(1, "cache");
        float[] Numbers(bool outliers) => [.. Enumerable.Range(0, Tokens * Heads * Width).Select(i => (float)(random.NextNormal() * (outliers && i % Width % 31 == 5 ? 10 : 1) * 0.3))];
        prompt.Observe(new(0, 0, Tokens, Numbers(false), Numbers(false), Numbers(true), Numbers(false)));
        return prompt;
    }
}
