using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>How attention is computed.</summary>
public sealed record AttentionOptions
{
    /// <summary>The factor of the logits; null for 1/√E.</summary>
    public float? Scale { get; init; }

    /// <summary>Whether query p sees only keys 0 to p.</summary>
    public bool Causal { get; init; }

    /// <summary>Threads, the caller's among them; they share heads and chunks of queries, and results do not depend on their number.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Keys in a tile.</summary>
    public int KeyBlock { get; init; } = 256;

    /// <summary>Queries that pass over the keys together.</summary>
    public int QueryChunk { get; init; } = 240;

    /// <summary>The instructions to use.</summary>
    public TilePath Path { get; init; } = TilePaths.Best;
}

/// <summary>
/// Softmax attention in one pass over the keys: blocks of keys pass by, and the running maximum, sum and weighted values of every query are
/// rescaled where a block raises the maximum. Division by the sum comes last.
/// <para>The one-pass cascade of Nayak et al., "FuseMax: Leveraging Extended Einsums to Optimize Attention Accelerator Design" (2024), arXiv 2406.10491.</para>
/// <para>Cost: 2·heads·P·M·(E + F) operations; scratch O(chunk·(E + F + block)) per thread, whatever M is.</para>
/// </summary>
public static unsafe class BlockedAttention
{
    /// <summary>Computes <c>O = softmax(scale·Q Kᵀ + mask) V</c> for every head; a query all of whose keys are masked gets 0.</summary>
    /// <param name="heads">Number of heads; each operand holds one behind the other.</param>
    /// <param name="q">Queries [heads·P, E].</param>
    /// <param name="k">Keys [heads·M, E].</param>
    /// <param name="v">Values [heads·M, F].</param>
    /// <param name="mask">What is added to the logits of all heads, [P, M], −∞ to mask; null for nothing.</param>
    /// <param name="output">Receives O [heads·P, F].</param>
    /// <param name="options">How to compute.</param>
    /// <param name="scratch">Where temporaries come from.</param>
    /// <param name="cancellation">Stops between chunks of queries.</param>
    /// <exception cref="ArgumentException">Sizes that do not fit, or logits that are not a number.</exception>
    public static void Compute(int heads, TileMatrix q, TileMatrix k, TileMatrix v, float* mask, TileMatrix output, AttentionOptions options, Scratch scratch, CancellationToken cancellation = default)
    {
        if (heads < 1 || q.Rows % heads != 0 || k.Rows % heads != 0 || q.Rows == 0 || k.Rows == 0)
            throw new ArgumentException($"{q.Rows} rows of queries and {k.Rows} of keys over {heads} heads; expected multiples of at least one head");
        if (q.Columns != k.Columns || k.Rows != v.Rows || output.Rows != q.Rows || output.Columns != v.Columns)
            throw new ArgumentException($"queries [{q.Rows}, {q.Columns}], keys [{k.Rows}, {k.Columns}], values [{v.Rows}, {v.Columns}], output [{output.Rows}, {output.Columns}]; expected [hP, E], [hM, E], [hM, F], [hP, F]");
        if (q.Type != TileType.Float32 || k.Type != TileType.Float32 || v.Type != TileType.Float32 || output.Type != TileType.Float32)
            throw new ArgumentException("operands must be float32: convert them first");
        if (options.Threads < 1 || options.KeyBlock < 1 || options.QueryChunk < 1)
            throw new ArgumentException($"{options.Threads} threads, {options.KeyBlock} keys and {options.QueryChunk} queries in a tile; expected at least one of each");
        int p = q.Rows / heads, width = options.Path.PanelWidth(), capacity = Packing.RoundUp(Math.Min(p, options.QueryChunk), width), chunks = (p + capacity - 1) / capacity;
        using var part = scratch.Part();
        var own = part.Scratch;
        Workers.Run(Math.Min(options.Threads, heads * chunks), worker =>
        {
            using var pass = new Pass(capacity, k.Rows / heads, q.Columns, v.Columns, options, own);
            for (int i = worker; i < heads * chunks; i += options.Threads) // in turn: with a causal mask later chunks are longer
            {
                cancellation.ThrowIfCancellationRequested();
                int head = i / chunks, start = i % chunks * capacity, m = k.Rows / heads;
                pass.Run(q.Slice(head * p, p), start, Math.Min(capacity, p - start), k.Slice(head * m, m), v.Slice(head * m, m), mask, output.Slice(head * p, p));
            }
        });
    }

    private sealed class Pass(int capacity, int keys, int depth, int features, AttentionOptions options, Scratch scratch) : IDisposable
    {
        private readonly int _width = options.Path.PanelWidth();
        private readonly int _block = Math.Min(options.KeyBlock, keys);
        private readonly Scratch.Block<float> _lanes = scratch.Take<float>((long)capacity * depth);
        private readonly Scratch.Block<float> _panel = scratch.Take<float>((long)Math.Min(options.KeyBlock, keys) * options.Path.PanelWidth());
        private readonly Scratch.Block<float> _numerators = scratch.Take<float>((long)capacity * features);
        private readonly Scratch.Block<float> _running = scratch.Take<float>(2L * capacity + options.Path.PanelWidth());

        public void Run(TileMatrix q, int start, int count, TileMatrix k, TileMatrix v, float* mask, TileMatrix output)
        {
            int panels = Packing.RoundUp(count, _width) / _width;
            Packing.Lanes(q, default, start, count, _width, options.Scale ?? 1 / MathF.Sqrt(depth), _lanes.Data);
            float* max = _running.Data, sum = max + capacity, shrink = sum + capacity;
            new Span<float>(max, capacity).Fill(RunningLogSumExp.Empty.Max);
            new Span<float>(sum, capacity).Clear();
            _numerators.Span.Clear();
            int visible = options.Causal ? Math.Min(k.Rows, start + count) : k.Rows;
            for (int from = 0; from < visible; from += _block)
            {
                int size = Math.Min(_block, k.Rows - from);
                for (int p = 0; p < panels; p++)
                {
                    int first = start + p * _width, lanes = Math.Min(_width, count - p * _width);
                    int seen = options.Causal ? Math.Min(size, first + lanes - from) : size;
                    if (seen <= 0)
                        continue;
                    float* numerators = _numerators.Data + (nint)p * _width * features;
                    TileProduct.Multiply(options.Path, seen, depth, new(k.Row(from), depth, 1), new(_lanes.Data + (nint)p * _width * depth), new(1), _panel.Data, _width, false);
                    Mask(first, lanes, from, seen, mask, k.Rows);
                    RunningLogSumExp.Accumulate(_panel.Data, seen, _width, max + p * _width, sum + p * _width, shrink);
                    Shrink(numerators, features, shrink);
                    TileProduct.Multiply(options.Path, features, seen, new(v.Row(from), 1, features), new(_panel.Data), new(1), numerators, _width, true);
                }
            }
            for (int i = 0; i < count; i++)
            {
                if (float.IsNaN(sum[i]) || float.IsInfinity(max[i]))
                    throw new ArgumentException($"the logits of query {start + i} are not finite; check queries, keys and mask for infinities and NaN (a mask's −∞ is allowed)");
                float* row = output.Row(start + i), from = _numerators.Data + (nint)(i / _width) * _width * features + i % _width;
                float inverse = sum[i] == 0 ? 0 : 1 / sum[i];
                for (int f = 0; f < features; f++)
                    row[f] = from[(nint)f * _width] * inverse;
            }
        }

        private void Mask(int first, int lanes, int from, int size, float* mask, int keys)
        {
            for (int j = 0; j < lanes && mask != null; j++)
            {
                for (int m = 0; m < size; m++)
                    _panel.Data[(nint)m * _width + j] += mask[(nint)(first + j) * keys + from + m];
            }
            for (int m = Math.Max(0, first + 1 - from); options.Causal && m < size; m++) // keys that not all of the panel's queries see
                new Span<float>(_panel.Data + (nint)m * _width, Math.Min(_width, from + m - first)).Fill(float.NegativeInfinity);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Shrink(float* numerators, int features, float* shrink)
        {
            for (int j = 0; j < _width; j += 8)
            {
                var factor = Vector256.Load(shrink + j);
                if (factor == Vector256<float>.One)
                    continue;
                for (int f = 0; f < features; f++)
                    (Vector256.Load(numerators + (nint)f * _width + j) * factor).Store(numerators + (nint)f * _width + j);
            }
        }

        public void Dispose()
        {
            _lanes.Dispose();
            _panel.Dispose();
            _numerators.Dispose();
            _running.Dispose();
        }
    }
}
