using System.Numerics.Tensors;
using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.KvCache;

/// <summary>
/// How every policy is measured: a prompt is read with exact keys and values, the policy keeps it, and the text goes on token by token; at each token the next one's distribution
/// is compared with that of the session's own float32 cache, which saw the same text.
/// </summary>
internal static class KvProtocol
{
    private const int Stretch = 8, LastQueries = 16, Turns = 12;

    public static IReadOnlyList<MetricCard> Cards { get; } =
    [
        new("kl", "divergence", "nats", Better.Lower, "mean over the tokens after the prompts of Σ_v p log(p/q): p of the full cache in float32, q of the policy"),
        new("bytes", "bytes kept", "fraction", Better.Lower, "all bytes the policy holds after the prompt (payload, scales, indices, windows, factors, padding) over those of all keys and values in half precision") { Price = true },
        new("top1", "same choice", "fraction", Better.Higher, "share of tokens at which the likeliest next token is the same"),
        new("surprise", "added surprise", "nats", Better.Lower, "mean of log p - log q of the token that comes next in the text"),
        new("mass", "attention kept", "fraction", Better.Higher, "share of what the prompt's last 16 queries attend to that is among the tokens selected, mean over layers and heads; 1 where none is dropped"),
        new("slowdown", "time a token", "× full", Better.Lower, "seconds of all decoding steps over those of the session's own float32 cache on the same text"),
        new("prefill_ms", "time to keep", "ms", Better.Lower, "milliseconds to keep a prompt, after it was read, mean over prompts"),
    ];

    public static MetricCard Drop { get; } = new("drop", "loss after turn 1", "nats", Better.Lower, "mean divergence of the turns after the first, less that of the first");

    public static TrialResult Run(KvPolicy policy, KvTaskOptions o, Trial trial, TrialContext context, TimeProvider clock)
    {
        var cancellation = context.Cancellation;
        var (turns, length, requests) = o is TurnsOptions t ? (t.Turns, t.TurnLength, t.Requests) : (1, ((ContinuationOptions)o).Continue, false);
        context.Progress(0, "model and texts");
        var (weights, tokenizer) = KvTexts.Model(o, context.Random, cancellation);
        using var _ = weights;
        int total = o.Length + turns * length;
        string? file = trial.Data.Source == "generated" ? null : trial.Data.Source;
        var texts = KvTexts.Take(file, weights, tokenizer, o.Prompts + (policy.Stages.OfType<IPrepared>().Any() ? o.Calibration : 0), total, context.Random, cancellation);
        context.Progress(0.2, "preparing");
        policy.Prepare(weights, [.. texts.Skip(o.Prompts)], cancellation);
        var rotary = new RotaryTable(weights.Shape, total);
        using var crew = new Crew(trial.Threads);
        using var session = new LlamaSession(weights, total, crew);
        var sums = new Sums(weights.Shape.Vocabulary, turns, length);
        for (int i = 0; i < o.Prompts; i++)
        {
            context.Progress(0.3 + 0.7 * i / o.Prompts, $"prompt {i + 1} of {o.Prompts}");
            int[] text = texts[i];
            session.Rewind(0);
            var prompt = Prompt.Read(session, weights.Shape, text.AsSpan(0, o.Length), rotary, cancellation);
            if (o.Bytes > 0 && policy.Stages.Count > 0)
                policy = Fitting(policy, prompt, weights, [.. texts.Skip(o.Prompts)], o.Bytes, cancellation);
            long start = clock.GetTimestamp();
            var kept = policy.Prefill(prompt, crew);
            sums.PrefillSeconds += clock.GetElapsedTime(start).TotalSeconds;
            sums.Add(kept, prompt);
            var cache = kept;
            for (int turn = 0; turn < turns; turn++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (requests)
                {
                    cache = kept.Clone();
                    session.Rewind(o.Length);
                }
                var part = text.AsSpan(o.Length + turn * length, length);
                for (int p = 0; p < length; p++)
                {
                    long before = clock.GetTimestamp();
                    var full = session.Read(part.Slice(p, 1));
                    long between = clock.GetTimestamp();
                    sums.Full(full);
                    long again = clock.GetTimestamp();
                    var own = session.Step(part[p], session.Position - 1, cache);
                    sums.Seconds += clock.GetElapsedTime(again).TotalSeconds;
                    sums.FullSeconds += clock.GetElapsedTime(before, between).TotalSeconds;
                    sums.Compare(own, turn, p, p + 1 < length ? part[p + 1] : null);
                }
            }
        }
        return sums.Result(o, context);
    }

    /// <summary>The policy with its first knob turned until it holds no more than the budget, and as much of it as it can.</summary>
    private static KvPolicy Fitting(KvPolicy policy, Prompt prompt, LlamaWeights weights, IReadOnlyList<int[]> calibration, double budget, CancellationToken cancellation)
    {
        double Share(KvPolicy p)
        {
            p.Prepare(weights, calibration, cancellation);
            var cache = p.Prefill(prompt);
            return (double)cache.Bytes.Total / cache.FullBytes;
        }

        if (policy.At(1) is null)
            return Share(policy) is var fixedShare && fixedShare <= budget ? policy
                : throw InputException.At("task.bytes", FormattableString.Invariant($"{fixedShare:P1} of the full cache's bytes"), FormattableString.Invariant($"at most {budget:P1}"), "This method has no knob: leave it out, or allow more.");
        double low = 0, high = 1, least = double.PositiveInfinity;
        KvPolicy? best = null;
        for (int turn = 0; turn < Turns; turn++)
        {
            cancellation.ThrowIfCancellationRequested();
            double at = turn == 0 ? budget : turn == 1 && best is null ? 0.005 : (low + high) / 2;
            var tried = policy.At(at)!;
            double share = Share(tried);
            least = Math.Min(least, share);
            if (share <= budget)
                (low, best) = (at, tried);
            else
                high = at;
            if (turn == 1 && best is null)
                break;
        }
        return best ?? throw InputException.At("task.bytes", FormattableString.Invariant($"{least:P1} of the full cache's bytes at the least"), FormattableString.Invariant($"at most {budget:P1}"), "Windows and scales weigh more in short prompts: take longer ones, smaller windows, or allow more.");
    }

    /// <summary>What is summed up over prompts and tokens.</summary>
    private sealed class Sums(int vocabulary, int turns, int length)
    {
        private readonly double[] _full = new double[vocabulary], _own = new double[vocabulary];
        private readonly double[,] _divergence = new double[turns, length];
        private readonly Dictionary<string, double> _kinds = [];
        private readonly List<double> _bytes = [];
        private double[] _mass = [];
        private double _surprise;
        private long _tokens, _same, _known;
        private int _prompts;

        public double PrefillSeconds, Seconds, FullSeconds;

        public void Add(KvCacheStore cache, Prompt prompt)
        {
            _prompts++;
            _bytes.Add((double)cache.Bytes.Total / cache.FullBytes);
            foreach (var (kind, bytes) in cache.Bytes.Kinds)
                _kinds[kind] = _kinds.GetValueOrDefault(kind) + (double)bytes / cache.FullBytes;
            var s = prompt.Shape;
            if (_mass.Length == 0)
                _mass = new double[s.Layers];
            for (int l = 0; l < s.Layers; l++)
            {
                float[][] attention = prompt.ColumnAttention(l, LastQueries);
                for (int h = 0; h < s.Heads; h++)
                    _mass[l] += cache.Selected(l, h / s.GroupSize).Sum(i => (double)attention[h][i]) / attention[h].Sum(a => (double)a) / s.Heads;
            }
        }

        public void Full(ReadOnlySpan<float> logits) => LogSoftmax(logits, _full);

        public void Compare(ReadOnlySpan<float> logits, int turn, int at, int? next)
        {
            LogSoftmax(logits, _own);
            double divergence = 0;
            for (int v = 0; v < vocabulary; v++)
                divergence += Math.Exp(_full[v]) * (_full[v] - _own[v]);
            _divergence[turn, at] += divergence;
            _tokens++;
            _same += TensorPrimitives.IndexOfMax<double>(_full) == TensorPrimitives.IndexOfMax<double>(_own) ? 1 : 0;
            if (next is { } token)
                (_surprise, _known) = (_surprise + _full[token] - _own[token], _known + 1);
        }

        private static void LogSoftmax(ReadOnlySpan<float> logits, double[] to)
        {
            double most = TensorPrimitives.Max(logits), sum = 0;
            for (int v = 0; v < to.Length; v++)
                sum += Math.Exp(to[v] = logits[v] - most);
            TensorPrimitives.Subtract(to, Math.Log(sum), to);
        }

        public TrialResult Result(KvTaskOptions o, TrialContext context)
        {
            double[] turn = [.. Enumerable.Range(0, turns).Select(i => Enumerable.Range(0, length).Sum(p => _divergence[i, p]) / length / _prompts)];
            for (int i = 0; i < turns; i++)
                for (int first = 0; first < length; first += Stretch)
                {
                    int end = Math.Min(length, first + Stretch);
                    context.Metric("kl_token", Enumerable.Range(first, end - first).Average(p => _divergence[i, p]) / _prompts, i * length + end);
                }
            for (int i = 0; i < turns && turns > 1; i++)
                context.Metric("kl_turn", turn[i], i + 1);
            foreach (var (kind, share) in _kinds)
                context.Metric($"share/{kind}", share / _prompts, 1);
            for (int l = 0; l < _mass.Length; l++)
                context.Metric($"mass/{l + 1}", _mass[l] / _prompts, 1);
            var metrics = new Dictionary<string, double>
            {
                ["kl"] = turn.Average(),
                ["bytes"] = _bytes.Average(),
                ["top1"] = (double)_same / _tokens,
                ["surprise"] = _known == 0 ? 0 : _surprise / _known,
                ["mass"] = _mass.Average() / _prompts,
                ["slowdown"] = Seconds / FullSeconds,
                ["prefill_ms"] = 1000 * PrefillSeconds / _prompts,
            };
            if (o is TurnsOptions)
                metrics["drop"] = turn[1..].Average() - turn[0];
            return new(metrics);
        }
    }
}
