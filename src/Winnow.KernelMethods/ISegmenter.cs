using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Learns to say of every pixel of an image which class it shows.</summary>
public interface ISegmenter : IKernelMethod
{
    /// <summary>Learns the base classes.</summary>
    /// <param name="train">Labels are 0 for the background, 1 to <paramref name="classes"/>, or <see cref="Scenes.Ignored"/>.</param>
    /// <param name="validation">More of them, by which a method chooses what its options leave open.</param>
    /// <param name="classes">Base classes, the background not counted.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">A label that is no class, a class without a pixel, or a loss that is no number.</exception>
    ISegmentation Fit(Scenes train, Scenes validation, int classes, CancellationToken cancellation = default);
}

/// <summary>What was learned: immutable. What <see cref="With"/> gives uses the network of what it came from and lives no longer than that.</summary>
public interface ISegmentation : IDisposable
{
    /// <summary>Classes known, the background not counted.</summary>
    int Classes { get; }

    /// <summary>The same with one more class.</summary>
    /// <param name="label">Its label: the next one.</param>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="shown">Scenes in which it has that label; other pixels may have any.</param>
    /// <exception cref="InputException">A label that is taken, or no pixel of the class.</exception>
    ISegmentation With(int label, string name, Scenes shown);

    /// <summary>How well each class fits each pixel: float32 [n, 1 + classes, height, width], the background first. The current dispose scope owns it.</summary>
    /// <param name="images">Float32 [n, channels, height, width].</param>
    Tensor Scores(Tensor images);

    /// <summary>What was found on the way.</summary>
    IReadOnlyDictionary<string, double> Report { get; }
}

/// <summary>Images and the class of each of their pixels.</summary>
public sealed record Scenes
{
    /// <summary>The label of pixels that count for nothing.</summary>
    public const int Ignored = 255;

    /// <summary>Images; tensors are not owned.</summary>
    /// <param name="images">Float32 [n, channels, height, width].</param>
    /// <param name="labels">Int64 [n, height, width]; of another height and width they are brought to the images' by the nearest pixel.</param>
    /// <exception cref="InputException">No image, sizes that do not fit, or a number that is none.</exception>
    public Scenes(Tensor images, Tensor labels)
    {
        ArgumentNullException.ThrowIfNull(images);
        ArgumentNullException.ThrowIfNull(labels);
        if (images.dim() != 4 || images.dtype != ScalarType.Float32 || images.shape.Any(s => s == 0))
            throw InputException.At("scenes", $"{images.dtype} [{string.Join(", ", images.shape)}]", "float32 [n, channels, height, width] of at least one image", "Give at least one.");
        if (labels.dim() != 3 || labels.dtype != ScalarType.Int64 || labels.shape[0] != images.shape[0] || labels.shape.Any(s => s == 0))
            throw InputException.At("masks", $"{labels.dtype} [{string.Join(", ", labels.shape)}]", $"int64 [{images.shape[0]}, height, width], one an image", "Give a mask for each image.");
        using (NewDisposeScope())
            Finite.Require(images.reshape(images.shape[0], -1), "scenes");
        (Images, Labels) = (images, Resized(labels, images.shape[2], images.shape[3]));
    }

    /// <summary>Float32 [n, channels, height, width].</summary>
    public Tensor Images { get; }

    /// <summary>Int64 [n, height, width].</summary>
    public Tensor Labels { get; }

    /// <summary>How many.</summary>
    public int Count => (int)Images.shape[0];

    /// <summary>Masks [n, h, w] of another size, each pixel the nearest.</summary>
    internal static Tensor Resized(Tensor masks, long height, long width)
    {
        if (masks.shape[1] == height && masks.shape[2] == width)
            return masks;
        Tensor Nearest(long from, long to) => tensor([.. Enumerable.Range(0, (int)to).Select(i => (2L * i + 1) * from / (2 * to))]);
        return masks.index_select(1, Nearest(masks.shape[1], height)).index_select(2, Nearest(masks.shape[2], width));
    }
}
