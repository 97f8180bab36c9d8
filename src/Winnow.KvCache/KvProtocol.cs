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
    private const int Stretch = 8, LastQueries = 16;

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

    public static MetricCard Accuracy { get; } = new("accuracy", "right answers", "fraction", Better.Higher, "share of questions after which the likeliest next token is the value that the context said");

    public static MetricCard Lost { get; } = new("lost", "loss after question 1", "fraction", Better.Lower, "share of right answers to the first question, less that to the others");

    public static TrialResult Run(KvPolicy policy, KvTaskOptions o, Trial trial, TrialContext context, TimeProvider clock, RecallModels? recall)
    {
        var cancellation = context.Cancellation;
        context.Progress(0, "model and texts");
        var (weights, tokenizer) = KvTexts.Model(o, context.Random, recall, cancellation);
        using var _ = weights;
        string? file = trial.Data.Source == "generated" ? null : trial.Data.Source;
        if (file is not null)
            trial.Data.Require(KvTexts.Inspect(file, o, trial.Data.Reading, recall, cancellation).Reference.Hash);
        var (talks, calibration) = Conversations.Of(o, policy.Stages.OfType<IPrepared>().Any(), file, weights, tokenizer, context.Random, cancellation);
        context.Progress(0.2, "preparing");
        policy.Prepare(weights, calibration, cancellation);
        int most = talks.Max(t => t.Tokens);
        if (most > weights.Shape.Context)
            throw InputException.At("task", $"{most:N0} tokens in all", $"at most {weights.Shape.Context:N0}, the model's context", "Take shorter contexts, or another model.");
        var rotary = new RotaryTable(weights.Shape, most);
        using var crew = new Crew(trial.Threads);
        using var session = new LlamaSession(weights, most, crew);
        var sums = new Sums(weights.Shape.Vocabulary, talks.Max(t => t.Turns.Count), talks.Max(t => t.Turns.Max(turn => turn.Length)));
        foreach (var (i, talk) in talks.Index())
        {
            context.Progress(0.3 + 0.7 * i / talks.Count, $"prompt {i + 1} of {talks.Count}");
            session.Rewind(0);
            var prompt = Prompt.Read(session, weights.Shape, talk.Prompt, rotary, cancellation);
            var fitted = policy.Fitted(prompt, weights, calibration, cancellation);
            long start = clock.GetTimestamp();
            var kept = fitted.Prefill(prompt, crew);
            sums.PrefillSeconds += clock.GetElapsedTime(start).TotalSeconds;
            sums.Add(kept, prompt);
            var cache = kept;
            foreach (var (turn, part) in talk.Turns.Index())
            {
                cancellation.ThrowIfCancellationRequested();
                if (talk.Requests)
                {
                    cache = kept.Clone();
                    session.Rewind(talk.Prompt.Length);
                }
                for (int p = 0; p < part.Length; p++)
                {
                    long before = clock.GetTimestamp();
                    var full = session.Read(part.AsSpan(p, 1));
                    long between = clock.GetTimestamp();
                    sums.Full(full);
                    long again = clock.GetTimestamp();
                    var own = session.Step(part[p], session.Position - 1, cache);
                    sums.Step(clock.GetElapsedTime(again).TotalSeconds, talk);
                    sums.FullSeconds += clock.GetElapsedTime(before, between).TotalSeconds;
                    if (talk.Asked is null || talk.Asked == p)
                        sums.Compare(own, turn, p, p + 1 < part.Length ? part[p + 1] : null, talk);
                }
            }
        }
        return sums.Result(o, context);
    }

    /// <summary>What is summed up over prompts and tokens.</summary>
    private sealed class Sums(int vocabulary, int turns, int length)
    {
        private readonly double[] _full = new double[vocabulary], _own = new double[vocabulary];
        private readonly double[,] _divergence = new double[turns, length];
        private readonly int[,] _count = new int[turns, length];
        private readonly (int Right, int Asked)[] _answers = new (int, int)[turns];
        private readonly SortedDictionary<(int Length, int Depth), (int Right, int Asked)> _found = [];
        private readonly Dictionary<string, double> _kinds = [];
        private readonly List<double> _bytes = [];
        private readonly SortedDictionary<int, (double Seconds, int Count)> _steps = [];
        private double[] _mass = [];
        private double _surprise;
        private long _tokens, _same, _known;
        private int _prompts;

        public double PrefillSeconds, FullSeconds;

        public double Seconds { get; private set; }

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

        public void Step(double seconds, Conversation talk)
        {
            Seconds += seconds;
            if (talk.Cell is { } cell)
                _steps[cell.Length] = _steps.GetValueOrDefault(cell.Length) is var (sum, count) ? (sum + seconds, count + 1) : default;
        }

        public void Full(ReadOnlySpan<float> logits) => LogSoftmax(logits, _full);

        public void Compare(ReadOnlySpan<float> logits, int turn, int at, int? next, Conversation talk)
        {
            LogSoftmax(logits, _own);
            double divergence = 0;
            for (int v = 0; v < vocabulary; v++)
                divergence += Math.Exp(_full[v]) * (_full[v] - _own[v]);
            _divergence[turn, at] += divergence;
            _count[turn, at]++;
            _tokens++;
            if (talk.Asked is not null)
            {
                int right = TensorPrimitives.IndexOfMax<double>(_own) == next ? 1 : 0;
                _answers[turn] = (_answers[turn].Right + right, _answers[turn].Asked + 1);
                if (talk.Cell is { } cell)
                    _found[cell] = _found.GetValueOrDefault(cell) is var f ? (f.Right + right, f.Asked + 1) : default;
            }
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
            double Mean(int turn, int first, int end)
            {
                var places = Enumerable.Range(first, end - first).Where(p => _count[turn, p] > 0).ToList();
                return places.Count == 0 ? double.NaN : places.Average(p => _divergence[turn, p] / _count[turn, p]);
            }

            double[] turn = [.. Enumerable.Range(0, turns).Select(i => Mean(i, 0, length))];
            for (int i = 0; i < turns && o is KvTextOptions; i++)
                for (int first = 0; first < length; first += Stretch)
                    context.Metric("kl_token", Mean(i, first, Math.Min(length, first + Stretch)), i * length + Math.Min(length, first + Stretch));
            for (int i = 0; i < turns && turns > 1; i++)
                context.Metric("kl_turn", turn[i], i + 1);
            double[] answers = [.. _answers.Select(a => (double)a.Right / a.Asked)];
            for (int i = 0; i < turns && o is RecallOptions; i++)
                context.Metric("accuracy_turn", answers[i], i + 1);
            foreach (var (tokens, (seconds, steps)) in _steps)
                context.Metric("ms_token", 1000 * seconds / steps, tokens);
            foreach (var ((tokens, depth), f) in _found)
                context.Metric($"found/{tokens}", (double)f.Right / f.Asked, depth);
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
            if (o is not KvTextOptions)
                metrics["accuracy"] = _answers.Sum(a => (double)a.Right) / _answers.Sum(a => a.Asked);
            if (o is RecallOptions)
                metrics["lost"] = answers[0] - answers[1..].Average();
            return new(metrics);
        }
    }
}
