using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How <see cref="GradientSampleSelection"/> chooses what to keep.</summary>
public enum GssSelection
{
    /// <summary>A new row replaces a kept one by chance, the more likely the less its gradient resembles those kept.</summary>
    Greedy,

    /// <summary>Kept and new rows together are cut down to the set whose gradients have the least sum of cosines: the paper's integer quadratic program.</summary>
    Iqp,
}

/// <summary>
/// Gradient-based sample selection: keeps rows whose gradients point in different directions, so that rare data is not crowded out of the
/// memory, and replays them beside every new batch.
/// <para>Greedy: with g_1, ..., g_n the gradients of up to n chunks of kept rows, drawn without replacement, a row's score is
/// <c>c = max_j cos(∇ℓ(x), g_j)</c>. While there is room rows are kept with their scores (the very first with 0.1). Then a batch
/// whose own gradient has <c>max_j cos ≥ 0</c> is passed over; otherwise each new row meets a kept one, drawn without replacement in proportion to
/// <c>(s − min s) / (max s − min s + 0.01)</c>, and replaces it with probability <c>(s + 1) / ((s + 1) + (c + 1))</c>.
/// IQP: <c>min Σ_{i≠j} cos(g_i, g_j)</c> over the sets of M among kept and new rows, by <see cref="MinimumCosineSubset"/>.</para>
/// <para>Paper: Aljundi, Lin, Goujaud and Bengio, Gradient based sample selection for online continual learning, NeurIPS 2019
/// (arXiv 1903.08671); chapter of Aljundi's thesis (arXiv 1910.02718). Gradients are taken after the step, in prediction mode, of all weights. New and replayed
/// rows share a step here, as in all replay of this arena; the released code takes one after the other. Rows of the batch that fills the memory which find no room are passed over.</para>
/// <para>Cost of greedy: n chunks and twice the batch forward and backward per new batch; of IQP: all kept and new rows. Memory
/// BufferSize · (width + 2) values; scratch of P values per gradient.</para>
/// </summary>
public sealed class GradientSampleSelection(LearnerSetup setup, ContinualThesisOptions options) : IPart
{
    private readonly ScoredRows _memory = new("gss", options.BufferSize, setup.Width);

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _memory.State;

    /// <inheritdoc/>
    public Batch? Replay(Step step)
    {
        if (_memory.Count == 0)
            return null;
        long[] order = Order(setup.Random($"gss/replay/{step.Index}"));
        return _memory.Content.Rows(tensor(order[..Math.Min(order.Length, options.ReplayBatch ?? step.New.Count)]));
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (!step.New.FirstPass)
            return;
        using var scope = NewDisposeScope();
        step.Network.Training = false;
        int rows = options.Selection == GssSelection.Iqp ? Solve(step.Network, step.New) : Meet(step.Network, step.New, setup.Random($"gss/select/{step.Index}"));
        step.Report += new StepReport(double.NaN, rows, rows, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    /// <summary>The greedy rule; returns the rows passed backward.</summary>
    private int Meet(Network network, Batch batch, SeededRandom random)
    {
        int room = Math.Min(batch.Count, _memory.Capacity - _memory.Count);
        if (_memory.Count == 0)
        {
            Add(batch, room, _ => 0.1f);
            return 0;
        }
        Batch[] chunks = [.. Order(random).Chunk(options.ReplayBatch ?? batch.Count).Take(options.Chunks).Select(c => _memory.Content.Rows(tensor(c)))];
        int rows = chunks.Sum(c => c.Count);
        if (room > 0)
        {
            float[] added = Scores(network, batch, chunks);
            Add(batch, room, i => added[i]);
            return rows + batch.Count;
        }
        if (Cosines(Gradients(network, [batch]), Gradients(network, chunks)).max().item<float>() >= 0)
            return rows + batch.Count;
        float[] scores = Scores(network, batch, chunks);
        int[] candidates = Candidates(_memory.Scores, batch.Count, random);
        for (int i = 0; i < candidates.Length; i++)
        {
            double kept = _memory.Scores[candidates[i]] + 1, fresh = scores[i] + 1;
            if (random.NextDouble() * (kept + fresh) < kept)
                _memory.Set(candidates[i], batch, i, scores[i]);
        }
        return 2 * rows + 2 * batch.Count;
    }

    /// <summary>The integer quadratic program; returns the rows passed backward.</summary>
    private int Solve(Network network, Batch batch)
    {
        int room = Math.Min(batch.Count, _memory.Capacity - _memory.Count);
        Add(batch, room, _ => 0);
        if (room == batch.Count)
            return 0;
        var content = _memory.Content;
        var gradients = Gradients(network, [.. Single(content), .. Single(batch).Skip(room)]);
        int kept = content.Count, all = kept + batch.Count - room;
        int[] chosen = MinimumCosineSubset.Select(Cosines(gradients, gradients).Values<float>(), all, kept);
        int[] freed = [.. Enumerable.Range(0, kept).Except(chosen)];
        foreach (var (slot, row) in freed.Zip(chosen.Where(i => i >= kept)))
            _memory.Set(slot, batch, room + row - kept, 0);
        return all;
    }

    /// <summary>max_j cos(∇ℓ(x), g_j) for each incoming row, in [−1, 1]; g_j is the gradient of the mean loss of a chunk. Leaves a gradient behind.</summary>
    /// <exception cref="ArgumentException">No chunk is given.</exception>
    public static float[] Scores(Network network, Batch incoming, IReadOnlyList<Batch> chunks)
    {
        if (chunks.Count == 0)
            throw new ArgumentException("No chunk of kept rows is given: keep a row before others are compared with the memory.", nameof(chunks));
        using var scope = NewDisposeScope();
        return Cosines(Gradients(network, [.. Single(incoming)]), Gradients(network, chunks)).amax([1L]).Values<float>().ToArray();
    }

    /// <summary>Cosines [a, b] between the rows of two matrices; 0 where a row is zero.</summary>
    internal static Tensor Cosines(Tensor a, Tensor b)
    {
        var lengths = linalg.vector_norm(a, 2, [1]).outer(linalg.vector_norm(b, 2, [1]));
        return where(lengths > 0, a.mm(b.T) / lengths, zeros_like(lengths)).clamp(-1, 1);
    }

    /// <summary>Kept rows drawn without replacement in proportion to (s − min s) / (max s − min s + 0.01); fewer than asked for when the others have no weight.</summary>
    internal static int[] Candidates(ReadOnlySpan<float> scores, int count, SeededRandom random)
    {
        float min = System.Numerics.Tensors.TensorPrimitives.Min(scores), max = System.Numerics.Tensors.TensorPrimitives.Max(scores);
        double[] weights = [.. scores.ToArray().Select(s => (s - min) / (max - min + 0.01))];
        var drawn = new List<int>();
        while (drawn.Count < count && weights.Sum() is > 0 and var total)
        {
            double at = random.NextDouble() * total;
            int i = Array.FindIndex(weights, w => w > 0 && (at -= w) < 0);
            drawn.Add(i >= 0 ? i : Array.FindLastIndex(weights, w => w > 0));
            weights[drawn[^1]] = 0;
        }
        return [.. drawn];
    }

    private static Tensor Gradients(Network network, IReadOnlyList<Batch> batches)
    {
        var gradients = empty(batches.Count, network.ParameterValues.Length);
        for (int i = 0; i < batches.Count; i++)
        {
            network.ZeroGradient();
            network.AddCrossEntropyGradient(batches[i].X, batches[i].Y);
            network.GradientValues.CopyTo(gradients.Values<float>()[(i * network.GradientValues.Length)..]);
        }
        return gradients;
    }

    private static IEnumerable<Batch> Single(Batch rows) => Enumerable.Range(0, rows.Count).Select(i => new Batch(rows.X.narrow(0, i, 1), rows.Y.narrow(0, i, 1), false));

    private void Add(Batch batch, int rows, Func<int, float> score)
    {
        for (int i = 0; i < rows; i++)
            _memory.Set(_memory.Count, batch, i, score(i));
    }

    private long[] Order(SeededRandom random)
    {
        long[] order = [.. Enumerable.Range(0, _memory.Count).Select(i => (long)i)];
        random.Shuffle(order);
        return order;
    }
}
