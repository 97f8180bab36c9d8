using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>What a <see cref="GateAutoencoder"/> is trained on; its error is the squared one in both cases.</summary>
public enum GateLoss
{
    /// <summary>Mean squared error.</summary>
    SquaredError,

    /// <summary>Mean binary cross-entropy.</summary>
    BinaryCrossEntropy,
}

/// <summary>
/// What knows one task by sight: an under-complete auto-encoder on features that are standardised by that task's rows and squashed into (0, 1).
/// <para><c>v = sigmoid((f − mean) / deviation)</c>, <c>r = sigmoid(W₂ ReLU(W₁ v + b₁) + b₂)</c>, error <c>(1/d) Σ (v − r)²</c>; trained by Adam.
/// Memory 2·d·code + 3·d + code values.</para>
/// </summary>
internal sealed class GateAutoencoder : IDisposable
{
    private readonly Network _network;
    private readonly Tensor _mean, _deviation;
    private readonly string _name;

    /// <summary>An untrained auto-encoder.</summary>
    /// <exception cref="ArgumentException">The code is not smaller than the features.</exception>
    public GateAutoencoder(string name, int width, int code, SeededRandom random)
    {
        if (code >= width)
            throw new ArgumentException($"A code of {code} values for features of {width}; expected fewer, or the auto-encoder copies every task's features alike. Lower code-size.", nameof(code));
        _name = name;
        _network = Network.Mlp(width, [code], width, batchNorm: false, random);
        _mean = zeros(width, ScalarType.Float64).DetachFromDisposeScope();
        _deviation = ones(width, ScalarType.Float64).DetachFromDisposeScope();
    }

    /// <summary>What is remembered.</summary>
    public IEnumerable<StateEntry> State => _network.LiveState.Select(s => new StateEntry($"{_name}.{s.Key}", StateKind.Model, s.Value))
        .Concat([new($"{_name}.mean", StateKind.Model, _mean), new($"{_name}.deviation", StateKind.Model, _deviation)]);

    /// <summary>Learns a task's features, float64 [n, width]; returns the rows passed forward and backward.</summary>
    public long Fit(Tensor features, ContinualThesisOptions options, SeededRandom random, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        _mean.copy_(features.mean([0L]));
        _deviation.copy_(features.std(0, unbiased: false).clamp_min(0.01)); // a feature that is the same in all rows of the task
        var rows = new Batch(Squashed(features), zeros(features.shape[0], ScalarType.Int64));
        var (m, v) = (zeros_like(_network.Parameters), zeros_like(_network.Parameters));
        int step = 0;
        for (int epoch = 0; epoch < options.GateEpochs; epoch++)
            foreach (var batch in rows.MiniBatches(32, random))
            {
                cancellation.ThrowIfCancellationRequested();
                using var inner = NewDisposeScope();
                _network.ZeroGradient();
                _network.AddGradient(batch.X, logits => options.GateLoss == GateLoss.SquaredError
                    ? F.mse_loss(logits.sigmoid(), batch.X) : F.binary_cross_entropy_with_logits(logits, batch.X));
                step++;
                m.mul_(0.9).add_(_network.Gradient, 0.1);
                v.mul_(0.999).addcmul_(_network.Gradient, _network.Gradient, 0.001);
                var size = (v / (1 - Math.Pow(0.999, step))).sqrt() + 1e-8;
                _network.Parameters.addcdiv_(m, size, -options.GateLearningRate / (1 - Math.Pow(0.9, step)));
            }
        return rows.Count * (long)options.GateEpochs;
    }

    /// <summary>The error [n] of features, float64 [n, width].</summary>
    public Tensor Errors(Tensor features)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        return Errors(_network, Squashed(features)).MoveToOuterDisposeScope();
    }

    /// <summary>(1/d) Σ (v − r)² [n] of squashed features v [n, d].</summary>
    /// <exception cref="ArgumentException">A value outside [0, 1], which a sigmoid cannot give back.</exception>
    internal static Tensor Errors(Network network, Tensor squashed)
    {
        if (((squashed < 0) | (squashed > 1)).any().item<bool>())
            throw new ArgumentException($"The features reach from {squashed.min().item<float>():G3} to {squashed.max().item<float>():G3}; expected 0 to 1: squash them with a sigmoid.", nameof(squashed));
        return (network.Forward(squashed).sigmoid() - squashed).square().mean([1L]);
    }

    private Tensor Squashed(Tensor features) => ((features - _mean) / _deviation).sigmoid().to_type(ScalarType.Float32);

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _mean.Dispose();
        _deviation.Dispose();
    }
}
