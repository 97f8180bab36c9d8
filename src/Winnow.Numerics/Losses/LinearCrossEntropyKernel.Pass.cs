using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

public sealed unsafe partial class LinearCrossEntropyKernel
{
    /// <summary>
    /// One pass over the vocabulary for a chunk of rows. Tiles lie as [block][panel][entry][lane]; with <c>keep</c> all blocks stay,
    /// otherwise a worker has room for one.
    /// </summary>
    private sealed class Pass : IDisposable
    {
        private readonly LinearCrossEntropyKernel _problem;
        private readonly List<IDisposable> _blocks = [];
        private readonly bool _keep;
        private readonly int _width, _depth, _paddedDepth, _block, _threads;
        private readonly int[]? _order;
        private readonly int[] _position, _targets;
        private readonly float* _lanes, _columns, _logSumExp, _loss, _total, _targetLogit;
        private readonly Worker[] _workers;
        private readonly float* _kept;
        private readonly float _inverseCap;
        private int _start, _count, _panels;

        public Pass(LinearCrossEntropyKernel problem, int capacity, bool keep, bool gradients, int[]? order)
        {
            (_problem, Capacity, _keep, _order) = (problem, capacity, keep, order);
            (_width, _depth, _block) = (problem.Width, problem._e.Columns, Math.Min(problem._options.VocabularyBlock, problem._c.Rows));
            _paddedDepth = Packing.RoundUp(_depth, _width);
            _threads = Math.Min(problem._options.Threads, problem.Blocks);
            _inverseCap = problem._options.Softcap is { } cap ? 1 / cap : 0;
            _position = order is null ? [] : Inverse(order);
            _targets = new int[capacity];
            _workers = new Worker[_threads];
            try
            {
                _lanes = Take((long)capacity * _depth);
                _columns = gradients ? Take((long)capacity * _paddedDepth) : null;
                _logSumExp = Take(capacity);
                _loss = Take(capacity);
                _total = Take(capacity);
                _targetLogit = Take(capacity);
                _kept = keep ? Take((long)problem.Blocks * _block * capacity) : null;
                for (int t = 0; t < _threads; t++)
                {
                    _workers[t] = new Worker
                    {
                        Tile = keep ? null : Take((long)_block * capacity),
                        Max = Take(capacity),
                        Sum = Take(capacity),
                        Classifier = order is not null || problem._c.Type == TileType.BFloat16 ? Take((long)_block * _depth) : null,
                        EmbeddingGradient = gradients ? Take((long)capacity * _depth) : null,
                        ClassifierGradient = gradients ? Take((long)_block * _paddedDepth) : null,
                        ForEmbeddings = new int[capacity / _width],
                        ForClassifier = new int[capacity / _width],
                    };
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        /// <summary>Rows in a chunk, at most.</summary>
        public int Capacity { get; }

        public TileCounts Counts => new(_workers.Sum(w => w.Tiles), _workers.Sum(w => w.Skipped));

        /// <summary>Packs a chunk of rows as lanes.</summary>
        public void Load(int start, int count)
        {
            (_start, _count, _panels) = (start, count, Packing.RoundUp(count, _width) / _width);
            Packing.Lanes(_problem._e, _problem._rows.Embeddings, start, count, _width, 1, _lanes);
            if (_columns != null)
                Packing.Columns(_problem._e, _problem._rows.Embeddings, start, count, _panels * _width, _width, _columns);
            for (int i = 0; i < count; i++)
            {
                int target = _problem._rows.Targets[start + i];
                _targets[i] = target < 0 || target >= _problem._c.Rows ? -1 : _order is null ? target : _position[target];
            }
            new Span<float>(_targetLogit, Capacity).Clear();
        }

        /// <summary>Computes every block's logits and what each worker's rows of the classifier add to the lanes' log-sum-exp.</summary>
        public void Logits(float* average)
        {
            Workers.Run(_threads, t =>
            {
                var worker = _workers[t];
                new Span<float>(worker.Max, Capacity).Fill(RunningLogSumExp.Empty.Max);
                new Span<float>(worker.Sum, Capacity).Clear();
                var (first, last) = Workers.Part(_problem.Blocks, t, _threads);
                for (int b = first; b < last; b++)
                {
                    int from = b * _block, size = Math.Min(_block, _problem._c.Rows - from);
                    float* tile = Tile(worker, b);
                    Product(worker, from, size, tile);
                    for (int i = 0; i < _count; i++)
                    {
                        if (_targets[i] >= from && _targets[i] < from + size)
                            _targetLogit[i] = *At(tile, i, _targets[i] - from);
                    }
                    for (int p = 0; p < _panels; p++)
                        RunningLogSumExp.Accumulate(Panel(tile, p), size, _width, worker.Max + p * _width, worker.Sum + p * _width);
                    if (average != null)
                        AddLanes(tile, size, average, from);
                }
            });
        }

        /// <summary>Merges the workers' log-sum-exps, in their order.</summary>
        public void Merge(Span<float> logSumExp, Span<float> targetLogit)
        {
            for (int i = 0; i < _count; i++)
            {
                var all = RunningLogSumExp.Empty;
                foreach (var worker in _workers)
                    all = RunningLogSumExp.Merge(all, new(worker.Max[i], worker.Sum[i]));
                if (!float.IsFinite(all.Value))
                    throw new ArgumentException($"the logits of row {_problem._rows.Embeddings[_start + i]} are not finite (their log-sum-exp is {all.Value}); check embeddings, classifier and bias for infinities and NaN");
                (logSumExp[i], targetLogit[i]) = (all.Value, _targetLogit[i]);
            }
        }

        /// <summary>Turns every block's logits into their gradient and adds its products to the gradients of both operands.</summary>
        public void Gradients(ReadOnlySpan<float> logSumExp, ReadOnlySpan<float> loss, ReadOnlySpan<float> ofLogSumExp, TileMatrix dE, TileMatrix dC, Span<float> dBias)
        {
            for (int i = 0; i < _panels * _width; i++)
            {
                bool used = i < _count;
                _logSumExp[i] = used ? logSumExp[i] : float.MaxValue; // a lane without a row: softmax 0
                _loss[i] = used ? loss[i] : 0;
                _total[i] = used ? loss[i] + (ofLogSumExp.IsEmpty ? 0 : ofLogSumExp[i]) : 0;
            }
            fixed (float* biasGradient = dBias)
            {
                float* bias = biasGradient;
                Workers.Run(_threads, t =>
                {
                    var worker = _workers[t];
                    new Span<float>(worker.EmbeddingGradient, Capacity * _depth).Clear();
                    var (first, last) = Workers.Part(_problem.Blocks, t, _threads);
                    for (int b = first; b < last; b++)
                        BlockGradients(worker, b, dC, bias);
                });
            }
            float[] row = new float[_depth];
            for (int i = 0; i < _count; i++)
            {
                nint lane = (nint)(i / _width) * _width * _depth + i % _width;
                Array.Clear(row);
                foreach (var worker in _workers)
                {
                    for (int d = 0; d < _depth; d++)
                        row[d] += worker.EmbeddingGradient[lane + (nint)d * _width];
                }
                dE.SetRow(_problem._rows.Embeddings[_start + i], row);
            }
        }

        private void BlockGradients(Worker worker, int b, TileMatrix dC, float* bias)
        {
            int from = b * _block, size = Math.Min(_block, _problem._c.Rows - from);
            float* tile = Tile(worker, b);
            float* c = _keep ? ClassifierBlock(worker, from, size) : Product(worker, from, size, tile);
            int forEmbeddings = 0, forClassifier = 0;
            for (int p = 0; p < _panels; p++)
            {
                bool keep = PanelGradient(Panel(tile, p), p, from, size);
                worker.Tiles++;
                bool e = keep || !_problem._options.FilterEmbeddings, forC = keep || !_problem._options.FilterClassifier;
                if (e)
                    worker.ForEmbeddings[forEmbeddings++] = p;
                if (forC)
                    worker.ForClassifier[forClassifier++] = p;
                if (!e && !forC)
                    worker.Skipped++;
                else if (bias != null)
                    AddLanes(Panel(tile, p), size, bias, from, _order);
            }
            // dEᵀ[D × lanes] += C_bᵀ[D × block] · G[block × lanes]
            for (int s = 0; s < forEmbeddings; s++)
            {
                int p = worker.ForEmbeddings[s];
                TileProduct.Multiply(_problem._options.Path, _depth, size, new(c, 1, _depth), new(Panel(tile, p)), new(1), worker.EmbeddingGradient + (nint)p * _width * _depth, _width, true);
            }
            if (forClassifier > 0)
                ClassifierGradient(worker, tile, from, size, forClassifier, dC);
        }

        /// <summary>dC_b[block × D] += G[block × rows] · E[rows × D], in place where the block lies together, otherwise by way of the worker's room.</summary>
        private void ClassifierGradient(Worker worker, float* tile, int from, int size, int active, TileMatrix dC)
        {
            bool together = _order is null && dC.Type == TileType.Float32;
            fixed (int* list = worker.ForClassifier)
            {
                for (int d = 0; d < _paddedDepth; d += _width)
                {
                    bool direct = together && d + _width <= _depth;
                    TileProduct.Multiply(_problem._options.Path, size, _width, new(tile, _width, 1, (nint)_block * _width), new(_columns + (nint)d * _panels * _width, _width * _width), new(active, list),
                        direct ? dC.Row(from) + d : worker.ClassifierGradient + d, direct ? _depth : _paddedDepth, direct);
                }
            }
            int done = together ? _depth / _width * _width : 0;
            for (int v = 0; v < size && done < _depth; v++)
            {
                var row = new Span<float>(worker.ClassifierGradient + (nint)v * _paddedDepth + done, _depth - done);
                int entry = _order is null ? from + v : _order[from + v];
                if (dC.Type == TileType.BFloat16)
                    dC.SetRow(entry, row); // all rows are one chunk: the sum is complete
                else
                    dC.AddToRow(entry, done, row);
            }
        }

        /// <summary>The gradient by a panel's logits in place of them, or false, and nothing done, where the filter leaves it out of both gradients.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private bool PanelGradient(float* panel, int p, int from, int size)
        {
            int first = p * _width, end = Math.Min(first + _width, _count);
            var options = _problem._options;
            // A target's entry is taken out: its difference from the one-hot vector is computed apart.
            float gap = 0;
            for (int i = first; i < end; i++)
            {
                if (_targets[i] < from || _targets[i] >= from + size)
                    continue;
                float* at = panel + (nint)(_targets[i] - from) * _width + (i - first);
                _targetLogit[i] = *at;
                *at = float.NegativeInfinity;
                gap = MathF.Max(gap, MathF.Abs(VectorExp.Exp(_targetLogit[i] - _logSumExp[i]) - 1));
            }
            bool keep = options.FilterEpsilon == 0 || gap >= options.FilterEpsilon || LargestSoftmax(panel, size, first) >= options.FilterEpsilon;
            if (!keep && options.FilterEmbeddings && options.FilterClassifier)
                return false;
            var inverseCap = Vector256.Create(_inverseCap);
            for (int j = 0; j < _width; j += 8)
            {
                var lse = Vector256.Load(_logSumExp + first + j);
                var total = Vector256.Load(_total + first + j);
                float* at = panel + j;
                for (int v = 0; v < size; v++, at += _width)
                {
                    var z = Vector256.Load(at);
                    var g = VectorExp.Exp(z - lse) * total;
                    if (_inverseCap != 0)
                    {
                        var t = Vector256.MaxNative(z, -Vector256.Create(1 / _inverseCap)) * inverseCap; // an entry taken out stays finite
                        g *= Vector256<float>.One - t * t;
                    }
                    g.Store(at);
                }
            }
            for (int i = first; i < end; i++)
            {
                if (_targets[i] < from || _targets[i] >= from + size)
                    continue;
                float t = _targetLogit[i] * _inverseCap;
                panel[(nint)(_targets[i] - from) * _width + (i - first)] = (VectorExp.Exp(_targetLogit[i] - _logSumExp[i]) * _total[i] - _loss[i]) * (1 - t * t);
            }
            return keep;
        }

        private float LargestSoftmax(float* panel, int size, int first)
        {
            var largest = Vector256<float>.Zero;
            for (int j = 0; j < _width; j += 8)
            {
                var max = Vector256.Create(float.MinValue);
                for (int v = 0; v < size; v++)
                    max = Vector256.MaxNative(max, Vector256.Load(panel + (nint)v * _width + j));
                largest = Vector256.MaxNative(largest, VectorExp.Exp(max - Vector256.Load(_logSumExp + first + j)));
            }
            float result = 0;
            for (int j = 0; j < 8; j++)
                result = MathF.Max(result, largest[j]);
            return result;
        }

        /// <summary>tile[panel][block × lanes] = C_b[block × D] · Eᵀ[D × lanes] (+ bias, capped); returns C_b.</summary>
        private float* Product(Worker worker, int from, int size, float* tile)
        {
            float* c = ClassifierBlock(worker, from, size);
            for (int p = 0; p < _panels; p++)
            {
                float* panel = Panel(tile, p);
                TileProduct.Multiply(_problem._options.Path, size, _depth, new(c, _depth, 1), new(_lanes + (nint)p * _width * _depth), new(1), panel, _width, false);
                if (_problem._bias != null)
                {
                    for (int v = 0; v < size; v++)
                    {
                        var bias = Vector256.Create(_problem._bias[_order is null ? from + v : _order[from + v]]);
                        for (float* at = panel + (nint)v * _width, end = at + _width; at < end; at += 8)
                            (Vector256.Load(at) + bias).Store(at);
                    }
                }
                if (_problem._options.Softcap is { } cap)
                {
                    for (float* at = panel, end = panel + (nint)size * _width; at < end; at += 8)
                        (VectorExp.Tanh(Vector256.Load(at) * Vector256.Create(_inverseCap)) * Vector256.Create(cap)).Store(at);
                }
            }
            return c;
        }

        private float* ClassifierBlock(Worker worker, int from, int size)
        {
            if (worker.Classifier == null)
                return _problem._c.Row(from);
            for (int v = 0; v < size; v++)
                _problem._c.CopyRow(_order is null ? from + v : _order[from + v], 0, new Span<float>(worker.Classifier + (nint)v * _depth, _depth));
            return worker.Classifier;
        }

        private float* Tile(Worker worker, int b) => _keep ? _kept + (nint)b * _block * _panels * _width : worker.Tile;

        private float* Panel(float* tile, int p) => tile + (nint)p * _block * _width;

        private float* At(float* tile, int row, int entry) => Panel(tile, row / _width) + (nint)entry * _width + row % _width;

        /// <summary>Adds to every entry the sum over the tile's rows.</summary>
        private void AddLanes(float* tile, int size, float* to, int from)
        {
            for (int p = 0; p < _panels; p++)
            {
                int lanes = Math.Min(_width, _count - p * _width);
                for (int v = 0; v < size; v++)
                {
                    float* row = Panel(tile, p) + (nint)v * _width;
                    float sum = 0;
                    for (int j = 0; j < lanes; j++)
                        sum += row[j];
                    to[from + v] += sum;
                }
            }
        }

        /// <summary>Adds to every entry the sum over a panel of gradients, which is 0 in lanes without a row.</summary>
        private void AddLanes(float* panel, int size, float* to, int from, int[]? order)
        {
            for (int v = 0; v < size; v++)
            {
                var sum = Vector256<float>.Zero;
                for (int j = 0; j < _width; j += 8)
                    sum += Vector256.Load(panel + (nint)v * _width + j);
                to[order is null ? from + v : order[from + v]] += Vector256.Sum(sum);
            }
        }

        private float* Take(long length)
        {
            var block = _problem._scratch.Take<float>(length);
            _blocks.Add(block);
            return block.Data;
        }

        private static int[] Inverse(int[] order)
        {
            int[] position = new int[order.Length];
            Array.Fill(position, -1);
            for (int i = 0; i < order.Length; i++)
            {
                if (order[i] < 0 || order[i] >= order.Length || position[order[i]] >= 0)
                    throw new ArgumentException($"entry {order[i]} at {i} of the order of the vocabulary; expected each of 0 to {order.Length - 1} once");
                position[order[i]] = i;
            }
            return position;
        }

        public void Dispose()
        {
            foreach (var block in _blocks)
                block.Dispose();
            _blocks.Clear();
        }
    }

    /// <summary>What a thread has for itself.</summary>
    private sealed class Worker
    {
        public float* Tile, Max, Sum, Classifier, EmbeddingGradient, ClassifierGradient;
        public required int[] ForEmbeddings, ForClassifier;
        public long Tiles, Skipped;
    }
}
