using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Options of <see cref="OnlineEwc"/>.</summary>
public sealed record OnlineEwcOptions
{
    /// <summary>Strength of the anchor.</summary>
    [Range(0.0, 1e9), Description("strength λ of the anchor (λ/2) Σ F (θ − θ*)²")]
    public double Lambda { get; init; } = 30;

    /// <summary>How much of the old importance stays.</summary>
    [Range(0.0, 1.0), Description("share γ of the importance of earlier tasks that stays when a task is added")]
    public double Gamma { get; init; } = 1;

    /// <summary>Rows of a task that its Fisher information is estimated on.</summary>
    [Range(1, 1_000_000), Description("rows of each task, drawn at random, on which its Fisher information is computed")]
    public int FisherRows { get; init; } = 200;

    /// <summary>Over which labels the expectation of the Fisher information is taken.</summary>
    [Description("labels of the Fisher information: all, weighted by the network's probabilities (the exact expectation); one drawn from them; the data's own; or as in released code: the data's own, weighted by their probability, and a penalty without its half")]
    public FisherKind Fisher { get; init; } = FisherKind.Expected;
}

/// <summary>
/// Online elastic weight consolidation: after every task each weight is held near its value, the more firmly the more the network's
/// answers depend on it.
/// <para><c>L = CE(new) + (λ/2) Σ_i F_i (θ_i − θ*_i)²</c>, with <c>F ← γF + F_task</c> and <c>θ* ← θ</c> at the end of a task, and
/// <c>F_task = (1/N) Σ_n Σ_c p(c|x_n) (∂ log p(c|x_n) / ∂θ)²</c>: the diagonal of the true Fisher information, its expectation over
/// the labels taken exactly; by sampling, with the labels of the data (the "empirical" Fisher) or as in released code by option.</para>
/// <para>Papers: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017 (arXiv 1612.00796); the online
/// form: Schwarz et al., Progress and compress, ICML 2018 (arXiv 1805.06370).</para>
/// <para>The paper tunes λ for each problem; the default is the best on permuted digits of 3, 10, 30, 100. Steps are implicit, see
/// <see cref="QuadraticPenalty"/>: with plain gradient steps λ 30 and more diverge on permuted digits.</para>
/// <para>Cost: two operations per weight and step; FisherRows · classes sample gradients per task (one a row with single labels); memory 2 P values.</para>
/// </summary>
public sealed class OnlineEwc(LearnerSetup setup, OnlineEwcOptions options) : IPart
{
    private readonly QuadraticPenalty _penalty = new(setup.CountParameters());

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _penalty.State("ewc");

    /// <inheritdoc/>
    public void Gradient(Step step) => _penalty.Apply(step.Network, Strength(options.Lambda, options.Fisher), setup.Training.LearningRate);

    /// <inheritdoc/>
    public StepReport EndTask(Network network, TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        var (fisher, report) = FisherInformation.Of(network, train, options.Fisher, options.FisherRows, setup.Random($"fisher/{task.Id}"), setup);
        _penalty.Importance.mul_(options.Gamma).add_(fisher);
        _penalty.Anchor.copy_(network.Parameters);
        return report;
    }

    /// <summary>The factor that <see cref="QuadraticPenalty"/> halves: λ, or 2λ for the released penalty λ Σ F (θ − θ*)².</summary>
    public static double Strength(double lambda, FisherKind kind) => kind == FisherKind.Released ? 2 * lambda : lambda;

    /// <inheritdoc/>
    public void Dispose() => _penalty.Dispose();
}
