using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>Where <see cref="Gkcl"/> takes its support rows from.</summary>
public enum SupportKind
{
    /// <summary>A conditional variational autoencoder.</summary>
    Vae,

    /// <summary>One normal distribution of the inputs a class.</summary>
    Gaussians,

    /// <summary>Stored rows: kernel continual learning, the method this one improves on.</summary>
    Stored,
}

/// <summary>Options of <see cref="Gkcl"/>.</summary>
public sealed record GkclOptions
{
    /// <summary>Kernel.</summary>
    [Description("kernel of the classifier on normalised features: linear, rbf exp(-|x-y|/4) with the L1 distance, poly (xy+1)^3, or rff: variational random Fourier features")]
    public KernelKind Kernel { get; init; } = KernelKind.Linear;

    /// <summary>Source of the support.</summary>
    [Description("where support rows come from: a conditional autoencoder, one normal distribution a class, or stored rows (kernel continual learning)")]
    public SupportKind Generator { get; init; } = SupportKind.Vae;

    /// <summary>Support rows a class.</summary>
    [Range(1, 10_000), Description("support rows of each class of a task, generated or stored")]
    public int SupportPerClass { get; init; } = 20;

    /// <summary>SGD step size of the encoder and the head.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of the encoder and the head in the first task")]
    public double LearningRate { get; init; } = 0.15;

    /// <summary>Decay of the step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("what the step size is multiplied by from task to task, down to 5e-5")]
    public double LearningRateDecay { get; init; } = 0.9;

    /// <summary>SGD momentum.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of the encoder and the head")]
    public double Momentum { get; init; } = 0.8;

    /// <summary>Dropout of features.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("share of features of support and query that is dropped in training")]
    public double Dropout { get; init; } = 0.05;

    /// <summary>Random features L.</summary>
    [Range(1, 100_000), Description("number L of random Fourier features of the rff kernel")]
    public int Bases { get; init; } = 512;

    /// <summary>Weight τ of the divergence of the bases.</summary>
    [Range(0.0, 100.0), Description("weight of the divergence between the posterior and the prior of the bases of the rff kernel")]
    public double BasesWeight { get; init; } = 1e-4;

    /// <summary>Size of z.</summary>
    [Range(1, 4096), Description("size of the autoencoder's latent code; the released code has 512")]
    public int Latent { get; init; } = 16;

    /// <summary>Units of the generator.</summary>
    [Range(1, 4096), Description("units of the autoencoder's hidden layers; the released code has 512")]
    public int GeneratorHidden { get; init; } = 128;

    /// <summary>Adam step size of the generator.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("step size of Adam on the autoencoder")]
    public double GeneratorRate { get; init; } = 2e-3;

    /// <summary>Steps of the generator.</summary>
    [Range(1, 1000), Description("steps of the autoencoder for each mini-batch")]
    public int GeneratorSteps { get; init; } = 2;

    /// <summary>Whether the generator replays.</summary>
    [Description("whether the autoencoder also learns from what it generated of earlier tasks; without it, it forgets them")]
    public bool GeneratorReplay { get; init; } = true;

    /// <summary>Weight β of the divergence from the prior.</summary>
    [Range(0.0, 1000.0), Description("weight of the divergence of the autoencoder's codes from their class's prior")]
    public double Beta { get; init; } = 0.1;

    /// <summary>Weight of the contrastive term.</summary>
    [Range(0.0, 1000.0), Description("weight of the supervised contrastive term on the autoencoder's codes")]
    public double Contrast { get; init; } = 0.1;

    /// <summary>Temperature of the contrastive term.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true), Description("temperature of the contrastive term")]
    public double ContrastTemperature { get; init; } = 0.1;

    /// <summary>Covariance of the normal distributions.</summary>
    [Description("covariance kept for each class when the support comes from normal distributions")]
    public CovarianceKind Covariance { get; init; } = CovarianceKind.Full;
}
