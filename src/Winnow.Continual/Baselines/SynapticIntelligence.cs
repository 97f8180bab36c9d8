using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Options of <see cref="SynapticIntelligence"/>.</summary>
public sealed record SynapticIntelligenceOptions
{
    /// <summary>Strength of the anchor.</summary>
    [Range(0.0, 1e9), Description("strength c of the anchor c Σ Ω (θ − θ*)²")]
    public double Strength { get; init; } = 0.05;

    /// <summary>Damping.</summary>
    [Range(0.0, 1e3, MinimumIsExclusive = true), Description("damping ξ of Ω = ω / (Δ² + ξ), so that weights that hardly moved do not become infinitely important")]
    public double Xi { get; init; } = 1e-2;
}

/// <summary>
/// Synaptic intelligence: while a task is trained, each weight adds up how much its own movement lowered the loss; afterwards it is held
/// near its value as firmly as that.
/// <para>Path integral <c>ω_i ← ω_i − g_i Δθ_i</c> in every step, g the gradient without the penalty; at the end of a task
/// <c>Ω_i ← max(0, Ω_i + ω_i / ((θ_i − θ_i^start)² + ξ))</c>, <c>ω ← 0</c>, <c>θ* ← θ</c>; <c>L = CE(new) + c Σ_i Ω_i (θ_i − θ*_i)²</c>.</para>
/// <para>Paper: Zenke et al., Continual learning through synaptic intelligence, ICML 2017 (arXiv 1703.04200); the maximum with 0, without
/// which a weight whose path raised the loss would be driven away without bound, is the authors' code.</para>
/// <para>The paper tunes c and ξ for each problem; the defaults are the best on permuted digits of c from 0.003 to 0.1 and ξ 0.001, 0.01. Steps are implicit, see
/// <see cref="QuadraticPenalty"/>.</para>
/// <para>Cost: five operations per weight and step; memory 3 P values and 2 P of scratch.</para>
/// </summary>
public sealed class SynapticIntelligence(LearnerSetup setup, SynapticIntelligenceOptions options) : IPart
{
    private readonly QuadraticPenalty _penalty = new(setup.CountParameters());
    private readonly Tensor _path = zeros(setup.CountParameters()).DetachFromDisposeScope();

    // Within a step: the gradient without the penalty, and the weights before they move.
    private readonly Tensor _gradient = zeros(setup.CountParameters()).DetachFromDisposeScope();
    private readonly Tensor _before = zeros(setup.CountParameters()).DetachFromDisposeScope();

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _penalty.State("si").Append(new("si.path", StateKind.Statistics, _path));

    /// <inheritdoc/>
    public void BeginTask(Network network, TaskInfo task, Batch train)
    {
        _penalty.Anchor.copy_(network.Parameters); // θ* of the tasks before is θ^start of this one
        _path.zero_();
    }

    /// <inheritdoc/>
    public void Gradient(Step step)
    {
        _gradient.copy_(step.Network.Gradient);
        _before.copy_(step.Network.Parameters);
        _penalty.Apply(step.Network, 2 * options.Strength, setup.Training.LearningRate);
    }

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        using var scope = NewDisposeScope();
        _path.addcmul_(_gradient, step.Network.Parameters - _before, -1);
    }

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        var moved = network.Parameters - _penalty.Anchor;
        _penalty.Importance.add_(_path / (moved.square() + options.Xi)).clamp_min_(0);
        _penalty.Anchor.copy_(network.Parameters);
        return StepReport.None;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _penalty.Dispose();
        _path.Dispose();
        _gradient.Dispose();
        _before.Dispose();
    }
}
