using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>Options of <see cref="ExperienceReplay"/>.</summary>
public sealed record ExperienceReplayOptions
{
    /// <summary>Rows kept.</summary>
    [Range(1, 1_000_000), Description("rows kept in the reservoir")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Rows replayed with each mini-batch; null for as many as the mini-batch has.</summary>
    [Range(1, 100_000), Description("rows replayed with each mini-batch; by default as many as it has")]
    public int? ReplayBatch { get; init; }
}

/// <summary>
/// Learns every mini-batch together with as many rows drawn from a reservoir of the past: CE(new ∪ replay).
/// <para>Paper: Chaudhry et al., On tiny episodic memories in continual learning, 2019 (arXiv 1902.10486), with the reservoir of Vitter (1985).</para>
/// <para>Cost: one extra row forward and backward per new row; memory BufferSize · (width + 1) values.</para>
/// </summary>
public sealed class ExperienceReplay(LearnerSetup setup, ExperienceReplayOptions options) : IPart
{
    /// <summary>The rows kept; this part fills and owns it, others may draw from it.</summary>
    public Reservoir Reservoir { get; } = new(options.BufferSize, setup.Width, setup.Random("reservoir"));

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => Reservoir.State("er");

    /// <inheritdoc/>
    public Batch? Replay(Step step) => Reservoir.Count == 0 ? null : Reservoir.Draw(options.ReplayBatch ?? step.New.Count);

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (step.New.FirstPass)
            Reservoir.Offer(step.New.X, step.New.Y);
    }

    /// <inheritdoc/>
    public void Dispose() => Reservoir.Dispose();
}
