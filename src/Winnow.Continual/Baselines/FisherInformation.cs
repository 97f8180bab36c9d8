using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Over which labels the Fisher information of a classifier is taken.</summary>
public enum FisherKind
{
    /// <summary>All labels, weighted by the network's probabilities: the exact expectation.</summary>
    Expected,

    /// <summary>One label a row, drawn from the network's probabilities: an unbiased estimate of it.</summary>
    Sampled,

    /// <summary>The labels of the data: the empirical Fisher information.</summary>
    Empirical,

    /// <summary>The labels of the data weighted by their probability, the sum divided by batches times batch size, as in released code.</summary>
    Released,
}

/// <summary>The diagonal of the Fisher information of a network's parameters.</summary>
public static class FisherInformation
{
    /// <summary>That of a task, on some of its rows, [P], owned by the current dispose scope, and what it cost.</summary>
    internal static (Tensor Fisher, StepReport Cost) Of(Network network, Batch train, FisherKind kind, int rows, SeededRandom random, LearnerSetup setup)
    {
        // Rows at even distances represent a file that is sorted by class as well as one that is shuffled, and need no random state.
        long count = Math.Min(rows, train.Count), passes = kind == FisherKind.Expected ? setup.Classes : 1;
        using var index = tensor([.. Enumerable.Range(0, (int)count).Select(i => i * (long)train.Count / count)]);
        var fisher = Diagonal(network, train.Rows(index), kind, random, setup.Training.BatchSize, setup.Cancellation);
        return (fisher, new(double.NaN, count * (1 + passes), count * passes, 0));
    }

    /// <summary><c>(1/N) Σ_n Σ_c w_nc (∂ log p(c|x_n) / ∂θ)²</c> [P] of a network in prediction mode. Leaves a gradient behind.</summary>
    /// <param name="network">The network.</param>
    /// <param name="rows">Inputs [N, width] and labels [N].</param>
    /// <param name="kind">The weights w_nc.</param>
    /// <param name="random">Draws labels.</param>
    /// <param name="batchSize">Rows of a mini-batch, of which the released divisor takes the last for full.</param>
    /// <param name="cancellation">Stops it.</param>
    public static Tensor Diagonal(Network network, Batch rows, FisherKind kind, SeededRandom random, int batchSize, CancellationToken cancellation)
    {
        network.Training = false;
        var fisher = zeros_like(network.Parameters);
        using var scope = NewDisposeScope();
        var p = Probabilities(network, rows.X);
        int classes = (int)p.shape[1];
        double divisor = kind == FisherKind.Released ? (double)ContinualStream.BatchCount(rows.Count, batchSize) * batchSize : rows.Count;
        for (int n = 0; n < rows.Count; n++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var row = rows.X.narrow(0, n, 1);
            float[] probability = p[n].data<float>().ToArray();
            foreach (var (label, weight) in Labels(probability, (int)rows.Y[n].item<long>()))
            {
                using var y = tensor([label]);
                network.ZeroGradient();
                network.AddCrossEntropyGradient(row, y); // −∂ log p(c | x_n) / ∂θ, whose sign the square removes
                fisher.addcmul_(network.Gradient, network.Gradient, weight / divisor);
            }
        }
        return fisher;

        IEnumerable<(long Label, double Weight)> Labels(float[] probability, int observed) => kind switch
        {
            FisherKind.Expected => Enumerable.Range(0, classes).Select(c => ((long)c, (double)probability[c])),
            FisherKind.Sampled => [(Draw(probability), 1)],
            FisherKind.Empirical => [(observed, 1)],
            _ => [(observed, probability[observed])],
        };

        long Draw(float[] probability)
        {
            double u = random.NextDouble();
            int c = 0;
            while (c < classes - 1 && (u -= probability[c]) >= 0)
                c++;
            return c;
        }
    }

    private static Tensor Probabilities(Network network, Tensor x)
    {
        using var _ = no_grad();
        return network.Forward(x).softmax(1);
    }
}
