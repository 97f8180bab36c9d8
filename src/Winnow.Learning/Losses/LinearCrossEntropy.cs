using TorchSharp.Modules;
using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>
/// The output layer and the cross-entropy of a language model in one: a loss from hidden states and targets that never holds logits. In the
/// place of <c>cross_entropy(linear(h), targets)</c> write <c>loss = head.call(h, targets)</c>. Method, shapes and cost:
/// <see cref="LinearCrossEntropyKernel"/>.
/// </summary>
public sealed class LinearCrossEntropy : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly LinearCrossEntropySettings _settings;
#pragma warning disable CA1051, IDE1006 // TorchSharp finds parameters by field, and their names are those of nn.Linear
    /// <summary>The classifier C [V, D].</summary>
    public readonly Parameter weight;

    /// <summary>The bias [V], or null.</summary>
    public readonly Parameter? bias;
#pragma warning restore CA1051, IDE1006

    /// <summary>A new output layer, initialised as a linear layer is.</summary>
    /// <param name="depth">D, the width of the hidden states.</param>
    /// <param name="vocabulary">V.</param>
    /// <param name="hasBias">Whether logits have a bias.</param>
    /// <param name="settings">What is computed; null for the defaults.</param>
    public LinearCrossEntropy(long depth, long vocabulary, bool hasBias = false, LinearCrossEntropySettings? settings = null) : base(nameof(LinearCrossEntropy))
    {
        _settings = settings ?? new();
        double bound = 1 / Math.Sqrt(depth);
        weight = new Parameter(empty(vocabulary, depth).uniform_(-bound, bound));
        bias = hasBias ? new Parameter(empty(vocabulary).uniform_(-bound, bound)) : null;
        RegisterComponents();
    }

    /// <summary>An output layer around a linear layer that exists, whose parameters it shares.</summary>
    public LinearCrossEntropy(Linear linear, LinearCrossEntropySettings? settings = null) : base(nameof(LinearCrossEntropy))
    {
        _settings = settings ?? new();
        (weight, bias) = (linear.weight!, linear.bias);
        RegisterComponents();
    }

    /// <summary>The loss of hidden states [..., D] and targets [...].</summary>
    public override Tensor forward(Tensor input, Tensor targets) => Loss(input, weight, targets, bias, _settings);

    /// <summary>The logits, for prediction.</summary>
    public Tensor Logits(Tensor input)
    {
        var logits = nn.functional.linear(input, weight, bias);
        return _settings.Kernel.Softcap is { } cap ? cap * tanh(logits / cap) : logits;
    }

    /// <summary>The loss as a function.</summary>
    /// <param name="embeddings">E [N, D] or [B, T, D]: float32, bfloat16, or float64 (slow, for checking gradients).</param>
    /// <param name="classifier">C [V, D], of the same type.</param>
    /// <param name="targets">int64 [N] or [B, T].</param>
    /// <param name="bias">[V], of the same type (float32 beside bfloat16), or null.</param>
    /// <param name="settings">What is computed; null for the defaults.</param>
    /// <returns>A scalar, or without a reduction [N] or [B, T − shift].</returns>
    /// <exception cref="ArgumentException">Shapes or types that do not fit, a target that is no class, no valid row, or logits that are not finite.</exception>
    public static Tensor Loss(Tensor embeddings, Tensor classifier, Tensor targets, Tensor? bias = null, LinearCrossEntropySettings? settings = null) =>
        Apply(embeddings, classifier, targets, bias, settings ?? new(), withLogSumExp: false)[0];

    /// <summary>The loss and the log-sum-exp of every row, 0 where the target is ignored; both have gradients (z-loss: add a multiple of the mean of its squares).</summary>
    /// <inheritdoc cref="Loss"/>
    public static (Tensor Loss, Tensor LogSumExp) LossAndLogSumExp(Tensor embeddings, Tensor classifier, Tensor targets, Tensor? bias = null, LinearCrossEntropySettings? settings = null)
    {
        var outputs = Apply(embeddings, classifier, targets, bias, settings ?? new(), withLogSumExp: true);
        return (outputs[0], outputs[1]);
    }

    private static List<Tensor> Apply(Tensor e, Tensor c, Tensor targets, Tensor? bias, LinearCrossEntropySettings settings, bool withLogSumExp)
    {
        TensorTiles.Check(e, "embeddings", ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64);
        TensorTiles.Check(c, "classifier", e.dtype);
        TensorTiles.Check(targets, nameof(targets), ScalarType.Int64);
        if (c.dim() != 2 || e.dim() is < 2 or > 3 || !targets.shape.SequenceEqual(e.shape.SkipLast(1)))
            throw new ArgumentException($"embeddings [{string.Join(", ", e.shape)}], classifier [{string.Join(", ", c.shape)}], targets [{string.Join(", ", targets.shape)}]; expected [N, D] or [B, T, D], [V, D], [N] or [B, T]");
        if (bias is not null && (bias.dim() != 1 || bias.shape[0] != c.shape[0]))
            throw new ArgumentException($"a bias [{string.Join(", ", bias.shape)}]; expected [{c.shape[0]}]", nameof(bias));
        using var dense = targets.contiguous();
        int length = (int)targets.shape[^1];
        var rows = TargetRows.Select(dense.Values<long>(), length, (int)c.shape[0], settings.Shift, settings.IgnoreIndex);
        if (rows.Count == 0 && settings.Reduction == nn.Reduction.Mean && !settings.ZeroWithoutTargets)
            throw new ArgumentException($"every target is ignored (= {settings.IgnoreIndex}): their mean is not defined; expected one valid target, or the setting {nameof(settings.ZeroWithoutTargets)}", nameof(targets));
        bool gradients = is_grad_enabled() && (e.requires_grad || c.requires_grad || bias?.requires_grad == true);
        var problem = new LinearCrossEntropyProblem(rows, settings, withLogSumExp, gradients, [.. targets.shape[..^1], length - settings.Shift]);
        object[] inputs = bias is null ? [e, c, problem] : [e, c, problem, bias];
        return LinearCrossEntropyFunction.apply(inputs);
    }

}
