using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>Options of <see cref="ErAce"/>.</summary>
public sealed record ErAceOptions
{
    /// <summary>Rows kept.</summary>
    [Range(1, 1_000_000), Description("rows kept in the reservoir")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Rows replayed with each mini-batch; null for as many as the mini-batch has.</summary>
    [Range(1, 100_000), Description("rows replayed with each mini-batch; by default as many as it has")]
    public int? ReplayBatch { get; init; }
}

/// <summary>
/// Experience replay with asymmetric cross-entropy: new rows compete only among the classes of their own mini-batch, so that the classes
/// learned before are not pushed away when new ones arrive; replayed rows compete among all.
/// <para><c>L = CE(new, among the batch's classes) + CE(replay, among all)</c>.</para>
/// <para>Paper: Caccia et al., New insights on reducing abrupt representation change in online continual learning, ICLR 2022
/// (arXiv 2104.05025). The authors' code leaves the first task unmasked, for which a boundary must be known; here the mask applies
/// from the first step, which needs none. New and replayed rows share one forward pass.</para>
/// <para>Cost: one extra row forward and backward per new row; memory BufferSize · (width + 1) values.</para>
/// </summary>
public sealed class ErAce(LearnerSetup setup, ErAceOptions options) : IObjectivePart
{
    private readonly Reservoir _reservoir = new(options.BufferSize, setup.Width, setup.Random("reservoir"));

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _reservoir.State("er-ace");

    /// <inheritdoc/>
    public Objective? Objective(Step step)
    {
        var present = ClassMask.Of(step.New.Y, setup.Classes);
        if (_reservoir.Count == 0)
            return new(null, (fresh, _) => cross_entropy(fresh.Among(present), step.New.Y));
        var past = _reservoir.Draw(options.ReplayBatch ?? step.New.Count);
        return new(past.X, (fresh, replayed) => cross_entropy(fresh.Among(present), step.New.Y) + cross_entropy(replayed, past.Y));
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (step.New.FirstPass)
            _reservoir.Offer(step.New.X, step.New.Y);
    }

    /// <inheritdoc/>
    public void Dispose() => _reservoir.Dispose();
}
