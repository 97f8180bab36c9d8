using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Language;

/// <summary>
/// A text that a model reads and goes on with: its keys and values so far, and all memory that a step needs, so that steps allocate nothing. Token by token and many at
/// once give the same logits up to rounding. One text; not for several threads at once, but sessions of one model may run side by side.
/// <para>Cost of a token: 2 operations a parameter, 4 · heads · head width for each earlier position and layer; memory 8 · layers · key-value heads · head width bytes a position.</para>
/// </summary>
public sealed unsafe class LlamaSession : IDisposable
{
    /// <summary>Most tokens that are read at once.</summary>
    private const int Batch = 192;

    /// <summary>Texts whose logits are made at once.</summary>
    private const int HeadRows = 16;

    private readonly LlamaWeights _weights;
    private readonly LlamaShape _s;
    private readonly Crew _crew;
    private readonly bool _ownsCrew;
    private readonly List<nint> _memory = [];
    private readonly int _queries, _keys, _batch;
    private readonly float* _x, _norm, _q, _k, _v, _heads, _gate, _up, _logits, _scores, _room, _cosines, _sines, _cache;
    private float* _together;
    private bool _disposed;

    /// <summary>An empty text.</summary>
    /// <param name="weights">The model, which the session reads and does not own.</param>
    /// <param name="capacity">Most positions; null for the model's context.</param>
    /// <param name="threads">Threads of a session of its own.</param>
    public LlamaSession(LlamaWeights weights, int? capacity = null, int threads = 1) : this(weights, capacity, new Crew(threads), owns: true)
    {
    }

    /// <summary>An empty text, with threads that other sessions use in turn.</summary>
    public LlamaSession(LlamaWeights weights, int? capacity, Crew crew) : this(weights, capacity, crew, owns: false)
    {
    }

    private LlamaSession(LlamaWeights weights, int? capacity, Crew crew, bool owns)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(crew);
        (_weights, _s, _crew, _ownsCrew) = (weights, weights.Shape, crew, owns);
        Capacity = Math.Min(capacity ?? _s.Context, _s.Context);
        ArgumentOutOfRangeException.ThrowIfLessThan(Capacity, 1);
        (_queries, _keys, _batch) = (_s.Heads * _s.HeadWidth, _s.KeyValueHeads * _s.HeadWidth, Math.Min(Batch, Capacity));
        _x = Take((long)_batch * _s.Width);
        _norm = Take((long)_batch * Math.Max(_s.Width, _queries));
        _q = Take((long)_batch * _queries);
        _k = Take((long)_batch * _keys);
        _v = Take((long)_batch * _keys);
        _heads = Take((long)_batch * _queries);
        _gate = Take((long)_batch * _s.Hidden);
        _up = Take((long)_batch * _s.Hidden);
        _logits = Take(_s.Vocabulary);
        _scores = Take((long)crew.Size * Capacity);
        _room = Take(new[] { _s.Width, _queries, _s.Hidden }.Max(columns => LinearKernel.RoomForMany(columns, _batch, crew.Size)));
        _cache = Take(2L * _s.Layers * _keys * Capacity);
        _cosines = Take((long)Capacity * _s.HeadWidth / 2);
        _sines = Take((long)Capacity * _s.HeadWidth / 2);
        Rotary.Tables(_s, Capacity, _cosines, _sines);
    }

    /// <summary>Most positions.</summary>
    public int Capacity { get; }

    /// <summary>Tokens read so far.</summary>
    public int Position { get; private set; }

    /// <summary>Bytes of keys and values of the positions so far.</summary>
    public long CacheBytes => 2L * _s.Layers * _keys * Position * sizeof(float);

    /// <summary>Reads tokens.</summary>
    /// <param name="tokens">At least one.</param>
    /// <param name="cancellation">Stops between batches; what was read stays read.</param>
    /// <returns>The logits of the token after the last, until the next call.</returns>
    /// <exception cref="InputException">No token, one that is not of the vocabulary, or more than there is room for.</exception>
    public ReadOnlySpan<float> Read(ReadOnlySpan<int> tokens, CancellationToken cancellation = default) => Read(tokens, null, cancellation);

    /// <summary>Reads tokens, watched.</summary>
    /// <param name="tokens">At least one.</param>
    /// <param name="observer">Is shown each layer's inputs, queries, keys and values, batch by batch.</param>
    /// <param name="cancellation">Stops between batches; what was read stays read.</param>
    /// <returns>The logits of the token after the last, until the next call.</returns>
    /// <exception cref="InputException">No token, one that is not of the vocabulary, or more than there is room for.</exception>
    public ReadOnlySpan<float> Read(ReadOnlySpan<int> tokens, IAttentionObserver? observer, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (tokens.Length == 0)
            throw InputException.At("tokens", "none", "at least one", "Begin with the token that begins texts.");
        if (tokens.Length > Capacity - Position)
            throw InputException.At("tokens", $"{Position + tokens.Length:N0} tokens in all", $"at most {Capacity:N0}, the capacity of the session", "Give less text, or a model with a longer context.");
        Check(tokens);
        while (tokens.Length > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(tokens.Length, _batch);
            Forward(tokens[..count], Position, observer, null);
            Position += count;
            tokens = tokens[count..];
        }
        return new(_logits, _s.Vocabulary);
    }

    /// <summary>Reads one token whose attention goes to keys and values that are kept elsewhere; those of the session neither change nor are looked at.</summary>
    /// <param name="token">The token.</param>
    /// <param name="position">Its position, less than the session's capacity.</param>
    /// <param name="cache">Takes the token's keys and values, and attends.</param>
    /// <returns>The logits of the token after it, until the next call.</returns>
    /// <exception cref="InputException">The token is not of the vocabulary, or there is no such position.</exception>
    public ReadOnlySpan<float> Step(int token, int position, IAttentionCache cache)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(cache);
        if (position < 0 || position >= Capacity)
            throw InputException.At("position", $"{position:N0}", $"less than {Capacity:N0}, the capacity of the session", "Give less text, or a model with a longer context.");
        ReadOnlySpan<int> one = [token];
        Check(one);
        Forward(one, position, null, cache);
        return new(_logits, _s.Vocabulary);
    }

    /// <summary>The logits of the token after the last that was read, until the next call.</summary>
    public ReadOnlySpan<float> Logits => new(_logits, _s.Vocabulary);

    /// <summary>Reads one token in each of several texts of one model: its weights are read once for all. Up to rounding the same logits as one by one.</summary>
    /// <param name="texts">Different sessions of the same weights. The one with most capacity lends its memory and its threads.</param>
    /// <param name="tokens">One for each.</param>
    /// <exception cref="InputException">A token that is not of the vocabulary, or a text without room; nothing was read then.</exception>
    public static void ReadTogether(IReadOnlyList<LlamaSession> texts, ReadOnlySpan<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Length, texts.Count, nameof(tokens));
        if (texts.Count == 0)
            return;
        var lead = texts.MaxBy(t => t.Capacity)!;
        if (texts.Any(t => !ReferenceEquals(t._weights, lead._weights)) || texts.Distinct().Count() != texts.Count)
            throw new ArgumentException("found sessions of different weights, or one twice; expected different sessions of one model", nameof(texts));
        lead.Check(tokens);
        foreach (var text in texts)
        {
            ObjectDisposedException.ThrowIf(text._disposed, text);
            if (text.Position >= text.Capacity)
                throw InputException.At("tokens", $"{text.Position + 1:N0} tokens in all", $"at most {text.Capacity:N0}, the capacity of the session", "Give less text, or a model with a longer context.");
        }
        for (int first = 0; first < texts.Count; first += lead._batch)
        {
            LlamaSession[] rows = [.. texts.Skip(first).Take(lead._batch)];
            lead.Forward(tokens.Slice(first, rows.Length), 0, null, null, rows);
            foreach (var row in rows)
                row.Position++;
        }
    }

    private void Check(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            if (token < 0 || token >= _s.Vocabulary)
                throw InputException.At("tokens", $"{token}", $"0 to {_s.Vocabulary - 1}", "Use the tokeniser of this model.");
    }

    /// <summary>Forgets all positions from one on: what is before it is kept, as for a text with the same beginning.</summary>
    public void Rewind(int position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, Position);
        Position = position;
    }

    /// <summary>Tokens in a row of this text; or, where there are rows, one token in each of them.</summary>
    private void Forward(ReadOnlySpan<int> tokens, int position, IAttentionObserver? observer, IAttentionCache? cache, LlamaSession[]? rows = null)
    {
        int count = tokens.Length;
        for (int t = 0; t < count; t++)
            _weights.Embedding.Read(tokens[t], _x + (long)t * _s.Width);
        for (int l = 0; l < _s.Layers; l++)
        {
            var layer = _weights.Layers[l];
            Norm(_x, layer.AttentionNorm, _norm, count);
            Times(layer.Query, _norm, count, _q, layer.Biases.Query);
            Times(layer.Key, _norm, count, _k, layer.Biases.Key);
            Times(layer.Value, _norm, count, _v, layer.Biases.Value);
            Turn(layer, position, count, rows);
            var step = new AttentionStep(l, position, count, new(_norm, count * _s.Width), new(_q, count * _queries), new(_k, count * _keys), new(_v, count * _keys));
            if (cache is not null)
            {
                cache.Attend(step, new(_heads, _queries));
            }
            else
            {
                observer?.Observe(step);
                Place(l, count, rows);
                Attend(l, count, rows);
            }
            Times(layer.Output, _heads, count, _norm, []);
            Add(_x, new(_norm, count * _s.Width));
            Norm(_x, layer.FeedForwardNorm, _norm, count);
            Times(layer.Gate, _norm, count, _gate, []);
            Times(layer.Up, _norm, count, _up, []);
            Gated((long)count * _s.Hidden);
            Times(layer.Down, _gate, count, _norm, []);
            Add(_x, new(_norm, count * _s.Width));
        }
        if (rows is null)
        {
            Norm(_x + (long)(count - 1) * _s.Width, _weights.FinalNorm, _norm, 1);
            Times(_weights.Head, _norm, 1, _logits, []);
            return;
        }
        Norm(_x, _weights.FinalNorm, _norm, count);
        if (_together == null)
            _together = Take((long)HeadRows * _s.Vocabulary);
        for (int first = 0; first < count; first += HeadRows)
        {
            int some = Math.Min(HeadRows, count - first);
            Times(_weights.Head, _norm + (long)first * _s.Width, some, _together, []);
            for (int t = 0; t < some; t++)
                new ReadOnlySpan<float>(_together + (long)t * _s.Vocabulary, _s.Vocabulary).CopyTo(new(rows[first + t]._logits, _s.Vocabulary));
        }
    }

    /// <summary>x / √(mean x² + ε) · scale, row by row.</summary>
    private void Norm(float* x, float[] scale, float* to, int count)
    {
        for (int t = 0; t < count; t++)
            NormRow(new(x + (long)t * _s.Width, _s.Width), scale, new(to + (long)t * _s.Width, _s.Width));
    }

    private void NormRow(ReadOnlySpan<float> x, float[] scale, Span<float> to)
    {
        float factor = (float)(1 / Math.Sqrt(TensorPrimitives.SumOfSquares(x) / (double)x.Length + _s.NormEpsilon));
        TensorPrimitives.Multiply(x, factor, to);
        TensorPrimitives.Multiply(to, scale, to);
    }

    private void Times(WeightMatrix w, float* x, int count, float* y, float[] bias)
    {
        const long Alone = 1 << 16; // weights: below that a second thread costs more than it does
        if (count > 1)
            LinearKernel.Many(w, x, count, y, _room, _crew);
        else if (_crew.Size == 1 || (long)w.Rows * w.Columns < Alone)
            LinearKernel.Vector(w, x, y, 0, w.Rows);
        else
            _crew.Run(new VectorJob(w, x, y), static (in VectorJob j, int worker, int workers) => LinearKernel.Vector(j.W, j.X, j.Y, (int)((long)j.W.Rows * worker / workers), (int)((long)j.W.Rows * (worker + 1) / workers)));
        for (int t = 0; t < count && bias.Length > 0; t++)
            Add(y + (long)t * w.Rows, bias);
    }

    private readonly struct VectorJob(WeightMatrix w, float* x, float* y)
    {
        public readonly WeightMatrix W = w;
        public readonly float* X = x, Y = y;
    }

    private static void Add(float* x, ReadOnlySpan<float> y) => TensorPrimitives.Add(new ReadOnlySpan<float>(x, y.Length), y, new(x, y.Length));

    /// <summary>silu(gate) · up.</summary>
    private void Gated(long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var g = Vector256.Load(_gate + i);
            Vector256.Store(g / (Vector256<float>.One + VectorExp.Exp(-g)) * Vector256.Load(_up + i), _gate + i);
        }
        for (; i < n; i++)
            _gate[i] = _gate[i] / (1 + VectorExp.Exp(-_gate[i])) * _up[i];
    }

    /// <summary>Norms the heads where the model does, and rotates queries.</summary>
    private void Turn(LlamaLayer weights, int first, int count, LlamaSession[]? rows)
    {
        int d = _s.HeadWidth;
        for (int t = 0; t < count; t++)
        {
            Normed(_q + (long)t * _queries, _s.Heads, weights.HeadNorms.Query);
            Normed(_k + (long)t * _keys, _s.KeyValueHeads, weights.HeadNorms.Key);
            for (int h = 0; h < _s.Heads; h++)
                TurnHead(_q + (long)t * _queries + h * d, rows?[t].Position ?? first + t);
        }

        void Normed(float* heads, int count, float[] norm)
        {
            for (int h = 0; h < count && norm.Length > 0; h++)
                NormRow(new(heads + h * d, d), norm, new(heads + h * d, d));
        }
    }

    private void TurnHead(float* head, int position)
    {
        long at = (long)position * _s.HeadWidth / 2;
        Rotary.Turn(head, _s.HeadWidth, _cosines + at, _sines + at, _s.RopeInterleaved);
    }

    /// <summary>Rotates keys, and puts keys and values where they stay.</summary>
    private void Place(int layer, int count, LlamaSession[]? rows)
    {
        int d = _s.HeadWidth;
        for (int t = 0; t < count; t++)
        {
            var (text, position) = Row(t, rows);
            for (int h = 0; h < _s.KeyValueHeads; h++)
            {
                float* k = _k + (long)t * _keys + h * d;
                TurnHead(k, position);
                new ReadOnlySpan<float>(k, d).CopyTo(new(text.Keys(layer, h) + (long)position * d, d));
                new ReadOnlySpan<float>(_v + (long)t * _keys + h * d, d).CopyTo(new(text.Values(layer, h) + (long)position * d, d));
            }
        }
    }

    private (LlamaSession Text, int Position) Row(int t, LlamaSession[]? rows) => rows is null ? (this, Position + t) : (rows[t], rows[t].Position);

    private float* Keys(int layer, int head) => _cache + ((long)layer * 2 * _s.KeyValueHeads + head) * Capacity * _s.HeadWidth;

    private float* Values(int layer, int head) => _cache + ((long)layer * 2 * _s.KeyValueHeads + _s.KeyValueHeads + head) * Capacity * _s.HeadWidth;

    private void Attend(int layer, int count, LlamaSession[]? rows)
    {
        var job = new AttendJob(this, layer, count, rows);
        long work = (long)count * (Position + count) * _queries;
        if (_crew.Size == 1 || work < 1 << 15)
            Part(in job, 0, 1);
        else
            _crew.Run(in job, static (in AttendJob j, int worker, int workers) => Part(in j, worker, workers));

        static void Part(in AttendJob job, int worker, int workers)
        {
            var s = job.Session;
            for (int item = worker; item < s._s.Heads * job.Count; item += workers)
                s.AttendHead(job.Layer, item / job.Count, item % job.Count, job.Rows, s._scores + (long)worker * s.Capacity);
        }
    }

    private readonly struct AttendJob(LlamaSession session, int layer, int count, LlamaSession[]? rows)
    {
        public readonly LlamaSession[]? Rows = rows;
        public readonly LlamaSession Session = session;
        public readonly int Layer = layer, Count = count;
    }

    private void AttendHead(int layer, int head, int t, LlamaSession[]? rows, float* scores)
    {
        int d = _s.HeadWidth, keyHead = head / _s.GroupSize;
        long at = (long)t * _queries + head * d;
        var (text, position) = Row(t, rows);
        DecodeAttention.Attend(_q + at, text.Keys(layer, keyHead), text.Values(layer, keyHead), position + 1, d, scores, _heads + at);
    }

    private float* Take(long length)
    {
        void* memory = NativeMemory.AlignedAlloc((nuint)(Math.Max(1, length) * sizeof(float)), 64);
        _memory.Add((nint)memory);
        return (float*)memory;
    }

    /// <summary>Gives the memory back.</summary>
    ~LlamaSession() => Free();

    /// <inheritdoc cref="Finalize"/>
    public void Dispose()
    {
        if (!_disposed && _ownsCrew)
            _crew.Dispose();
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        _disposed = true;
        foreach (nint memory in _memory)
            NativeMemory.AlignedFree((void*)memory);
        _memory.Clear();
    }
}
