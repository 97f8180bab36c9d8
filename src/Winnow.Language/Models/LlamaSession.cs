using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
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

    private readonly LlamaWeights _weights;
    private readonly LlamaShape _s;
    private readonly Crew _crew;
    private readonly bool _ownsCrew;
    private readonly List<nint> _memory = [];
    private readonly int _queries, _keys, _batch;
    private readonly float* _x, _norm, _q, _k, _v, _heads, _gate, _up, _logits, _scores, _room, _cosines, _sines, _cache;
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
    public ReadOnlySpan<float> Read(ReadOnlySpan<int> tokens, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (tokens.Length == 0)
            throw InputException.At("tokens", "none", "at least one", "Begin with the token that begins texts.");
        if (tokens.Length > Capacity - Position)
            throw InputException.At("tokens", $"{Position + tokens.Length:N0} tokens in all", $"at most {Capacity:N0}, the capacity of the session", "Give less text, or a model with a longer context.");
        foreach (int token in tokens)
            if (token < 0 || token >= _s.Vocabulary)
                throw InputException.At("tokens", $"{token}", $"0 to {_s.Vocabulary - 1}", "Use the tokeniser of this model.");
        while (tokens.Length > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(tokens.Length, _batch);
            Forward(tokens[..count]);
            tokens = tokens[count..];
        }
        return new(_logits, _s.Vocabulary);
    }

    /// <summary>Forgets all positions from one on: what is before it is kept, as for a text with the same beginning.</summary>
    public void Rewind(int position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, Position);
        Position = position;
    }

    private void Forward(ReadOnlySpan<int> tokens)
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
            Place(l, layer, count);
            Attend(l, count);
            Times(layer.Output, _heads, count, _norm, []);
            Add(_x, new(_norm, count * _s.Width));
            Norm(_x, layer.FeedForwardNorm, _norm, count);
            Times(layer.Gate, _norm, count, _gate, []);
            Times(layer.Up, _norm, count, _up, []);
            Gated((long)count * _s.Hidden);
            Times(layer.Down, _gate, count, _norm, []);
            Add(_x, new(_norm, count * _s.Width));
        }
        Norm(_x + (long)(count - 1) * _s.Width, _weights.FinalNorm, _norm, 1);
        Times(_weights.Head, _norm, 1, _logits, []);
        Position += count;
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

    /// <summary>Rotates queries and keys, and puts keys and values where they stay.</summary>
    private void Place(int layer, LlamaLayer weights, int count)
    {
        int d = _s.HeadWidth;
        for (int t = 0; t < count; t++)
        {
            int position = Position + t;
            float* cos = _cosines + (long)position * d / 2, sin = _sines + (long)position * d / 2;
            for (int h = 0; h < _s.Heads; h++)
                Turn(_q + (long)t * _queries + h * d, weights.HeadNorms.Query);
            for (int h = 0; h < _s.KeyValueHeads; h++)
            {
                float* k = _k + (long)t * _keys + h * d;
                Turn(k, weights.HeadNorms.Key);
                new ReadOnlySpan<float>(k, d).CopyTo(new(Keys(layer, h) + (long)position * d, d));
                new ReadOnlySpan<float>(_v + (long)t * _keys + h * d, d).CopyTo(new(Values(layer, h) + (long)position * d, d));
            }

            void Turn(float* head, float[] norm)
            {
                if (norm.Length > 0)
                    NormRow(new(head, d), norm, new(head, d));
                Rotary.Turn(head, d, cos, sin, _s.RopeInterleaved);
            }
        }
    }

    private float* Keys(int layer, int head) => _cache + ((long)layer * 2 * _s.KeyValueHeads + head) * Capacity * _s.HeadWidth;

    private float* Values(int layer, int head) => _cache + ((long)layer * 2 * _s.KeyValueHeads + _s.KeyValueHeads + head) * Capacity * _s.HeadWidth;

    private void Attend(int layer, int count)
    {
        var job = new AttendJob(this, layer, count);
        long work = (long)count * (Position + count) * _queries;
        if (_crew.Size == 1 || work < 1 << 15)
            Part(in job, 0, 1);
        else
            _crew.Run(in job, static (in AttendJob j, int worker, int workers) => Part(in j, worker, workers));

        static void Part(in AttendJob job, int worker, int workers)
        {
            var s = job.Session;
            for (int item = worker; item < s._s.Heads * job.Count; item += workers)
                s.AttendHead(job.Layer, item / job.Count, item % job.Count, s._scores + (long)worker * s.Capacity);
        }
    }

    private readonly struct AttendJob(LlamaSession session, int layer, int count)
    {
        public readonly LlamaSession Session = session;
        public readonly int Layer = layer, Count = count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dot(float* a, float* b, int d)
    {
        Vector256<float> even = Vector256<float>.Zero, odd = Vector256<float>.Zero;
        int i = 0;
        for (; i + 16 <= d; i += 16)
        {
            even = Vector256.FusedMultiplyAdd(Vector256.Load(a + i), Vector256.Load(b + i), even);
            odd = Vector256.FusedMultiplyAdd(Vector256.Load(a + i + 8), Vector256.Load(b + i + 8), odd);
        }
        if (i + 8 <= d)
        {
            even = Vector256.FusedMultiplyAdd(Vector256.Load(a + i), Vector256.Load(b + i), even);
            i += 8;
        }
        float sum = Vector256.Sum(even + odd);
        for (; i < d; i++)
            sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendHead(int layer, int head, int t, float* scores)
    {
        int d = _s.HeadWidth, positions = Position + t + 1, keyHead = head / _s.GroupSize;
        float* q = _q + (long)t * _queries + head * d, k = Keys(layer, keyHead), v = Values(layer, keyHead), to = _heads + (long)t * _queries + head * d;
        float scale = 1 / MathF.Sqrt(d), most = float.NegativeInfinity;
        for (int p = 0; p < positions; p++)
        {
            scores[p] = scale * Dot(q, k + (long)p * d, d);
            most = Math.Max(most, scores[p]);
        }
        int i = 0;
        var (total, shift) = (Vector256<float>.Zero, Vector256.Create(most));
        for (; i + 8 <= positions; i += 8)
        {
            var e = VectorExp.Exp(Vector256.Load(scores + i) - shift);
            Vector256.Store(e, scores + i);
            total += e;
        }
        float sum = Vector256.Sum(total);
        for (; i < positions; i++)
            sum += scores[i] = VectorExp.Exp(scores[i] - most);
        float inverse = 1 / sum;
        int c = 0;
        for (; c + 32 <= d; c += 32)
        {
            Vector256<float> a0, a1, a2, a3;
            a0 = a1 = a2 = a3 = Vector256<float>.Zero;
            float* at = v + c;
            for (int p = 0; p < positions; p++, at += d)
            {
                var w = Vector256.Create(scores[p]);
                a0 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at + 8), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at + 16), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Vector256.Load(at + 24), a3);
            }
            Vector256.Store(a0 * inverse, to + c);
            Vector256.Store(a1 * inverse, to + c + 8);
            Vector256.Store(a2 * inverse, to + c + 16);
            Vector256.Store(a3 * inverse, to + c + 24);
        }
        for (; c + 8 <= d; c += 8)
        {
            var a = Vector256<float>.Zero;
            for (int p = 0; p < positions; p++)
                a = Vector256.FusedMultiplyAdd(Vector256.Create(scores[p]), Vector256.Load(v + (long)p * d + c), a);
            Vector256.Store(a * inverse, to + c);
        }
        for (; c < d; c++)
        {
            float a = 0;
            for (int p = 0; p < positions; p++)
                a = MathF.FusedMultiplyAdd(scores[p], v[(long)p * d + c], a);
            to[c] = a * inverse;
        }
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

/// <summary>Positions as rotations (Su et al., RoFormer, 2021): pair i of a head at position p turns by p · θ^(-2i/d).</summary>
internal static unsafe class Rotary
{
    /// <summary>Cosines and sines [positions, d/2].</summary>
    public static void Tables(LlamaShape s, int positions, float* cosines, float* sines)
    {
        int half = s.HeadWidth / 2;
        for (int i = 0; i < half; i++)
        {
            double frequency = Math.Pow(s.RopeBase, -2.0 * i / s.HeadWidth);
            frequency = s.RopeScaling?.Of(frequency) ?? frequency;
            for (int p = 0; p < positions; p++)
                (sines[(long)p * half + i], cosines[(long)p * half + i]) = ((float)Math.Sin(p * frequency), (float)Math.Cos(p * frequency));
        }
    }

    /// <summary>Turns a head in place.</summary>
    public static void Turn(float* x, int d, float* cos, float* sin, bool interleaved)
    {
        for (int i = 0; i < d / 2; i++)
        {
            int a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + d / 2;
            (x[a], x[b]) = (x[a] * cos[i] - x[b] * sin[i], x[a] * sin[i] + x[b] * cos[i]);
        }
    }
}
