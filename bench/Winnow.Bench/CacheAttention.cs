using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Winnow.Core;
using Winnow.KvCache;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.Bench;

/// <summary>
/// Attention of one token to a cache of 16,384 tokens, or of other lengths, 8 heads of width 128, as policies store it, beside our own dense float32 attention. Two threads. Equal results: the same
/// output as dense attention on what the policy's rows read back. And what such a cache holds of the process's memory while tokens are made.
/// </summary>
internal static unsafe class CacheAttention
{
    private const string Name = "kv.attention", Lengths = "kv.length", Memory = "kv.memory", Peer = "our dense attention in float32";
    private const int Long = 16_384, Heads = 8, Width = 128, Threads = 2, WarmUps = 60, Repetitions = 25, Room = 128;

    public static IEnumerable<BenchCase> Cases
    {
        get
        {
            foreach (var (policy, encoder, target) in Policies)
                yield return Case(Name, policy, encoder, Long, target);
            yield return new(Name, "kivi, 2 bits: bytes held beside half precision", "bytes", Better.Lower, 0.3, _ => Bytes(new Kivi(new() { Bits = 2 })));
            foreach (int tokens in (int[])[1024, 4096, 32_768])
                foreach (var (policy, encoder, _) in Policies)
                    yield return Case(Lengths, policy, encoder, tokens, null);
            foreach (var (policy, encoder, target) in Policies.Where(p => p.Encoder is not null))
                foreach (bool peak in (bool[])[false, true])
                    yield return new(Memory, string.Create(CultureInfo.InvariantCulture, $"{policy}: resident bytes of a cache of {Long:N0} tokens, {Deep} layers, {Heads} heads of {Width}, {Decoded} of them read one by one, {(peak ? "at once" : "after a collection")}"), "MB", Better.Lower, policy == TwoBits ? 0.3 : null, _ => Resident(encoder!, peak));
        }
    }

    private const string TwoBits = "kivi, 2 bits";
    private const int Deep = 4, Decoded = 64;

    private static (string Name, IEncoder? Encoder, double? Target)[] Policies =>
    [
        (TwoBits, new Kivi(new() { Bits = 2 }), 1 / 2.5),
        ("kivi, 4 bits", new Kivi(new() { Bits = 4 }), 1 / 1.8),
        ("mustafar, 70 %", new Mustafar(new() { KeySparsity = 0.7, ValueSparsity = 0.7 }), 1 / 1.8),
        ("half precision", null, null),
    ];

    private static BenchCase Case(string bench, string name, IEncoder? encoder, int tokens, double? target) =>
        new(bench, string.Create(CultureInfo.InvariantCulture, $"{name}: {tokens:N0} tokens, {Heads} heads of {Width}, {Threads} threads"), "ms", Better.Lower, target, c => Time(encoder, tokens, c));

    private static BenchMeasurement Time(IEncoder? encoder, int tokens, CancellationToken cancellation)
    {
        using var crew = new Crew(Threads);
        var prompt = Made(tokens, 1);
        var cache = (encoder is null ? new KvPolicy() : new KvPolicy(encoder)).Prefill(prompt, crew);
        float[] query = [.. prompt.Queries(0)[^(Heads * Width)..]], one = new float[Heads * Width], output = new float[Heads * Width], dense = new float[Heads * Width];
        float[][] keys = [.. Enumerable.Range(0, Heads).Select(h => prompt.Keys(0, h))], values = [.. Enumerable.Range(0, Heads).Select(h => prompt.Values(0, h))];
        float[][] scores = [.. Enumerable.Range(0, Heads).Select(_ => new float[tokens])];
        List<double> ours = [], theirs = [];
        for (int i = 0; i <= WarmUps + Repetitions; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            long start = Stopwatch.GetTimestamp();
            cache.Attend(new(0, tokens + i, 1, one, query, one, one), output);
            ours.Add(1000 * Stopwatch.GetElapsedTime(start).TotalSeconds);
            start = Stopwatch.GetTimestamp();
            crew.Run(new Dense(query, keys, values, scores, dense, tokens), static (in Dense job, int worker, int workers) => job.Do(worker, workers));
            theirs.Add(1000 * Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return new(TrainingStep.MedianWithoutFirst(ours[WarmUps..]), Peer, TrainingStep.MedianWithoutFirst(theirs[WarmUps..]), Equal(encoder, prompt, query));
    }

    /// <summary>How much more of this process is resident with the cache than without it, after the prompt is gone, beside the same for half precision: at once with what was copied when room grew, or after a collection.</summary>
    private static BenchMeasurement Resident(IEncoder encoder, bool peak)
    {
        var rotary = new RotaryTable(ShapeOf(Long, Deep), Long + Room);
        Held(new KvPolicy(encoder), rotary, peak); // compiled, and what is allocated once is there
        double ours = Held(new KvPolicy(encoder), rotary, peak), theirs = Held(new KvPolicy(), rotary, peak);
        return new(ours, "half precision", theirs, theirs > 0.9 * 2 * 2 * Deep * Heads * Width * Long / 1e6);
    }

    private static double Held(KvPolicy policy, RotaryTable rotary, bool peak)
    {
        double before = Settled();
        var cache = Filled(policy, rotary);
        float[] one = new float[Heads * Width], output = new float[Heads * Width];
        one.AsSpan().Fill(0.1f);
        Settled();
        for (int t = 0; t < Decoded; t++)
            for (int l = 0; l < Deep; l++)
                cache.Attend(new(l, Long + t, 1, one, one, one, one), output);
        double after = peak ? Environment.WorkingSet / 1e6 : Settled();
        GC.KeepAlive(cache);
        return after - before;
    }

    // not inlined: the prompt is garbage when it returns
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static KvCacheStore Filled(KvPolicy policy, RotaryTable rotary) => policy.Prefill(Made(Long, Deep, rotary));

    private static double Settled()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        return Environment.WorkingSet / 1e6;
    }

    private readonly struct Dense(float[] query, float[][] keys, float[][] values, float[][] scores, float[] output, int tokens)
    {
        public void Do(int worker, int workers)
        {
            fixed (float* q = query, to = output)
                for (int h = worker; h < Heads; h += workers)
                    fixed (float* k = keys[h], v = values[h], s = scores[h])
                        DecodeAttention.Attend(q + h * Width, k, v, tokens, Width, s, to + h * Width);
        }
    }

    /// <summary>Rows as the policy has them, read back and attended to densely, against its own attention, to 1e-3 of its size.</summary>
    private static bool Equal(IEncoder? encoder, Prompt prompt, float[] query)
    {
        int tokens = prompt.Count;
        encoder ??= new ExactEncoder();
        var (keys, values) = (encoder.Keys(Width), encoder.Values(Width));
        keys.Fill(prompt.Keys(0, 0));
        values.Fill(prompt.Values(0, 0));
        float[] q = [.. query.Take(Width).Select(v => v / MathF.Sqrt(Width))], scores = new float[tokens], own = new float[Width], k = new float[tokens * Width], v = new float[tokens * Width], room = new float[tokens], expected = new float[Width];
        keys.Dot(q, 1, scores, tokens);
        Softmax.Over(scores);
        values.AddWeighted(scores, 1, tokens, own);
        for (int t = 0; t < tokens; t++)
        {
            keys.Read(t, k.AsSpan(t * Width, Width));
            values.Read(t, v.AsSpan(t * Width, Width));
        }
        fixed (float* pq = query, pk = k, pv = v, s = room, to = expected)
            DecodeAttention.Attend(pq, pk, pv, tokens, Width, s, to);
        double error = 0, size = 0;
        for (int c = 0; c < Width; c++)
            (error, size) = (error + (own[c] - expected[c]) * (own[c] - expected[c]), size + expected[c] * expected[c]);
        return Math.Sqrt(error / size) < 1e-3;
    }

    /// <summary>What a copy of the cache allocates, measured, beside what half precision takes.</summary>
    private static BenchMeasurement Bytes(IEncoder encoder)
    {
        var cache = new KvPolicy(encoder).Prefill(Made(Long, 1));
        cache.Clone();
        long before = GC.GetAllocatedBytesForCurrentThread();
        var copy = cache.Clone();
        long held = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(copy);
        return new(held, "half precision", cache.FullBytes, Math.Abs(held - cache.Bytes.Total) < 0.02 * held);
    }

    /// <summary>Random keys with some channels ten times as large, values and queries.</summary>
    private static Prompt Made(int tokens, int layers, RotaryTable? rotary = null)
    {
        var prompt = new Prompt(ShapeOf(tokens, layers), tokens, rotary ?? new RotaryTable(ShapeOf(tokens, layers), tokens + Room));
        var random = new SeededRandom(1, "cache");
        float[] Numbers(bool outliers) => [.. Enumerable.Range(0, tokens * Heads * Width).Select(i => (float)(random.NextNormal() * (outliers && i % Width % 31 == 5 ? 10 : 1) * 0.3))];
        var (inputs, queries, keys, values) = (Numbers(false), Numbers(false), Numbers(true), Numbers(false));
        for (int l = 0; l < layers; l++)
            prompt.Observe(new(l, 0, tokens, inputs, queries, keys, values));
        return prompt;
    }

    private static LlamaShape ShapeOf(int tokens, int layers) => new() { Width = Heads * Width, Hidden = 1, Layers = layers, Heads = Heads, KeyValueHeads = Heads, HeadWidth = Width, Vocabulary = 2, Context = tokens + Room };
}
