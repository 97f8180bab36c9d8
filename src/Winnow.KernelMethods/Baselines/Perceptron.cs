using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

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
        var (random, order) = (setup.Random("weights"), setup.Random("order"));
        var (x, y) = (rows.X.to(ScalarType.Float32), tensor(rows.Labels.Select(l => (long)l).ToArray()));
        int n = rows.Labels.Count, d = (int)x.shape[1];
        var (w1, b1, w2, b2) = (Weights(options.Hidden, d, 2), zeros(options.Hidden, requires_grad: true), Weights(rows.Classes, options.Hidden, 1), zeros(rows.Classes, requires_grad: true));
        using var adam = optim.Adam([new TorchSharp.Modules.Parameter(w1), new TorchSharp.Modules.Parameter(b1), new TorchSharp.Modules.Parameter(w2), new TorchSharp.Modules.Parameter(b2)], options.LearningRate);
        var parameters = adam.parameters().ToArray();
        long[] rowsInOrder = [.. Enumerable.Range(0, n).Select(i => (long)i)];
        for (int epoch = 0; epoch < options.Epochs; epoch++)
        {
            cancellation.ThrowIfCancellationRequested();
            order.Shuffle(rowsInOrder);
            for (int first = 0; first < n; first += options.Batch)
            {
                using var step = NewDisposeScope();
                var some = tensor(rowsInOrder[first..Math.Min(n, first + options.Batch)]);
                adam.zero_grad();
                cross_entropy(Logits(x.index_select(0, some), parameters), y.index_select(0, some)).backward();
                adam.step();
            }
        }
        return new Fitted([.. parameters.Select(p => p.detach().clone().DetachFromDisposeScope())]);

        Tensor Weights(int outputs, int inputs, double gain) =>
            tensor([.. Enumerable.Range(0, outputs * inputs).Select(_ => (float)(random.NextNormal() * Math.Sqrt(gain / inputs)))], [outputs, inputs]).clone().requires_grad_();
    }

    private static Tensor Logits(Tensor x, IReadOnlyList<Tensor> p) => linear(relu(linear(x, p[0], p[1])), p[2], p[3]);

    private sealed class Fitted(Tensor[] parameters) : IFitted
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            Finite.Require(x, "rows");
            return Logits(x.to(ScalarType.Float32), parameters).to(ScalarType.Float64).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            foreach (var p in parameters)
                p.Dispose();
        }
    }
}
