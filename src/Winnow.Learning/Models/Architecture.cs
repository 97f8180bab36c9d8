using System.Text.Json.Serialization;

namespace Winnow.Learning;

/// <summary>What a <see cref="Network"/> looks like, without its weights: enough to build it again.</summary>
/// <param name="Outputs">Classes.</param>
/// <param name="BatchNorm">Whether every hidden layer is followed by batch normalisation.</param>
[JsonDerivedType(typeof(MlpArchitecture), "mlp")]
[JsonDerivedType(typeof(CnnArchitecture), "cnn")]
public abstract record Architecture(int Outputs, bool BatchNorm)
{
    /// <summary>The head, where it is not a linear layer with bias.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CosineHead? Cosine { get; init; }

    /// <summary>Values in one input row.</summary>
    [JsonIgnore]
    public abstract int Inputs { get; }

    /// <summary>Values that the layers before the head give for one input row.</summary>
    [JsonIgnore]
    public abstract int Features { get; }
}

/// <summary>
/// A head whose classes have frozen target vectors: the logits are a learned scale η times the cosines of the feature, or of a learned
/// linear map of it, with the targets. Targets are zero, and so are their logits, until they are set (<c>head.targets</c> of
/// <see cref="Network.LiveState"/>, rows of length 1); η (<c>head.scale</c>) starts at 10.
/// </summary>
/// <param name="Width">Values of a target.</param>
/// <param name="Projected">Whether the features are mapped to the targets' width; needed unless they have it.</param>
public sealed record CosineHead(int Width, bool Projected);

/// <summary>A multi-layer perceptron: linear, [normalisation], ReLU per hidden layer; then the head.</summary>
/// <param name="Width">Values in one input row.</param>
/// <param name="Hidden">Widths of the hidden layers; none gives logistic regression.</param>
/// <param name="Outputs">Classes.</param>
/// <param name="BatchNorm">Whether every hidden layer is normalised.</param>
public sealed record MlpArchitecture(int Width, IReadOnlyList<int> Hidden, int Outputs, bool BatchNorm) : Architecture(Outputs, BatchNorm)
{
    /// <inheritdoc/>
    public override int Inputs => Width;

    /// <inheritdoc/>
    public override int Features => Hidden.Count == 0 ? Width : Hidden[^1];
}

/// <summary>
/// A small convolutional network: twice (3x3 convolution with padding, [normalisation], ReLU, 2x2 max pooling) with 16 and 32
/// channels; then the head on the flattened maps.
/// </summary>
/// <param name="Channels">Image channels.</param>
/// <param name="Height">Image height, at least 4.</param>
/// <param name="Width">Image width, at least 4.</param>
/// <param name="Outputs">Classes.</param>
/// <param name="BatchNorm">Whether every convolution is normalised.</param>
public sealed record CnnArchitecture(int Channels, int Height, int Width, int Outputs, bool BatchNorm) : Architecture(Outputs, BatchNorm)
{
    /// <summary>Channels after each convolution.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> Filters { get; } = [16, 32];

    /// <inheritdoc/>
    public override int Inputs => Channels * Height * Width;

    /// <inheritdoc/>
    public override int Features => Filters[^1] * (Height / 4) * (Width / 4);
}
