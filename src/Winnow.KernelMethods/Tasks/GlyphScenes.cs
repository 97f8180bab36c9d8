using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Scenes made of labelled images: two to four of them, enlarged, on a background of waves and noise. A rim of pixels that are partly object is to be ignored.</summary>
/// <param name="data">Images, or tables whose rows are taken for square grey images.</param>
/// <param name="size">Pixels of a scene's side.</param>
/// <param name="ink">Least brightness of an image's pixel that belongs to the object; 0: all do.</param>
public sealed class GlyphScenes(LabelledData data, int size, double ink)
{
    private const int Tries = 20;
    private readonly int[] _shape = Shape(data);

    /// <summary>Draws scenes.</summary>
    /// <param name="count">How many.</param>
    /// <param name="pools">The rows of each class of objects.</param>
    /// <param name="labels">The label of each; 0 for one that is not told.</param>
    /// <param name="always">The class of which every scene has an object; -1 for none.</param>
    /// <param name="random">The draw.</param>
    public Scenes Draw(int count, IReadOnlyList<int[]> pools, IReadOnlyList<int> labels, int always, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(pools);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(random);
        int channels = _shape[0], pixels = size * size;
        float[] images = new float[count * channels * pixels], glyph = new float[data.Width];
        long[] masks = new long[count * pixels];
        for (int s = 0; s < count; s++)
        {
            Background(images.AsSpan(s * channels * pixels, channels * pixels), random);
            var taken = new List<(int X, int Y, int Side)>();
            int objects = random.Next(2, 5);
            for (int i = 0; i < objects; i++)
            {
                int side = random.Next(size / 3, size / 2 + 1), of = i == 0 && always >= 0 ? always : random.Next(pools.Count);
                data.CopyRows([pools[of][random.Next(pools[of].Length)]], glyph);
                for (int t = 0; t < Tries; t++)
                {
                    int x = random.Next(size - side + 1), y = random.Next(size - side + 1);
                    if (taken.Any(o => x < o.X + o.Side && o.X < x + side && y < o.Y + o.Side && o.Y < y + side))
                        continue;
                    taken.Add((x, y, side));
                    Paste(images.AsSpan(s * channels * pixels, channels * pixels), masks.AsSpan(s * pixels, pixels), glyph, x, y, side, labels[of], (float)(0.7 + 0.3 * random.NextDouble()));
                    break;
                }
            }
        }
        using var scope = NewDisposeScope();
        var (image, mask) = (tensor(images, [count, channels, size, size]).clone(), tensor(masks, [count, size, size]).clone());
        return new(image.MoveToOuterDisposeScope(), mask.MoveToOuterDisposeScope());
    }

    private static int[] Shape(LabelledData data) => data.Shape.Count == 3 ? [.. data.Shape]
        : Math.Sqrt(data.Width) is var side && side == Math.Floor(side) ? [1, (int)side, (int)side]
        : throw InputException.At("data", $"rows of {data.Width} numbers", "images, or as many numbers as a square has", "Give a folder of images, or a table of square ones.");

    private void Background(Span<float> image, SeededRandom random)
    {
        double level = 0.1 + 0.3 * random.NextDouble();
        var waves = Enumerable.Range(0, 3).Select(_ => (X: (random.NextDouble() - 0.5) * 1.2, Y: (random.NextDouble() - 0.5) * 1.2, Phase: 2 * Math.PI * random.NextDouble(), Height: 0.04 + 0.06 * random.NextDouble())).ToArray();
        for (int p = 0; p < size * size; p++)
        {
            double value = level + 0.06 * (random.NextDouble() - 0.5);
            foreach (var (x, y, phase, height) in waves)
                value += height * Math.Sin(x * (p % size) + y * (p / size) + phase);
            for (int c = 0; c < _shape[0]; c++)
                image[c * size * size + p] = (float)Math.Clamp(value, 0, 1);
        }
    }

    private void Paste(Span<float> image, Span<long> mask, float[] glyph, int left, int top, int side, int label, float bright)
    {
        int channels = _shape[0];
        Span<float> colour = stackalloc float[channels];
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
            {
                float alpha = 0;
                for (int c = 0; c < channels; c++)
                    alpha += colour[c] = At(glyph, c, (y + 0.5f) / side * _shape[1] - 0.5f, (x + 0.5f) / side * _shape[2] - 0.5f);
                alpha = ink == 0 ? 1 : alpha / channels;
                int at = (top + y) * size + left + x;
                for (int c = 0; c < channels; c++)
                    image[c * size * size + at] = (1 - alpha) * image[c * size * size + at] + (ink == 0 ? colour[c] : bright * colour[c]);
                mask[at] = alpha >= ink ? label : alpha >= ink / 2 && label > 0 ? Scenes.Ignored : 0;
            }
    }

    /// <summary>The pixel between pixels.</summary>
    private float At(float[] glyph, int channel, float y, float x)
    {
        (int height, int width) = (_shape[1], _shape[2]);
        (y, x) = (Math.Clamp(y, 0, height - 1), Math.Clamp(x, 0, width - 1));
        int top = Math.Min((int)y, Math.Max(height - 2, 0)), left = Math.Min((int)x, Math.Max(width - 2, 0)), down = Math.Min(top + 1, height - 1), right = Math.Min(left + 1, width - 1);
        float Of(int i, int j) => glyph[(channel * height + i) * width + j];
        float upper = Of(top, left) + (x - left) * (Of(top, right) - Of(top, left)), lower = Of(down, left) + (x - left) * (Of(down, right) - Of(down, left));
        return Math.Clamp(upper + (y - top) * (lower - upper), 0, 1);
    }
}
