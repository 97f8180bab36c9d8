using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>
/// What both passes of the contrastive loss do with a set of queries and a set of keys: logits <c>X = scale·Q Kᵀ</c> tile by tile, a
/// chunk of queries as lanes, keys passing by in blocks that the threads share.
/// </summary>
internal sealed unsafe class ContrastiveTiles : IDisposable
{
    private readonly ContrastiveOptions _options;
    private readonly List<IDisposable> _taken = [];
    private readonly Scratch _scratch;
    private readonly int _width, _depth, _paddedDepth, _block, _capacity;
    private readonly float* _lanes, _columns, _queryLogSumExp;
    private readonly Worker[] _workers;

    /// <summary>Takes the room for tiles of any number of queries and keys of a depth.</summary>
    public ContrastiveTiles(int queries, int depth, bool gradients, ContrastiveOptions options, Scratch scratch)
    {
        (_options, _scratch, _width, _depth, _block) = (options, scratch, options.Path.PanelWidth(), depth, options.KeyBlock);
        _paddedDepth = Packing.RoundUp(depth, _width);
        _capacity = Packing.RoundUp(Math.Min(queries, options.QueryChunk), _width);
        _workers = new Worker[options.Threads];
        try
        {
            _lanes = Take((long)_capacity * depth);
            _queryLogSumExp = Take(_capacity);
            _columns = gradients ? Take((long)_capacity * _paddedDepth) : null;
            for (int t = 0; t < _workers.Length; t++)
            {
                _workers[t] = new Worker
                {
                    Tile = Take((long)_block * _capacity),
                    Max = Take(_capacity),
                    Sum = Take(_capacity),
                    QueryGradient = gradients ? Take((long)_capacity * depth) : null,
                    KeyGradient = gradients ? Take((long)_block * _paddedDepth) : null,
                };
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Merges into every query's pair the logits of all keys, and, where keys have pairs, into theirs the logits of all queries.</summary>
    public void Accumulate(TileMatrix queries, TileMatrix keys, float scale, Span<RunningLogSumExp> ofQueries, Span<RunningLogSumExp> ofKeys, CancellationToken cancellation)
    {
        fixed (RunningLogSumExp* keyPairs = ofKeys)
        {
            var pairs = keyPairs;
            for (int start = 0; start < queries.Rows; start += _capacity)
            {
                cancellation.ThrowIfCancellationRequested();
                int first = start, count = Math.Min(_capacity, queries.Rows - start), panels = Packing.RoundUp(count, _width) / _width;
                Packing.Lanes(queries, default, start, count, _width, scale, _lanes);
                Workers.Run(_workers.Length, t =>
                {
                    var worker = _workers[t];
                    new Span<float>(worker.Max, _capacity).Fill(RunningLogSumExp.Empty.Max);
                    new Span<float>(worker.Sum, _capacity).Clear();
                    foreach (var (from, size) in Blocks(keys.Rows, t))
                    {
                        Logits(worker.Tile, keys, from, size, first, count, panels);
                        for (int p = 0; p < panels; p++)
                            RunningLogSumExp.Accumulate(Panel(worker.Tile, p), size, _width, worker.Max + p * _width, worker.Sum + p * _width);
                        if (pairs != null)
                            AccumulateKeys(worker.Tile, size, panels, pairs + from);
                    }
                });
                for (int i = 0; i < count; i++)
                {
                    foreach (var worker in _workers)
                        ofQueries[start + i] = RunningLogSumExp.Merge(ofQueries[start + i], new(worker.Max[i], worker.Sum[i]));
                }
            }
        }
    }

    /// <summary>
    /// With <c>G = w·exp(X − lse of the query) + v·exp(X − lse of the key) − (w + v)·[the key is the query's positive]</c>, adds scale·G K to dQ and scale·Gᵀ Q to dK.
    /// </summary>
    /// <param name="queries">Q.</param>
    /// <param name="keys">K.</param>
    /// <param name="scale">The scale of the logits.</param>
    /// <param name="queryLogSumExp">By query.</param>
    /// <param name="keyLogSumExp">By key; empty for none, and then v is 0.</param>
    /// <param name="weight">w.</param>
    /// <param name="keyWeight">v.</param>
    /// <param name="positives">The key of every query; empty where none of these keys is a positive.</param>
    /// <param name="dQ">The gradient of the queries, added to.</param>
    /// <param name="dK">The gradient of the keys, added to.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    public void AddGradients(TileMatrix queries, TileMatrix keys, float scale, ReadOnlySpan<float> queryLogSumExp, ReadOnlySpan<float> keyLogSumExp, float weight, float keyWeight,
        ReadOnlySpan<int> positives, TileMatrix dQ, TileMatrix dK, CancellationToken cancellation)
    {
        fixed (float* keyLse = keyLogSumExp)
        fixed (int* positive = positives)
        {
            var (ofKeys, label) = ((nint)keyLse, (nint)positive);
            float[] row = new float[_depth];
            for (int start = 0; start < queries.Rows; start += _capacity)
            {
                cancellation.ThrowIfCancellationRequested();
                int first = start, count = Math.Min(_capacity, queries.Rows - start), panels = Packing.RoundUp(count, _width) / _width;
                Packing.Lanes(queries, default, start, count, _width, scale, _lanes);
                Packing.Columns(queries, default, start, count, panels * _width, _width, _columns);
                queryLogSumExp.Slice(start, count).CopyTo(new Span<float>(_queryLogSumExp, count));
                Workers.Run(_workers.Length, t =>
                {
                    var worker = _workers[t];
                    new Span<float>(worker.QueryGradient, _capacity * _depth).Clear();
                    foreach (var (from, size) in Blocks(keys.Rows, t))
                    {
                        Logits(worker.Tile, keys, from, size, first, count, panels);
                        for (int p = 0; p < panels; p++)
                            Softmax(Panel(worker.Tile, p), size, p * _width, ofKeys == 0 ? null : (float*)ofKeys + from, weight * scale, keyWeight * scale);
                        for (int i = 0; i < count && label != 0; i++)
                        {
                            int key = ((int*)label)[first + i] - from;
                            if (key >= 0 && key < size)
                                *(Panel(worker.Tile, i / _width) + (nint)key * _width + i % _width) -= (weight + keyWeight) * scale;
                        }
                        for (int p = 0; p < panels; p++)
                            TileProduct.Multiply(_options.Path, _depth, size, new(keys.Row(from), 1, _depth), new(Panel(worker.Tile, p)), new(1), worker.QueryGradient + (nint)p * _width * _depth, _width, true);
                        AddKeyGradient(worker, from, size, panels, dK);
                    }
                });
                for (int i = 0; i < count; i++)
                {
                    nint lane = (nint)(i / _width) * _width * _depth + i % _width;
                    Array.Clear(row);
                    foreach (var worker in _workers)
                    {
                        for (int d = 0; d < _depth; d++)
                            row[d] += worker.QueryGradient[lane + (nint)d * _width];
                    }
                    dQ.AddToRow(start + i, 0, row);
                }
            }
        }
    }

    private IEnumerable<(int From, int Size)> Blocks(int keys, int worker)
    {
        var (first, last) = Workers.Part((keys + _block - 1) / _block, worker, _workers.Length);
        for (int b = first; b < last; b++)
            yield return (b * _block, Math.Min(_block, keys - b * _block));
    }

    /// <summary>The tile of logits; −∞ in lanes without a query and, on request, where a query meets itself.</summary>
    private void Logits(float* tile, TileMatrix keys, int from, int size, int first, int count, int panels)
    {
        for (int p = 0; p < panels; p++)
            TileProduct.Multiply(_options.Path, size, _depth, new(keys.Row(from), _depth, 1), new(_lanes + (nint)p * _width * _depth), new(1), Panel(tile, p), _width, false);
        for (int i = count; i < panels * _width; i++)
        {
            for (int v = 0; v < size; v++)
                *(Panel(tile, i / _width) + (nint)v * _width + i % _width) = float.NegativeInfinity;
        }
        if (_options.ExcludeSelf)
        {
            for (int i = Math.Max(0, from - first); i < Math.Min(count, from + size - first); i++)
                *(Panel(tile, i / _width) + (nint)(first + i - from) * _width + i % _width) = float.NegativeInfinity;
        }
    }

    /// <summary>Merges into every key's pair the logits of a tile's queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AccumulateKeys(float* tile, int size, int panels, RunningLogSumExp* pairs)
    {
        nint panel = (nint)_block * _width;
        for (int v = 0; v < size; v++)
        {
            float* row = tile + (nint)v * _width;
            var lanes = Vector256.Create(pairs[v].Max);
            for (int p = 0; p < panels; p++)
            {
                for (int j = 0; j < _width; j += 8)
                    lanes = Vector256.MaxNative(lanes, Vector256.Load(row + p * panel + j));
            }
            var quarter = Vector128.MaxNative(lanes.GetLower(), lanes.GetUpper());
            quarter = Vector128.MaxNative(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
            quarter = Vector128.MaxNative(quarter, Vector128.Shuffle(quarter, Vector128.Create(1, 0, 3, 2)));
            float max = quarter.ToScalar();
            var (m, sum) = (Vector256.Create(max), Vector256<float>.Zero);
            for (int p = 0; p < panels; p++)
            {
                for (int j = 0; j < _width; j += 8)
                    sum += VectorExp.Exp(Vector256.Load(row + p * panel + j) - m);
            }
            pairs[v] = new(max, pairs[v].Sum * VectorExp.Exp(pairs[v].Max - max) + Vector256.Sum(sum));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Softmax(float* panel, int size, int lane, float* keyLogSumExp, float weight, float keyWeight)
    {
        for (int j = 0; j < _width; j += 8)
        {
            var (lse, w, u) = (Vector256.Load(_queryLogSumExp + lane + j), Vector256.Create(weight), Vector256.Create(keyWeight));
            float* at = panel + j;
            for (int v = 0; v < size; v++, at += _width)
            {
                var x = Vector256.Load(at);
                var g = VectorExp.Exp(x - lse) * w;
                if (keyLogSumExp != null)
                    g = Vector256.FusedMultiplyAdd(VectorExp.Exp(x - Vector256.Create(keyLogSumExp[v])), u, g);
                g.Store(at);
            }
        }
    }

    private void AddKeyGradient(Worker worker, int from, int size, int panels, TileMatrix dK)
    {
        for (int d = 0; d < _paddedDepth; d += _width)
        {
            bool direct = d + _width <= _depth;
            TileProduct.Multiply(_options.Path, size, _width, new(worker.Tile, _width, 1, (nint)_block * _width), new(_columns + (nint)d * panels * _width, _width * _width), new(panels),
                direct ? dK.Row(from) + d : worker.KeyGradient + d, direct ? _depth : _paddedDepth, direct);
        }
        int done = _depth / _width * _width;
        for (int v = 0; v < size && done < _depth; v++)
            dK.AddToRow(from + v, done, new Span<float>(worker.KeyGradient + (nint)v * _paddedDepth + done, _depth - done));
    }

    private float* Panel(float* tile, int p) => tile + (nint)p * _block * _width;

    private float* Take(long length)
    {
        var block = _scratch.Take<float>(length);
        _taken.Add(block);
        return block.Data;
    }

    public void Dispose()
    {
        foreach (var block in _taken)
            block.Dispose();
        _taken.Clear();
    }

    private sealed class Worker
    {
        public float* Tile, Max, Sum, QueryGradient, KeyGradient;
    }
}
