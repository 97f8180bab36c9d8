using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using Winnow.Core;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>Options of <see cref="Xkv"/>.</summary>
public sealed record XkvOptions : BudgetOptions
{
    /// <summary>Layers that share a basis.</summary>
    [Range(1, 1024), Description("layers in a row that share a basis of the tokens; the last group may be smaller")]
    public int Layers { get; init; } = 4;

    /// <summary>Rank of keys.</summary>
    [Range(0, 1_000_000), Description("rank of a whole group's keys; 0: from the share")]
    public int KeyRank { get; init; }

    /// <summary>Rank of values.</summary>
    [Range(0, 1_000_000), Description("rank of a whole group's values; 0: from the share")]
    public int ValueRank { get; init; }

    /// <summary>Share of the numbers.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("share of the group's numbers that both factors together have; values get half as much again as keys, as in the paper")]
    public double Keep { get; init; } = 0.25;
}

/// <summary>
/// xKV: one singular value decomposition of the keys of several neighbouring layers, and one of their values, gives a basis of the tokens that these layers share; each layer keeps how it mixes it.
/// <para>Paper: Chang, Lin, Akhauri, Lin, Wu, Ceze and Abdelfattah, xKV: cross-layer SVD for KV-cache compression, arXiv 2503.18893 (2025). Keys before rotation, rotated as they are read; the
/// prompt is read exactly, and what is generated after it is kept exactly.</para>
/// <para>X = [X_1 | … | X_g] (tokens × g·heads·width) ≈ A·C with A = U_r S_r, which goes through the policy's encoder, and C = W_rᵀ in half precision.
/// Numbers kept: r · (tokens + g·heads·width), so that short prompts pay for C. Cost: O(m² M) once, m the smaller and M the larger of tokens and g·heads·width; a token
/// then reads O(tokens · r · heads · width) a layer, for values as much as A alone.</para>
/// </summary>
public sealed class Xkv(XkvOptions options) : IProjector, IScaled
{
    /// <inheritdoc/>
    public IReadOnlyList<LayerCache> Project(Prompt prompt, IReadOnlyList<int[]> positions, IEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(positions);
        ArgumentNullException.ThrowIfNull(encoder);
        var s = prompt.Shape;
        int row = s.KeyValueHeads * s.HeadWidth;
        var layers = new List<LayerCache>();
        for (int first = 0; first < s.Layers; first += options.Layers)
        {
            int g = Math.Min(options.Layers, s.Layers - first);
            int[] tokens = [.. positions[first]];
            if (Enumerable.Range(first, g).FirstOrDefault(l => !positions[l].AsSpan().SequenceEqual(tokens), -1) is var other and >= 0)
                throw new InputException($"policy: found other tokens kept in layer {other} than in layer {first}; expected the same in all {g} layers that share a basis. Let the selector share its choice too (windowkv:shared-layers={options.Layers}), or take xkv:layers=1.");
            var keys = Factors(first, g, tokens, options.KeyRank, 0.8, l => prompt.KeysBefore(l), encoder.Keys);
            var values = Factors(first, g, tokens, options.ValueRank, 1.2, l => prompt.Values(l), encoder.Values);
            for (int l = 0; l < g; l++)
                layers.Add(new TailedCache(new SharedBasis(prompt.Shape, prompt.Rotary, Selection.IsAll(tokens, prompt.Count) ? null : tokens, keys, values, l), new(s.KeyValueHeads, s.HeadWidth, ExactEncoder.Instance)));
        }
        return layers;

        LayerFactors Factors(int first, int g, int[] tokens, int rank, double part, Func<int, ReadOnlySpan<float>> of, Func<int, IRows> rows)
        {
            int width = g * row, most = Math.Min(tokens.Length, width);
            if (rank > most)
                throw InputException.At("xkv.rank", $"{rank}", $"at most {most}, the smaller of {tokens.Length} tokens and {width} numbers", "Take a smaller rank, or 0 for a share.");
            int r = rank > 0 ? rank : Math.Clamp((int)(options.Keep * part * tokens.Length * width / (tokens.Length + width)), 1, most);
            var x = new double[tokens.Length, width];
            for (int l = 0; l < g; l++)
                for (int t = 0; t < tokens.Length; t++)
                    for (int c = 0; c < row; c++)
                        x[t, l * row + c] = of(first + l)[tokens[t] * row + c];
            var (basis, mix, _) = Truncated(x, r);
            var a = rows(r);
            a.Fill([.. basis.Select(b => (float)b)]);
            return new(a, [.. mix.Select(m => (Half)m)], r, width);
        }
    }

    /// <inheritdoc/>
    public IKvStage At(double share) => new Xkv(options with { Keep = share, KeyRank = 0, ValueRank = 0 });

    /// <summary>The best approximation of a rank: X ≈ A·C, by the eigenvectors of the smaller of XᵀX and XXᵀ.</summary>
    /// <param name="x">[n, m].</param>
    /// <param name="rank">r, at least 1.</param>
    /// <returns>A = U_r S_r [n, r], C = W_rᵀ [r, m], and all singular values.</returns>
    public static (double[] Basis, double[] Mix, double[] Singular) Truncated(double[,] x, int rank)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        foreach (double number in x)
            if (!double.IsFinite(number))
                throw InputException.At("xkv", FormattableString.Invariant($"{number} in a cache"), "finite numbers", "A decomposition of it does not exist.");
        var m = Matrix<double>.Build.DenseOfArray(x);
        bool tall = m.RowCount >= m.ColumnCount;
        int smaller = Math.Min(m.RowCount, m.ColumnCount), r = Math.Min(rank, smaller);
        var eigen = (tall ? m.TransposeThisAndMultiply(m) : m.TransposeAndMultiply(m)).Evd(Symmetricity.Symmetric);
        // ascending: the last are the largest
        double[] singular = [.. Enumerable.Range(0, smaller).Select(i => Math.Sqrt(Math.Max(0, eigen.EigenValues[smaller - 1 - i].Real)))];
        var vectors = eigen.EigenVectors.SubMatrix(0, smaller, smaller - r, r);
        var other = tall ? m * vectors : m.TransposeThisAndMultiply(vectors); // each column has its singular value's length
        var (basis, mix) = (new double[m.RowCount * r], new double[r * m.ColumnCount]);
        for (int k = 0; k < r; k++)
        {
            int column = r - 1 - k;
            for (int i = 0; i < m.RowCount; i++)
                basis[i * r + k] = tall ? other[i, column] : vectors[i, column] * singular[k];
            for (int j = 0; j < m.ColumnCount; j++)
                mix[k * m.ColumnCount + j] = tall ? vectors[j, column] : singular[k] == 0 ? 0 : other[j, column] / singular[k];
        }
        return (basis, mix, singular);
    }

    /// <summary>A and C of a group.</summary>
    private sealed record LayerFactors(IRows Basis, Half[] Mix, int Rank, int Width);

    /// <param name="s">The model.</param>
    /// <param name="rotary">Its rotations.</param>
    /// <param name="tokens">Where the rows come from; null where none was left out.</param>
    /// <param name="keys">Factors of the group's keys.</param>
    /// <param name="values">Factors of its values.</param>
    /// <param name="place">Which layer of the group this is.</param>
    private sealed class SharedBasis(LlamaShape s, RotaryTable rotary, int[]? tokens, LayerFactors keys, LayerFactors values, int place) : PromptCache
    {
        public override int Count => keys.Basis.Count;

        /// <summary>The first layer of the group counts what all of it share; each its own part of C, and where its tokens lie if they are not all.</summary>
        public override KvBytes Bytes => (place == 0 ? keys.Basis.Bytes + values.Basis.Bytes + new KvBytes(0, Indices: sizeof(int) * (tokens?.LongLength ?? 0)) : default)
            + new KvBytes(0, Shared: 2L * (keys.Rank + values.Rank) * s.KeyValueHeads * s.HeadWidth);

        public override void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
        {
            int d = s.HeadWidth;
            Span<float> a = stackalloc float[keys.Rank], key = stackalloc float[d];
            float[] mix = Mix(keys, head);
            for (int t = 0; t < Count; t++)
            {
                keys.Basis.Read(t, a);
                key.Clear();
                for (int r = 0; r < a.Length; r++)
                    Scaled.Add(a[r], mix.AsSpan(r * d, d), key);
                rotary.Turn(key, tokens?[t] ?? t);
                for (int g = 0; g < groups; g++)
                    scores[g * stride + t] = TensorPrimitives.Dot(queries.Slice(g * d, d), key);
            }
        }

        public override void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs)
        {
            int d = s.HeadWidth;
            float[] sums = new float[groups * values.Rank], mix = Mix(values, head);
            values.Basis.AddWeighted(weights, groups, stride, sums);
            for (int g = 0; g < groups; g++)
                for (int r = 0; r < values.Rank; r++)
                    Scaled.Add(sums[g * values.Rank + r], mix.AsSpan(r * d, d), outputs.Slice(g * d, d));
        }

        /// <summary>A head's part of C [r, head width].</summary>
        private float[] Mix(LayerFactors factors, int head)
        {
            int d = s.HeadWidth, first = (place * s.KeyValueHeads + head) * d;
            var own = new float[factors.Rank * d];
            for (int r = 0; r < factors.Rank; r++)
                Halves.ToSingle(factors.Mix.AsSpan(r * factors.Width + first, d), own.AsSpan(r * d, d));
            return own;
        }
    }
}
