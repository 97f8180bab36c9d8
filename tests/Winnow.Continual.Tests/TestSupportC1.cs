using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

/// <summary>Learners that are small enough to be computed by hand beside.</summary>
internal static class ByHand
{
    public const int Classes = 4;

    public const double Rate = 0.1;

    /// <summary>A set-up whose network has no normalisation: logistic regression, or with one hidden layer.</summary>
    public static LearnerSetup Setup(int hidden = 0, double learningRate = Rate, ulong seed = 1) => new()
    {
        Network = () => Network.Mlp(TestData.Width, hidden == 0 ? [] : [hidden], Classes, batchNorm: false, new SeededRandom(seed, "weights")),
        Width = TestData.Width,
        Classes = Classes,
        Training = new(learningRate, 0, 8, 1, 2, 100, 800),
        Random = purpose => new SeededRandom(seed, purpose),
        Cancellation = TestContext.Current.CancellationToken,
    };

    public static Tensor StateOf(IContinualLearner learner, string name) => learner.State.Single(s => s.Name == name).Value;

    public static Tensor StateOf(IPart part, string name) => part.State.Single(s => s.Name == name).Value;

    /// <summary>Trained on the same stream, a learner ends with the weights and statistics of plain fine-tuning, to the bit.</summary>
    public static void EqualsFineTuning(SmallStream stream, params IPart[] parts)
    {
        using var naive = new Learner(stream.Setup);
        using var learner = new Learner(stream.Setup, parts);
        stream.Train(naive);
        stream.Train(learner);
        Assert.True(naive.Network.ParameterValues.SequenceEqual(learner.Network.ParameterValues));
        Assert.True(naive.Network.BufferValues.SequenceEqual(learner.Network.BufferValues));
    }

    /// <summary>The gradient of the mean cross-entropy of rows, at the network's weights.</summary>
    public static Tensor Gradient(Network network, Batch rows)
    {
        network.ZeroGradient();
        network.AddCrossEntropyGradient(rows.X, rows.Y);
        return network.Gradient.clone();
    }

    /// <summary>The gradient of a loss from its derivative by the logits, at the network's weights.</summary>
    public static Tensor Gradient(Network network, Tensor x, Tensor byLogits)
    {
        network.ZeroGradient();
        network.AddGradient(x, logits => (logits * byLogits).sum());
        return network.Gradient.clone();
    }

    /// <summary>Logits off the tape.</summary>
    public static Tensor Logits(Network network, Tensor x)
    {
        using var _ = no_grad();
        return network.Forward(x);
    }

    /// <summary>Equal to the bit.</summary>
    public static void Same(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.True(expected.contiguous().bytes.SequenceEqual(actual.contiguous().bytes));
    }

    public static Tensor OneHot(Tensor labels) => nn.functional.one_hot(labels, Classes).to_type(ScalarType.Float32);

    public static void Close(Tensor expected, Tensor actual, double relative = 1e-5, double absolute = 1e-6)
    {
        var e = expected.to_type(ScalarType.Float64);
        var a = actual.to_type(ScalarType.Float64);
        Assert.True(a.allclose(e, relative, absolute), $"largest difference {(a - e).abs().max().item<double>()}");
    }
}
