using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Maximally interfered retrieval: replays those past rows whose loss the coming step would raise most.
/// <para>A virtual step <c>θ^v = θ − η ∇ℓ(new; θ)</c>; C candidates drawn from a reservoir, those of the current task left out where tasks are
/// announced; score <c>s = ℓ(x; θ^v) − ℓ(x; θ)</c>, or with a memory of the best loss so far <c>s = ℓ(x; θ^v) − min(ℓ(x; θ), ℓ*)</c>; the k
/// rows with the largest scores are learned together with the new ones.</para>
/// <para>Paper: Aljundi, Caccia, Belilovsky, Caccia, Lin, Charlin and Tuytelaars, Online continual learning with maximally interfered
/// retrieval, NeurIPS 2019 (arXiv 1908.04742); chapter of Aljundi's thesis (arXiv 1910.02718). The experience-replay form is implemented; those for generative replay are not. η is the step size of the stream. The virtual step is taken
/// with the batch's statistics, candidates are scored with the recorded ones; neither changes weights, statistics or momentum.</para>
/// <para>Cost: one more forward and backward pass of the new rows and two forward passes of C rows; memory BufferSize · (width + 3) values.</para>
/// </summary>
public sealed class MaximallyInterferedRetrieval(LearnerSetup setup, ContinualThesisOptions options) : IPart
{
    // Beside each row: its best loss so far and its task.
    private readonly Reservoir _reservoir = new(options.BufferSize, setup.Width, setup.Random("reservoir"), extraWidth: 2);
    private readonly Counter _task = new("mir.task") { Value = -1 };

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _reservoir.State("mir").Append(_task.State);

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train) => _task.Value = task.Id;

    /// <inheritdoc/>
    public Batch? Replay(Step step)
    {
        using var scope = NewDisposeScope();
        var (rows, extra) = _reservoir.Content;
        float[] beside = extra!.Values<float>().ToArray();
        long[] positions = [.. Enumerable.Range(0, rows.Count).Where(i => _task.Value < 0 || beside[2 * i + 1] != _task.Value).Select(i => (long)i)];
        if (positions.Length == 0)
            return null;
        setup.Random($"mir/{step.Index}").Shuffle(positions);
        positions = positions[..Math.Min(options.Candidates, positions.Length)];
        var candidates = rows.Rows(tensor(positions));
        float[] best = [.. positions.Select(i => beside[2 * i])];
        float[] scores = Scores(step.Network, step.New, candidates, setup.Training.LearningRate, options.BestLoss ? best : []);
        step.Report += new StepReport(double.NaN, step.New.Count + 2L * candidates.Count, step.New.Count, candidates.Count);
        var values = extra!.Values<float>();
        for (int i = 0; i < best.Length; i++)
            values[2 * (int)positions[i]] = best[i];
        var chosen = candidates.Rows(tensor(Top(scores, options.ReplayBatch ?? step.New.Count)));
        return chosen with { X = chosen.X.MoveToOuterDisposeScope(), Y = chosen.Y.MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (!step.New.FirstPass)
            return;
        using var scope = NewDisposeScope();
        _reservoir.Offer(step.New.X, step.New.Y, tensor([float.PositiveInfinity, _task.Value]).expand(step.New.Count, 2));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _reservoir.Dispose();
        _task.Dispose();
    }

    /// <summary>How much the loss of each candidate would rise by a step on the incoming rows. Network and mode are as before; a gradient is left behind.</summary>
    /// <param name="network">The network.</param>
    /// <param name="incoming">The rows of the virtual step.</param>
    /// <param name="candidates">The rows that are scored.</param>
    /// <param name="learningRate">η.</param>
    /// <param name="best">The best loss of each candidate so far, which is brought up to date; empty to score against the present loss.</param>
    /// <exception cref="ArgumentException">There is not one best loss for each candidate, or a loss is not finite.</exception>
    public static float[] Scores(Network network, Batch incoming, Batch candidates, double learningRate, Span<float> best = default)
    {
        if (!best.IsEmpty && best.Length != candidates.Count)
            throw new ArgumentException($"{best.Length} best losses; expected {candidates.Count}, one for each candidate.", nameof(best));
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (weights, statistics, training) = (network.Parameters.clone(), network.Buffers.clone(), network.Training);
        network.ZeroGradient();
        network.AddCrossEntropyGradient(incoming.X, incoming.Y);
        network.Buffers.copy_(statistics);
        network.Training = false;
        float[] now = Losses();
        network.Parameters.add_(network.Gradient, -learningRate);
        float[] then = Losses();
        network.Parameters.copy_(weights);
        network.Training = training;
        for (int i = 0; i < then.Length; i++)
        {
            if (!float.IsFinite(then[i]) || !float.IsFinite(now[i]))
                throw new ArgumentException(FormattableString.Invariant($"The loss of candidate {i} is {now[i]} before and {then[i]} after the virtual step; expected finite numbers: training diverged, lower the step size."), nameof(network));
            if (!best.IsEmpty)
                now[i] = best[i] = Math.Min(now[i], best[i]);
            then[i] -= now[i];
        }
        return then;

        float[] Losses()
        {
            using var losses = F.cross_entropy(network.Forward(candidates.X), candidates.Y, reduction: nn.Reduction.None);
            return losses.Values<float>().ToArray();
        }
    }

    /// <summary>Positions of the k largest scores, largest first; of equal ones the earlier.</summary>
    public static long[] Top(float[] scores, int k) => [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).Take(k).Select(i => (long)i)];
}
