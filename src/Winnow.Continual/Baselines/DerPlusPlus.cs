using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>Options of <see cref="DerPlusPlus"/>.</summary>
public sealed record DerPlusPlusOptions
{
    /// <summary>Rows kept.</summary>
    [Range(1, 1_000_000), Description("rows kept in the reservoir")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Rows of each of the two draws; null for as many as the mini-batch has.</summary>
    [Range(1, 100_000), Description("rows of each of the two draws from the reservoir; by default as many as the mini-batch has")]
    public int? ReplayBatch { get; init; }

    /// <summary>Weight of the stored logits.</summary>
    [Range(0.0, 100.0), Description("weight α of the mean squared difference from the stored logits")]
    public double Alpha { get; init; } = 0.3;

    /// <summary>Weight of the stored labels.</summary>
    [Range(0.0, 100.0), Description("weight β of the cross-entropy of replayed rows")]
    public double Beta { get; init; } = 1;
}

/// <summary>
/// Dark experience replay: past rows are kept with the logits the network gave them then, and later answers are held to both.
/// <para><c>L = CE(new) + α · mean (z(x′) − z′)² + β · CE(x″, y″)</c> with (x′, z′) and (x″, y″) two separate draws from a reservoir.</para>
/// <para>Paper: Buzzega et al., Dark experience for general continual learning: a strong, simple baseline, NeurIPS 2020 (arXiv 2004.07211).
/// As there, rows enter the reservoir with the logits of the training pass, in every epoch, and the mean is over rows and classes.
/// Here new and replayed rows share one forward pass (and its batch statistics). The paper tunes α and β for each data set; the defaults
/// are the best on split digits of α 0.03, 0.1, 0.3 and β 0.5, 1, 2, which differ by at most 0.01.</para>
/// <para>Cost: two extra rows forward and backward per new row; memory BufferSize · (width + 1 + classes) values.</para>
/// </summary>
public sealed class DerPlusPlus(LearnerSetup setup, DerPlusPlusOptions options) : IObjectivePart
{
    /// <summary>The rows kept with their logits; this part fills and owns it, others may draw from it.</summary>
    public Reservoir Reservoir { get; } = new(options.BufferSize, setup.Width, setup.Random("reservoir"), extraWidth: setup.Classes);

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => Reservoir.State("der-pp");

    /// <inheritdoc/>
    public Objective? Objective(Step step)
    {
        if (options is { Alpha: 0, Beta: 0 })
            return null;
        if (Reservoir.Count == 0)
            return new(null, (fresh, _) => cross_entropy(fresh, step.New.Y));
        int rows = options.ReplayBatch ?? step.New.Count;
        var (distilled, then) = Reservoir.DrawWithExtra(options.Alpha > 0 ? rows : 0);
        var rehearsed = Reservoir.Draw(options.Beta > 0 ? rows : 0);
        return new(cat([distilled.X, rehearsed.X]), (fresh, replayed) =>
        {
            var loss = cross_entropy(fresh, step.New.Y);
            if (options.Alpha > 0)
                loss += options.Alpha * mse_loss(replayed.narrow(0, 0, distilled.Count), then!);
            if (options.Beta > 0)
                loss += options.Beta * cross_entropy(replayed.narrow(0, distilled.Count, rehearsed.Count), rehearsed.Y);
            return loss;
        });
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (step.Logits is not null)
            Reservoir.Offer(step.New.X, step.New.Y, step.Logits);
    }

    /// <inheritdoc/>
    public void Dispose() => Reservoir.Dispose();
}
