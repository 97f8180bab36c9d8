using System.Numerics.Tensors;

namespace Winnow.Numerics;

/// <summary>
/// The contrastive (InfoNCE, CLIP) loss of a large batch and its exact gradients, in tiles, without the n × n matrix of logits.
/// <para>Cheng et al., "Breaking the Memory Barrier: Near Infinite Batch Size Scaling for Contrastive Loss" (2024), arXiv 2410.17243.
/// Implemented: tiles with a running maximum, both directions in one pass, one tower without self-pairs, the gradient of the log scale, and the ring over
/// workers (<see cref="ContrastiveRing"/>).</para>
/// <para>Q, K [n, d], logits <c>X = scale·Q Kᵀ</c>, loss the mean over rows of <c>lse(Xᵢ) − X[i, label i]</c>; symmetric, its mean with
/// that of the columns. Duplicate rows are allowed and are negatives of each other. Cost: 2n²d operations forward, 6n²d backward, once for both
/// directions; scratch O(chunk·(d + block)) per thread and O(n).</para>
/// </summary>
public sealed class ContrastiveKernel
{
    private readonly TileMatrix _q, _k;
    private readonly float _scale;
    private readonly int[] _labels;
    private readonly ContrastiveOptions _options;
    private readonly Scratch _scratch;
    private float[] _queryLogSumExp = [], _keyLogSumExp = [];

    /// <summary>States the problem; nothing is computed. The memory behind the operands must stay where it is while this object is used.</summary>
    /// <param name="q">Queries, float32.</param>
    /// <param name="k">Keys, float32.</param>
    /// <param name="scale">The scale of the logits: 1/temperature.</param>
    /// <param name="labels">The key of every query; null for the one of its own index.</param>
    /// <param name="options">How to compute.</param>
    /// <param name="scratch">Where temporaries come from.</param>
    /// <exception cref="ArgumentException">Sizes that do not fit, labels out of range, a scale that is not positive, or rows that are not normalised where they must be.</exception>
    public ContrastiveKernel(TileMatrix q, TileMatrix k, float scale, int[]? labels, ContrastiveOptions options, Scratch scratch)
    {
        options.Check();
        CheckOperands(q, k, scale, options);
        if (q.Rows != k.Rows)
            throw new ArgumentException($"{q.Rows} queries and {k.Rows} keys; expected the same number");
        if (labels is not null && options.Symmetric)
            throw new ArgumentException("labels are given for a symmetric loss; expected none, since keys have no labels: use Symmetric = false");
        _labels = labels ?? [.. Enumerable.Range(0, q.Rows)];
        if (_labels.Length != q.Rows)
            throw new ArgumentException($"{_labels.Length} labels; expected {q.Rows}, one per query", nameof(labels));
        for (int i = 0; i < _labels.Length; i++)
        {
            if (_labels[i] < 0 || _labels[i] >= k.Rows || (options.ExcludeSelf && _labels[i] == i))
                throw new ArgumentException($"label {_labels[i]} of query {i}; expected 0 to {k.Rows - 1}{(options.ExcludeSelf ? ", and not the query itself" : "")}", nameof(labels));
        }
        (_q, _k, _scale, _options, _scratch) = (q, k, scale, options, scratch);
    }

    /// <summary>Computes the loss.</summary>
    /// <exception cref="ArgumentException">Logits that are not finite.</exception>
    public double Forward(CancellationToken cancellation = default)
    {
        int n = _q.Rows;
        using var part = _scratch.Part();
        using var tiles = new ContrastiveTiles(n, _q.Columns, gradients: false, _options, part.Scratch);
        using var queries = part.Scratch.Take<RunningLogSumExp>(n);
        using var keys = part.Scratch.Take<RunningLogSumExp>(_options.Symmetric ? n : 0);
        queries.Span.Fill(RunningLogSumExp.Empty);
        keys.Span.Fill(RunningLogSumExp.Empty);
        tiles.Accumulate(_q, _k, _scale, queries.Span, keys.Span, cancellation);
        (_queryLogSumExp, _keyLogSumExp) = (Values(queries.Span), Values(keys.Span));
        double loss = 0, keyLoss = 0;
        for (int i = 0; i < n; i++)
        {
            float positive = Logit(_q, i, _k, _labels[i], _scale);
            loss += _queryLogSumExp[i] - positive;
            keyLoss += _options.Symmetric ? _keyLogSumExp[i] - positive : 0;
        }
        return (_options.Symmetric ? (loss + keyLoss) / 2 : loss) / n;
    }

    /// <summary>Computes the gradients after <see cref="Forward"/>; the matrices are overwritten. In one tower the gradient is the sum of both.</summary>
    /// <param name="gradient">The gradient by the loss.</param>
    /// <param name="dQ">The gradient of the queries.</param>
    /// <param name="dK">The gradient of the keys.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>The gradient by the logarithm of the scale.</returns>
    public double Backward(float gradient, TileMatrix dQ, TileMatrix dK, CancellationToken cancellation = default)
    {
        if (_queryLogSumExp.Length == 0)
            throw new InvalidOperationException("the backward pass needs the log-sum-exps of the forward pass; call Forward first");
        if ((dQ.Rows, dQ.Columns, dQ.Type, dK.Rows, dK.Columns, dK.Type) != (_q.Rows, _q.Columns, TileType.Float32, _k.Rows, _k.Columns, TileType.Float32))
            throw new ArgumentException($"gradients of [{dQ.Rows}, {dQ.Columns}] {dQ.Type} and [{dK.Rows}, {dK.Columns}] {dK.Type}; expected float32 of the sizes of queries and keys");
        dQ.Clear();
        dK.Clear();
        float weight = gradient / _q.Rows / (_options.Symmetric ? 2 : 1);
        using var part = _scratch.Part();
        using var tiles = new ContrastiveTiles(_q.Rows, _q.Columns, gradients: true, _options, part.Scratch);
        tiles.AddGradients(_q, _k, _scale, _queryLogSumExp, _keyLogSumExp, weight, _options.Symmetric ? weight : 0, _labels, dQ, dK, cancellation);
        return Dot(_q, dQ); // Σ Gᵢⱼ Xᵢⱼ, since dQ = scale·G K
    }

    /// <summary>The logit of a pair by the same steps as a tile's, and so to the same bits.</summary>
    internal static unsafe float Logit(TileMatrix q, int i, TileMatrix k, int j, float scale)
    {
        float* a = q.Row(i), b = k.Row(j);
        float sum = 0;
        for (int d = 0; d < q.Columns; d++)
            sum = MathF.FusedMultiplyAdd(b[d], a[d] * scale, sum);
        return sum;
    }

    internal static unsafe double Dot(TileMatrix a, TileMatrix b)
    {
        double sum = 0;
        for (int i = 0; i < a.Rows; i++)
            sum += TensorPrimitives.Dot(new ReadOnlySpan<float>(a.Row(i), a.Columns), new ReadOnlySpan<float>(b.Row(i), b.Columns));
        return sum;
    }

    internal static float[] Values(ReadOnlySpan<RunningLogSumExp> pairs)
    {
        float[] values = new float[pairs.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = pairs[i].Value;
            if (!float.IsFinite(values[i]))
                throw new ArgumentException($"the logits of row {i} are not finite (their log-sum-exp is {values[i]}); check the features and the scale");
        }
        return values;
    }

    internal static unsafe void CheckOperands(TileMatrix q, TileMatrix k, float scale, ContrastiveOptions options)
    {
        if (q.Columns != k.Columns)
            throw new ArgumentException($"queries have {q.Columns} columns and keys {k.Columns}; expected the same number");
        if (q.Rows < 1 || k.Rows < 1)
            throw new ArgumentException($"{q.Rows} queries and {k.Rows} keys; expected at least one");
        if (q.Type != TileType.Float32 || k.Type != TileType.Float32)
            throw new ArgumentException("features must be float32: convert them first");
        if (!(scale > 0) || !float.IsFinite(scale))
            throw new ArgumentOutOfRangeException(nameof(scale), scale, "the scale must be positive and finite: the exponential of the learned log scale");
        for (int i = 0; options.RequireNormalised && i < q.Rows + k.Rows; i++)
        {
            float length = TensorPrimitives.Norm(new ReadOnlySpan<float>(i < q.Rows ? q.Row(i) : k.Row(i - q.Rows), q.Columns));
            if (!(MathF.Abs(length - 1) <= 1e-3f))
                throw new ArgumentException($"{(i < q.Rows ? "query" : "key")} {(i < q.Rows ? i : i - q.Rows)} has length {length}; expected 1: divide features by their length");
        }
    }
}
