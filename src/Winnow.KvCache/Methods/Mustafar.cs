using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;
using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>Which numbers of a key or value go.</summary>
public enum PruneRule
{
    /// <summary>The smallest of each token.</summary>
    Magnitude,

    /// <summary>Of keys, those whose size times the mean size of the last queries is smallest; of values, the smallest.</summary>
    OutputAware,

    /// <summary>The same channels for all tokens of a block: those with least energy. What pruning by structure costs.</summary>
    Structured,

    /// <summary>Any.</summary>
    Random,
}

/// <summary>Options of <see cref="Mustafar"/>.</summary>
public sealed record MustafarOptions : BudgetOptions
{
    /// <summary>Share of a key that goes.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("share of the numbers of a key that become zero")]
    public double KeySparsity { get; init; } = 0.5;

    /// <summary>Share of a value that goes.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("share of the numbers of a value that become zero")]
    public double ValueSparsity { get; init; } = 0.5;

    /// <summary>Tokens that stay whole.</summary>
    [Range(1, 65536), Description("last tokens that stay whole; up to 63 more wait until a block of 64 is full")]
    public int Residual { get; init; } = 32;

    /// <summary>Whether exactly the share goes.</summary>
    [Description("true: exactly the share goes; false: one number fewer, as released code has it")]
    public bool Exact { get; init; }

    /// <summary>Which numbers go.</summary>
    [Description("which numbers of a key or value go")]
    public PruneRule Rule { get; init; } = PruneRule.Magnitude;
}

/// <summary>
/// Mustafar: zeroes the smallest numbers of every key and value and keeps the others behind bitmaps, from which attention is computed as they lie.
/// <para>Paper: Joo, Hosseini, Hadidi and Asgari, Mustafar: promoting unstructured sparsity for KV cache pruning in LLM inference, NeurIPS 2025 (arXiv 2505.22913). Keys are pruned after
/// they are rotated; tiles of keys run along 64 tokens of a channel, tiles of values along 64 channels of a token, or, where heads are narrower, along several tokens. Tokens leave the window in blocks of 64, where the
/// released kernels take 256.</para>
/// <para>Bytes of 64 numbers: 8 of bitmap, 4 of offset, 2 for each non-zero one, their number rounded up to 8. Cost O(tokens · width) to store; attention O(non-zero numbers).</para>
/// </summary>
public sealed class Mustafar(MustafarOptions options) : IEncoder, IQueryAware, IScaled
{
    /// <inheritdoc/>
    public IRows Keys(int width) => Keys(width, []);

    /// <inheritdoc/>
    public IRows Keys(int width, float[] queryMagnitude) => new SparseRows(width, options, options.KeySparsity, options.Rule == PruneRule.OutputAware ? queryMagnitude : [], alongTokens: true);

    /// <inheritdoc/>
    public IRows Values(int width) => new SparseRows(width, options, options.ValueSparsity, [], alongTokens: false);

    /// <inheritdoc/>
    public IKvStage At(double share)
    {
        double sparsity = Math.Clamp(1 - (share - 12.0 / 128), 0, 0.95);
        return new Mustafar(options with { KeySparsity = sparsity, ValueSparsity = sparsity });
    }

    /// <summary>
    /// Zeroes the smallest numbers of a vector as released: with <c>k = max(1, ⌊s·D⌋)</c>, all that are smaller than the k-th smallest, so that k - 1 go where no two are alike.
    /// </summary>
    /// <param name="vector">The numbers of one token and head.</param>
    /// <param name="sparsity">s.</param>
    /// <param name="exact">Exactly ⌊s·D⌋ go, of equals the later ones first.</param>
    public static void Prune<T>(Span<T> vector, double sparsity, bool exact = false) where T : INumber<T>
    {
        if (!(sparsity is >= 0 and < 1))
            throw InputException.At("sparsity", FormattableString.Invariant($"{sparsity}"), "at least 0 and less than 1", "It is the share of zeros.");
        T[] sizes = new T[vector.Length];
        for (int i = 0; i < sizes.Length; i++)
            sizes[i] = T.Abs(vector[i]);
        if (exact)
        {
            Keep(vector, sizes, vector.Length - (int)(sparsity * vector.Length));
            return;
        }
        T[] sorted = [.. sizes.Order()];
        T threshold = sorted[Math.Max(1, (int)(sparsity * vector.Length)) - 1];
        for (int i = 0; i < vector.Length; i++)
            if (sizes[i] < threshold)
                vector[i] = T.Zero;
    }

    /// <summary>Zeroes all but the ⌊D·(1 - s)⌋ numbers of a key whose size times that of the queries is largest.</summary>
    /// <param name="key">A key of one head.</param>
    /// <param name="queryMagnitude">Mean over the last queries of each number's size, summed over the query heads of the group.</param>
    /// <param name="sparsity">s.</param>
    public static void PruneByOutput<T>(Span<T> key, ReadOnlySpan<T> queryMagnitude, double sparsity) where T : INumber<T>
    {
        T[] scores = new T[key.Length];
        for (int i = 0; i < scores.Length; i++)
            scores[i] = T.Abs(key[i]) * queryMagnitude[i];
        Keep(key, scores, (int)(key.Length * (1 - sparsity)));
    }

    private static void Keep<T>(Span<T> vector, T[] scores, int count) where T : INumber<T>
    {
        foreach (int i in Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).Skip(count))
            vector[i] = T.Zero;
    }

    /// <summary>Whole tokens at the end, tiles before them.</summary>
    private sealed unsafe class SparseRows(int width, MustafarOptions o, double sparsity, float[] queries, bool alongTokens) : IRows
    {
        private readonly int _tile = Math.Min(BitmapTiles.Tile, width);
        private BitmapTiles _tiles = new();
        private ExactRows _window = new(width);

        /// <summary>Whether a tile holds the channels of several values.</summary>
        private readonly bool _several = !alongTokens && width < BitmapTiles.Tile && BitmapTiles.Tile % width == 0;

        private int TilesOfBlock => alongTokens || _several ? width : BitmapTiles.Tile * ((width + _tile - 1) / _tile);

        private int Sparse => _tiles.Count / TilesOfBlock * BitmapTiles.Tile;

        public int Count => Sparse + _window.Count;

        public KvBytes Bytes => _tiles.Bytes + _window.AsWindow + new KvBytes(0, Shared: sizeof(float) * queries.LongLength);

        public void Fill(ReadOnlySpan<float> rows)
        {
            int count = rows.Length / width, blocks = Math.Max(0, count - o.Residual) / BitmapTiles.Tile;
            for (int b = 0; b < blocks; b++)
                Add(rows.Slice(b * BitmapTiles.Tile * width, BitmapTiles.Tile * width));
            _window.Append(rows[(blocks * BitmapTiles.Tile * width)..]);
        }

        public void Append(ReadOnlySpan<float> row) => _window.Append(row);

        public void Settle()
        {
            if (_window.Count - o.Residual < BitmapTiles.Tile)
                return;
            float[] block = new float[BitmapTiles.Tile * width];
            for (int t = 0; t < BitmapTiles.Tile; t++)
                _window.Read(t, block.AsSpan(t * width, width));
            Add(block);
            _window.RemoveFirst(BitmapTiles.Tile);
        }

        private void Add(ReadOnlySpan<float> block)
        {
            float[] pruned = [.. block];
            foreach (ref float number in pruned.AsSpan())
                number = (float)(Half)number; // as the window has it, so that a token is pruned alike whenever it leaves it
            Pruned(pruned);
            Span<Half> tile = stackalloc Half[BitmapTiles.Tile];
            if (alongTokens)
            {
                for (int c = 0; c < width; c++)
                {
                    for (int t = 0; t < BitmapTiles.Tile; t++)
                        tile[t] = (Half)pruned[t * width + c];
                    _tiles.Add(tile);
                }
                return;
            }
            for (int at = 0; at < pruned.Length && _several; at += BitmapTiles.Tile)
            {
                TensorPrimitives.ConvertToHalf(pruned.AsSpan(at, BitmapTiles.Tile), tile);
                _tiles.Add(tile);
            }
            for (int first = 0; first < width && !_several; first += _tile)
                for (int t = 0; t < BitmapTiles.Tile; t++)
                {
                    var part = pruned.AsSpan(t * width + first, Math.Min(_tile, width - first));
                    TensorPrimitives.ConvertToHalf(part, tile);
                    _tiles.Add(tile[..part.Length]);
                }
        }

        private void Pruned(float[] block)
        {
            if (o.Rule == PruneRule.Structured)
            {
                float[] energy = [.. Enumerable.Range(0, width).Select(c => Enumerable.Range(0, BitmapTiles.Tile).Sum(t => block[t * width + c] * block[t * width + c]))];
                foreach (int c in Ranking.Descending(energy).Skip(width - Gone))
                    for (int t = 0; t < BitmapTiles.Tile; t++)
                        block[t * width + c] = 0;
                return;
            }
            var random = o.Rule == PruneRule.Random ? new SeededRandom((ulong)_tiles.Count, "mustafar") : null;
            for (int t = 0; t < BitmapTiles.Tile; t++)
            {
                var row = block.AsSpan(t * width, width);
                if (o.Rule == PruneRule.Random)
                    Keep(row, [.. Enumerable.Range(0, width).Select(_ => random!.NextSingle())], width - Gone);
                else if (queries.Length == width)
                    PruneByOutput<float>(row, queries, sparsity);
                else
                    Prune(row, sparsity, o.Exact);
            }
        }

        /// <summary>Numbers that go where no two are alike.</summary>
        private int Gone => Math.Max(0, (int)(sparsity * width) - (o.Exact ? 0 : 1));

        public void Dot(ReadOnlySpan<float> vectors, int groups, Span<float> scores, int stride)
        {
            int sparse = Sparse;
            fixed (float* q = vectors, to = scores)
                for (int g = 0; g < groups; g++)
                {
                    scores.Slice(g * stride, sparse).Clear();
                    for (int t = 0; t < sparse; t += BitmapTiles.Tile)
                        if (alongTokens)
                            _tiles.AddTiles(t / BitmapTiles.Tile * width, width, q + g * width, to + g * stride + t, BitmapTiles.Tile);
                        else
                            throw new NotSupportedException("Values are not multiplied with queries.");
                }
            _window.Dot(vectors, groups, scores[sparse..], stride);
        }

        public void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums)
        {
            int sparse = Sparse, columns = (width + _tile - 1) / _tile;
            if (_several)
            {
                Span<float> tile = stackalloc float[BitmapTiles.Tile];
                for (int t = 0; t < sparse; t += BitmapTiles.Tile / width)
                {
                    _tiles.Read(t * width / BitmapTiles.Tile, tile);
                    for (int i = 0; i < BitmapTiles.Tile / width; i++)
                        for (int g = 0; g < groups; g++)
                            Scaled.Add(weights[g * stride + t + i], tile.Slice(i * width, width), sums.Slice(g * width, width));
                }
                _window.AddWeighted(weights[sparse..], groups, stride, sums);
                return;
            }
            fixed (float* w = weights, to = sums)
                for (int g = 0; g < groups; g++)
                    for (int t = 0; t < sparse; t += BitmapTiles.Tile)
                        for (int column = 0; column < columns; column++)
                        {
                            if (alongTokens)
                                throw new NotSupportedException("Keys are not summed up.");
                            int first = t / BitmapTiles.Tile * TilesOfBlock + column * BitmapTiles.Tile;
                            _tiles.AddTiles(first, BitmapTiles.Tile, w + g * stride + t, to + g * width + column * _tile, Math.Min(_tile, width - column * _tile));
                        }
            _window.AddWeighted(weights[sparse..], groups, stride, sums);
        }

        public void Read(int index, Span<float> row)
        {
            int sparse = Sparse;
            if (index >= sparse)
            {
                _window.Read(index - sparse, row);
                return;
            }
            int block = index / BitmapTiles.Tile * TilesOfBlock, t = index % BitmapTiles.Tile;
            for (int c = 0; c < width; c++)
                row[c] = _several ? _tiles.Read((index * width + c) / BitmapTiles.Tile, (index * width + c) % BitmapTiles.Tile) : alongTokens ? _tiles.Read(block + c, t) : _tiles.Read(block + c / _tile * BitmapTiles.Tile + t, c % _tile);
        }

        public IRows Clone() => new SparseRows(width, o, sparsity, queries, alongTokens) { _tiles = _tiles.Clone(), _window = (ExactRows)_window.Clone() };
    }
}
