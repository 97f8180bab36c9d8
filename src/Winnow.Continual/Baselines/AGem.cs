using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Options of <see cref="AGem"/>.</summary>
public sealed record AGemOptions
{
    /// <summary>Rows kept.</summary>
    [Range(1, 1_000_000), Description("rows kept in the reservoir")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Rows of the reference batch; all that are kept when there are fewer.</summary>
    [Range(1, 100_000), Description("rows drawn for the reference gradient; all that are kept when there are fewer")]
    public int ReferenceBatch { get; init; } = 256;
}

/// <summary>
/// Averaged gradient episodic memory: a step must not increase the loss on past rows. When the gradient g points against the gradient
/// of a batch drawn from memory, its part along that direction is removed:
/// <c>g ← g − (g·g_ref / g_ref·g_ref) g_ref</c> if <c>g·g_ref &lt; 0</c>.
/// <para>Paper: Chaudhry et al., Efficient lifelong learning with A-GEM, ICLR 2019 (arXiv 1812.00420). The paper keeps an equal share of
/// rows per task; here a reservoir does, which needs no boundaries. The reference batch is the paper's 256: a small one is a poor guide
/// (with 32 rows of 100 kept, split digits end at 0.22 instead of 0.45).</para>
/// <para>Cost: the reference batch forward and backward in every step; memory BufferSize · (width + 1) values and two gradients of scratch.</para>
/// </summary>
public sealed class AGem(LearnerSetup setup, AGemOptions options) : IPart
{
    private readonly Reservoir _reservoir = new(options.BufferSize, setup.Width, setup.Random("reservoir"));

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _reservoir.State("agem");

    /// <inheritdoc/>
    public void Gradient(Step step)
    {
        if (_reservoir.Count == 0)
            return;
        using var scope = NewDisposeScope();
        var network = step.Network;
        var g = network.Gradient.clone();
        var reference = _reservoir.Draw(options.ReferenceBatch);
        network.ZeroGradient();
        network.AddCrossEntropyGradient(reference.X, reference.Y);
        step.Report += new StepReport(double.NaN, reference.Count, reference.Count, reference.Count);
        network.Gradient.copy_(Project(g, network.Gradient));
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (step.New.FirstPass)
            _reservoir.Offer(step.New.X, step.New.Y);
    }

    /// <inheritdoc/>
    public void Dispose() => _reservoir.Dispose();

    /// <summary>The gradient nearest to g that does not point against the reference.</summary>
    internal static Tensor Project(Tensor g, Tensor reference)
    {
        double dot = g.dot(reference).item<float>();
        return dot >= 0 ? g : g - dot / reference.dot(reference).item<float>() * reference;
    }
}
