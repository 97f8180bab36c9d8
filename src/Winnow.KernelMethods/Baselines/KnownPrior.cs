using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="KnownPrior"/>.</summary>
public sealed record KnownPriorOptions
{
    /// <summary>Samples.</summary>
    [Range(1, 10_000), Description("samples of parameters that an answer is the mean of, in pairs around the mean")]
    public int Samples { get; init; } = 10;
}

/// <summary>Bayesian linear regression with the prior that the tasks were drawn from: what no learner can beat on average. Cost of a task O(n D² + D³).</summary>
/// <param name="setup">Draws samples.</param>
/// <param name="options">How.</param>
public sealed class KnownPrior(KernelSetup setup, KnownPriorOptions options) : IMetaLearner
{
    /// <inheritdoc/>
    public IAdapter Learn(EpisodeStream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        cancellation.ThrowIfCancellationRequested();
        return stream.Prior is null ? throw InputException.At("prior", "unknown", "tasks whose prior is known", "Take the task linear-episodes.")
            : stream.Network.Size != stream.Network.Features ? throw InputException.At("network", $"{stream.Network.Size} parameters", $"a linear one of {stream.Network.Features}", "Take no hidden layer, one output and no offset.")
            : new Adapter(setup, stream, options.Samples);
    }

    private sealed class Adapter(KernelSetup setup, EpisodeStream stream, int samples) : IAdapter
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Answer(Episodes tasks, CancellationToken cancellation = default)
        {
            ArgumentNullException.ThrowIfNull(tasks);
            cancellation.ThrowIfCancellationRequested();
            stream.Checked(tasks);
            using var scope = NewDisposeScope();
            var noise = setup.Random("samples");
            var (mean, variance) = stream.Prior!.Value;
            var answers = new List<Tensor>();
            for (int t = 0; t < tasks.Tasks; t++)
            {
                var (m, covariance) = LinearGaussian.Posterior(tasks.SupportX[t], tasks.SupportY[t].squeeze(1), stream.Noise * stream.Noise, mean, variance);
                // in the coordinates of the factor samples are of a diagonal Gaussian
                var turned = tasks.QueryX[t].mm(PositiveSolve.Factor(covariance, out _));
                var away = NiwMeta.Sampled(stream.Network, zeros_like(m).unsqueeze(0), ones_like(m).unsqueeze(0), turned.unsqueeze(0), samples, noise);
                answers.Add(away + tasks.QueryX[t].mv(m).reshape(1, 1, -1, 1));
            }
            return cat(answers, 1).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
        }
    }
}
