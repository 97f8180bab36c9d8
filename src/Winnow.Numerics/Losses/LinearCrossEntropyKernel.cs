namespace Winnow.Numerics;

/// <summary>
/// The cross-entropy of a linear classifier and its gradients, straight from embeddings and classifier, without the matrix of logits.
/// <para>Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models" (2024), arXiv 2411.09009. Implemented: bias, soft cap,
/// shift and ignored targets (<see cref="TargetRows"/>), per-row loss gradients, the log-sum-exp with its own gradient, gradient filtering, vocabulary
/// sorting, float32 and bfloat16, slices of the vocabulary. Sums are always float32.</para>
/// <para>Shapes: embeddings E [N, D], classifier C [V, D], bias [V]; log-sum-exp, target logit and per-row gradients by valid pair [n].
/// A chunk of rows stands as the lanes of packed panels, and the vocabulary passes by in blocks: the tile is
/// <c>C_b E_rᵀ</c>, so that maxima and sums over the vocabulary run down the lanes, and the tile is at once the packed operand of the
/// gradient of E. Threads share the vocabulary: each owns rows of dC, and adds its part of dE to those of the others.</para>
/// <para>Cost: forward 2nVD operations. <see cref="Backward"/> recomputes logits: 6nVD, scratch O(D·chunk + block·chunk) per
/// thread. <see cref="ForwardBackward"/> keeps the logits of one chunk, 4·V·chunk bytes, and needs 6nVD for both, as the dense loss does.</para>
/// </summary>
public sealed unsafe partial class LinearCrossEntropyKernel
{
    private readonly TileMatrix _e, _c;
    private readonly float* _bias;
    private readonly TargetRows _rows;
    private readonly LinearCrossEntropyOptions _options;
    private readonly Scratch _scratch;

    /// <summary>States the problem; nothing is computed. The memory behind the operands must stay where it is while this object is used.</summary>
    /// <param name="embeddings">E [N, D].</param>
    /// <param name="classifier">C [V, D], or a slice of it.</param>
    /// <param name="bias">V numbers, or null.</param>
    /// <param name="rows">Which rows are scored against which targets.</param>
    /// <param name="options">How to compute.</param>
    /// <param name="scratch">Where temporaries come from.</param>
    /// <exception cref="ArgumentException">Sizes that do not fit or options out of range.</exception>
    public LinearCrossEntropyKernel(TileMatrix embeddings, TileMatrix classifier, float* bias, TargetRows rows, LinearCrossEntropyOptions options, Scratch scratch)
    {
        options.Check();
        if (embeddings.Columns != classifier.Columns)
            throw new ArgumentException($"embeddings have {embeddings.Columns} columns and the classifier {classifier.Columns}; expected the same number");
        if (classifier.Rows < 1)
            throw new ArgumentException("the classifier has no rows; expected one per vocabulary entry");
        if (rows.Count > 0 && (rows.Embeddings.Min() < 0 || rows.Embeddings.Max() >= embeddings.Rows))
            throw new ArgumentException($"a target is paired with row {rows.Embeddings.Max()} of {embeddings.Rows} rows of embeddings; expected as many rows as targets");
        (_e, _c, _rows, _options, _scratch) = (embeddings, classifier, rows, options, scratch);
        _bias = bias;
    }

    private int Width => _options.Path.PanelWidth();

    private int Blocks => (_c.Rows + _options.VocabularyBlock - 1) / _options.VocabularyBlock;

    /// <summary>Computes the log-sum-exp of every valid row's logits and the logit of its target; the loss of a row is their difference.</summary>
    /// <param name="logSumExp">Receives [n].</param>
    /// <param name="targetLogit">Receives [n]; 0 where the target is outside the slice.</param>
    /// <param name="averageLogit">Receives the mean over rows of every entry's logit [V], unless empty.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <exception cref="ArgumentException">A row's logits are not finite.</exception>
    public void Forward(Span<float> logSumExp, Span<float> targetLogit, Span<float> averageLogit = default, CancellationToken cancellation = default)
    {
        CheckLength(logSumExp.Length, nameof(logSumExp));
        CheckLength(targetLogit.Length, nameof(targetLogit));
        averageLogit.Clear();
        fixed (float* average = averageLogit)
        {
            using var pass = new Pass(this, Rows(keep: false), keep: false, gradients: false, order: null);
            for (int start = 0; start < _rows.Count; start += pass.Capacity)
            {
                cancellation.ThrowIfCancellationRequested();
                pass.Load(start, Math.Min(pass.Capacity, _rows.Count - start));
                pass.Logits(average);
                pass.Merge(logSumExp[start..], targetLogit[start..]);
            }
        }
        foreach (ref float a in averageLogit)
            a /= Math.Max(1, _rows.Count);
    }

    /// <summary>Computes the gradients, whose matrices are overwritten, from the log-sum-exp of <see cref="Forward"/> (or of all ranks).</summary>
    /// <param name="logSumExp">The log-sum-exp [n].</param>
    /// <param name="lossGradient">The gradient by every valid row's loss [n]: 1/n for a mean.</param>
    /// <param name="logSumExpGradient">The gradient by every valid row's log-sum-exp beyond that of the loss [n]; empty for none.</param>
    /// <param name="dE">The gradient of the embeddings, of any type; ignored rows become 0.</param>
    /// <param name="dC">The gradient of the classifier; bfloat16 makes a single chunk of all rows.</param>
    /// <param name="dBias">The gradient of the bias [V], unless empty.</param>
    /// <param name="order">The order in which the vocabulary is visited, a permutation; null for its own.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>What the filter did.</returns>
    public TileCounts Backward(ReadOnlySpan<float> logSumExp, ReadOnlySpan<float> lossGradient, ReadOnlySpan<float> logSumExpGradient, TileMatrix dE, TileMatrix dC, Span<float> dBias,
        int[]? order = null, CancellationToken cancellation = default)
    {
        CheckLength(logSumExp.Length, nameof(logSumExp));
        CheckGradients(lossGradient, logSumExpGradient, dE, dC, dBias, order);
        using var pass = new Pass(this, dC.Type == TileType.Float32 ? Rows(keep: false) : Packing.RoundUp(Math.Max(1, _rows.Count), Width), keep: false, gradients: true, order);
        for (int start = 0; start < _rows.Count; start += pass.Capacity)
        {
            cancellation.ThrowIfCancellationRequested();
            pass.Load(start, Math.Min(pass.Capacity, _rows.Count - start));
            pass.Gradients(logSumExp[start..], lossGradient[start..], logSumExpGradient.IsEmpty ? default : logSumExpGradient[start..], dE, dC, dBias);
        }
        return pass.Counts;
    }

    /// <summary>
    /// Computes loss and gradients at once, for row gradients that are known before the loss: no logit is computed twice. The log-sum-exp has
    /// no gradient of its own here. dC must be float32.
    /// </summary>
    /// <inheritdoc cref="Backward"/>
    public TileCounts ForwardBackward(ReadOnlySpan<float> lossGradient, Span<float> logSumExp, Span<float> targetLogit, TileMatrix dE, TileMatrix dC, Span<float> dBias,
        int[]? order = null, CancellationToken cancellation = default)
    {
        CheckLength(logSumExp.Length, nameof(logSumExp));
        CheckLength(targetLogit.Length, nameof(targetLogit));
        CheckGradients(lossGradient, default, dE, dC, dBias, order);
        if (dC.Type != TileType.Float32)
            throw new ArgumentException("the gradient of the classifier is summed over chunks and must be float32; use Forward and Backward for bfloat16", nameof(dC));
        using var pass = new Pass(this, Rows(keep: true), keep: true, gradients: true, order);
        for (int start = 0; start < _rows.Count; start += pass.Capacity)
        {
            cancellation.ThrowIfCancellationRequested();
            pass.Load(start, Math.Min(pass.Capacity, _rows.Count - start));
            pass.Logits(null);
            pass.Merge(logSumExp[start..], targetLogit[start..]);
            pass.Gradients(logSumExp[start..], lossGradient[start..], default, dE, dC, dBias);
        }
        return pass.Counts;
    }

    /// <summary>
    /// Combines what ranks that own slices of the vocabulary computed: the log-sum-exp of all, and the target logit, which one of them has.
    /// </summary>
    public static void Combine(IReadOnlyList<float[]> logSumExps, IReadOnlyList<float[]> targetLogits, Span<float> logSumExp, Span<float> targetLogit)
    {
        for (int i = 0; i < logSumExp.Length; i++)
        {
            var all = RunningLogSumExp.Empty;
            float logit = 0;
            for (int rank = 0; rank < logSumExps.Count; rank++)
            {
                all = RunningLogSumExp.Merge(all, new(logSumExps[rank][i], 1));
                logit += targetLogits[rank][i];
            }
            (logSumExp[i], targetLogit[i]) = (all.Value, logit);
        }
    }

    /// <summary>The order of the vocabulary by ascending average logit.</summary>
    public static int[] OrderBy(ReadOnlySpan<float> averageLogit)
    {
        float[] keys = averageLogit.ToArray();
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(keys, order);
        return order;
    }

    /// <summary>Rows in a chunk, a multiple of the panel's width.</summary>
    private int Rows(bool keep)
    {
        const long kept = 16 << 20;
        int wanted = _options.RowChunk > 0 ? _options.RowChunk : keep ? (int)Math.Clamp(kept / (4L * _c.Rows), 48, 240) : 240;
        int rows = _options.RowChunk > 0 ? Packing.RoundUp(wanted, Width) : Math.Max(1, wanted / Width) * Width;
        return Math.Min(rows, Packing.RoundUp(Math.Max(1, _rows.Count), Width));
    }

    private void CheckLength(int length, string name)
    {
        if (length != _rows.Count)
            throw new ArgumentException($"{length} numbers; expected {_rows.Count}, one per valid row", name);
    }

    private void CheckGradients(ReadOnlySpan<float> lossGradient, ReadOnlySpan<float> logSumExpGradient, TileMatrix dE, TileMatrix dC, Span<float> dBias, int[]? order)
    {
        CheckLength(lossGradient.Length, nameof(lossGradient));
        if (!logSumExpGradient.IsEmpty)
            CheckLength(logSumExpGradient.Length, nameof(logSumExpGradient));
        if ((dE.Rows, dE.Columns, dC.Rows, dC.Columns) != (_e.Rows, _e.Columns, _c.Rows, _c.Columns))
            throw new ArgumentException($"gradients of [{dE.Rows}, {dE.Columns}] and [{dC.Rows}, {dC.Columns}]; expected [{_e.Rows}, {_e.Columns}] and [{_c.Rows}, {_c.Columns}]");
        if (dBias.Length != 0 && dBias.Length != _c.Rows)
            throw new ArgumentException($"a bias gradient of {dBias.Length}; expected {_c.Rows}", nameof(dBias));
        if (order is not null && order.Length != _c.Rows)
            throw new ArgumentException($"an order of {order.Length} entries; expected a permutation of {_c.Rows}", nameof(order));
        dE.Clear();
        dC.Clear();
        dBias.Clear();
    }
}
