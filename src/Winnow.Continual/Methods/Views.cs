using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Copies of a row that a method tells apart as classes of their own.</summary>
public enum CopyKind
{
    /// <summary>The row alone.</summary>
    Plain,

    /// <summary>Four: rotated by quarter turns.</summary>
    QuarterTurns,

    /// <summary>Sixteen: none, one or both halves of the image turned upside down, each rotated by quarter turns.</summary>
    HalvesAndQuarterTurns,
}

/// <summary>
/// Copies and random views of rows [n, width] for contrastive learning. Images are rotated, if they are square; cropped and resized; and, when they
/// have three channels, made grey with probability 0.25. Rows that are no images have no copies; their views are the rows plus normal noise.
/// </summary>
/// <param name="shape">What a row is; see <see cref="LearnerSetup.Shape"/>.</param>
/// <param name="copies">Which copies are wanted; as many are made as the shape allows.</param>
/// <param name="leastArea">Least share of an image's area that a crop keeps.</param>
/// <param name="flip">Probability that an image is mirrored.</param>
/// <param name="noise">Deviation of the noise on rows that are no images.</param>
internal sealed class Views(IReadOnlyList<int> shape, CopyKind copies, double leastArea, double flip, double noise)
{
    private const double GreyProbability = 0.25, LeastAspect = 3.0 / 4;
    private static readonly int[] Turns = [0, 2, 1, 3]; // in the order of the released code
    private static readonly float[] Luminance = [0.299f, 0.587f, 0.114f];

    /// <summary>Copies of a row, itself included.</summary>
    public int Copies => copies == CopyKind.Plain || shape.Count != 3 || shape[1] != shape[2] ? 1 : Halves ? 16 : 4;

    private bool Halves => copies == CopyKind.HalvesAndQuarterTurns && shape[2] % 2 == 0;

    /// <summary>All rows as they are, then the second copies of all, and so on: [copies · n, width].</summary>
    public Tensor CopiesOf(Tensor x)
    {
        if (Copies == 1)
            return x.alias();
        using var scope = NewDisposeScope();
        var images = Images(x);
        if (Halves)
        {
            Tensor left = images.narrow(3, 0, shape[2] / 2), right = images.narrow(3, shape[2] / 2, shape[2] / 2), leftTurned = left.flip(2, 3), rightTurned = right.flip(2, 3);
            images = cat([images, cat([leftTurned, right], 3), cat([leftTurned, rightTurned], 3), cat([left, rightTurned], 3)]);
        }
        return cat([.. Turns.Select(turns => images.rot90(turns, (2, 3)))]).reshape(-1, x.shape[1]).MoveToOuterDisposeScope();
    }

    /// <summary>A random view of each row [n, width].</summary>
    public Tensor Random(Tensor x, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        int rows = (int)x.shape[0];
        if (shape.Count != 3)
            return (x + noise * tensor(Draws(x.numel(), () => (float)random.NextNormal())).reshape(x.shape)).MoveToOuterDisposeScope();
        var images = Images(x);
        if (shape[0] == 3)
        {
            var grey = (images * tensor(Luminance).reshape(1, 3, 1, 1)).sum(1, keepdim: true).expand_as(images);
            images = grey.where(tensor(Draws(rows, () => random.NextDouble() < GreyProbability ? 1f : 0f)).reshape(-1, 1, 1, 1).gt(0), images);
        }
        // Where each pixel of the view lies in the image, in coordinates from −1 to 1: (±w·u + s, h·v + t).
        float[] maps = new float[rows * 6];
        for (int i = 0; i < rows; i++)
        {
            double area = leastArea + (1 - leastArea) * random.NextDouble();
            double aspect = Math.Exp(Math.Log(Math.Max(LeastAspect, area)) * (2 * random.NextDouble() - 1)); // so that neither side is longer than the image's
            double w = Math.Sqrt(area * aspect), h = Math.Sqrt(area / aspect);
            maps[6 * i] = (float)(random.NextDouble() < flip ? -w : w);
            maps[6 * i + 2] = (float)((1 - w) * (2 * random.NextDouble() - 1));
            maps[6 * i + 4] = (float)h;
            maps[6 * i + 5] = (float)((1 - h) * (2 * random.NextDouble() - 1));
        }
        var grid = nn.functional.affine_grid(tensor(maps).reshape(rows, 2, 3), images.shape, align_corners: false);
        return nn.functional.grid_sample(images, grid, padding_mode: GridSamplePaddingMode.Border, align_corners: false).reshape(x.shape).MoveToOuterDisposeScope();
    }

    private Tensor Images(Tensor x) => x.reshape(-1, shape[0], shape[1], shape[2]);

    private static float[] Draws(long count, Func<float> draw)
    {
        float[] values = new float[count];
        foreach (ref float value in values.AsSpan())
            value = draw();
        return values;
    }
}
