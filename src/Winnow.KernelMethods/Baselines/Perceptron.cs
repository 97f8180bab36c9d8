using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Perceptron"/>.</summary>
public sealed record PerceptronOptions
{
    /// <summary>Hidden units.</summary>
    [Range(1, 100_000), Description("hidden units")]
    public int Hidden { get; init; } = 256;

    /// <summary>Epochs.</summary>
    [Range(1, 100_000), Description("times that every row is learned from")]
    public int Epochs { get; init; } = 60;

    /// <summary>Rows of a step.</summary>
    [Range(1, 100_000), Description("rows of a step")]
    public int Batch { get; init; } = 32;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("step size of Adam")]
    public double LearningRate { get; init; } = 1e-3;
}

/// <summary>A network with one hidden layer of ReLU units, trained by Adam on the cross-entropy (Rumelhart, Hinton and Williams 1986; Kingma and Ba 2015), in float32. Cost O(epochs · n · hidden · (d + classes)).</summary>
/// <param name="setup">Draws the first weights and the order.</param>
/// <param name="options">How.</param>
public sealed class Perceptron(KernelSetup setup, PerceptronOptions options) : IClassifier
{
    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var (x, y) = (rows.X.to(ScalarType.Float32), tensor(rows.Labels.Select(l => (long)l).ToArray()));
        var network = Network.Mlp((int)x.shape[1], [options.Hidden], rows.Classes, batchNorm: false, setup.Random("weights"));
        using var adam = new Adam(network.ParameterValues.Length, options.LearningRate);
        try
        {
            Epochs.Run(rows.Labels.Count, options.Epochs, options.Batch, setup.Random("order"), some =>
            {
                network.ZeroGradient();
                network.AddCrossEntropyGradient(x.index_select(0, some), y.index_select(0, some));
                adam.Step(network.ParameterValues, network.GradientValues);
            }, cancellation);
        }
        catch
        {
            network.Dispose();
            throw;
        }
        return new Fitted(network, rows.X.shape[1]);
    }

    private sealed class Fitted(Network network, long width) : IFitted
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            Finite.Rows(x, width);
            return network.Forward(x.to(ScalarType.Float32)).to(ScalarType.Float64).MoveToOuterDisposeScope();
        }

        public void Dispose() => network.Dispose();
    }
}
