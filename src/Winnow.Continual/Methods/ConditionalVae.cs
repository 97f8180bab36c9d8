using Winnow.Core;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// A variational autoencoder of rows [n, width] whose prior is one normal distribution a component (a class, or a class of a task), learned:
/// <c>p(z|y) = N(μ_y, v_y)</c>, <c>μ_y = A e_y + a</c>, <c>v_y = softplus(B e_y + b)</c>. Encoder and decoder are perceptrons with two hidden
/// layers; the decoder is told the component and gives the mean of a normal distribution of variance 1. Cost of a row: O(H² + H·width).
/// </summary>
internal sealed class ConditionalVae(int width, int components, int hidden, int latent, SeededRandom random) : IDisposable
{
    /// <summary>Weights, with Adam's moments.</summary>
    public TrainableTensors Parameters { get; } = new("gkcl.vae",
        [.. Layer("encoder1", width, hidden, random), .. Layer("encoder2", hidden, hidden, random), .. Layer("posterior", hidden, 2 * latent, random),
        .. Layer("prior", components, 2 * latent, random),
        .. Layer("decoder1", latent + components, hidden, random), .. Layer("decoder2", hidden, hidden, random), .. Layer("output", hidden, width, random)]);

    /// <summary>Size of z.</summary>
    public int Latent => latent;

    /// <summary>Mean and log variance of q(z|x) for rows [n, width], each [n, latent].</summary>
    public (Tensor Mean, Tensor LogVariance) Posterior(Tensor x) => Halves(Linear("posterior", Linear("encoder2", Linear("encoder1", x).relu()).relu()));

    /// <summary>Mean and log variance of p(z|y) for components [n], each [n, latent].</summary>
    public (Tensor Mean, Tensor LogVariance) Prior(Tensor components) => Halves(Linear("prior", OneHot(components)));

    /// <summary>Mean of p(x|z, y) [n, width].</summary>
    public Tensor Decode(Tensor z, Tensor components) => Linear("output", Linear("decoder2", Linear("decoder1", cat([z, OneHot(components)], 1)).relu()).relu());

    /// <summary>Rows [n, width] of components [n]: z from the prior with noise [n, latent], decoded.</summary>
    public Tensor Sample(Tensor components, Tensor noise)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (mean, logVariance) = Prior(components);
        return Decode(DiagonalGaussian.Sample(mean, logVariance, noise), components).MoveToOuterDisposeScope();
    }

    /// <summary><c>½‖x − x̂‖² + β KL(q(z|x) ‖ p(z|y)) + c · contrast</c>, the mean over rows, with noise [n, latent].</summary>
    public Tensor Loss(Batch rows, Tensor noise, double beta, double contrast, double temperature)
    {
        using var scope = NewDisposeScope();
        var (mean, logVariance) = Posterior(rows.X);
        var (priorMean, priorLogVariance) = Prior(rows.Y);
        var z = DiagonalGaussian.Sample(mean, logVariance, noise);
        var loss = (0.5 * (rows.X - Decode(z, rows.Y)).square().sum() + beta * DiagonalGaussian.Divergence(mean, logVariance, priorMean, priorLogVariance)) / rows.Count;
        if (contrast > 0)
            loss += contrast * SupervisedContrast(z, rows.Y, temperature);
        return loss.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The mean over rows i that have others of their label of <c>−1/|P(i)| Σ_{p ∈ P(i)} log (exp(z_i·z_p/τ) / Σ_{a ≠ i} exp(z_i·z_a/τ))</c>,
    /// with z of length one (Khosla et al., Supervised contrastive learning, NeurIPS 2020); 0 when no label occurs twice.
    /// </summary>
    internal static Tensor SupervisedContrast(Tensor z, Tensor labels, double temperature)
    {
        using var scope = NewDisposeScope();
        var unit = F.normalize(z, dim: 1);
        var self = eye(z.shape[0], dtype: ScalarType.Bool);
        var log = (unit.matmul(unit.t()) / temperature).masked_fill(self, float.NegativeInfinity).log_softmax(1).masked_fill(self, 0);
        var positives = labels.unsqueeze(0).eq(labels.unsqueeze(1)).logical_and(self.logical_not()).to_type(z.dtype);
        var count = positives.sum(1);
        var each = -(log * positives).sum(1) / count.clamp_min(1);
        return (each.sum() / count.greater(0).sum().clamp_min(1)).MoveToOuterDisposeScope();
    }

    private (Tensor, Tensor) Halves(Tensor both) => (both.narrow(1, 0, latent), (F.softplus(both.narrow(1, latent, latent)) + 1e-6).log());

    private Tensor OneHot(Tensor labels) => F.one_hot(labels, components).to_type(ScalarType.Float32);

    private Tensor Linear(string name, Tensor x) => F.linear(x, Parameters[$"{name}.weight"], Parameters[$"{name}.bias"]);

    /// <summary>Weight and bias of a linear layer, with PyTorch's initial values.</summary>
    internal static IEnumerable<(string, long[], Func<double>)> Layer(string name, int inputs, int outputs, SeededRandom random)
    {
        var initial = TrainableTensors.Uniform(random, 1 / Math.Sqrt(inputs));
        return [($"{name}.weight", [outputs, inputs], initial), ($"{name}.bias", [outputs], initial)];
    }

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();
}
