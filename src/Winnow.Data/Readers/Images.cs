using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>What an image reader found.</summary>
/// <param name="Pixels">[count, channels, height, width].</param>
/// <param name="Shape">[channels, height, width].</param>
/// <param name="Labels">Class per image; empty when read without labels.</param>
/// <param name="LabelNames">Class names.</param>
/// <param name="TrainCount">Where the folder holds a training and a test part.</param>
/// <param name="Format">For people.</param>
internal sealed record Images(byte[] Pixels, int[] Shape, int[] Labels, IReadOnlyList<string> LabelNames, int? TrainCount, string Format)
{
    /// <summary>A size as people write it.</summary>
    public static string Size(int width, int height) => $"{width}x{height} pixels";

    /// <summary>The error for an image whose size is not that of the others.</summary>
    public static InputException OtherSize(string where, string found, string expected, string like) =>
        InputException.At(where, $"an image of {found}", $"{expected}, as {like}", "Resize the images to one size.");
}
